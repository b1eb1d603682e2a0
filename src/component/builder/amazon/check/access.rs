//! Credentials and region.

use super::Rules;
use crate::component::builder::amazon::config::AmazonEbs;
use crate::text::code::amazon as code;
use crate::text::diagnostic::did_you_mean;

/// Regions at the time of writing, for suggestions only: a region that is not here is good as long as it looks like one.
const REGIONS: [&str; 38] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-west-1",
    "us-west-2",
];

pub(super) fn check(config: &AmazonEbs, rules: &mut Rules<'_, '_>) {
    let access = &config.access;
    if rules.known(&["access_key", "secret_key"]) && access.access_key.is_empty() != access.secret_key.is_empty() {
        let (set, unset) =
            if access.secret_key.is_empty() { ("access_key", "secret_key") } else { ("secret_key", "access_key") };
        rules.error(
            code::HALF_A_KEY,
            if rules.cx.places.written(unset) { unset } else { set },
            format!("`{set}` is set, but `{unset}` is empty"),
            "set both, or neither: then the environment, a profile or the instance's role is used",
        );
        rules.hide();
    }
    if access.vault_aws_engine.as_ref().is_some_and(|v| !v.name.is_empty()) && !access.access_key.is_empty() {
        rules.exclusive(code::VAULT_AND_KEY, "access_key", "vault_aws_engine", "keep one of them");
        rules.hide();
    }
    region(config, rules);
    if !access.custom_endpoint_ec2.is_empty() || !rules.known(&["custom_endpoint_ec2"]) {
        return;
    }
    let copies = config.ami.ami_regions.iter().enumerate().map(|(i, r)| (format!("ami_regions.{i}"), r));
    for (path, region) in std::iter::once(("region".to_owned(), &access.region)).chain(copies) {
        if region.is_empty() || looks_like_a_region(region) || !rules.known(&[&path]) {
            continue;
        }
        let help = match did_you_mean(region, REGIONS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "a region is named like `us-east-1` or `eu-central-1`".to_owned(),
        };
        rules.warn(code::REGION_NAME, &path, format!("`{region}` does not look like a region"), help);
    }
}

/// A region must come from somewhere. A validation may run where the environment of the build is not.
fn region(config: &AmazonEbs, rules: &mut Rules<'_, '_>) {
    let access = &config.access;
    if !access.region.is_empty() || !rules.known(&["region", "profile", "shared_credentials_file"]) {
        return;
    }
    if (rules.cx.region_set)(&access.profile, &access.shared_credentials_file) != Some(false) {
        return;
    }
    let help = if access.profile.is_empty() {
        "set `region`, or AWS_REGION where the build runs".to_owned()
    } else {
        format!("set `region`, AWS_REGION where the build runs, or `region` in the profile `{}`", access.profile)
    };
    let message = "no AWS region is set: not here, not in the environment, not in the profile";
    if rules.cx.build {
        rules.error(code::NO_REGION, "region", message, help);
    } else {
        rules.warn(code::NO_REGION, "region", message, help);
    }
}

/// `xx-words-N`: two or more words of small letters, then a number.
pub(super) fn looks_like_a_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let Some((number, words)) = parts.split_last() else { return false };
    words.len() >= 2
        && words.iter().all(|w| w.len() >= 2 && w.bytes().all(|b| b.is_ascii_lowercase()))
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}
