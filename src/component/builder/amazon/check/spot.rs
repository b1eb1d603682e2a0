//! Spot instances.

use super::Rules;
use crate::component::builder::amazon::config::AmazonEbs;
use crate::text::code::amazon as code;

pub(super) fn check(config: &AmazonEbs, rules: &mut Rules<'_, '_>) {
    let spot = &config.spot;
    if let Some(minutes) = spot.block_duration_minutes.filter(|n| n % 60 != 0) {
        let message = format!("`block_duration_minutes` is {minutes}, which is no multiple of 60");
        rules.error(code::BLOCK_DURATION, "block_duration_minutes", message, "remove it: AWS no longer has this");
    }
    if !rules.known(&["spot_price"]) {
        return;
    }
    if spot.is_on() {
        let networking =
            [("ena_support", config.ami.ena_support == Some(true)), ("sriov_support", config.ami.sriov_support)];
        for (field, _) in networking.iter().filter(|(_, set)| *set) {
            let message = format!("`{field}` cannot be changed on a spot instance");
            rules.error(code::SPOT_NETWORKING, field, message, "remove it, or build on demand (without `spot_price`)");
        }
        if config.run.disable_stop_instance {
            let message = "a spot instance is not stopped: its image is made while it runs";
            rules.warn(code::SPOT_STOP, "disable_stop_instance", message, "remove `disable_stop_instance`");
        }
        return;
    }
    for (field, tags) in [("spot_tags", &spot.spot_tags), ("fleet_tags", &spot.fleet_tags)] {
        if !tags.is_empty() {
            let message = format!("`{field}` needs `spot_price`");
            rules.error(code::SPOT_TAGS, field, message, "set `spot_price`, such as to `auto`, or remove the tags");
        }
    }
    let idle = [
        ("spot_instance_types", !spot.spot_instance_types.is_empty()),
        ("spot_allocation_strategy", !spot.spot_allocation_strategy.is_empty()),
    ];
    for (field, _) in idle.iter().filter(|(_, set)| *set) {
        let message = format!("`{field}` does nothing without `spot_price`");
        rules.warn(code::SPOT_WITHOUT_PRICE, field, message, "set `spot_price`, such as to `auto`");
    }
}
