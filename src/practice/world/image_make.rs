//! How images come to be and go: created from instances, registered from snapshots, copied, deregistered.

use serde::Deserialize;

use super::account::Region;
use super::filter;
use super::image::{Device, Ebs, Image};
use super::instance::Instance;
use super::snapshot::Snapshot;
use super::tag::{self, TagSpecification, Tags, done};
use super::volume::{Mapping, checked_kms, ebs_of};
use super::{Cx, Effect};
use crate::practice::machine::LayerId;
use crate::practice::wire::refusal::{not_found, well_formed};
use crate::practice::wire::{Refusal, Xml};

/// AWS keeps deregistration protection for a day after it is taken away, where it was set so.
pub const COOLDOWN: i64 = 24 * 3600 * 1000;

/// # Errors
/// `InvalidAMIName.Malformed`, `InvalidAMIName.Duplicate`.
fn checked_name(here: &Region, name: &str) -> Result<(), Refusal> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
    if !(3..=128).contains(&name.chars().count()) || !name.chars().all(legal) {
        return Err(Refusal::new(
            "InvalidAMIName.Malformed",
            "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' \
             and '_'",
        ));
    }
    match here.images.values().find(|i| i.name == name) {
        Some(used) => Err(Refusal::new(
            "InvalidAMIName.Duplicate",
            format!("AMI name {name} is already in use by AMI {}", used.id),
        )),
        None => Ok(()),
    }
}

// ---- from an instance -----------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateImage {
    instance_id: String,
    name: String,
    description: Option<String>,
    no_reboot: bool,
    block_device_mapping: Vec<Mapping>,
    tag_specification: Vec<TagSpecification>,
}

pub fn create_image(cx: &mut Cx<'_>, input: CreateImage) -> Result<Xml, Refusal> {
    well_formed(&input.instance_id, "i")?;
    let kinds = ["image", "snapshot"];
    let tags = tag::specified(&input.tag_specification, "image", &kinds)?;
    let snapshot_tags = tag::specified(&input.tag_specification, "snapshot", &kinds)?;
    let now = cx.now;
    let here = cx.here();
    let instance = here.instances.get(&input.instance_id).ok_or_else(|| not_found(&input.instance_id))?.clone();
    let state = instance.state(now);
    if !matches!(state.name(), "running" | "stopped") {
        return Err(Refusal::invalid(format!(
            "The instance ID '{}' is not in a valid state: Instance is not in state 'running' or 'stopped'.",
            instance.id
        )));
    }
    checked_name(here, &input.name)?;
    let running = state.name() == "running";
    let reboot = running && !input.no_reboot;
    let image = cx.mint("ami");
    let due = now + cx.world.trouble.timing.image.ms();
    let devices = devices_of_instance(cx, &instance, &image, &input, reboot, &snapshot_tags, due)?;
    let (outcome, reason) = cx.world.trouble.image_outcome(&input.name, &cx.region);
    let made = Image {
        id: image.clone(),
        name: input.name,
        description: input.description.unwrap_or_default(),
        owner: cx.account.clone(),
        made: now,
        due,
        outcome,
        reason,
        architecture: instance.architecture.clone(),
        root_device: instance.root_device.clone(),
        devices,
        virtualization: "hvm".to_owned(),
        ena: instance.ena,
        sriov: instance.sriov,
        platform: instance.windows.then(|| "Windows".to_owned()),
        platform_details: if instance.windows { "Windows" } else { "Linux/UNIX" }.to_owned(),
        boot_mode: instance.boot_mode.clone(),
        imds: instance.image_imds.clone(),
        protection: "disabled".to_owned(),
        source_instance: Some(instance.id.clone()),
        source_image: Some(instance.image.clone()),
        source_region: Some(cx.region.clone()),
        login_user: instance.login_user.clone(),
        ..Image::default()
    };
    let here = cx.here();
    here.tag(&image, &tags);
    here.images.insert(image.clone(), made);
    let mut x = Xml::new();
    x.text("imageId", image);
    Ok(x)
}

