//! Images: what they are, who sees them, how they are described.

use serde::{Deserialize, Serialize};

use super::account::{PUBLIC, Region};
use super::filter::{self, Filter, Paging};
use super::snapshot::Snapshot;
use super::tag::{self, Tags};
use super::{Cx, Time, World, rehearsal, stamp};
use crate::practice::machine::LayerId;
use crate::practice::scenario::ImageOutcome;
use crate::practice::wire::refusal::{not_found, well_formed};
use crate::practice::wire::{Refusal, Xml};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Image {
    pub id: String,
    pub name: String,
    pub description: String,
    pub owner: String,
    /// `amazon`, `aws-marketplace`.
    pub owner_alias: Option<String>,
    pub made: Time,
    /// When it is available, if nothing goes wrong.
    pub due: Time,
    /// A scenario's doing.
    pub outcome: Option<ImageOutcome>,
    pub reason: Option<String>,
    pub architecture: String,
    pub root_device: String,
    pub devices: Vec<Device>,
    pub virtualization: String,
    pub ena: bool,
    pub sriov: bool,
    /// `Windows`, or nothing.
    pub platform: Option<String>,
    pub platform_details: String,
    pub boot_mode: Option<String>,
    pub tpm: Option<String>,
    pub imds: Option<String>,
    pub product_codes: Vec<String>,
    pub public: bool,
    pub users: Vec<String>,
    pub organizations: Vec<String>,
    pub units: Vec<String>,
    pub deprecation: Option<Time>,
    /// `disabled`, `enabled`, `enabled-with-cooldown`.
    pub protection: String,
    pub disabled: bool,
    pub fast_launch: bool,
    pub source_image: Option<String>,
    pub source_region: Option<String>,
    pub source_instance: Option<String>,
    /// Whom templates log in as.
    pub login_user: String,
}

/// An entry of a block device mapping.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    pub name: String,
    /// `ephemeral0`, where it is no EBS volume.
    pub virtual_name: Option<String>,
    pub ebs: Option<Ebs>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ebs {
    pub snapshot: Option<String>,
    /// `GiB`.
    pub size: i64,
    pub volume_type: String,
    pub iops: Option<i64>,
    pub throughput: Option<i64>,
    pub encrypted: bool,
    pub kms_key: Option<String>,
    pub delete_on_termination: bool,
}

impl Image {
    pub fn state(&self, snapshots: &std::collections::BTreeMap<String, Snapshot>, now: Time) -> &'static str {
        let mut waits = now < self.due;
        for snapshot in self.snapshots().filter_map(|id| snapshots.get(id)) {
            match snapshot.state(now) {
                "error" => return "failed",
                "pending" => waits = true,
                _ => {}
            }
        }
        match self.outcome {
            Some(ImageOutcome::Stuck) => "pending",
            _ if waits => "pending",
            Some(ImageOutcome::Failed) => "failed",
            None if self.disabled => "disabled",
            None => "available",
        }
    }

    pub fn snapshots(&self) -> impl Iterator<Item = &str> {
        self.devices.iter().filter_map(|d| d.ebs.as_ref()?.snapshot.as_deref())
    }

    pub fn is_windows(&self) -> bool {
        self.platform.is_some()
    }

    /// Whether an account may use it.
    pub fn visible_to(&self, account: &str) -> bool {
        self.owner == account || self.public || self.users.iter().any(|u| u == account)
    }

    /// What lies under a machine that starts from it.
    pub fn layers(&self, snapshots: &std::collections::BTreeMap<String, Snapshot>) -> Vec<LayerId> {
        let root = self.devices.iter().find(|d| d.name == self.root_device);
        let snapshot = root.and_then(|d| d.ebs.as_ref()?.snapshot.as_ref()).and_then(|id| snapshots.get(id));
        snapshot.map(|s| s.layers.clone()).unwrap_or_default()
    }
}

