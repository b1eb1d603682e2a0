//! The amazon builders' fields, as Packer's templates write them, and what they come to.
//!
//! Each struct is serde's and the schema's at once; doc comments are the help that users see. Not here: rules over several
//! fields ([`super::check`]) and what the steps do with them.

mod access;
mod ami;
mod block_device;
mod network;
mod run;

pub use access::{AccessConfig, AssumeRoleConfig, PollingConfig, VaultConfig};
pub use ami::{AmiConfig, DeregistrationProtection};
pub use block_device::BlockDevice;
pub use network::{NetworkConfig, SecurityGroupFilter, SubnetFilter, VpcFilter};
pub use run::{
    LicenseRequest, LicenseSpecification, MetadataOptions, Placement, PolicyDocument, RunConfig, SourceAmiFilter,
    SpotConfig, Statement,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::communicator::CommunicatorConfig;

/// The names that `{{ .Name }}` has in tags and descriptions, once the source AMI is known.
pub const LATE: [&str; 7] = [
    "BuildRegion",
    "SourceAMI",
    "SourceAMIName",
    "SourceAMICreationDate",
    "SourceAMIOwner",
    "SourceAMIOwnerName",
    "SourceAMITags",
];

/// Makes an Amazon machine image (AMI): starts an instance from a source AMI, provisions it over SSH, and makes an image of it,
/// backed by EBS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AmazonEbs {
    #[serde(flatten)]
    pub access: AccessConfig,
    #[serde(flatten)]
    pub ami: AmiConfig,
    #[serde(flatten)]
    pub run: RunConfig,
    #[serde(flatten)]
    pub network: NetworkConfig,
    #[serde(flatten)]
    pub spot: SpotConfig,
    #[serde(flatten)]
    pub communicator: CommunicatorConfig,
    /// Volumes of the image, beside or in place of the source AMI's. Written into the AMI, not attached while building.
    pub ami_block_device_mappings: Vec<BlockDevice>,
    /// Volumes of the instance while it is built, beside or in place of the source AMI's; the image has them too.
    pub launch_block_device_mappings: Vec<BlockDevice>,
    /// Tags of the instance's volumes while it is built.
    #[schemars(extend("x-kiln-aliases" = ["run_volume_tag"], "x-kiln-late" = LATE))]
    pub run_volume_tags: Tags,
    /// Takes the instance-store volumes out of the image's block devices (`xvdca` to `xvdcz` get `NoDevice`).
    pub no_ephemeral: bool,
    /// Makes no AMI: the build only tests that the provisioners work.
    pub skip_create_ami: bool,
    /// Windows Fast Launch of the AMI.
    #[schemars(extend("x-kiln-not-built" = "Windows Fast Launch is not switched on yet; use `aws ec2 enable-fast-launch` afterwards"))]
    pub fast_launch: Option<FastLaunch>,
}

/// Names and values, in the order of the template.
pub type Tags = indexmap::IndexMap<String, String>;

/// Windows Fast Launch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FastLaunch {
    /// Switches Fast Launch on.
    pub enable_fast_launch: bool,
    /// Id of the launch template to use.
    pub template_id: String,
    /// Name of the launch template to use.
    pub template_name: String,
    /// Version of the launch template, from 1.
    pub template_version: Option<i64>,
    /// Other launch templates for other regions.
    pub region_launch_templates: Vec<FastLaunchRegion>,
    /// How many instances may be started at once, 6 or more.
    pub max_parallel_launches: Option<i64>,
    /// How many snapshots are kept ready, 1 or more.
    pub target_resource_count: Option<i64>,
}

/// Fast Launch in one region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct FastLaunchRegion {
    /// The region: the build's own or one of `ami_regions`.
    #[schemars(extend("x-kiln-required" = true, "x-kiln-values-from" = "regions"))]
    pub region: String,
    /// Switches Fast Launch on in this region.
    pub enable_fast_launch: Option<bool>,
    /// Id of the launch template to use there.
    pub template_id: String,
    /// Name of the launch template to use there.
    pub template_name: String,
    /// Version of the launch template, from 1.
    pub template_version: Option<i64>,
}

#[cfg(test)]
mod tests;
