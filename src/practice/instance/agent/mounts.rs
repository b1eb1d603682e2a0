//! A machine's file system: overlays for its disks, its own /proc, /sys, /dev and /run, and nothing of the host above them.
//!
//! What is hidden or read-only here stays so: no program inside has the capability to mount ([`super::capability`]), and
//! none can make a namespace in which it would.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_remount, unmount};

use super::super::control::{Setup, Volume};

/// Of the host's devices, those that hold nothing of it.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];
/// Of what everybody may read: what tells of others' work, or how to wake the kernel's secrets.
const HIDDEN: [&str; 5] = ["/proc/keys", "/proc/key-users", "/proc/timer_list", "/proc/kallsyms", "/proc/modules"];
const QUIET: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV).union(MountFlags::NOEXEC);

/// Puts the machine's file system together and makes it this namespace's root; the working folder is the store before, and
/// `/` after. The host is out of reach then.
pub fn build(setup: &Setup) -> io::Result<()> {
    let root = std::env::current_dir()?.join(&setup.mount);
    for volume in &setup.volumes {
        let at = join(&root, &volume.at);
        overlay(volume, &at)?;
    }
    inside(&root)?;
    std::env::set_current_dir(&root)?;
    rustix::process::pivot_root(".", ".")?;
    // The host's root lies on top of the new one now.
    unmount(".", UnmountFlags::DETACH)?;
    std::env::set_current_dir("/")?;
    guard()
}

/// Mounts layers one above the other at `at`, without a place to write to if `volume.upper` is empty.
pub fn overlay(volume: &Volume, at: &Path) -> io::Result<()> {
    let lower: Vec<String> = volume.lower.iter().map(|path| path.display().to_string()).collect();
    let mut options = format!("userxattr,lowerdir={}", lower.join(":"));
    if !volume.upper.as_os_str().is_empty() {
        options += &format!(",upperdir={},workdir={}", volume.upper.display(), volume.work.display());
    }
    if options.len() > 4000 {
        return Err(io::Error::other("too many layers for one machine: build from an image with fewer ancestors"));
    }
    let options = CString::new(options)?;
    mount("overlay", at, "overlay", MountFlags::empty(), Some(options.as_c_str()))
        .map_err(|error| said("mounting the disk", error))
}

fn said(what: &str, error: impl Into<io::Error>) -> io::Error {
    let error = error.into();
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

fn join(root: &Path, inside: &str) -> PathBuf {
    root.join(inside.trim_start_matches('/'))
}

fn tmpfs(at: &Path, options: &str, flags: MountFlags) -> io::Result<()> {
    make_folder(at)?;
    let options = CString::new(options)?;
    mount("tmpfs", at, "tmpfs", flags, Some(options.as_c_str())).map_err(|error| said(&at.display().to_string(), error))
}

/// A folder, also where an image has something else or nothing at all.
fn make_folder(at: &Path) -> io::Result<()> {
    if fs::symlink_metadata(at).is_ok_and(|there| !there.is_dir()) {
        fs::remove_file(at)?;
    }
    fs::create_dir_all(at)
}

fn inside(root: &Path) -> io::Result<()> {
    let proc = root.join("proc");
    make_folder(&proc)?;
    mount("proc", &proc, "proc", QUIET, None::<&std::ffi::CStr>).map_err(|error| said("/proc", error))?;

    let sys = root.join("sys");
    make_folder(&sys)?;
    if mount("sysfs", &sys, "sysfs", QUIET | MountFlags::RDONLY, None::<&std::ffi::CStr>).is_err() {
        tmpfs(&sys, "mode=755,size=64k", QUIET | MountFlags::RDONLY)?;
    }
    for hidden in ["firmware", "fs/cgroup", "kernel/debug", "kernel/tracing", "kernel/security"] {
        let at = sys.join(hidden);
        if at.is_dir() {
            mount("tmpfs", &at, "tmpfs", QUIET | MountFlags::RDONLY, Some(c"mode=755,size=4k"))?;
        }
    }

    devices(&root.join("dev"))?;
    // Not `nosuid`: the program that lifts `sudo` up lies there.
    tmpfs(&root.join("run"), "mode=755,size=64m", MountFlags::NODEV)?;
    make_folder(&root.join("run/lock"))?;
    fs::set_permissions(root.join("run/lock"), fs::Permissions::from_mode(0o1777))?;
    let tmp = root.join("tmp");
    empty(&tmp)?;
    make_folder(&tmp)?;
    fs::set_permissions(&tmp, fs::Permissions::from_mode(0o1777))
}

/// As a boot leaves /tmp.
fn empty(folder: &Path) -> io::Result<()> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn devices(dev: &Path) -> io::Result<()> {
    tmpfs(dev, "mode=755,size=64k", MountFlags::NOSUID)?;
    for device in DEVICES {
        let at = dev.join(device);
        fs::File::create(&at)?;
        mount_bind(Path::new("/dev").join(device), &at).map_err(|error| said(device, error))?;
        read_only_node(&at)?;
    }
    for (link, to) in [("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1")] {
        symlink(to, dev.join(link))?;
    }
    symlink("/proc/self/fd/2", dev.join("stderr"))?;
    symlink("pts/ptmx", dev.join("ptmx"))?;
    let quiet = MountFlags::NOSUID | MountFlags::NOEXEC;
    let pts = dev.join("pts");
    make_folder(&pts)?;
    mount("devpts", &pts, "devpts", quiet, Some(c"newinstance,ptmxmode=0666,mode=0620"))
        .map_err(|error| said("/dev/pts", error))?;
    tmpfs(&dev.join("shm"), "mode=1777,size=256m", MountFlags::NOSUID | MountFlags::NODEV)
}

/// After the host is gone: nothing of /proc that acts on the kernel can be written to, and nothing that others may not read
/// can be read. Root of a machine may be the host's own root, to whom these files belong.
fn guard() -> io::Result<()> {
    // No namespace can be made inside in which capabilities would come back.
    fs::write("/proc/sys/user/max_user_namespaces", "0").map_err(|error| said("user namespaces inside", error))?;
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit) || kind.is_symlink() {
            continue;
        }
        let mode = entry.metadata()?.mode();
        if kind.is_dir() {
            mount_bind_recursive(&path, &path)?;
            mount_remount(&path, MountFlags::BIND | MountFlags::RDONLY | QUIET, c"")
                .map_err(|error| said(&path.display().to_string(), error))?;
        } else if mode & 0o222 != 0 || mode & 0o004 == 0 || HIDDEN.iter().any(|hidden| path == Path::new(hidden)) {
            mount_bind("/dev/null", &path)?;
            read_only_node(&path)?;
        }
    }
    Ok(())
}

/// A device can be read and written through a read-only mount; only its permissions, which are the host's, cannot be changed.
fn read_only_node(at: &Path) -> io::Result<()> {
    let flags = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NOEXEC;
    mount_remount(at, flags, c"").map_err(|error| said(&at.display().to_string(), error))
}
