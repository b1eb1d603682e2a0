//! Whether machines can be real here: one is started.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use super::super::super::machine::Limits;
use super::super::addresses::Addresses;
use super::super::control::{self, Ask, Control, Setup, Tell};
use super::Real;
use super::ids::{Ids, on_path};
use super::limits::{self, Groups};
use super::space::Ground;
use super::store::{self, Store};

const PATIENCE: Duration = Duration::from_secs(20);

/// Why not, and the command that would change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub because: String,
    pub remedy: Option<String>,
}

/// Opens the store at `folder` for real machines, in the best way that this computer allows. `host_network`: machines have
/// the host's even where they could have their own.
pub async fn open(folder: &Path, program: PathBuf, addresses: Addresses, host_network: bool) -> Result<Real, Refused> {
    limits::sweep();
    let best = Ids::detect();
    let mut ways = Vec::new();
    for ids in [best.clone(), Ids::One] {
        for own_network in [true, false] {
            let way = (ids.clone(), own_network);
            let unwanted = own_network && host_network;
            if !unwanted && !ways.contains(&way) {
                ways.push(way);
            }
        }
    }
    let mut first = None;
    for (ids, own_network) in ways {
        let whole = matches!(ids, Ids::Whole(_));
        let opened = Store::open(folder, ids.many(), whole);
        let tried = match opened {
            Ok(store) => {
                let ground = Ground { program: program.clone(), ids, store: store.root.clone(), own_network };
                try_one(&ground, &store).await.map(|()| (ground, store))
            }
            Err(error) => Err(error),
        };
        match tried {
            Ok((ground, store)) => {
                let limits = shortcomings(&ground);
                let ground = Arc::new(ground);
                return Ok(Real { ground, store, addresses, limits, machines: Mutex::default() });
            }
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    let why = first.map_or_else(|| "namespaces are not to be had".to_owned(), |error| error.to_string());
    Err(refused(&why))
}

async fn try_one(ground: &Ground, store: &Store) -> io::Result<()> {
    // Two kilns may try at once.
    let id = format!("probe-{}", std::process::id());
    let home = store::machine(&id);
    let done = start(ground, store, &id).await;
    let _ = ground.work(&super::Work::Remove { paths: vec![home] }).await;
    done
}

async fn start(ground: &Ground, store: &Store, id: &str) -> io::Result<()> {
    let home = store::machine(id);
    let volumes = store.volumes(id, &[]).map_err(|error| io::Error::other(error.to_string()))?;
    let mut options = vec!["--pid", "--fork", "--uts", "--ipc", "--cgroup"];
    if ground.own_network {
        options.push("--net");
    }
    let mut space = ground.start(&options, &["init"], Stdio::null(), Stdio::piped(), |_| ()).await?;
    let setup = Setup {
        instance_id: id.to_owned(),
        hostname: "probe".to_owned(),
        mount: home.join("mount"),
        home,
        volumes,
        many_ids: ground.ids.many(),
        own_network: ground.own_network,
        login_user: "root".to_owned(),
        authorized_keys: Vec::new(),
        user_data: None,
        processes: None,
        disk_mib: None,
    };
    let mut control = Control::new(space.control);
    let to = control.sender();
    control::send(&to, &setup, None).await?;
    let answered = async {
        loop {
            match control.receive::<Tell>().await? {
                Some(Tell::Ready) => return Ok(()),
                Some(Tell::Failed { why }) => return Err(io::Error::other(why)),
                Some(_) => {}
                None => return Err(io::Error::other("its init ended")),
            }
        }
    };
    let mut ready = timeout(PATIENCE, answered).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    let _ = control::send(&to, &Ask::End, None).await;
    drop((control, to));
    if let (Err(error), Some(mut errors)) = (&mut ready, space.child.stderr.take()) {
        let mut said = String::new();
        let _ = timeout(PATIENCE, errors.read_to_string(&mut said)).await;
        if !said.trim().is_empty() {
            *error = io::Error::other(format!("{error}: {}", said.trim()));
        }
    }
    let _ = space.child.wait().await;
    ready
}

/// What is not as on a computer of one's own.
fn shortcomings(ground: &Ground) -> Vec<String> {
    let mut found = Vec::new();
    if ground.own_network {
        found.push("network: its own; out of it by an HTTP proxy, which is set in the environment".to_owned());
    } else {
        found.push("network: the host's".to_owned());
    }
    if !ground.ids.many() {
        found.push(
            "users: every login is uid 0 under its own home, and package installs that change owners fail".to_owned(),
        );
    }
    let limits = Limits { memory_mib: Some(64), processes: Some(64), disk_mib: None };
    if Groups::make("probe", limits).is_empty() {
        found.push("memory: not limited".to_owned());
    }
    found
}

fn refused(why: &str) -> Refused {
    let zero = |path: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == "0");
    let one = |path: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == "1");
    let remedy = if !on_path("unshare") {
        Some("sudo apt-get install util-linux")
    } else if one("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") {
        Some("sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0")
    } else if zero("/proc/sys/kernel/unprivileged_userns_clone") {
        Some("sudo sysctl -w kernel.unprivileged_userns_clone=1")
    } else if zero("/proc/sys/user/max_user_namespaces") {
        Some("sudo sysctl -w user.max_user_namespaces=15000")
    } else if Path::new("/.dockerenv").exists() || Path::new("/run/.containerenv").exists() {
        Some("docker run --privileged …")
    } else {
        None
    };
    Refused { because: why.to_owned(), remedy: remedy.map(str::to_owned) }
}
