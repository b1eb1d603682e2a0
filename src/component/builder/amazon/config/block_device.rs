//! Volumes.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A volume of the instance or image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BlockDevice {
    /// The device's name as EC2 sees it, such as `/dev/sda1` or `/dev/xvda`. The source AMI's own root device has the
    /// name that its description tells.
    #[schemars(extend("x-kiln-required" = true))]
    pub device_name: String,
    /// Deletes the volume with its instance. Without it volumes stay, and cost.
    pub delete_on_termination: bool,
    /// Encrypts the volume; by default as its snapshot is, or as the account's settings say.
    pub encrypted: Option<bool>,
    /// The KMS key to encrypt with.
    pub kms_key_id: String,
    /// Operations a second, for `io1`, `io2` and `gp3`.
    pub iops: Option<i64>,
    /// MiB a second, for `gp3`: 125 to 1000.
    pub throughput: Option<i64>,
    /// `gp3`, `gp2`, `io1`, `io2`, `st1`, `sc1` or `standard`; by default AWS's choice.
    pub volume_type: String,
    /// GiB; by default as large as the snapshot.
    pub volume_size: Option<i64>,
    /// The snapshot to start from.
    pub snapshot_id: String,
    /// An instance-store volume, such as `ephemeral0`, in place of one of EBS.
    pub virtual_name: String,
    /// Takes this device out, though the source AMI has it.
    pub no_device: bool,
}
