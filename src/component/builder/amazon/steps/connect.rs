//! The link to the machine: which address, which key, and what provisioners may know of it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_ec2::types::{Instance as Described, InstanceStateName};
use futures_util::FutureExt as _;
use tokio::time::Instant;

use super::key_pair;
use crate::cloud::{InstanceGoal, failure};
use crate::component::builder::amazon::learnt::{Instance, KeyPair, name};
use crate::component::builder::amazon::work::{Work, missing};
use crate::component::builder::connect::{Keys, connect};
use crate::component::communicator::Kind;
use crate::component::contract::Done;
use crate::run::Failure;

/// How long an address counts as known: a machine that does not answer for so long may have got another.
const FRESH: Duration = Duration::from_secs(10);

/// Connects to the machine that was just launched.
pub async fn open(work: &Work<'_>) -> Result<(), Failure> {
    if work.config.communicator.kind() == Kind::None {
        return Ok(());
    }
    let instance = machine(work)?;
    let known = instance.address.clone();
    connect_to(work, &instance, known).await
}

/// Connects anew, perhaps much later: the machine may have been stopped, or may be somewhere else by now.
pub async fn again(work: &Work<'_>) -> Result<Done, Failure> {
    if work.config.communicator.kind() == Kind::None {
        return Ok(Done::Done);
    }
    let instance = machine(work)?;
    let found = work.ec2().describe_instances().instance_ids(&instance.id).send().await;
    let found = found.map_err(|e| failure(&e, "cannot see how the instance is"))?;
    let described = found.reservations().iter().flat_map(|r| r.instances()).next();
    let state = described.and_then(|d| d.state()).and_then(|s| s.name());
    if matches!(state, Some(InstanceStateName::Stopped | InstanceStateName::Stopping)) {
        return Ok(Done::Skipped(format!("the instance {} is stopped", instance.id)));
    }
    connect_to(work, &instance, described.and_then(|d| address(d, &work.config.network.ssh_interface))).await?;
    Ok(Done::Done)
}

fn machine(work: &Work<'_>) -> Result<Instance, Failure> {
    work.cx.learnt(name::INSTANCE).ok_or_else(|| missing("the machine"))
}

async fn connect_to(work: &Work<'_>, instance: &Instance, known: Option<String>) -> Result<(), Failure> {
    let cx = work.cx;
    let pair: KeyPair = cx.learnt(name::KEY_PAIR).unwrap_or_default();
    let keys = Keys { temporary: key_pair::private_key(&pair).await? };
    let known = Mutex::new(known.map(|address| (address, Instant::now())));
    let find = || {
        async {
            let ssh_host = &work.config.communicator.ssh_host;
            if !ssh_host.is_empty() {
                return Ok(ssh_host.clone());
            }
            let fresh = known.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some((address, at)) = fresh
                && at.elapsed() < FRESH
            {
                return Ok(address);
            }
            let address = host(work, instance).await?;
            *known.lock().unwrap_or_else(PoisonError::into_inner) = Some((address.clone(), Instant::now()));
            Ok(address)
        }
        .boxed()
    };
    let link = connect(&work.config.communicator, &find, &keys, cx).await?;
    cx.machine.set_communicator(Some(link));
    Ok(())
}

/// The address to connect to, as AWS knows it now.
async fn host(work: &Work<'_>, instance: &Instance) -> Result<String, Failure> {
    let interface = &work.config.network.ssh_interface;
    let described = work.await_instance(&instance.id, InstanceGoal::Running).await?;
    address(&described, interface).ok_or_else(|| {
        let wanted = if interface.is_empty() { "address" } else { interface };
        Failure::config(format!("couldn't determine address for instance: {} has no {wanted}", instance.id)).help(
            "set `associate_public_ip_address` to true, choose a subnet that gives public addresses, \
             or set `ssh_interface` to `private_ip`",
        )
    })
}

/// Packer's choice: what `ssh_interface` says; else, in a VPC, the public address before the private one.
pub fn address(instance: &Described, interface: &str) -> Option<String> {
    let some = |s: Option<&str>| s.filter(|s| !s.is_empty()).map(str::to_owned);
    match interface {
        "public_ip" => some(instance.public_ip_address()),
        "private_ip" => some(instance.private_ip_address()),
        "public_dns" => some(instance.public_dns_name()),
        "private_dns" => some(instance.private_dns_name()),
        "ipv6" => some(instance.ipv6_address()).or_else(|| {
            let mut addresses = instance.network_interfaces().iter().flat_map(|i| i.ipv6_addresses());
            addresses.find_map(|a| some(a.ipv6_address()))
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
