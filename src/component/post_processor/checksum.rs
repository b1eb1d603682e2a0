//! The `checksum` post-processor.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::Digest;

use super::meter::{Meter, blocking};
use super::{base_name, listed, names};
use crate::component::config::{decode, decode_known};
use crate::component::contract::{CheckContext, PostProcessed, PostProcessor, StepContext};
use crate::component::late;
use crate::run::{Artifact, Failure};
use crate::schema::{Component, Kind};
use crate::text::Diagnostic;
use crate::text::code::post_processor as code;

/// Writes the checksums of the artifact's files into a file, one line each: the sum in hex, a tab, the file's name. An image
/// has no files: there is nothing to write then.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// `md5`, `sha1`, `sha224`, `sha256`, `sha384`, `sha512`.
    checksum_types: Vec<String>,
    /// The file to write, relative to the working folder; what it holds already is kept.
    #[schemars(extend("x-kiln-late" = ["BuildName", "BuilderType", "ChecksumType"]))]
    output: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            checksum_types: vec!["md5".into()],
            output: "packer_{{.BuildName}}_{{.BuilderType}}_{{.ChecksumType}}.checksum".into(),
        }
    }
}

const TYPES: [&str; 6] = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"];

/// The `checksum` post-processor.
pub struct Checksum;

impl PostProcessor for Checksum {
    fn schema(&self) -> Component {
        Component::from_struct::<Config>(Kind::PostProcessor, "checksum")
    }

    fn check(&self, config: &Json, cx: &mut CheckContext<'_>) {
        let config: Config = decode_known(config);
        for (i, name) in config.checksum_types.iter().enumerate().filter(|(_, n)| !TYPES.contains(&n.as_str())) {
            let span = cx.places.value(&format!("checksum_types.{i}"));
            let help = crate::text::diagnostic::did_you_mean(name, TYPES).map_or_else(
                || format!("the types are {}", TYPES.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            cx.diagnostics.push(
                Diagnostic::error(code::CHECKSUM_TYPE, span, format!("`{name}` is no kind of checksum")).help(help),
            );
        }
    }

    fn destroys_input(&self, _config: &Json, _keep: Option<bool>) -> bool {
        false
    }

    fn run<'a>(
        &'a self,
        config: &'a Json,
        input: &'a Artifact,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<PostProcessed, Failure>> {
        Box::pin(async move {
            let config: Config = decode(config)?;
            let mut outputs = Vec::new();
            for name in &config.checksum_types {
                let dot = late::dot(
                    cx,
                    [
                        ("BuildName", cx.build.name.clone()),
                        ("BuilderType", cx.build.builder_type.clone()),
                        ("ChecksumType", name.clone()),
                    ],
                );
                outputs.push((name.clone(), late::render(cx, "output", &config.output, &dot)?));
            }
            let mut paths: Vec<String> = input.files.iter().map(|f| f.path.clone()).collect();
            if paths.is_empty() {
                cx.detail("The artifact has no files: there is nothing to sum up");
                return Ok(kept(Artifact { builder_id: BUILDER_ID.into(), ..input.clone() }));
            }
            let (files, cwd, outputs_there) = (paths.clone(), cx.cwd.clone(), outputs.clone());
            let total = input.files.iter().map(|f| f.size).sum();
            let mut meter = Meter::new(cx, total);
            blocking(move || write_all(&files, &outputs_there, &cwd, &mut meter)).await?;
            let made: BTreeSet<String> = outputs.into_iter().map(|(_, path)| path).collect();
            paths.extend(made);
            let files = listed(paths, &cx.cwd);
            Ok(kept(Artifact {
                builder_id: BUILDER_ID.into(),
                description: format!("Created artifact from files: {}", names(&files)),
                files,
                ..Artifact::default()
            }))
        })
    }
}

const BUILDER_ID: &str = "packer.post-processor.checksum";

fn kept(artifact: Artifact) -> PostProcessed {
    PostProcessed { artifact: Some(artifact), keep: true, force_keep: true }
}

/// Reads each file once, for all sums.
fn write_all(files: &[String], outputs: &[(String, String)], cwd: &Path, meter: &mut Meter) -> Result<(), Failure> {
    let mut lines = vec![String::new(); outputs.len()];
    for file in files {
        let mut sums: Vec<Sum> = outputs.iter().filter_map(|(name, _)| Sum::of(name)).collect();
        let opened = std::fs::File::open(cwd.join(file));
        let opened = opened.map_err(|e| Failure::other(format!("{file} cannot be read: {e}")))?;
        let mut reader = meter.read(opened, file);
        let mut buffer = vec![0; 1 << 16];
        let end = loop {
            match reader.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(n) => sums.iter_mut().for_each(|sum| sum.update(&buffer[..n])),
                Err(error) => break Err(error),
            }
        };
        end.map_err(|e| meter.failure(&format!("{file} cannot be read"), &e))?;
        for (line, sum) in lines.iter_mut().zip(sums) {
            line.push_str(&format!("{}\t{}\n", sum.hex(), base_name(file)));
        }
    }
    for ((_, output), lines) in outputs.iter().zip(lines) {
        let path = cwd.join(output);
        let write = || {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            OpenOptions::new().create(true).append(true).open(&path)?.write_all(lines.as_bytes())
        };
        write().map_err(|e| Failure::other(format!("{output} cannot be written: {e}")))?;
    }
    Ok(())
}

