//! A rehearsal: what a real template names and this cloud does not have is stood in for, and said.
//!
//! A stand-in has the id or the tags that were asked for and the tag `practice:stands-for`.

use super::account::{PUBLIC, Region};
use super::filter::{self, Filter};
use super::image::{DescribeImages, Image};
use super::key_pair::KeyPair;
use super::network::Subnet;
use super::security_group::Group;
use super::tag::Tags;
use super::{Cx, catalog, iam, id};

pub const STANDS_FOR: &str = "practice:stands-for";

impl Cx<'_> {
    fn say(&mut self, text: String) {
        if !self.world.stand_ins.contains(&text) {
            self.world.stand_ins.push(text);
        }
    }
}

/// The tags of a stand-in, which everybody sees.
pub fn tags_of<'a>(home: &'a Region, image: &Image) -> Option<&'a Tags> {
    home.tags(&image.id).filter(|t| t.contains_key(STANDS_FOR))
}

/// An image id that nobody has gets an image.
pub fn image(cx: &mut Cx<'_>, id: &str) {
    let (account, region, now) = (cx.account.clone(), cx.region.clone(), cx.now);
    if !cx.outside.rehearsal || cx.world.visible_image(&account, &region, id, now).is_some() {
        return;
    }
    stand_in(cx, id, None, "amzn2 ubuntu jammy server", &[], None, id);
}

/// A filter that finds nothing gets an image that it finds. That a name is not in use is what some ask on purpose: a plain
/// name among one's own images, or among anybody's, is no such filter.
pub fn images(cx: &mut Cx<'_>, input: &DescribeImages) {
    let value = |name: &str| input.filter.iter().find(|f| f.name == name).and_then(|f| f.value.first()).cloned();
    let own = input.owner.is_empty() || input.owner.iter().any(|o| o == "self");
    let wild = value("name").is_some_and(|n| filter::is_wild(&n));
    let looks_for_a_source = wild || !own || (input.filter.len() > 1 && !input.owner.is_empty());
    if !input.image_id.is_empty() || !looks_for_a_source {
        return;
    }
    let asked =
        format!("{:?}", input.filter.iter().map(|f| format!("{}={}", f.name, f.value.join(","))).collect::<Vec<_>>());
    let id =
        id::id("ami", &[b"stand-in", cx.region.as_bytes(), asked.as_bytes(), format!("{:?}", input.owner).as_bytes()]);
    let name = value("name").unwrap_or_else(|| "practice-stand-in".to_owned());
    let given = name.replace('*', "20260101").replace('?', "0").replace('\\', "");
    let architecture = value("architecture");
    let hint = format!("{name} {}", value("platform").unwrap_or_default());
    let told = value("name").map_or(asked, |n| format!("name={n}"));
    stand_in(cx, &id, Some(given), &hint, &input.owner, architecture.as_deref(), &told);
    let region = cx.region.clone();
    let account = cx.account.clone();
    let now = cx.now;
    let mut wanted = Tags::new();
    let public = cx.world.region(PUBLIC, &region, now);
    if let Some(image) = public.images.get_mut(&id) {
        match input.owner.first().map(String::as_str) {
            Some("self") => image.owner.clone_from(&account),
            Some(owner) if owner.bytes().all(|b| b.is_ascii_digit()) => owner.clone_into(&mut image.owner),
            Some(alias) => image.owner_alias = Some(alias.to_owned()),
            None => {}
        }
        for filter in &input.filter {
            let Some(value) = filter.value.first().map(|v| v.replace('*', "x")) else { continue };
            match filter.name.as_str() {
                "virtualization-type" => image.virtualization = value,
                "owner-alias" => image.owner_alias = Some(value),
                "owner-id" => image.owner = value,
                "description" => image.description = value,
                "boot-mode" => image.boot_mode = Some(value),
                "root-device-name" => {
                    image
                        .devices
                        .iter_mut()
                        .filter(|d| d.name == image.root_device)
                        .for_each(|d| d.name.clone_from(&value));
                    image.root_device = value;
                }
                "block-device-mapping.volume-type" => {
                    image
                        .devices
                        .iter_mut()
                        .filter_map(|d| d.ebs.as_mut())
                        .for_each(|e| e.volume_type.clone_from(&value));
                }
                name => {
                    if let Some(key) = name.strip_prefix("tag:") {
                        wanted.insert(key.to_owned(), value);
                    }
                }
            }
        }
    }
    cx.here().tag(&id, &wanted);
}

