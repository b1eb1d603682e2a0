//! Where kiln keeps its files.

use std::path::PathBuf;

/// kiln's state folder: runs and `kiln.log`. `$XDG_STATE_HOME/kiln` where that is set and absolute, else the platform's own.
/// `None` when this user has no home.
#[must_use]
pub fn state_dir() -> Option<PathBuf> {
    xdg("XDG_STATE_HOME").or_else(|| {
        let dirs = directories::ProjectDirs::from("", "", "kiln")?;
        Some(dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned())
    })
}

/// kiln's configuration folder: `config.toml`, `themes/`.
#[must_use]
pub fn config_dir() -> Option<PathBuf> {
    xdg("XDG_CONFIG_HOME").or_else(|| Some(directories::ProjectDirs::from("", "", "kiln")?.config_dir().to_owned()))
}

/// kiln's cache folder: what can be lost.
#[must_use]
pub fn cache_dir() -> Option<PathBuf> {
    xdg("XDG_CACHE_HOME").or_else(|| Some(directories::ProjectDirs::from("", "", "kiln")?.cache_dir().to_owned()))
}

/// Name of this machine, as other tools show it; `localhost` when it has none.
#[must_use]
pub fn host_name() -> String {
    let from_file =
        || std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname"));
    let from_env = || std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME"));
    let name = from_file().ok().or_else(|| from_env().ok()).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".into() } else { name.into() }
}

/// The XDG rule: a relative path counts as unset. Honoured on every platform.
fn xdg(variable: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os(variable)?);
    path.is_absolute().then(|| path.join("kiln"))
}
