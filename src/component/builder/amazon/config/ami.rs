//! The image: its name, where it goes, who may use it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{LATE, Tags};

/// The image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AmiConfig {
    /// The AMI's name, unique in the account and region: 3 to 128 letters, digits, spaces and `( ) [ ] . / - ' @ _`. It is
    /// made unique with `{{timestamp}}` or `{{isotime}}`; `{{… | clean_resource_name}}` replaces what is not allowed.
    #[schemars(extend("x-kiln-required" = true))]
    pub ami_name: String,
    /// The AMI's description.
    #[schemars(extend("x-kiln-late" = LATE))]
    pub ami_description: String,
    /// The AMI's virtualization; it is that of the source AMI. Only looked at for `ena_support` and `sriov_support`.
    #[schemars(extend("x-kiln-one-of" = ["hvm", "paravirtual"]))]
    pub ami_virtualization_type: String,
    /// Accounts that may launch the AMI.
    pub ami_users: Vec<String>,
    /// Groups that may launch the AMI: `all` makes it public.
    pub ami_groups: Vec<String>,
    /// ARNs of organisations whose accounts may launch the AMI.
    pub ami_org_arns: Vec<String>,
    /// ARNs of organisational units whose accounts may launch the AMI.
    pub ami_ou_arns: Vec<String>,
    /// Product codes of the AMI.
    pub ami_product_codes: Vec<String>,
    /// Regions that the AMI is copied to.
    #[schemars(extend("x-kiln-values-from" = "regions"))]
    pub ami_regions: Vec<String>,
    /// Does not check that the regions exist.
    pub skip_region_validation: bool,
    /// Time within which AWS finishes each copy of the snapshots, in minutes: a multiple of 15. AWS charges for it.
    pub snapshot_copy_duration_minutes: Option<i64>,
    /// Tags of the AMI and its snapshots.
    #[schemars(extend("x-kiln-aliases" = ["tag"], "x-kiln-late" = LATE))]
    pub tags: Tags,
    /// Enhanced networking (ENA) on or off; by default as in the source AMI.
    pub ena_support: Option<bool>,
    /// Enhanced networking of older instance types (SR-IOV, `ixgbevf`) on.
    pub sriov_support: bool,
    /// Replaces an AMI of this name, in every target region. The call's `-force` does the same.
    pub force_deregister: bool,
    /// Deletes the snapshots of the AMI that is replaced.
    pub force_delete_snapshot: bool,
    /// Encrypts the image (`true`) or refuses to (`false`); by default as the volumes are.
    pub encrypt_boot: Option<bool>,
    /// The KMS key to encrypt with in the build's own region: id, alias or ARN; by default the account's key for EBS. Needs
    /// `encrypt_boot`.
    pub kms_key_id: String,
    /// KMS keys for the copies, by region; empty for the region's default key.
    pub region_kms_key_ids: Tags,
    /// Keeps no AMI in the build's own region, only the copies.
    pub skip_save_build_region: bool,
    /// `v2.0`: instances of the AMI answer only version 2 of the metadata service.
    #[schemars(extend("x-kiln-one-of" = ["v2.0"]))]
    pub imds_support: String,
    /// When the AMI is no longer listed for others: a date and time as in `2027-01-31T23:59:00Z`, at most ten years ahead.
    pub deprecate_at: String,
    /// Keeps the AMI from being deregistered.
    pub deregistration_protection: Option<DeregistrationProtection>,
    /// Tags of the snapshots, over those of `tags`.
    #[schemars(extend("x-kiln-aliases" = ["snapshot_tag"], "x-kiln-late" = LATE))]
    pub snapshot_tags: Tags,
    /// Accounts that may use the snapshots.
    pub snapshot_users: Vec<String>,
    /// Groups that may use the snapshots: `all` makes them public.
    pub snapshot_groups: Vec<String>,
    /// Does not copy `run_tags` to the AMI and its snapshots.
    pub skip_ami_run_tags: bool,
}

/// Protection from being deregistered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct DeregistrationProtection {
    /// Switches the protection on.
    pub enabled: bool,
    /// Protects for 24 hours more after it is switched off; switches it on as well.
    pub with_cooldown: bool,
}

impl DeregistrationProtection {
    /// Whether the AMI is to be protected.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.enabled || self.with_cooldown
    }
}