fn stand_in(
    cx: &mut Cx<'_>,
    id: &str,
    name: Option<String>,
    hint: &str,
    owners: &[String],
    architecture: Option<&str>,
    told: &str,
) {
    let (region, now) = (cx.region.clone(), cx.now);
    let public = cx.world.region(PUBLIC, &region, now);
    let Some(base) = catalog::nearest(public, hint, owners, architecture).cloned() else { return };
    let text = format!("{id} stands for {told}: {}", base.name);
    let image = Image { id: id.to_owned(), name: name.unwrap_or_else(|| base.name.clone()), ..base };
    public.tag(id, &Tags::from([(STANDS_FOR.to_owned(), told.chars().take(255).collect())]));
    public.images.insert(id.to_owned(), image);
    cx.say(text);
}

/// VPC ids and filters that find nothing get the default VPC under another name.
pub fn vpcs(cx: &mut Cx<'_>, ids: &[String], filters: &[Filter]) {
    if !cx.outside.rehearsal {
        return;
    }
    for id in ids.iter().filter(|i| i.starts_with("vpc-")) {
        if !cx.here().vpcs.contains_key(id) {
            vpc(cx, id);
        }
    }
    if ids.is_empty() && !filters.is_empty() {
        let tags = wanted_tags(filters);
        let here = cx.here();
        let found = here.vpcs.values().any(|v| has(here.tags(&v.id), &tags));
        if !tags.is_empty() && !found {
            let id = id::id("vpc", &[b"stand-in", format!("{tags:?}").as_bytes()]);
            vpc(cx, &id);
            cx.here().tag(&id, &tags);
        }
    }
}

fn vpc(cx: &mut Cx<'_>, id: &str) {
    let account = cx.account.clone();
    let now = cx.now;
    let Some(mut vpc) = cx.here().default_vpc().cloned() else { return };
    id.clone_into(&mut vpc.id);
    vpc.default = false;
    let rules = [cx.mint("sgr"), cx.mint("sgr")];
    let group = Group::default_of(id, cx.mint("sg"), rules, &account, now);
    let here = cx.here();
    here.groups.insert(group.id.clone(), group);
    here.vpcs.insert(id.to_owned(), vpc);
    here.tag(id, &Tags::from([(STANDS_FOR.to_owned(), id.to_owned())]));
    cx.say(format!("{id} stands for a VPC of that id"));
}

/// Subnet ids and filters that find nothing get a subnet of the VPC that is asked for.
pub fn subnets(cx: &mut Cx<'_>, ids: &[String], filters: &[Filter]) {
    if !cx.outside.rehearsal {
        return;
    }
    for id in ids.iter().filter(|i| i.starts_with("subnet-")) {
        if !cx.here().subnets.contains_key(id) {
            subnet(cx, id, None, None);
        }
    }
    if ids.is_empty() {
        let tags = wanted_tags(filters);
        let value = |name: &[&str]| {
            filters.iter().find(|f| name.contains(&f.name.as_str())).and_then(|f| f.value.first()).cloned()
        };
        let (in_vpc, zone) = (value(&["vpc-id"]), value(&["availability-zone", "availabilityZone"]));
        let here = cx.here();
        let found = here.subnets.values().any(|s| {
            in_vpc.as_ref().is_none_or(|v| *v == s.vpc)
                && zone.as_ref().is_none_or(|z| filter::matches(z, &s.zone))
                && (tags.is_empty() || has(here.tags(&s.id), &tags))
        });
        if !found && (!tags.is_empty() || in_vpc.is_some()) {
            let id = id::id("subnet", &[b"stand-in", format!("{tags:?} {in_vpc:?} {zone:?}").as_bytes()]);
            subnet(cx, &id, in_vpc, zone.filter(|z| !filter::is_wild(z)));
            cx.here().tag(&id, &tags);
        }
    }
}

