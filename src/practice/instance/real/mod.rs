//! Real machines: processes of this computer in namespaces of their own, above a copy-on-write disk.

mod base;
mod guest;
mod http;
mod ids;
mod limits;
mod machine;
mod metadata;
mod probe;
mod proxy;
mod pty;
mod shims;
mod space;
mod store;

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::machine::{BoxFuture, Host, Isolation, LayerId, MachineError, MachineSpec, Machines, Outcome};
use super::addresses::Addresses;
use super::agent::Work;
use super::control::Volume;
use machine::Machine;
use space::Ground;
use store::{Layer, Store};

pub use probe::{Refused, open};

const CONSOLE: u64 = 64 << 10;

/// The real machines of one store.
pub struct Real {
    ground: Arc<Ground>,
    store: Store,
    addresses: Addresses,
    limits: Vec<String>,
    machines: Mutex<HashMap<String, Arc<Machine>>>,
}

impl Real {
    fn machine(&self, id: &str) -> Result<Arc<Machine>, MachineError> {
        self.find(id).ok_or_else(|| MachineError::NoMachine(id.to_owned()))
    }

    fn find(&self, id: &str) -> Option<Arc<Machine>> {
        self.machines.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    async fn begin(&self, spec: MachineSpec, host: Arc<dyn Host>) -> Result<(), MachineError> {
        let id = spec.instance_id.clone();
        plain(&id)?;
        spec.layers.iter().try_for_each(|layer| plain(&layer.0))?;
        if let Some(there) = self.find(&id).filter(|there| there.is_running()) {
            return there.launch().await;
        }
        self.addresses.keep(spec.address);
        let machine = Machine::new(spec, host, Arc::clone(&self.ground), self.store.clone(), self.addresses.port)?;
        self.machines.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&machine));
        machine.launch().await
    }

    async fn remove(&self, paths: Vec<PathBuf>, what: &str) -> Result<(), MachineError> {
        let work = Work::Remove { paths };
        self.ground
            .work(&work)
            .await
            .map(|_| ())
            .map_err(|source| MachineError::Io { what: format!("removing {what}"), source })
    }

    /// Makes a layer with `work` in a folder beside its place, then moves it there whole.
    async fn make_layer(
        &self,
        into: &LayerId,
        whole: bool,
        work: impl FnOnce(&Path) -> Work,
    ) -> Result<u64, MachineError> {
        plain(&into.0)?;
        let (place, beside) = (store::layer(into), PathBuf::from("layers").join(format!("{into}.new")));
        let failed = |source| MachineError::Io { what: format!("making the layer {into}"), source };
        if self.store.root.join(&place).exists() {
            return Err(MachineError::Other(format!("there is a layer {into} already")));
        }
        self.remove(vec![beside.clone()], &into.0).await?;
        fs::create_dir_all(self.store.root.join(&beside)).map_err(failed)?;
        let made = self.ground.work(&work(&beside)).await;
        let done = made.and_then(|bytes| {
            self.store.write_layer(&beside, &Layer { whole, bytes })?;
            fs::rename(self.store.root.join(&beside), self.store.root.join(&place))?;
            Ok(bytes)
        });
        match done {
            Ok(bytes) => Ok(bytes),
            Err(error) => {
                let _ = self.remove(vec![beside], &into.0).await;
                Err(failed(error))
            }
        }
    }

    async fn copy_layer(&self, id: &str, into: &LayerId) -> Result<u64, MachineError> {
        let layers = self.machine(id)?.spec().layers;
        let volumes = self.store.volumes(id, &layers)?;
        let name =
            |volume: &Volume| if volume.at == "/" { "root" } else { volume.at.trim_start_matches('/') }.to_owned();
        self.make_layer(into, false, |beside| Work::Copy {
            pairs: volumes.iter().map(|volume| (volume.upper.clone(), beside.join(name(volume)))).collect(),
            without: ["tmp", "run", "proc", "sys", "dev"].map(PathBuf::from).to_vec(),
        })
        .await
    }
}

/// Ids become names of folders.
fn plain(id: &str) -> Result<(), MachineError> {
    let fine = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fine { Ok(()) } else { Err(MachineError::Other(format!("`{id}` is no id: letters, digits and `-` only"))) }
}

impl Machines for Real {
    fn isolation(&self) -> Isolation {
        Isolation::Real { limits: self.limits.clone() }
    }

