//! Who can log in to a machine: the users that templates expect, their homes, keys and `sudo`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use super::super::control::Login;

/// The users of well-known images.
pub const LOGINS: [&str; 7] = ["ubuntu", "ec2-user", "admin", "debian", "rocky", "centos", "fedora"];
const FIRST_UID: u32 = 1000;

/// A user to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub name: String,
    pub comment: String,
    pub shell: Option<String>,
    pub home: Option<String>,
    /// Supplementary groups; made where they are missing.
    pub groups: Vec<String>,
    pub sudo: bool,
    pub keys: Vec<String>,
}

impl Wanted {
    pub fn login(name: &str) -> Self {
        Self { name: name.to_owned(), sudo: true, ..Self::default() }
    }
}

/// The rows of a file like /etc/passwd.
struct Table {
    path: &'static str,
    rows: Vec<Vec<String>>,
    changed: bool,
}

impl Table {
    fn read(path: &'static str) -> Self {
        let text = fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let rows =
            text.lines().filter(|line| !line.is_empty()).map(|line| line.split(':').map(str::to_owned).collect());
        Self { path, rows: rows.collect(), changed: false }
    }

    fn named(&self, name: &str) -> Option<&Vec<String>> {
        self.rows.iter().find(|row| row[0] == name)
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.named(name)?.get(2)?.parse().ok()
    }

    fn free(&self) -> u32 {
        let taken = |id: &u32| self.rows.iter().any(|row| row.get(2).is_some_and(|text| *text == id.to_string()));
        (FIRST_UID..u32::MAX).find(|id| !taken(id)).unwrap_or(FIRST_UID)
    }

    fn push(&mut self, row: &[&str]) {
        self.rows.push(row.iter().map(|&field| field.to_owned()).collect());
        self.changed = true;
    }

    fn join_group(&mut self, group: &str, user: &str) {
        let Some(row) = self.rows.iter_mut().find(|row| row[0] == group) else { return };
        row.resize(4, String::new());
        if row[3].split(',').any(|member| member == user) {
            return;
        }
        if !row[3].is_empty() {
            row[3].push(',');
        }
        row[3].push_str(user);
        self.changed = true;
    }

    fn write(&self, mode: u32) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        let text: String = self.rows.iter().map(|row| row.join(":") + "\n").collect();
        let beside = format!("{}.new", self.path);
        fs::write(&beside, text)?;
        fs::set_permissions(&beside, fs::Permissions::from_mode(mode))?;
        fs::rename(beside, self.path)
    }
}

/// Makes the users that are missing, with homes; gives keys and `sudo` to those that are there too. Without `many_ids`,
/// every one is uid 0 under its own home.
pub fn make(users: &[Wanted], many_ids: bool) -> io::Result<()> {
    let (mut passwd, mut group) = (Table::read("/etc/passwd"), Table::read("/etc/group"));
    let mut shadow = Table::read("/etc/shadow");
    if passwd.named("root").is_none() {
        passwd.push(&["root", "x", "0", "0", "root", "/root", shell()]);
    }
    if group.named("root").is_none() {
        group.push(&["root", "x", "0", ""]);
    }
    for user in users {
        if passwd.named(&user.name).is_none() {
            let (uid, gid) = if many_ids {
                let uid = passwd.free();
                let gid = group.number(&user.name).unwrap_or_else(|| {
                    let gid = group.free();
                    group.push(&[&user.name, "x", &gid.to_string(), ""]);
                    gid
                });
                (uid, gid)
            } else {
                if group.named(&user.name).is_none() {
                    group.push(&[&user.name, "x", "0", ""]);
                }
                (0, 0)
            };
            let home = user.home.clone().unwrap_or_else(|| format!("/home/{}", user.name));
            let shell = user.shell.clone().unwrap_or_else(|| shell().to_owned());
            passwd.push(&[&user.name, "x", &uid.to_string(), &gid.to_string(), &user.comment, &home, &shell]);
            if shadow.named(&user.name).is_none() {
                shadow.push(&[&user.name, "!", "19000", "0", "99999", "7", "", "", ""]);
            }
        }
        let mut groups = user.groups.clone();
        if user.sudo {
            groups.push(
                if group.named("wheel").is_some() && group.named("sudo").is_none() { "wheel" } else { "sudo" }.into(),
            );
        }
        for name in groups {
            if group.named(&name).is_none() {
                let gid = if many_ids { group.free() } else { 0 };
                group.push(&[&name, "x", &gid.to_string(), ""]);
            }
            group.join_group(&name, &user.name);
        }
    }
    passwd.write(0o644)?;
    group.write(0o644)?;
    shadow.write(0o640)?;
    for user in users {
        let Some(login) = find(&user.name) else { continue };
        home(&login)?;
        authorize(&login, &user.keys)?;
    }
    let sudoers: Vec<&str> =
        users.iter().filter(|user| user.sudo && user.name != "root").map(|user| &*user.name).collect();
    allow_sudo(&sudoers)
}

