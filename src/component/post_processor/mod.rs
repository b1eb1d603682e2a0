//! The post-processors; see the contract in [`super::contract`].

pub mod artifice;
pub mod checksum;
pub mod compress;
pub mod manifest;
mod meter;
pub mod shell_local;

use std::path::Path;

use crate::run::artifact::ArtifactFile;

/// Files as an artifact lists them: the path as the user knows it, the size as it is now (0 when it cannot be told).
fn listed(paths: impl IntoIterator<Item = String>, cwd: &Path) -> Vec<ArtifactFile> {
    paths
        .into_iter()
        .map(|path| {
            let size = std::fs::metadata(cwd.join(&path)).map_or(0, |m| m.len());
            ArtifactFile { path, size }
        })
        .collect()
}

/// `a, b`, as the end of a sentence.
fn names(files: &[ArtifactFile]) -> String {
    let names: Vec<&str> = files.iter().map(|f| f.path.as_str()).collect();
    names.join(", ")
}

/// The last part of a path; the whole of it where there is none.
fn base_name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}
