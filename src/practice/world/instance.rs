//! Instances: what they are and which state they are in at a time.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::Time;
use super::id;
use crate::practice::machine::LayerId;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Instance {
    pub id: String,
    pub reservation: String,
    pub launch_index: i64,
    pub image: String,
    /// What lies under its own layer.
    pub layers: Vec<LayerId>,
    pub login_user: String,
    pub architecture: String,
    pub instance_type: String,
    pub key_name: Option<String>,
    pub authorized_keys: Vec<String>,
    pub address: Ipv4Addr,
    pub public: bool,
    pub vpc: String,
    pub subnet: String,
    pub zone: String,
    pub groups: Vec<String>,
    pub eni: String,
    pub root_device: String,
    pub devices: Vec<Attached>,
    /// The instance profile's name and association.
    pub profile: Option<(String, String)>,
    /// In base64, as it was given.
    pub user_data: Option<String>,
    pub launched: Time,
    pub phase: Phase,
    /// When this phase began.
    pub since: Time,
    pub pace: Pace,
    /// Until then its SSH port is closed.
    pub ssh_from: Option<Time>,
    pub spot_request: Option<String>,
    /// When a spot machine is taken back.
    pub interrupt_at: Option<Time>,
    pub client_token: Option<String>,
    pub ebs_optimized: bool,
    pub ena: bool,
    pub sriov: bool,
    pub windows: bool,
    pub boot_mode: Option<String>,
    pub image_imds: Option<String>,
    /// `stop` or `terminate`.
    pub on_shutdown: String,
    pub disable_termination: bool,
    pub disable_stop: bool,
    pub source_dest_check: bool,
    pub monitoring: bool,
    pub tenancy: String,
    pub credits: Option<String>,
    pub metadata: MetadataOptions,
    /// `Client.UserInitiatedShutdown` and its words.
    pub reason: Option<(String, String)>,
    /// When it ended or was stopped, for its transition reason.
    pub transition: String,
    /// Of Windows: encrypted with the key pair, in base64.
    pub password: Option<String>,
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            id: String::new(),
            reservation: String::new(),
            launch_index: 0,
            image: String::new(),
            layers: Vec::new(),
            login_user: String::new(),
            architecture: String::new(),
            instance_type: String::new(),
            key_name: None,
            authorized_keys: Vec::new(),
            address: Ipv4Addr::UNSPECIFIED,
            public: false,
            vpc: String::new(),
            subnet: String::new(),
            zone: String::new(),
            groups: Vec::new(),
            eni: String::new(),
            root_device: String::new(),
            devices: Vec::new(),
            profile: None,
            user_data: None,
            launched: 0,
            phase: Phase::Pending { ready: None },
            since: 0,
            pace: Pace::default(),
            ssh_from: None,
            spot_request: None,
            interrupt_at: None,
            client_token: None,
            ebs_optimized: false,
            ena: false,
            sriov: false,
            windows: false,
            boot_mode: None,
            image_imds: None,
            on_shutdown: "stop".to_owned(),
            disable_termination: false,
            disable_stop: false,
            source_dest_check: true,
            monitoring: false,
            tenancy: "default".to_owned(),
            credits: None,
            metadata: MetadataOptions::default(),
            reason: None,
            transition: String::new(),
            password: None,
        }
    }
}

/// A volume in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attached {
    pub device: String,
    pub volume: String,
    pub delete_on_termination: bool,
    pub at: Time,
}

/// How long its states take at least, milliseconds; from the timings at its launch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    pub pending: i64,
    pub boot: i64,
    pub stopping: i64,
    pub terminating: i64,
}

/// What has happened to the machine; the state follows from it and the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Its machine is being made; ready once its SSH server listens.
    Pending {
        ready: Option<Time>,
    },
    Running,
    /// Done once nothing of it runs.
    Stopping {
        done: bool,
    },
    Stopped,
    ShuttingDown {
        done: bool,
    },
    Terminated,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Pending,
    Running,
    ShuttingDown,
    Terminated,
    Stopping,
    Stopped,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    pub fn code(self) -> u8 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
            Self::Stopping => 64,
            Self::Stopped => 80,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetadataOptions {
    pub tokens: String,
    pub endpoint: String,
    pub hop_limit: i64,
    pub tags: String,
    pub ipv6: String,
}

impl Default for MetadataOptions {
    fn default() -> Self {
        let text = str::to_owned;
        Self {
            tokens: text("optional"),
            endpoint: text("enabled"),
            hop_limit: 1,
            tags: text("disabled"),
            ipv6: text("disabled"),
        }
    }
}

impl Instance {
    pub fn state(&self, now: Time) -> State {
        let past = |least: i64| now >= self.since + least;
        match self.phase {
            Phase::Pending { ready: Some(ready) } if now >= ready && past(self.pace.pending) => State::Running,
            Phase::Pending { .. } => State::Pending,
            Phase::Running => State::Running,
            Phase::Stopping { done: true } if past(self.pace.stopping) => State::Stopped,
            Phase::Stopping { .. } => State::Stopping,
            Phase::Stopped => State::Stopped,
            Phase::ShuttingDown { done: true } if past(self.pace.terminating) => State::Terminated,
            Phase::ShuttingDown { .. } => State::ShuttingDown,
            Phase::Terminated => State::Terminated,
        }
    }

    /// Goes over to a phase.
    pub fn enter(&mut self, phase: Phase, now: Time) {
        self.phase = phase;
        self.since = now;
    }

    /// Whether it is on its way out, or gone.
    pub fn is_gone(&self) -> bool {
        matches!(self.phase, Phase::ShuttingDown { .. } | Phase::Terminated)
    }

    /// When it came, or comes, up.
    pub fn running_from(&self) -> Option<Time> {
        match self.phase {
            Phase::Pending { ready: Some(ready) } => Some(ready.max(self.since + self.pace.pending)),
            Phase::Running => Some(self.since),
            _ => None,
        }
    }

    /// `ip-127-10-0-1.ec2.internal`
    pub fn hostname(&self) -> String {
        let region = self.zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let domain =
            if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") };
        format!("{}.{domain}", self.short_hostname())
    }

    pub fn short_hostname(&self) -> String {
        let [a, b, c, d] = self.address.octets();
        format!("ip-{a}-{b}-{c}-{d}")
    }

    pub fn mac(&self) -> String {
        let hex = id::hex(&[b"mac", self.id.as_bytes()], 10);
        let bytes: Vec<&str> = (0..5).map(|i| &hex[2 * i..2 * i + 2]).collect();
        format!("02:{}", bytes.join(":"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_follow_from_what_happened_and_the_time() {
        let pace = Pace { pending: 100, boot: 0, stopping: 50, terminating: 0 };
        let mut i = Instance { pace, since: 1000, ..Instance::default() };
        assert_eq!(i.state(9999), State::Pending, "not before its machine is up");
        i.phase = Phase::Pending { ready: Some(1020) };
        assert_eq!((i.state(1099), i.state(1100)), (State::Pending, State::Running));
        i.enter(Phase::Stopping { done: false }, 2000);
        assert_eq!(i.state(9999), State::Stopping);
        i.phase = Phase::Stopping { done: true };
        assert_eq!((i.state(2049), i.state(2050)), (State::Stopping, State::Stopped));
        i.enter(Phase::ShuttingDown { done: true }, 3000);
        assert_eq!(i.state(3000), State::Terminated);
    }
}
