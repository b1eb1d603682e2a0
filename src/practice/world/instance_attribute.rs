//! What can be asked and changed of one instance.

use serde::Deserialize;

use super::filter::{self, Filter, Paging};
use super::image_attribute::Value;
use super::instance::{Attached, Instance, State};
use super::instance_describe::write_metadata;
use super::instance_run::Metadata;
use super::tag::done;
use super::{Cx, place, stamp};
use crate::practice::wire::refusal::{not_found, well_formed};
use crate::practice::wire::{Refusal, Xml};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ModifyInstanceAttribute {
    instance_id: String,
    attribute: Option<String>,
    value: Option<String>,
    source_dest_check: Option<Flag>,
    disable_api_stop: Option<Flag>,
    disable_api_termination: Option<Flag>,
    ebs_optimized: Option<Flag>,
    ena_support: Option<Flag>,
    sriov_net_support: Option<Value>,
    instance_type: Option<Value>,
    user_data: Option<Value>,
    instance_initiated_shutdown_behavior: Option<Value>,
    group_id: Vec<String>,
    block_device_mapping: Vec<DeviceChange>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Flag {
    value: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct DeviceChange {
    device_name: String,
    ebs: Option<EbsChange>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct EbsChange {
    delete_on_termination: Option<bool>,
}

fn existing<'a>(cx: &'a mut Cx<'_>, id: &str) -> Result<&'a mut Instance, Refusal> {
    well_formed(id, "i")?;
    cx.here().instances.get_mut(id).ok_or_else(|| not_found(id))
}

pub fn modify_instance_attribute(cx: &mut Cx<'_>, mut input: ModifyInstanceAttribute) -> Result<Xml, Refusal> {
    // The older form names the attribute beside its value.
    let text = input.value.take();
    let flag = || Some(Flag { value: text.as_deref().map(|t| t == "true") });
    let value = || Some(Value { value: text.clone() });
    match input.attribute.as_deref() {
        Some("instanceType") => input.instance_type = value(),
        Some("userData") => input.user_data = value(),
        Some("sriovNetSupport") => input.sriov_net_support = value(),
        Some("instanceInitiatedShutdownBehavior") => input.instance_initiated_shutdown_behavior = value(),
        Some("disableApiTermination") => input.disable_api_termination = flag(),
        Some("disableApiStop") => input.disable_api_stop = flag(),
        Some("ebsOptimized") => input.ebs_optimized = flag(),
        Some("enaSupport") => input.ena_support = flag(),
        Some("sourceDestCheck") => input.source_dest_check = flag(),
        _ => {}
    }
    let now = cx.now;
    for group in &input.group_id {
        cx.existing(group)?;
    }
    let kind = input.instance_type.as_ref().and_then(|v| v.value.clone());
    if let Some(kind) = kind.as_ref().filter(|k| place::instance_type(k).is_none()) {
        return Err(Refusal::invalid(format!("Invalid value '{kind}' for InstanceType.")));
    }
    let i = existing(cx, &input.instance_id)?;
    let user_data = input.user_data.as_ref().and_then(|v| v.value.clone());
    let needs_stop =
        input.ena_support.is_some() || input.sriov_net_support.is_some() || kind.is_some() || user_data.is_some();
    if needs_stop && i.state(now) != State::Stopped {
        return Err(Refusal::new(
            "IncorrectInstanceState",
            format!("The instance '{}' is not in the 'stopped' state.", i.id),
        ));
    }
    let set = |field: &mut bool, flag: &Option<Flag>| {
        if let Some(value) = flag.as_ref().and_then(|f| f.value) {
            *field = value;
        }
    };
    set(&mut i.source_dest_check, &input.source_dest_check);
    set(&mut i.disable_stop, &input.disable_api_stop);
    set(&mut i.disable_termination, &input.disable_api_termination);
    set(&mut i.ebs_optimized, &input.ebs_optimized);
    set(&mut i.ena, &input.ena_support);
    if let Some(sriov) = input.sriov_net_support.and_then(|v| v.value) {
        if sriov != "simple" {
            return Err(Refusal::bad_value("sriovNetSupport", &sriov));
        }
        i.sriov = true;
    }
    if let Some(on) = input.instance_initiated_shutdown_behavior.and_then(|v| v.value) {
        if !matches!(on.as_str(), "stop" | "terminate") {
            return Err(Refusal::bad_value("instanceInitiatedShutdownBehavior", &on));
        }
        i.on_shutdown = on;
    }
    i.instance_type = kind.unwrap_or_else(|| i.instance_type.clone());
    i.user_data = user_data.or_else(|| i.user_data.clone());
    if !input.group_id.is_empty() {
        i.groups = input.group_id;
    }
    for change in &input.block_device_mapping {
        let delete = change.ebs.as_ref().and_then(|e| e.delete_on_termination);
        let device: Option<&mut Attached> = i.devices.iter_mut().find(|d| d.device == change.device_name);
        let device = device.ok_or_else(|| {
            Refusal::new(
                "InvalidInstanceAttributeValue",
                format!("No device is currently mapped at {}", change.device_name),
            )
        })?;
        device.delete_on_termination = delete.unwrap_or(device.delete_on_termination);
    }
    Ok(done())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OneInstance {
    instance_id: String,
    attribute: String,
}

pub fn describe_instance_attribute(cx: &mut Cx<'_>, input: OneInstance) -> Result<Xml, Refusal> {
    let i = existing(cx, &input.instance_id)?.clone();
    let mut x = Xml::new();
    x.text("instanceId", &i.id);
    let name = input.attribute.as_str();
    let value = match name {
        "instanceType" => Some(i.instance_type.clone()),
        "userData" => i.user_data.clone(),
        "disableApiTermination" => Some(i.disable_termination.to_string()),
        "disableApiStop" => Some(i.disable_stop.to_string()),
        "instanceInitiatedShutdownBehavior" => Some(i.on_shutdown.clone()),
        "rootDeviceName" => Some(i.root_device.clone()),
        "sourceDestCheck" => Some(i.source_dest_check.to_string()),
        "ebsOptimized" => Some(i.ebs_optimized.to_string()),
        "enaSupport" => Some(i.ena.to_string()),
        "sriovNetSupport" => i.sriov.then(|| "simple".to_owned()),
        "kernel" | "ramdisk" => None,
        "groupSet" => {
            x.list("groupSet", &i.groups, |x, g| _ = x.text("groupId", g));
            return Ok(x);
        }
        "productCodes" => {
            x.list("productCodes", std::iter::empty::<()>(), |_, ()| {});
            return Ok(x);
        }
        "blockDeviceMapping" => {
            x.list("blockDeviceMapping", &i.devices, |x, d| {
                x.text("deviceName", &d.device);
                x.node("ebs", |x| {
                    x.text("volumeId", &d.volume).text("status", "attached").text("attachTime", stamp(d.at));
                    x.text("deleteOnTermination", d.delete_on_termination);
                });
            });
            return Ok(x);
        }
        "enclaveOptions" => {
            x.node("enclaveOptions", |x| _ = x.text("enabled", false));
            return Ok(x);
        }
        other => return Err(Refusal::bad_value("attribute", other)),
    };
    x.node(name, |x| _ = x.opt("value", value));
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ModifyMetadata {
    instance_id: String,
    #[serde(flatten)]
    options: Metadata,
}

pub fn modify_instance_metadata_options(cx: &mut Cx<'_>, input: ModifyMetadata) -> Result<Xml, Refusal> {
    let i = existing(cx, &input.instance_id)?;
    input.options.apply(&mut i.metadata)?;
    let mut x = Xml::new();
    x.text("instanceId", &i.id);
    write_metadata(&mut x, "instanceMetadataOptions", i);
    Ok(x)
}

pub fn get_instance_metadata_defaults(_: &mut Cx<'_>, _: OneInstance) -> Result<Xml, Refusal> {
    let mut x = Xml::new();
    x.node("accountLevel", |x| _ = x.text("httpTokens", "no-preference"));
    Ok(x)
}

/// The rim puts in what the machine wrote: it alone can ask it.
pub fn get_console_output(cx: &mut Cx<'_>, input: OneInstance) -> Result<Xml, Refusal> {
    let now = cx.now;
    let i = existing(cx, &input.instance_id)?;
    let mut x = Xml::new();
    x.text("instanceId", &i.id).text("timestamp", stamp(now));
    Ok(x)
}

pub fn get_password_data(cx: &mut Cx<'_>, input: OneInstance) -> Result<Xml, Refusal> {
    let now = cx.now;
    let i = existing(cx, &input.instance_id)?;
    let known = i.running_from().is_some_and(|at| at <= now);
    let mut x = Xml::new();
    x.text("instanceId", &i.id).text("timestamp", stamp(now));
    x.text("passwordData", i.password.as_deref().filter(|_| known).unwrap_or_default());
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeOfInstances {
    instance_id: Vec<String>,
    association_id: Vec<String>,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

pub fn describe_instance_credit_specifications(cx: &mut Cx<'_>, input: DescribeOfInstances) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["instance-id"])?;
    for id in &input.instance_id {
        existing(cx, id)?;
    }
    let here = cx.here();
    let found = here
        .instances
        .values()
        .filter(|i| i.credits.is_some() && (input.instance_id.is_empty() || input.instance_id.contains(&i.id)));
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let found = found.map(|i| (i.id.clone(), i)).collect();
    let (found, next) = filter::page(found, &paging, 5..=1000, "DescribeInstanceCreditSpecifications")?;
    let mut x = Xml::new();
    x.list("instanceCreditSpecificationSet", found, |x, i| {
        x.text("instanceId", &i.id).opt("cpuCredits", i.credits.as_ref());
    });
    x.opt("nextToken", next);
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AssociateProfile {
    instance_id: String,
    iam_instance_profile: ProfileName,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct ProfileName {
    name: Option<String>,
    arn: Option<String>,
}

pub fn associate_iam_instance_profile(cx: &mut Cx<'_>, input: AssociateProfile) -> Result<Xml, Refusal> {
    let name = input.iam_instance_profile.name.or(input.iam_instance_profile.arn).unwrap_or_default();
    let name = cx.usable_profile(&name)?;
    let account = cx.account.clone();
    let i = existing(cx, &input.instance_id)?;
    if i.profile.is_some() {
        return Err(Refusal::state(format!("There is an existing association for instance {}", i.id)));
    }
    i.profile = Some((name, i.id.replace("i-", "iip-assoc-")));
    let mut x = Xml::new();
    x.node("iamInstanceProfileAssociation", |x| write_association(x, i, &account));
    Ok(x)
}

fn write_association(x: &mut Xml, i: &Instance, account: &str) {
    let Some((profile, association)) = &i.profile else { return };
    x.text("associationId", association).text("instanceId", &i.id).text("state", "associated");
    x.node("iamInstanceProfile", |x| {
        x.text("arn", format!("arn:aws:iam::{account}:instance-profile/{profile}"));
        x.text("id", super::iam::unique_id("AIPA", account, profile));
    });
}

pub fn describe_iam_instance_profile_associations(cx: &mut Cx<'_>, input: DescribeOfInstances) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["instance-id", "state"])?;
    let account = cx.account.clone();
    let here = cx.here();
    let found = here.instances.values().filter(|i| !i.is_gone()).filter(|i| {
        let attribute = |name: &str| vec![if name == "instance-id" { i.id.clone() } else { "associated".to_owned() }];
        let named = |(_, a): &(String, String)| input.association_id.is_empty() || input.association_id.contains(a);
        i.profile.as_ref().is_some_and(named) && filter::all_hold(&input.filter, None, &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let found = found.map(|i| (i.id.clone(), i)).collect();
    let (found, next) = filter::page(found, &paging, 5..=1000, "DescribeIamInstanceProfileAssociations")?;
    let mut x = Xml::new();
    x.list("iamInstanceProfileAssociationSet", found, |x, i| write_association(x, i, &account));
    x.opt("nextToken", next);
    Ok(x)
}
