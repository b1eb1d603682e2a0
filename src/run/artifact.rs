//! What a build leaves on purpose.

use serde::{Deserialize, Serialize};

/// The result of a builder or of a post-processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// Packer's id of what made it, such as `mitchellh.amazonebs`.
    pub builder_id: String,
    /// `us-east-1:ami-1,us-west-2:ami-2`, sorted; empty where there is none.
    pub id: String,
    /// What Packer prints under `--> NAME:`.
    pub description: String,
    #[serde(default)]
    pub images: Vec<Image>,
    #[serde(default)]
    pub files: Vec<ArtifactFile>,
}

/// An image in one region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    pub region: String,
    pub id: String,
    pub name: String,
    #[serde(default)]
    pub snapshots: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactFile {
    pub path: String,
    /// Bytes.
    pub size: u64,
}
