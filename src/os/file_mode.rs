//! Permission bits and names of files, as far as this system has them.

use std::fs::Metadata;
use std::path::PathBuf;

/// The permission bits of a file. Systems without them: what a Unix system would most likely give.
#[cfg(unix)]
pub fn of(metadata: &Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777
}

#[cfg(not(unix))]
pub fn of(metadata: &Metadata) -> u32 {
    if metadata.is_dir() { 0o755 } else { 0o644 }
}

/// A name that came as bytes, such as from a Unix machine; `None`: this system cannot have it.
#[cfg(unix)]
pub fn path_of(name: &[u8]) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(name)))
}

#[cfg(not(unix))]
pub fn path_of(name: &[u8]) -> Option<PathBuf> {
    let name = std::str::from_utf8(name).ok()?;
    (!name.contains(['\\', ':', '*', '?', '"', '<', '>', '|'])).then(|| PathBuf::from(name))
}
