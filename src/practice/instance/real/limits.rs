//! Memory and process limits of a machine: a control group of its own, of either version, where this process may make one.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::super::machine::Limits;

const ROOT: &str = "/sys/fs/cgroup";
const PREFIX: &str = "kiln-practice-";

/// A machine's control groups; they go when it does.
#[derive(Debug, Default)]
pub struct Groups(Vec<PathBuf>);

impl Drop for Groups {
    fn drop(&mut self) {
        for folder in &self.0 {
            // Where a process takes its time to end, the next kiln sweeps.
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Groups {
    /// Makes what can be made.
    pub fn make(instance_id: &str, limits: Limits) -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut made = Vec::new();
        for parent in parents(&own) {
            let folder = parent.path.join(format!("{PREFIX}{}-{instance_id}", std::process::id()));
            let settings = parent.settings(limits);
            if settings.is_empty() || fs::create_dir(&folder).is_err() {
                continue;
            }
            if settings.iter().any(|(file, value)| fs::write(folder.join(file), value).is_err()) {
                let _ = fs::remove_dir(&folder);
                continue;
            }
            made.push(folder);
        }
        Self(made)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The files that a process writes itself to.
    pub fn entries(&self) -> Vec<String> {
        self.0.iter().map(|folder| folder.join("cgroup.procs").display().to_string()).collect()
    }

    pub fn add(&self, pid: i32) {
        for entry in self.entries() {
            let _ = fs::write(entry, pid.to_string());
        }
    }
}

/// Where a group can be made, and for what.
#[derive(Debug, PartialEq, Eq)]
struct Parent {
    path: PathBuf,
    controllers: Vec<String>,
    version: u8,
}

impl Parent {
    fn settings(&self, limits: Limits) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        let has = |name: &str| self.controllers.iter().any(|there| there == name);
        if let Some(mib) = limits.memory_mib.filter(|_| has("memory")) {
            let bytes = mib.saturating_mul(1 << 20).to_string();
            settings.push((if self.version == 2 { "memory.max" } else { "memory.limit_in_bytes" }, bytes));
        }
        if let Some(processes) = limits.processes.filter(|_| has("pids")) {
            settings.push(("pids.max", processes.to_string()));
        }
        settings
    }
}

/// From `/proc/self/cgroup`: lines of number, controllers and path.
fn parents(own: &str) -> Vec<Parent> {
    let mut found = Vec::new();
    for line in own.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let path = path.trim_start_matches('/');
        if controllers.is_empty() {
            // Version 2: processes are in leaves only, so beside one's own group, or below the root.
            let beside = Path::new(ROOT).join(path);
            let beside =
                if path.is_empty() { beside } else { beside.parent().map_or(beside.clone(), Path::to_path_buf) };
            let there = fs::read_to_string(beside.join("cgroup.subtree_control")).unwrap_or_default();
            let controllers = there.split_whitespace().map(str::to_owned).collect();
            found.push(Parent { path: beside, controllers, version: 2 });
        } else if matches!(controllers, "memory" | "pids") {
            let path = Path::new(ROOT).join(controllers).join(path);
            found.push(Parent { path, controllers: vec![controllers.to_owned()], version: 1 });
        }
    }
    found
}

/// Removes what killed kilns left; groups with processes stay by themselves.
pub fn sweep() {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    for parent in parents(&own) {
        let Ok(entries) = fs::read_dir(&parent.path) else { continue };
        for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
            let owner = entry.file_name().to_string_lossy()[PREFIX.len()..].split('-').next().map(str::to_owned);
            if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
                let _ = fs::remove_dir(entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_1_has_a_tree_for_each_controller() {
        let found = parents("9:pids:/a\n4:memory:/\n3:cpu,cpuacct:/\n");
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].path, Path::new("/sys/fs/cgroup/pids/a"));
        let limits = Limits { memory_mib: Some(1), processes: Some(5), disk_mib: None };
        assert_eq!(found[0].settings(limits), [("pids.max", "5".to_owned())]);
        assert_eq!(found[1].settings(limits), [("memory.limit_in_bytes", "1048576".to_owned())]);
    }
}
