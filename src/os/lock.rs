//! A lock that its process cannot forget to give back: it ends with the process. Nobody asks a pid.

use std::fs::File;
use std::io;
use std::path::Path;

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code, reason = "held for its lock")] File);

impl Lock {
    /// Takes the lock on this file, which is made where it is missing; `None` when somebody else holds it.
    ///
    /// # Errors
    /// When the file cannot be opened or locked at all.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let file = super::private_file::append(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(file))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(e),
        }
    }

    /// Whether the file that is locked still stands at this path: one whose holder removes it before giving it back may be
    /// gone, or replaced, by the time that it is taken.
    #[must_use]
    pub fn is_at(&self, path: &Path) -> bool {
        super::private_file::is_at(&self.0, path)
    }

    /// Whether somebody holds the lock on this file. When that cannot be told, it counts as held.
    #[must_use]
    pub fn is_held(path: &Path) -> bool {
        let Ok(file) = File::open(path) else { return path.exists() };
        file.try_lock_shared().is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_until_it_is_dropped() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        assert!(!Lock::is_held(&path));
        let lock = Lock::take(&path).unwrap();
        assert!(lock.is_some() && Lock::is_held(&path));
        assert!(Lock::take(&path).unwrap().is_none());
        drop(lock);
        assert!(!Lock::is_held(&path));
    }

    #[test]
    fn a_lock_knows_whether_its_file_was_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("lock");
        let lock = Lock::take(&path).unwrap().unwrap();
        assert!(lock.is_at(&path));
        std::fs::remove_file(&path).unwrap();
        assert!(!lock.is_at(&path));
        std::fs::write(&path, "").unwrap();
        assert!(!lock.is_at(&path));
    }
}
