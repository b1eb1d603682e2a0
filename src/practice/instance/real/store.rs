//! Where machines and layers lie: folders of the state directory, and what a machine's disk is made of.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::super::machine::{LayerId, MachineError};
use super::super::control::Volume;
use super::super::ssh::Seed;
use super::{base, shims};

/// Paths are relative to the store, where every process of it works.
const EMPTY: &str = "bases/empty";

/// What is known of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// A root file system by itself; else it lies above another one.
    pub whole: bool,
    pub bytes: u64,
}

/// What outlives a machine's process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub seed: Seed,
}

#[derive(Clone, Debug)]
pub struct Store {
    pub root: PathBuf,
    pub many_ids: bool,
    /// The base made from this computer: one for each way to map ids, for their owners differ.
    base: &'static str,
}

/// One disk of a machine: where it is mounted, the name of its folders, and what lies under it, topmost first.
struct Stack {
    at: String,
    name: String,
    lower: Vec<PathBuf>,
}

pub fn machine(instance_id: &str) -> PathBuf {
    Path::new("machines").join(instance_id)
}

pub fn layer(id: &LayerId) -> PathBuf {
    Path::new("layers").join(&id.0)
}

fn folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o755).create(path)
}

impl Store {
    /// Makes the store's folders and the base that is always there. Nobody else can look into it.
    pub fn open(root: &Path, many_ids: bool, whole: bool) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        let root = root.canonicalize()?;
        for name in ["machines", "layers", "shims", EMPTY] {
            folder(&root.join(name))?;
        }
        let base = match (whole, many_ids) {
            (true, _) => "bases/host-root",
            (false, true) => "bases/host-ids",
            (false, false) => "bases/host-user",
        };
        base::build(&root.join(base), whole)?;
        Ok(Self { root, many_ids, base })
    }

    pub fn read_layer(&self, id: &LayerId) -> Result<Layer, MachineError> {
        let text =
            fs::read(self.root.join(layer(id)).join("layer.json")).map_err(|_| MachineError::NoLayer(id.clone()))?;
        serde_json::from_slice(&text).map_err(|_| MachineError::NoLayer(id.clone()))
    }

    pub fn write_layer(&self, folder: &Path, layer: &Layer) -> io::Result<()> {
        fs::write(self.root.join(folder).join("layer.json"), serde_json::to_vec(layer)?)
    }

    /// What was kept of a machine; makes it for a new one.
    pub fn kept(&self, instance_id: &str) -> io::Result<Kept> {
        let path = self.root.join(machine(instance_id)).join("machine.json");
        if let Ok(kept) = fs::read(&path).and_then(|text| Ok(serde_json::from_slice(&text)?)) {
            return Ok(kept);
        }
        let kept = Kept { seed: rand::random() };
        fs::write(path, serde_json::to_vec(&kept)?)?;
        Ok(kept)
    }

    /// The disks that layers make, lowest layer first.
    fn stacks(&self, layers: &[LayerId]) -> Result<Vec<Stack>, MachineError> {
        let mut rest = layers;
        let root = "root".to_owned();
        let mut stacks = Vec::new();
        match layers.first() {
            Some(first) if self.read_layer(first)?.whole => {
                rest = &layers[1..];
                let own = layer(first).join("root");
                let shims = self.shims_for(first)?;
                stacks.push(Stack { at: "/".to_owned(), name: root, lower: vec![shims, own] });
            }
            _ => {
                let own = Path::new(self.base);
                stacks.push(Stack { at: "/".to_owned(), name: root, lower: vec![own.join("root")] });
                for name in base::volumes() {
                    let host = Path::new("/").join(&name);
                    stacks.push(Stack { at: format!("/{name}"), lower: vec![own.join(&name), host], name });
                }
            }
        }
        for id in rest {
            self.read_layer(id)?;
            for stack in &mut stacks {
                let own = layer(id).join(&stack.name);
                if self.root.join(&own).is_dir() {
                    // Above the layers before it, below what stands in for programs.
                    let at = usize::from(stack.at == "/" && stack.lower[0].starts_with("shims"));
                    stack.lower.insert(at, own);
                }
            }
        }
        Ok(stacks)
    }

    /// The programs that stand in for those of an image that was brought.
    fn shims_for(&self, id: &LayerId) -> Result<PathBuf, MachineError> {
        let folder = Path::new("shims").join(&id.0);
        let whole = self.root.join(&folder);
        if !whole.is_dir() {
            let has = shims::look(&self.root.join(layer(id)).join("root"), self.many_ids);
            shims::write(&whole, has, false)
                .map_err(|source| MachineError::Io { what: format!("preparing {id}"), source })?;
        }
        Ok(folder)
    }

    /// A machine's disks, with folders to write to, made where they are missing.
    pub fn volumes(&self, instance_id: &str, layers: &[LayerId]) -> Result<Vec<Volume>, MachineError> {
        let home = machine(instance_id);
        let make = |stack: Stack| {
            let (upper, work) = (home.join(&stack.name).join("upper"), home.join(&stack.name).join("work"));
            folder(&self.root.join(&upper))?;
            folder(&self.root.join(&work))?;
            Ok(Volume { at: stack.at, lower: stack.lower, upper, work })
        };
        let stacks = self.stacks(layers)?;
        folder(&self.root.join(&home).join("mount"))
            .and_then(|()| stacks.into_iter().map(make).collect())
            .map_err(|source| MachineError::Io { what: format!("making the disks of {instance_id}"), source })
    }

    /// The same disks, to be read only.
    pub fn merged(&self, layers: &[LayerId]) -> Result<Vec<Volume>, MachineError> {
        let read_only = |mut stack: Stack| {
            stack.lower.retain(|path| !path.starts_with("shims"));
            // An overlay that cannot be written to has two layers at least.
            stack.lower.push(EMPTY.into());
            Volume { at: stack.at, lower: stack.lower, upper: PathBuf::new(), work: PathBuf::new() }
        };
        Ok(self.stacks(layers)?.into_iter().map(read_only).collect())
    }
}