enum Sum {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha224(sha2::Sha224),
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

impl Sum {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "md5" => Self::Md5(md5::Md5::new()),
            "sha1" => Self::Sha1(sha1::Sha1::new()),
            "sha224" => Self::Sha224(sha2::Sha224::new()),
            "sha256" => Self::Sha256(sha2::Sha256::new()),
            "sha384" => Self::Sha384(sha2::Sha384::new()),
            "sha512" => Self::Sha512(sha2::Sha512::new()),
            _ => return None,
        })
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(sum) => sum.update(bytes),
            Self::Sha1(sum) => sum.update(bytes),
            Self::Sha224(sum) => sum.update(bytes),
            Self::Sha256(sum) => sum.update(bytes),
            Self::Sha384(sum) => sum.update(bytes),
            Self::Sha512(sum) => sum.update(bytes),
        }
    }

    fn hex(self) -> String {
        let bytes = match self {
            Self::Md5(sum) => sum.finalize().to_vec(),
            Self::Sha1(sum) => sum.finalize().to_vec(),
            Self::Sha224(sum) => sum.finalize().to_vec(),
            Self::Sha256(sum) => sum.finalize().to_vec(),
            Self::Sha384(sum) => sum.finalize().to_vec(),
            Self::Sha512(sum) => sum.finalize().to_vec(),
        };
        late::hex(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::component::testing::{Checked, context};

    #[tokio::test]
    async fn each_sum_is_a_line_with_the_file_s_name_after_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("d")).unwrap();
        std::fs::write(folder.path().join("d/abc"), "abc").unwrap();
        std::fs::write(folder.path().join("out"), "before\n").unwrap();
        let (cx, _) = context(folder.path());
        let input = Artifact { files: listed(["d/abc".into()], folder.path()), ..Artifact::default() };
        let config = json!({"checksum_types": TYPES, "output": "out"});
        let done = Checksum.run(&config, &input, &cx).await.unwrap();
        let lines = std::fs::read_to_string(folder.path().join("out")).unwrap();
        let lines: Vec<&str> = lines.lines().collect();
        assert_eq!(lines.len(), 7);
        assert_eq!(lines[0], "before");
        // The sums of "abc" that the standards give.
        assert_eq!(lines[1], "900150983cd24fb0d6963f7d28e17f72\tabc");
        assert_eq!(lines[2], "a9993e364706816aba3e25717850c26c9cd0d89d\tabc");
        assert_eq!(lines[3], "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7\tabc");
        assert_eq!(lines[4], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\tabc");
        assert!(lines[5].starts_with("cb00753f45a35e8b"));
        assert!(lines[6].starts_with("ddaf35a193617aba"));
        assert!(done.keep && done.force_keep);
        assert_eq!(done.artifact.unwrap().description, "Created artifact from files: d/abc, out");
    }

    #[tokio::test]
    async fn an_image_has_nothing_to_sum_up() {
        let folder = tempfile::tempdir().unwrap();
        let (cx, _) = context(folder.path());
        let input = Artifact { id: "r:ami-1".into(), ..Artifact::default() };
        let done = Checksum.run(&json!({"output": "out"}), &input, &cx).await.unwrap();
        assert_eq!(done.artifact.unwrap().id, "r:ami-1");
        assert!(!folder.path().join("out").exists());
    }

    #[test]
    fn an_unknown_kind_is_reported_with_a_suggestion() {
        let checked = Checked::of(|cx| Checksum.check(&json!({"checksum_types": ["sha265"]}), cx));
        assert_eq!(checked.codes(), ["K0902"]);
        assert_eq!(checked.0[0].help.as_deref(), Some("did you mean `sha256`?"));
    }
}
