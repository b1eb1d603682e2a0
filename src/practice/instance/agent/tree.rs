//! Work on whole file trees with a machine's ids: copying a layer, deleting one, unpacking and writing archives. Done in a
//! user namespace of its own, where files belong to whom they belonged on the machine.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags, mknodat, utimensat};
use serde::{Deserialize, Serialize};

use super::super::control::Volume;
use super::mounts;

/// One piece of work, as the role's only argument.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// The contents of each first folder to the second, which is made, but for what lies in `without` (relative).
    Copy {
        pairs: Vec<(PathBuf, PathBuf)>,
        without: Vec<PathBuf>,
    },
    Remove {
        paths: Vec<PathBuf>,
    },
    Unpack {
        archive: PathBuf,
        to: PathBuf,
        many_ids: bool,
    },
    /// The merged file system, to standard output as a tar.
    Pack {
        volumes: Vec<Volume>,
        mount: PathBuf,
    },
}

/// Does the work; what it measured goes to standard output, in bytes.
pub fn run(arguments: &[OsString]) -> io::Result<()> {
    let text = arguments.first().map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
    let mut size = 0;
    match serde_json::from_str(&text)? {
        Work::Copy { pairs, without } => {
            let mut copy = Copy { linked: HashMap::new(), without, size: 0 };
            for (from, to) in pairs {
                copy.folder(&from, &to, Path::new(""))?;
            }
            size = copy.size;
        }
        Work::Remove { paths } => {
            for path in paths {
                if fs::symlink_metadata(&path).is_ok() {
                    open_to_owner(&path)?;
                    fs::remove_dir_all(&path)?;
                }
            }
        }
        Work::Unpack { archive, to, many_ids } => size = unpack(&archive, &to, many_ids)?,
        Work::Pack { volumes, mount } => return pack(&volumes, &mount),
    }
    println!("{size}");
    Ok(())
}

/// Gives the owner of every folder in `path` all rights in it, so that the tree can be deleted.
pub fn open_to_owner(path: &Path) -> io::Result<()> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.is_dir() {
        return Ok(());
    }
    if found.mode() & 0o700 != 0o700 {
        fs::set_permissions(path, fs::Permissions::from_mode(found.mode() & 0o7777 | 0o700))?;
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_to_owner(&entry.path())?;
        }
    }
    Ok(())
}

struct Copy {
    /// Where the first of several names of a file went.
    linked: HashMap<(u64, u64), PathBuf>,
    without: Vec<PathBuf>,
    size: u64,
}

impl Copy {
    fn folder(&mut self, from: &Path, to: &Path, inside: &Path) -> io::Result<()> {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            let inside = inside.join(entry.file_name());
            let (from, to) = (entry.path(), to.join(entry.file_name()));
            let found = entry.metadata()?;
            let kind = found.file_type();
            if kind.is_dir() {
                if self.without.contains(&inside) {
                    fs::create_dir_all(&to)?;
                } else {
                    self.folder(&from, &to, &inside)?;
                    continue;
                }
            } else if kind.is_symlink() {
                symlink(fs::read_link(&from)?, &to)?;
            } else if kind.is_file() {
                if found.nlink() > 1 {
                    if let Some(first) = self.linked.get(&(found.dev(), found.ino())) {
                        fs::hard_link(first, &to)?;
                        continue;
                    }
                    self.linked.insert((found.dev(), found.ino()), to.clone());
                }
                self.size += fs::copy(&from, &to)?;
            } else if kind.is_fifo() {
                mknodat(CWD, &to, FileType::Fifo, Mode::from_raw_mode(0o600), 0)?;
            } else if kind.is_char_device() {
                // An overlay's sign for a file that was deleted; others cannot be there.
                mknodat(CWD, &to, FileType::CharacterDevice, Mode::from_raw_mode(0), found.rdev())?;
            } else {
                continue;
            }
            like(&found, &from, &to)?;
        }
        like(&fs::symlink_metadata(from)?, from, to)
    }
}

