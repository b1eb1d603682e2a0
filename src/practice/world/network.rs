//! VPCs, subnets and what hangs on them: gateways, route tables, network interfaces.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::account::Region;
use super::filter::{self, Filter, Paging};
use super::security_group::Group;
use super::tag::{self, TagSpecification, done};
use super::{Cx, Time, id, place, rehearsal};
use crate::practice::wire::refusal::not_found;
use crate::practice::wire::{Refusal, Xml};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vpc {
    pub id: String,
    pub cidr: Cidr,
    pub default: bool,
    pub gateway: Option<String>,
    pub route_table: String,
    pub tenancy: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subnet {
    pub id: String,
    pub vpc: String,
    pub cidr: Cidr,
    pub zone: String,
    pub default: bool,
    pub public_on_launch: bool,
}

/// An address range, its host bits 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cidr {
    pub address: Ipv4Addr,
    pub bits: u8,
}

impl Cidr {
    fn new(address: u32, bits: u8) -> Self {
        Self { address: Ipv4Addr::from_bits(address & mask(bits)), bits }
    }

    /// # Errors
    /// `InvalidParameterValue`, as for any malformed block; `InvalidVpc.Range`/`InvalidSubnet.Range` are the callers'.
    pub fn parse(text: &str, parameter: &str) -> Result<Self, Refusal> {
        let bad = || {
            Refusal::invalid(format!(
                "Value ({text}) for parameter {parameter} is invalid. This is not a valid CIDR block."
            ))
        };
        let (address, bits) = text.split_once('/').ok_or_else(bad)?;
        let address: Ipv4Addr = address.parse().map_err(|_| bad())?;
        let bits: u8 = bits.parse().ok().filter(|b| *b <= 32).ok_or_else(bad)?;
        Ok(Self::new(address.to_bits(), bits))
    }

    pub fn contains(self, other: Self) -> bool {
        other.bits >= self.bits && other.address.to_bits() & mask(self.bits) == self.address.to_bits()
    }

    fn overlaps(self, other: Self) -> bool {
        self.contains(other) || other.contains(self)
    }

    /// Addresses that machines can have: AWS keeps five.
    fn hosts(self) -> u64 {
        (1_u64 << (32 - self.bits)).saturating_sub(5)
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn mask(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0)
}

/// What AWS gives each account in each region: a VPC with a subnet in each zone, a gateway and a security group.
pub fn default_network(region: &mut Region, account: &str, now: Time) {
    let id = |prefix: &str, what: &str| id::id(prefix, &[account.as_bytes(), region.name.as_bytes(), what.as_bytes()]);
    let vpc = Vpc {
        id: id("vpc", "default"),
        cidr: Cidr { address: Ipv4Addr::new(172, 31, 0, 0), bits: 16 },
        default: true,
        gateway: Some(id("igw", "default")),
        route_table: id("rtb", "default"),
        tenancy: "default".to_owned(),
    };
    let base = vpc.cidr.address.to_bits();
    let zones = place::zones(&region.name);
    let subnets: Vec<_> = (0_u32..)
        .zip(&zones)
        .map(|(n, zone)| Subnet {
            id: id("subnet", zone),
            vpc: vpc.id.clone(),
            cidr: Cidr::new(base + n * 4096, 20),
            zone: zone.clone(),
            default: true,
            public_on_launch: true,
        })
        .collect();
    let group = Group::default_of(&vpc.id, id("sg", "default"), [id("sgr", "in"), id("sgr", "out")], account, now);
    region.groups.insert(group.id.clone(), group);
    region.subnets.extend(subnets.into_iter().map(|s| (s.id.clone(), s)));
    region.vpcs.insert(vpc.id.clone(), vpc);
}

impl Region {
    pub fn default_vpc(&self) -> Option<&Vpc> {
        self.vpcs.values().find(|v| v.default)
    }

    pub fn free_addresses(&self, subnet: &Subnet) -> u64 {
        let used = self.instances.values().filter(|i| i.subnet == subnet.id && !i.is_gone()).count();
        subnet.cidr.hosts().saturating_sub(used as u64)
    }
}

// ---- VPCs -----------------------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateVpc {
    cidr_block: Option<String>,
    instance_tenancy: Option<String>,
    tag_specification: Vec<TagSpecification>,
}

