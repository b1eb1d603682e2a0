//! Names of a build's files in the folder of a run: harmless, short and unique, whatever the template calls the build.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::run::{Attempt, BuildId};

/// The longest that a build's part of a file name gets, in bytes.
const LONGEST: usize = 80;

/// The file names of a plan's builds.
#[derive(Clone, Debug, Default)]
pub struct LogNames(BTreeMap<BuildId, String>);

impl LogNames {
    pub fn of<'a>(builds: impl IntoIterator<Item = &'a BuildId>) -> Self {
        // Some file systems do not tell `Web` from `web`.
        let mut taken = BTreeSet::new();
        let mut names = BTreeMap::new();
        for build in builds {
            let mut name = file_name(build.as_str());
            if !taken.insert(name.to_lowercase()) {
                name = with_digest(&name, build.as_str());
                taken.insert(name.to_lowercase());
            }
            names.insert(build.clone(), name);
        }
        Self(names)
    }

    /// Name of the log of an attempt, in the run's folder.
    #[must_use]
    pub fn log(&self, build: &BuildId, attempt: Attempt) -> String {
        let name = self.0.get(build).cloned().unwrap_or_else(|| with_digest("", build.as_str()));
        format!("{name}.{attempt}.log")
    }
}

/// Percent-encoded: letters, digits, `-`, `_` and inner dots stay.
fn file_name(build: &str) -> String {
    let mut name = String::new();
    for (at, byte) in build.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && at > 0) {
            name.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(name, "%{byte:02X}");
        }
    }
    if name.len() > LONGEST || name.is_empty() { with_digest(&name, build) } else { name }
}

fn with_digest(name: &str, build: &str) -> String {
    let digest = Sha256::digest(build.as_bytes());
    let mut short: String = name.chars().take(LONGEST - 13).collect();
    short.push('-');
    short.push_str(&hex(&digest[..6]));
    short
}

/// Bytes as a file name, or a digest, shows them.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(builds: &[&str]) -> Vec<String> {
        let ids: Vec<BuildId> = builds.iter().map(|b| BuildId::from(*b)).collect();
        let names = LogNames::of(&ids);
        ids.iter().map(|id| names.log(id, 2)).collect()
    }

    #[test]
    fn usual_names_stay_as_they_are() {
        assert_eq!(names(&["amazon-ebs", "amazon-ebs.web_1"]), ["amazon-ebs.2.log", "amazon-ebs.web_1.2.log"]);
    }

    #[test]
    fn a_name_cannot_leave_its_folder() {
        assert_eq!(names(&["../x", "a/../b", "."]), ["%2E.%2Fx.2.log", "a%2F..%2Fb.2.log", "%2E.2.log"]);
    }

    #[test]
    fn long_names_are_cut_and_differ_still() {
        let (a, b) = ("n".repeat(300), format!("{}m", "n".repeat(299)));
        let names = names(&[&a, &b]);
        assert_ne!(names[0], names[1]);
        assert!(names.iter().all(|n| n.len() < 100), "{names:?}");
    }

    #[test]
    fn names_that_differ_in_case_only_get_different_files() {
        let names = names(&["Web", "web"]);
        assert_eq!(names[0], "Web.2.log");
        assert_ne!(names[1].to_lowercase(), "web.2.log");
    }
}
