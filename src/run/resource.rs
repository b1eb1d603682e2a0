//! Things in the cloud that a run made or is about to make.

use serde::{Deserialize, Serialize};

use super::id::{Attempt, BuildId, StepId};

/// One thing, from the moment before it is made. Written down first (*intended*), with what will find it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Unique in the run: `web/1/key-pair/0`.
    pub key: String,
    /// Name of the resource kind that can find, release and verify it: `instance`, `key-pair`, `image`.
    pub kind: String,
    pub region: String,
    pub build: BuildId,
    pub attempt: Attempt,
    pub step: StepId,
    /// What finds it when no id was learnt: a name, a client token, a tag. The kind knows the form.
    pub find: serde_json::Value,
    /// The id that the cloud gave, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}
