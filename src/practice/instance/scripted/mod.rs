//! Scripted machines: for where isolation cannot be had. They are reached by SSH like real ones and take files in, but no
//! command is ever run: each is shown, and answered from the scenario.

mod answers;
mod guest;

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::machine::{
    BoxFuture, Happened, Host, Isolation, LayerId, MachineError, MachineSpec, Machines, Outcome, ScriptedAnswer,
};
use super::addresses::Addresses;
use super::files::memory::Memory;
use super::ssh::{Seed, Server};
use answers::Answers;
use guest::Actor;

const CONSOLE: usize = 64 << 10;

/// All scripted machines of one cloud.
pub struct Scripted {
    addresses: Addresses,
    answers: Vec<ScriptedAnswer>,
    because: String,
    remedy: Option<String>,
    machines: Mutex<HashMap<String, Machine>>,
    layers: Mutex<HashMap<LayerId, Memory>>,
}

struct Machine {
    spec: MachineSpec,
    host: Arc<dyn Host>,
    seed: Seed,
    files: Memory,
    answers: Arc<Answers>,
    console: Arc<Mutex<Vec<u8>>>,
    server: Option<Server>,
}

impl Scripted {
    /// `because` and `remedy` are told by [`Machines::isolation`].
    pub fn new(addresses: Addresses, answers: Vec<ScriptedAnswer>, because: String, remedy: Option<String>) -> Self {
        Self { addresses, answers, because, remedy, machines: Mutex::default(), layers: Mutex::default() }
    }

    fn with<T>(&self, id: &str, act: impl FnOnce(&mut Machine) -> Result<T, MachineError>) -> Result<T, MachineError> {
        let mut machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
        act(machines.get_mut(id).ok_or_else(|| MachineError::NoMachine(id.to_owned()))?)
    }

    /// Lets its server listen and tells that it is up.
    fn boot(&self, id: &str, user_data: bool) -> Result<(), MachineError> {
        let host = self.with(id, |machine| {
            let actor = Actor {
                keys: machine.spec.authorized_keys.clone(),
                hostname: machine.spec.hostname.clone(),
                files: machine.files.clone(),
                answers: Arc::clone(&machine.answers),
                console: Arc::clone(&machine.console),
            };
            let place = self.addresses.place(machine.spec.address);
            let server = Server::open(place, machine.seed, Arc::new(actor), machine.spec.link.clone())
                .map_err(|source| MachineError::Io { what: format!("listening at {place}"), source })?;
            machine.server = Some(server);
            note(&machine.console, "A scripted machine is up: it takes files and shows commands, and runs none.\n");
            if user_data && machine.spec.user_data.is_some() {
                note(&machine.console, "Its user data was not run.\n");
            }
            Ok(Arc::clone(&machine.host))
        })?;
        host.happened(id, Happened::Booted);
        if user_data {
            host.happened(id, Happened::UserDataDone { ok: true });
        }
        Ok(())
    }

    fn begin(&self, spec: MachineSpec, host: Arc<dyn Host>) -> Result<(), MachineError> {
        let id = spec.instance_id.clone();
        self.addresses.keep(spec.address);
        {
            let mut machines = self.machines.lock().unwrap_or_else(PoisonError::into_inner);
            let before = machines.remove(&id);
            let (seed, files) = before
                .map_or_else(|| (rand::random(), self.stacked(&spec.layers)), |before| (before.seed, before.files));
            let answers = Arc::new(Answers::new(self.answers.clone()));
            let console = Arc::default();
            machines.insert(id.clone(), Machine { spec, host, seed, files, answers, console, server: None });
        }
        self.boot(&id, true)
    }

    /// The files of all layers; one that an earlier kiln had in memory is empty.
    fn stacked(&self, layers: &[LayerId]) -> Memory {
        let known = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        let files = Memory::default();
        layers.iter().filter_map(|layer| known.get(layer)).for_each(|layer| files.lay(layer));
        files
    }
}

