//! The cloud's state on disk: one file, written whole and put in place by a rename.
//!
//! Calls that change something are answered when their change is on disk; those that come while a write is under way share
//! the next one.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, Notify};

use super::world::World;

const FILE: &str = "cloud.json";
/// Of the file's form; another one is refused, not guessed.
const VERSION: u32 = 1;

#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    #[error("{}: {source}; choose a folder that you can write to with `--dir`", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: this is no state of a practice cloud that this kiln can read ({why}); move the folder away to begin anew", path.display())]
    Unreadable { path: PathBuf, why: String },
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    world: &'a World,
}

#[derive(Deserialize)]
struct Read {
    version: u32,
    world: World,
}

pub struct Keep {
    path: PathBuf,
    /// How many writes were begun; a caller waits for one that begins after it came.
    begun: AtomicU64,
    writing: Mutex<()>,
    wanted: Notify,
}

impl Keep {
    /// The folder is made when it is not there.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(folder: &Path) -> Result<Self, KeepError> {
        std::fs::create_dir_all(folder).map_err(|source| KeepError::Io { path: folder.to_owned(), source })?;
        Ok(Self { path: folder.join(FILE), begun: AtomicU64::new(0), writing: Mutex::new(()), wanted: Notify::new() })
    }

    /// What was kept; nothing in a new folder.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self) -> Result<Option<World>, KeepError> {
        let text = match std::fs::read(&self.path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(KeepError::Io { path: self.path.clone(), source }),
        };
        let unreadable = |why: String| KeepError::Unreadable { path: self.path.clone(), why };
        let read: Read = serde_json::from_slice(&text).map_err(|e| unreadable(e.to_string()))?;
        if read.version == VERSION {
            Ok(Some(read.world))
        } else {
            Err(unreadable(format!("its version is {}, not {VERSION}", read.version)))
        }
    }

    /// Asks for a write that nobody waits for.
    pub fn later(&self) {
        self.wanted.notify_one();
    }

    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Returns when the world as it is now, or a later one, is on disk.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn saved(&self, world: impl FnOnce() -> World) -> Result<(), KeepError> {
        let came = self.begun.load(Ordering::SeqCst);
        let turn = self.writing.lock().await;
        // Two were begun since: the second began after this call's change, and both have ended.
        if self.begun.load(Ordering::SeqCst) >= came + 2 {
            return Ok(());
        }
        self.begun.fetch_add(1, Ordering::SeqCst);
        let world = world();
        let path = Arc::new(self.path.clone());
        let file = Arc::clone(&path);
        let written = tokio::task::spawn_blocking(move || write(&file, &world)).await;
        drop(turn);
        let io = |source| KeepError::Io { path: path.to_path_buf(), source };
        written.map_err(|e| io(std::io::Error::other(e)))?.map_err(io)
    }
}

fn write(path: &Path, world: &World) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    let mut out = std::io::BufWriter::new(file.as_file_mut());
    serde_json::to_writer(&mut out, &Written { version: VERSION, world })?;
    out.flush()?;
    drop(out);
    file.as_file().sync_data()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_kept_is_there_again() {
        let dir = tempfile::tempdir().unwrap();
        let keep = Keep::new(&dir.path().join("deep/er")).unwrap();
        assert!(keep.read().unwrap().is_none());
        let mut world = World::new(9);
        world.region("123456789012", "eu-west-1", 5);
        keep.saved(|| world.clone()).await.unwrap();
        let read = keep.read().unwrap().unwrap();
        assert_eq!(read.accounts, world.accounts);
        std::fs::write(dir.path().join("deep/er/cloud.json"), "{\"version\": 9, \"world\": {}}").unwrap();
        assert!(keep.read().err().unwrap().to_string().contains("move the folder away"));
    }
}
