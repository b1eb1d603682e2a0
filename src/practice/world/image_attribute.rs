//! What can be changed of an image: who may use it, when it goes out of use, what guards it.

use serde::Deserialize;

use super::image::write_devices;
use super::image_make::COOLDOWN;
use super::tag::done;
use super::{Cx, Time, filter, stamp};
use crate::practice::wire::{Refusal, Xml};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ModifyImageAttribute {
    image_id: String,
    attribute: Option<String>,
    value: Option<String>,
    operation_type: Option<String>,
    description: Option<Value>,
    imds_support: Option<Value>,
    launch_permission: Option<Permissions>,
    product_code: Vec<String>,
    user_group: Vec<String>,
    user_id: Vec<String>,
    organization_arn: Vec<String>,
    organizational_unit_arn: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Value {
    pub value: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Permissions {
    pub add: Vec<Permission>,
    pub remove: Vec<Permission>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Permission {
    pub user_id: Option<String>,
    pub group: Option<String>,
    pub organization_arn: Option<String>,
    pub organizational_unit_arn: Option<String>,
}

/// # Errors
/// When a user is no account or a group is not `all`.
pub fn check(permissions: &Permissions) -> Result<(), Refusal> {
    for permission in permissions.add.iter().chain(&permissions.remove) {
        if let Some(user) =
            permission.user_id.as_deref().filter(|u| u.len() != 12 || !u.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(Refusal::new(
                "InvalidAMIAttributeItemValue",
                format!("Invalid attribute item value \"{user}\" for userId item type."),
            ));
        }
        if let Some(group) = permission.group.as_deref().filter(|g| *g != "all") {
            return Err(Refusal::new(
                "InvalidAMIAttributeItemValue",
                format!("Invalid attribute item value \"{group}\" for group item type."),
            ));
        }
    }
    Ok(())
}

/// The older way to write permissions: flat lists and an operation.
pub fn flat(
    users: &[String],
    groups: &[String],
    organizations: &[String],
    units: &[String],
    operation: Option<&str>,
) -> Permissions {
    let user = users.iter().map(|u| Permission { user_id: Some(u.clone()), ..Permission::default() });
    let group = groups.iter().map(|g| Permission { group: Some(g.clone()), ..Permission::default() });
    let organization =
        organizations.iter().map(|o| Permission { organization_arn: Some(o.clone()), ..Permission::default() });
    let unit = units.iter().map(|u| Permission { organizational_unit_arn: Some(u.clone()), ..Permission::default() });
    let all: Vec<_> = user.chain(group).chain(organization).chain(unit).collect();
    if operation == Some("remove") {
        Permissions { add: Vec::new(), remove: all }
    } else {
        Permissions { add: all, remove: Vec::new() }
    }
}

/// Adds and removes one list's entries.
pub fn change(list: &mut Vec<String>, add: impl Iterator<Item = String>, remove: impl Iterator<Item = String>) {
    for one in add {
        if !list.contains(&one) {
            list.push(one);
        }
    }
    for one in remove {
        list.retain(|l| *l != one);
    }
}

pub fn modify_image_attribute(cx: &mut Cx<'_>, input: ModifyImageAttribute) -> Result<Xml, Refusal> {
    // Packer 1.6.6 gives permissions in both ways at once.
    let operation = input.operation_type.as_deref();
    let given = input.launch_permission.unwrap_or_default();
    let old =
        flat(&input.user_id, &input.user_group, &input.organization_arn, &input.organizational_unit_arn, operation);
    let permissions = if given.add.is_empty() && given.remove.is_empty() { old } else { given };
    check(&permissions)?;
    let image = cx.own_image(&input.image_id)?.clone();
    if !permissions.add.is_empty() {
        let here = cx.here();
        let keyless = image
            .snapshots()
            .filter_map(|s| here.snapshots.get(s))
            .any(|s| s.encrypted && s.kms_key.as_deref().is_none_or(|k| k.ends_with("alias/aws/ebs")));
        if keyless {
            return Err(Refusal::new(
                "InvalidParameter",
                format!(
                    "Image {} has snapshots that are encrypted with the account's default key; it cannot be shared",
                    image.id
                ),
            ));
        }
    }
    let image = cx.own_image(&input.image_id)?;
    let all = Some("all".to_owned());
    image.public |= permissions.add.iter().any(|p| p.group == all);
    image.public &= !permissions.remove.iter().any(|p| p.group == all);
    let of = |list: &[Permission], get: fn(&Permission) -> Option<String>| {
        list.iter().filter_map(get).collect::<Vec<_>>().into_iter()
    };
    let (add, remove) = (&permissions.add, &permissions.remove);
    change(&mut image.users, of(add, |p| p.user_id.clone()), of(remove, |p| p.user_id.clone()));
    change(
        &mut image.organizations,
        of(add, |p| p.organization_arn.clone()),
        of(remove, |p| p.organization_arn.clone()),
    );
    change(
        &mut image.units,
        of(add, |p| p.organizational_unit_arn.clone()),
        of(remove, |p| p.organizational_unit_arn.clone()),
    );
    change(&mut image.product_codes, input.product_code.into_iter(), std::iter::empty());
    if let Some(description) = input.description.and_then(|d| d.value) {
        image.description = description;
    }
    if let Some(imds) = input.imds_support.and_then(|d| d.value) {
        if imds != "v2.0" {
            return Err(Refusal::bad_value("imdsSupport", &imds));
        }
        image.imds = Some(imds);
    }
    match (input.attribute.as_deref(), input.value) {
        (Some("description"), Some(value)) => image.description = value,
        (Some("imdsSupport"), Some(value)) => image.imds = Some(value),
        _ => {}
    }
    Ok(done())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OneImage {
    image_id: String,
    attribute: String,
    deprecate_at: Option<Time>,
    with_cooldown: bool,
}

pub fn reset_image_attribute(cx: &mut Cx<'_>, input: OneImage) -> Result<Xml, Refusal> {
    let image = cx.own_image(&input.image_id)?;
    image.public = false;
    image.users.clear();
    image.organizations.clear();
    image.units.clear();
    Ok(done())
}

pub fn describe_image_attribute(cx: &mut Cx<'_>, input: OneImage) -> Result<Xml, Refusal> {
    let image = cx.own_image(&input.image_id)?;
    let mut x = Xml::new();
    x.text("imageId", &image.id);
    let value = |x: &mut Xml, name: &str, value: Option<&str>| {
        x.node(name, |x| _ = x.opt("value", value));
    };
    match input.attribute.as_str() {
        "description" => value(&mut x, "description", Some(&image.description)),
        "kernel" => value(&mut x, "kernel", None),
        "ramdisk" => value(&mut x, "ramdisk", None),
        "sriovNetSupport" => value(&mut x, "sriovNetSupport", image.sriov.then_some("simple")),
        "bootMode" => value(&mut x, "bootMode", image.boot_mode.as_deref()),
        "tpmSupport" => value(&mut x, "tpmSupport", image.tpm.as_deref()),
        "imdsSupport" => value(&mut x, "imdsSupport", image.imds.as_deref()),
        "uefiData" => value(&mut x, "uefiData", None),
        "lastLaunchedTime" => value(&mut x, "lastLaunchedTime", None),
        "deregistrationProtection" => value(&mut x, "deregistrationProtection", Some(shown(&image.protection))),
        "blockDeviceMapping" => write_devices(&mut x, "blockDeviceMapping", &image.devices),
        "productCodes" => {
            x.list("productCodes", &image.product_codes, |x, c| {
                x.text("productCode", c).text("type", "marketplace");
            });
        }
        "launchPermission" => {
            let groups = image.public.then(|| ("group", "all".to_owned())).into_iter();
            let users = image.users.iter().map(|u| ("userId", u.clone()));
            let organizations = image.organizations.iter().map(|o| ("organizationArn", o.clone()));
            let units = image.units.iter().map(|u| ("organizationalUnitArn", u.clone()));
            let all = groups.chain(users).chain(organizations).chain(units);
            x.list("launchPermission", all, |x, (name, value)| _ = x.text(name, value));
        }
        other => return Err(Refusal::bad_value("attribute", other)),
    }
    Ok(x)
}

/// Protection without the time until which a cooldown keeps it.
fn shown(protection: &str) -> &str {
    if protection.starts_with("disabled") { "disabled" } else { protection }
}

pub fn enable_image_deprecation(cx: &mut Cx<'_>, input: OneImage) -> Result<Xml, Refusal> {
    let now = cx.now;
    let image = cx.own_image(&input.image_id)?;
    let at = input.deprecate_at.ok_or_else(|| Refusal::missing("DeprecateAt"))?;
    let ten_years = 10 * 366 * 24 * 3600 * 1000;
    if at < now || at > now + ten_years {
        return Err(Refusal::invalid(format!(
            "Value ({}) for parameter deprecateAt is invalid. The date must be in the future, at most 10 years from now.",
            stamp(at)
        )));
    }
    // AWS rounds to the minute.
    image.deprecation = Some((at + 30_000).div_euclid(60_000) * 60_000);
    Ok(done())
}

pub fn disable_image_deprecation(cx: &mut Cx<'_>, input: OneImage) -> Result<Xml, Refusal> {
    cx.own_image(&input.image_id)?.deprecation = None;
    Ok(done())
}

pub fn enable_protection(cx: &mut Cx<'_>, input: OneImage) -> Result<Xml, Refusal> {
    let image = cx.own_image(&input.image_id)?;
    if input.with_cooldown { "enabled-with-cooldown" } else { "enabled" }.clone_into(&mut image.protection);
    let mut x = Xml::new();
    x.text("return", &image.protection);
    Ok(x)
}

pub fn disable_protection(cx: &mut Cx<'_>, input: OneImage) -> Result<Xml, Refusal> {
    let now = cx.now;
    let image = cx.own_image(&input.image_id)?;
    image.protection = match image.protection.as_str() {
        "enabled-with-cooldown" => format!("disabled after {}", now + COOLDOWN),
        other if other.starts_with("disabled after") => other.to_owned(),
        _ => "disabled".to_owned(),
    };
    let mut x = Xml::new();
    x.text("return", "disabled");
    Ok(x)
}

pub fn disable_image(cx: &mut Cx<'_>, input: OneImage) -> Result<Xml, Refusal> {
    let image = cx.own_image(&input.image_id)?;
    image.disabled = true;
    image.public = false;
    image.users.clear();
    Ok(done())
}

pub fn enable_image(cx: &mut Cx<'_>, input: OneImage) -> Result<Xml, Refusal> {
    cx.own_image(&input.image_id)?.disabled = false;
    Ok(done())
}

// ---- fast launch ----------------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct FastLaunch {
    #[serde(deserialize_with = "one_or_many")]
    image_id: Vec<String>,
    filter: Vec<filter::Filter>,
    max_parallel_launches: Option<i64>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Ids {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Ids::deserialize(from)? {
        Ids::One(id) => vec![id],
        Ids::Many(ids) => ids,
    })
}

fn set_fast_launch(cx: &mut Cx<'_>, input: &FastLaunch, on: bool) -> Result<Xml, Refusal> {
    let account = cx.account.clone();
    let id = input.image_id.first().cloned().unwrap_or_default();
    let image = cx.own_image(&id)?;
    if on && !image.is_windows() {
        return Err(Refusal::new(
            "InvalidParameter",
            format!("The image '{id}' is no Windows image: fast launch cannot be enabled"),
        ));
    }
    if input.max_parallel_launches.is_some_and(|n| n < 6) {
        return Err(Refusal::invalid("Value for parameter maxParallelLaunches is invalid. It must be at least 6."));
    }
    image.fast_launch = on;
    let mut x = Xml::new();
    x.text("imageId", &id)
        .text("resourceType", "snapshot")
        .text("maxParallelLaunches", input.max_parallel_launches.unwrap_or(6));
    x.text("ownerId", account).text("state", if on { "enabling" } else { "disabling" });
    Ok(x)
}

pub fn enable_fast_launch(cx: &mut Cx<'_>, input: FastLaunch) -> Result<Xml, Refusal> {
    set_fast_launch(cx, &input, true)
}

pub fn disable_fast_launch(cx: &mut Cx<'_>, input: FastLaunch) -> Result<Xml, Refusal> {
    set_fast_launch(cx, &input, false)
}

pub fn describe_fast_launch_images(cx: &mut Cx<'_>, input: FastLaunch) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["resource-type", "owner-id", "state"])?;
    let account = cx.account.clone();
    let here = cx.here();
    let found =
        here.images.values().filter(|i| i.fast_launch && (input.image_id.is_empty() || input.image_id.contains(&i.id)));
    let paging = filter::Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) =
        filter::page(found.map(|i| (i.id.clone(), i)).collect(), &paging, 0..=200, "DescribeFastLaunchImages")?;
    let mut x = Xml::new();
    x.list("fastLaunchImageSet", found, |x, i| {
        x.text("imageId", &i.id).text("resourceType", "snapshot").text("maxParallelLaunches", 6);
        x.text("ownerId", &account).text("state", "enabled");
    });
    x.opt("nextToken", next);
    Ok(x)
}
