//! Machines that are nothing but a word: up at once, unless told otherwise.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use kiln::practice::machine::{
    BoxFuture, Happened, Host, Isolation, LayerId, LinkFaults, MachineError, MachineSpec, Machines, Outcome,
};

/// What a machine was made from, and whom it tells.
type Machine = (MachineSpec, Arc<dyn Host>);

#[derive(Default)]
pub struct Fake {
    next: AtomicU32,
    /// Whether launches fail.
    pub broken: Mutex<bool>,
    pub machines: Mutex<BTreeMap<String, Machine>>,
    /// What was done, in order.
    pub log: Mutex<Vec<String>>,
}

impl Fake {
    fn note(&self, what: String) {
        self.log.lock().unwrap().push(what);
    }

    pub fn host(&self, instance: &str) -> Arc<dyn Host> {
        Arc::clone(&self.machines.lock().unwrap()[instance].1)
    }

    /// The faults of a machine's link as they are now.
    pub fn link(&self, instance: &str) -> LinkFaults {
        self.machines.lock().unwrap()[instance].0.link.borrow().clone()
    }

    /// What a machine was made from.
    pub fn spec(&self, instance: &str) -> MachineSpec {
        self.machines.lock().unwrap()[instance].0.clone()
    }

    fn up(&self, what: &str, spec: MachineSpec, host: &Arc<dyn Host>) -> Outcome<'_> {
        self.note(format!("{what} {}", spec.instance_id));
        if *self.broken.lock().unwrap() {
            return Box::pin(std::future::ready(Err(MachineError::Other("no room on the disk".to_owned()))));
        }
        let id = spec.instance_id.clone();
        self.machines.lock().unwrap().insert(id.clone(), (spec, Arc::clone(host)));
        host.happened(&id, Happened::Booted);
        Box::pin(std::future::ready(Ok(())))
    }
}

fn ok<'a>() -> Outcome<'a> {
    Box::pin(std::future::ready(Ok(())))
}

impl Machines for Fake {
    fn isolation(&self) -> Isolation {
        Isolation::Scripted { because: "a test".to_owned(), remedy: None }
    }

    fn ssh_port(&self, _: Ipv4Addr) -> u16 {
        22
    }

    fn reserve(&self) -> Result<Ipv4Addr, MachineError> {
        let n = self.next.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Ipv4Addr::from_bits(Ipv4Addr::new(127, 77, 0, 0).to_bits() + n))
    }

    fn launch(&self, spec: MachineSpec, host: Arc<dyn Host>) -> Outcome<'_> {
        self.up("launch", spec, &host)
    }

    fn start(&self, spec: MachineSpec, host: Arc<dyn Host>) -> Outcome<'_> {
        self.up("start", spec, &host)
    }

    fn stop<'a>(&'a self, instance_id: &'a str, force: bool) -> Outcome<'a> {
        self.note(format!("stop {instance_id} {force}"));
        ok()
    }

    fn reboot<'a>(&'a self, instance_id: &'a str) -> Outcome<'a> {
        self.note(format!("reboot {instance_id}"));
        ok()
    }

    fn terminate<'a>(&'a self, instance_id: &'a str) -> Outcome<'a> {
        self.note(format!("terminate {instance_id}"));
        self.machines.lock().unwrap().remove(instance_id);
        ok()
    }

    fn capture<'a>(&'a self, instance_id: &'a str, into: &'a LayerId, reboot: bool) -> Outcome<'a, u64> {
        self.note(format!("capture {instance_id} {into} {reboot}"));
        Box::pin(std::future::ready(Ok(4096)))
    }

    fn drop_layer<'a>(&'a self, layer: &'a LayerId) -> Outcome<'a> {
        self.note(format!("drop {layer}"));
        ok()
    }

    fn console(&self, instance_id: &str) -> Vec<u8> {
        format!("{instance_id} login: ").into_bytes()
    }

    fn cut(&self, instance_id: &str) {
        self.note(format!("cut {instance_id}"));
    }

    fn import<'a>(&'a self, _: &'a Path, _: &'a LayerId) -> Outcome<'a, u64> {
        Box::pin(std::future::ready(Ok(0)))
    }

    fn export<'a>(&'a self, _: &'a [LayerId], _: &'a Path) -> Outcome<'a> {
        ok()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        self.note("close".to_owned());
        Box::pin(std::future::ready(()))
    }
}
