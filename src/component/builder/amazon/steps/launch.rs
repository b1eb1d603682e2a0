//! Launching the machine: what is asked for, and that it runs.

use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types as ec2;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{connect, security_group, spot};
use crate::cloud::InstanceGoal;
use crate::component::builder::amazon::block_device;
use crate::component::builder::amazon::learnt::{Instance, KeyPair, Network, name};
use crate::component::builder::amazon::names;
use crate::component::builder::amazon::resource::{INSTANCE, VOLUME};
use crate::component::builder::amazon::tags::{self, Tags};
use crate::component::builder::amazon::work::{Work, code};
use crate::component::late::learn_build_values;
use crate::run::Failure;

/// How long EC2 may take until it knows a new key pair, group or instance profile.
pub const SETTLING: std::time::Duration = std::time::Duration::from_secs(90);

/// Everything that the ways to launch have in common.
pub struct Request {
    pub image: String,
    pub network: Network,
    pub groups: Vec<String>,
    pub key_name: String,
    pub profile: String,
    /// In base64, as AWS takes it; empty: none.
    pub user_data: String,
    pub devices: Vec<ec2::BlockDeviceMapping>,
    pub instance_tags: Tags,
    pub volume_tags: Tags,
    /// Finds the machine again.
    pub token: String,
}

/// Launches and waits until it runs.
pub async fn launch(work: &Work<'_>) -> Result<(), Failure> {
    let cx = work.cx;
    let spot = work.config.spot.is_on();
    cx.say(if spot { "Launching a spot AWS instance..." } else { "Launching a source AWS instance..." });
    if spot {
        cx.say("Interpolating tags for spot instance...");
    }
    let request = request(work).await?;
    say_tags(work, &request);
    let template = (spot && spot::wants_fleet(work)).then(names::launch_template);
    let find = json!({ "token": request.token, "launch_template": template, "tagged": cx.options.kiln_tags });
    let key = cx.intend(INSTANCE, "source", work.region_name(), find).await?;
    let started =
        if spot { spot::launch(work, &request, template.as_deref()).await? } else { on_demand(work, &request).await? };
    let id = started.id.clone();
    cx.created(&key, &id).await?;
    cx.detail(format!("Instance ID: {id}"));
    let mut learnt = Instance { id: id.clone(), spot, address: None };
    cx.learn(name::INSTANCE, &learnt).await?;
    security_group::open_to_route(work, started.private_address.as_deref()).await?;

    cx.say(format!("Waiting for instance ({id}) to become ready..."));
    let instance = work.await_instance(&id, InstanceGoal::Running).await?;
    learnt.address = connect::address(&instance, &work.config.network.ssh_interface);
    own_volumes(work, &instance).await?;
    cx.learn(name::INSTANCE, &learnt).await?;
    learn_values(work, &id).await
}

fn say_tags(work: &Work<'_>, request: &Request) {
    let shown = |tags: &Tags| {
        tags.iter().filter(|(k, _)| !k.starts_with("kiln:")).map(|(k, v)| (k.clone(), v.clone())).collect()
    };
    let (instance, volume): (Tags, Tags) = (shown(&request.instance_tags), shown(&request.volume_tags));
    if !instance.is_empty() || !volume.is_empty() {
        work.cx.say("Adding tags to source instance");
    }
    work.say_tags(&instance);
    work.say_tags(&volume);
}

/// A machine that was asked for.
pub struct Started {
    pub id: String,
    pub private_address: Option<String>,
}

async fn request(work: &Work<'_>) -> Result<Request, Failure> {
    let cx = work.cx;
    let config = &work.config;
    let kiln = tags::kiln(cx);
    let run_tags = work.render_tags("run_tags", &config.run.run_tags)?;
    let volume_tags = work.render_tags("run_volume_tags", &config.run_volume_tags)?;
    let mut devices = block_device::mappings(&config.launch_block_device_mappings);
    if config.no_ephemeral {
        devices.extend(block_device::without_ephemeral());
    }
    Ok(Request {
        image: work.source_image()?.id,
        network: cx.learnt(name::NETWORK).unwrap_or_default(),
        groups: cx.learnt(name::SECURITY_GROUPS).unwrap_or_default(),
        key_name: cx.learnt::<KeyPair>(name::KEY_PAIR).unwrap_or_default().name,
        profile: cx.learnt(name::INSTANCE_PROFILE).unwrap_or_default(),
        user_data: user_data(work).await?,
        devices,
        instance_tags: tags::with(&run_tags, kiln.clone()),
        volume_tags: tags::with(&volume_tags, kiln),
        token: work.token("launch"),
    })
}

