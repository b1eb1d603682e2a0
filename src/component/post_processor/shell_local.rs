//! `shell-local` after a build: runs scripts on this host and passes the artifact on.

use std::path::PathBuf;

use futures_util::future::BoxFuture;
use serde_json::Value as Json;

use crate::component::contract::{CheckContext, Done, PostProcessed, PostProcessor, StepContext};
use crate::component::provisioner::shell_local::{self, Config};
use crate::run::{Artifact, Failure};
use crate::schema::{Component, Kind};

/// The `shell-local` post-processor.
pub struct ShellLocal;

impl PostProcessor for ShellLocal {
    fn schema(&self) -> Component {
        Config::schema(Kind::PostProcessor)
    }

    fn check(&self, config: &Json, cx: &mut CheckContext<'_>) {
        Config::check(config, cx);
    }

    fn destroys_input(&self, _config: &Json, _keep: Option<bool>) -> bool {
        false
    }

    fn files(&self, config: &Json) -> Vec<PathBuf> {
        Config::files(config)
    }

    fn run<'a>(
        &'a self,
        config: &'a Json,
        input: &'a Artifact,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<PostProcessed, Failure>> {
        Box::pin(async move {
            if let Done::Skipped(why) = shell_local::run(config, cx).await? {
                cx.say(why);
            }
            Ok(PostProcessed { artifact: Some(input.clone()), keep: true, force_keep: true })
        })
    }
}