    fn ssh_port(&self, address: Ipv4Addr) -> u16 {
        self.addresses.port_of(address)
    }

    fn reserve(&self) -> Result<Ipv4Addr, MachineError> {
        self.addresses.reserve()
    }

    fn launch(&self, spec: MachineSpec, host: Arc<dyn Host>) -> Outcome<'_> {
        Box::pin(async move {
            let (id, address) = (spec.instance_id.clone(), spec.address);
            let begun = self.begin(spec, host).await;
            if begun.is_err() {
                self.machines.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
                self.addresses.give_back(address);
                if plain(&id).is_ok() {
                    let _ = self.remove(vec![store::machine(&id)], &id).await;
                }
            }
            begun
        })
    }

    fn start(&self, spec: MachineSpec, host: Arc<dyn Host>) -> Outcome<'_> {
        Box::pin(self.begin(spec, host))
    }

    fn stop<'a>(&'a self, id: &'a str, force: bool) -> Outcome<'a> {
        Box::pin(async move {
            if let Some(machine) = self.find(id) {
                machine.stop(force).await;
            }
            Ok(())
        })
    }

    fn reboot<'a>(&'a self, id: &'a str) -> Outcome<'a> {
        Box::pin(async move {
            self.machine(id)?.reboot();
            Ok(())
        })
    }

    fn terminate<'a>(&'a self, id: &'a str) -> Outcome<'a> {
        Box::pin(async move {
            plain(id)?;
            let machine = self.machines.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
            if let Some(machine) = machine {
                machine.stop(true).await;
                self.addresses.give_back(machine.spec().address);
            }
            self.remove(vec![store::machine(id)], id).await
        })
    }

    fn capture<'a>(&'a self, id: &'a str, into: &'a LayerId, reboot: bool) -> Outcome<'a, u64> {
        Box::pin(async move {
            plain(id)?;
            let again = match self.find(id) {
                Some(machine) if reboot && machine.is_running() => {
                    machine.stop(false).await;
                    Some(machine)
                }
                _ => None,
            };
            let copied = self.copy_layer(id, into).await;
            if let Some(machine) = again {
                machine.launch().await?;
            }
            copied
        })
    }

    fn drop_layer<'a>(&'a self, layer: &'a LayerId) -> Outcome<'a> {
        Box::pin(async move {
            plain(&layer.0)?;
            let shims = Path::new("shims").join(&layer.0);
            self.remove(vec![store::layer(layer), shims], &layer.0).await
        })
    }

    fn console(&self, id: &str) -> Vec<u8> {
        let read = || -> io::Result<Vec<u8>> {
            let mut file = fs::File::open(self.store.root.join(store::machine(id)).join("console.log"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(CONSOLE)))?;
            let mut text = Vec::new();
            file.take(CONSOLE).read_to_end(&mut text)?;
            Ok(text)
        };
        if plain(id).is_ok() { read().unwrap_or_default() } else { Vec::new() }
    }

    fn cut(&self, id: &str) {
        if let Some(machine) = self.find(id) {
            machine.cut();
        }
    }

    fn import<'a>(&'a self, archive: &'a Path, into: &'a LayerId) -> Outcome<'a, u64> {
        Box::pin(async move {
            let archive = archive
                .canonicalize()
                .map_err(|source| MachineError::Io { what: format!("reading {}", archive.display()), source })?;
            let many_ids = self.ground.ids.many();
            self.make_layer(into, true, |beside| Work::Unpack { archive, to: beside.join("root"), many_ids }).await
        })
    }

    fn export<'a>(&'a self, layers: &'a [LayerId], to: &'a Path) -> Outcome<'a> {
        Box::pin(async move {
            let volumes = self.store.merged(layers)?;
            let failed = |source| MachineError::Io { what: format!("writing {}", to.display()), source };
            let mount = tempfile::Builder::new().prefix("export-").tempdir_in(&self.store.root).map_err(failed)?;
            let inside = PathBuf::from(mount.path().file_name().unwrap_or_default());
            self.ground.work_to(&Work::Pack { volumes, mount: inside }, to).await.map_err(failed)
        })
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let all: Vec<_> = self.machines.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
            let stops = all.iter().map(|machine| machine.stop(true));
            futures_util::future::join_all(stops).await;
        })
    }
}