fn note(console: &Mutex<Vec<u8>>, text: &str) {
    let mut console = console.lock().unwrap_or_else(PoisonError::into_inner);
    console.extend(text.as_bytes());
    let more = console.len().saturating_sub(CONSOLE);
    console.drain(..more);
}

fn ready<'a, T: Send + 'a>(outcome: Result<T, MachineError>) -> Outcome<'a, T> {
    Box::pin(std::future::ready(outcome))
}

impl Machines for Scripted {
    fn isolation(&self) -> Isolation {
        Isolation::Scripted { because: self.because.clone(), remedy: self.remedy.clone() }
    }

    fn ssh_port(&self, address: Ipv4Addr) -> u16 {
        self.addresses.port_of(address)
    }

    fn reserve(&self) -> Result<Ipv4Addr, MachineError> {
        self.addresses.reserve()
    }

    // The server's task needs the runtime that the future runs on.
    fn launch(&self, spec: MachineSpec, host: Arc<dyn Host>) -> Outcome<'_> {
        Box::pin(async move { self.begin(spec, host) })
    }

    fn start(&self, spec: MachineSpec, host: Arc<dyn Host>) -> Outcome<'_> {
        Box::pin(async move { self.begin(spec, host) })
    }

    fn stop<'a>(&'a self, id: &'a str, _: bool) -> Outcome<'a> {
        let _ = self.with(id, |machine| {
            machine.server = None;
            Ok(())
        });
        ready(Ok(()))
    }

    fn reboot<'a>(&'a self, id: &'a str) -> Outcome<'a> {
        Box::pin(async move {
            self.with(id, |machine| {
                machine.server = None;
                Ok(())
            })?;
            self.boot(id, false)
        })
    }

    fn terminate<'a>(&'a self, id: &'a str) -> Outcome<'a> {
        let gone = self.machines.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        if let Some(machine) = gone {
            self.addresses.give_back(machine.spec.address);
        }
        ready(Ok(()))
    }

    fn capture<'a>(&'a self, id: &'a str, into: &'a LayerId, _: bool) -> Outcome<'a, u64> {
        let copied = self.with(id, |machine| Ok(machine.files.copy()));
        ready(copied.map(|files| {
            let size = files.size();
            self.layers.lock().unwrap_or_else(PoisonError::into_inner).insert(into.clone(), files);
            size
        }))
    }

    fn drop_layer<'a>(&'a self, layer: &'a LayerId) -> Outcome<'a> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).remove(layer);
        ready(Ok(()))
    }

    fn console(&self, id: &str) -> Vec<u8> {
        let read = |machine: &mut Machine| Ok(machine.console.lock().unwrap_or_else(PoisonError::into_inner).clone());
        self.with(id, read).unwrap_or_default()
    }

    fn cut(&self, id: &str) {
        let _ = self.with(id, |machine| {
            machine.server.iter().for_each(Server::cut);
            Ok(())
        });
    }

    fn import<'a>(&'a self, _: &'a Path, _: &'a LayerId) -> Outcome<'a, u64> {
        ready(Err(MachineError::Other(format!("machines are scripted here and have no disks: {}", self.because))))
    }

    fn export<'a>(&'a self, layers: &'a [LayerId], to: &'a Path) -> Outcome<'a> {
        let files = self.stacked(layers).files();
        let write = || -> std::io::Result<()> {
            let mut tar = tar::Builder::new(std::io::BufWriter::new(std::fs::File::create(to)?));
            for (path, mode, content) in files {
                let mut header = tar::Header::new_gnu();
                header.set_size(content.len() as u64);
                header.set_mode(mode);
                tar.append_data(&mut header, path.trim_start_matches('/'), &content[..])?;
            }
            std::io::Write::flush(&mut tar.into_inner()?)
        };
        ready(write().map_err(|source| MachineError::Io { what: format!("writing {}", to.display()), source }))
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        let all: Vec<_> = self.machines.lock().unwrap_or_else(PoisonError::into_inner).drain().collect();
        drop(all);
        Box::pin(std::future::ready(()))
    }
}
