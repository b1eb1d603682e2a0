//! What cloud-init does on a new instance: users, keys, files, packages, commands and scripts of its user data, and the
//! files by which programs see how far it is.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::WaitStatus;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use super::super::control::Setup;
use super::accounts::{self, Wanted};
use super::cloud_config::{self, CloudConfig};
use super::init::{Children, link};

const INSTANCE: &str = "/var/lib/cloud/instance";
const ID: &str = "/var/lib/cloud/data/instance-id";
const FINISHED: &str = "/var/lib/cloud/instance/boot-finished";
const LOG: &str = "/var/log/cloud-init-output.log";

/// Whether the disk has not seen this instance yet: it is new, or made from another one's image.
pub fn is_new(instance_id: &str) -> bool {
    fs::read_to_string(ID).map_or(true, |there| there.trim() != instance_id)
}

/// Whether user data has not run to its end.
pub fn is_due() -> bool {
    !Path::new(FINISHED).exists()
}

/// Marks the disk as this instance's.
pub fn begin(instance_id: &str) -> io::Result<()> {
    let own = format!("/var/lib/cloud/instances/{instance_id}");
    fs::create_dir_all(format!("{own}/scripts"))?;
    fs::create_dir_all("/var/lib/cloud/data")?;
    link(&own, INSTANCE)?;
    fs::create_dir_all("/var/log")?;
    fs::write(ID, format!("{instance_id}\n"))
}

/// Runs the instance's user data to its end; false: something in it failed.
pub async fn run(setup: &Setup, children: &Children) -> bool {
    let mut out = Output::open();
    out.say(&format!("Cloud-init (practice) running: {}", setup.instance_id));
    let mut ok = true;
    for part in parts(setup.user_data.as_deref().unwrap_or_default()) {
        let _ = fs::write(format!("{INSTANCE}/user-data.txt"), &part);
        if let Err(error) = one(&part, setup, children, &mut out).await {
            out.say(&format!("cloud-init: {error}"));
            ok = false;
        }
    }
    let errors = if ok { "[]" } else { "[\"user data failed\"]" };
    let _ = fs::write(format!("{INSTANCE}/result.json"), format!("{{\"v1\": {{\"errors\": {errors}}}}}\n"));
    let _ = link(&format!("{INSTANCE}/result.json"), "/run/cloud-init/result.json");
    out.say("Cloud-init finished");
    if fs::write(FINISHED, "finished\n").is_err() {
        ok = false;
    }
    ok
}

/// User data comes plain, compressed, or as several parts of one MIME message.
fn parts(data: &[u8]) -> Vec<Vec<u8>> {
    let mut plain = Vec::new();
    let data = if data.starts_with(&[0x1f, 0x8b]) && flate2::read::GzDecoder::new(data).read_to_end(&mut plain).is_ok()
    {
        &plain
    } else {
        data
    };
    if data.is_empty() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(data);
    match text.starts_with("Content-Type: multipart").then(|| cloud_config::mime_parts(&text)).flatten() {
        Some(parts) => parts.into_iter().map(String::into_bytes).collect(),
        None => vec![data.to_vec()],
    }
}

async fn one(part: &[u8], setup: &Setup, children: &Children, out: &mut Output) -> io::Result<()> {
    let children = (children, setup.own_network);
    if part.starts_with(b"#!") {
        return script("part-001", part, children, out).await;
    }
    let text = String::from_utf8_lossy(part);
    if !text.starts_with("#cloud-config") {
        return Err(io::Error::other("user data is neither a script (#!) nor #cloud-config; it was not run"));
    }
    let config = cloud_config::parse(&text).map_err(io::Error::other)?;
    apply(&config, setup)?;
    if let Some(commands) = &config.boot_commands {
        script("bootcmd", commands.as_bytes(), children, out).await?;
    }
    if !config.packages.is_empty() || config.update {
        script("packages", cloud_config::install(&config).as_bytes(), children, out).await?;
    }
    match &config.run_commands {
        Some(commands) => script("runcmd", commands.as_bytes(), children, out).await,
        None => Ok(()),
    }
}

fn apply(config: &CloudConfig, setup: &Setup) -> io::Result<()> {
    let mut users = config.users.clone();
    let mut default = Wanted::login(&setup.login_user);
    default.keys.clone_from(&config.keys);
    users.push(default);
    accounts::make(&users, setup.many_ids)?;
    if let Some(name) = &config.hostname {
        fs::write("/etc/hostname", format!("{name}\n"))?;
        let mut hosts = fs::OpenOptions::new().append(true).open("/etc/hosts")?;
        writeln!(hosts, "127.0.1.1 {name}")?;
        rustix::system::sethostname(name.as_bytes())?;
    }
    for file in &config.files {
        let path = Path::new(&file.path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut options = fs::OpenOptions::new();
        options
            .create(true)
            .write(true)
            .append(file.append)
            .truncate(!file.append)
            .open(path)?
            .write_all(&file.content)?;
        fs::set_permissions(path, fs::Permissions::from_mode(file.mode))?;
        let (user, group) = file.owner.split_once(':').unwrap_or((&file.owner, ""));
        let login = accounts::find(user);
        let gid = accounts::group(group).or(login.as_ref().map(|login| login.gid));
        std::os::unix::fs::chown(path, login.map(|login| login.uid), gid)?;
    }
    Ok(())
}

/// Runs a script as root, as cloud-init does: from a file below the instance's folder.
async fn script(
    name: &str,
    text: &[u8],
    (children, own_network): (&Children, bool),
    out: &mut Output,
) -> io::Result<()> {
    let path = format!("{INSTANCE}/scripts/{name}");
    fs::write(&path, text)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
    let (read, write) = std::io::pipe()?;
    let mut command = if text.starts_with(b"#!") {
        Command::new(&path)
    } else {
        let mut shell = Command::new("/bin/sh");
        shell.arg(&path);
        shell
    };
    command
        .env_clear()
        .envs([
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("HOME", "/root"),
            ("LANG", "C.UTF-8"),
        ])
        .envs(super::super::proxy_variables().into_iter().filter(|_| own_network))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(write.try_clone()?)
        .stderr(write);
    let told = children.spawn(&mut command)?;
    drop(command);
    let mut read = pipe::Receiver::from_owned_fd(OwnedFd::from(read))?;
    let mut bytes = vec![0; 8 << 10];
    let mut told = Box::pin(told);
    // A process that the script leaves behind may hold the pipe for ever.
    let status: WaitStatus = loop {
        tokio::select! {
            biased;
            got = read.read(&mut bytes) => match got? {
                0 => break told.await.map_err(io::Error::other)?,
                got => out.write(&bytes[..got]),
            },
            status = &mut told => break status.map_err(io::Error::other)?,
        }
    };
    match (status.exit_status(), status.terminating_signal()) {
        (Some(0), _) => Ok(()),
        (Some(code), _) => Err(io::Error::other(format!("{name} ended with status {code}"))),
        (None, signal) => Err(io::Error::other(format!("{name} was ended by signal {}", signal.unwrap_or_default()))),
    }
}

/// The log inside, and the machine's console, which is this process's standard output.
struct Output(Option<fs::File>);

impl Output {
    fn open() -> Self {
        Self(fs::OpenOptions::new().append(true).create(true).open(LOG).ok())
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(log) = &mut self.0 {
            let _ = log.write_all(bytes);
        }
        let mut console = io::stdout().lock();
        let _ = console.write_all(bytes).and_then(|()| console.flush());
    }

    fn say(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }
}