/// Snapshots of the instance's volumes, as the request changes the mapping.
fn devices_of_instance(
    cx: &mut Cx<'_>,
    instance: &Instance,
    image: &str,
    input: &CreateImage,
    reboot: bool,
    tags: &Tags,
    due: i64,
) -> Result<Vec<Device>, Refusal> {
    let mut devices = Vec::new();
    for attached in &instance.devices {
        let asked = input.block_device_mapping.iter().find(|m| m.device_name == attached.device);
        if asked.is_some_and(|m| m.no_device.is_some()) {
            continue;
        }
        let Some(volume) = cx.here().volumes.get(&attached.volume).cloned() else { continue };
        let is_root = attached.device == instance.root_device;
        let mut ebs = Ebs {
            snapshot: None,
            size: volume.size,
            volume_type: volume.volume_type.clone(),
            iops: volume.iops,
            throughput: volume.throughput,
            encrypted: volume.encrypted,
            kms_key: None,
            delete_on_termination: attached.delete_on_termination,
        };
        if let Some(change) = asked.and_then(|m| m.ebs.as_ref()) {
            ebs.delete_on_termination = change.delete_on_termination.unwrap_or(ebs.delete_on_termination);
            if let Some(size) = change.volume_size {
                if size < volume.size {
                    return Err(Refusal::new(
                        "InvalidBlockDeviceMapping",
                        format!("Volume of size {size}GB is smaller than expected size {}GB", volume.size),
                    ));
                }
                ebs.size = size;
            }
            if let Some(kind) = &change.volume_type {
                ebs.volume_type.clone_from(kind);
                ebs.iops = change.iops;
                ebs.throughput = change.throughput;
            }
        }
        let id = cx.mint("snap");
        let mut layers = volume.layers.clone();
        let mut capturing = None;
        if is_root {
            let layer = LayerId(format!("layer-{id}"));
            layers.clone_from(&instance.layers);
            layers.push(layer.clone());
            cx.effect(Effect::Capture { instance: instance.id.clone(), layer: layer.clone(), reboot });
            capturing = Some(layer);
        }
        let snapshot = Snapshot {
            id: id.clone(),
            volume: volume.id.clone(),
            size: volume.size,
            started: cx.now,
            due,
            description: format!("Created by CreateImage({}) for {image}", instance.id),
            owner: cx.account.clone(),
            encrypted: volume.encrypted,
            kms_key: volume.kms_key.clone(),
            layers,
            capturing,
            ..Snapshot::default()
        };
        ebs.snapshot = Some(id.clone());
        cx.here().tag(&id, tags);
        cx.here().snapshots.insert(id, snapshot);
        devices.push(Device { name: attached.device.clone(), virtual_name: None, ebs: Some(ebs) });
    }
    for mapping in &input.block_device_mapping {
        if mapping.no_device.is_some() || devices.iter().any(|d| d.name == mapping.device_name) {
            continue;
        }
        devices.push(fresh_device(cx, mapping)?);
    }
    Ok(devices)
}

/// A mapping's entry that no volume of an instance stands behind.
fn fresh_device(cx: &mut Cx<'_>, mapping: &Mapping) -> Result<Device, Refusal> {
    let ebs = match (&mapping.ebs, &mapping.virtual_name) {
        (Some(ebs), _) => Some(ebs_of(cx, ebs, &mapping.device_name)?),
        (None, Some(_)) => None,
        (None, None) => {
            return Err(Refusal::new(
                "InvalidBlockDeviceMapping",
                format!("The device '{}' has neither a volume nor a virtual name", mapping.device_name),
            ));
        }
    };
    Ok(Device { name: mapping.device_name.clone(), virtual_name: mapping.virtual_name.clone(), ebs })
}

// ---- from snapshots -------------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RegisterImage {
    name: String,
    description: Option<String>,
    image_location: Option<String>,
    architecture: Option<String>,
    root_device_name: Option<String>,
    block_device_mapping: Vec<Mapping>,
    virtualization_type: Option<String>,
    sriov_net_support: Option<String>,
    ena_support: bool,
    boot_mode: Option<String>,
    tpm_support: Option<String>,
    imds_support: Option<String>,
    tag_specification: Vec<TagSpecification>,
}

