//! Regions, zones and instance types.

use serde::Deserialize;

use super::filter::{self, Filter, Paging};
use super::{Cx, id};
use crate::practice::wire::{Refusal, Xml};

/// Name, its short form in zone ids, the letters of its zones, whether an account must opt in.
const REGIONS: &[(&str, &str, &str, bool)] = &[
    ("af-south-1", "afs1", "abc", true),
    ("ap-east-1", "ape1", "abc", true),
    ("ap-northeast-1", "apne1", "acd", false),
    ("ap-northeast-2", "apne2", "abcd", false),
    ("ap-northeast-3", "apne3", "abc", false),
    ("ap-south-1", "aps1", "abc", false),
    ("ap-south-2", "aps2", "abc", true),
    ("ap-southeast-1", "apse1", "abc", false),
    ("ap-southeast-2", "apse2", "abc", false),
    ("ap-southeast-3", "apse3", "abc", true),
    ("ap-southeast-4", "apse4", "abc", true),
    ("ca-central-1", "cac1", "abd", false),
    ("ca-west-1", "caw1", "abc", true),
    ("cn-north-1", "cnn1", "abd", true),
    ("cn-northwest-1", "cnnw1", "abc", true),
    ("eu-central-1", "euc1", "abc", false),
    ("eu-central-2", "euc2", "abc", true),
    ("eu-north-1", "eun1", "abc", false),
    ("eu-south-1", "eus1", "abc", true),
    ("eu-south-2", "eus2", "abc", true),
    ("eu-west-1", "euw1", "abc", false),
    ("eu-west-2", "euw2", "abc", false),
    ("eu-west-3", "euw3", "abc", false),
    ("il-central-1", "ilc1", "abc", true),
    ("me-central-1", "mec1", "abc", true),
    ("me-south-1", "mes1", "abc", true),
    ("sa-east-1", "sae1", "abc", false),
    ("us-east-1", "use1", "abcdef", false),
    ("us-east-2", "use2", "abc", false),
    ("us-gov-east-1", "usge1", "abc", true),
    ("us-gov-west-1", "usgw1", "abc", true),
    ("us-west-1", "usw1", "ac", false),
    ("us-west-2", "usw2", "abcd", false),
];

