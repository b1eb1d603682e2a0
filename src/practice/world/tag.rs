//! Tags on anything.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::Cx;
use super::filter::{self, Filter, Paging};
use crate::practice::wire::refusal::not_found;
use crate::practice::wire::{Refusal, Xml};

pub type Tags = BTreeMap<String, String>;

const MOST: usize = 50;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Tag {
    pub key: String,
    pub value: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct TagSpecification {
    pub resource_type: String,
    pub tag: Vec<Tag>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChangeTags {
    resource_id: Vec<String>,
    tag: Vec<Tag>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeTags {
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

/// The tags of a resource type in a request's `TagSpecification`s.
///
/// # Errors
/// When a specification names a type that this action does not make.
pub fn specified(given: &[TagSpecification], wanted: &str, allowed: &[&str]) -> Result<Tags, Refusal> {
    for one in given {
        if !allowed.contains(&one.resource_type.as_str()) {
            return Err(Refusal::invalid(format!(
                "'{}' is not a valid taggable resource type for this operation.",
                one.resource_type
            )));
        }
        if one.tag.is_empty() {
            return Err(Refusal::invalid("Tag specification must have at least one tag"));
        }
    }
    let mut tags = Tags::new();
    for tag in given.iter().filter(|s| s.resource_type == wanted).flat_map(|s| &s.tag) {
        check(tag)?;
        if tags.insert(tag.key.clone(), tag.value.clone().unwrap_or_default()).is_some() {
            return Err(Refusal::invalid(format!("Duplicate tag key '{}' specified.", tag.key)));
        }
    }
    limit(tags.len())?;
    Ok(tags)
}

fn limit(count: usize) -> Result<(), Refusal> {
    if count > MOST {
        return Err(Refusal::limit("TagLimitExceeded", "The maximum number of Tags for a resource has been reached."));
    }
    Ok(())
}

fn check(tag: &Tag) -> Result<(), Refusal> {
    let value = tag.value.as_deref().unwrap_or_default();
    if tag.key.is_empty() {
        return Err(Refusal::invalid("Tag key cannot be empty."));
    }
    if tag.key.chars().count() > 127 {
        return Err(Refusal::invalid(format!("Tag key exceeds the maximum length of 127 characters: '{}'", tag.key)));
    }
    if value.chars().count() > 255 {
        return Err(Refusal::invalid(format!("Tag value exceeds the maximum length of 255 characters: '{value}'")));
    }
    if tag.key.to_ascii_lowercase().starts_with("aws:") {
        return Err(Refusal::invalid("Tag keys starting with 'aws:' are reserved for internal use"));
    }
    Ok(())
}

pub fn create_tags(cx: &mut Cx<'_>, input: ChangeTags) -> Result<Xml, Refusal> {
    for tag in &input.tag {
        check(tag)?;
    }
    for id in &input.resource_id {
        cx.existing(id)?;
    }
    for id in &input.resource_id {
        let had = cx.here().tags.get(id).cloned().unwrap_or_default();
        let new = input.tag.iter().filter(|t| !had.contains_key(&t.key)).count();
        limit(had.len() + new)?;
    }
    for id in &input.resource_id {
        let tags = cx.here().tags.entry(id.clone()).or_default();
        tags.extend(input.tag.iter().map(|t| (t.key.clone(), t.value.clone().unwrap_or_default())));
    }
    Ok(done())
}

pub fn delete_tags(cx: &mut Cx<'_>, input: ChangeTags) -> Result<Xml, Refusal> {
    for id in &input.resource_id {
        cx.existing(id)?;
    }
    for id in &input.resource_id {
        let Some(tags) = cx.here().tags.get_mut(id) else { continue };
        if input.tag.is_empty() {
            tags.clear();
        }
        for tag in &input.tag {
            // A value, where one is given, must be the one that it has.
            if tag.value.as_ref().is_none_or(|v| tags.get(&tag.key) == Some(v)) {
                tags.remove(&tag.key);
            }
        }
    }
    Ok(done())
}

pub fn describe_tags(cx: &mut Cx<'_>, input: DescribeTags) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["key", "resource-id", "resource-type", "value"])?;
    let mut found = Vec::new();
    for (id, tags) in &cx.here().tags {
        for (key, value) in tags {
            let own = Tags::from([(key.clone(), value.clone())]);
            let attribute = |name: &str| match name {
                "key" => vec![key.clone()],
                "value" => vec![value.clone()],
                "resource-id" => vec![id.clone()],
                "resource-type" => vec![resource_type(id).to_owned()],
                _ => Vec::new(),
            };
            if filter::all_hold(&input.filter, Some(&own), &attribute) {
                found.push((format!("{id} {key}"), (id.clone(), key.clone(), value.clone())));
            }
        }
    }
    let paging = Paging { max_results: input.max_results, next_token: input.next_token };
    let (found, next) = filter::page(found, &paging, 5..=1000, "DescribeTags")?;
    let mut x = Xml::new();
    x.list("tagSet", found, |x, (id, key, value)| {
        x.text("resourceId", &id).text("resourceType", resource_type(&id)).text("key", key).text("value", value);
    });
    x.opt("nextToken", next);
    Ok(x)
}

/// What EC2 calls the kind of thing that an id names.
pub fn resource_type(id: &str) -> &'static str {
    match id.split('-').next().unwrap_or_default() {
        "ami" => "image",
        "eni" => "network-interface",
        "fleet" => "fleet",
        "i" => "instance",
        "igw" => "internet-gateway",
        "key" => "key-pair",
        "lt" => "launch-template",
        "rtb" => "route-table",
        "sg" => "security-group",
        "sgr" => "security-group-rule",
        "sir" => "spot-instances-request",
        "snap" => "snapshot",
        "subnet" => "subnet",
        "vol" => "volume",
        "vpc" => "vpc",
        _ => "unknown",
    }
}

/// `tagSet`, as every description has it.
pub fn write(x: &mut Xml, tags: Option<&Tags>) {
    x.list("tagSet", tags.into_iter().flatten(), |x, (key, value)| _ = x.text("key", key).text("value", value));
}

/// The answer of actions that say nothing but that they did it.
pub fn done() -> Xml {
    let mut x = Xml::new();
    x.text("return", true);
    x
}

impl Cx<'_> {
    /// # Errors
    /// EC2's `…NotFound` for the kind of thing, when nothing has this id.
    pub fn existing(&mut self, id: &str) -> Result<(), Refusal> {
        let here = self.here();
        let known = match id.split('-').next().unwrap_or_default() {
            "ami" => here.images.contains_key(id),
            "eni" => here.instances.values().any(|i| i.eni == id),
            "fleet" => here.fleets.contains_key(id),
            "i" => here.instances.contains_key(id),
            "igw" => here.vpcs.values().any(|v| v.gateway.as_deref() == Some(id)),
            "key" => here.key_pairs.values().any(|k| k.id == id),
            "lt" => here.launch_templates.contains_key(id),
            "rtb" => here.vpcs.values().any(|v| v.route_table == id),
            "sg" => here.groups.contains_key(id),
            "sgr" => here.groups.values().any(|g| g.rules.iter().any(|r| r.id == id)),
            "sir" => here.spot_requests.contains_key(id),
            "snap" => here.snapshots.contains_key(id),
            "subnet" => here.subnets.contains_key(id),
            "vol" => here.volumes.contains_key(id),
            "vpc" => here.vpcs.contains_key(id),
            _ => false,
        };
        if known { Ok(()) } else { Err(not_found(id)) }
    }
}