impl World {
    /// An image of a region that an account may use, with the region that has it.
    pub fn visible_image(&mut self, account: &str, region: &str, id: &str, now: Time) -> Option<(&Region, &Image)> {
        self.region(PUBLIC, region, now);
        self.region(account, region, now);
        let regions = self.accounts.values().filter_map(|a| a.regions.get(region));
        regions.filter_map(|r| r.images.get(id).map(|i| (r, i))).find(|(_, i)| i.visible_to(account))
    }
}

impl Cx<'_> {
    /// An image that this account may use; a copy, with its state.
    pub fn usable_image(&mut self, id: &str) -> Result<(Image, &'static str, Vec<LayerId>), Refusal> {
        well_formed(id, "ami")?;
        rehearsal::image(self, id);
        let now = self.now;
        let (account, region) = (self.account.clone(), self.region.clone());
        let (home, image) = self.world.visible_image(&account, &region, id, now).ok_or_else(|| not_found(id))?;
        Ok((image.clone(), image.state(&home.snapshots, now), image.layers(&home.snapshots)))
    }

    /// An image that this account owns.
    pub fn own_image(&mut self, id: &str) -> Result<&mut Image, Refusal> {
        well_formed(id, "ami")?;
        let (account, region, now) = (self.account.clone(), self.region.clone(), self.now);
        if !self.here().images.contains_key(id) {
            let seen = self.world.visible_image(&account, &region, id, now).is_some();
            let denied = || Refusal::new("AuthFailure", format!("Not authorized for image:{id}")).status(403);
            return Err(if seen { denied() } else { not_found(id) });
        }
        self.here().images.get_mut(id).ok_or_else(|| not_found(id))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeImages {
    pub image_id: Vec<String>,
    pub owner: Vec<String>,
    executable_by: Vec<String>,
    include_deprecated: bool,
    include_disabled: bool,
    pub filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

const KNOWN: &[&str] = &[
    "architecture",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.encrypted",
    "block-device-mapping.snapshot-id",
    "block-device-mapping.volume-size",
    "block-device-mapping.volume-type",
    "boot-mode",
    "creation-date",
    "description",
    "ena-support",
    "free-tier-eligible",
    "hypervisor",
    "image-allowed",
    "image-id",
    "image-type",
    "is-public",
    "kernel-id",
    "manifest-location",
    "name",
    "owner-alias",
    "owner-id",
    "platform",
    "product-code",
    "product-code.type",
    "ramdisk-id",
    "root-device-name",
    "root-device-type",
    "source-image-id",
    "source-image-region",
    "source-instance-id",
    "sriov-net-support",
    "state",
    "state-reason-code",
    "state-reason-message",
    "virtualization-type",
];

pub fn describe_images(cx: &mut Cx<'_>, input: DescribeImages) -> Result<Xml, Refusal> {
    filter::check(&input.filter, KNOWN)?;
    for id in &input.image_id {
        well_formed(id, "ami")?;
    }
    if input.max_results.is_some() && !input.image_id.is_empty() {
        return Err(Refusal::combination("The parameter imageIdsSet cannot be used with the parameter maxResults"));
    }
    for owner in &input.owner {
        let account = owner.len() == 12 && owner.bytes().all(|b| b.is_ascii_digit());
        if !account && !matches!(owner.as_str(), "self" | "amazon" | "aws-marketplace" | "aws-backup-vault") {
            return Err(Refusal::new("InvalidUserID.Malformed", format!("Invalid user id: \"{owner}\"")));
        }
    }
    for id in &input.image_id {
        rehearsal::image(cx, id);
    }
    let (account, region, now) = (cx.account.clone(), cx.region.clone(), cx.now);
    cx.here();
    cx.world.region(PUBLIC, &region, now);
    for id in &input.image_id {
        cx.world.visible_image(&account, &region, id, now).ok_or_else(|| not_found(id))?;
    }
    if cx.outside.rehearsal && chosen(cx.world, &account, &region, &input, now).is_empty() {
        rehearsal::images(cx, &input);
    }
    let found = chosen(cx.world, &account, &region, &input, now);
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let scope = format!("DescribeImages {:?} {:?}", input.owner, input.filter);
    let (found, next) = filter::page(found, &paging, 1..=1000, &scope)?;
    let own = cx.world.accounts.get(&account).and_then(|a| a.regions.get(&region));
    let mut x = Xml::new();
    x.list("imagesSet", found, |x, (home, image)| {
        // Tags are each account's own; those of public images are not shown by AWS either.
        write(x, home, image, own.and_then(|r| r.tags(&image.id)).or_else(|| rehearsal::tags_of(home, image)), now);
    });
    x.opt("nextToken", next);
    Ok(x)
}

type Found<'a> = Vec<(String, (&'a Region, &'a Image))>;

fn chosen<'a>(world: &'a World, account: &str, region: &str, input: &DescribeImages, now: Time) -> Found<'a> {
    let regions = world.accounts.values().filter_map(|a| a.regions.get(region));
    let own = world.accounts.get(account).and_then(|a| a.regions.get(region));
    let all = regions.flat_map(|r| r.images.values().map(move |i| (r, i)));
    let mine = |i: &Image| i.owner == account;
    let chosen = all.filter(|(home, i)| {
        let named = input.image_id.contains(&i.id);
        let deprecated = i.deprecation.is_some_and(|at| at <= now) && !mine(i);
        let owner = |o: &String| match o.as_str() {
            "self" => mine(i),
            "amazon" | "aws-marketplace" | "aws-backup-vault" => i.owner_alias.as_ref() == Some(o),
            id => i.owner == id,
        };
        let executable = |e: &String| match e.as_str() {
            "all" => i.public,
            "self" => i.users.iter().any(|u| u == account),
            id => i.users.iter().any(|u| u == id),
        };
        i.visible_to(account)
            && (input.image_id.is_empty() || named)
            && (named || input.include_deprecated || !deprecated)
            && (named || input.include_disabled || !i.disabled)
            && (input.owner.is_empty() || input.owner.iter().any(owner))
            && (input.executable_by.is_empty() || input.executable_by.iter().any(executable))
            && filter::all_hold(&input.filter, own.and_then(|r| r.tags(&i.id)), &|name| attribute(home, i, name, now))
    });
    chosen.map(|(home, i)| (i.id.clone(), (home, i))).collect()
}

