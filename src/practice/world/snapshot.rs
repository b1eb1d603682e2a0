//! Snapshots: their progress, who may use them, what they hold.

use serde::{Deserialize, Serialize};

use super::account::{PUBLIC, Region};
use super::filter::{self, Filter, Paging};
use super::image_attribute::{Permissions, change, check, flat};
use super::tag::{self, TagSpecification, Tags, done};
use super::volume::checked_kms;
use super::{Cx, Effect, Time, World, stamp};
use crate::practice::machine::LayerId;
use crate::practice::wire::refusal::{not_found, well_formed};
use crate::practice::wire::{Refusal, Xml};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    pub id: String,
    pub volume: String,
    /// `GiB`.
    pub size: i64,
    pub started: Time,
    /// When it is complete, if the capture has ended by then.
    pub due: Time,
    pub description: String,
    pub owner: String,
    pub encrypted: bool,
    pub kms_key: Option<String>,
    pub public: bool,
    pub users: Vec<String>,
    /// The root file system that it holds, lowest layer first; none: the bare base, or a volume that holds nothing.
    pub layers: Vec<LayerId>,
    /// The layer that is being written.
    pub capturing: Option<LayerId>,
    /// Why it could not be taken.
    pub error: Option<String>,
}

impl Snapshot {
    pub fn state(&self, now: Time) -> &'static str {
        match () {
            () if self.error.is_some() => "error",
            () if self.capturing.is_some() || now < self.due => "pending",
            () => "completed",
        }
    }

    /// Percent.
    pub fn progress(&self, now: Time) -> i64 {
        if self.state(now) == "completed" {
            return 100;
        }
        let (gone, all) = (now - self.started, (self.due - self.started).max(1));
        (gone * 100 / all).clamp(0, 99)
    }
}

/// The end of a capture.
pub fn captured(world: &mut World, layer: &LayerId, size: Result<u64, &str>, _now: Time) {
    let regions = world.accounts.values_mut().flat_map(|a| a.regions.values_mut());
    for snapshot in regions.flat_map(|r| r.snapshots.values_mut()).filter(|s| s.capturing.as_ref() == Some(layer)) {
        snapshot.capturing = None;
        if let Err(why) = size {
            snapshot.layers.retain(|l| l != layer);
            snapshot.error = Some(why.to_owned());
        }
    }
}

impl Cx<'_> {
    /// A snapshot that this account may use; a copy.
    pub fn usable_snapshot(&mut self, id: &str) -> Result<Snapshot, Refusal> {
        self.snapshot_in(&self.region.clone(), id)
    }

    fn snapshot_in(&mut self, region: &str, id: &str) -> Result<Snapshot, Refusal> {
        let account = self.account.clone();
        self.world.region(PUBLIC, region, self.now);
        let regions = self.world.accounts.values().filter_map(|a| a.regions.get(region));
        let mut all = regions.filter_map(|r| r.snapshots.get(id).map(|s| (r, s)));
        // Whoever may use an image may make volumes of its snapshots in a launch.
        let through_image =
            |r: &Region| r.images.values().any(|i| i.visible_to(&account) && i.snapshots().any(|s| s == id));
        let usable =
            |r: &Region, s: &Snapshot| s.owner == account || s.public || s.users.contains(&account) || through_image(r);
        all.find(|(r, s)| usable(r, s)).map(|(_, s)| s.clone()).ok_or_else(|| not_found(id))
    }

    fn own_snapshot(&mut self, id: &str) -> Result<&mut Snapshot, Refusal> {
        well_formed(id, "snap")?;
        self.here().snapshots.get_mut(id).ok_or_else(|| not_found(id))
    }
}

