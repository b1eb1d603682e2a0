//! Files and folders that only this user can read, written so that a crash leaves either the old or the new.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Makes a folder, and its parents where they are missing, for this user only (0700).
///
/// # Errors
/// When it cannot be made. That it exists is none.
pub fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Makes a folder that nobody else has, for this user only (0700).
///
/// # Errors
/// When it exists already or cannot be made.
pub fn create_new_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Opens a new file for this user only (0600).
///
/// # Errors
/// When it exists already or cannot be made.
pub fn create_new(path: &Path) -> io::Result<File> {
    private().write(true).create_new(true).open(path)
}

/// Opens a file of this user only (0600) to add to its end; makes it where it is missing.
///
/// # Errors
/// When it cannot be opened.
pub fn append(path: &Path) -> io::Result<File> {
    private().append(true).create(true).open(path)
}

/// Whether the file that was opened still stands at this path, not another one or none. Where the system does not tell
/// files apart: whether there is one.
#[must_use]
pub fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (Ok(held), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else { return false };
        (held.dev(), held.ino()) == (there.dev(), there.ino())
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        path.exists()
    }
}

/// Opens a new, empty file for this user only (0600) in the place of one that may be there.
///
/// # Errors
/// When it cannot be made.
pub fn create(path: &Path) -> io::Result<File> {
    private().write(true).create(true).truncate(true).open(path)
}

/// Writes a whole file: a reader sees the old one or the new one, and after this returns the new one is on disk.
///
/// # Errors
/// When it cannot be written; then nothing changed at `path`.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temp = beside(path);
    // What a crash left there is nobody's.
    let _ = std::fs::remove_file(&temp);
    let written = create_new(&temp).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let written = written.and_then(|()| std::fs::rename(&temp, path)).and_then(|()| sync_parent(path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    written
}

/// Makes a rename or a new file in the folder of `path` durable.
///
/// # Errors
/// When the folder cannot be synced.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(parent) = path.parent() {
        File::open(if parent.as_os_str().is_empty() { Path::new(".") } else { parent })?.sync_all()?;
    }
    #[cfg(windows)]
    let _ = path;
    Ok(())
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn files_and_folders_are_for_this_user_only() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("a/b");
        create_dir(&dir).unwrap();
        write(&dir.join("x"), b"secret").unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&dir), mode(&dir.join("x"))), (0o700, 0o600));
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("result.json");
        write(&path, b"a long first text").unwrap();
        write(&path, b"short").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"short");
        assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 1);
    }
}
