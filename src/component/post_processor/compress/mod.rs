//! The `compress` post-processor: packs the artifact's files.

mod bgzf;
mod pack;
#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::listed;
use super::meter::{Meter, blocking};
use crate::component::config::decode;
use crate::component::contract::{CheckContext, PostProcessed, PostProcessor, StepContext};
use crate::component::late;
use crate::run::{Artifact, Failure};
use crate::schema::{Component, Kind};

/// Packs the artifact's files into an archive or compresses a single one; the files themselves are then removed unless
/// `keep_input_artifact` is true. An image has no files: to pack something after a build, put `artifice` before this.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The file to make, relative to the working folder. Its name says how: `.tar`, `.tar.gz`, `.zip`, `.gz`, `.lz4`,
    /// `.bgzf`, `.bzip2`, `.xz` or the last ones after `.tar`; any other name gives a `tar` with gzip.
    #[schemars(extend("x-kiln-late" = ["BuildName", "BuilderType"]))]
    output: String,
    /// Says how to pack whatever the name says, such as `tar.gz`.
    format: String,
    /// From 1, fast, to 9, small; 0 and -1 are the method's own choice.
    #[schemars(range(min = -1))]
    compression_level: i32,
    /// Packer derives it from the file's name.
    #[schemars(extend("x-kiln-deprecated" = "use `output` or `format`; it has no effect"))]
    archive: String,
    /// Packer derives it from the file's name.
    #[schemars(extend("x-kiln-deprecated" = "use `output` or `format`; it has no effect"))]
    algorithm: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            output: "packer_{{.BuildName}}_{{.BuilderType}}".into(),
            format: String::new(),
            compression_level: -1,
            archive: String::new(),
            algorithm: String::new(),
        }
    }
}

/// How files become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Archive {
    Tar,
    Zip,
}

/// How bytes become fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Gzip,
    Bgzf,
    Bzip2,
    Lz4,
    Xz,
}

/// What a name asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Method {
    /// `None`: exactly one file is compressed as it is.
    archive: Option<Archive>,
    algorithm: Option<Algorithm>,
}

impl Method {
    /// By the last one or two endings, as Packer does.
    fn of(name: &str) -> Self {
        let base = super::base_name(name);
        let mut endings = base.rsplit('.');
        let last = endings.next().unwrap_or_default();
        let in_tar = endings.next() == Some("tar") && base.contains('.');
        let algorithm = match last {
            "tar" => return Self { archive: Some(Archive::Tar), algorithm: None },
            "zip" => return Self { archive: Some(Archive::Zip), algorithm: None },
            "gz" => Algorithm::Gzip,
            "bgzf" => Algorithm::Bgzf,
            "bzip2" | "bz2" => Algorithm::Bzip2,
            "lz4" => Algorithm::Lz4,
            "xz" => Algorithm::Xz,
            _ => return Self { archive: Some(Archive::Tar), algorithm: Some(Algorithm::Gzip) },
        };
        Self { archive: in_tar.then_some(Archive::Tar), algorithm: Some(algorithm) }
    }
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bgzf => "bgzf",
            Self::Bzip2 => "bzip2",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
        }
    }
}

/// The `compress` post-processor.
pub struct Compress;

impl PostProcessor for Compress {
    fn schema(&self) -> Component {
        Component::from_struct::<Config>(Kind::PostProcessor, "compress")
    }

    fn check(&self, _config: &Json, _cx: &mut CheckContext<'_>) {}

    fn destroys_input(&self, _config: &Json, keep: Option<bool>) -> bool {
        keep != Some(true)
    }

    fn run<'a>(
        &'a self,
        config: &'a Json,
        input: &'a Artifact,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<PostProcessed, Failure>> {
        Box::pin(async move {
            let config: Config = decode(config)?;
            if !input.images.is_empty() && cx.step.meta.keep_input_artifact != Some(true) {
                return Err(Failure::config("`compress` would deregister the images and delete their snapshots")
                    .help("set `keep_input_artifact` to true, or put `artifice` before it in the chain"));
            }
            if input.files.is_empty() {
                cx.warn("The artifact has no files: there is nothing to compress");
                return Ok(PostProcessed { artifact: Some(input.clone()), keep: true, force_keep: true });
            }
            let names = [("BuildName", cx.build.name.clone()), ("BuilderType", cx.build.builder_type.clone())];
            let target = late::render(cx, "output", &config.output, &late::dot(cx, names))?;
            let method = match config.format.as_str() {
                "" => Method::of(&target),
                format => Method::of(&format!("{target}.{format}")),
            };
            say_what(method, &target, cx);
            let job = pack::Job {
                files: input.files.iter().map(|f| f.path.clone()).collect(),
                cwd: cx.cwd.clone(),
                target: target.clone(),
                method,
                level: u32::try_from(config.compression_level).ok().filter(|&l| l > 0).map(|l| l.min(9)),
            };
            let mut meter = Meter::new(cx, input.files.iter().map(|f| f.size).sum());
            blocking(move || job.run(&mut meter)).await?;
            cx.say(format!("Archive {target} completed"));
            let artifact = Artifact {
                builder_id: "packer.post-processor.compress".into(),
                description: format!("compressed artifacts in: {target}"),
                files: listed([target], &cx.cwd),
                ..Artifact::default()
            };
            Ok(PostProcessed { artifact: Some(artifact), keep: false, force_keep: false })
        })
    }
}

fn say_what(method: Method, target: &str, cx: &StepContext) {
    if let Some(algorithm) = method.algorithm {
        cx.say(format!("Using {} compression for {target}", algorithm.name()));
    }
    match (method.archive, method.algorithm) {
        (Some(Archive::Tar), Some(algorithm)) => cx.say(format!("Tarring {target} with {}", algorithm.name())),
        (Some(Archive::Tar), None) => cx.say(format!("Tarring {target}")),
        (Some(Archive::Zip), _) => cx.say(format!("Zipping {target}")),
        (None, _) => {}
    }
}
