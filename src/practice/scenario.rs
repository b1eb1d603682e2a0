//! What goes wrong in the practice cloud, and how long things take: read from TOML, checked like a template.
//!
//! A scenario is a seed, timings and faults. The same faults can be switched while the cloud runs, one at a time, as
//! [`Fault`]. With the same seed and the same calls in the same order, the same happens.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize};

use super::machine::{LinkFaults, ScriptedAnswer};
use super::wire::model;

/// A scenario file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// What it is for, in a sentence.
    pub description: String,
    /// Ids and chances are drawn from it; without one, every cloud has its own.
    pub seed: Option<u64>,
    pub timing: Timing,
    pub latency: Vec<Latency>,
    pub throttle: Vec<Throttle>,
    pub refuse: Vec<Refuse>,
    pub lose: Vec<Lose>,
    pub unseen: Vec<Unseen>,
    pub capacity: Vec<Capacity>,
    pub image: Vec<ImageFault>,
    pub ssh: Vec<Ssh>,
    pub spot: Vec<Spot>,
    pub credentials: Vec<Credentials>,
    /// What scripted machines answer to commands.
    pub answer: Vec<ScriptedAnswer>,
}

/// How long states take, in seconds. Machines are never said to be up before they are.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// From the launch to `running`.
    pub pending: Seconds,
    /// From `running` until SSH is listened for.
    pub boot: Seconds,
    pub stopping: Seconds,
    pub terminating: Seconds,
    /// `CreateImage` and `RegisterImage`.
    pub image: Seconds,
    /// `CopyImage` and `CopySnapshot`.
    pub copy: Seconds,
    pub snapshot: Seconds,
    pub volume: Seconds,
    /// Until a new instance profile can be used in `RunInstances`.
    pub profile: Seconds,
}

impl Default for Timing {
    fn default() -> Self {
        let quick = Seconds::from_ms(0);
        Self {
            pending: quick,
            boot: quick,
            stopping: quick,
            terminating: quick,
            image: Seconds::from_ms(2000),
            copy: Seconds::from_ms(2000),
            snapshot: Seconds::from_ms(1000),
            volume: quick,
            profile: quick,
        }
    }
}

/// Time added to calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Of this action; without it, of every one.
    pub action: Option<Action>,
    pub seconds: Seconds,
    /// Up to so much more, by the seed.
    #[serde(default)]
    pub jitter: Seconds,
}

/// `RequestLimitExceeded`, as EC2's token bucket gives it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    pub action: Option<Action>,
    /// Calls that are let through each second.
    pub per_second: Option<f64>,
    /// How many may come at once; without it, one second's worth.
    pub burst: Option<u32>,
    /// Instead of a rate: each n-th call is refused.
    pub every: Option<u32>,
}

/// A call that gets an error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refuse {
    pub action: Action,
    /// The first call that is refused, from 1.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many are refused; 0: all from there on.
    #[serde(default = "one")]
    pub count: u64,
    pub region: Option<String>,
    /// 0 to 1, by the seed; without it, always.
    pub chance: Option<Chance>,
    pub code: String,
    pub message: Option<String>,
    #[serde(default = "bad_request")]
    pub status: Status,
}

/// A call that is carried out and whose answer is lost: the connection ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lose {
    pub action: Action,
    #[serde(default = "one")]
    pub nth: u64,
    #[serde(default = "one")]
    pub count: u64,
}

/// What was just made is not found yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unseen {
    /// The beginning of its id: `i`, `ami`, `snap`, `sg`; without it, anything.
    pub kind: Option<String>,
    /// So many calls that name it fail.
    #[serde(default)]
    pub calls: u32,
    /// Calls within this time fail.
    #[serde(default)]
    pub seconds: Seconds,
}

/// No machines of this type in this zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// `us-east-1a`, `us-*`; without it, everywhere.
    pub zone: Option<String>,
    pub instance_type: Option<String>,
    /// Only of spot machines, or only of the others.
    pub spot: Option<bool>,
    /// How many launches fail; 0: all.
    #[serde(default)]
    pub count: u64,
}

/// An image that never becomes available.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageFault {
    /// `web-*`; without it, any.
    pub name: Option<String>,
    /// Only images of this region.
    pub region: Option<String>,
    pub outcome: ImageOutcome,
    /// What the image's state reason says.
    pub reason: Option<String>,
    /// How many images; 0: all.
    #[serde(default)]
    pub count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageOutcome {
    Stuck,
    Failed,
}

