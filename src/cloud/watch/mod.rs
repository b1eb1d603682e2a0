//! The watcher: waits for instances, images and snapshots, fed by one poller each for the whole process.
//!
//! A region's poller asks for all ids together, so that the number of Describe calls depends on how long is waited, not on how
//! many builders wait. Waits follow the *state* against a wall-clock deadline.

mod goal;
mod kind;
mod pace;
mod poller;
#[cfg(test)]
mod tests;

use std::time::Duration;

use aws_sdk_ec2::types::{Image, Instance, Snapshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use goal::InstanceGoal;

use goal::Verdict;
use kind::{Images, Instances, Kind, Snapshots};
use poller::{Poller, Seen};

use super::access::Polling;
use super::region::Region;
use crate::run::{Failure, FailureKind};

/// For so long "not found" for an id that was just made means "not yet".
const NOT_YET: Duration = Duration::from_secs(300);
/// For so long nothing may be seen of an instance before it counts as gone when its end is waited for.
const GONE: Duration = Duration::from_secs(15);
/// For so long calls may fail for passing reasons in a row.
const TROUBLE: Duration = Duration::from_secs(300);

/// Told of each new state (`pending`) and percentage.
pub type OnChange<'a> = &'a (dyn Fn(&str, Option<u8>) + Send + Sync);

/// How long a wait may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// From its start.
    Total(Duration),
    /// Since the state or percentage last changed.
    Quiet(Duration),
}

/// How to wait.
#[derive(Clone, Copy)]
pub struct Wait<'a> {
    pub cancel: &'a CancellationToken,
    pub on_change: OnChange<'a>,
    /// The user's interval and attempts; they go before `limit`. See [`Polling::with_env`].
    pub polling: Polling,
    /// `None`: 60 minutes without progress for an image or snapshot, 10 minutes for an instance.
    pub limit: Option<Limit>,
}

impl<'a> Wait<'a> {
    #[must_use]
    pub fn new(cancel: &'a CancellationToken, on_change: OnChange<'a>, polling: Polling) -> Self {
        Self { cancel, on_change, polling, limit: None }
    }

    /// With another limit, for where the user gives none.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limit = Some(limit);
        self
    }

    fn deadline(&self, usual: Limit) -> Limit {
        self.polling.total().map_or(self.limit.unwrap_or(usual), Limit::Total)
    }
}

/// The pollers of a region.
pub(super) struct Watchers {
    instances: Poller<Instances>,
    images: Poller<Images>,
    snapshots: Poller<Snapshots>,
}

impl Watchers {
    pub(super) fn new(ec2: &aws_sdk_ec2::Client) -> Self {
        Self { instances: Poller::new(ec2), images: Poller::new(ec2), snapshots: Poller::new(ec2) }
    }
}

impl Region {
    /// Waits until the instance is in the state that is wanted, and gives it as AWS last described it. One that is gone is
    /// terminated.
    ///
    /// # Errors
    /// `Cancelled`; `TimedOut` after 10 minutes or the user's limit; `Aws` with AWS's reason when the state cannot be reached
    /// any more (terminated while it should start) or the calls are refused.
    pub async fn instance(&self, id: &str, goal: InstanceGoal, wait: Wait<'_>) -> Result<Instance, Failure> {
        let what =
            Waiting { id, title: "the instance", aim: goal.words(), usual: Limit::Total(Duration::from_secs(600)) };
        let found = self.watchers.instances.wait(&what, wait, |i| goal::instance(i, goal)).await;
        match found {
            Ok(instance) => Ok(instance),
            Err(Ended::Gone) if goal == InstanceGoal::Terminated => Ok(Instance::builder().instance_id(id).build()),
            Err(ended) => Err(ended.into_failure(&what, "InvalidInstanceID.NotFound")),
        }
    }

    /// Waits until the image is available. Its snapshots' percentages count as progress.
    ///
    /// # Errors
    /// `Cancelled`; `TimedOut` after 60 minutes without progress or the user's limit: the image may still become good, so do
    /// not delete it for that; `Aws` with AWS's reason when the image failed or the calls are refused.
    pub async fn image(&self, id: &str, wait: Wait<'_>) -> Result<Image, Failure> {
        let what = Waiting { id, title: "the AMI", aim: "available", usual: Limit::Quiet(Duration::from_secs(3600)) };
        let found = self.watchers.images.wait(&what, wait, goal::image).await;
        found.map(|i| i.image).map_err(|e| e.into_failure(&what, "InvalidAMIID.NotFound"))
    }

