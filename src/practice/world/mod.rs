//! What exists in the cloud and what calls do to it. No I/O, no clock: a call gets the time, and what has to happen to
//! machines comes out as [`Effect`]s.
//!
//! States are functions of what happened and of the time (`Instance::state(now)`): nothing ticks while nobody asks.

// Actions have one form, which `actions.rs` relies on: they own what they read, and may refuse.
#![allow(clippy::needless_pass_by_value, clippy::unnecessary_wraps)]

mod account;
mod actions;
mod catalog;
mod filter;
mod fleet;
mod iam;
mod id;
mod image;
mod image_attribute;
mod image_make;
mod instance;
mod instance_attribute;
mod instance_describe;
mod instance_run;
mod instance_state;
mod key_pair;
mod launch_template;
mod metadata;
mod network;
mod overview;
mod place;
mod rehearsal;
mod secret;
mod security_group;
mod snapshot;
mod spot;
mod sts;
mod tag;
mod trouble;
mod volume;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use account::{Account, Region};
pub use key_pair::Material;
pub use secret::TARGETS;
pub use trouble::{ActiveFault, Trouble, Verdict};

use super::machine::{Happened, LayerId, LinkFaults};
use super::wire::{Refusal, Xml};

/// Milliseconds since 1970, UTC.
pub type Time = i64;

/// How long the answer to a client token is kept.
const TOKEN_LIFE: Time = 24 * 3600 * 1000;

/// Everything that exists.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct World {
    pub seed: u64,
    /// How many ids were given.
    minted: u64,
    pub accounts: BTreeMap<String, Account>,
    /// Temporary credentials, by access key.
    sessions: BTreeMap<String, sts::Session>,
    #[serde(skip)]
    pub trouble: Trouble,
    /// What stands in for what a template asked for, in words, newest last.
    pub stand_ins: Vec<String>,
    #[serde(skip)]
    effects: Vec<Effect>,
}

/// What has to happen to a machine or a layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A new machine (`fresh`), or a stopped one that goes on.
    Boot {
        boot: Box<Boot>,
        fresh: bool,
    },
    Stop {
        instance: String,
        force: bool,
    },
    Reboot {
        instance: String,
    },
    Terminate {
        instance: String,
    },
    /// The machine's own layer becomes this layer; [`World::captured`] follows.
    Capture {
        instance: String,
        layer: LayerId,
        reboot: bool,
    },
    DropLayer(LayerId),
    /// The way to the machine changed.
    Link {
        instance: String,
        link: LinkFaults,
    },
}

/// What a machine is made from; the rim adds what only it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Boot {
    pub instance: String,
    pub layers: Vec<LayerId>,
    pub address: Ipv4Addr,
    pub hostname: String,
    pub login_user: String,
    pub authorized_keys: Vec<String>,
    pub user_data: Option<Vec<u8>>,
    pub memory_mib: u64,
    pub link: LinkFaults,
}

/// One call, understood but not carried out.
pub struct Call<'a> {
    pub service: &'a str,
    pub action: &'a str,
    pub access_key: &'a str,
    pub region: &'a str,
    pub input: Value,
}

/// What a call may use of the outside.
pub struct Outside<'a> {
    pub now: Time,
    /// An address for a new machine.
    pub reserve: &'a dyn Fn() -> Result<Ipv4Addr, String>,
    /// A key pair made for this call, when it is one that makes key pairs.
    pub key: Option<&'a Material>,
    /// Unknown images and networks are answered by stand-ins.
    pub rehearsal: bool,
}

