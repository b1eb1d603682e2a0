//! The programs of a machine that stand in for those that need a systemd, a real cloud-init or a setuid `sudo`: a layer right
//! below the machine's own, so that no image ever contains them.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const POWER: &str = include_str!("../shims/power.sh");
const SYSTEMCTL: &str = include_str!("../shims/systemctl.sh");
const CLOUD_INIT: &str = include_str!("../shims/cloud-init.sh");
const HOSTNAME: &str = include_str!("../shims/hostname.sh");
const SUDO: &str = include_str!("../shims/sudo.sh");

/// What an image has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Has {
    /// `/sbin` and `/bin` are links into `/usr`.
    pub merged: bool,
    pub systemctl: bool,
    /// A `sudo` that will work.
    pub sudo: bool,
}

/// Writes the layer for such an image to `folder`, which is then that of `/usr` (`below_usr`) or of `/`.
pub fn write(folder: &Path, has: Has, below_usr: bool) -> io::Result<()> {
    let usr = if below_usr { folder.to_path_buf() } else { folder.join("usr") };
    let (bin, sbin) = if has.merged || below_usr {
        (usr.join("bin"), usr.join("sbin"))
    } else {
        (folder.join("bin"), folder.join("sbin"))
    };
    write_power(&sbin)?;
    if has.systemctl {
        program(&bin.join("systemctl"), SYSTEMCTL)?;
    }
    program(&usr.join("bin/cloud-init"), CLOUD_INIT)?;
    for name in ["hostname", "hostnamectl"] {
        program(&bin.join(name), HOSTNAME)?;
    }
    if !has.sudo {
        program(&usr.join("bin/sudo"), SUDO)?;
    }
    Ok(())
}

/// The commands that end a machine.
pub fn write_power(sbin: &Path) -> io::Result<()> {
    for name in ["reboot", "poweroff", "halt", "shutdown"] {
        program(&sbin.join(name), POWER)?;
    }
    Ok(())
}

fn program(at: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = at.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(at, text)?;
    fs::set_permissions(at, fs::Permissions::from_mode(0o755))
}

/// Whether the root file system at `root` has what.
pub fn look(root: &Path, many_ids: bool) -> Has {
    let there = |path: &str| fs::symlink_metadata(root.join(path)).is_ok();
    let merged = fs::symlink_metadata(root.join("sbin")).is_ok_and(|found| found.is_symlink());
    let setuid = fs::metadata(root.join("usr/bin/sudo")).is_ok_and(|found| found.permissions().mode() & 0o4000 != 0);
    Has { merged, systemctl: there("usr/bin/systemctl") || there("bin/systemctl"), sudo: many_ids && setuid }
}

/// Folders of `/usr` as a layer of the user's own, so that a machine whose only id is the user's can put files there:
/// an overlay takes a folder's owner from its topmost layer.
pub fn own_folders(host: &Path, to: &Path, depth: usize) -> io::Result<()> {
    fs::create_dir_all(to)?;
    if depth == 0 {
        return Ok(());
    }
    let Ok(entries) = fs::read_dir(host) else { return Ok(()) };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        own_folders(&entry.path(), &to.join(entry.file_name()), depth - 1)?;
    }
    Ok(())
}
