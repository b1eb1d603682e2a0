//! What the steps learn for later ones: plain data that goes through the journal.

use std::collections::BTreeMap;

use aws_sdk_ec2::types as ec2;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

/// The names under which they stand in the journal.
pub mod name {
    pub const SOURCE_IMAGE: &str = "source_image";
    pub const NETWORK: &str = "network";
    pub const KEY_PAIR: &str = "key_pair";
    pub const SECURITY_GROUPS: &str = "security_groups";
    pub const INSTANCE_PROFILE: &str = "instance_profile";
    pub const INSTANCE: &str = "instance";
    pub const REPLACES: &str = "replaces";
    pub const IMAGES: &str = "images";
    pub const INTERMEDIATE: &str = "intermediate_image";
}

/// The image that the machine starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceImage {
    pub id: String,
    pub name: String,
    pub owner: String,
    pub owner_name: String,
    pub creation_date: String,
    pub root_device_type: String,
    pub root_device_name: String,
    pub virtualization: String,
    pub platform: String,
    pub tags: BTreeMap<String, String>,
}

impl From<&ec2::Image> for SourceImage {
    fn from(image: &ec2::Image) -> Self {
        Self {
            id: image.image_id().unwrap_or_default().into(),
            name: image.name().unwrap_or_default().into(),
            owner: image.owner_id().unwrap_or_default().into(),
            owner_name: image.image_owner_alias().unwrap_or_default().into(),
            creation_date: image.creation_date().unwrap_or_default().into(),
            root_device_type: image.root_device_type().map(|t| t.as_str().to_owned()).unwrap_or_default(),
            root_device_name: image.root_device_name().unwrap_or_default().into(),
            virtualization: image.virtualization_type().map(|t| t.as_str().to_owned()).unwrap_or_default(),
            platform: image.platform().map(|p| p.as_str().to_owned()).unwrap_or_default(),
            tags: tag_map(image.tags()),
        }
    }
}

impl SourceImage {
    /// What `{{ .SourceAMI }}` and its kin in tags and descriptions give.
    pub fn template_data(&self, region: &str) -> Json {
        json!({
            "BuildRegion": region,
            "SourceAMI": self.id,
            "SourceAMICreationDate": self.creation_date,
            "SourceAMIName": self.name,
            "SourceAMIOwner": self.owner,
            "SourceAMIOwnerName": self.owner_name,
            "SourceAMITags": self.tags,
        })
    }
}

/// Tags as a map; a tag without a value has an empty one.
pub fn tag_map(tags: &[ec2::Tag]) -> BTreeMap<String, String> {
    tags.iter()
        .map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned()))
        .collect()
}

/// Where the machine stands; empty: AWS chooses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    pub vpc: String,
    pub subnet: String,
    pub zone: String,
    /// Groups that exist already; empty: a temporary one is made.
    pub groups: Vec<String>,
    /// What the machine is told about a public address.
    pub public_address: Option<bool>,
}

/// How the machine is opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// Name in EC2; empty: none.
    pub name: String,
    /// The private key of a temporary pair: its file in `keys/` of the run.
    pub file: Option<String>,
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub id: String,
    pub spot: bool,
    /// Where it was reached when it began to run.
    #[serde(default)]
    pub address: Option<String>,
}

/// An image that this build made, in one region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeImage {
    pub id: String,
    pub name: String,
    pub snapshots: Vec<String>,
    /// Key of the resource in the journal.
    pub key: String,
    /// What it has as AWS told when it became available.
    pub tags: BTreeMap<String, String>,
    pub description: String,
    /// What the create call asked for its snapshots.
    #[serde(default)]
    pub snapshot_tags: BTreeMap<String, String>,
}

/// Images by region.
pub type MadeImages = BTreeMap<String, MadeImage>;

/// The snapshots behind an image, in the order of its devices.
pub fn snapshots(image: &ec2::Image) -> Vec<String> {
    image
        .block_device_mappings()
        .iter()
        .filter_map(|mapping| mapping.ebs()?.snapshot_id())
        .filter(|id| !id.is_empty())
        .map(str::to_owned)
        .collect()
}
