//! Which users and groups of the host a machine's own become: the maps of its user namespace.

use std::fs;
use std::io;
use std::path::Path;

use rustix::thread::{CapabilitySet, capabilities};
use tokio::process::Command;

/// The first ids of a machine, by what kiln may map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Every id stands for itself, as pieces of first id and count: kiln is root, and its capabilities end at the namespace.
    Whole(Vec<(u32, u32)>),
    /// 0 is who runs kiln; those from 1 on are its subordinate ids, which `newuidmap` and `newgidmap` grant.
    Subordinate { users: (u32, u32), groups: (u32, u32) },
    /// Only 0, which is who runs kiln.
    One,
}

impl Ids {
    /// The most that this process may map.
    pub fn detect() -> Self {
        let may = capabilities(None).is_ok_and(|own| {
            own.effective.contains(CapabilitySet::SETUID | CapabilitySet::SETGID | CapabilitySet::SYS_ADMIN)
        });
        if rustix::process::geteuid().is_root() && may {
            let whole = fs::read_to_string("/proc/self/uid_map").map(|text| pieces(&text)).unwrap_or_default();
            // A root of a single id is a user's; without `nobody` nothing that drops its rights works.
            return if whole.iter().any(|(first, count)| *first == 0 && *count > 65_534) {
                Self::Whole(whole)
            } else {
                Self::One
            };
        }
        match (subordinate("/etc/subuid"), subordinate("/etc/subgid")) {
            (Some(users), Some(groups)) if on_path("newuidmap") && on_path("newgidmap") => {
                Self::Subordinate { users, groups }
            }
            _ => Self::One,
        }
    }

    /// Whether logins other than root have ids of their own.
    pub fn many(&self) -> bool {
        *self != Self::One
    }

    /// Writes the maps of the namespace that process `pid`, as the host numbers it, has just made.
    pub async fn grant(&self, pid: i32) -> io::Result<()> {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        match self {
            Self::Whole(pieces) => {
                let lines: Vec<String> =
                    pieces.iter().map(|(first, count)| format!("{first} {first} {count}")).collect();
                let lines = lines.join("\n") + "\n";
                fs::write(format!("/proc/{pid}/uid_map"), &lines)?;
                fs::write(format!("/proc/{pid}/gid_map"), &lines)
            }
            Self::Subordinate { users, groups } => {
                run_map("newuidmap", pid, uid, *users).await?;
                run_map("newgidmap", pid, gid, *groups).await
            }
            Self::One => {
                fs::write(format!("/proc/{pid}/uid_map"), format!("0 {uid} 1\n"))?;
                // user_namespaces(7): a group map of one's own takes the right to change supplementary groups away first.
                fs::write(format!("/proc/{pid}/setgroups"), "deny")?;
                fs::write(format!("/proc/{pid}/gid_map"), format!("0 {gid} 1\n"))
            }
        }
    }
}

fn pieces(map: &str) -> Vec<(u32, u32)> {
    map.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?.parse().ok()?, words.nth(1)?.parse().ok()?))
        })
        .collect()
}

/// The first range of at least 65,536 ids that `file` gives to who runs kiln, by name or number.
fn subordinate(file: &str) -> Option<(u32, u32)> {
    let uid = rustix::process::getuid().as_raw().to_string();
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    range_of(&fs::read_to_string(file).ok()?, &uid, name.as_deref())
}

fn range_of(text: &str, uid: &str, name: Option<&str>) -> Option<(u32, u32)> {
    text.lines().find_map(|line| {
        let mut fields = line.trim().split(':');
        let who = fields.next()?;
        let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        ((who == uid || Some(who) == name) && range.1 >= 65_536).then_some(range)
    })
}

pub fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/sbin:/usr/bin:/sbin:/bin".into());
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}

async fn run_map(program: &str, pid: i32, own: u32, (first, count): (u32, u32)) -> io::Result<()> {
    let numbers =
        [pid.to_string(), "0".into(), own.to_string(), "1".into(), "1".into(), first.to_string(), count.to_string()];
    let output = Command::new(program).args(numbers).output().await?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_read() {
        assert_eq!(pieces("         0          0 4294967295\n"), [(0, 4_294_967_295)]);
        assert_eq!(pieces("0 1000 1\n1 100000 65536\n"), [(0, 1), (1, 65_536)]);
    }

    #[test]
    fn a_range_is_found_by_name_or_number_and_must_be_large() {
        let text = "small:1:10\nada:100000:65536\n1001:200000:65536\n";
        assert_eq!(range_of(text, "1000", Some("ada")), Some((100_000, 65_536)));
        assert_eq!(range_of(text, "1001", None), Some((200_000, 65_536)));
        assert_eq!(range_of(text, "5", Some("small")), None);
    }
}
