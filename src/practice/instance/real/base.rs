//! The base that is always there: a machine made from this computer's own programs. `/usr` lies read-only underneath; `/etc`
//! and `/var` are made from what everybody on this computer may read, and nothing of its secrets, homes or data is in it.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;

use super::shims::{self, Has};

/// Links into `/usr`, or folders like it.
const PROGRAMS: [&str; 6] = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"];
/// This computer's identity, its secrets by name, and what every machine has of its own.
const NOT_ETC: [&str; 18] = [
    "shadow",
    "shadow-",
    "gshadow",
    "gshadow-",
    "passwd-",
    "group-",
    "subuid",
    "subgid",
    "sudoers",
    "sudoers.d",
    "machine-id",
    "hostname",
    "hosts",
    "fstab",
    "mtab",
    "ssh",
    "crypttab",
    "kubernetes",
];
/// What package managers know of `/usr`.
const VAR: [&str; 12] = [
    "lib/dpkg",
    "lib/rpm",
    "lib/pacman",
    "lib/ucf",
    "lib/pam",
    "lib/xml-core",
    "lib/sgml-base",
    "lib/python",
    "lib/misc",
    "lib/dnf",
    "cache/debconf",
    "lib/alternatives",
];
const FOLDERS: [(&str, u32); 28] = [
    ("home", 0o755),
    ("root", 0o700),
    ("opt", 0o755),
    ("srv", 0o755),
    ("mnt", 0o755),
    ("media", 0o755),
    ("boot", 0o755),
    ("tmp", 0o1777),
    ("run", 0o755),
    ("proc", 0o755),
    ("sys", 0o755),
    ("dev", 0o755),
    ("usr", 0o755),
    ("var", 0o755),
    ("var/lib", 0o755),
    ("var/log", 0o755),
    ("var/log/apt", 0o755),
    ("var/cache", 0o755),
    ("var/cache/apt", 0o755),
    ("var/cache/apt/archives", 0o755),
    ("var/cache/apt/archives/partial", 0o755),
    ("var/lib/apt", 0o755),
    ("var/lib/apt/lists", 0o755),
    ("var/lib/apt/lists/partial", 0o755),
    ("var/spool", 0o755),
    ("var/mail", 0o755),
    ("var/tmp", 0o1777),
    ("var/backups", 0o755),
];

/// Where the host's program folders go: each a volume, with the host's folder underneath.
pub fn volumes() -> Vec<String> {
    let real = |name: &&str| fs::symlink_metadata(Path::new("/").join(name)).is_ok_and(|found| found.is_dir());
    std::iter::once("usr").chain(PROGRAMS.into_iter().filter(real)).map(str::to_owned).collect()
}

/// Builds the base in `folder`, unless it is there: `root`, and one folder for each of [`volumes`]. What lies above it was
/// made with it, so it stays as it is for the life of the store.
pub fn build(folder: &Path, whole: bool) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let beside = tempfile::Builder::new().prefix("new-").tempdir_in(folder.parent().unwrap_or(folder))?;
    fs::set_permissions(beside.path(), fs::Permissions::from_mode(0o755))?;
    fill(beside.path(), whole)?;
    match fs::rename(beside.path(), folder) {
        // Another kiln was quicker.
        Err(_) if folder.is_dir() => Ok(()),
        renamed => renamed,
    }
}

fn fill(folder: &Path, whole: bool) -> io::Result<()> {
    let root = folder.join("root");
    fs::create_dir_all(&root)?;
    for (name, mode) in FOLDERS {
        fs::DirBuilder::new().recursive(true).create(root.join(name))?;
        fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode))?;
    }
    symlink("/run", root.join("var/run"))?;
    symlink("/run/lock", root.join("var/lock"))?;
    for name in PROGRAMS {
        if let Ok(target) = fs::read_link(Path::new("/").join(name)) {
            symlink(target, root.join(name))?;
        }
    }
    let keep_owner = whole;
    copy(Path::new("/etc"), &root.join("etc"), keep_owner, &|path| {
        path.components().count() == 1 && NOT_ETC.iter().any(|not| path == Path::new(not))
            || path.starts_with("ssl/private")
    })?;
    for name in VAR {
        let from = Path::new("/var").join(name);
        if from.is_dir() {
            copy(&from, &root.join("var").join(name), keep_owner, &|_| false)?;
        }
    }
    accounts(&root)?;
    fs::create_dir_all(root.join("etc/sudoers.d"))?;
    let names = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let at = root.join("etc/resolv.conf");
    let _ = fs::remove_file(&at);
    fs::write(at, names)?;
    fs::write(root.join("etc/fstab"), "")?;
    fs::write(root.join("etc/machine-id"), "")?;
    // The host's root may have a sudo that works; only where its setuid bit means something.
    let host = shims::look(Path::new("/"), whole);
    for name in volumes() {
        let own = folder.join(&name);
        let depth = if whole { 0 } else { 3 };
        shims::own_folders(&Path::new("/").join(&name), &own, depth)?;
        fs::create_dir_all(root.join(&name))?;
    }
    shims::write(&folder.join("usr"), Has { systemctl: true, ..host }, true)?;
    if folder.join("sbin").is_dir() {
        shims::write_power(&folder.join("sbin"))?;
    }
    Ok(())
}

/// Users and groups of the system, and none of the people.
fn accounts(root: &Path) -> io::Result<()> {
    for name in ["passwd", "group"] {
        let text = fs::read_to_string(Path::new("/etc").join(name)).unwrap_or_default();
        let system = |line: &&str| {
            let id = line.split(':').nth(2).and_then(|id| id.parse::<u32>().ok());
            id.is_some_and(|id| id < 1000 || id == 65_534)
        };
        let lines: String = text
            .lines()
            .filter(system)
            .map(|line| if name == "group" { no_members(line) } else { line.to_owned() + "\n" })
            .collect();
        fs::write(root.join("etc").join(name), lines)?;
    }
    Ok(())
}

fn no_members(line: &str) -> String {
    let fields: Vec<&str> = line.split(':').take(3).collect();
    format!("{}:\n", fields.join(":"))
}

/// Copies what everybody may read. `not` gets paths relative to `from`.
fn copy(from: &Path, to: &Path, keep_owner: bool, not: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    copy_below(from, to, Path::new(""), keep_owner, not)
}

fn copy_below(from: &Path, to: &Path, inside: &Path, keep_owner: bool, not: &dyn Fn(&Path) -> bool) -> io::Result<()> {
    let found = fs::symlink_metadata(from)?;
    fs::DirBuilder::new().recursive(true).mode(0o755).create(to)?;
    let Ok(entries) = fs::read_dir(from) else { return Ok(()) };
    for entry in entries.flatten() {
        let inside = inside.join(entry.file_name());
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        let Ok(found) = entry.metadata() else { continue };
        if not(&inside) {
            continue;
        }
        if found.is_symlink() {
            symlink(fs::read_link(&from)?, &to)?;
        } else if found.is_dir() && found.mode() & 0o005 == 0o005 {
            copy_below(&from, &to, &inside, keep_owner, not)?;
            continue;
        } else if found.is_file() && found.mode() & 0o004 != 0 && fs::copy(&from, &to).is_ok() {
        } else {
            continue;
        }
        if keep_owner {
            lchown(&to, Some(found.uid()), Some(found.gid()))?;
        }
    }
    fs::set_permissions(to, fs::Permissions::from_mode(found.mode() & 0o7777 | 0o700))?;
    if keep_owner {
        lchown(to, Some(found.uid()), Some(found.gid()))?;
    }
    Ok(())
}
