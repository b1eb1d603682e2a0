//! EBS volumes. Only an instance's root has contents; others are kept as what they are called.

use serde::{Deserialize, Serialize};

use super::filter::{self, Filter, Paging};
use super::image::Ebs;
use super::instance::Attached;
use super::tag::{self, TagSpecification, Tags, done};
use super::{Cx, Time, place, stamp};
use crate::practice::machine::LayerId;
use crate::practice::wire::refusal::{not_found, well_formed};
use crate::practice::wire::{Refusal, Xml};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Volume {
    pub id: String,
    /// `GiB`.
    pub size: i64,
    pub volume_type: String,
    pub iops: Option<i64>,
    pub throughput: Option<i64>,
    pub encrypted: bool,
    pub kms_key: Option<String>,
    pub snapshot: Option<String>,
    pub zone: String,
    pub made: Time,
    pub due: Time,
    pub layers: Vec<LayerId>,
}

/// An entry of a request's block device mapping.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Mapping {
    pub device_name: String,
    pub virtual_name: Option<String>,
    pub no_device: Option<String>,
    pub ebs: Option<EbsRequest>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct EbsRequest {
    pub delete_on_termination: Option<bool>,
    pub encrypted: Option<bool>,
    pub iops: Option<i64>,
    pub kms_key_id: Option<String>,
    pub snapshot_id: Option<String>,
    pub throughput: Option<i64>,
    pub volume_size: Option<i64>,
    pub volume_type: Option<String>,
}

/// A volume to be, checked as EC2 checks it.
pub fn ebs_of(cx: &mut Cx<'_>, asked: &EbsRequest, device: &str) -> Result<Ebs, Refusal> {
    let mapping = |text: String| Refusal::new("InvalidBlockDeviceMapping", text);
    let kms_key = checked_kms(cx, asked.kms_key_id.as_deref())?;
    if kms_key.is_some() && asked.encrypted == Some(false) {
        return Err(Refusal::combination("The parameter KmsKeyId requires the parameter Encrypted to be set."));
    }
    let snapshot = asked.snapshot_id.clone().filter(|s| !s.is_empty());
    let source = match &snapshot {
        Some(id) => {
            well_formed(id, "snap")?;
            Some(cx.usable_snapshot(id)?)
        }
        None => None,
    };
    let size = match (asked.volume_size, &source) {
        (Some(size), Some(s)) if size < s.size => {
            return Err(mapping(format!(
                "Volume of size {size}GB is smaller than snapshot '{}', expect size >= {}GB",
                s.id, s.size
            )));
        }
        (Some(size), _) => size,
        (None, Some(s)) => s.size,
        (None, None) => {
            return Err(mapping(format!("Must specify either a volume size or a snapshot for the device '{device}'")));
        }
    };
    let volume_type = asked.volume_type.clone().unwrap_or_else(|| "gp2".to_owned());
    check_performance(&volume_type, size, asked.iops, asked.throughput)?;
    Ok(Ebs {
        encrypted: asked.encrypted.unwrap_or_default()
            || kms_key.is_some()
            || source.as_ref().is_some_and(|s| s.encrypted),
        snapshot,
        size,
        iops: asked.iops.or_else(|| default_iops(&volume_type, size)),
        throughput: asked.throughput.or_else(|| (volume_type == "gp3").then_some(125)),
        volume_type,
        kms_key,
        delete_on_termination: asked.delete_on_termination.unwrap_or(true),
    })
}

fn default_iops(volume_type: &str, size: i64) -> Option<i64> {
    match volume_type {
        "gp2" => Some((size * 3).clamp(100, 16_000)),
        "gp3" => Some(3000),
        _ => None,
    }
}