pub fn register_image(cx: &mut Cx<'_>, input: RegisterImage) -> Result<Xml, Refusal> {
    let tags = tag::specified(&input.tag_specification, "image", &["image"])?;
    checked_name(cx.here(), &input.name)?;
    if input.image_location.as_deref().is_some_and(|l| !l.is_empty()) {
        return Err(Refusal::new(
            "InvalidManifest",
            "The practice cloud has no S3: images are registered from EBS snapshots",
        ));
    }
    let root =
        input.root_device_name.clone().filter(|r| !r.is_empty()).ok_or_else(|| Refusal::missing("RootDeviceName"))?;
    let mut devices = Vec::new();
    for mapping in input.block_device_mapping.iter().filter(|m| m.no_device.is_none()) {
        devices.push(fresh_device(cx, mapping)?);
    }
    let first = devices.iter().find(|d| d.name == root).and_then(|d| d.ebs.as_ref());
    let Some(snapshot) = first.and_then(|e| e.snapshot.clone()) else {
        return Err(Refusal::new(
            "InvalidBlockDeviceMapping",
            format!("A snapshot ID must be specified for the root device '{root}'"),
        ));
    };
    let now = cx.now;
    if cx.here().snapshots.get(&snapshot).is_some_and(|s| s.state(now) != "completed") {
        return Err(Refusal::state(format!("The snapshot '{snapshot}' is not in the state 'completed'")));
    }
    let id = cx.mint("ami");
    let (outcome, reason) = cx.world.trouble.image_outcome(&input.name, &cx.region);
    let image = Image {
        id: id.clone(),
        name: input.name,
        description: input.description.unwrap_or_default(),
        owner: cx.account.clone(),
        made: now,
        due: now + cx.world.trouble.timing.image.ms(),
        outcome,
        reason,
        architecture: input.architecture.unwrap_or_else(|| "i386".to_owned()),
        root_device: root,
        devices,
        virtualization: input.virtualization_type.unwrap_or_else(|| "paravirtual".to_owned()),
        ena: input.ena_support,
        sriov: input.sriov_net_support.as_deref() == Some("simple"),
        platform_details: "Linux/UNIX".to_owned(),
        boot_mode: input.boot_mode,
        tpm: input.tpm_support,
        imds: input.imds_support,
        protection: "disabled".to_owned(),
        login_user: "ec2-user".to_owned(),
        ..Image::default()
    };
    let here = cx.here();
    here.tag(&id, &tags);
    here.images.insert(id.clone(), image);
    let mut x = Xml::new();
    x.text("imageId", id);
    Ok(x)
}

// ---- copies ---------------------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CopyImage {
    name: String,
    description: Option<String>,
    source_image_id: String,
    source_region: String,
    encrypted: bool,
    kms_key_id: Option<String>,
    copy_image_tags: bool,
    tag_specification: Vec<TagSpecification>,
}