/// Family, architecture, `GiB` of memory for each virtual CPU, whether it earns CPU credits, the sizes that it has.
const FAMILIES: &[(&str, &str, f64, bool, &str)] = &[
    ("a1", "arm64", 2.0, false, "medium large xlarge 2xlarge 4xlarge metal"),
    ("c3", "x86_64", 1.875, false, "large xlarge 2xlarge 4xlarge 8xlarge"),
    ("c4", "x86_64", 1.875, false, "large xlarge 2xlarge 4xlarge 8xlarge"),
    ("c5", "x86_64", 2.0, false, "large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 18xlarge 24xlarge metal"),
    ("c5a", "x86_64", 2.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    ("c5d", "x86_64", 2.0, false, "large xlarge 2xlarge 4xlarge 9xlarge 12xlarge 18xlarge 24xlarge metal"),
    ("c5n", "x86_64", 2.625, false, "large xlarge 2xlarge 4xlarge 9xlarge 18xlarge metal"),
    ("c6a", "x86_64", 2.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal"),
    ("c6g", "arm64", 2.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("c6gn", "arm64", 2.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge"),
    ("c6i", "x86_64", 2.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge metal"),
    ("c7a", "x86_64", 2.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("c7g", "arm64", 2.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("c7i", "x86_64", 2.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("c8g", "arm64", 2.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("g4dn", "x86_64", 4.0, false, "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("g5", "x86_64", 4.0, false, "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("g6", "x86_64", 4.0, false, "xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("i3", "x86_64", 7.625, false, "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge metal"),
    ("i4i", "x86_64", 8.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge 32xlarge metal"),
    ("inf1", "x86_64", 2.0, false, "xlarge 2xlarge 6xlarge 24xlarge"),
    ("m1", "x86_64", 3.75, false, "small medium large xlarge"),
    ("m3", "x86_64", 3.75, false, "medium large xlarge 2xlarge"),
    ("m4", "x86_64", 4.0, false, "large xlarge 2xlarge 4xlarge 10xlarge 16xlarge"),
    ("m5", "x86_64", 4.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge metal"),
    ("m5a", "x86_64", 4.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    ("m5d", "x86_64", 4.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge metal"),
    ("m5n", "x86_64", 4.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge metal"),
    ("m5zn", "x86_64", 4.0, false, "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge metal"),
    ("m6a", "x86_64", 4.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal"),
    ("m6g", "arm64", 4.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("m6gd", "arm64", 4.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("m6i", "x86_64", 4.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge metal"),
    ("m7a", "x86_64", 4.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("m7g", "arm64", 4.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("m7i", "x86_64", 4.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("m7i-flex", "x86_64", 4.0, false, "large xlarge 2xlarge 4xlarge 8xlarge"),
    ("m8g", "arm64", 4.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("p2", "x86_64", 15.25, false, "xlarge 8xlarge 16xlarge"),
    ("p3", "x86_64", 7.625, false, "2xlarge 8xlarge 16xlarge"),
    ("p4d", "x86_64", 12.0, false, "24xlarge"),
    ("p5", "x86_64", 10.625, false, "48xlarge"),
    ("r3", "x86_64", 7.625, false, "large xlarge 2xlarge 4xlarge 8xlarge"),
    ("r4", "x86_64", 7.625, false, "large xlarge 2xlarge 4xlarge 8xlarge 16xlarge"),
    ("r5", "x86_64", 8.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge metal"),
    ("r5a", "x86_64", 8.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge"),
    ("r5d", "x86_64", 8.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge metal"),
    ("r6a", "x86_64", 8.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge metal"),
    ("r6g", "arm64", 8.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("r6i", "x86_64", 8.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 32xlarge metal"),
    ("r7g", "arm64", 8.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("r7i", "x86_64", 8.0, false, "large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge 24xlarge 48xlarge"),
    ("t1", "x86_64", 0.6, false, "micro"),
    ("t2", "x86_64", 4.0, true, "nano micro small medium large xlarge 2xlarge"),
    ("t3", "x86_64", 4.0, true, "nano micro small medium large xlarge 2xlarge"),
    ("t3a", "x86_64", 4.0, true, "nano micro small medium large xlarge 2xlarge"),
    ("t4g", "arm64", 4.0, true, "nano micro small medium large xlarge 2xlarge"),
    ("trn1", "x86_64", 4.0, false, "2xlarge 32xlarge"),
    ("u-6tb1", "x86_64", 27.0, false, "56xlarge 112xlarge metal"),
    ("x1", "x86_64", 15.25, false, "16xlarge 32xlarge"),
    ("x2gd", "arm64", 16.0, false, "medium large xlarge 2xlarge 4xlarge 8xlarge 12xlarge 16xlarge metal"),
    ("z1d", "x86_64", 8.0, false, "large xlarge 2xlarge 3xlarge 6xlarge 12xlarge metal"),
];

/// What is known of an instance type.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceType {
    pub name: String,
    pub architecture: &'static str,
    pub cpus: u32,
    pub memory_mib: u64,
    pub burstable: bool,
    pub nitro: bool,
}

impl InstanceType {
    fn metal(&self) -> bool {
        self.name.split_once('.').is_some_and(|(_, size)| size == "metal")
    }
}

pub fn is_region(name: &str) -> bool {
    REGIONS.iter().any(|r| r.0 == name)
}

/// The names of a region's zones.
pub fn zones(region: &str) -> Vec<String> {
    let letters = REGIONS.iter().find(|r| r.0 == region).map_or("", |r| r.2);
    letters.chars().map(|c| format!("{region}{c}")).collect()
}

/// `use1-az1`. AWS shuffles them for each account; here they follow the letters.
pub fn zone_id(zone: &str) -> String {
    let region = zone.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let (short, letters) = REGIONS.iter().find(|r| r.0 == region).map_or(("", ""), |r| (r.1, r.2));
    let number = zone.chars().last().and_then(|c| letters.find(c)).unwrap_or_default() + 1;
    format!("{short}-az{number}")
}

pub fn instance_type(name: &str) -> Option<InstanceType> {
    let (family, size) = name.split_once('.')?;
    let (_, architecture, ratio, burstable, sizes) = FAMILIES.iter().find(|f| f.0 == family)?;
    if !sizes.split(' ').any(|s| s == size) {
        return None;
    }
    let cpus = match size {
        "nano" | "micro" | "small" | "medium" | "large" if *burstable => 2,
        "nano" | "micro" | "small" | "medium" => 1,
        "large" => 2,
        "xlarge" => 4,
        "metal" => 96,
        _ => 4 * size.trim_end_matches("xlarge").parse::<u32>().unwrap_or(1),
    };
    let memory_mib = match size {
        "nano" => 512,
        "micro" if *burstable => 1024,
        "small" if *burstable => 2048,
        "medium" if *burstable => 4096,
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // invariant: both factors are small
        _ => (ratio * f64::from(cpus) * 1024.0) as u64,
    };
    let nitro =
        !matches!(family, "t1" | "t2" | "m1" | "m3" | "m4" | "c3" | "c4" | "r3" | "r4" | "i3" | "p2" | "p3" | "x1");
    Some(InstanceType { name: name.to_owned(), architecture, cpus, memory_mib, burstable: *burstable, nitro })
}

fn instance_types() -> impl Iterator<Item = InstanceType> {
    FAMILIES.iter().flat_map(|f| f.4.split(' ').filter_map(|size| instance_type(&format!("{}.{size}", f.0))))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeRegions {
    region_name: Vec<String>,
    filter: Vec<Filter>,
    all_regions: bool,
}

pub fn describe_regions(_: &mut Cx<'_>, input: DescribeRegions) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["endpoint", "region-name", "opt-in-status"])?;
    if let Some(unknown) = input.region_name.iter().find(|r| !is_region(r)) {
        return Err(Refusal::invalid(format!("Invalid region: {unknown}")));
    }
    let status = |opt_in: bool| if opt_in { "not-opted-in" } else { "opt-in-not-required" };
    let found = REGIONS.iter().filter(|(name, _, _, opt_in)| {
        let attribute = |filter: &str| match filter {
            "endpoint" => vec![format!("ec2.{name}.amazonaws.com")],
            "region-name" => vec![(*name).to_owned()],
            "opt-in-status" => vec![status(*opt_in).to_owned()],
            _ => Vec::new(),
        };
        let named = input.region_name.iter().any(|n| n == name);
        (named || (input.region_name.is_empty() && (input.all_regions || !opt_in)))
            && filter::all_hold(&input.filter, None, &attribute)
    });
    let mut x = Xml::new();
    x.list("regionInfo", found, |x, (name, _, _, opt_in)| {
        x.text("regionName", name).text("regionEndpoint", format!("ec2.{name}.amazonaws.com"));
        x.text("optInStatus", status(*opt_in));
    });
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeZones {
    zone_name: Vec<String>,
    zone_id: Vec<String>,
    filter: Vec<Filter>,
}

pub fn describe_availability_zones(cx: &mut Cx<'_>, input: DescribeZones) -> Result<Xml, Refusal> {
    let known = ["region-name", "zone-id", "zone-name", "state", "zone-type", "group-name", "opt-in-status"];
    filter::check(&input.filter, &known)?;
    let region = cx.region.clone();
    let all = zones(&region);
    if let Some(unknown) = input.zone_name.iter().find(|z| !all.contains(z)) {
        return Err(Refusal::invalid(format!("Invalid availability zone: [{unknown}]")));
    }
    let found = all.into_iter().filter(|zone| {
        let attribute = |name: &str| match name {
            "region-name" => vec![region.clone()],
            "zone-id" => vec![zone_id(zone)],
            "zone-name" => vec![zone.clone()],
            "state" => vec!["available".to_owned()],
            "zone-type" => vec!["availability-zone".to_owned()],
            "group-name" => vec![format!("{region}-zg-1")],
            "opt-in-status" => vec!["opt-in-not-required".to_owned()],
            _ => Vec::new(),
        };
        (input.zone_name.is_empty() || input.zone_name.contains(zone))
            && (input.zone_id.is_empty() || input.zone_id.contains(&zone_id(zone)))
            && filter::all_hold(&input.filter, None, &attribute)
    });
    let mut x = Xml::new();
    x.list("availabilityZoneInfo", found, |x, zone| {
        x.text("optInStatus", "opt-in-not-required").texts("messageSet", std::iter::empty::<&str>());
        x.text("regionName", &region).text("zoneName", &zone).text("zoneId", zone_id(&zone));
        x.text("groupName", format!("{region}-zg-1")).text("networkBorderGroup", &region);
        x.text("zoneType", "availability-zone").text("zoneState", "available");
    });
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeTypes {
    instance_type: Vec<String>,
    location_type: Option<String>,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

pub fn describe_instance_types(_: &mut Cx<'_>, input: DescribeTypes) -> Result<Xml, Refusal> {
    let known = [
        "burstable-performance-supported",
        "current-generation",
        "instance-type",
        "memory-info.size-in-mib",
        "processor-info.supported-architecture",
        "supported-virtualization-type",
        "vcpu-info.default-vcpus",
        "bare-metal",
        "hypervisor",
    ];
    filter::check(&input.filter, &known)?;
    for name in &input.instance_type {
        instance_type(name).ok_or_else(|| {
            Refusal::new("InvalidInstanceType", format!("The following supplied instance types do not exist: [{name}]"))
        })?;
    }
    let found = instance_types().filter(|t| {
        let attribute = |name: &str| match name {
            "burstable-performance-supported" => vec![t.burstable.to_string()],
            "current-generation" => vec![t.nitro.to_string()],
            "instance-type" => vec![t.name.clone()],
            "memory-info.size-in-mib" => vec![t.memory_mib.to_string()],
            "processor-info.supported-architecture" => vec![t.architecture.to_owned()],
            "supported-virtualization-type" => vec!["hvm".to_owned()],
            "vcpu-info.default-vcpus" => vec![t.cpus.to_string()],
            "bare-metal" => vec![t.metal().to_string()],
            "hypervisor" => vec![if t.nitro { "nitro" } else { "xen" }.to_owned()],
            _ => Vec::new(),
        };
        (input.instance_type.is_empty() || input.instance_type.contains(&t.name))
            && filter::all_hold(&input.filter, None, &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token };
    let found = found.map(|t| (t.name.clone(), t)).collect();
    let (found, next) = filter::page(found, &paging, 5..=100, "DescribeInstanceTypes")?;
    let mut x = Xml::new();
    x.list("instanceTypeSet", found, |x, t| {
        x.text("instanceType", &t.name).text("currentGeneration", t.nitro).text("freeTierEligible", false);
        x.texts("supportedUsageClasses", ["on-demand", "spot"]).texts("supportedRootDeviceTypes", ["ebs"]);
        x.texts("supportedVirtualizationTypes", ["hvm"]).text("bareMetal", t.metal());
        x.text("hypervisor", if t.nitro { "nitro" } else { "xen" });
        x.node("processorInfo", |x| _ = x.texts("supportedArchitectures", [t.architecture]));
        x.node("vCpuInfo", |x| _ = x.text("defaultVCpus", t.cpus));
        x.node("memoryInfo", |x| _ = x.text("sizeInMiB", t.memory_mib));
        x.node("networkInfo", |x| _ = x.text("enaSupport", if t.nitro { "required" } else { "unsupported" }));
        x.text("burstablePerformanceSupported", t.burstable);
        x.texts("supportedBootModes", ["legacy-bios", "uefi"]);
    });
    x.opt("nextToken", next);
    Ok(x)
}

pub fn describe_instance_type_offerings(cx: &mut Cx<'_>, input: DescribeTypes) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["location", "instance-type"])?;
    let kind = input.location_type.clone().unwrap_or_else(|| "region".to_owned());
    let places = match kind.as_str() {
        "availability-zone" => zones(&cx.region),
        "availability-zone-id" => zones(&cx.region).iter().map(|z| zone_id(z)).collect(),
        _ => vec![cx.region.clone()],
    };
    let mut found = Vec::new();
    for t in instance_types() {
        for place in &places {
            let attribute = |name: &str| match name {
                "location" => vec![place.clone()],
                "instance-type" => vec![t.name.clone()],
                _ => Vec::new(),
            };
            if filter::all_hold(&input.filter, None, &attribute) {
                found.push((format!("{} {place}", t.name), (t.name.clone(), place.clone())));
            }
        }
    }
    let scope = format!("DescribeInstanceTypeOfferings {}", id::hex(&[format!("{:?}", input.filter).as_bytes()], 16));
    let paging = Paging { max_results: input.max_results, next_token: input.next_token };
    let (found, next) = filter::page(found, &paging, 5..=1000, &scope)?;
    let mut x = Xml::new();
    x.list("instanceTypeOfferingSet", found, |x, (name, place)| {
        x.text("instanceType", name).text("locationType", &kind).text("location", place);
    });
    x.opt("nextToken", next);
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeAccountAttributes {
    attribute_name: Vec<String>,
}

pub fn describe_account_attributes(cx: &mut Cx<'_>, input: DescribeAccountAttributes) -> Result<Xml, Refusal> {
    let default_vpc = cx.here().vpcs.values().find(|v| v.default).map_or("none".to_owned(), |v| v.id.clone());
    let all = [
        ("supported-platforms", "VPC".to_owned()),
        ("default-vpc", default_vpc),
        ("max-instances", "1000".to_owned()),
        ("vpc-max-security-groups-per-interface", "5".to_owned()),
    ];
    let wanted =
        all.into_iter().filter(|(n, _)| input.attribute_name.is_empty() || input.attribute_name.iter().any(|a| a == n));
    let mut x = Xml::new();
    x.list("accountAttributeSet", wanted, |x, (name, value)| {
        x.text("attributeName", name);
        x.list("attributeValueSet", [value], |x, v| _ = x.text("attributeValue", v));
    });
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_of_the_size_that_aws_says() {
        let of = |name| instance_type(name).map(|t| (t.cpus, t.memory_mib, t.architecture));
        assert_eq!(of("t3.micro"), Some((2, 1024, "x86_64")));
        assert_eq!(of("m5.xlarge"), Some((4, 16384, "x86_64")));
        assert_eq!(of("c7g.medium"), Some((1, 2048, "arm64")));
        assert_eq!(of("t3.tiny"), None);
        assert_eq!(of("nonsense"), None);
        assert_eq!(zone_id("us-east-1f"), "use1-az6");
        assert_eq!(zones("us-west-1"), ["us-west-1a", "us-west-1c"]);
    }
}