async fn user_data(work: &Work<'_>) -> Result<String, Failure> {
    let config = &work.config;
    if config.run.user_data_file.is_empty() {
        return Ok(if config.run.user_data.is_empty() {
            String::new()
        } else {
            STANDARD.encode(&config.run.user_data)
        });
    }
    let path = work.cx.cwd.join(&config.run.user_data_file);
    let bytes = tokio::fs::read(&path)
        .await
        .map_err(|e| Failure::config(format!("user_data_file {} cannot be read: {e}", path.display())))?;
    Ok(STANDARD.encode(bytes))
}

/// The call that all ways through `RunInstances` share.
pub fn run_instances(work: &Work<'_>, request: &Request) -> RunInstancesFluentBuilder {
    let config = &work.config;
    let text = |s: &str| (!s.is_empty()).then(|| s.to_owned());
    let kind = &config.run.instance_type;
    let network = &request.network;
    let interface_tags = tags::specification(ec2::ResourceType::NetworkInterface, &request.instance_tags);
    let specifications: Vec<ec2::TagSpecification> = [
        tags::specification(ec2::ResourceType::Instance, &request.instance_tags),
        tags::specification(ec2::ResourceType::Volume, &request.volume_tags),
        interface_tags,
    ]
    .into_iter()
    .flatten()
    .collect();
    let call = work
        .ec2()
        .run_instances()
        .client_token(&request.token)
        .image_id(&request.image)
        .instance_type(ec2::InstanceType::from(kind.as_str()))
        .min_count(1)
        .max_count(1)
        .set_user_data(text(&request.user_data))
        .set_iam_instance_profile(
            text(&request.profile).map(|p| ec2::IamInstanceProfileSpecification::builder().name(p).build()),
        )
        .set_block_device_mappings((!request.devices.is_empty()).then(|| request.devices.clone()))
        .set_key_name(text(&request.key_name))
        .ebs_optimized(config.run.ebs_optimized)
        .set_enclave_options(
            config.run.enable_nitro_enclave.then(|| ec2::EnclaveOptionsRequest::builder().enabled(true).build()),
        )
        .set_credit_specification(
            credits(kind, config.run.unlimited())
                .map(|c| ec2::CreditSpecificationRequest::builder().cpu_credits(c).build()),
        )
        .set_metadata_options(work.metadata_options())
        .set_placement(work.placement(&network.zone))
        .set_license_specifications(work.licences())
        .set_tag_specifications((!specifications.is_empty()).then_some(specifications));
    let public = network.public_address.filter(|_| !network.subnet.is_empty());
    if let Some(public) = public {
        work.cx
            .say(format!("changing public IP address config to {public} for instance on subnet {:?}", network.subnet));
        return call.network_interfaces(
            ec2::InstanceNetworkInterfaceSpecification::builder()
                .device_index(0)
                .associate_public_ip_address(public)
                .subnet_id(&network.subnet)
                .set_groups(Some(request.groups.clone()))
                .delete_on_termination(true)
                .build(),
        );
    }
    call.set_subnet_id(text(&network.subnet))
        .set_security_group_ids((!request.groups.is_empty()).then(|| request.groups.clone()))
}

/// Burstable types are told how to spend their credits: without a word T3 and later may cost more than their price.
fn credits(kind: &str, unlimited: bool) -> Option<&'static str> {
    let burstable = ["t2.", "t3.", "t3a.", "t4g."].iter().any(|family| kind.starts_with(family));
    burstable.then_some(if unlimited { "unlimited" } else { "standard" })
}

/// What the guest's own shutdown does to the machine; Packer's default is to stop it.
fn shutdown_behavior(written: &str) -> ec2::ShutdownBehavior {
    if written == "terminate" { ec2::ShutdownBehavior::Terminate } else { ec2::ShutdownBehavior::Stop }
}

async fn on_demand(work: &Work<'_>, request: &Request) -> Result<Started, Failure> {
    let call = run_instances(work, request)
        .instance_initiated_shutdown_behavior(shutdown_behavior(&work.config.run.shutdown_behavior))
        .capacity_reservation_specification(work.capacity_reservation());
    send(work, call).await
}