/// Sizes and rates that each type of volume can have.
fn check_performance(kind: &str, size: i64, iops: Option<i64>, throughput: Option<i64>) -> Result<(), Refusal> {
    let (least, most) = match kind {
        "gp2" | "gp3" => (1, 16_384),
        "io1" => (4, 16_384),
        "io2" => (4, 65_536),
        "st1" | "sc1" => (125, 16_384),
        _ => (1, 1024),
    };
    if !(least..=most).contains(&size) {
        return Err(Refusal::invalid(format!(
            "Volume of {size}GiB is invalid for volume type '{kind}'; it must be between {least}GiB and {most}GiB."
        )));
    }
    match (kind, iops) {
        ("io1" | "io2", None) => return Err(Refusal::missing("iops")),
        ("gp2" | "st1" | "sc1" | "standard", Some(_)) => {
            return Err(Refusal::combination(format!("The parameter iops is not supported for {kind} volumes.")));
        }
        ("io1", Some(iops)) if !(100..=64_000).contains(&iops) || iops > size * 50 => {
            return Err(Refusal::combination(format!(
                "Iops to volume size ratio of {:.6} is too high; maximum is 50",
                ratio(iops, size)
            )));
        }
        ("io2", Some(iops)) if !(100..=256_000).contains(&iops) || iops > size * 1000 => {
            return Err(Refusal::combination(format!(
                "Iops to volume size ratio of {:.6} is too high; maximum is 1000",
                ratio(iops, size)
            )));
        }
        ("gp3", Some(iops)) if !(3000..=80_000).contains(&iops) => {
            return Err(Refusal::invalid(format!(
                "Volume iops of {iops} is not supported; it must be between 3000 and 80000."
            )));
        }
        _ => {}
    }
    match throughput {
        Some(_) if kind != "gp3" => {
            Err(Refusal::combination(format!("The parameter throughput is not supported for {kind} volumes.")))
        }
        Some(t) if !(125..=2000).contains(&t) => Err(Refusal::invalid(format!(
            "Volume throughput of {t} is not supported; it must be between 125 and 2000."
        ))),
        _ => Ok(()),
    }
}

#[allow(clippy::cast_precision_loss)] // shown only
fn ratio(iops: i64, size: i64) -> f64 {
    iops as f64 / size.max(1) as f64
}

