//! The temporary security group: made where the template names none, and opened only as far as it must be.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, ResourceType};
use ipnet::IpNet;
use serde_json::json;

use crate::cloud::failure;
use crate::component::builder::amazon::config::AmazonEbs;
use crate::component::builder::amazon::learnt::{Network, name};
use crate::component::builder::amazon::names;
use crate::component::builder::amazon::resource::SECURITY_GROUP;
use crate::component::builder::amazon::tags::{self, Tags};
use crate::component::builder::amazon::work::Work;
use crate::component::communicator::Kind;
use crate::run::Failure;

/// Who may reach the machine through the temporary group.
#[derive(Debug, PartialEq, Eq)]
enum Sources {
    Networks(Vec<String>),
    /// This host, on the route to the machine: known when the machine has its address.
    RouteToMachine,
    /// Nobody: nothing connects.
    Nobody,
}

/// Makes the temporary group, or notes the groups that exist.
pub async fn provide(work: &Work<'_>, network: &Network, run_tags: &Tags) -> Result<(), Failure> {
    let cx = work.cx;
    if !network.groups.is_empty() {
        return cx.learn(name::SECURITY_GROUPS, &network.groups).await;
    }
    let group = names::temporary();
    cx.say(format!("Creating temporary security group for this instance: {group}"));
    let key = cx.intend(SECURITY_GROUP, &group, work.region_name(), json!({ "name": group })).await?;
    let specification = tags::specification(ResourceType::SecurityGroup, &tags::with(run_tags, tags::kiln(cx)));
    let (made, sources) = tokio::join!(
        work.ec2()
            .create_security_group()
            .group_name(&group)
            .description("Temporary group for Packer")
            .set_vpc_id((!network.vpc.is_empty()).then(|| network.vpc.clone()))
            .set_tag_specifications(specification.map(|s| vec![s]))
            .send(),
        sources(work)
    );
    let made = made.map_err(|e| failure(&e, "cannot create the temporary security group"))?;
    let id = made.group_id().unwrap_or_default().to_owned();
    cx.created(&key, &id).await?;
    cx.learn(name::SECURITY_GROUPS, &[&id]).await?;
    match sources {
        Sources::Networks(networks) => authorize(work, &id, &networks).await,
        Sources::RouteToMachine => cx.learn(OPEN_LATER, &id).await,
        Sources::Nobody => Ok(()),
    }
}

/// Name under which a group is learnt that waits for the machine's address.
const OPEN_LATER: &str = "open_later";

/// Opens the group to this host, where that had to wait for the machine's private address.
pub async fn open_to_route(work: &Work<'_>, machine: Option<&str>) -> Result<(), Failure> {
    let Some(group) = work.cx.learnt::<Option<String>>(OPEN_LATER).flatten() else { return Ok(()) };
    let networks = if let Some(address) = machine.and_then(|m| m.parse().ok()).and_then(local_address_towards) {
        vec![single(address)]
    } else {
        warn_open(work, "the route to the machine's private address cannot be told");
        vec!["0.0.0.0/0".to_owned()]
    };
    authorize(work, &group, &networks).await?;
    work.cx.learn(OPEN_LATER, &None::<String>).await
}

async fn sources(work: &Work<'_>) -> Sources {
    let config = &work.config;
    let any = if wants_ipv6(config) { "::/0" } else { "0.0.0.0/0" };
    let why = match decide(config, work.account.is_aws(), work.cx.options.ask_public_address) {
        Decision::Known(sources) => {
            let network = &config.network;
            if network.temporary_security_group_source_public_ip
                && !network.temporary_security_group_source_cidrs.is_empty()
            {
                work.cx.detail("temporary_security_group_source_public_ip is ignored: the template names the networks");
            }
            return sources;
        }
        Decision::Ask => {
            // A machine with an IPv6 interface only cannot be reached from an IPv4 address, nor the other way round.
            let address = work.cx.clouds.public_address().await.filter(|a| a.is_ipv6() == wants_ipv6(config));
            if let Some(address) = address {
                return Sources::Networks(vec![single(address)]);
            }
            "this host's public address cannot be told"
        }
        Decision::Open(why) => why,
    };
    warn_open(work, why);
    Sources::Networks(vec![any.to_owned()])
}

/// Where the networks come from that may reach the machine.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Known(Sources),
    /// This host's public address, as AWS tells it.
    Ask,
    /// Every address, and why.
    Open(&'static str),
}