/// Sends it; again while AWS does not know the new key pair, group or instance profile yet.
pub async fn send(work: &Work<'_>, call: RunInstancesFluentBuilder) -> Result<Started, Failure> {
    let own = Own::of(work);
    if own.profile {
        work.cx.detail("Waiting for the change to propagate because of eventual consistency...");
    }
    let launched = work
        .again(
            SETTLING,
            |failure| own.is_not_known_yet(failure),
            || async {
                match call.clone().send().await {
                    Ok(launched) => Ok(launched),
                    Err(e) => Err(work.region.failure(&e, "Error launching source instance").await),
                }
            },
        )
        .await?;
    let instance = launched.instances().first();
    let id = instance.and_then(|i| i.instance_id()).filter(|id| !id.is_empty());
    let id = id.ok_or_else(|| Failure::other("AWS launched an instance but did not say which"))?;
    let private_address = instance.and_then(|i| i.private_ip_address()).map(str::to_owned);
    Ok(Started { id: id.to_owned(), private_address })
}

/// What this run has made for the machine, and AWS may not know everywhere yet.
pub struct Own {
    key: bool,
    groups: bool,
    profile: bool,
}

impl Own {
    pub fn of(work: &Work<'_>) -> Self {
        let run = &work.config.run;
        Self {
            key: work.cx.learnt::<KeyPair>(name::KEY_PAIR).unwrap_or_default().file.is_some(),
            groups: work.cx.learnt::<Network>(name::NETWORK).unwrap_or_default().groups.is_empty(),
            profile: run.iam_instance_profile.is_empty()
                && run.temporary_iam_instance_profile_policy_document.is_some(),
        }
    }

    /// Whether a launch failed for want of what is there.
    pub fn is_not_known_yet(&self, failure: &Failure) -> bool {
        match code(failure) {
            "InvalidKeyPair.NotFound" => self.key,
            "InvalidGroup.NotFound" | "InvalidSecurityGroupID.NotFound" => self.groups,
            _ => self.profile && is_about_profile(failure),
        }
    }
}

/// Whether AWS says that there is no such instance profile.
pub fn is_about_profile(failure: &Failure) -> bool {
    let message = failure.message.to_lowercase();
    code(failure) == "InvalidParameterValue"
        && (message.contains("iaminstanceprofile") || message.contains("instance profile"))
}

/// Volumes that would outlive the machine without anybody having asked for it are released after it.
async fn own_volumes(work: &Work<'_>, instance: &ec2::Instance) -> Result<(), Failure> {
    let asked_for = &work.config.launch_block_device_mappings;
    for mapping in instance.block_device_mappings() {
        let (Some(device), Some(ebs)) = (mapping.device_name(), mapping.ebs()) else { continue };
        let Some(volume) = ebs.volume_id().filter(|_| ebs.delete_on_termination() == Some(false)) else { continue };
        if asked_for.iter().any(|d| d.device_name == device) {
            work.cx.detail(format!(
                "Volume {volume} ({device}) stays after the build: its `delete_on_termination` is not true"
            ));
            continue;
        }
        let key = work.cx.intend(VOLUME, volume, work.region_name(), json!({ "id": volume })).await?;
        work.cx.created(&key, volume).await?;
    }
    Ok(())
}

/// What `{{build `X`}}` gives of the machine and its source; `Host` and its kin are learnt when it is connected.
async fn learn_values(work: &Work<'_>, id: &str) -> Result<(), Failure> {
    let source = work.source_image()?;
    let values = [
        ("ID", id.to_owned()),
        ("BuildRegion", work.region_name().to_owned()),
        ("SourceAMI", source.id),
        ("SourceAMIName", source.name),
        ("SourceAMICreationDate", source.creation_date),
        ("SourceAMIOwner", source.owner),
        ("SourceAMIOwnerName", source.owner_name),
    ];
    learn_build_values(work.cx, values).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::FailureKind;

    #[test]
    fn burstable_types_are_told_how_to_spend_their_credits() {
        assert_eq!(credits("t3.micro", false), Some("standard"));
        assert_eq!(credits("t4g.small", true), Some("unlimited"));
        assert_eq!(credits("trn1.2xlarge", false), None);
        assert_eq!(credits("m5.large", false), None);
    }

    #[test]
    fn only_the_error_about_the_profile_is_waited_out() {
        let refused = |message: &str| {
            Failure::new(FailureKind::Aws { code: "InvalidParameterValue".into(), request_id: None }, message)
        };
        assert!(is_about_profile(&refused("Value (x) for parameter iamInstanceProfile.name is invalid")));
        assert!(is_about_profile(&refused("Invalid IAM Instance Profile name")));
        assert!(!is_about_profile(&refused("the device name is wrong")));
    }
}