/// A call while it is carried out.
pub struct Cx<'a> {
    pub world: &'a mut World,
    pub account: String,
    pub region: String,
    pub access_key: String,
    pub now: Time,
    pub outside: &'a Outside<'a>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// Carries out a call; gives what stands inside of the answer.
    ///
    /// # Errors
    /// AWS's error for it.
    pub fn call(&mut self, call: Call<'_>, outside: &Outside<'_>) -> Result<String, Refusal> {
        let account = self.account_of(call.access_key);
        if call.service == "ec2" && !place::is_region(call.region) {
            return Err(
                Refusal::new("AuthFailure", "AWS was not able to validate the provided access credentials").status(401)
            );
        }
        let dry = call.input.get("DryRun").and_then(Value::as_bool).unwrap_or_default();
        if dry {
            let mut copy = self.clone();
            copy.carry_out(&account, &call, outside)?;
            return Err(
                Refusal::new("DryRunOperation", "Request would have succeeded, but DryRun flag is set.").status(412)
            );
        }
        let token = call.input.get("ClientToken").and_then(Value::as_str).filter(|t| !t.is_empty());
        let Some(token) = token.map(|t| format!("{} {t}", call.action)) else {
            return self.carry_out(&account, &call, outside);
        };
        let digest = id::hex(&[call.input.to_string().as_bytes()], 32);
        let kept = self.region(&account, call.region, outside.now).tokens.get(&token).cloned();
        if let Some(kept) = kept.filter(|k| k.at + TOKEN_LIFE > outside.now) {
            if kept.digest == digest {
                return Ok(kept.answer);
            }
            return Err(Refusal::new(
                "IdempotentParameterMismatch",
                "The request uses the same client token as a previous, but non-identical request. Do not reuse a client \
                 token with different requests, unless the requests are identical",
            ));
        }
        let answer = self.carry_out(&account, &call, outside)?;
        let tokens = &mut self.region(&account, call.region, outside.now).tokens;
        tokens.retain(|_, kept| kept.at + TOKEN_LIFE > outside.now);
        tokens.insert(token, account::Kept { digest, answer: answer.clone(), at: outside.now });
        Ok(answer)
    }

    fn carry_out(&mut self, account: &str, call: &Call<'_>, outside: &Outside<'_>) -> Result<String, Refusal> {
        let mut cx = Cx {
            world: self,
            account: account.to_owned(),
            region: call.region.to_owned(),
            access_key: call.access_key.to_owned(),
            now: outside.now,
            outside,
        };
        let before = cx.world.effects.len();
        let answer = actions::perform(&mut cx, call.service, call.action, call.input.clone()).map(Xml::finish);
        if answer.is_err() {
            cx.world.effects.truncate(before);
        }
        answer
    }

    /// As [`World::call`], for the JSON services; `call.action` is the target.
    ///
    /// # Errors
    /// AWS's error for it.
    pub fn json_call(&mut self, call: Call<'_>, outside: &Outside<'_>) -> Result<Value, Refusal> {
        let account = self.account_of(call.access_key);
        let mut cx = Cx {
            world: self,
            account,
            region: call.region.to_owned(),
            access_key: call.access_key.to_owned(),
            now: outside.now,
            outside,
        };
        actions::json_action(&mut cx, call.action, &call.input)
    }

    /// What is to be done since this was last asked.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// An id that nothing has had.
    pub fn mint(&mut self, prefix: &str) -> String {
        self.minted += 1;
        id::id(prefix, &[b"minted", &self.seed.to_be_bytes(), &self.minted.to_be_bytes()])
    }

    pub fn account(&mut self, id: &str) -> &mut Account {
        self.accounts.entry(id.to_owned()).or_insert_with(|| Account::new(id))
    }

    /// Whether these temporary credentials have ended.
    pub fn credentials_ended(&self, access_key: &str, now: Time) -> bool {
        self.sessions.get(access_key).is_some_and(|s| s.until <= now)
    }

    /// A region of an account, as AWS gives it to a new account: with a default network and the public images.
    pub fn region(&mut self, account: &str, region: &str, now: Time) -> &mut Region {
        let account = self.account(account);
        let id = account.id.clone();
        account.regions.entry(region.to_owned()).or_insert_with(|| Region::new(&id, region, now))
    }

    /// Where an instance is.
    fn home_of(&mut self, instance: &str) -> Option<(&str, &mut Region)> {
        self.accounts
            .values_mut()
            .flat_map(|a| a.regions.iter_mut().map(|(_, r)| (a.id.as_str(), r)))
            .find(|(_, r)| r.instances.contains_key(instance))
    }

    /// What a machine told.
    pub fn happened(&mut self, instance: &str, what: &Happened, now: Time) {
        instance_state::happened(self, instance, what, now);
    }

    /// A machine has been stopped as asked; nothing of it runs.
    pub fn stopped(&mut self, instance: &str, now: Time) {
        instance_state::stopped(self, instance, now);
    }

    /// A machine is gone as asked.
    pub fn terminated(&mut self, instance: &str, now: Time) {
        instance_state::terminated(self, instance, now);
    }

    /// A capture has ended; `Err`: it failed, in words.
    pub fn captured(&mut self, layer: &LayerId, size: Result<u64, &str>, now: Time) {
        snapshot::captured(self, layer, size, now);
    }

    /// What the instance metadata service answers.
    pub fn metadata(&mut self, instance: &str, path: &str, now: Time) -> Option<Vec<u8>> {
        metadata::answer(self, instance, path, now)
    }

    /// Does what is due; gives when to ask again, if at all.
    pub fn tick(&mut self, now: Time) -> Option<Time> {
        instance_state::tick(self, now)
    }

    /// Faults changed: machines' links follow.
    pub fn relink(&mut self, now: Time) {
        instance_state::relink(self, now);
    }

    /// After a restart: nothing runs any more, whatever was.
    pub fn wake(&mut self, now: Time) {
        instance_state::wake(self, now);
    }

    /// Every layer that an image, a snapshot, a volume or an instance still needs.
    pub fn layers(&self) -> std::collections::BTreeSet<&LayerId> {
        let regions = || self.accounts.values().flat_map(|a| a.regions.values());
        let snapshots = regions().flat_map(|r| r.snapshots.values().flat_map(|s| &s.layers));
        let instances = regions().flat_map(|r| r.instances.values().flat_map(|i| &i.layers));
        let volumes = regions().flat_map(|r| r.volumes.values().flat_map(|v| &v.layers));
        snapshots.chain(instances).chain(volumes).collect()
    }
}

impl Cx<'_> {
    /// The region that the call is for.
    pub fn here(&mut self) -> &mut Region {
        self.world.region(&self.account, &self.region, self.now)
    }

    pub fn mint(&mut self, prefix: &str) -> String {
        let id = self.world.mint(prefix);
        self.world.trouble.made(&id, self.now);
        id
    }

    pub fn effect(&mut self, effect: Effect) {
        self.world.effects.push(effect);
    }

    /// Layers that nothing needs any more are dropped: call it after what referred to them is gone.
    pub fn drop_unused(&mut self, layers: &[LayerId]) {
        let used = self.world.layers();
        let unused: Vec<_> = layers.iter().filter(|l| !used.contains(l)).cloned().collect();
        self.world.effects.extend(unused.into_iter().map(Effect::DropLayer));
    }

    pub fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}::{}:{rest}", self.account)
    }
}

/// RFC 3339 with milliseconds, as EC2 writes times.
pub fn stamp(at: Time) -> String {
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| String::new(), |t| t.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

/// RFC 3339 in whole seconds, as IAM and STS write them.
pub fn stamp_seconds(at: Time) -> String {
    jiff::Timestamp::from_millisecond(at)
        .map_or_else(|_| String::new(), |t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
