//! The `artifice` post-processor: puts files in the place of the artifact.

use std::path::Path;

use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{listed, names};
use crate::component::config::{decode, decode_known};
use crate::component::contract::{CheckContext, PostProcessed, PostProcessor, StepContext};
use crate::run::{Artifact, Failure};
use crate::schema::{Component, Kind};
use crate::text::Diagnostic;
use crate::text::code::post_processor as code;

/// Replaces the artifact by files of this host, which the post-processors after it in the chain then work on: for what a
/// provisioner fetched from the machine or a script made. The image is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The files, relative to the working folder; `*`, `?` and `[a-z]` are wildcards.
    #[schemars(extend("x-kiln-required" = true))]
    files: Vec<String>,
}

/// The `artifice` post-processor.
pub struct Artifice;

impl PostProcessor for Artifice {
    fn schema(&self) -> Component {
        Component::from_struct::<Config>(Kind::PostProcessor, "artifice")
    }

    fn check(&self, config: &Json, cx: &mut CheckContext<'_>) {
        let config: Config = decode_known(config);
        for (i, pattern) in config.files.iter().enumerate() {
            if let Err(error) = glob::Pattern::new(pattern) {
                let span = cx.places.value(&format!("files.{i}"));
                cx.diagnostics.push(
                    Diagnostic::error(code::PATTERN, span, format!("`{pattern}` is no pattern: {}", error.msg)).help(
                        "`*` stands for any characters, `?` for one, `[a-z]` for one of several, `[*]` for a star",
                    ),
                );
            }
        }
    }

    fn destroys_input(&self, _config: &Json, keep: Option<bool>) -> bool {
        keep == Some(false)
    }

    fn run<'a>(
        &'a self,
        config: &'a Json,
        _input: &'a Artifact,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<PostProcessed, Failure>> {
        Box::pin(async move {
            let config: Config = decode(config)?;
            let mut paths = Vec::new();
            for pattern in &config.files {
                let found = matching(pattern, &cx.cwd)?;
                if found.is_empty() {
                    cx.warn(format!("no file matches `{pattern}`"));
                }
                paths.extend(found);
            }
            if paths.is_empty() {
                return Err(Failure::config("there is none of the files that `artifice` names")
                    .help("check `files`: paths are relative to the folder that kiln was started in"));
            }
            let files = listed(paths, &cx.cwd);
            cx.say(format!("Using these artifact files: {}", names(&files)));
            let artifact = Artifact {
                builder_id: "packer.post-processor.artifice".into(),
                description: format!("Created artifact from files: {}", names(&files)),
                files,
                ..Artifact::default()
            };
            Ok(PostProcessed { artifact: Some(artifact), keep: true, force_keep: false })
        })
    }
}

/// The files that a pattern names, in order, each in the form in which the user wrote the pattern (relative or absolute).
fn matching(pattern: &str, cwd: &Path) -> Result<Vec<String>, Failure> {
    let absolute = format!("{}/{pattern}", glob::Pattern::escape(&cwd.to_string_lossy()));
    let whole = if Path::new(pattern).is_absolute() { pattern } else { &absolute };
    let found = glob::glob(whole).map_err(|e| Failure::config(format!("`{pattern}` is no pattern: {}", e.msg)))?;
    let mut paths = Vec::new();
    for path in found {
        let path = path.map_err(|e| Failure::other(format!("{} cannot be read: {}", e.path().display(), e.error())))?;
        let relative = if Path::new(pattern).is_absolute() { &path } else { path.strip_prefix(cwd).unwrap_or(&path) };
        paths.push(relative.to_string_lossy().into_owned());
    }
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::component::testing::{Checked, context};

    #[tokio::test]
    async fn files_take_the_artifact_s_place_by_their_relative_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.txt", "a.txt", "c.bin"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        let (cx, facts) = context(folder.path());
        let config = json!({"files": ["*.txt", "c.bin"]});
        let done = Artifice.run(&config, &Artifact::default(), &cx).await.unwrap();
        let artifact = done.artifact.unwrap();
        assert_eq!(names(&artifact.files), "a.txt, b.txt, c.bin");
        assert_eq!(artifact.files[0].size, 5);
        assert_eq!(artifact.description, "Created artifact from files: a.txt, b.txt, c.bin");
        assert!(done.keep && !done.force_keep);
        assert_eq!(facts.said(), ["Using these artifact files: a.txt, b.txt, c.bin"]);
    }

    #[tokio::test]
    async fn no_file_at_all_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let (cx, _) = context(folder.path());
        let config = json!({"files": ["*.nope"]});
        let failure = Artifice.run(&config, &Artifact::default(), &cx).await.err().unwrap();
        assert_eq!(failure.message, "there is none of the files that `artifice` names");
    }

    #[test]
    fn a_pattern_must_be_one() {
        let check = |files| Checked::of(|cx| Artifice.check(&json!({ "files": [files] }), cx)).codes();
        assert_eq!(check("a[b"), ["K0901"]);
        assert_eq!(check("a[b]*"), [""; 0]);
    }
}