/// Takes a snapshot away, with the layers that nothing else needs.
pub fn remove(cx: &mut Cx<'_>, id: &str) {
    let here = cx.here();
    here.untag(id);
    if let Some(snapshot) = here.snapshots.remove(id) {
        cx.drop_unused(&snapshot.layers);
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateSnapshot {
    volume_id: String,
    description: Option<String>,
    tag_specification: Vec<TagSpecification>,
}

pub fn create_snapshot(cx: &mut Cx<'_>, input: CreateSnapshot) -> Result<Xml, Refusal> {
    well_formed(&input.volume_id, "vol")?;
    let tags = tag::specified(&input.tag_specification, "snapshot", &["snapshot"])?;
    let now = cx.now;
    let volume = cx.here().volumes.get(&input.volume_id).cloned().ok_or_else(|| not_found(&input.volume_id))?;
    let id = cx.mint("snap");
    let root = cx
        .here()
        .instances
        .values()
        .find(|i| !i.is_gone() && i.devices.iter().any(|d| d.volume == volume.id && d.device == i.root_device));
    let (mut layers, mut capturing) = (volume.layers.clone(), None);
    if let Some(instance) = root {
        let layer = LayerId(format!("layer-{id}"));
        let instance_id = instance.id.clone();
        layers.clone_from(&instance.layers);
        layers.push(layer.clone());
        cx.effect(Effect::Capture { instance: instance_id, layer: layer.clone(), reboot: false });
        capturing = Some(layer);
    }
    let snapshot = Snapshot {
        id: id.clone(),
        volume: volume.id.clone(),
        size: volume.size,
        started: now,
        due: now + cx.world.trouble.timing.snapshot.ms(),
        description: input.description.unwrap_or_default(),
        owner: cx.account.clone(),
        encrypted: volume.encrypted,
        kms_key: volume.kms_key.clone(),
        layers,
        capturing,
        ..Snapshot::default()
    };
    let here = cx.here();
    here.tag(&id, &tags);
    let mut x = Xml::new();
    write(&mut x, &snapshot, Some(&tags), now);
    here.snapshots.insert(id, snapshot);
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CopySnapshot {
    source_region: String,
    source_snapshot_id: String,
    description: Option<String>,
    encrypted: bool,
    kms_key_id: Option<String>,
    tag_specification: Vec<TagSpecification>,
}

pub fn copy_snapshot(cx: &mut Cx<'_>, input: CopySnapshot) -> Result<Xml, Refusal> {
    well_formed(&input.source_snapshot_id, "snap")?;
    let tags = tag::specified(&input.tag_specification, "snapshot", &["snapshot"])?;
    let key = checked_kms(cx, input.kms_key_id.as_deref())?;
    let source = cx.snapshot_in(&input.source_region, &input.source_snapshot_id)?;
    let now = cx.now;
    if source.state(now) != "completed" {
        return Err(Refusal::state(format!("The snapshot '{}' is not in the state 'completed'", source.id)));
    }
    let encrypted = input.encrypted || source.encrypted || key.is_some();
    let id = cx.mint("snap");
    let copy = Snapshot {
        id: id.clone(),
        volume: "vol-ffffffff".to_owned(),
        started: now,
        due: now + cx.world.trouble.timing.copy.ms(),
        description: input
            .description
            .unwrap_or_else(|| format!("[Copied {} from {}]", source.id, input.source_region)),
        owner: cx.account.clone(),
        encrypted,
        kms_key: encrypted.then(|| key.or_else(|| source.kms_key.clone()).unwrap_or_else(|| cx.default_kms())),
        public: false,
        users: Vec::new(),
        ..source
    };
    let here = cx.here();
    here.tag(&id, &tags);
    here.snapshots.insert(id.clone(), copy);
    let mut x = Xml::new();
    x.text("snapshotId", &id);
    tag::write(&mut x, Some(&tags));
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OneSnapshot {
    snapshot_id: String,
    attribute: String,
}

pub fn delete_snapshot(cx: &mut Cx<'_>, input: OneSnapshot) -> Result<Xml, Refusal> {
    cx.own_snapshot(&input.snapshot_id)?;
    let user = cx.here().images.values().find(|i| i.snapshots().any(|s| s == input.snapshot_id)).map(|i| i.id.clone());
    if let Some(image) = user {
        return Err(Refusal::new(
            "InvalidSnapshot.InUse",
            format!("The snapshot {} is currently in use by {image}", input.snapshot_id),
        ));
    }
    remove(cx, &input.snapshot_id);
    Ok(done())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ModifySnapshotAttribute {
    snapshot_id: String,
    create_volume_permission: Option<Permissions>,
    operation_type: Option<String>,
    user_group: Vec<String>,
    user_id: Vec<String>,
}

pub fn modify_snapshot_attribute(cx: &mut Cx<'_>, input: ModifySnapshotAttribute) -> Result<Xml, Refusal> {
    let given = input.create_volume_permission.unwrap_or_default();
    let old = flat(&input.user_id, &input.user_group, &[], &[], input.operation_type.as_deref());
    let permissions = if given.add.is_empty() && given.remove.is_empty() { old } else { given };
    check(&permissions)?;
    let snapshot = cx.own_snapshot(&input.snapshot_id)?;
    let all = Some("all".to_owned());
    if snapshot.encrypted && permissions.add.iter().any(|p| p.group == all) {
        return Err(Refusal::new("OperationNotPermitted", "Encrypted snapshots cannot be shared publicly"));
    }
    if !permissions.add.is_empty() && snapshot.kms_key.as_deref().is_some_and(|k| k.ends_with("alias/aws/ebs")) {
        return Err(Refusal::new("InvalidParameter", "Encrypted snapshots with EBS default key cannot be shared"));
    }
    snapshot.public |= permissions.add.iter().any(|p| p.group == all);
    snapshot.public &= !permissions.remove.iter().any(|p| p.group == all);
    let add = permissions.add.iter().filter_map(|p| p.user_id.clone());
    change(&mut snapshot.users, add, permissions.remove.iter().filter_map(|p| p.user_id.clone()));
    Ok(done())
}

pub fn reset_snapshot_attribute(cx: &mut Cx<'_>, input: OneSnapshot) -> Result<Xml, Refusal> {
    let snapshot = cx.own_snapshot(&input.snapshot_id)?;
    snapshot.public = false;
    snapshot.users.clear();
    Ok(done())
}

pub fn describe_snapshot_attribute(cx: &mut Cx<'_>, input: OneSnapshot) -> Result<Xml, Refusal> {
    let snapshot = cx.own_snapshot(&input.snapshot_id)?;
    let mut x = Xml::new();
    x.text("snapshotId", &snapshot.id);
    if input.attribute == "productCodes" {
        x.list("productCodes", std::iter::empty::<()>(), |_, ()| {});
        return Ok(x);
    }
    let groups = snapshot.public.then(|| ("group", "all".to_owned())).into_iter();
    let all = groups.chain(snapshot.users.iter().map(|u| ("userId", u.clone())));
    x.list("createVolumePermission", all, |x, (name, value)| _ = x.text(name, value));
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeSnapshots {
    snapshot_id: Vec<String>,
    owner: Vec<String>,
    restorable_by: Vec<String>,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

const KNOWN: &[&str] = &[
    "description",
    "encrypted",
    "owner-alias",
    "owner-id",
    "progress",
    "snapshot-id",
    "start-time",
    "status",
    "storage-tier",
    "volume-id",
    "volume-size",
];

pub fn describe_snapshots(cx: &mut Cx<'_>, input: DescribeSnapshots) -> Result<Xml, Refusal> {
    filter::check(&input.filter, KNOWN)?;
    if input.max_results.is_some() && !input.snapshot_id.is_empty() {
        return Err(Refusal::combination("The parameter snapshotIdsSet cannot be used with the parameter maxResults"));
    }
    let (account, region, now) = (cx.account.clone(), cx.region.clone(), cx.now);
    for id in &input.snapshot_id {
        well_formed(id, "snap")?;
        cx.usable_snapshot(id)?;
    }
    cx.world.region(PUBLIC, &region, now);
    cx.here();
    let own = cx.world.accounts.get(&account).and_then(|a| a.regions.get(&region));
    let regions = cx.world.accounts.values().filter_map(|a| a.regions.get(&region));
    let found = regions.flat_map(|r| r.snapshots.values()).filter(|s| {
        let mine = s.owner == account;
        let owner = |o: &String| o == &s.owner || (o == "self" && mine);
        let restorable = |who: &String| match who.as_str() {
            "self" => mine || s.users.contains(&account),
            "all" => s.public,
            id => s.owner == id || s.users.iter().any(|u| u == id),
        };
        let attribute = |name: &str| match name {
            "description" => vec![s.description.clone()],
            "encrypted" => vec![s.encrypted.to_string()],
            "owner-id" => vec![s.owner.clone()],
            "progress" => vec![format!("{}%", s.progress(now))],
            "snapshot-id" => vec![s.id.clone()],
            "start-time" => vec![stamp(s.started)],
            "status" => vec![s.state(now).to_owned()],
            "storage-tier" => vec!["standard".to_owned()],
            "volume-id" => vec![s.volume.clone()],
            "volume-size" => vec![s.size.to_string()],
            _ => Vec::new(),
        };
        (mine || s.public || s.users.contains(&account))
            && (input.snapshot_id.is_empty() || input.snapshot_id.contains(&s.id))
            && (input.owner.is_empty() || input.owner.iter().any(owner))
            && (input.restorable_by.is_empty() || input.restorable_by.iter().any(restorable))
            && filter::all_hold(&input.filter, own.and_then(|r| r.tags(&s.id)), &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let scope = format!("DescribeSnapshots {:?} {:?}", input.owner, input.filter);
    let (found, next) = filter::page(found.map(|s| (s.id.clone(), s)).collect(), &paging, 5..=1000, &scope)?;
    let mut x = Xml::new();
    x.list("snapshotSet", found, |x, s| write(x, s, own.and_then(|r| r.tags(&s.id)), now));
    x.opt("nextToken", next);
    Ok(x)
}

fn write(x: &mut Xml, s: &Snapshot, tags: Option<&Tags>, now: Time) {
    x.text("snapshotId", &s.id)
        .text("volumeId", &s.volume)
        .text("status", s.state(now))
        .opt("statusMessage", s.error.as_ref());
    x.text("startTime", stamp(s.started)).text("progress", format!("{}%", s.progress(now))).text("ownerId", &s.owner);
    x.text("volumeSize", s.size).text("description", &s.description).text("encrypted", s.encrypted);
    x.opt("kmsKeyId", s.kms_key.as_ref()).text("storageTier", "standard");
    tag::write(x, tags);
}