fn attribute(home: &Region, i: &Image, name: &str, now: Time) -> Vec<String> {
    let ebs = || i.devices.iter().filter_map(|d| d.ebs.as_ref());
    let one = |text: &str| vec![text.to_owned()];
    match name {
        "architecture" => one(&i.architecture),
        "block-device-mapping.delete-on-termination" => ebs().map(|e| e.delete_on_termination.to_string()).collect(),
        "block-device-mapping.device-name" => i.devices.iter().map(|d| d.name.clone()).collect(),
        "block-device-mapping.encrypted" => ebs().map(|e| e.encrypted.to_string()).collect(),
        "block-device-mapping.snapshot-id" => ebs().filter_map(|e| e.snapshot.clone()).collect(),
        "block-device-mapping.volume-size" => ebs().map(|e| e.size.to_string()).collect(),
        "block-device-mapping.volume-type" => ebs().map(|e| e.volume_type.clone()).collect(),
        "boot-mode" => i.boot_mode.iter().cloned().collect(),
        "creation-date" => vec![stamp(i.made)],
        "description" => one(&i.description),
        "ena-support" => vec![i.ena.to_string()],
        "free-tier-eligible" | "image-allowed" => one("true"),
        "hypervisor" => one("xen"),
        "image-id" => one(&i.id),
        "image-type" => one("machine"),
        "is-public" => vec![i.public.to_string()],
        "manifest-location" => vec![location(i)],
        "name" => one(&i.name),
        "owner-alias" => i.owner_alias.iter().cloned().collect(),
        "owner-id" => one(&i.owner),
        "platform" => i.platform.iter().map(|p| p.to_lowercase()).collect(),
        "product-code" => i.product_codes.clone(),
        "product-code.type" => i.product_codes.iter().map(|_| "marketplace".to_owned()).collect(),
        "root-device-name" => one(&i.root_device),
        "root-device-type" => one("ebs"),
        "source-image-id" => i.source_image.iter().cloned().collect(),
        "source-image-region" => i.source_region.iter().cloned().collect(),
        "source-instance-id" => i.source_instance.iter().cloned().collect(),
        "sriov-net-support" if i.sriov => one("simple"),
        "state" => one(i.state(&home.snapshots, now)),
        "state-reason-message" => i.reason.iter().cloned().collect(),
        "virtualization-type" => one(&i.virtualization),
        _ => Vec::new(),
    }
}

