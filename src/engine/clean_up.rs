//! Releases what the fold says that a build owns still: the same after success, failure and cancel.
//!
//! It knows resource kinds only: how one thing is found, released and verified gone, and what must be gone before it.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tokio::time::Instant;

use super::facts::StepFacts;
use super::shared::Shared;
use crate::component::contract::{Builder, Machine, ReleaseContext, ResourceKind};
use crate::run::event::Tone;
use crate::run::{Attempt, Fact, Failure, FailureKind, PlannedBuild, Resource};

/// Releases everything that is owned. What cannot be released is in the journal as such.
pub(super) async fn clean_up(
    shared: &Arc<Shared>,
    build: &Arc<PlannedBuild>,
    attempt: Attempt,
    builder: &'static dyn Builder,
    machine: &Machine,
) {
    // Recorded first: whatever a step said until now is in the fold when this returns.
    let _ = shared.journal.record(Some(&build.id), Some(attempt), Fact::CleanUpStarted).await;
    if let Some(link) = machine.communicator() {
        machine.set_communicator(None);
        let _ = tokio::time::timeout(shared.pace.force_grace.saturating_mul(5), link.close()).await;
    }
    let mut waiting = shared.published.with(|state| state.owned(&build.id).cloned().collect::<Vec<Resource>>());
    if waiting.is_empty() {
        return;
    }
    let cx = release_context(shared, build, attempt);
    let kinds = builder.resource_kinds();
    let mut running = FuturesUnordered::new();
    let mut busy: Vec<Resource> = Vec::new();
    let mut said = BTreeSet::new();
    loop {
        let (ready, later): (Vec<Resource>, Vec<Resource>) = {
            let blocks = |kind: &str| waiting.iter().chain(&busy).any(|r| r.kind == kind);
            waiting.iter().cloned().partition(|r| !kind(&kinds, r).is_some_and(|k| k.after().iter().any(|k| blocks(k))))
        };
        // Kinds that wait for each other would wait for ever: then all go at once.
        let (ready, later) = if ready.is_empty() && busy.is_empty() { (later, Vec::new()) } else { (ready, later) };
        waiting = later;
        for resource in ready {
            busy.push(resource.clone());
            let kind = kind(&kinds, &resource);
            if let Some(kind) = kind
                && !kind.says().is_empty()
                && said.insert(kind.name())
            {
                shared.say(Some(&build.id), Tone::Say, kind.says());
            }
            let cx = &cx;
            running.push(async move { (released(shared, kind, &resource, cx).await, resource) });
        }
        let Some((result, resource)) = running.next().await else { return };
        busy.retain(|r| r.key != resource.key);
        let key = resource.key.clone();
        let fact = match result {
            Ok(()) => Fact::Released { key },
            Err(failure) => Fact::ReleaseFailed { key, why: failure.message, help: failure.help },
        };
        // A journal that cannot be written must not stop the release of the rest.
        let _ = shared.journal.record(Some(&build.id), Some(attempt), fact).await;
    }
}

/// Clean-up's means for the things of one build.
pub(super) fn release_context(shared: &Arc<Shared>, build: &Arc<PlannedBuild>, attempt: Attempt) -> ReleaseContext {
    let whom = (build.id.clone(), attempt, "clean-up".into());
    ReleaseContext {
        run: shared.run.clone(),
        build: build.clone(),
        config: shared.reveal(&build.config),
        clouds: shared.clouds.clone(),
        facts: Arc::new(StepFacts::new(shared.journal.clone(), whom, false, shared.force.clone())),
        force: shared.force.clone(),
        run_dir: shared.dir.clone(),
    }
}

fn kind(kinds: &[&'static dyn ResourceKind], resource: &Resource) -> Option<&'static dyn ResourceKind> {
    kinds.iter().find(|k| k.name() == resource.kind).copied()
}

/// Tries until it is gone, the time is over, or nobody wants to wait.
async fn released(
    shared: &Shared,
    kind: Option<&'static dyn ResourceKind>,
    resource: &Resource,
    cx: &ReleaseContext,
) -> Result<(), Failure> {
    let Some(kind) = kind else {
        return Err(Failure::other(format!("this version of kiln does not know how to release a {}", resource.kind)));
    };
    let give_up = Instant::now() + shared.pace.release_limit;
    let mut pause = shared.pace.release_pause;
    loop {
        // A mistake in one kind must not keep the others from being released.
        let failure = match AssertUnwindSafe(once(shared, kind, resource, cx)).catch_unwind().await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(failure)) => failure,
            Err(_) => {
                return Err(Failure::other(format!("kiln made a mistake while it released the {}", kind.title()))
                    .help("please report it, with the run's folder"));
            }
        };
        if shared.force.is_cancelled() || forbidden(&failure) || Instant::now() + pause > give_up {
            return Err(failure);
        }
        cx.facts.emit(Fact::Said {
            step: None,
            tone: Tone::Detail,
            text: format!("The {} could not be released yet ({failure}); trying again", kind.title()),
        });
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.force.cancelled() => {}
        }
        pause = pause.saturating_mul(2).min(shared.pace.release_pause_most);
    }
}

/// Whether AWS said that these credentials may not: trying again does not change that.
fn forbidden(failure: &Failure) -> bool {
    let FailureKind::Aws { code, .. } = &failure.kind else { return false };
    ["UnauthorizedOperation", "AccessDenied", "AuthFailure", "OptInRequired"].iter().any(|c| code.starts_with(c))
}

async fn once(
    shared: &Shared,
    kind: &'static dyn ResourceKind,
    resource: &Resource,
    cx: &ReleaseContext,
) -> Result<(), Failure> {
    let asked = async {
        let id = match &resource.id {
            Some(id) => Some(id.clone()),
            None => find(shared, kind, resource, cx).await?,
        };
        if let Some(id) = &id {
            kind.release(resource, id, cx).await?;
        }
        Ok(id)
    };
    let asked = tokio::select! {
        biased;
        asked = asked => asked?,
        () = patience(shared, shared.pace.force_ask_limit) => {
            return Err(Failure::timed_out("nobody answered when its end was asked for"));
        }
    };
    let Some(id) = asked else { return Ok(()) };
    tokio::select! {
        biased;
        gone = kind.verify_gone(resource, &id, cx) => gone,
        () = patience(shared, shared.pace.force_grace.saturating_mul(5)) => {
            let text = format!("its end was asked for, but it was not seen gone ({} {id})", kind.title());
            Err(Failure::timed_out(text))
        }
    }
}

/// Ends when a thing had its time to be gone; after [`crate::run::Command::Force`], so much later than that.
async fn patience(shared: &Shared, forced: Duration) {
    tokio::select! {
        () = tokio::time::sleep(shared.pace.gone_limit) => {}
        () = async {
            shared.force.cancelled().await;
            tokio::time::sleep(forced).await;
        } => {}
    }
}

/// A thing that was meant to be made may show up late: nothing found is asked again once.
async fn find(
    shared: &Shared,
    kind: &'static dyn ResourceKind,
    resource: &Resource,
    cx: &ReleaseContext,
) -> Result<Option<String>, Failure> {
    if let Some(id) = kind.find(resource, cx).await? {
        return Ok(Some(id));
    }
    tokio::select! {
        () = tokio::time::sleep(shared.pace.look_again) => {}
        () = shared.force.cancelled() => {}
    }
    kind.find(resource, cx).await
}
