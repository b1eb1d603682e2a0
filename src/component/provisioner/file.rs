//! The `file` provisioner: files and folders to the machine and back.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::link::failure;
use super::script::check_file;
use crate::component::config::{decode, decode_known};
use crate::component::contract::{CheckContext, Done, Provisioner, StepContext, StepFuture};
use crate::component::late;
use crate::remote::Communicator;
use crate::run::Failure;
use crate::schema::{Component, Kind};
use crate::text::Diagnostic;
use crate::text::code::provisioner as code;

/// Sends files or folders to the machine, or fetches them. It works as the login user: what another user owns is sent to
/// `/tmp` first and put in its place by a `shell` provisioner.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// A file or folder; to send, relative to the working folder. A folder with a slash at its end stands for what is in
    /// it. To fetch, a slash at the end or a wildcard means a folder.
    #[schemars(extend("x-kiln-late" = []))]
    source: String,
    /// Several sources for the same destination.
    #[schemars(extend("x-kiln-late" = []))]
    sources: Vec<String>,
    /// Text to write into the destination, instead of a source.
    #[schemars(extend("x-kiln-late" = []))]
    content: String,
    /// Where to. With a slash at its end it is a folder, and the file keeps its name. Folders on the machine must exist.
    #[schemars(extend("x-kiln-late" = [], "x-kiln-required" = true))]
    destination: String,
    /// `upload` to the machine or `download` from it.
    #[schemars(extend("x-kiln-one-of" = ["upload", "download"]))]
    direction: String,
    /// The source is made during the run: that it does not exist yet is no mistake.
    generated: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            source: String::new(),
            sources: Vec::new(),
            content: String::new(),
            destination: String::new(),
            direction: "upload".into(),
            generated: false,
        }
    }
}

impl Config {
    fn sources(&self) -> Vec<&str> {
        let one = (!self.source.is_empty()).then_some(self.source.as_str());
        self.sources.iter().map(String::as_str).chain(one).collect()
    }

    fn downloads(&self) -> bool {
        self.direction == "download"
    }
}

/// The file that a text is written to has no other name than the destination; only its owner may read it, as in Packer.
const CONTENT_MODE: u32 = 0o600;

/// The `file` provisioner.
pub struct File;

impl Provisioner for File {
    fn schema(&self) -> Component {
        Component::from_struct::<Config>(Kind::Provisioner, "file")
    }

    fn check(&self, config: &Json, cx: &mut CheckContext<'_>) {
        let config: Config = decode_known(config);
        let is_unknown = ["source", "sources", "content"].into_iter().any(|f| cx.places.unknown(f));
        let has_source = !config.sources().is_empty();
        if !has_source && config.content.is_empty() && !is_unknown {
            let span = cx.places.key("");
            cx.diagnostics.push(
                Diagnostic::warning(code::NO_SOURCE, span, "there is nothing to send")
                    .help("add `source`, `sources` or `content`"),
            );
        }
        if !config.content.is_empty() {
            let span = cx.places.key("content");
            if has_source {
                let other = cx.places.key(if config.source.is_empty() { "sources" } else { "source" });
                cx.diagnostics.push(
                    Diagnostic::error(code::CONTENT_AND_SOURCE, span, "`content` and a source exclude each other")
                        .related(other, "the source is set here")
                        .help("keep one of them, or write a second `file` provisioner"),
                );
            } else if config.downloads() {
                cx.diagnostics.push(
                    Diagnostic::error(code::CONTENT_DOWNLOAD, span, "`content` cannot be downloaded")
                        .help("use `source`, or remove `direction`"),
                );
            } else if config.destination.ends_with('/') {
                let span = cx.places.value("destination");
                cx.diagnostics.push(
                    Diagnostic::error(code::CONTENT_NAME, span, "`content` needs a destination that names a file")
                        .help("write the file's name after the slash"),
                );
            }
        }
        if !config.downloads() && !config.generated {
            check_file("source", &config.source, cx);
            for (i, source) in config.sources.iter().enumerate() {
                check_file(&format!("sources.{i}"), source, cx);
            }
        }
    }

