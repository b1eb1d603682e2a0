//! Loopback addresses for machines: one each, or one port each where a system has only 127.0.0.1.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};

use super::super::machine::MachineError;
use super::ssh::is_free;

const TRIES: usize = 200;

#[derive(Debug)]
pub struct Addresses {
    /// Where every machine's SSH server listens, if it has an address of its own.
    pub port: u16,
    taken: Mutex<BTreeSet<Ipv4Addr>>,
    ports: Mutex<HashMap<Ipv4Addr, u16>>,
    /// All of 127.0.0.0/8 is this computer, as on Linux.
    many: bool,
}

impl Addresses {
    /// `port`: 22, where this process may listen there, and else 2222, unless one is given.
    pub fn new(port: Option<u16>) -> Self {
        let many = is_free(SocketAddr::new(Ipv4Addr::new(127, 255, 0, 1).into(), 0));
        let standard = || {
            let address = Ipv4Addr::new(127, 255, 0, 1);
            if is_free(SocketAddr::new(address.into(), 22)) { 22 } else { 2222 }
        };
        Self { port: port.unwrap_or_else(standard), taken: Mutex::default(), ports: Mutex::default(), many }
    }

    /// Where the server of the machine with this address listens.
    pub fn place(&self, address: Ipv4Addr) -> SocketAddr {
        let ip = if self.many { address } else { Ipv4Addr::LOCALHOST };
        SocketAddr::new(IpAddr::V4(ip), self.port_of(address))
    }

    pub fn port_of(&self, address: Ipv4Addr) -> u16 {
        let ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        ports.get(&address).copied().unwrap_or(self.port)
    }

    /// One that nobody listens at.
    pub fn reserve(&self) -> Result<Ipv4Addr, MachineError> {
        for _ in 0..TRIES {
            let [b, c, d]: [u8; 3] = rand::random();
            let address = Ipv4Addr::new(127, 64 + b % 128, c, 1 + d % 254);
            let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            if taken.contains(&address) {
                continue;
            }
            if self.many && is_free(SocketAddr::new(address.into(), self.port)) {
                taken.insert(address);
                return Ok(address);
            }
            if !self.many {
                let Ok(port) = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr())
                else {
                    continue;
                };
                self.ports.lock().unwrap_or_else(PoisonError::into_inner).insert(address, port.port());
                taken.insert(address);
                return Ok(address);
            }
        }
        Err(MachineError::Other(format!("no loopback address can be listened at on port {}", self.port)))
    }

    /// One that a machine of an earlier kiln has.
    pub fn keep(&self, address: Ipv4Addr) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).insert(address);
    }

    pub fn give_back(&self, address: Ipv4Addr) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).remove(&address);
    }
}