fn shell() -> &'static str {
    if Path::new("/bin/bash").exists() { "/bin/bash" } else { "/bin/sh" }
}

fn home(login: &Login) -> io::Result<()> {
    let home = Path::new(&login.home);
    if home.exists() || login.home.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(home)?;
    if let Ok(skeleton) = fs::read_dir("/etc/skel") {
        for entry in skeleton.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file())) {
            let to = home.join(entry.file_name());
            fs::copy(entry.path(), &to)?;
            chown(&to, Some(login.uid), Some(login.gid))?;
        }
    }
    fs::set_permissions(home, fs::Permissions::from_mode(0o755))?;
    chown(home, Some(login.uid), Some(login.gid))
}

/// Adds the keys that are not in the user's `authorized_keys` yet.
fn authorize(login: &Login, keys: &[String]) -> io::Result<()> {
    let missing: Vec<&String> = keys.iter().filter(|key| !login.keys.iter().any(|there| there == key.trim())).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let folder = Path::new(&login.home).join(".ssh");
    fs::create_dir_all(&folder)?;
    let path = folder.join("authorized_keys");
    let mut file = fs::OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
    for key in missing {
        writeln!(file, "{}", key.trim())?;
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    chown(&folder, Some(login.uid), Some(login.gid))?;
    chown(&path, Some(login.uid), Some(login.gid))
}

/// As cloud-init does it for an image's own user.
fn allow_sudo(names: &[&str]) -> io::Result<()> {
    let folder = Path::new("/etc/sudoers.d");
    fs::create_dir_all(folder)?;
    let path = folder.join("90-cloud-init-users");
    let mut text = fs::read_to_string(&path).unwrap_or_default();
    for name in names {
        let line = format!("{name} ALL=(ALL) NOPASSWD:ALL\n");
        if !text.contains(&line) {
            text += &line;
        }
    }
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o440))?;
    let main = Path::new("/etc/sudoers");
    // Where there is no sudo yet, its package brings its own.
    let there = fs::metadata("/usr/bin/sudo").is_ok_and(|found| found.permissions().mode() & 0o4000 != 0);
    if there && !main.exists() {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let text = format!(
            "Defaults env_reset\nDefaults secure_path=\"{path}\"\nroot ALL=(ALL:ALL) ALL\n#includedir /etc/sudoers.d\n"
        );
        fs::write(main, text)?;
        fs::set_permissions(main, fs::Permissions::from_mode(0o440))?;
    }
    Ok(())
}

/// What the machine's own files say of a user.
pub fn find(name: &str) -> Option<Login> {
    let passwd = Table::read("/etc/passwd");
    let row = passwd.named(name)?;
    let gid = row.get(3)?.parse().ok()?;
    let home = row.get(5).filter(|home| !home.is_empty()).map_or("/", |home| home).to_owned();
    let groups = Table::read("/etc/group")
        .rows
        .into_iter()
        .filter_map(|row| row.get(3)?.split(',').any(|member| member == name).then(|| row[2].parse().ok())?);
    let keys = fs::read(Path::new(&home).join(".ssh/authorized_keys")).unwrap_or_default();
    let keys = String::from_utf8_lossy(&keys).lines().map(|line| line.trim().to_owned()).collect();
    let shell = row.get(6).filter(|shell| !shell.is_empty()).map_or("/bin/sh", |shell| shell).to_owned();
    let (name, uid) = (name.to_owned(), row.get(2)?.parse().ok()?);
    Some(Login { name, uid, gid, groups: groups.collect(), home, shell, keys, variables: variables() })
}

/// `/etc/environment`, as PAM reads it.
fn variables() -> Vec<(String, String)> {
    let text = fs::read_to_string("/etc/environment").unwrap_or_default();
    let pairs = text.lines().filter_map(|line| {
        let line = line.trim();
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=')?;
        (!name.starts_with('#')).then(|| (name.trim().to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()))
    });
    pairs.collect()
}

/// A group's number.
pub fn group(name: &str) -> Option<u32> {
    Table::read("/etc/group").number(name)
}
