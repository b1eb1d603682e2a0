//! The steps, in the order in which they are taken. Each file holds one idea; this one says what goes together.

mod connect;
mod copy;
mod create_image;
mod key_pair;
mod launch;
mod network;
mod prevalidate;
mod profile;
mod publish;
mod replace;
mod security_group;
mod source_image;
mod spot;
mod stop;
mod tag;

use super::learnt::{Network, name};
use super::work::Work;
use crate::component::contract::{Done, StepResult};
use crate::run::Failure;

pub const LOOK_UP: &str = "look-up";
pub const ACCESS: &str = "access";
pub const LAUNCH: &str = "launch";
pub const CONNECT: &str = "connect";
pub const STOP: &str = "stop";
pub const MODIFY: &str = "modify";
pub const CREATE_IMAGE: &str = "create-image";
pub const COPY: &str = "copy";
pub const PUBLISH: &str = "publish";

// What each step reads. The look-up also checks the image's name and the regions, but those belong to the steps that use
// them: a machine need not be launched anew because its image is to have another name.

pub const LOOK_UP_READS: &[&str] = &[
    "region",
    "access_key",
    "profile",
    "assume_role",
    "custom_endpoint_ec2",
    "source_ami",
    "source_ami_filter",
    "ami_virtualization_type",
    "vpc_id",
    "vpc_filter",
    "subnet_id",
    "subnet_filter",
    "availability_zone",
    "associate_public_ip_address",
    "security_group_id",
    "security_group_ids",
    "security_group_filter",
];
pub const ACCESS_READS: &[&str] = &[
    "ssh_keypair_name",
    "ssh_private_key_file",
    "ssh_agent_auth",
    "ssh_password",
    "temporary_key_pair_name",
    "temporary_key_pair_type",
    "temporary_key_pair_bits",
    "ssh_interface",
    "ssh_port",
    "temporary_security_group_source_cidrs",
    "temporary_security_group_source_public_ip",
    "iam_instance_profile",
    "temporary_iam_instance_profile_policy_document",
];
pub const LAUNCH_READS: &[&str] = &[
    "instance_type",
    "spot_price",
    "spot_instance_types",
    "spot_allocation_strategy",
    "spot_tags",
    "fleet_tags",
    "user_data",
    "user_data_file",
    "launch_block_device_mappings",
    "no_ephemeral",
    "ebs_optimized",
    "enable_nitro_enclave",
    "enable_unlimited_credits",
    "enable_t2_unlimited",
    "capacity_reservation_preference",
    "capacity_reservation_id",
    "capacity_reservation_group_arn",
    "placement",
    "tenancy",
    "license_specifications",
    "metadata_options",
    "shutdown_behavior",
    "run_volume_tags",
];
pub const CONNECT_READS: &[&str] = &["communicator", "ssh_username", "ssh_host", "ssh_bastion_host", "ssh_proxy_host"];
pub const STOP_READS: &[&str] = &["disable_stop_instance", "ssh_clear_authorized_keys"];
pub const MODIFY_READS: &[&str] = &["ena_support", "sriov_support"];
pub const CREATE_IMAGE_READS: &[&str] = &[
    "ami_name",
    "ami_block_device_mappings",
    "force_deregister",
    "force_delete_snapshot",
    "skip_save_build_region",
    "run_tags",
    "skip_ami_run_tags",
];
pub const COPY_READS: &[&str] =
    &["ami_regions", "encrypt_boot", "kms_key_id", "region_kms_key_ids", "snapshot_copy_duration_minutes"];
pub const PUBLISH_READS: &[&str] = &[
    "ami_description",
    "ami_users",
    "ami_groups",
    "ami_org_arns",
    "ami_ou_arns",
    "ami_product_codes",
    "snapshot_users",
    "snapshot_groups",
    "imds_support",
    "deprecate_at",
    "deregistration_protection",
    "tags",
    "snapshot_tags",
];

/// Takes one step.
pub async fn take(id: &str, work: &Work<'_>) -> StepResult {
    match id {
        LOOK_UP => look_up(work).await?,
        ACCESS => access(work).await?,
        LAUNCH => launch::launch(work).await?,
        CONNECT => connect::open(work).await?,
        STOP => return stop::stop(work).await,
        MODIFY => stop::modify(work).await?,
        CREATE_IMAGE => return create_image::create(work).await,
        COPY => return copy::copy(work).await,
        PUBLISH => return publish::publish(work).await,
        other => return Err(Failure::other(format!("the amazon-ebs builder has no step `{other}`"))),
    }
    Ok(Done::Done)
}

/// Opens the link anew.
pub async fn reconnect(work: &Work<'_>) -> StepResult {
    connect::again(work).await
}

/// All that only reads, at once.
async fn look_up(work: &Work<'_>) -> Result<(), Failure> {
    let cx = work.cx;
    let (valid, source, network) =
        tokio::join!(prevalidate::check(work), source_image::find(work), network::find(work));
    valid?;
    let source = source?;
    cx.detail(format!("Found Image ID: {}", source.id));
    let network = network?;
    cx.learn(name::SOURCE_IMAGE, &source).await?;
    cx.learn(name::NETWORK, &network).await
}

/// Key pair, security group and instance profile, at once. All are waited for, so that what was made is known.
async fn access(work: &Work<'_>) -> Result<(), Failure> {
    let network: Network = work.cx.learnt(name::NETWORK).unwrap_or_default();
    let run_tags = work.render_tags("run_tags", &work.config.run.run_tags)?;
    let (key, group, profile) = tokio::join!(
        key_pair::provide(work, &run_tags),
        security_group::provide(work, &network, &run_tags),
        profile::provide(work, &run_tags),
    );
    key.and(group).and(profile)
}
