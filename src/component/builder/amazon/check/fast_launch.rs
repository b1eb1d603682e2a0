//! Windows Fast Launch: checked, though not built yet.

use std::collections::HashSet;

use super::Rules;
use crate::component::builder::amazon::config::AmazonEbs;
use crate::text::code::amazon as code;

pub(super) fn check(config: &AmazonEbs, rules: &mut Rules<'_, '_>) {
    let Some(fast) = &config.fast_launch else { return };
    template("fast_launch", &fast.template_id, &fast.template_name, fast.template_version, rules);
    for (field, value, least) in [
        ("max_parallel_launches", fast.max_parallel_launches, 6),
        ("target_resource_count", fast.target_resource_count, 1),
    ] {
        if let Some(n) = value.filter(|n| *n != 0 && *n < least) {
            let message = format!("`{field}` is {n}, AWS takes {least} or more");
            rules.error(
                code::FAST_LAUNCH,
                &format!("fast_launch.{field}"),
                message,
                format!("set it to {least} or more"),
            );
        }
    }
    let (mut seen, home) = (HashSet::new(), &config.access.region);
    for (i, region) in fast.region_launch_templates.iter().enumerate() {
        let at = format!("fast_launch.region_launch_templates.{i}");
        template(&at, &region.template_id, &region.template_name, region.template_version, rules);
        let (name, path) = (&region.region, format!("{at}.region"));
        if name.is_empty() || !rules.known(&[&path, "region", "ami_regions"]) {
            continue;
        }
        if !seen.insert(name) {
            let message = format!("`{name}` stands twice in `region_launch_templates`");
            rules.error(code::FAST_LAUNCH, &path, message, "remove one of the two");
        }
        if name != home && !home.is_empty() && !config.ami.ami_regions.contains(name) {
            let message = format!("`{name}` is neither the build's region nor in `ami_regions`");
            rules.error(code::FAST_LAUNCH, &path, message, "add it to `ami_regions`, or remove it here");
        }
    }
}

fn template(at: &str, id: &str, name: &str, version: Option<i64>, rules: &mut Rules<'_, '_>) {
    if !id.is_empty() && !name.is_empty() {
        let (first, second) = (format!("{at}.template_id"), format!("{at}.template_name"));
        rules.exclusive(code::FAST_LAUNCH, &first, &second, "keep one of them");
    }
    let path = format!("{at}.template_version");
    if let Some(n) = version.filter(|n| *n != 0) {
        if id.is_empty() && name.is_empty() {
            let help = "add `template_id` or `template_name`";
            rules.error(code::FAST_LAUNCH, &path, "`template_version` needs a launch template", help);
        } else if n < 1 {
            rules.error(code::FAST_LAUNCH, &path, format!("`template_version` is {n}"), "versions count from 1");
        }
    }
}
