//! An account and what it has in a region.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::fleet::Fleet;
use super::iam::Iam;
use super::image::Image;
use super::instance::Instance;
use super::key_pair::KeyPair;
use super::launch_template::LaunchTemplate;
use super::network::{self, Subnet, Vpc};
use super::secret::{Parameter, Secret};
use super::security_group::Group;
use super::snapshot::Snapshot;
use super::spot::SpotRequest;
use super::tag::Tags;
use super::volume::Volume;
use super::{Time, World, catalog};

/// Whom an access key belongs to that names nobody.
pub const USUAL: &str = "123456789012";

/// Has the images of well-known owners; nobody's key leads here.
pub const PUBLIC: &str = "public";

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Account {
    pub id: String,
    pub regions: BTreeMap<String, Region>,
    pub iam: Iam,
}

/// What an account has in one region. Everything stands under its id.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Region {
    pub name: String,
    pub images: BTreeMap<String, Image>,
    pub snapshots: BTreeMap<String, Snapshot>,
    pub volumes: BTreeMap<String, Volume>,
    pub instances: BTreeMap<String, Instance>,
    /// By name.
    pub key_pairs: BTreeMap<String, KeyPair>,
    pub groups: BTreeMap<String, Group>,
    pub vpcs: BTreeMap<String, Vpc>,
    pub subnets: BTreeMap<String, Subnet>,
    pub launch_templates: BTreeMap<String, LaunchTemplate>,
    pub spot_requests: BTreeMap<String, SpotRequest>,
    pub fleets: BTreeMap<String, Fleet>,
    /// Of all of them, by id.
    pub tags: BTreeMap<String, Tags>,
    /// By name.
    pub parameters: BTreeMap<String, Parameter>,
    /// By name.
    pub secrets: BTreeMap<String, Secret>,
    /// Answers that client tokens got, by action and token.
    pub tokens: BTreeMap<String, Kept>,
}

/// What a client token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub digest: String,
    pub answer: String,
    pub at: Time,
}

impl Account {
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), ..Self::default() }
    }
}

impl Region {
    pub fn new(account: &str, name: &str, now: Time) -> Self {
        let mut region = Self { name: name.to_owned(), ..Self::default() };
        if account == PUBLIC {
            catalog::stock(&mut region);
        } else {
            network::default_network(&mut region, account, now);
        }
        region
    }

    pub fn tags(&self, id: &str) -> Option<&Tags> {
        self.tags.get(id)
    }

    /// Sets a new thing's tags.
    pub fn tag(&mut self, id: &str, tags: &Tags) {
        if !tags.is_empty() {
            self.tags.entry(id.to_owned()).or_default().extend(tags.clone());
        }
    }

    /// A thing is gone, its tags too.
    pub fn untag(&mut self, id: &str) {
        self.tags.remove(id);
    }
}

impl World {
    /// Temporary credentials belong to whom they were given; `AKIA`, 12 digits and four letters to that account; all
    /// others to the usual one.
    pub fn account_of(&self, access_key: &str) -> String {
        if let Some(session) = self.sessions.get(access_key) {
            return session.account.clone();
        }
        let digits = access_key.get(4..16).filter(|d| access_key.len() == 20 && d.bytes().all(|b| b.is_ascii_digit()));
        digits.unwrap_or(USUAL).to_owned()
    }
}
