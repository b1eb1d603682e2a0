//! The image: name, encryption, sharing, copies.

use super::Rules;
use crate::component::builder::amazon::config::{AmazonEbs, AmiConfig, Tags};
use crate::text::code::amazon as code;

pub(super) fn check(config: &AmazonEbs, rules: &mut Rules<'_, '_>) {
    let ami = &config.ami;
    name(&ami.ami_name, rules);
    kms(ami, rules);
    regions(config, rules);
    sharing(ami, rules);
    if !ami.deprecate_at.is_empty() && ami.deprecate_at.parse::<jiff::Timestamp>().is_err() {
        rules.error(
            code::DEPRECATE_AT,
            "deprecate_at",
            format!("`{}` is not a date and time as in RFC 3339", ami.deprecate_at),
            "write it as in `2027-01-31T23:59:00Z`",
        );
    }
    if ami.force_delete_snapshot && !ami.force_deregister && rules.known(&["force_deregister"]) {
        rules.warn(
            code::DELETE_WITHOUT_DEREGISTER,
            "force_delete_snapshot",
            "`force_delete_snapshot` does nothing without `force_deregister`",
            "set `force_deregister` too, or call with `-force`",
        );
    }
    if let Some(minutes) =
        ami.snapshot_copy_duration_minutes.filter(|n| *n != 0 && (n % 15 != 0 || !(15..=2880).contains(n)))
    {
        rules.warn(
            code::COPY_DURATION,
            "snapshot_copy_duration_minutes",
            format!("AWS does not take {minutes} minutes for a copy"),
            "choose a multiple of 15, at most 2880",
        );
    }
    let lists: [(&str, &Tags); 6] = [
        ("tags", &ami.tags),
        ("snapshot_tags", &ami.snapshot_tags),
        ("run_tags", &config.run.run_tags),
        ("run_volume_tags", &config.run_volume_tags),
        ("spot_tags", &config.spot.spot_tags),
        ("fleet_tags", &config.spot.fleet_tags),
    ];
    for (field, tags) in lists {
        limits(field, tags, rules);
    }
}

/// AWS's limits: length in bytes and characters as Packer checks them.
fn name(name: &str, rules: &mut Rules<'_, '_>) {
    if !rules.known(&["ami_name"]) || !rules.cx.places.written("ami_name") {
        return; // a missing name is the schema's to report
    }
    if !(3..=128).contains(&name.len()) {
        let message = match name.len() {
            0 => "`ami_name` is empty".to_owned(),
            n => format!("`ami_name` has {n} characters, AWS takes 3 to 128"),
        };
        rules.error(code::NAME_LENGTH, "ami_name", message, "choose a name of 3 to 128 characters");
    }
    let clean = clean_resource_name(name);
    if clean != name {
        let mut wrong: Vec<char> = name.chars().filter(|c| !c.is_ascii() || !is_allowed(*c as u8)).collect();
        wrong.sort_unstable();
        wrong.dedup();
        let wrong: Vec<String> = wrong.iter().map(|c| format!("`{c}`")).collect();
        rules.error(
            code::NAME_CHARACTERS,
            "ami_name",
            format!("`ami_name` has characters that AWS does not take: {}", wrong.join(" ")),
            format!("use `clean_resource_name`, as in `{{{{isotime | clean_resource_name}}}}`; cleaned the name is `{clean}`"),
        );
    }
}

const fn is_allowed(b: u8) -> bool {
    b.is_ascii_alphanumeric()
        || matches!(b, b'(' | b')' | b'[' | b']' | b' ' | b'.' | b'/' | b'-' | b'\'' | b'@' | b'_')
}

/// As Packer's function of this name: each byte that AWS does not take becomes `-`.
pub(super) fn clean_resource_name(name: &str) -> String {
    name.bytes().map(|b| if is_allowed(b) { char::from(b) } else { '-' }).collect()
}

fn kms(ami: &AmiConfig, rules: &mut Rules<'_, '_>) {
    let mut keys = vec![("kms_key_id".to_owned(), &ami.kms_key_id)];
    keys.extend(ami.region_kms_key_ids.iter().map(|(region, key)| (format!("region_kms_key_ids.{region}"), key)));
    for (path, key) in &keys {
        if !key.is_empty() && !is_kms_key(key) {
            rules.error(
                code::KMS_KEY,
                path,
                format!("`{key}` is not the name of a KMS key"),
                "write the key's id, `alias/NAME`, or the ARN of either",
            );
        }
    }
    if ami.encrypt_boot != Some(true)
        && rules.known(&["encrypt_boot"])
        && let Some((path, _)) = keys.iter().find(|(_, key)| !key.is_empty())
    {
        let field = path.split('.').next().unwrap_or(path);
        rules.error(
            code::KMS_WITHOUT_ENCRYPTION,
            field,
            format!("`{field}` names a key, but `encrypt_boot` is not `true`"),
            "set `encrypt_boot` to `true`, or remove the key",
        );
    }
}

