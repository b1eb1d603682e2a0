//! The `file` builder: its artifact is a file. Good for trying post-processors out.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::component::config::{decode, decode_known};
use crate::component::contract::{
    Builder, CheckContext, Done, Learnt, Outline, OutlineStep, ResourceKind, StepContext, StepFuture, StepResult,
};
use crate::run::artifact::ArtifactFile;
use crate::run::{Artifact, Failure};
use crate::schema::{Component, Kind};
use crate::text::Diagnostic;
use crate::text::code::communicator as code;

/// Makes a file: a copy of `source`, or the text of `content`. No machine is needed.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// A file to copy.
    source: String,
    /// The text of the file.
    content: String,
    /// The file to make, relative to the working folder; what stands there is replaced.
    #[schemars(extend("x-kiln-required" = true))]
    target: String,
}

/// The `file` builder.
pub struct File;

const STEP: &str = "write";
const READS: &[&str] = &["source", "content", "target"];
/// What the step learnt: the file's size in bytes.
const SIZE: &str = "file_size";

impl Builder for File {
    fn schema(&self) -> Component {
        Component::from_struct::<Config>(Kind::Builder, "file")
    }

    fn check(&self, config: &Json, cx: &mut CheckContext<'_>) {
        let config: Config = decode_known(config);
        let unknown = cx.places.unknown("source") || cx.places.unknown("content");
        match (config.source.is_empty(), config.content.is_empty()) {
            (false, false) => {
                let (content, source) = (cx.places.key("content"), cx.places.key("source"));
                cx.diagnostics.push(
                    Diagnostic::error(code::FILE_BOTH, content, "`content` and `source` exclude each other")
                        .related(source, "`source` is set here")
                        .help("keep one of them"),
                );
            }
            (true, true) if !unknown => {
                let span = cx.places.key("");
                cx.diagnostics.push(
                    Diagnostic::warning(code::FILE_EMPTY, span, "the file will be empty")
                        .help("set `source` or `content`"),
                );
            }
            _ => {}
        }
    }

    fn outline(&self, config: &Json) -> Outline {
        let config: Config = decode_known(config);
        let write = OutlineStep { id: STEP, title: format!("Write {}", config.target), reads: READS };
        Outline { prepare: vec![write], finish: Vec::new() }
    }

    fn has_communicator(&self, _config: &Json) -> bool {
        false
    }

    fn files(&self, config: &Json) -> Vec<PathBuf> {
        let config: Config = decode_known(config);
        if config.source.is_empty() { Vec::new() } else { vec![config.source.into()] }
    }

    fn step<'a>(&'a self, id: &'a str, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(async move {
            match id {
                STEP => write(&decode(config)?, cx).await,
                other => Err(Failure::other(format!("the file builder has no step `{other}`"))),
            }
        })
    }

    fn reconnect<'a>(&'a self, _config: &'a Json, _cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(std::future::ready(Ok(Done::Done)))
    }

    fn artifact(&self, config: &Json, learnt: &Learnt) -> Option<Artifact> {
        let config: Config = decode_known(config);
        let size = learnt.get(SIZE).and_then(Json::as_u64).unwrap_or_default();
        Some(Artifact {
            builder_id: "packer.file".into(),
            id: "File".into(),
            description: format!("Stored file: {}", config.target),
            files: vec![ArtifactFile { path: config.target, size }],
            ..Artifact::default()
        })
    }

    fn resource_kinds(&self) -> Vec<&'static dyn ResourceKind> {
        Vec::new()
    }
}

async fn write(config: &Config, cx: &StepContext) -> StepResult {
    let target = cx.cwd.join(&config.target);
    if let Some(folder) = target.parent() {
        tokio::fs::create_dir_all(folder).await.map_err(|e| cannot("made", folder, &e))?;
    }
    let size = if config.source.is_empty() {
        tokio::fs::write(&target, &config.content).await.map_err(|e| cannot("written", &target, &e))?;
        u64::try_from(config.content.len()).unwrap_or(u64::MAX)
    } else {
        cx.say(format!("Copying {} to {}", config.source, config.target));
        let source = cx.cwd.join(&config.source);
        tokio::fs::copy(&source, &target)
            .await
            .map_err(|e| Failure::config(format!("{} cannot be copied to {}: {e}", config.source, config.target)))?
    };
    cx.learn(SIZE, &size).await?;
    Ok(Done::Done)
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::config(format!("{} cannot be {what}: {error}", path.display()))
}