pub fn copy_image(cx: &mut Cx<'_>, input: CopyImage) -> Result<Xml, Refusal> {
    well_formed(&input.source_image_id, "ami")?;
    let kinds = ["image", "snapshot"];
    let mut tags = tag::specified(&input.tag_specification, "image", &kinds)?;
    let snapshot_tags = tag::specified(&input.tag_specification, "snapshot", &kinds)?;
    if !super::place::is_region(&input.source_region) {
        return Err(Refusal::invalid(format!("Invalid region: {}", input.source_region)));
    }
    let key = checked_kms(cx, input.kms_key_id.as_deref())?;
    if key.is_some() && !input.encrypted {
        return Err(Refusal::combination("KmsKeyId can only be specified when Encrypted is true"));
    }
    checked_name(cx.here(), &input.name)?;
    let (account, now) = (cx.account.clone(), cx.now);
    let source =
        cx.world.visible_image(&account, &input.source_region, &input.source_image_id, now).map(|(home, image)| {
            (image.clone(), image.state(&home.snapshots, now), home.snapshots.clone(), home.tags(&image.id).cloned())
        });
    let (source, state, snapshots, source_tags) = source.ok_or_else(|| not_found(&input.source_image_id))?;
    if state != "available" {
        return Err(Refusal::new(
            "InvalidAMIID.Unavailable",
            format!("The image '{}' is {state} and cannot be copied", source.id),
        ));
    }
    if input.copy_image_tags && source.owner == account {
        for (key, value) in source_tags.into_iter().flatten() {
            tags.entry(key).or_insert(value);
        }
    }
    let id = cx.mint("ami");
    let due = now + cx.world.trouble.timing.copy.ms();
    let mut devices = source.devices.clone();
    for ebs in devices.iter_mut().filter_map(|d| d.ebs.as_mut()) {
        let Some(old) = ebs.snapshot.as_ref().and_then(|s| snapshots.get(s)) else { continue };
        let encrypted = input.encrypted || old.encrypted;
        let copy = Snapshot {
            id: cx.mint("snap"),
            volume: "vol-ffffffff".to_owned(),
            started: now,
            due,
            description: format!(
                "Copied for DestinationAmi {id} from SourceAmi {} for SourceSnapshot {}. Task created on {now}.",
                source.id, old.id
            ),
            owner: account.clone(),
            encrypted,
            kms_key: encrypted.then(|| key.clone().or_else(|| old.kms_key.clone()).unwrap_or_else(|| cx.default_kms())),
            public: false,
            users: Vec::new(),
            capturing: None,
            ..old.clone()
        };
        ebs.snapshot = Some(copy.id.clone());
        ebs.encrypted = encrypted;
        cx.here().tag(&copy.id, &snapshot_tags);
        cx.here().snapshots.insert(copy.id.clone(), copy);
    }
    let (outcome, reason) = cx.world.trouble.image_outcome(&input.name, &cx.region);
    let image = Image {
        id: id.clone(),
        name: input.name,
        description: input.description.unwrap_or_default(),
        owner: account,
        owner_alias: None,
        made: now,
        due,
        outcome,
        reason,
        devices,
        public: false,
        users: Vec::new(),
        organizations: Vec::new(),
        units: Vec::new(),
        product_codes: Vec::new(),
        deprecation: None,
        protection: "disabled".to_owned(),
        disabled: false,
        fast_launch: false,
        source_image: Some(source.id.clone()),
        source_region: Some(input.source_region),
        source_instance: None,
        ..source
    };
    let here = cx.here();
    here.tag(&id, &tags);
    here.images.insert(id.clone(), image);
    let mut x = Xml::new();
    x.text("imageId", id);
    Ok(x)
}

// ---- the end --------------------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DeregisterImage {
    image_id: String,
    delete_associated_snapshots: bool,
}

pub fn deregister_image(cx: &mut Cx<'_>, input: DeregisterImage) -> Result<Xml, Refusal> {
    let now = cx.now;
    let image = cx.own_image(&input.image_id)?;
    let protected = image.protection.starts_with("enabled")
        || image
            .protection
            .strip_prefix("disabled after ")
            .and_then(|t| t.parse().ok())
            .is_some_and(|at: i64| at > now);
    if protected {
        return Err(Refusal::new(
            "OperationNotPermitted",
            format!("The image '{}' cannot be deregistered: deregistration protection is enabled for it", image.id),
        ));
    }
    let snapshots: Vec<String> = image.snapshots().map(str::to_owned).collect();
    let here = cx.here();
    here.images.remove(&input.image_id);
    here.untag(&input.image_id);
    let mut x = done();
    let mut results = Vec::new();
    if input.delete_associated_snapshots {
        for id in snapshots {
            let used = cx.here().images.values().any(|i| i.snapshots().any(|s| s == id));
            if !used {
                super::snapshot::remove(cx, &id);
            }
            results.push((id, if used { "skipped" } else { "success" }));
        }
    }
    x.list("deleteSnapshotResultSet", results, |x, (id, code)| _ = x.text("snapshotId", id).text("returnCode", code));
    Ok(x)
}

/// Whether a name is one that a pattern of a fault stands for.
pub fn named_by(pattern: Option<&str>, name: &str) -> bool {
    pattern.is_none_or(|p| filter::matches(p, name))
}