/// The forms that Packer takes: a key's id, a multi-region key's, an alias, or the ARN of a key or alias.
pub(super) fn is_kms_key(key: &str) -> bool {
    let is_id = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f' | b'-'));
    let is_alias = |s: &str| {
        s.strip_prefix("alias/")
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_alphanumeric() || b":/_-".contains(&b)))
    };
    let is_key = |s: &str| s.strip_prefix("mrk-").map_or_else(|| is_id(s) && !s.starts_with('-'), is_id);
    if !key.starts_with("arn:") {
        return is_key(key) || is_alias(key);
    }
    let parts: Vec<&str> = key.splitn(6, ':').collect();
    let [_, partition, "kms", region, account, rest] = parts[..] else { return false };
    (partition == "aws" || partition.starts_with("aws-"))
        && !region.is_empty()
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && (rest.strip_prefix("key/").is_some_and(is_key) || is_alias(rest))
}

fn regions(config: &AmazonEbs, rules: &mut Rules<'_, '_>) {
    let (ami, home) = (&config.ami, &config.access.region);
    if ami.region_kms_key_ids.is_empty() || !rules.known(&["ami_regions", "region_kms_key_ids", "region"]) {
        return;
    }
    for (i, region) in ami.ami_regions.iter().enumerate() {
        if !ami.region_kms_key_ids.contains_key(region) && rules.known(&[&format!("ami_regions.{i}")]) {
            rules.error(
                code::REGION_KEYS,
                &format!("ami_regions.{i}"),
                format!("`{region}` is in `ami_regions`, but not in `region_kms_key_ids`"),
                "add it there, with an empty value for the region's default key",
            );
        }
    }
    for region in ami.region_kms_key_ids.keys() {
        // Packer refuses the build's own region here too, though it has a use for its key; an open region may be that one.
        if !ami.ami_regions.contains(region) && region != home && !home.is_empty() {
            rules.error(
                code::REGION_KEYS,
                &format!("region_kms_key_ids.{region}"),
                format!("`{region}` is in `region_kms_key_ids`, but not in `ami_regions`"),
                "add it to `ami_regions`, or remove its key",
            );
        }
    }
}

fn sharing(ami: &AmiConfig, rules: &mut Rules<'_, '_>) {
    if ami.encrypt_boot != Some(true) || !rules.known(&["kms_key_id", "region_kms_key_ids"]) {
        return;
    }
    let default_at_home = ami.kms_key_id.is_empty() && ami.region_kms_key_ids.is_empty();
    let default_elsewhere = ami
        .region_kms_key_ids
        .iter()
        .find(|(region, key)| key.is_empty() && rules.known(&[&format!("region_kms_key_ids.{region}")]));
    let (place, path) = match default_elsewhere {
        _ if default_at_home => (String::new(), None),
        Some((region, _)) => (format!(" of `{region}`"), Some(format!("region_kms_key_ids.{region}"))),
        None => return,
    };
    let shared = [
        ("ami_users", !ami.ami_users.is_empty(), "AMI"),
        ("ami_org_arns", !ami.ami_org_arns.is_empty(), "AMI"),
        ("ami_ou_arns", !ami.ami_ou_arns.is_empty(), "AMI"),
        ("snapshot_users", !ami.snapshot_users.is_empty(), "snapshot"),
    ];
    for (field, is_set, what) in shared {
        if is_set {
            rules.error(
                code::SHARING_DEFAULT_KEY,
                path.as_deref().unwrap_or(field),
                format!("`{field}` cannot share an {what} that is encrypted with the default KMS key{place}")
                    .replace("an snap", "a snap"),
                "name a key of your own in `kms_key_id` or `region_kms_key_ids` that the others may use",
            );
        }
    }
}

fn limits(field: &str, tags: &Tags, rules: &mut Rules<'_, '_>) {
    if tags.len() > 50 {
        let message = format!("`{field}` has {} tags, AWS takes 50 on a resource", tags.len());
        rules.warn(code::TAG_LIMIT, field, message, "remove some");
    }
    for (key, value) in tags {
        let path = format!("{field}.{key}");
        if key.to_ascii_lowercase().starts_with("aws:") {
            rules.warn(
                code::TAG_LIMIT,
                &path,
                format!("the tag `{key}` begins with `aws:`"),
                "such names are AWS's own",
            );
        } else if key.chars().count() > 128 {
            rules.warn(code::TAG_LIMIT, &path, "the tag's name is longer than 128 characters", "shorten it");
        } else if value.chars().count() > 256 && !value.contains("{{") {
            rules.warn(code::TAG_LIMIT, &path, "the tag's value is longer than 256 characters", "shorten it");
        }
    }
}