/// A KMS key as snapshots and volumes show it: its ARN. There is no KMS here: any key that is well-formed will do.
pub fn checked_kms(cx: &Cx<'_>, key: Option<&str>) -> Result<Option<String>, Refusal> {
    let Some(key) = key.filter(|k| !k.is_empty()) else { return Ok(None) };
    if key.starts_with("arn:aws") && key.contains(":kms:") {
        return Ok(Some(key.to_owned()));
    }
    let id =
        |k: &str| k.starts_with("mrk-") || (k.len() == 36 && k.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
    let rest = match key {
        k if k.starts_with("alias/") && k.len() > 6 => k.to_owned(),
        k if id(k) => format!("key/{k}"),
        _ => {
            return Err(Refusal::new(
                "InvalidParameterValue",
                format!("Value ({key}) for parameter KmsKeyId is invalid."),
            ));
        }
    };
    Ok(Some(format!("arn:aws:kms:{}:{}:{rest}", cx.region, cx.account)))
}

impl Cx<'_> {
    /// The key that encrypts where none is named.
    pub fn default_kms(&self) -> String {
        format!("arn:aws:kms:{}:{}:alias/aws/ebs", self.region, self.account)
    }

    /// A volume from what a mapping asks for.
    pub fn make_volume(&mut self, ebs: &Ebs, zone: &str, layers: Vec<LayerId>, tags: &Tags) -> String {
        let id = self.mint("vol");
        let due = self.now + self.world.trouble.timing.volume.ms();
        let kms_key = ebs.encrypted.then(|| ebs.kms_key.clone().unwrap_or_else(|| self.default_kms()));
        let volume = Volume {
            id: id.clone(),
            size: ebs.size,
            volume_type: ebs.volume_type.clone(),
            iops: ebs.iops,
            throughput: ebs.throughput,
            encrypted: ebs.encrypted,
            kms_key,
            snapshot: ebs.snapshot.clone(),
            zone: zone.to_owned(),
            made: self.now,
            due,
            layers,
        };
        let here = self.here();
        here.tag(&id, tags);
        here.volumes.insert(id.clone(), volume);
        id
    }

    /// Takes a volume away, with what nothing else needs of it.
    pub fn remove_volume(&mut self, id: &str) {
        let here = self.here();
        here.untag(id);
        if let Some(volume) = here.volumes.remove(id) {
            self.drop_unused(&volume.layers);
        }
    }

    /// The instance that has a volume, and how.
    fn holder(&mut self, volume: &str) -> Option<(String, Attached)> {
        let here = self.here();
        let mut all = here.instances.values().flat_map(|i| i.devices.iter().map(move |d| (i, d)));
        all.find(|(i, d)| d.volume == volume && !i.is_gone()).map(|(i, d)| (i.id.clone(), d.clone()))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateVolume {
    availability_zone: Option<String>,
    size: Option<i64>,
    #[serde(flatten)]
    ebs: EbsRequest,
    tag_specification: Vec<TagSpecification>,
}

pub fn create_volume(cx: &mut Cx<'_>, input: CreateVolume) -> Result<Xml, Refusal> {
    let tags = tag::specified(&input.tag_specification, "volume", &["volume"])?;
    let zone = input.availability_zone.filter(|z| !z.is_empty()).ok_or_else(|| Refusal::missing("AvailabilityZone"))?;
    if !place::zones(&cx.region).contains(&zone) {
        return Err(Refusal::new("InvalidZone.NotFound", format!("The zone '{zone}' does not exist.")));
    }
    let asked = EbsRequest { volume_size: input.size, ..input.ebs };
    let ebs = ebs_of(cx, &asked, "").map_err(|e| match e.code.as_ref() {
        "InvalidBlockDeviceMapping" => Refusal::missing("size/snapshot"),
        _ => e,
    })?;
    let layers = match &ebs.snapshot {
        Some(id) => cx.usable_snapshot(id)?.layers,
        None => Vec::new(),
    };
    let id = cx.make_volume(&ebs, &zone, layers, &tags);
    let mut x = Xml::new();
    write(&mut x, cx, &id);
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OneVolume {
    volume_id: String,
    instance_id: Option<String>,
    device: Option<String>,
}

fn existing(cx: &mut Cx<'_>, id: &str) -> Result<Volume, Refusal> {
    well_formed(id, "vol")?;
    cx.here().volumes.get(id).cloned().ok_or_else(|| not_found(id))
}

pub fn delete_volume(cx: &mut Cx<'_>, input: OneVolume) -> Result<Xml, Refusal> {
    existing(cx, &input.volume_id)?;
    if let Some((instance, _)) = cx.holder(&input.volume_id) {
        return Err(Refusal::new(
            "VolumeInUse",
            format!("Volume {} is currently attached to {instance}", input.volume_id),
        ));
    }
    cx.remove_volume(&input.volume_id);
    Ok(done())
}

pub fn attach_volume(cx: &mut Cx<'_>, input: OneVolume) -> Result<Xml, Refusal> {
    let volume = existing(cx, &input.volume_id)?;
    let instance = input.instance_id.unwrap_or_default();
    let device = input.device.filter(|d| !d.is_empty()).ok_or_else(|| Refusal::missing("Device"))?;
    well_formed(&instance, "i")?;
    if let Some((holder, _)) = cx.holder(&volume.id) {
        return Err(Refusal::new("VolumeInUse", format!("{} is already attached to an instance: {holder}", volume.id)));
    }
    let now = cx.now;
    let target = cx.here().instances.get_mut(&instance).ok_or_else(|| not_found(&instance))?;
    if target.zone != volume.zone {
        return Err(Refusal::new(
            "InvalidVolume.ZoneMismatch",
            format!("The volume '{}' is not in the same availability zone as instance '{instance}'", volume.id),
        ));
    }
    if !matches!(target.state(now).name(), "running" | "stopped") {
        return Err(Refusal::state(format!("Instance '{instance}' is not 'running' or 'stopped'.")));
    }
    if target.devices.iter().any(|d| d.device == device) {
        return Err(Refusal::invalid(format!(
            "Invalid value '{device}' for unixDevice. Attachment point {device} is already in use"
        )));
    }
    let attached = Attached { device, volume: volume.id, delete_on_termination: false, at: now };
    target.devices.push(attached.clone());
    let mut x = Xml::new();
    write_attachment(&mut x, &instance, &attached, "attaching");
    Ok(x)
}

pub fn detach_volume(cx: &mut Cx<'_>, input: OneVolume) -> Result<Xml, Refusal> {
    existing(cx, &input.volume_id)?;
    let now = cx.now;
    let Some((instance, attached)) = cx.holder(&input.volume_id) else {
        return Err(Refusal::state(format!("Volume '{}' is in the 'available' state.", input.volume_id)));
    };
    if input.instance_id.is_some_and(|i| !i.is_empty() && i != instance) {
        return Err(Refusal::new(
            "InvalidAttachment.NotFound",
            format!("The volume '{}' is not attached to this instance", input.volume_id),
        ));
    }
    if let Some(holder) = cx.here().instances.get_mut(&instance) {
        if holder.root_device == attached.device && holder.state(now).name() != "stopped" {
            return Err(Refusal::new(
                "OperationNotPermitted",
                format!("Unable to detach root volume '{}' from instance '{instance}'", attached.volume),
            ));
        }
        holder.devices.retain(|d| d.volume != attached.volume);
    }
    let mut x = Xml::new();
    write_attachment(&mut x, &instance, &attached, "detaching");
    Ok(x)
}

fn write_attachment(x: &mut Xml, instance: &str, attached: &Attached, status: &str) {
    x.text("volumeId", &attached.volume).text("instanceId", instance).text("device", &attached.device);
    x.text("status", status).text("attachTime", stamp(attached.at));
    x.text("deleteOnTermination", attached.delete_on_termination);
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeVolumes {
    volume_id: Vec<String>,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

const KNOWN: &[&str] = &[
    "attachment.delete-on-termination",
    "attachment.device",
    "attachment.instance-id",
    "attachment.status",
    "availability-zone",
    "create-time",
    "encrypted",
    "size",
    "snapshot-id",
    "status",
    "volume-id",
    "volume-type",
];

pub fn describe_volumes(cx: &mut Cx<'_>, input: DescribeVolumes) -> Result<Xml, Refusal> {
    filter::check(&input.filter, KNOWN)?;
    if input.max_results.is_some() && !input.volume_id.is_empty() {
        return Err(Refusal::combination("The parameter volumesSet cannot be used with the parameter maxResults"));
    }
    for id in &input.volume_id {
        existing(cx, id)?;
    }
    let ids: Vec<String> = cx.here().volumes.keys().cloned().collect();
    let mut found = Vec::new();
    for id in ids.into_iter().filter(|id| input.volume_id.is_empty() || input.volume_id.contains(id)) {
        let holder = cx.holder(&id);
        let now = cx.now;
        let here = cx.here();
        let volume = &here.volumes[&id];
        let attribute = |name: &str| match name {
            "attachment.delete-on-termination" => {
                holder.iter().map(|(_, a)| a.delete_on_termination.to_string()).collect()
            }
            "attachment.device" => holder.iter().map(|(_, a)| a.device.clone()).collect(),
            "attachment.instance-id" => holder.iter().map(|(i, _)| i.clone()).collect(),
            "attachment.status" => holder.iter().map(|_| "attached".to_owned()).collect(),
            "availability-zone" => vec![volume.zone.clone()],
            "create-time" => vec![stamp(volume.made)],
            "encrypted" => vec![volume.encrypted.to_string()],
            "size" => vec![volume.size.to_string()],
            "snapshot-id" => volume.snapshot.iter().cloned().collect(),
            "status" => vec![status(volume, holder.is_some(), now).to_owned()],
            "volume-id" => vec![volume.id.clone()],
            "volume-type" => vec![volume.volume_type.clone()],
            _ => Vec::new(),
        };
        if filter::all_hold(&input.filter, here.tags(&id), &attribute) {
            found.push((id.clone(), id));
        }
    }
    let paging = Paging { max_results: input.max_results, next_token: input.next_token };
    let (found, next) = filter::page(found, &paging, 5..=1000, &format!("DescribeVolumes {:?}", input.filter))?;
    let mut x = Xml::new();
    x.list("volumeSet", found, |x, id| write(x, cx, &id));
    x.opt("nextToken", next);
    Ok(x)
}

fn status(volume: &Volume, attached: bool, now: Time) -> &'static str {
    match (attached, now < volume.due) {
        (true, _) => "in-use",
        (false, true) => "creating",
        (false, false) => "available",
    }
}

fn write(x: &mut Xml, cx: &mut Cx<'_>, id: &str) {
    let holder = cx.holder(id);
    let now = cx.now;
    let here = cx.here();
    let Some(v) = here.volumes.get(id) else { return };
    x.text("volumeId", &v.id).text("size", v.size).text("snapshotId", v.snapshot.as_deref().unwrap_or_default());
    x.text("availabilityZone", &v.zone)
        .text("status", status(v, holder.is_some(), now))
        .text("createTime", stamp(v.made));
    x.list("attachmentSet", holder, |x, (instance, attached)| write_attachment(x, &instance, &attached, "attached"));
    x.text("volumeType", &v.volume_type).opt("iops", v.iops).opt("throughput", v.throughput);
    x.text("encrypted", v.encrypted).opt("kmsKeyId", v.kms_key.as_ref()).text("multiAttachEnabled", false);
    tag::write(x, here.tags(id));
}

pub fn describe_volume_status(cx: &mut Cx<'_>, input: DescribeVolumes) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["availability-zone", "volume-status.status"])?;
    for id in &input.volume_id {
        existing(cx, id)?;
    }
    let here = cx.here();
    let found = here.volumes.values().filter(|v| input.volume_id.is_empty() || input.volume_id.contains(&v.id));
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) =
        filter::page(found.map(|v| (v.id.clone(), v)).collect(), &paging, 5..=1000, "DescribeVolumeStatus")?;
    let mut x = Xml::new();
    x.list("volumeStatusSet", found, |x, v| {
        x.text("volumeId", &v.id).text("availabilityZone", &v.zone);
        x.node("volumeStatus", |x| _ = x.text("status", "ok"));
    });
    x.opt("nextToken", next);
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Nothing {}

pub fn get_ebs_encryption_by_default(_: &mut Cx<'_>, _: Nothing) -> Result<Xml, Refusal> {
    let mut x = Xml::new();
    x.text("ebsEncryptionByDefault", false);
    Ok(x)
}

pub fn get_ebs_default_kms_key_id(cx: &mut Cx<'_>, _: Nothing) -> Result<Xml, Refusal> {
    let mut x = Xml::new();
    x.text("kmsKeyId", cx.default_kms());
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_as_fast_as_their_type_allows() {
        let code = |kind, size, iops, throughput| {
            check_performance(kind, size, iops, throughput).err().map(|e| e.code.into_owned())
        };
        assert_eq!(code("gp2", 8, None, None), None);
        assert_eq!(code("gp2", 8, Some(100), None).as_deref(), Some("InvalidParameterCombination"));
        assert_eq!(code("io1", 8, None, None).as_deref(), Some("MissingParameter"));
        assert_eq!(code("io1", 8, Some(401), None).as_deref(), Some("InvalidParameterCombination"));
        assert_eq!(code("gp3", 8, Some(3000), Some(125)), None);
        assert_eq!(code("st1", 8, None, None).as_deref(), Some("InvalidParameterValue"));
    }
}
