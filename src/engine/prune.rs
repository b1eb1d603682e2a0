//! Takes old runs away.

use std::path::Path;

use super::read;
use crate::os::lock::Lock;

/// Deletes all but the `keep` newest runs. One that lives, or that left something behind, stays whatever its age.
pub(super) fn prune(runs: &Path, keep: usize) {
    let Ok(entries) = std::fs::read_dir(runs) else { return };
    let mut names: Vec<_> = entries.filter_map(|e| e.ok().map(|e| e.file_name())).collect();
    // Names sort by time.
    names.sort_unstable();
    let old = names.len().saturating_sub(keep);
    for name in names.into_iter().take(old) {
        let dir = runs.join(name);
        if Lock::is_held(&dir.join("lock")) {
            continue;
        }
        if read::state(&dir).is_ok_and(|state| state.left().next().is_none()) {
            // What cannot be deleted is tried again by the next run.
            let _ = std::fs::remove_dir_all(&dir);
        }
    }
}
