//! The instance: what it starts from, its type, its rights.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LATE, Tags};
use crate::component::config::GoDuration;

/// The instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RunConfig {
    /// The AMI to start from, by id. Either this or `source_ami_filter`.
    pub source_ami: String,
    /// Finds the AMI to start from.
    pub source_ami_filter: Option<SourceAmiFilter>,
    /// The instance's type, such as `t3.micro`. Either this or `spot_instance_types`.
    #[schemars(extend("x-kiln-values-from" = "instance-types"))]
    pub instance_type: String,
    /// Name of the instance profile whose role the instance gets (a name, not an ARN).
    pub iam_instance_profile: String,
    /// Does not check that the instance profile exists.
    pub skip_profile_validation: bool,
    /// A policy for a temporary role of the instance. `iam_instance_profile` goes before it.
    pub temporary_iam_instance_profile_policy_document: Option<PolicyDocument>,
    /// Gives the instance bandwidth of its own to its volumes; newer types always have it.
    pub ebs_optimized: bool,
    /// Switches AWS Nitro Enclaves on.
    pub enable_nitro_enclave: bool,
    /// Lets a burstable instance use more CPU than it has credits for, at a price.
    pub enable_unlimited_credits: bool,
    /// The old name of `enable_unlimited_credits`.
    #[schemars(extend("x-kiln-deprecated" = "use `enable_unlimited_credits`"))]
    pub enable_t2_unlimited: bool,
    /// `none` or `open`: whether the instance may use an open capacity reservation.
    #[schemars(extend("x-kiln-one-of" = ["none", "open"]))]
    pub capacity_reservation_preference: String,
    /// The capacity reservation to use.
    pub capacity_reservation_id: String,
    /// The group of capacity reservations to use.
    pub capacity_reservation_group_arn: String,
    /// On which hosts the instance runs.
    pub placement: Option<Placement>,
    /// The old form of `placement.tenancy`.
    #[schemars(extend("x-kiln-one-of" = ["default", "dedicated", "host"], "x-kiln-deprecated" = "use `tenancy` in the `placement` block"))]
    pub tenancy: String,
    /// Licences that the instance uses.
    pub license_specifications: Vec<LicenseSpecification>,
    /// The instance's metadata service.
    pub metadata_options: Option<MetadataOptions>,
    /// What `shutdown` within the instance does: `stop` or `terminate`.
    #[schemars(extend("x-kiln-one-of" = ["stop", "terminate"], "default" = "stop"))]
    pub shutdown_behavior: String,
    /// Does not stop the instance before the image is made, but waits until it stops by itself.
    pub disable_stop_instance: bool,
    /// Tags of the instance and of what is temporary; the AMI and its snapshots get them too, unless
    /// `skip_ami_run_tags` is set.
    #[schemars(extend("x-kiln-aliases" = ["run_tag"], "x-kiln-late" = LATE))]
    pub run_tags: Tags,
    /// User data: what cloud-init reads at the first boot.
    pub user_data: String,
    /// A local file with the user data.
    pub user_data_file: String,
    /// How long to wait for the password of a Windows instance.
    #[schemars(extend("default" = "20m"))]
    pub windows_password_timeout: Option<GoDuration>,
}

/// Spot instances.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SpotConfig {
    /// Types of which AWS takes what is free. Needs `spot_price`.
    #[schemars(extend("x-kiln-values-from" = "instance-types"))]
    pub spot_instance_types: Vec<String>,
    /// The most to pay for an hour of a spot instance; `auto`: no more than on demand. Empty or `0`: no spot instance.
    pub spot_price: String,
    /// How AWS chooses among the spot types.
    #[schemars(extend("x-kiln-one-of" = [
        "lowest-price", "diversified", "capacity-optimized", "capacity-optimized-prioritized", "price-capacity-optimized"
    ]))]
    pub spot_allocation_strategy: String,
    /// Tags of the spot request.
    #[schemars(extend("x-kiln-aliases" = ["spot_tag"], "x-kiln-late" = LATE))]
    pub spot_tags: Tags,
    /// Tags of the fleet that asks for the spot instance.
    #[schemars(extend("x-kiln-aliases" = ["fleet_tag"], "x-kiln-late" = LATE))]
    pub fleet_tags: Tags,
    /// Minutes that a spot instance could once be reserved for. AWS has ended that.
    #[schemars(extend("x-kiln-deprecated" = "remove it: AWS no longer reserves spot instances for a time"))]
    pub block_duration_minutes: Option<i64>,
    /// The product whose price `auto` once looked up.
    #[schemars(extend("x-kiln-deprecated" = "remove it: `spot_price` set to `auto` needs no product any more"))]
    pub spot_price_auto_product: String,
}

