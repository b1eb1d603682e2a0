//! The post-processors of a build: chains that stand for themselves, and which artifacts they leave.

use std::collections::{BTreeMap, BTreeSet};

use super::step::Live;
use crate::component::contract::{Done, Facts, PostProcessed};
use crate::run::event::Tone;
use crate::run::plan::StepPart;
use crate::run::{Artifact, Fact, Failure, PlannedStep, StepId};

/// What the chains came to.
pub(super) struct PostProcessing {
    /// In Packer's order: the builder's where kept, kept ones in between, the last of each chain.
    pub artifacts: Vec<Artifact>,
    /// The first that failed. The other chains ran all the same.
    pub failure: Option<(StepId, Failure)>,
}

/// Runs every chain on the builder's artifact.
///
/// As in Packer, the builder's artifact stays when the first post-processor of any chain wants it, or there is none. Unlike
/// Packer, an image is never destroyed: only files are.
pub(super) async fn post_process(live: &Live, built: Artifact) -> PostProcessing {
    let mut chains: BTreeMap<u32, Vec<&PlannedStep>> = BTreeMap::new();
    for step in &live.build.steps {
        if let StepPart::PostProcess { chain, .. } = step.part {
            chains.entry(chain).or_default().push(step);
        }
    }
    let mut keep_built = chains.is_empty();
    let mut results = Vec::new();
    let mut dropped = Vec::new();
    let mut failure = None;
    for chain in chains.values() {
        let mut current = built.clone();
        let mut ended = false;
        for (place, step) in chain.iter().enumerate() {
            match take(live, step, &current).await {
                Ok(done) => {
                    let keep = step.meta.keep_input_artifact.unwrap_or(done.keep) || done.force_keep;
                    match (place, keep) {
                        (0, keep) => keep_built |= keep,
                        (_, true) => results.push(current.clone()),
                        (_, false) => dropped.push(current.clone()),
                    }
                    let Some(artifact) = done.artifact else {
                        ended = true;
                        break;
                    };
                    current = artifact;
                }
                Err(why) => {
                    // Nothing has taken its input over, so that stays.
                    keep_built |= place == 0;
                    ended = place == 0;
                    failure.get_or_insert((step.id.clone(), why));
                    break;
                }
            }
        }
        if !ended {
            results.push(current);
        }
    }
    let mut artifacts = Vec::new();
    if keep_built {
        artifacts.push(built);
    } else {
        dropped.push(built);
    }
    artifacts.extend(results);
    destroy(live, &dropped, &artifacts).await;
    PostProcessing { artifacts, failure }
}

async fn take(live: &Live, step: &PlannedStep, input: &Artifact) -> Result<PostProcessed, Failure> {
    if live.cancel.is_cancelled() {
        return Err(Failure::cancelled());
    }
    let facts = live.facts(step, &live.cancel);
    facts.emit(Fact::StepStarted { step: step.id.clone() });
    let result = match live.shared.components.post_processor(&step.component) {
        Some(post_processor) => {
            let config = live.shared.reveal(&step.config);
            let cx = live.context(step, facts.clone(), live.cancel.clone());
            live.guard(post_processor.run(&config, input, &cx), &live.cancel).await
        }
        None => Err(Failure::config(format!("this version of kiln has no post-processor `{}`", step.component))),
    };
    let ended = result.as_ref().map(|_| Done::Done).map_err(Clone::clone);
    if let Ok(PostProcessed { artifact: Some(artifact), .. }) = &result {
        facts.emit(Fact::Made { artifact: artifact.clone() });
    }
    live.end(step, &facts, ended).await?;
    result
}

/// Deletes the files of artifacts that nobody keeps.
async fn destroy(live: &Live, dropped: &[Artifact], kept: &[Artifact]) {
    let stays: BTreeSet<&str> = kept.iter().flat_map(|a| a.files.iter().map(|f| f.path.as_str())).collect();
    for artifact in dropped {
        if !artifact.images.is_empty() {
            let text =
                format!("{} stays: kiln never deletes an image to make room for what was made of it", artifact.id);
            live.shared.say(Some(&live.build.id), Tone::Warning, text);
        }
        for file in artifact.files.iter().filter(|f| !stays.contains(f.path.as_str())) {
            let path = std::path::Path::new(&live.plan.cwd).join(&file.path);
            if let Err(e) = tokio::fs::remove_file(&path).await
                && e.kind() != std::io::ErrorKind::NotFound
            {
                let text = format!("cannot delete {}, which is not to be kept: {e}", file.path);
                live.shared.say(Some(&live.build.id), Tone::Warning, text);
            }
        }
    }
}
