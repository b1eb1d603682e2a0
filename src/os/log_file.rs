//! A log that several processes add lines to, and that never grows beyond its bounds: one old file is kept beside it.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::lock::Lock;
use super::private_file;

/// A log file with the one before it (`kiln.log`, `kiln.log.1`). Both are for this user only (0600).
#[derive(Debug)]
pub struct LogFile {
    path: PathBuf,
    file: File,
    /// Bytes after which it becomes the old one.
    limit: u64,
}

impl LogFile {
    /// Opens the log to add to its end; makes it, and its folder (0700), where they are missing.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path, limit: u64) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            private_file::create_dir(parent)?;
        }
        Ok(Self { path: path.into(), file: private_file::append(path)?, limit })
    }

    /// Adds text, which should be whole lines. A text alone may be longer than the limit.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, text: &str) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        if length > 0 && length.saturating_add(text.len() as u64) > self.limit {
            self.rotate()?;
        }
        // In one call: the system keeps what processes append apart.
        self.file.write_all(text.as_bytes())
    }

    /// Another process that writes here may have done it already, or be at it: then this goes on with the new file.
    fn rotate(&mut self) -> io::Result<()> {
        let lock = Lock::take(&beside(&self.path, ".lock"))?;
        if lock.is_some() && private_file::is_at(&self.file, &self.path) {
            std::fs::rename(&self.path, beside(&self.path, ".1"))?;
        }
        self.file = private_file::append(&self.path)?;
        Ok(())
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_full_log_becomes_the_old_one() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("state/kiln.log");
        let mut log = LogFile::open(&path, 10).unwrap();
        for line in ["one\n", "two\n", "three\n", "four\n", "a line beyond the limit\n", "five\n"] {
            log.add(line).unwrap();
        }
        assert_eq!(read(&path), "five\n");
        assert_eq!(read(&beside(&path, ".1")), "a line beyond the limit\n");
    }

    #[test]
    fn who_writes_the_same_log_goes_on_in_the_new_file() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("kiln.log");
        let mut here = LogFile::open(&path, 10).unwrap();
        let mut there = LogFile::open(&path, 10).unwrap();
        here.add("12345678\n").unwrap();
        there.add("there\n").unwrap();
        // Its file is the old one by now, and full.
        here.add("h\n").unwrap();
        assert_eq!(read(&path), "there\nh\n");
        assert_eq!(read(&beside(&path, ".1")), "12345678\n");
    }

    #[cfg(unix)]
    #[test]
    fn only_this_user_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("state/kiln.log");
        LogFile::open(&path, 10).unwrap().add("line\n").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(path.parent().unwrap()), mode(&path)), (0o700, 0o600));
    }
}
