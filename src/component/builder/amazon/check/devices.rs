//! Volumes: all mistakes of each, not only the first.

use std::collections::HashMap;

use super::Rules;
use crate::component::builder::amazon::config::{AmazonEbs, BlockDevice};
use crate::text::code::amazon as code;
use crate::text::diagnostic::did_you_mean;

const TYPES: [&str; 7] = ["gp3", "gp2", "io1", "io2", "st1", "sc1", "standard"];

pub(super) fn check(config: &AmazonEbs, rules: &mut Rules<'_, '_>) {
    for (field, devices) in [
        ("launch_block_device_mappings", &config.launch_block_device_mappings),
        ("ami_block_device_mappings", &config.ami_block_device_mappings),
    ] {
        let mut seen: HashMap<&str, usize> = HashMap::new();
        for (i, device) in devices.iter().enumerate() {
            let at = format!("{field}.{i}");
            if !rules.known(&[field, &at]) {
                continue;
            }
            volume(device, &at, rules);
            if device.device_name.is_empty() {
                continue;
            }
            if seen.insert(&device.device_name, i).is_some() {
                rules.warn(
                    code::DEVICE_TWICE,
                    &format!("{at}.device_name"),
                    format!("`{}` stands twice in `{field}`", device.device_name),
                    "merge the two, or correct a name",
                );
            }
        }
    }
}

fn volume(device: &BlockDevice, at: &str, rules: &mut Rules<'_, '_>) {
    let path = |name: &str| format!("{at}.{name}");
    if !device.kms_key_id.is_empty() && device.encrypted == Some(false) {
        let message = "`kms_key_id` encrypts, but `encrypted` is `false`";
        rules.error(code::VOLUME_KEY, &path("kms_key_id"), message, "remove one of the two");
    }
    if !rules.known(&[&path("volume_type")]) {
        return;
    }
    let kind = device.volume_type.as_str();
    if !kind.is_empty() && !TYPES.contains(&kind) {
        let help = match did_you_mean(kind, TYPES) {
            Some(near) => format!("did you mean `{near}`? EBS has {}", TYPES.join(", ")),
            None => format!("EBS has {}", TYPES.join(", ")),
        };
        rules.warn(code::VOLUME_TYPE, &path("volume_type"), format!("AWS has no volume type `{kind}`"), help);
    }
    // A zero, often an empty variable, is as if nothing were written.
    if let Some(iops) = device.iops.filter(|n| *n != 0) {
        iops_of(device, iops, &path("iops"), rules);
    }
    if let Some(throughput) = device.throughput.filter(|n| *n != 0) {
        if kind != "gp3" {
            let message = "`throughput` is only for `gp3` volumes";
            rules.error(code::THROUGHPUT, &path("throughput"), message, "set `volume_type` to `gp3`, or remove it");
        } else if !(125..=1000).contains(&throughput) {
            let message = format!("`throughput` is {throughput}, AWS takes 125 to 1000 MiB a second");
            rules.error(code::THROUGHPUT, &path("throughput"), message, "choose a number in that range");
        }
    }
}

fn iops_of(device: &BlockDevice, iops: i64, path: &str, rules: &mut Rules<'_, '_>) {
    let size = device.volume_size.filter(|n| *n > 0);
    match (device.volume_type.as_str(), size) {
        (kind @ ("io1" | "io2"), Some(size)) => {
            let ratio = if kind == "io1" { 50 } else { 500 };
            if iops / size > ratio {
                rules.error(
                    code::IOPS,
                    path,
                    format!("`iops` is {iops} for {size} GiB, `{kind}` allows {ratio} for each GiB"),
                    format!("lower it to {} at most, or make the volume larger", size.saturating_mul(ratio)),
                );
            }
            if !(100..=64000).contains(&iops) {
                let message = format!("`iops` is {iops}, AWS takes 100 to 64000 for `{kind}`");
                rules.error(code::IOPS, path, message, "choose a number in that range");
            }
        }
        ("io1" | "io2", None) => {}
        ("gp3", _) => {
            if !(3000..=16000).contains(&iops) {
                let message = format!("`iops` is {iops}, AWS takes 3000 to 16000 for `gp3`");
                rules.error(code::IOPS, path, message, "choose a number in that range");
            }
        }
        (kind, _) => {
            let of = if kind.is_empty() { "without a `volume_type`".into() } else { format!("of type `{kind}`") };
            let message = format!("`iops` is not sent for a volume {of}");
            rules.warn(code::IOPS_IGNORED, path, message, "choose `gp3`, `io1` or `io2`, or remove it");
        }
    }
}
