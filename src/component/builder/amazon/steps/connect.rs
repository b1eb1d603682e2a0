//! The link to the machine: which address, which key, and what provisioners may know of it.

use aws_sdk_ec2::types::Instance as Described;
use futures_util::FutureExt as _;

use super::key_pair;
use crate::cloud::InstanceGoal;
use crate::component::builder::amazon::learnt::{Instance, KeyPair, name};
use crate::component::builder::amazon::work::{Work, missing};
use crate::component::builder::connect::{Keys, connect};
use crate::component::communicator::Kind;
use crate::run::Failure;

/// Connects; used for the first time and for a retry on a live machine alike.
pub async fn open(work: &Work<'_>) -> Result<(), Failure> {
    let cx = work.cx;
    let comm = &work.config.communicator;
    if comm.kind() == Kind::None {
        return Ok(());
    }
    let instance: Instance = cx.learnt(name::INSTANCE).ok_or_else(|| missing("the machine"))?;
    let pair: KeyPair = cx.learnt(name::KEY_PAIR).unwrap_or_default();
    let keys = Keys { temporary: key_pair::private_key(&pair).await? };
    let find = || host(work, &instance).boxed();
    let link = connect(comm, &find, &keys, cx).await?;
    cx.machine.set_communicator(Some(link));
    Ok(())
}

/// The address to connect to, as AWS knows it now.
async fn host(work: &Work<'_>, instance: &Instance) -> Result<String, Failure> {
    let config = &work.config;
    if !config.communicator.ssh_host.is_empty() {
        return Ok(config.communicator.ssh_host.clone());
    }
    let described = work.await_instance(&instance.id, InstanceGoal::Running).await?;
    address(&described, &config.network.ssh_interface).ok_or_else(|| {
        let wanted = if config.network.ssh_interface.is_empty() { "address" } else { &config.network.ssh_interface };
        Failure::config(format!("couldn't determine address for instance: {} has no {wanted}", instance.id)).help(
            "set `associate_public_ip_address` to true, choose a subnet that gives public addresses, \
             or set `ssh_interface` to `private_ip`",
        )
    })
}

/// Packer's choice: what `ssh_interface` says; else, in a VPC, the public address before the private one.
fn address(instance: &Described, interface: &str) -> Option<String> {
    let some = |s: Option<&str>| s.filter(|s| !s.is_empty()).map(str::to_owned);
    match interface {
        "public_ip" => some(instance.public_ip_address()),
        "private_ip" => some(instance.private_ip_address()),
        "public_dns" => some(instance.public_dns_name()),
        "private_dns" => some(instance.private_dns_name()),
        "ipv6" => some(instance.ipv6_address()).or_else(|| {
            let addresses = instance.network_interfaces().iter().flat_map(|i| i.ipv6_addresses());
            addresses.filter_map(|a| some(a.ipv6_address())).next()
        }),
        _ if some(instance.vpc_id()).is_some() => {
            some(instance.public_ip_address()).or_else(|| some(instance.private_ip_address()))
        }
        _ => some(instance.public_dns_name()).or_else(|| some(instance.public_ip_address())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> Described {
        Described::builder()
            .vpc_id("vpc-1")
            .public_ip_address("192.0.2.1")
            .private_ip_address("10.0.0.1")
            .public_dns_name("ec2.example")
            .private_dns_name("")
            .build()
    }

    #[test]
    fn the_interface_that_is_asked_for_gives_the_address() {
        assert_eq!(address(&machine(), "").as_deref(), Some("192.0.2.1"));
        assert_eq!(address(&machine(), "private_ip").as_deref(), Some("10.0.0.1"));
        assert_eq!(address(&machine(), "public_dns").as_deref(), Some("ec2.example"));
        assert_eq!(address(&machine(), "private_dns"), None);
        assert_eq!(address(&machine(), "ipv6"), None);
    }

    #[test]
    fn without_a_public_address_the_private_one_is_taken() {
        let machine = Described::builder().vpc_id("vpc-1").private_ip_address("10.0.0.1").build();
        assert_eq!(address(&machine, "").as_deref(), Some("10.0.0.1"));
        assert_eq!(address(&machine, "public_ip"), None);
    }
}