/// What is wrong with the way to machines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ssh {
    /// An instance id or `Name` tag, with `*`; without it, every machine.
    pub instance: Option<String>,
    pub refuse: bool,
    pub hang: bool,
    pub drop_first: u32,
    pub drop_after_bytes: Option<u64>,
    pub bytes_per_second: Option<u64>,
    pub delay: Seconds,
    /// The machine shows a key that it did not have before.
    pub new_host_key: bool,
}

/// Spot machines are taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spot {
    /// From `running`; the notice is in the metadata two minutes, or this time's half, before.
    pub interrupt_after: Seconds,
    pub instance_type: Option<String>,
    #[serde(default)]
    pub count: u64,
}

/// Credentials that end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// From an access key's first call on.
    pub expire_after: Seconds,
}

/// One fault, as the cloud takes it while it runs: `{"refuse": {"action": "RunInstances", "code": "…"}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    Latency(Latency),
    Throttle(Throttle),
    Refuse(Refuse),
    Lose(Lose),
    Unseen(Unseen),
    Capacity(Capacity),
    Image(ImageFault),
    Ssh(Ssh),
    Spot(Spot),
    Credentials(Credentials),
}

/// A time span in seconds, at most a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Seconds(f64);

/// An action that this cloud serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Action(pub String);

/// 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Chance(pub f64);

/// An HTTP status of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Status(pub u16);

fn one() -> u64 {
    1
}

fn bad_request() -> Status {
    Status(400)
}

impl Seconds {
    #[must_use]
    pub fn from_ms(ms: u32) -> Self {
        Self(f64::from(ms) / 1000.0)
    }

    /// Milliseconds.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // invariant: at most a day, as checked when it was read
    pub fn ms(self) -> i64 {
        (self.0 * 1000.0).round() as i64
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(from)?;
        if (0.0..=86400.0).contains(&seconds) {
            return Ok(Self(seconds));
        }
        Err(serde::de::Error::custom(format!("{seconds} is no time: give seconds from 0 to 86400, such as 2.5")))
    }
}

impl<'de> Deserialize<'de> for Chance {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let chance = f64::deserialize(from)?;
        if (0.0..=1.0).contains(&chance) {
            return Ok(Self(chance));
        }
        Err(serde::de::Error::custom(format!("{chance} is no chance: give a number from 0 to 1")))
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let status = u16::deserialize(from)?;
        if (400..600).contains(&status) {
            return Ok(Self(status));
        }
        Err(serde::de::Error::custom(format!("{status} is no error's HTTP status: give 400 to 599")))
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        if model::serving(&name).is_some() {
            return Ok(Self(name));
        }
        let mut text = format!("the practice cloud has no action `{name}`");
        if let Some(near) = nearest(&name, model::actions()) {
            text.push_str(&format!("; did you mean `{near}`?"));
        }
        Err(serde::de::Error::custom(text))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ssh {
    pub fn link(&self) -> LinkFaults {
        LinkFaults {
            refuse: self.refuse,
            hang: self.hang,
            drop_first: self.drop_first,
            drop_after_bytes: self.drop_after_bytes,
            bytes_per_second: self.bytes_per_second,
            delay_ms: u64::try_from(self.delay.ms()).unwrap_or_default(),
            host_key: u32::from(self.new_host_key),
        }
    }
}

impl Scenario {
    /// # Errors
    /// What is wrong, where, and what may have been meant.
    pub fn parse(text: &str, name: &str) -> Result<Self, ScenarioError> {
        toml::from_str(text).map_err(|e| ScenarioError::new(&e, text, name))
    }

    /// # Errors
    /// When it cannot be read, too.
    pub fn read(path: &Path) -> Result<Self, ScenarioError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|e| ScenarioError {
            place: name.clone(),
            message: format!("cannot be read: {e}"),
            line: String::new(),
            column: 0,
            help: None,
        })?;
        Self::parse(&text, &name)
    }

    /// Its faults, one by one.
    pub fn faults(&self) -> Vec<Fault> {
        let mut all = Vec::new();
        all.extend(self.latency.iter().cloned().map(Fault::Latency));
        all.extend(self.throttle.iter().cloned().map(Fault::Throttle));
        all.extend(self.refuse.iter().cloned().map(Fault::Refuse));
        all.extend(self.lose.iter().cloned().map(Fault::Lose));
        all.extend(self.unseen.iter().cloned().map(Fault::Unseen));
        all.extend(self.capacity.iter().cloned().map(Fault::Capacity));
        all.extend(self.image.iter().cloned().map(Fault::Image));
        all.extend(self.ssh.iter().cloned().map(Fault::Ssh));
        all.extend(self.spot.iter().cloned().map(Fault::Spot));
        all.extend(self.credentials.iter().cloned().map(Fault::Credentials));
        all
    }
}

