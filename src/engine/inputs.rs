//! What a run was made from, kept in its folder: the template, the var-files and the local files that its steps send.

mod mask;

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
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
    /// File name and text of each file of the template. Secrets in it are masked before they are written.
    pub templates: Vec<(String, String)>,
    /// Path and text of each var-file, masked likewise.
    pub var_files: Vec<(String, String)>,
}

/// Files up to this many bytes are copied.
const COPIED_UP_TO: u64 = 1 << 20;
/// Larger files than copied ones are summed up to this many bytes in all; the launch waits for it.
const SUMMED_UP_TO: u64 = 64 << 20;
/// So many files of one folder are looked at.
const FILES_OF_A_FOLDER: usize = 10_000;

/// A line of `inputs/files.json`.
#[derive(Serialize)]
struct Sent {
    path: String,
    /// Bytes.
    size: u64,
    /// When it was last changed, in nanoseconds since 1970.
    modified: u64,
    /// SHA-256 in hex; of the file as it was, also where the copy is masked. None for the largest files, whose sum the
    /// transfer makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    /// The copy, below `inputs/`: `files/NAME`, or NAME in `folders.tar` for what is in a folder that is sent whole. None
    /// for larger files.
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
    for (name, text) in &inputs.templates {
        private_file::write(&dir.join(base(name, "template.json")), mask(text).as_bytes())?;
    }
    for (i, (path, text)) in inputs.var_files.iter().enumerate() {
        let name = format!("var-file-{}-{}", i + 1, base(path, "vars.json"));
        private_file::write(&dir.join(name), mask(text).as_bytes())?;
    }
    let steps = plan.builds.iter().flat_map(|b| b.steps.iter().chain(&b.error_cleanup));
    let named: BTreeSet<&String> = steps.flat_map(|s| &s.files).collect();
    let named_alone: BTreeSet<PathBuf> = named.iter().map(PathBuf::from).collect();
    let mut paths = Vec::new();
    for path in named {
        walk(Path::new(path), &mut paths);
    }
    let mut copies = Copies { dir: &dir, folders: None, to_sum: SUMMED_UP_TO };
    let mut sent = Vec::new();
    for path in paths {
        let is_named = named_alone.contains(&path);
        if let Ok(file) = copies.keep(sent.len() + 1, &path, is_named, redactor) {
            sent.push(file);
        }
    }
    copies.finish()?;
    let list = serde_json::to_vec_pretty(&sent)?;
    private_file::write(&dir.join("files.json"), &list)
}

/// Where the copies go.
struct Copies<'a> {
    dir: &'a Path,
    /// Made for the first file of a folder: making a thousand files would hold up the launch.
    folders: Option<tar::Builder<std::fs::File>>,
    /// How many bytes of larger files may still be read.
    to_sum: u64,
}

impl Copies<'_> {
    /// Looks at a file, and copies it where it is small.
    fn keep(&mut self, number: usize, path: &Path, is_named: bool, redactor: &Redactor) -> io::Result<Sent> {
        let mut file = std::fs::File::open(path)?;
        let about = file.metadata()?;
        let size = about.len();
        let modified = about.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let modified = u64::try_from(modified.as_nanos()).unwrap_or(u64::MAX);
        let mut sent = Sent { path: path.to_string_lossy().into_owned(), size, modified, digest: None, copy: None };
        let mut digest = Sha256::new();
        if size <= COPIED_UP_TO {
            let mut bytes = Vec::new();
            file.take(COPIED_UP_TO + 1).read_to_end(&mut bytes)?;
            digest.update(&bytes);
            let masked = match std::str::from_utf8(&bytes) {
                Ok(text) => redactor.text(text).map(String::into_bytes),
                // What is no text and holds a secret all the same stays out.
                Err(_) => redactor.finds(&bytes).then(Vec::new),
            };
            let name = format!("{number}-{}", base(&sent.path, "file"));
            sent.copy = Some(self.copy(&name, masked.as_deref().unwrap_or(&bytes), is_named)?);
        } else if size <= self.to_sum {
            self.to_sum -= size;
            let mut block = vec![0; 1 << 16];
            loop {
                let read = file.read(&mut block)?;
                if read == 0 {
                    break;
                }
                digest.update(&block[..read]);
            }
        } else {
            return Ok(sent);
        }
        sent.digest = Some(hex(&digest.finalize()));
        Ok(sent)
    }

    /// Writes a copy; gives its place.
    fn copy(&mut self, name: &str, bytes: &[u8], is_named: bool) -> io::Result<String> {
        if is_named {
            let place = format!("files/{name}");
            private_file::create_new(&self.dir.join(&place)).and_then(|mut copy| copy.write_all(bytes))?;
            return Ok(place);
        }
        let folders = if let Some(folders) = &mut self.folders {
            folders
        } else {
            let file = private_file::create_new(&self.dir.join("folders.tar"))?;
            self.folders.insert(tar::Builder::new(file))
        };
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        folders.append_data(&mut header, name, bytes)?;
        Ok(format!("folders.tar/{name}"))
    }

    fn finish(self) -> io::Result<()> {
        self.folders.map_or(Ok(()), |folders| folders.into_inner().map(|_| ()))
    }
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