pub fn create_vpc(cx: &mut Cx<'_>, input: CreateVpc) -> Result<Xml, Refusal> {
    let cidr = Cidr::parse(input.cidr_block.as_deref().unwrap_or_default(), "cidrBlock")?;
    if !(16..=28).contains(&cidr.bits) {
        return Err(Refusal::new("InvalidVpc.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    let tags = tag::specified(&input.tag_specification, "vpc", &["vpc"])?;
    if cx.here().vpcs.len() >= 5 {
        return Err(Refusal::limit("VpcLimitExceeded", "The maximum number of VPCs has been reached."));
    }
    let vpc = Vpc {
        id: cx.mint("vpc"),
        cidr,
        default: false,
        gateway: None,
        route_table: cx.mint("rtb"),
        tenancy: input.instance_tenancy.unwrap_or_else(|| "default".to_owned()),
    };
    let rules = [cx.mint("sgr"), cx.mint("sgr")];
    let group = Group::default_of(&vpc.id, cx.mint("sg"), rules, &cx.account, cx.now);
    let account = cx.account.clone();
    let here = cx.here();
    here.tag(&vpc.id, &tags);
    here.groups.insert(group.id.clone(), group);
    here.vpcs.insert(vpc.id.clone(), vpc.clone());
    let mut x = Xml::new();
    x.node("vpc", |x| write_vpc(x, here, &vpc, &account));
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OneVpc {
    vpc_id: String,
    attribute: String,
}

pub fn delete_vpc(cx: &mut Cx<'_>, input: OneVpc) -> Result<Xml, Refusal> {
    let here = cx.here();
    let vpc = here.vpcs.get(&input.vpc_id).ok_or_else(|| not_found(&input.vpc_id))?.clone();
    let subnets = here.subnets.values().any(|s| s.vpc == vpc.id);
    let groups = here.groups.values().any(|g| g.vpc == vpc.id && g.name != "default");
    if subnets || groups {
        return Err(Refusal::dependency(format!("The vpc '{}' has dependencies and cannot be deleted.", vpc.id)));
    }
    here.groups.retain(|_, g| g.vpc != vpc.id);
    here.vpcs.remove(&vpc.id);
    here.untag(&vpc.id);
    Ok(done())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeVpcs {
    vpc_id: Vec<String>,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

pub fn describe_vpcs(cx: &mut Cx<'_>, input: DescribeVpcs) -> Result<Xml, Refusal> {
    const KNOWN: &[&str] = &[
        "cidr",
        "cidr-block-association.cidr-block",
        "dhcp-options-id",
        "is-default",
        "isDefault",
        "owner-id",
        "state",
        "vpc-id",
    ];
    filter::check(&input.filter, KNOWN)?;
    let account = cx.account.clone();
    rehearsal::vpcs(cx, &input.vpc_id, &input.filter);
    let here = cx.here();
    if let Some(unknown) = input.vpc_id.iter().find(|id| !here.vpcs.contains_key(*id)) {
        return Err(not_found(unknown));
    }
    let found = here.vpcs.values().filter(|v| {
        let attribute = |name: &str| match name {
            "cidr" | "cidr-block-association.cidr-block" => vec![v.cidr.to_string()],
            "dhcp-options-id" => vec!["default".to_owned()],
            "is-default" | "isDefault" => vec![v.default.to_string()],
            "owner-id" => vec![account.clone()],
            "state" => vec!["available".to_owned()],
            "vpc-id" => vec![v.id.clone()],
            _ => Vec::new(),
        };
        (input.vpc_id.is_empty() || input.vpc_id.contains(&v.id))
            && filter::all_hold(&input.filter, here.tags(&v.id), &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) = filter::page(found.map(|v| (v.id.clone(), v)).collect(), &paging, 5..=1000, "DescribeVpcs")?;
    let mut x = Xml::new();
    x.list("vpcSet", found, |x, v| write_vpc(x, here, v, &account));
    x.opt("nextToken", next);
    Ok(x)
}

fn write_vpc(x: &mut Xml, here: &Region, vpc: &Vpc, account: &str) {
    x.text("vpcId", &vpc.id).text("ownerId", account).text("state", "available").text("cidrBlock", vpc.cidr);
    x.list("cidrBlockAssociationSet", [vpc], |x, v| {
        x.text("cidrBlock", v.cidr).text("associationId", v.id.replace("vpc-", "vpc-cidr-assoc-"));
        x.node("cidrBlockState", |x| _ = x.text("state", "associated"));
    });
    x.text("dhcpOptionsId", "default").text("instanceTenancy", &vpc.tenancy).text("isDefault", vpc.default);
    tag::write(x, here.tags(&vpc.id));
}

pub fn describe_vpc_attribute(cx: &mut Cx<'_>, input: OneVpc) -> Result<Xml, Refusal> {
    if !cx.here().vpcs.contains_key(&input.vpc_id) {
        return Err(not_found(&input.vpc_id));
    }
    let mut x = Xml::new();
    x.text("vpcId", &input.vpc_id)
        .node(&input.attribute, |x| _ = x.text("value", input.attribute != "enableNetworkAddressUsageMetrics"));
    Ok(x)
}

// ---- subnets --------------------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateSubnet {
    vpc_id: String,
    cidr_block: Option<String>,
    availability_zone: Option<String>,
    tag_specification: Vec<TagSpecification>,
}

pub fn create_subnet(cx: &mut Cx<'_>, input: CreateSubnet) -> Result<Xml, Refusal> {
    let cidr = Cidr::parse(input.cidr_block.as_deref().unwrap_or_default(), "cidrBlock")?;
    let tags = tag::specified(&input.tag_specification, "subnet", &["subnet"])?;
    let zones = place::zones(&cx.region);
    let zone = match input.availability_zone.filter(|z| !z.is_empty()) {
        Some(zone) if !zones.contains(&zone) => return Err(Refusal::bad_value("availabilityZone", &zone)),
        Some(zone) => zone,
        None => zones.first().cloned().unwrap_or_default(),
    };
    let id = cx.mint("subnet");
    let account = cx.account.clone();
    let here = cx.here();
    let vpc = here.vpcs.get(&input.vpc_id).ok_or_else(|| not_found(&input.vpc_id))?;
    if !vpc.cidr.contains(cidr) || !(16..=28).contains(&cidr.bits) {
        return Err(Refusal::new("InvalidSubnet.Range", format!("The CIDR '{cidr}' is invalid.")));
    }
    if here.subnets.values().any(|s| s.vpc == vpc.id && s.cidr.overlaps(cidr)) {
        return Err(Refusal::new("InvalidSubnet.Conflict", format!("The CIDR '{cidr}' conflicts with another subnet")));
    }
    let subnet = Subnet { id, vpc: vpc.id.clone(), cidr, zone, default: false, public_on_launch: false };
    here.tag(&subnet.id, &tags);
    here.subnets.insert(subnet.id.clone(), subnet.clone());
    let mut x = Xml::new();
    x.node("subnet", |x| write_subnet(x, here, &subnet, &account));
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OneSubnet {
    subnet_id: String,
}

pub fn delete_subnet(cx: &mut Cx<'_>, input: OneSubnet) -> Result<Xml, Refusal> {
    let here = cx.here();
    if !here.subnets.contains_key(&input.subnet_id) {
        return Err(not_found(&input.subnet_id));
    }
    if here.instances.values().any(|i| i.subnet == input.subnet_id && !i.is_gone()) {
        return Err(Refusal::dependency(format!(
            "The subnet '{}' has dependencies and cannot be deleted.",
            input.subnet_id
        )));
    }
    here.subnets.remove(&input.subnet_id);
    here.untag(&input.subnet_id);
    Ok(done())
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeSubnets {
    subnet_id: Vec<String>,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

pub fn describe_subnets(cx: &mut Cx<'_>, input: DescribeSubnets) -> Result<Xml, Refusal> {
    const KNOWN: &[&str] = &[
        "availability-zone",
        "availabilityZone",
        "availability-zone-id",
        "available-ip-address-count",
        "cidr",
        "cidr-block",
        "cidrBlock",
        "default-for-az",
        "defaultForAz",
        "map-public-ip-on-launch",
        "owner-id",
        "state",
        "subnet-arn",
        "subnet-id",
        "vpc-id",
    ];
    filter::check(&input.filter, KNOWN)?;
    let account = cx.account.clone();
    rehearsal::subnets(cx, &input.subnet_id, &input.filter);
    let here = cx.here();
    if let Some(unknown) = input.subnet_id.iter().find(|id| !here.subnets.contains_key(*id)) {
        return Err(not_found(unknown));
    }
    let found = here.subnets.values().filter(|s| {
        let attribute = |name: &str| match name {
            "availability-zone" | "availabilityZone" => vec![s.zone.clone()],
            "availability-zone-id" => vec![place::zone_id(&s.zone)],
            "available-ip-address-count" => vec![here.free_addresses(s).to_string()],
            "cidr" | "cidr-block" | "cidrBlock" => vec![s.cidr.to_string()],
            "default-for-az" | "defaultForAz" => vec![s.default.to_string()],
            "map-public-ip-on-launch" => vec![s.public_on_launch.to_string()],
            "owner-id" => vec![account.clone()],
            "state" => vec!["available".to_owned()],
            "subnet-arn" => vec![format!("arn:aws:ec2:{}:{account}:subnet/{}", here.name, s.id)],
            "subnet-id" => vec![s.id.clone()],
            "vpc-id" => vec![s.vpc.clone()],
            _ => Vec::new(),
        };
        (input.subnet_id.is_empty() || input.subnet_id.contains(&s.id))
            && filter::all_hold(&input.filter, here.tags(&s.id), &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) = filter::page(found.map(|s| (s.id.clone(), s)).collect(), &paging, 5..=1000, "DescribeSubnets")?;
    let mut x = Xml::new();
    x.list("subnetSet", found, |x, s| write_subnet(x, here, s, &account));
    x.opt("nextToken", next);
    Ok(x)
}

fn write_subnet(x: &mut Xml, here: &Region, s: &Subnet, account: &str) {
    x.text("subnetId", &s.id).text("subnetArn", format!("arn:aws:ec2:{}:{account}:subnet/{}", here.name, s.id));
    x.text("state", "available").text("ownerId", account).text("vpcId", &s.vpc).text("cidrBlock", s.cidr);
    x.list("ipv6CidrBlockAssociationSet", std::iter::empty::<()>(), |_, ()| {});
    x.text("availableIpAddressCount", here.free_addresses(s)).text("availabilityZone", &s.zone);
    x.text("availabilityZoneId", place::zone_id(&s.zone)).text("defaultForAz", s.default);
    x.text("mapPublicIpOnLaunch", s.public_on_launch).text("assignIpv6AddressOnCreation", false);
    tag::write(x, here.tags(&s.id));
}

// ---- what hangs on them ---------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeNetworkThings {
    #[serde(alias = "InternetGatewayId", alias = "RouteTableId", alias = "NetworkInterfaceId")]
    id: Vec<String>,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

pub fn describe_internet_gateways(cx: &mut Cx<'_>, input: DescribeNetworkThings) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["attachment.state", "attachment.vpc-id", "internet-gateway-id", "owner-id"])?;
    for id in &input.id {
        cx.existing(id)?;
    }
    let account = cx.account.clone();
    let here = cx.here();
    let found = here.vpcs.values().filter_map(|v| v.gateway.as_ref().map(|g| (g, v))).filter(|(gateway, vpc)| {
        let attribute = |name: &str| match name {
            "attachment.state" => vec!["available".to_owned()],
            "attachment.vpc-id" => vec![vpc.id.clone()],
            "internet-gateway-id" => vec![(*gateway).clone()],
            "owner-id" => vec![account.clone()],
            _ => Vec::new(),
        };
        (input.id.is_empty() || input.id.contains(gateway))
            && filter::all_hold(&input.filter, here.tags(gateway), &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) =
        filter::page(found.map(|f| (f.0.clone(), f)).collect(), &paging, 5..=1000, "DescribeInternetGateways")?;
    let mut x = Xml::new();
    x.list("internetGatewaySet", found, |x, (gateway, vpc)| {
        x.text("internetGatewayId", gateway).text("ownerId", &account);
        x.list("attachmentSet", [vpc], |x, v| _ = x.text("vpcId", &v.id).text("state", "available"));
        tag::write(x, here.tags(gateway));
    });
    x.opt("nextToken", next);
    Ok(x)
}

pub fn describe_route_tables(cx: &mut Cx<'_>, input: DescribeNetworkThings) -> Result<Xml, Refusal> {
    filter::check(
        &input.filter,
        &["association.main", "association.subnet-id", "route-table-id", "vpc-id", "owner-id"],
    )?;
    for id in &input.id {
        cx.existing(id)?;
    }
    let account = cx.account.clone();
    let here = cx.here();
    let found = here.vpcs.values().filter(|vpc| {
        let attribute = |name: &str| match name {
            "association.main" => vec!["true".to_owned()],
            "route-table-id" => vec![vpc.route_table.clone()],
            "vpc-id" => vec![vpc.id.clone()],
            "owner-id" => vec![account.clone()],
            _ => Vec::new(),
        };
        (input.id.is_empty() || input.id.contains(&vpc.route_table))
            && filter::all_hold(&input.filter, here.tags(&vpc.route_table), &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) =
        filter::page(found.map(|v| (v.route_table.clone(), v)).collect(), &paging, 5..=100, "DescribeRouteTables")?;
    let mut x = Xml::new();
    x.list("routeTableSet", found, |x, vpc| {
        x.text("routeTableId", &vpc.route_table).text("vpcId", &vpc.id).text("ownerId", &account);
        let routes =
            [Some((vpc.cidr.to_string(), "local")), vpc.gateway.as_deref().map(|g| ("0.0.0.0/0".to_owned(), g))];
        x.list("routeSet", routes.into_iter().flatten(), |x, (to, via)| {
            x.text("destinationCidrBlock", to).text("gatewayId", via).text("state", "active");
            x.text("origin", if via == "local" { "CreateRouteTable" } else { "CreateRoute" });
        });
        x.list("associationSet", [vpc], |x, v| {
            x.text("routeTableAssociationId", v.route_table.replace("rtb-", "rtbassoc-"))
                .text("routeTableId", &v.route_table);
            x.text("main", true).node("associationState", |x| _ = x.text("state", "associated"));
        });
        tag::write(x, here.tags(&vpc.route_table));
    });
    x.opt("nextToken", next);
    Ok(x)
}

pub fn describe_network_interfaces(cx: &mut Cx<'_>, input: DescribeNetworkThings) -> Result<Xml, Refusal> {
    const KNOWN: &[&str] = &[
        "attachment.instance-id",
        "attachment.status",
        "availability-zone",
        "group-id",
        "network-interface-id",
        "owner-id",
        "private-ip-address",
        "status",
        "subnet-id",
        "vpc-id",
        "addresses.private-ip-address",
        "association.public-ip",
    ];
    filter::check(&input.filter, KNOWN)?;
    for id in &input.id {
        cx.existing(id)?;
    }
    let account = cx.account.clone();
    let here = cx.here();
    let found = here.instances.values().filter(|i| !i.is_gone()).filter(|i| {
        let attribute = |name: &str| match name {
            "attachment.instance-id" => vec![i.id.clone()],
            "attachment.status" => vec!["attached".to_owned()],
            "availability-zone" => vec![i.zone.clone()],
            "group-id" => i.groups.clone(),
            "network-interface-id" => vec![i.eni.clone()],
            "owner-id" => vec![account.clone()],
            "private-ip-address" | "addresses.private-ip-address" | "association.public-ip" => {
                vec![i.address.to_string()]
            }
            "status" => vec!["in-use".to_owned()],
            "subnet-id" => vec![i.subnet.clone()],
            "vpc-id" => vec![i.vpc.clone()],
            _ => Vec::new(),
        };
        (input.id.is_empty() || input.id.contains(&i.eni))
            && filter::all_hold(&input.filter, here.tags(&i.eni), &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) =
        filter::page(found.map(|i| (i.eni.clone(), i)).collect(), &paging, 5..=1000, "DescribeNetworkInterfaces")?;
    let mut x = Xml::new();
    x.list("networkInterfaceSet", found, |x, i| {
        x.text("networkInterfaceId", &i.eni).text("subnetId", &i.subnet).text("vpcId", &i.vpc);
        x.text("availabilityZone", &i.zone)
            .text("description", "")
            .text("ownerId", &account)
            .text("requesterManaged", false);
        x.text("status", "in-use").text("macAddress", i.mac()).text("privateIpAddress", i.address);
        x.text("sourceDestCheck", true);
        x.list("groupSet", &i.groups, |x, g| {
            x.text("groupId", g).opt("groupName", here.groups.get(g).map(|g| &g.name));
        });
        x.node("attachment", |x| {
            x.text("attachmentId", i.eni.replace("eni-", "eni-attach-")).text("instanceId", &i.id);
            x.text("instanceOwnerId", &account).text("deviceIndex", 0).text("status", "attached");
            x.text("deleteOnTermination", true);
        });
        tag::write(x, here.tags(&i.eni));
    });
    x.opt("nextToken", next);
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        let cidr = |t| Cidr::parse(t, "p").unwrap();
        assert_eq!(cidr("10.1.2.3/16").to_string(), "10.1.0.0/16");
        assert!(
            cidr("10.1.0.0/16").contains(cidr("10.1.255.0/24")) && !cidr("10.1.0.0/24").contains(cidr("10.1.0.0/16"))
        );
        assert!(cidr("0.0.0.0/0").contains(cidr("1.2.3.4/32")));
        assert!(["10.0.0.0", "10.0.0.0/33", "x/8", ""].iter().all(|t| Cidr::parse(t, "p").is_err()));
    }

    #[test]
    fn a_new_region_has_a_network() {
        let region = Region::new("123456789012", "us-west-2", 0);
        assert_eq!(region.subnets.len(), 4);
        assert_eq!(region.default_vpc().map(|v| v.cidr.to_string()), Some("172.31.0.0/16".to_owned()));
        assert_eq!(region, Region::new("123456789012", "us-west-2", 0), "ids are the account's and region's");
    }
}