    fn title(&self, config: &Json) -> String {
        let config: Config = decode_known(config);
        let what = match config.sources().as_slice() {
            [] => "content".to_owned(),
            [only] => (*only).to_owned(),
            [first, others @ ..] => format!("{first} and {} more", others.len()),
        };
        format!("file: {what} => {}", config.destination)
    }

    fn files(&self, config: &Json) -> Vec<PathBuf> {
        let config: Config = decode_known(config);
        if config.downloads() || config.generated {
            return Vec::new();
        }
        config.sources().into_iter().filter(|s| !s.contains("{{")).map(PathBuf::from).collect()
    }

    fn run<'a>(&'a self, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(async move {
            let config: Config = decode(config)?;
            let machine = cx.communicator()?;
            let dot = late::dot(cx, []);
            let destination = late::render(cx, "destination", &config.destination, &dot)?;
            let mut sources = Vec::new();
            for source in config.sources() {
                sources.push(late::render(cx, "source", source, &dot)?);
            }
            if config.downloads() {
                for source in &sources {
                    download(source, &destination, &*machine, cx).await?;
                }
                return Ok(Done::Done);
            }
            if sources.is_empty() && !config.content.is_empty() {
                let content = late::render(cx, "content", &config.content, &dot)?;
                cx.say(format!("Uploading content => {destination}"));
                let sent = machine.upload_bytes(content.as_bytes(), &destination, CONTENT_MODE, &cx.cancel).await;
                sent.map_err(|e| failure(&e))?;
            }
            for source in &sources {
                upload(source, &destination, &*machine, cx).await?;
            }
            Ok(Done::Done)
        })
    }
}

async fn upload(source: &str, destination: &str, machine: &dyn Communicator, cx: &StepContext) -> Result<(), Failure> {
    cx.say(format!("Uploading {source} => {destination}"));
    let local = cx.cwd.join(source);
    let metadata = tokio::fs::metadata(&local).await.map_err(|e| {
        Failure::config(format!("`{source}` cannot be read: {e}")).help(
            "the file was there when the run began, or `generated` says that it would be made; check what makes it",
        )
    })?;
    let progress = |done: u64, total: u64| cx.progress(done, Some(total), "bytes", source);
    let sent = if metadata.is_dir() {
        machine.upload_dir(&local.to_string_lossy(), destination, &progress, &cx.cancel).await
    } else {
        let remote = match (destination.ends_with('/'), file_name(source)) {
            (true, Some(name)) => format!("{destination}{name}"),
            _ => destination.to_owned(),
        };
        machine.upload(&local, &remote, None, &progress, &cx.cancel).await
    };
    sent.map_err(|e| failure(&e))
}

async fn download(
    source: &str,
    destination: &str,
    machine: &dyn Communicator,
    cx: &StepContext,
) -> Result<(), Failure> {
    cx.say(format!("Downloading {source} => {destination}"));
    let local = cx.cwd.join(destination);
    let is_folder = source.ends_with('/') || source.contains(['*', '?', '[']);
    let (folder, file) = match (is_folder, destination.ends_with('/')) {
        (true, _) => (Some(local.as_path()), None),
        (false, true) => (Some(local.as_path()), file_name(source).map(|name| local.join(name))),
        (false, false) => (local.parent(), Some(local.clone())),
    };
    if let Some(folder) = folder {
        tokio::fs::create_dir_all(folder)
            .await
            .map_err(|e| Failure::config(format!("the folder {} cannot be made: {e}", folder.display())))?;
    }
    let progress = |done: u64, total: u64| cx.progress(done, Some(total), "bytes", source);
    let fetched = match file {
        None => machine.download_dir(source, &local, &progress, &cx.cancel).await,
        Some(file) => machine.download(source, &file, &progress, &cx.cancel).await,
    };
    fetched.map_err(|e| failure(&e))
}

fn file_name(path: &str) -> Option<&str> {
    Path::new(path).file_name().and_then(|name| name.to_str())
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