/// Finds the source AMI.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SourceAmiFilter {
    /// The filters of `DescribeImages`, such as `name` with `*`; several values are separated by commas.
    #[schemars(extend("x-kiln-aliases" = ["filter"]))]
    pub filters: Tags,
    /// Whose AMIs: account ids, `self`, `amazon`, `aws-marketplace`. Anybody can publish an AMI of any name.
    pub owners: Vec<String>,
    /// Takes the newest of those that fit.
    pub most_recent: bool,
    /// Takes deprecated AMIs too.
    pub include_deprecated: bool,
}

/// Where the instance runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Placement {
    /// `default`, `dedicated` or `host`.
    #[schemars(extend("x-kiln-one-of" = ["default", "dedicated", "host"]))]
    pub tenancy: String,
    /// The dedicated host.
    pub host_id: String,
    /// The group of dedicated hosts.
    pub host_resource_group_arn: String,
}

/// A licence that the instance uses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LicenseSpecification {
    /// Which licence.
    pub license_configuration_request: Option<LicenseRequest>,
}

/// Which licence.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct LicenseRequest {
    /// ARN of the licence configuration.
    pub license_configuration_arn: String,
}

/// The instance's metadata service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct MetadataOptions {
    /// Whether the service answers at all.
    #[schemars(extend("x-kiln-one-of" = ["enabled", "disabled"], "default" = "enabled"))]
    pub http_endpoint: String,
    /// Whether version 2 of the service is `optional` or `required`.
    #[schemars(extend("x-kiln-one-of" = ["optional", "required"], "default" = "optional"))]
    pub http_tokens: String,
    /// How many hops an answer may take: 1 to 64; containers need 2.
    #[schemars(extend("default" = 1))]
    pub http_put_response_hop_limit: Option<i64>,
    /// Whether the instance's tags can be read there.
    #[schemars(extend("x-kiln-one-of" = ["enabled", "disabled"], "default" = "disabled"))]
    pub instance_metadata_tags: String,
}

/// An IAM policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PolicyDocument {
    /// The version of the policy language.
    #[serde(rename = "Version")]
    #[schemars(extend("default" = "2012-10-17"))]
    pub version: String,
    /// What is allowed or denied.
    #[serde(rename = "Statement")]
    pub statement: Vec<Statement>,
}

/// A statement of an IAM policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Statement {
    /// `Allow` or `Deny`.
    #[serde(rename = "Effect")]
    #[schemars(extend("x-kiln-one-of" = ["Allow", "Deny"]))]
    pub effect: String,
    /// The actions, such as `s3:GetObject`.
    #[serde(rename = "Action")]
    pub action: Vec<String>,
    /// ARNs of what they are done to.
    #[serde(rename = "Resource")]
    pub resource: Vec<String>,
}

impl SpotConfig {
    /// Whether a spot instance is asked for: `spot_price` decides, as in Packer.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !matches!(self.spot_price.as_str(), "" | "0")
    }

    /// The most to pay; `None` with `auto`.
    #[must_use]
    pub fn max_price(&self) -> Option<&str> {
        Some(self.spot_price.as_str()).filter(|p| self.is_on() && *p != "auto")
    }
}

impl RunConfig {
    /// Whether credits beyond the earned ones may be used.
    #[must_use]
    pub fn unlimited(&self) -> bool {
        self.enable_unlimited_credits || self.enable_t2_unlimited
    }

    /// The tenancy, in its new or old place.
    #[must_use]
    pub fn tenancy(&self) -> &str {
        match self.placement.as_ref().map(|p| p.tenancy.as_str()) {
            Some(tenancy) if !tenancy.is_empty() => tenancy,
            _ => &self.tenancy,
        }
    }
}
