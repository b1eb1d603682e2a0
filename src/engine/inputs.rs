//! What a run was made from, kept in its folder: the template, the var-files and the local files that its steps send.

mod mask;

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::names::hex;
use super::redact::Redactor;
use crate::os::private_file;
use crate::run::Plan;

/// What the plan was made from, for whoever opens the run later.
#[derive(Clone, Debug, Default)]
pub struct RunInputs {
    /// File name and text of the template. Secrets in it are masked before they are written.
    pub template: (String, String),
    /// Path and text of each var-file, masked likewise.
    pub var_files: Vec<(String, String)>,
}

/// Files up to this many bytes are copied.
const COPIED_UP_TO: u64 = 1 << 20;
/// So many files of one folder are looked at.
const FILES_OF_A_FOLDER: usize = 10_000;

/// A line of `inputs/files.json`.
#[derive(Serialize)]
struct Sent {
    path: String,
    /// Bytes.
    size: u64,
    /// SHA-256 in hex; of the file as it was, also where the copy is masked.
    digest: String,
    /// Name of the copy in `inputs/files/`; none for larger files.
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<String>,
}

/// Writes `inputs/` of a run. A file that is missing or unreadable is left out: the step that sends it will say so.
///
/// `sensitive`: names of variables whose values are taken out wherever they stand.
pub(super) fn write(
    dir: &Path,
    inputs: &RunInputs,
    plan: &Plan,
    redactor: &Redactor,
    sensitive: &BTreeSet<&str>,
) -> io::Result<()> {
    let dir = dir.join("inputs");
    private_file::create_dir(&dir.join("files"))?;
    let mask = |text: &str| {
        let text = mask::values(text, sensitive);
        redactor.text(&text).unwrap_or(text)
    };
    let (name, text) = &inputs.template;
    private_file::write(&dir.join(base(name, "template.json")), mask(text).as_bytes())?;
    for (i, (path, text)) in inputs.var_files.iter().enumerate() {
        let name = format!("var-file-{}-{}", i + 1, base(path, "vars.json"));
        private_file::write(&dir.join(name), mask(text).as_bytes())?;
    }
    let steps = plan.builds.iter().flat_map(|b| b.steps.iter().chain(&b.error_cleanup));
    let named: BTreeSet<&String> = steps.flat_map(|s| &s.files).collect();
    let mut paths = Vec::new();
    for path in named {
        walk(Path::new(path), &mut paths);
    }
    let mut sent = Vec::new();
    for path in paths {
        if let Ok(file) = keep(&dir, sent.len() + 1, &path, redactor) {
            sent.push(file);
        }
    }
    let list = serde_json::to_vec_pretty(&sent)?;
    private_file::write(&dir.join("files.json"), &list)
}

fn keep(dir: &Path, number: usize, path: &Path, redactor: &Redactor) -> io::Result<Sent> {
    let mut file = std::fs::File::open(path)?;
    let size = file.metadata()?.len();
    let mut sent = Sent { path: path.to_string_lossy().into_owned(), size, digest: String::new(), copy: None };
    let mut digest = Sha256::new();
    if size <= COPIED_UP_TO {
        let mut bytes = Vec::new();
        file.take(COPIED_UP_TO + 1).read_to_end(&mut bytes)?;
        digest.update(&bytes);
        // What is no text and holds a secret all the same stays out.
        let masked = match std::str::from_utf8(&bytes) {
            Ok(text) => redactor.text(text).map(String::into_bytes),
            Err(_) => redactor.text(&String::from_utf8_lossy(&bytes)).map(|_| Vec::new()),
        };
        let name = format!("{number}-{}", base(&sent.path, "file"));
        private_file::create_new(&dir.join("files").join(&name))
            .and_then(|mut copy| io::Write::write_all(&mut copy, masked.as_deref().unwrap_or(&bytes)))?;
        sent.copy = Some(name);
    } else {
        let mut block = vec![0; 1 << 16];
        loop {
            let read = file.read(&mut block)?;
            if read == 0 {
                break;
            }
            digest.update(&block[..read]);
        }
    }
    sent.digest = hex(&digest.finalize());
    Ok(sent)
}

fn walk(path: &Path, paths: &mut Vec<PathBuf>) {
    if paths.len() >= FILES_OF_A_FOLDER {
        return;
    }
    match std::fs::read_dir(path) {
        Ok(entries) => {
            let mut entries: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
            entries.sort();
            // A link to a folder may lead back here.
            entries.retain(|e| !e.is_symlink() || e.is_file());
            for entry in &entries {
                walk(entry, paths);
            }
        }
        Err(_) if path.is_file() => paths.push(path.into()),
        Err(_) => {}
    }
}

/// The last part of a path, harmless as a file name.
fn base(path: &str, or: &str) -> String {
    let last = path.rsplit(['/', '\\']).next().unwrap_or_default();
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = last.chars().map(safe).take(80).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() || name == "files" || name == "files.json" { or.into() } else { name.into() }
}