/// Owner, permissions, attributes and times as at `from`.
fn like(found: &fs::Metadata, from: &Path, to: &Path) -> io::Result<()> {
    lchown(to, Some(found.uid()), Some(found.gid()))?;
    let kind = found.file_type();
    if !kind.is_symlink() {
        if !kind.is_char_device() {
            fs::set_permissions(to, fs::Permissions::from_mode(found.mode() & 0o7777))?;
        }
        attributes(from, to)?;
    }
    let stamp = |seconds: i64, nanos: i64| Timespec { tv_sec: seconds, tv_nsec: nanos };
    let both = Timestamps {
        last_access: stamp(found.atime(), found.atime_nsec()),
        last_modification: stamp(found.mtime(), found.mtime_nsec()),
    };
    Ok(utimensat(CWD, to, &both, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Extended attributes: capabilities of programs, and what an overlay notes of folders. Those that may not be set stay away.
fn attributes(from: &Path, to: &Path) -> io::Result<()> {
    let mut names = vec![0_u8; 16 << 10];
    let Ok(length) = rustix::fs::llistxattr(from, &mut names) else { return Ok(()) };
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0_u8; 64 << 10];
        let length = rustix::fs::lgetxattr(from, name, &mut value)?;
        match rustix::fs::lsetxattr(to, name, &value[..length], XattrFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::PERM | rustix::io::Errno::OPNOTSUPP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn unpack(archive: &Path, to: &Path, many_ids: bool) -> io::Result<u64> {
    let mut file = File::open(archive)?;
    let mut magic = [0; 6];
    let got = file.read(&mut magic)?;
    file.rewind()?;
    let file = BufReader::with_capacity(1 << 20, file);
    let plain: Box<dyn Read> = match &magic[..got] {
        [0x1f, 0x8b, ..] => Box::new(flate2::read::MultiGzDecoder::new(file)),
        [0xfd, b'7', b'z', b'X', b'Z', 0] => Box::new(xz2::read::XzDecoder::new_multi_decoder(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(
            ruzstd::decoding::StreamingDecoder::new(file).map_err(|error| io::Error::other(error.to_string()))?,
        ),
        _ => Box::new(file),
    };
    fs::create_dir_all(to)?;
    let mut archive = tar::Archive::new(plain);
    archive.set_preserve_permissions(true);
    archive.set_preserve_ownerships(many_ids);
    archive.set_preserve_mtime(true);
    archive.set_unpack_xattrs(true);
    archive.set_overwrite(true);
    let mut size = 0;
    let mut folders = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let kind = entry.header().entry_type();
        // Devices cannot be made in a user namespace, and a machine has its own.
        if kind.is_character_special() || kind.is_block_special() {
            continue;
        }
        let path = entry.path()?.into_owned();
        if ["dev", "proc", "sys", "run"]
            .iter()
            .any(|own| path.strip_prefix(own).is_ok_and(|rest| rest.components().next().is_some()))
        {
            continue;
        }
        size += entry.size();
        // A folder that may not be written to would not take its own contents.
        if kind.is_dir() {
            folders.push((path, entry.header().mode()?, entry.header().mtime()?));
        }
        entry.unpack_in(to)?;
        if let Some((path, _, _)) = folders.last().filter(|_| kind.is_dir()) {
            let path = to.join(path);
            let mode = fs::symlink_metadata(&path)?.mode();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode & 0o7777 | 0o700))?;
        }
    }
    for (path, mode, _) in folders.iter().rev() {
        fs::set_permissions(to.join(path), fs::Permissions::from_mode(mode & 0o7777))?;
    }
    if !["bin/sh", "usr/bin/sh"].iter().any(|shell| fs::symlink_metadata(to.join(shell)).is_ok()) {
        return Err(io::Error::other("the archive is no root file system: it has no /bin/sh"));
    }
    Ok(size)
}

fn pack(volumes: &[Volume], mount: &Path) -> io::Result<()> {
    for volume in volumes {
        mounts::overlay(volume, &mount.join(volume.at.trim_start_matches('/')))?;
    }
    let mut tar = tar::Builder::new(BufWriter::with_capacity(1 << 20, io::stdout().lock()));
    tar.follow_symlinks(false);
    append(&mut tar, mount, Path::new("."))?;
    tar.into_inner()?.flush()
}

fn append(tar: &mut tar::Builder<impl Write>, from: &Path, name: &Path) -> io::Result<()> {
    let mut entries: Vec<fs::DirEntry> = fs::read_dir(from)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), name.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
            continue;
        }
        tar.append_path_with_name(&path, &name)?;
        let own = ["./proc", "./sys", "./dev", "./run", "./tmp"].iter().any(|own| name == Path::new(own));
        if kind.is_dir() && !own {
            append(tar, &path, &name)?;
        }
    }
    Ok(())
}