/// `is_aws`: the build talks to AWS itself. `may_ask`: the settings let AWS be asked for this host's public address.
fn decide(config: &AmazonEbs, is_aws: bool, may_ask: bool) -> Decision {
    let (comm, network) = (&config.communicator, &config.network);
    if comm.kind() == Kind::None {
        return Decision::Known(Sources::Nobody);
    }
    if !network.temporary_security_group_source_cidrs.is_empty() {
        return Decision::Known(Sources::Networks(network.temporary_security_group_source_cidrs.clone()));
    }
    if network.temporary_security_group_source_public_ip {
        return Decision::Ask;
    }
    if !comm.ssh_bastion_host.is_empty() || !comm.ssh_proxy_host.is_empty() {
        return Decision::Open("the connection comes from a bastion or proxy, whose address is not known here");
    }
    if ["private_ip", "private_dns"].contains(&network.ssh_interface.as_str()) {
        return Decision::Known(Sources::RouteToMachine);
    }
    if is_aws && may_ask { Decision::Ask } else { Decision::Open("this host's public address was not asked for") }
}

fn wants_ipv6(config: &AmazonEbs) -> bool {
    config.network.ssh_interface == "ipv6"
}

fn warn_open(work: &Work<'_>, why: &str) {
    work.cx.warn(format!(
        "The temporary security group is open to every address: {why}. Narrow it with `temporary_security_group_source_cidrs`"
    ));
}

async fn authorize(work: &Work<'_>, group: &str, networks: &[String]) -> Result<(), Failure> {
    let port = i32::from(work.ssh_port());
    work.cx.say(format!(
        "Authorizing access to port {port} from [{}] in the temporary security groups...",
        networks.join(" ")
    ));
    let permission = permission(port, networks);
    work.settled(|| async {
        work.ec2()
            .authorize_security_group_ingress()
            .group_id(group)
            .ip_permissions(permission.clone())
            .send()
            .await
            .map(drop)
            .map_err(|e| failure(&e, "cannot open the temporary security group"))
    })
    .await
}

fn permission(port: i32, networks: &[String]) -> IpPermission {
    let mut permission = IpPermission::builder().ip_protocol("tcp").from_port(port).to_port(port);
    for network in networks {
        permission = if network.parse::<IpNet>().is_ok_and(|n| matches!(n, IpNet::V6(_))) {
            permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(network).build())
        } else {
            permission.ip_ranges(IpRange::builder().cidr_ip(network).build())
        };
    }
    permission.build()
}

/// The network of this address alone.
fn single(address: IpAddr) -> String {
    IpNet::from(address).to_string()
}

/// The address that this host would use to talk to another. Nothing is sent.
fn local_address_towards(other: IpAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((other, 9)).ok()?;
    socket.local_addr().ok().map(|a| a.ip()).filter(|ip| !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_aws_itself_is_asked_for_this_hosts_address_and_only_where_that_is_allowed() {
        let plain = AmazonEbs::default();
        assert_eq!(decide(&plain, true, true), Decision::Ask);
        for (is_aws, may_ask) in [(true, false), (false, true), (false, false)] {
            assert!(matches!(decide(&plain, is_aws, may_ask), Decision::Open(_)), "{is_aws} {may_ask}");
        }
        let mut asked_for = AmazonEbs::default();
        asked_for.network.temporary_security_group_source_public_ip = true;
        assert_eq!(decide(&asked_for, false, false), Decision::Ask, "the template goes before the setting");
    }

    #[test]
    fn what_the_template_says_makes_asking_needless() {
        let mut config = AmazonEbs::default();
        config.network.ssh_interface = "private_ip".into();
        assert_eq!(decide(&config, true, true), Decision::Known(Sources::RouteToMachine));
        config.communicator.ssh_bastion_host = "b".into();
        assert!(matches!(decide(&config, true, true), Decision::Open(why) if why.contains("bastion")));
        config.network.temporary_security_group_source_cidrs = vec!["10.0.0.0/8".into()];
        config.network.temporary_security_group_source_public_ip = true;
        assert_eq!(decide(&config, true, true), Decision::Known(Sources::Networks(vec!["10.0.0.0/8".into()])));
        config.communicator.communicator = "none".into();
        assert_eq!(decide(&config, true, true), Decision::Known(Sources::Nobody));
    }

    #[test]
    fn an_address_alone_is_a_network_of_one() {
        assert_eq!(single("192.0.2.7".parse().unwrap()), "192.0.2.7/32");
        assert_eq!(single("2001:db8::7".parse().unwrap()), "2001:db8::7/128");
    }

    #[test]
    fn networks_go_where_their_family_belongs() {
        let permission = permission(22, &["10.0.0.0/8".into(), "::/0".into()]);
        assert_eq!(permission.ip_ranges()[0].cidr_ip(), Some("10.0.0.0/8"));
        assert_eq!(permission.ipv6_ranges()[0].cidr_ipv6(), Some("::/0"));
        assert_eq!((permission.from_port(), permission.to_port()), (Some(22), Some(22)));
    }

    #[test]
    fn the_route_to_this_host_is_over_loopback() {
        let local: IpAddr = "127.0.0.1".parse().unwrap();
        assert_eq!(local_address_towards("127.0.0.1".parse().unwrap()), Some(local));
    }
}