fn subnet(cx: &mut Cx<'_>, id: &str, in_vpc: Option<String>, zone: Option<String>) {
    if let Some(in_vpc) = &in_vpc {
        vpcs(cx, std::slice::from_ref(in_vpc), &[]);
    }
    let here = cx.here();
    let Some(base) = here.subnets.values().find(|s| s.default).cloned() else { return };
    let subnet = Subnet {
        id: id.to_owned(),
        vpc: in_vpc.unwrap_or_else(|| base.vpc.clone()),
        zone: zone.unwrap_or_else(|| base.zone.clone()),
        default: false,
        ..base
    };
    here.subnets.insert(id.to_owned(), subnet);
    here.tag(id, &Tags::from([(STANDS_FOR.to_owned(), id.to_owned())]));
    cx.say(format!("{id} stands for a subnet of that id"));
}

/// Security group ids and filters that find nothing get an empty group.
pub fn groups(cx: &mut Cx<'_>, ids: &[String], filters: &[Filter]) {
    if !cx.outside.rehearsal {
        return;
    }
    for id in ids.iter().filter(|i| i.starts_with("sg-")) {
        if !cx.here().groups.contains_key(id) {
            group(cx, id, None, id.clone());
        }
    }
    let tags = wanted_tags(filters);
    let named = filters.iter().find(|f| f.name == "group-name").and_then(|f| f.value.first()).cloned();
    if ids.is_empty() && (!tags.is_empty() || named.is_some()) {
        let in_vpc = filters.iter().find(|f| f.name == "vpc-id").and_then(|f| f.value.first()).cloned();
        let here = cx.here();
        let found = here.groups.values().any(|g| {
            in_vpc.as_ref().is_none_or(|v| *v == g.vpc)
                && named.as_ref().is_none_or(|n| filter::matches(n, &g.name))
                && (tags.is_empty() || has(here.tags(&g.id), &tags))
        });
        if !found {
            let id = id::id("sg", &[b"stand-in", format!("{tags:?} {named:?} {in_vpc:?}").as_bytes()]);
            let name = named.unwrap_or_else(|| id.replace("sg-", "practice-")).replace(['*', '?'], "x");
            group(cx, &id, in_vpc, name);
            cx.here().tag(&id, &tags);
        }
    }
}

fn group(cx: &mut Cx<'_>, id: &str, in_vpc: Option<String>, name: String) {
    let (owner, made) = (cx.account.clone(), cx.now);
    let here = cx.here();
    let vpc = in_vpc.or_else(|| here.default_vpc().map(|v| v.id.clone())).unwrap_or_default();
    let group =
        Group { id: id.to_owned(), name, description: "stands in".to_owned(), vpc, owner, rules: Vec::new(), made };
    here.groups.insert(id.to_owned(), group);
    here.tag(id, &Tags::from([(STANDS_FOR.to_owned(), id.to_owned())]));
    cx.say(format!("{id} stands for a security group of that id"));
}

/// A key pair of that name: nobody has its private half, so only images' own keys can log in.
pub fn key_pair(cx: &mut Cx<'_>, name: &str) {
    if !cx.outside.rehearsal || cx.here().key_pairs.contains_key(name) {
        return;
    }
    let Ok(key) = russh::keys::PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519) else { return };
    let Ok(public) = key.public_key().to_openssh() else { return };
    let (id, made) = (cx.mint("key"), cx.now);
    let pair =
        KeyPair { id, name: name.to_owned(), kind: "ed25519".to_owned(), fingerprint: String::new(), public, made };
    cx.here().key_pairs.insert(name.to_owned(), pair);
    cx.say(format!("an empty key pair stands for `{name}`: its private key will not log in"));
}

/// An instance profile of that name, without a role.
pub fn profile(cx: &mut Cx<'_>, name: &str) {
    if !cx.outside.rehearsal || name.is_empty() {
        return;
    }
    let account = cx.account.clone();
    if cx.world.account(&account).iam.profiles.contains_key(name) {
        return;
    }
    let profile =
        iam::InstanceProfile { name: name.to_owned(), path: "/".to_owned(), ..iam::InstanceProfile::default() };
    cx.world.account(&account).iam.profiles.insert(name.to_owned(), profile);
    cx.say(format!("an empty instance profile stands for `{name}`"));
}

fn wanted_tags(filters: &[Filter]) -> Tags {
    let tag = |f: &Filter| Some((f.name.strip_prefix("tag:")?.to_owned(), f.value.first()?.replace(['*', '?'], "x")));
    filters.iter().filter_map(tag).collect()
}

fn has(tags: Option<&Tags>, wanted: &Tags) -> bool {
    wanted.iter().all(|(key, value)| tags.and_then(|t| t.get(key)).is_some_and(|have| have == value))
}