fn location(i: &Image) -> String {
    format!("{}/{}", i.owner_alias.as_ref().unwrap_or(&i.owner), i.name)
}

fn write(x: &mut Xml, home: &Region, i: &Image, tags: Option<&Tags>, now: Time) {
    let state = i.state(&home.snapshots, now);
    x.text("imageId", &i.id).text("imageLocation", location(i)).text("imageState", state);
    x.text("imageOwnerId", &i.owner).opt("imageOwnerAlias", i.owner_alias.as_ref());
    x.text("creationDate", stamp(i.made)).text("isPublic", i.public).text("architecture", &i.architecture);
    x.text("imageType", "machine").text("name", &i.name).some("description", &i.description);
    x.opt("platform", i.platform.as_deref().map(str::to_lowercase)).text("platformDetails", &i.platform_details);
    x.text("usageOperation", if i.is_windows() { "RunInstances:0002" } else { "RunInstances" });
    if state == "failed" {
        x.node("stateReason", |x| {
            x.text("code", "Client.InternalError");
            x.text("message", i.reason.as_deref().unwrap_or("Client.InternalError: Client error on creation"));
        });
    }
    x.list("productCodes", &i.product_codes, |x, c| _ = x.text("productCode", c).text("type", "marketplace"));
    x.text("rootDeviceType", "ebs").text("rootDeviceName", &i.root_device);
    write_devices(x, "blockDeviceMapping", &i.devices);
    x.text("virtualizationType", &i.virtualization).text("hypervisor", "xen").text("enaSupport", i.ena);
    x.opt("sriovNetSupport", i.sriov.then_some("simple")).opt("bootMode", i.boot_mode.as_ref());
    x.opt("tpmSupport", i.tpm.as_ref()).opt("imdsSupport", i.imds.as_ref());
    x.opt("deprecationTime", i.deprecation.map(stamp)).text("deregistrationProtection", &i.protection);
    x.opt("sourceImageId", i.source_image.as_ref()).opt("sourceImageRegion", i.source_region.as_ref());
    x.opt("sourceInstanceId", i.source_instance.as_ref());
    tag::write(x, tags);
}

pub fn write_devices(x: &mut Xml, name: &str, devices: &[Device]) {
    x.list(name, devices, |x, d| {
        x.text("deviceName", &d.name).opt("virtualName", d.virtual_name.as_ref());
        if let Some(ebs) = &d.ebs {
            x.node("ebs", |x| {
                x.opt("snapshotId", ebs.snapshot.as_ref()).text("volumeSize", ebs.size);
                x.text("deleteOnTermination", ebs.delete_on_termination).text("volumeType", &ebs.volume_type);
                x.opt("iops", ebs.iops).opt("throughput", ebs.throughput).text("encrypted", ebs.encrypted);
                x.opt("kmsKeyId", ebs.kms_key.as_ref());
            });
        }
    });
}
