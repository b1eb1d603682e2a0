//! The file system of the machine that this process has become part of, with the rights of the login it became.

use std::ffi::OsStr;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, fchown, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{Attributes, Files, Opening, Outcome, Trouble};

#[derive(Default)]
pub struct Disk;

impl Disk {
    pub fn new() -> Self {
        Self
    }
}

fn path(bytes: &[u8]) -> &Path {
    // SFTP's empty path is the folder one is in.
    if bytes.is_empty() { Path::new(".") } else { Path::new(OsStr::from_bytes(bytes)) }
}

fn of(data: &fs::Metadata) -> Attributes {
    let seconds = |time: i64| u32::try_from(time).unwrap_or_default();
    Attributes {
        size: Some(data.len()),
        owner: Some((data.uid(), data.gid())),
        mode: Some(data.mode()),
        times: Some((seconds(data.atime()), seconds(data.mtime()))),
    }
}

fn times((read, changed): (u32, u32)) -> FileTimes {
    let at = |seconds: u32| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into());
    FileTimes::new().set_accessed(at(read)).set_modified(at(changed))
}

impl Files for Disk {
    type Handle = File;

    fn open(&mut self, at: &[u8], how: Opening) -> Outcome<File> {
        let mut options = OpenOptions::new();
        options.read(how.read || !how.write).write(how.write);
        if how.write {
            options.append(how.append).create(how.create).create_new(how.create && how.exclusive);
            options.truncate(how.truncate && !how.append);
        }
        options.mode(how.mode.unwrap_or(0o666) & 0o7777);
        Ok(options.open(path(at))?)
    }

    fn read(&mut self, file: &mut File, at: u64, length: usize) -> Outcome<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut got = 0;
        while got < length {
            match file.read_at(&mut bytes[got..], at + got as u64) {
                Ok(0) => break,
                Ok(more) => got += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(got);
        Ok(bytes)
    }

    fn write(&mut self, file: &mut File, at: u64, bytes: &[u8]) -> Outcome {
        Ok(file.write_all_at(bytes, at)?)
    }

    fn sync(&mut self, file: &mut File) -> Outcome {
        Ok(file.sync_all()?)
    }

    fn handle_attributes(&mut self, file: &mut File) -> Outcome<Attributes> {
        Ok(of(&file.metadata()?))
    }

    fn set_handle_attributes(&mut self, file: &mut File, to: Attributes) -> Outcome {
        if let Some(size) = to.size {
            file.set_len(size)?;
        }
        if let Some((uid, gid)) = to.owner {
            fchown(&*file, Some(uid), Some(gid))?;
        }
        if to.mode.is_some() {
            file.set_permissions(fs::Permissions::from_mode(to.permissions()))?;
        }
        if let Some(both) = to.times {
            file.set_times(times(both))?;
        }
        Ok(())
    }

    fn attributes(&mut self, at: &[u8], follow: bool) -> Outcome<Attributes> {
        let data = if follow { fs::metadata(path(at)) } else { fs::symlink_metadata(path(at)) };
        Ok(of(&data?))
    }

    fn set_attributes(&mut self, at: &[u8], to: Attributes) -> Outcome {
        let path = path(at);
        if let Some(size) = to.size {
            OpenOptions::new().write(true).open(path)?.set_len(size)?;
        }
        if let Some((uid, gid)) = to.owner {
            chown(path, Some(uid), Some(gid))?;
        }
        if to.mode.is_some() {
            fs::set_permissions(path, fs::Permissions::from_mode(to.permissions()))?;
        }
        if let Some((read, changed)) = to.times {
            let stamp = |seconds: u32| rustix::fs::Timespec { tv_sec: seconds.into(), tv_nsec: 0 };
            let both = rustix::fs::Timestamps { last_access: stamp(read), last_modification: stamp(changed) };
            rustix::fs::utimensat(rustix::fs::CWD, path, &both, rustix::fs::AtFlags::empty())
                .map_err(io::Error::from)?;
        }
        Ok(())
    }

    fn list(&mut self, at: &[u8]) -> Outcome<Vec<(Vec<u8>, Attributes)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(path(at))? {
            let entry = entry?;
            // One that is gone meanwhile is not there.
            if let Ok(data) = entry.metadata() {
                found.push((entry.file_name().into_vec(), of(&data)));
            }
        }
        Ok(found)
    }

    fn remove(&mut self, at: &[u8]) -> Outcome {
        Ok(fs::remove_file(path(at))?)
    }

    fn make_folder(&mut self, at: &[u8], mode: u32) -> Outcome {
        use std::os::unix::fs::DirBuilderExt;
        Ok(fs::DirBuilder::new().mode(mode & 0o7777).create(path(at))?)
    }

    fn remove_folder(&mut self, at: &[u8]) -> Outcome {
        Ok(fs::remove_dir(path(at))?)
    }

    fn rename(&mut self, from: &[u8], to: &[u8], over: bool) -> Outcome {
        if !over && fs::symlink_metadata(path(to)).is_ok() {
            return Err(Trouble::Failed("File exists".to_owned()));
        }
        Ok(fs::rename(path(from), path(to))?)
    }

    fn real_path(&mut self, at: &[u8]) -> Outcome<Vec<u8>> {
        let path = path(at);
        match fs::canonicalize(path) {
            Ok(real) => Ok(real.into_os_string().into_vec()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
                    return Err(Trouble::Missing);
                };
                let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
                Ok(fs::canonicalize(parent)?.join(name).into_os_string().into_vec())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn read_link(&mut self, at: &[u8]) -> Outcome<Vec<u8>> {
        Ok(fs::read_link(path(at))?.into_os_string().into_vec())
    }

    fn symlink(&mut self, target: &[u8], at: &[u8]) -> Outcome {
        Ok(symlink(OsStr::from_bytes(target), path(at))?)
    }

    fn hard_link(&mut self, from: &[u8], to: &[u8]) -> Outcome {
        Ok(fs::hard_link(path(from), path(to))?)
    }
}
