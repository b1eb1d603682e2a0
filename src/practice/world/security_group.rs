//! Security groups and their rules. Nothing filters packets: the rules are kept, checked and shown.

use serde::{Deserialize, Serialize};

use super::filter::{self, Filter, Paging};
use super::network::Cidr;
use super::tag::{self, TagSpecification, Tags, done};
use super::{Cx, Time, account, rehearsal};
use crate::practice::wire::refusal::not_found;
use crate::practice::wire::{Refusal, Xml};

const MOST_RULES: usize = 60;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Group {
    pub id: String,
    pub name: String,
    pub description: String,
    pub vpc: String,
    pub owner: String,
    pub rules: Vec<Rule>,
    pub made: Time,
}

/// One rule: one protocol and port range, one source or destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub id: String,
    pub egress: bool,
    pub protocol: String,
    pub from: Option<i64>,
    pub to: Option<i64>,
    pub peer: Peer,
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Peer {
    V4(String),
    V6(String),
    Group(String),
    PrefixList(String),
}

impl Rule {
    fn same(&self, other: &Self) -> bool {
        (self.egress, &self.protocol, self.from, self.to, &self.peer)
            == (other.egress, &other.protocol, other.from, other.to, &other.peer)
    }
}

impl Group {
    /// The group that each VPC comes with; `rules` are the ids of its two rules.
    pub fn default_of(vpc: &str, id: String, rules: [String; 2], account: &str, now: Time) -> Self {
        let rule = |id: &String, egress, peer| Rule {
            id: id.clone(),
            egress,
            protocol: "-1".to_owned(),
            from: None,
            to: None,
            peer,
            description: None,
        };
        Self {
            rules: vec![
                rule(&rules[0], false, Peer::Group(id.clone())),
                rule(&rules[1], true, Peer::V4("0.0.0.0/0".to_owned())),
            ],
            id,
            name: "default".to_owned(),
            description: "default VPC security group".to_owned(),
            vpc: vpc.to_owned(),
            owner: account.to_owned(),
            made: now,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateSecurityGroup {
    group_name: String,
    group_description: String,
    vpc_id: Option<String>,
    tag_specification: Vec<TagSpecification>,
}

pub fn create_security_group(cx: &mut Cx<'_>, input: CreateSecurityGroup) -> Result<Xml, Refusal> {
    let tags = tag::specified(&input.tag_specification, "security-group", &["security-group"])?;
    let legal = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c));
    if input.group_name.len() > 255 || !legal(&input.group_name) {
        return Err(Refusal::invalid(format!(
            "Value ({}) for parameter GroupName is invalid. Character sets beyond ASCII are not supported.",
            input.group_name
        )));
    }
    if input.group_name.starts_with("sg-") {
        return Err(Refusal::invalid(format!(
            "Value ({}) for parameter GroupName is invalid. Group names may not be in the format sg-*.",
            input.group_name
        )));
    }
    if input.group_description.len() > 255 || !legal(&input.group_description) {
        return Err(Refusal::bad_value("GroupDescription", &input.group_description));
    }
    let vpc = match input.vpc_id.filter(|v| !v.is_empty()) {
        Some(id) => {
            rehearsal::vpcs(cx, std::slice::from_ref(&id), &[]);
            cx.existing(&id)?;
            id
        }
        None => cx
            .here()
            .default_vpc()
            .map(|v| v.id.clone())
            .ok_or_else(|| Refusal::new("VPCIdNotSpecified", "No default VPC for this user"))?,
    };
    let (id, rule) = (cx.mint("sg"), cx.mint("sgr"));
    let (owner, made) = (cx.account.clone(), cx.now);
    let here = cx.here();
    if here.groups.values().any(|g| g.vpc == vpc && g.name == input.group_name) {
        return Err(Refusal::new(
            "InvalidGroup.Duplicate",
            format!("The security group '{}' already exists for VPC '{vpc}'", input.group_name),
        ));
    }
    if here.groups.len() >= 2500 {
        return Err(Refusal::limit(
            "SecurityGroupLimitExceeded",
            "The maximum number of security groups has been reached.",
        ));
    }
    let out = Rule {
        id: rule,
        egress: true,
        protocol: "-1".to_owned(),
        from: None,
        to: None,
        peer: Peer::V4("0.0.0.0/0".to_owned()),
        description: None,
    };
    here.tag(&id, &tags);
    let group = Group {
        id: id.clone(),
        name: input.group_name,
        description: input.group_description,
        vpc,
        owner: owner.clone(),
        rules: vec![out],
        made,
    };
    here.groups.insert(id.clone(), group);
    let mut x = done();
    x.text("groupId", &id);
    tag::write(&mut x, here.tags(&id));
    x.text("securityGroupArn", format!("arn:aws:ec2:{}:{owner}:security-group/{id}", here.name));
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OneGroup {
    group_id: Option<String>,
    group_name: Option<String>,
}

pub fn delete_security_group(cx: &mut Cx<'_>, input: OneGroup) -> Result<Xml, Refusal> {
    let id = named(cx, input.group_id, input.group_name)?;
    let here = cx.here();
    if here.groups[&id].name == "default" {
        return Err(Refusal::new(
            "CannotDelete",
            format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"),
        ));
    }
    let attached = here.instances.values().any(|i| i.groups.contains(&id) && !i.is_gone());
    let named = here.groups.values().any(|g| g.id != id && g.rules.iter().any(|r| r.peer == Peer::Group(id.clone())));
    if attached || named {
        return Err(Refusal::dependency(format!("resource {id} has a dependent object")));
    }
    here.groups.remove(&id);
    here.untag(&id);
    let mut x = done();
    x.text("groupId", id);
    Ok(x)
}

/// A group by id, or by name in the default VPC.
fn named(cx: &mut Cx<'_>, id: Option<String>, name: Option<String>) -> Result<String, Refusal> {
    let here = cx.here();
    if let Some(id) = id.filter(|i| !i.is_empty()) {
        return if here.groups.contains_key(&id) { Ok(id) } else { Err(not_found(&id)) };
    }
    let name = name.filter(|n| !n.is_empty()).ok_or_else(|| Refusal::missing("GroupName or GroupId"))?;
    let vpc = here.default_vpc().map(|v| v.id.clone()).unwrap_or_default();
    here.groups.values().find(|g| g.vpc == vpc && g.name == name).map(|g| g.id.clone()).ok_or_else(|| {
        Refusal::new(
            "InvalidGroup.NotFound",
            format!("The security group '{name}' does not exist in default VPC '{vpc}'"),
        )
    })
}

// ---- rules ----------------------------------------------------------------------------------------------------------

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Permission {
    ip_protocol: Option<String>,
    from_port: Option<i64>,
    to_port: Option<i64>,
    ip_ranges: Vec<Range>,
    ipv6_ranges: Vec<Range>,
    prefix_list_ids: Vec<Range>,
    #[serde(alias = "Groups")]
    user_id_group_pairs: Vec<Range>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Range {
    cidr_ip: Option<String>,
    cidr_ipv6: Option<String>,
    prefix_list_id: Option<String>,
    group_id: Option<String>,
    group_name: Option<String>,
    description: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ChangeRules {
    group_id: Option<String>,
    group_name: Option<String>,
    ip_permissions: Vec<Permission>,
    ip_protocol: Option<String>,
    from_port: Option<i64>,
    to_port: Option<i64>,
    cidr_ip: Option<String>,
    security_group_rule_id: Vec<String>,
    tag_specification: Vec<TagSpecification>,
}

pub fn authorize_ingress(cx: &mut Cx<'_>, input: ChangeRules) -> Result<Xml, Refusal> {
    authorize(cx, input, false)
}

pub fn authorize_egress(cx: &mut Cx<'_>, input: ChangeRules) -> Result<Xml, Refusal> {
    authorize(cx, input, true)
}

pub fn revoke_ingress(cx: &mut Cx<'_>, input: ChangeRules) -> Result<Xml, Refusal> {
    revoke(cx, input, false)
}

pub fn revoke_egress(cx: &mut Cx<'_>, input: ChangeRules) -> Result<Xml, Refusal> {
    revoke(cx, input, true)
}

fn authorize(cx: &mut Cx<'_>, input: ChangeRules, egress: bool) -> Result<Xml, Refusal> {
    let tags = tag::specified(&input.tag_specification, "security-group-rule", &["security-group-rule"])?;
    let id = named(cx, input.group_id.clone(), input.group_name.clone())?;
    let rules = rules(cx, input, egress)?;
    if rules.is_empty() {
        return Err(Refusal::missing("IpPermissions"));
    }
    let group = &cx.here().groups[&id];
    for rule in &rules {
        if group.rules.iter().any(|r| r.same(rule)) {
            return Err(Refusal::new(
                "InvalidPermission.Duplicate",
                format!("the specified rule \"{}\" already exists", told(rule)),
            ));
        }
    }
    let of_kind = group.rules.iter().filter(|r| r.egress == egress).count();
    if of_kind + rules.len() > MOST_RULES {
        return Err(Refusal::limit(
            "RulesPerSecurityGroupLimitExceeded",
            "The maximum number of rules per security group has been reached.",
        ));
    }
    let owner = cx.account.clone();
    let here = cx.here();
    for rule in &rules {
        here.tag(&rule.id, &tags);
    }
    if let Some(group) = here.groups.get_mut(&id) {
        group.rules.extend(rules.clone());
    }
    let mut x = done();
    x.list("securityGroupRuleSet", &rules, |x, r| write_rule(x, r, &id, &owner, here.tags(&r.id)));
    Ok(x)
}

fn told(rule: &Rule) -> String {
    let peer = match &rule.peer {
        Peer::V4(p) | Peer::V6(p) | Peer::Group(p) | Peer::PrefixList(p) => p,
    };
    let ports = match (rule.from, rule.to) {
        (Some(from), Some(to)) => format!("from port: {from}, to port: {to}, "),
        _ => String::new(),
    };
    format!("peer: {peer}, {}, {ports}ALLOW", rule.protocol.to_uppercase())
}

fn revoke(cx: &mut Cx<'_>, input: ChangeRules, egress: bool) -> Result<Xml, Refusal> {
    let id = named(cx, input.group_id.clone(), input.group_name.clone())?;
    let by_id = input.security_group_rule_id.clone();
    let rules = rules(cx, input, egress)?;
    let here = cx.here();
    let Some(group) = here.groups.get_mut(&id) else { return Err(not_found(&id)) };
    let known = |r: &Rule| group.rules.iter().any(|g| g.same(r));
    if let Some(unknown) = by_id.iter().find(|i| !group.rules.iter().any(|r| r.id == **i && r.egress == egress)) {
        return Err(not_found(unknown));
    }
    if rules.iter().any(|r| !known(r)) {
        return Err(Refusal::new(
            "InvalidPermission.NotFound",
            "The specified rule does not exist in this security group.",
        ));
    }
    group.rules.retain(|g| !by_id.contains(&g.id) && !rules.iter().any(|r| r.same(g)));
    Ok(done())
}

fn rules(cx: &mut Cx<'_>, input: ChangeRules, egress: bool) -> Result<Vec<Rule>, Refusal> {
    let mut permissions = input.ip_permissions;
    if input.ip_protocol.is_some() || input.cidr_ip.is_some() {
        permissions.push(Permission {
            ip_protocol: input.ip_protocol,
            from_port: input.from_port,
            to_port: input.to_port,
            ip_ranges: input.cidr_ip.into_iter().map(|c| Range { cidr_ip: Some(c), ..Range::default() }).collect(),
            ..Permission::default()
        });
    }
    let mut rules: Vec<Rule> = Vec::new();
    for permission in permissions {
        let (protocol, from, to) = ports(&permission)?;
        let mut peers = Vec::new();
        for range in &permission.ip_ranges {
            let cidr = range.cidr_ip.as_deref().ok_or_else(|| Refusal::missing("CidrIp"))?;
            peers.push((Peer::V4(Cidr::parse(cidr, "cidrIp")?.to_string()), &range.description));
        }
        for range in &permission.ipv6_ranges {
            let cidr = range.cidr_ipv6.as_deref().ok_or_else(|| Refusal::missing("CidrIpv6"))?;
            let valid = cidr.split_once('/').is_some_and(|(address, bits)| {
                address.parse::<std::net::Ipv6Addr>().is_ok() && bits.parse::<u8>().is_ok_and(|b| b <= 128)
            });
            if !valid {
                return Err(Refusal::invalid(format!("CIDR block {cidr} is malformed")));
            }
            peers.push((Peer::V6(cidr.to_owned()), &range.description));
        }
        for range in &permission.user_id_group_pairs {
            let group = named(cx, range.group_id.clone(), range.group_name.clone())?;
            peers.push((Peer::Group(group), &range.description));
        }
        for range in &permission.prefix_list_ids {
            peers.push((Peer::PrefixList(range.prefix_list_id.clone().unwrap_or_default()), &range.description));
        }
        if peers.is_empty() {
            return Err(Refusal::missing("IpRanges"));
        }
        for (peer, description) in peers {
            let id = cx.mint("sgr");
            let description = description.clone();
            let rule = Rule { id, egress, protocol: protocol.clone(), from, to, peer, description };
            if rules.iter().any(|r| r.same(&rule)) {
                return Err(Refusal::invalid("The same permission must not appear multiple times"));
            }
            rules.push(rule);
        }
    }
    Ok(rules)
}

fn ports(permission: &Permission) -> Result<(String, Option<i64>, Option<i64>), Refusal> {
    let given = permission.ip_protocol.as_deref().unwrap_or_default().to_ascii_lowercase();
    let protocol = match given.as_str() {
        "" => return Err(Refusal::missing("IpProtocol")),
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "58" => "icmpv6",
        "all" => "-1",
        other => other,
    };
    if !matches!(protocol, "tcp" | "udp" | "icmp" | "icmpv6" | "-1") && protocol.parse::<u8>().is_err() {
        return Err(Refusal::new(
            "InvalidPermission.Malformed",
            format!("Unsupported IP protocol \"{protocol}\" - supported: [tcp, udp, icmp]"),
        ));
    }
    let (from, to) = (permission.from_port, permission.to_port);
    match (protocol, from, to) {
        ("tcp" | "udp", Some(from), Some(to)) if !(0..=65535).contains(&from) || !(0..=65535).contains(&to) => {
            Err(Refusal::invalid(format!(
                "Invalid value '{from}-{to}' for portRange. Must specify both from and to ports with TCP/UDP."
            )))
        }
        ("tcp" | "udp", Some(from), Some(to)) if from > to => {
            Err(Refusal::invalid(format!("Invalid TCP/UDP port range ({from}:{to})")))
        }
        ("tcp" | "udp", Some(_), Some(_)) | ("icmp" | "icmpv6", ..) => Ok((protocol.to_owned(), from, to)),
        ("tcp" | "udp", ..) => {
            Err(Refusal::invalid("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange."))
        }
        _ => Ok((protocol.to_owned(), None, None)),
    }
}

// ---- descriptions ---------------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeGroups {
    group_id: Vec<String>,
    group_name: Vec<String>,
    security_group_rule_id: Vec<String>,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

pub fn describe_security_groups(cx: &mut Cx<'_>, input: DescribeGroups) -> Result<Xml, Refusal> {
    const KNOWN: &[&str] = &[
        "description",
        "group-id",
        "group-name",
        "ip-permission.cidr",
        "ip-permission.from-port",
        "ip-permission.group-id",
        "ip-permission.protocol",
        "ip-permission.to-port",
        "owner-id",
        "vpc-id",
        "egress.ip-permission.cidr",
    ];
    filter::check(&input.filter, KNOWN)?;
    if input.max_results.is_some() && !input.group_id.is_empty() {
        return Err(Refusal::combination("The parameter groupIds cannot be used with the parameter maxResults"));
    }
    rehearsal::groups(cx, &input.group_id, &input.filter);
    for id in &input.group_id {
        if !cx.here().groups.contains_key(id) {
            return Err(not_found(id));
        }
    }
    for name in &input.group_name {
        named(cx, None, Some(name.clone()))?;
    }
    let here = cx.here();
    let found = here.groups.values().filter(|g| {
        let rules = |egress: bool| g.rules.iter().filter(move |r| r.egress == egress);
        let v4 = |r: &Rule| if let Peer::V4(c) = &r.peer { Some(c.clone()) } else { None };
        let attribute = |name: &str| match name {
            "description" => vec![g.description.clone()],
            "group-id" => vec![g.id.clone()],
            "group-name" => vec![g.name.clone()],
            "ip-permission.cidr" => rules(false).filter_map(v4).collect(),
            "egress.ip-permission.cidr" => rules(true).filter_map(v4).collect(),
            "ip-permission.from-port" => rules(false).filter_map(|r| r.from).map(|p| p.to_string()).collect(),
            "ip-permission.to-port" => rules(false).filter_map(|r| r.to).map(|p| p.to_string()).collect(),
            "ip-permission.protocol" => rules(false).map(|r| r.protocol.clone()).collect(),
            "ip-permission.group-id" => {
                rules(false).filter_map(|r| if let Peer::Group(g) = &r.peer { Some(g.clone()) } else { None }).collect()
            }
            "owner-id" => vec![g.owner.clone()],
            "vpc-id" => vec![g.vpc.clone()],
            _ => Vec::new(),
        };
        (input.group_id.is_empty() || input.group_id.contains(&g.id))
            && (input.group_name.is_empty() || input.group_name.contains(&g.name))
            && filter::all_hold(&input.filter, here.tags(&g.id), &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) =
        filter::page(found.map(|g| (g.id.clone(), g)).collect(), &paging, 5..=1000, "DescribeSecurityGroups")?;
    let mut x = Xml::new();
    x.list("securityGroupInfo", found, |x, g| write_group(x, here, g));
    x.opt("nextToken", next);
    Ok(x)
}

fn write_group(x: &mut Xml, here: &account::Region, g: &Group) {
    x.text("ownerId", &g.owner)
        .text("groupId", &g.id)
        .text("groupName", &g.name)
        .text("groupDescription", &g.description);
    x.text("vpcId", &g.vpc)
        .text("securityGroupArn", format!("arn:aws:ec2:{}:{}:security-group/{}", here.name, g.owner, g.id));
    for (name, egress) in [("ipPermissions", false), ("ipPermissionsEgress", true)] {
        // Rules of one protocol and port range are one permission.
        let mut permissions: Vec<Vec<&Rule>> = Vec::new();
        for rule in g.rules.iter().filter(|r| r.egress == egress) {
            let key = |r: &Rule| (r.protocol.clone(), r.from, r.to);
            match permissions.iter_mut().find(|p| key(p[0]) == key(rule)) {
                Some(permission) => permission.push(rule),
                None => permissions.push(vec![rule]),
            }
        }
        x.list(name, permissions, |x, rules| {
            let first = rules[0];
            x.text("ipProtocol", &first.protocol).opt("fromPort", first.from).opt("toPort", first.to);
            let v4 = rules.iter().filter_map(|r| if let Peer::V4(c) = &r.peer { Some((r, c)) } else { None });
            let v6 = rules.iter().filter_map(|r| if let Peer::V6(c) = &r.peer { Some((r, c)) } else { None });
            let groups = rules.iter().filter_map(|r| if let Peer::Group(g) = &r.peer { Some((r, g)) } else { None });
            let lists =
                rules.iter().filter_map(|r| if let Peer::PrefixList(l) = &r.peer { Some((r, l)) } else { None });
            x.list("groups", groups, |x, (r, id)| {
                x.text("userId", &g.owner).text("groupId", id).opt("description", r.description.as_ref());
            });
            x.list("ipRanges", v4, |x, (r, c)| _ = x.text("cidrIp", c).opt("description", r.description.as_ref()));
            x.list("ipv6Ranges", v6, |x, (r, c)| _ = x.text("cidrIpv6", c).opt("description", r.description.as_ref()));
            x.list("prefixListIds", lists, |x, (_, l)| _ = x.text("prefixListId", l));
        });
    }
    tag::write(x, here.tags(&g.id));
}

pub fn describe_security_group_rules(cx: &mut Cx<'_>, input: DescribeGroups) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["group-id", "security-group-rule-id"])?;
    for id in &input.security_group_rule_id {
        cx.existing(id)?;
    }
    let owner = cx.account.clone();
    let here = cx.here();
    let all = here.groups.values().flat_map(|g| g.rules.iter().map(move |r| (g, r)));
    let found = all.filter(|(g, r)| {
        let attribute = |name: &str| match name {
            "group-id" => vec![g.id.clone()],
            "security-group-rule-id" => vec![r.id.clone()],
            _ => Vec::new(),
        };
        (input.security_group_rule_id.is_empty() || input.security_group_rule_id.contains(&r.id))
            && filter::all_hold(&input.filter, here.tags(&r.id), &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let found = found.map(|(g, r)| (r.id.clone(), (g, r))).collect();
    let (found, next) = filter::page(found, &paging, 5..=1000, "DescribeSecurityGroupRules")?;
    let mut x = Xml::new();
    x.list("securityGroupRuleSet", found, |x, (g, r)| write_rule(x, r, &g.id, &owner, here.tags(&r.id)));
    x.opt("nextToken", next);
    Ok(x)
}

fn write_rule(x: &mut Xml, r: &Rule, group: &str, owner: &str, tags: Option<&Tags>) {
    x.text("securityGroupRuleId", &r.id).text("groupId", group).text("groupOwnerId", owner).text("isEgress", r.egress);
    x.text("ipProtocol", &r.protocol).text("fromPort", r.from.unwrap_or(-1)).text("toPort", r.to.unwrap_or(-1));
    match &r.peer {
        Peer::V4(cidr) => x.text("cidrIpv4", cidr),
        Peer::V6(cidr) => x.text("cidrIpv6", cidr),
        Peer::PrefixList(list) => x.text("prefixListId", list),
        Peer::Group(id) => x.node("referencedGroupInfo", |x| _ = x.text("groupId", id).text("userId", owner)),
    };
    x.opt("description", r.description.as_ref());
    tag::write(x, tags);
}