    /// Waits until the snapshot is completed.
    ///
    /// # Errors
    /// As for an image.
    pub async fn snapshot(&self, id: &str, wait: Wait<'_>) -> Result<Snapshot, Failure> {
        let what =
            Waiting { id, title: "the snapshot", aim: "completed", usual: Limit::Quiet(Duration::from_secs(3600)) };
        let found = self.watchers.snapshots.wait(&what, wait, goal::snapshot).await;
        found.map_err(|e| e.into_failure(&what, "InvalidSnapshot.NotFound"))
    }
}

/// What is waited for, in words.
struct Waiting<'a> {
    id: &'a str,
    title: &'a str,
    aim: &'a str,
    usual: Limit,
}

/// Why a wait ended without its goal.
enum Ended {
    Failed(Failure),
    /// It was there and is no more, or never appeared.
    Gone,
    TimedOut {
        state: Option<String>,
        limit: Limit,
        trouble: Option<Failure>,
    },
}

impl Ended {
    fn into_failure(self, what: &Waiting<'_>, code: &str) -> Failure {
        let Waiting { id, title, aim, .. } = what;
        match self {
            Self::Failed(failure) => failure,
            Self::Gone => Failure::new(
                FailureKind::Aws { code: code.to_owned(), request_id: None },
                format!("{title} {id} does not exist (any more)"),
            )
            .help("somebody else may have removed it; see CloudTrail for who did"),
            Self::TimedOut { state, limit, trouble } => {
                let state = state.map_or_else(|| "never seen".into(), |s| format!("still `{s}`"));
                let after = match limit {
                    Limit::Total(time) => format!("after {}", minutes(time)),
                    Limit::Quiet(time) => format!("after {} without progress", minutes(time)),
                };
                let trouble = trouble.map_or_else(String::new, |f| format!("; the last call failed: {f}"));
                Failure::timed_out(format!("{title} {id} is not {aim} {after}: {state}{trouble}"))
                    .help("give it longer with `aws_polling`, or AWS_POLL_DELAY_SECONDS and AWS_MAX_ATTEMPTS")
            }
        }
    }
}

fn minutes(time: Duration) -> String {
    match time.as_secs() {
        s if s % 60 == 0 && s > 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

impl<K: Kind> Poller<K> {
    async fn wait(
        &self,
        what: &Waiting<'_>,
        wait: Wait<'_>,
        judge: impl Fn(&K::Item) -> Verdict,
    ) -> Result<K::Item, Ended> {
        if wait.cancel.is_cancelled() {
            return Err(Ended::Failed(Failure::cancelled()));
        }
        let limit = wait.deadline(what.usual);
        let start = Instant::now();
        let mut progress = start;
        let mut said: Option<(String, Option<u8>)> = None;
        let (mut missing, mut trouble): (Option<Instant>, Option<(Instant, Failure)>) = (None, None);
        let mut watched = self.watch(what.id, wait.polling.interval());
        loop {
            let deadline = match limit {
                Limit::Total(time) => start + time,
                Limit::Quiet(time) => progress + time,
            };
            let seen = tokio::select! {
                biased;
                () = wait.cancel.cancelled() => return Err(Ended::Failed(Failure::cancelled())),
                seen = watched.next() => seen,
                () = tokio::time::sleep_until(deadline) => {
                    let state = said.map(|(s, _)| s);
                    return Err(Ended::TimedOut { state, limit, trouble: trouble.map(|(_, f)| f) });
                }
            };
            let now = Instant::now();
            match seen {
                Seen::NotAsked => {}
                Seen::Refused(failure) => return Err(Ended::Failed(failure)),
                Seen::Trouble(failure) => {
                    let since = trouble.as_ref().map_or(now, |(since, _)| *since);
                    if now - since >= TROUBLE {
                        return Err(Ended::Failed(failure));
                    }
                    trouble = Some((since, failure));
                }
                Seen::Missing => {
                    trouble = None;
                    let since = *missing.get_or_insert(now);
                    let patience = if said.is_some() { GONE } else { (K::PATIENCE)(what.aim) };
                    if now - since >= patience {
                        return Err(Ended::Gone);
                    }
                }
                Seen::Item(item) => {
                    (missing, trouble) = (None, None);
                    match judge(&item) {
                        Verdict::Done(state) => {
                            (wait.on_change)(&state, None);
                            return Ok(K::Item::clone(&item));
                        }
                        Verdict::Failed(failure) => return Err(Ended::Failed(failure)),
                        Verdict::Going(state, percent) => {
                            let now_says = (state, percent);
                            if said.as_ref() != Some(&now_says) {
                                (wait.on_change)(&now_says.0, now_says.1);
                                said = Some(now_says);
                                progress = now;
                            }
                        }
                    }
                }
            }
        }
    }
}
