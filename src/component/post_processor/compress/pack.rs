//! Packs files; blocks, so it runs in a thread of its own.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Component, Path, PathBuf};

use super::super::base_name;
use super::super::meter::Meter;
use super::bgzf::Bgzf;
use super::{Algorithm, Archive, Method};
use crate::run::Failure;

/// What to pack, and where to.
pub(super) struct Job {
    /// As the artifact names them; relative ones to `cwd`.
    pub files: Vec<String>,
    pub cwd: PathBuf,
    pub target: String,
    pub method: Method,
    /// 1 to 9; `None`: the method's own choice.
    pub level: Option<u32>,
}

impl Job {
    pub(super) fn run(&self, meter: &mut Meter) -> Result<(), Failure> {
        if self.method.archive.is_none() && self.files.len() != 1 {
            let n = self.files.len();
            return Err(Failure::config(format!("`{}` can hold only one file, and there are {n}", self.target))
                .help("use an archive, such as `.tar.gz` or `.zip`"));
        }
        let target = self.cwd.join(&self.target);
        let cannot = |e: &io::Error| Failure::config(format!("{} cannot be written: {e}", self.target));
        if let Some(folder) = target.parent() {
            std::fs::create_dir_all(folder).map_err(|e| cannot(&e))?;
        }
        // The finished file appears under its name; half of one never does.
        let mut unfinished = target.as_os_str().to_owned();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        let packed = File::create(&unfinished)
            .and_then(|file| self.pack(file, meter))
            .map_err(|e| meter.failure(&format!("{} cannot be packed", self.target), &e));
        match packed {
            Ok(()) => std::fs::rename(&unfinished, &target).map_err(|e| cannot(&e)),
            Err(failure) => {
                let _ = std::fs::remove_file(&unfinished);
                Err(failure)
            }
        }
    }

    fn pack(&self, file: File, meter: &mut Meter) -> io::Result<()> {
        let out = BufWriter::with_capacity(1 << 16, file);
        if self.method.archive == Some(Archive::Zip) {
            return self.zip(out, meter);
        }
        match self.method.algorithm {
            None => finish(self.fill(out, meter)?),
            Some(Algorithm::Gzip) => {
                let level = self.level.map_or_else(flate2::Compression::default, flate2::Compression::new);
                finish(self.fill(flate2::write::GzEncoder::new(out, level), meter)?.finish()?)
            }
            Some(Algorithm::Bgzf) => {
                let level = self.level.map_or_else(flate2::Compression::default, flate2::Compression::new);
                finish(self.fill(Bgzf::new(out, level), meter)?.finish()?)
            }
            Some(Algorithm::Bzip2) => {
                let level = self.level.map_or(bzip2::Compression::new(9), bzip2::Compression::new);
                finish(self.fill(bzip2::write::BzEncoder::new(out, level), meter)?.finish()?)
            }
            Some(Algorithm::Xz) => {
                let encoder = xz2::write::XzEncoder::new(out, self.level.unwrap_or(6));
                finish(self.fill(encoder, meter)?.finish()?)
            }
            Some(Algorithm::Lz4) => {
                let encoder = lz4_flex::frame::FrameEncoder::new(out);
                finish(self.fill(encoder, meter)?.finish().map_err(io::Error::other)?)
            }
        }
    }

    /// Writes the archive, or the one file as it is.
    fn fill<W: Write>(&self, mut out: W, meter: &mut Meter) -> io::Result<W> {
        if self.method.archive.is_none() {
            for path in &self.files {
                let file = open(&self.cwd, path)?;
                io::copy(&mut meter.read(file, path), &mut out)?;
            }
            return Ok(out);
        }
        let mut archive = tar::Builder::new(out);
        for (path, name) in self.files.iter().zip(self.entry_names()) {
            let file = open(&self.cwd, path)?;
            let mut header = tar::Header::new_gnu();
            let metadata = file.metadata()?;
            header.set_metadata(&metadata);
            archive.append_data(&mut header, name, meter.read(io::Read::take(file, metadata.len()), path))?;
        }
        archive.into_inner()
    }

    fn zip(&self, out: BufWriter<File>, meter: &mut Meter) -> io::Result<()> {
        let mut archive = zip::ZipWriter::new(out);
        for (path, name) in self.files.iter().zip(self.entry_names()) {
            let file = open(&self.cwd, path)?;
            let is_large = file.metadata()?.len() >= u64::from(u32::MAX);
            let options = zip::write::SimpleFileOptions::default()
                .compression_method(zip::CompressionMethod::Deflated)
                .compression_level(self.level.map(i64::from))
                .large_file(is_large);
            archive.start_file(name, options)?;
            io::copy(&mut meter.read(file, path), &mut archive)?;
        }
        finish(archive.finish()?)
    }

    /// Files go in by their names alone, as Packer's do; where two have the same, by their paths.
    fn entry_names(&self) -> Vec<String> {
        let unique: BTreeSet<&str> = self.files.iter().map(|f| base_name(f)).collect();
        let clash = unique.len() < self.files.len();
        let name = |path: &String| if clash { inside(path) } else { base_name(path).to_owned() };
        self.files.iter().map(name).collect()
    }
}

/// A path that cannot lead out of the folder that the archive is unpacked in.
fn inside(path: &str) -> String {
    let parts = Path::new(path).components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy()),
        _ => None,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn open(cwd: &Path, path: &str) -> io::Result<File> {
    File::open(cwd.join(path)).map_err(|e| io::Error::new(e.kind(), format!("{path}: {e}")))
}

/// On disk, so that the input may be removed.
fn finish(out: BufWriter<File>) -> io::Result<()> {
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}
