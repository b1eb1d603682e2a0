//! Security groups, networks, zones.

use super::Rules;
use super::access::looks_like_a_region;
use crate::component::builder::amazon::config::AmazonEbs;
use crate::text::code::amazon as code;

pub(super) fn check(config: &AmazonEbs, rules: &mut Rules<'_, '_>) {
    let network = &config.network;
    if !network.security_group_id.is_empty() && !network.security_group_ids.is_empty() {
        let help = "put all groups into `security_group_ids`";
        rules.exclusive(code::SECURITY_GROUPS, "security_group_id", "security_group_ids", help);
    }
    for (i, cidr) in network.temporary_security_group_source_cidrs.iter().enumerate() {
        let path = format!("temporary_security_group_source_cidrs.{i}");
        if cidr.parse::<ipnet::IpNet>().is_ok() || !rules.known(&[&path]) {
            continue;
        }
        let help = match cidr.parse::<std::net::IpAddr>() {
            Ok(address) if address.is_ipv4() => format!("for this address alone write `{address}/32`"),
            Ok(address) => format!("for this address alone write `{address}/128`"),
            Err(_) => "write an address and the length of its prefix, as in `203.0.113.0/24`".to_owned(),
        };
        rules.error(code::CIDR, &path, format!("`{cidr}` is not a network in CIDR form"), help);
    }
    let own_group = !network.security_group_id.is_empty() || !network.security_group_ids.is_empty();
    if own_group {
        let idle = [
            ("temporary_security_group_source_cidrs", !network.temporary_security_group_source_cidrs.is_empty()),
            ("temporary_security_group_source_public_ip", network.temporary_security_group_source_public_ip),
        ];
        for (field, _) in idle.iter().filter(|(_, set)| *set) {
            rules.warn(
                code::GROUP_RULE_IGNORED,
                field,
                format!("`{field}` is not used, since the security group is given"),
                "remove it, and let SSH into your own group",
            );
        }
    }
    let (zone, region) = (&network.availability_zone, &config.access.region);
    // A local or wavelength zone has more after its region's name (`us-west-2-lax-1a`), so only the beginning counts.
    if !zone.is_empty() && looks_like_a_region(region) && !zone.starts_with(region.as_str()) && rules.known(&["region"])
    {
        rules.warn(
            code::ZONE_ELSEWHERE,
            "availability_zone",
            format!("`{zone}` is not a zone of `{region}`"),
            format!("a zone of that region is named like `{region}a`"),
        );
    }
}