/// A mistake in a scenario, shown at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// `file:line:column`, or the file alone.
    pub place: String,
    pub message: String,
    /// The line that has the mistake.
    line: String,
    column: usize,
    pub help: Option<String>,
}

impl ScenarioError {
    fn new(error: &toml::de::Error, text: &str, name: &str) -> Self {
        let message = error.message().to_owned();
        let help = suggestion(&message);
        let Some(span) = error.span() else {
            return Self { place: name.to_owned(), message, line: String::new(), column: 0, help };
        };
        let start = (0..=span.start.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let before = &text[..start];
        let number = before.matches('\n').count() + 1;
        let begin = before.rfind('\n').map_or(0, |i| i + 1);
        let column = before[begin..].chars().count() + 1;
        let line = text[begin..].lines().next().unwrap_or_default().to_owned();
        Self { place: format!("{name}:{number}:{column}"), message, line, column, help }
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)?;
        if self.column > 0 {
            write!(f, "\n  {}\n  {}^", self.line, " ".repeat(self.column - 1))?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ScenarioError {}

/// From serde's "unknown field `x`, expected one of `a`, `b`": what is nearest to `x`.
fn suggestion(message: &str) -> Option<String> {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let wrong = quoted.next().filter(|_| message.starts_with("unknown "))?;
    let near = nearest(wrong, quoted)?;
    Some(format!("did you mean `{near}`?"))
}

fn nearest<'a>(wrong: &str, among: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let scored = among.map(|name| (strsim::jaro_winkler(&wrong.to_lowercase(), &name.to_lowercase()), name));
    scored.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(a.1))).map(|(_, name)| name)
}

/// What the bundled scenarios are called, and their texts.
pub fn bundled() -> BTreeMap<&'static str, &'static str> {
    BTreeMap::from([
        ("aws-pace", include_str!("../../assets/scenarios/aws-pace.toml")),
        ("bad-day", include_str!("../../assets/scenarios/bad-day.toml")),
        ("no-capacity", include_str!("../../assets/scenarios/no-capacity.toml")),
        ("throttled", include_str!("../../assets/scenarios/throttled.toml")),
        ("unsteady-ssh", include_str!("../../assets/scenarios/unsteady-ssh.toml")),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_are_shown_at_their_place() {
        let shown = |text| Scenario::parse(text, "s.toml").unwrap_err().to_string();
        assert_eq!(
            shown("seed = 1\n[timing]\nbooot = 2\n"),
            "s.toml:3:1: unknown field `booot`, expected one of `pending`, `boot`, `stopping`, `terminating`, `image`, \
             `copy`, `snapshot`, `volume`, `profile`\n  booot = 2\n  ^\n  help: did you mean `boot`?"
        );
        assert_eq!(
            shown("[[refuse]]\naction = \"RunInstance\"\ncode = \"X\"\n"),
            "s.toml:2:10: the practice cloud has no action `RunInstance`; did you mean `RunInstances`?\n  \
             action = \"RunInstance\"\n           ^"
        );
        assert!(shown("[timing]\nimage = -1\n").starts_with("s.toml:2:9: -1 is no time"));
        assert!(shown("[[image]]\noutcome = \"failled\"\n").contains("did you mean `failed`?"));
        assert!(shown("[[refuse]]\naction = \"RunInstances\"\n").contains("missing field `code`"));
        assert!(shown("x = é[").starts_with("s.toml:1:"));
    }

    #[test]
    fn a_fault_has_one_form_in_toml_and_json() {
        let toml = Scenario::parse("[[ssh]]\ninstance = \"web*\"\ndrop_after_bytes = 900\ndelay = 0.5\n", "s").unwrap();
        let json = r#"{"ssh": {"instance": "web*", "drop_after_bytes": 900, "delay": 0.5}}"#;
        let fault: Fault = serde_json::from_str(json).unwrap();
        assert_eq!(toml.faults(), std::slice::from_ref(&fault));
        let Fault::Ssh(ssh) = fault else { panic!() };
        assert_eq!(ssh.link(), LinkFaults { drop_after_bytes: Some(900), delay_ms: 500, ..LinkFaults::default() });
    }

    #[test]
    fn bundled_scenarios_are_right() {
        for (name, text) in bundled() {
            let scenario = Scenario::parse(text, name).unwrap_or_else(|e| panic!("{e}"));
            assert!(!scenario.description.is_empty(), "{name}");
        }
    }
}
