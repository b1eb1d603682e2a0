//! The `sleep` provisioner.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::component::config::{GoDuration, decode, decode_known};
use crate::component::contract::{CheckContext, Done, Provisioner, StepContext, StepFuture};
use crate::schema::{Component, Kind, duration};

/// Waits before the next provisioner.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// How long, such as `30s`.
    #[schemars(extend("x-kiln-required" = true))]
    duration: GoDuration,
}

/// The `sleep` provisioner.
pub struct Sleep;

impl Provisioner for Sleep {
    fn schema(&self) -> Component {
        Component::from_struct::<Config>(Kind::Provisioner, "sleep")
    }

    fn check(&self, _config: &Json, _cx: &mut CheckContext<'_>) {}

    fn title(&self, config: &Json) -> String {
        let config: Config = decode_known(config);
        format!("sleep {}", duration::format(config.duration.or_zero()))
    }

    fn needs_communicator(&self) -> bool {
        false
    }

    fn run<'a>(&'a self, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(async move {
            let time = decode::<Config>(config)?.duration.or_zero();
            cx.say(format!("Sleeping {}...", duration::format(time)));
            cx.sleep(time).await?;
            Ok(Done::Done)
        })
    }
}
