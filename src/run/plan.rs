//! The plan of a run: what will be done, as values.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::id::{BuildId, StepId};
use super::value::Value;
use crate::text::Span;

/// Immutable and complete: with the secrets that it names, it is all that a run needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// 1 for the first; each revision counts on.
    pub revision: u32,
    /// SHA-256 over everything below, in hex.
    pub digest: String,
    /// Path of the template as the user gave it.
    pub template: String,
    /// Absolute folder of the template, and the working folder at the start.
    pub template_dir: String,
    pub cwd: String,
    /// Start of the run, UNIX seconds: what `{{timestamp}}` gives, over all attempts.
    pub start: i64,
    /// Seed of `{{uuid}}` and of temporary names.
    pub seed: u64,
    pub options: RunOptions,
    pub builds: Vec<PlannedBuild>,
}

/// How the user wants the run to behave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOptions {
    pub on_error: OnError,
    pub force: bool,
    pub debug: bool,
    /// How many builds run at once; `None`: all.
    pub parallel: Option<u32>,
    /// Tag what is temporary with `kiln:run` and its kin.
    pub kiln_tags: bool,
    /// May ask AWS's checkip service for this machine's public address.
    pub ask_public_address: bool,
    /// A person can answer questions.
    pub interactive: bool,
}

/// What happens when a step fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    #[default]
    Cleanup,
    Abort,
    Ask,
    RunCleanupProvisioner,
    Hold,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedBuild {
    pub id: BuildId,
    /// Packer's `packer_build_name`: the interpolated name without the type.
    pub name: String,
    pub builder_type: String,
    /// The builder's whole config.
    pub config: Value,
    pub span: Option<Span>,
    /// In order: the builder's own, the provisioners among them, then the post-processors.
    pub steps: Vec<PlannedStep>,
    /// Run when provisioning fails, before the machine is given up.
    pub error_cleanup: Option<PlannedStep>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    pub id: StepId,
    pub part: StepPart,
    /// The component's type: the builder's for its own steps, `shell`, `manifest`.
    #[serde(rename = "type")]
    pub component: String,
    /// A few words for a screen: `Launch`, `shell: setup.sh`.
    pub title: String,
    /// A provisioner's or post-processor's config; for a builder's step the fields that it reads.
    pub config: Value,
    /// SHA-256 over type, config and the local files that it sends: equal digests do equal things.
    pub digest: String,
    pub span: Option<Span>,
    #[serde(default)]
    pub meta: StepMeta,
    /// Local files that this step sends, as absolute paths.
    #[serde(default)]
    pub files: Vec<String>,
}

/// Which part of a build a step belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepPart {
    /// Up to the connected machine: a change here needs a new machine.
    Prepare,
    Provision,
    /// From the provisioned machine to the finished image.
    Finish,
    /// `chain` and `place` tell where in the post-processors a step stands.
    PostProcess {
        chain: u32,
        place: u32,
    },
}

/// What every provisioner and post-processor has (packer.md §2.5, §2.6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepMeta {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_before: Option<Duration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    #[serde(default)]
    pub max_retries: u32,
    /// A provisioner's failure is told, and the build goes on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continue_on_error: bool,
    /// Post-processors only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_input_artifact: Option<bool>,
}

impl Plan {
    #[must_use]
    pub fn build(&self, id: &BuildId) -> Option<&PlannedBuild> {
        self.builds.iter().find(|b| b.id == *id)
    }
}

impl PlannedBuild {
    #[must_use]
    pub fn step(&self, id: &StepId) -> Option<&PlannedStep> {
        self.steps.iter().find(|s| s.id == *id)
    }
}
