//! What all builds of a run share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::components::Components;
use super::facts::Journal;
use super::publish::Published;
use crate::cloud::Clouds;
use crate::run::event::Tone;
use crate::run::{BuildId, Fact, Plan, PlannedBuild, RunId, Secrets};

pub(super) struct Shared {
    pub run: RunId,
    pub dir: PathBuf,
    pub host: String,
    pub components: Arc<dyn Components>,
    pub clouds: Arc<Clouds>,
    pub secrets: Arc<RwLock<Secrets>>,
    pub journal: Journal,
    pub published: Arc<Published>,
    pub plan: Mutex<Arc<Plan>>,
    /// What the attempt of each build follows, which a later plan may no longer have.
    pub followed: Mutex<HashMap<BuildId, Arc<PlannedBuild>>>,
    /// Ends when nobody wants to wait any more for what is slow.
    pub force: CancellationToken,
    /// As many as builds may run at once.
    pub slots: Arc<Semaphore>,
    pub pace: Pace,
}

/// How long the engine waits for things.
#[derive(Clone, Debug)]
pub struct Pace {
    /// How long a cancelled step may take to end before it is dropped; the second after [`crate::run::Command::Force`].
    pub cancel_grace: Duration,
    pub force_grace: Duration,
    /// A release that failed is tried again after this, then after twice as long, up to `release_pause_most`.
    pub release_pause: Duration,
    pub release_pause_most: Duration,
    /// After this a thing that cannot be released is given up.
    pub release_limit: Duration,
    /// How long AWS may take to answer when the end of a thing is asked for, and the thing to be gone.
    pub gone_limit: Duration,
    /// How long it may take to answer after [`crate::run::Command::Force`].
    pub force_ask_limit: Duration,
    /// What was intended but never seen is looked for a second time after this.
    pub look_again: Duration,
    pub renew_every: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            cancel_grace: Duration::from_secs(30),
            force_grace: Duration::from_secs(1),
            release_pause: Duration::from_secs(2),
            release_pause_most: Duration::from_secs(20),
            release_limit: Duration::from_mins(5),
            gone_limit: Duration::from_mins(10),
            force_ask_limit: Duration::from_secs(30),
            look_again: Duration::from_secs(3),
            renew_every: Duration::from_hours(1),
        }
    }
}

impl Shared {
    /// The plan that new attempts follow.
    pub fn plan(&self) -> Arc<Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn revise(&self, plan: Plan) {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(plan);
    }

    /// What a build's attempt follows; before the first, what the plan says.
    pub fn followed(&self, build: &BuildId) -> Option<Arc<PlannedBuild>> {
        let followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner).get(build).cloned();
        followed.or_else(|| self.plan().build(build).cloned().map(Arc::new))
    }

    pub fn follow(&self, build: &Arc<PlannedBuild>) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        followed.insert(build.id.clone(), build.clone());
    }

    pub fn reveal(&self, value: &crate::run::Value) -> serde_json::Value {
        value.reveal(&self.secrets.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn say(&self, build: Option<&BuildId>, tone: Tone, text: impl Into<String>) {
        self.journal.emit(build, None, Fact::Said { step: None, tone, text: text.into() });
    }
}
