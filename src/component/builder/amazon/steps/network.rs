//! Where the machine will stand: VPC, subnet, zone and existing security groups, by id or filter.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_ec2::types::{Filter, LocationType, SecurityGroup, Subnet};

use crate::cloud::failure;
use crate::component::builder::amazon::filter::{filter, filters};
use crate::component::builder::amazon::learnt::Network;
use crate::component::builder::amazon::work::Work;
use crate::run::Failure;

/// Looks up what the template names; what it leaves open stays empty, and AWS chooses.
pub async fn find(work: &Work<'_>) -> Result<Network, Failure> {
    let config = &work.config;
    let mut network = Network {
        vpc: config.network.vpc_id.clone(),
        subnet: config.network.subnet_id.clone(),
        zone: config.network.availability_zone.clone(),
        groups: Vec::new(),
        public_address: config.network.associate_public_ip_address,
    };
    if network.vpc.is_empty() && config.network.vpc_filter.is_some() {
        network.vpc = vpc_by_filter(work).await?;
        work.cx.detail(format!("Found VPC ID: {}", network.vpc));
    }
    if network.subnet.is_empty() && config.network.subnet_filter.is_some() {
        let subnet = subnet_by_filter(work, &network).await?;
        work.cx.detail(format!("Found Subnet ID: {}", subnet.subnet_id().unwrap_or_default()));
        settle(&mut network, &subnet);
    } else if network.subnet.is_empty() && network.public_address.is_some() {
        infer_subnet(work, &mut network).await;
    } else if !network.subnet.is_empty() && (network.zone.is_empty() || network.vpc.is_empty()) {
        let id = network.subnet.clone();
        let found = subnets(work, Some(id.clone()), Vec::new()).await?;
        let subnet = found.first().ok_or_else(|| Failure::config(format!("there is no subnet {id}")))?;
        settle(&mut network, subnet);
    }
    network.groups = groups(work, &network).await?;
    Ok(network)
}

fn settle(network: &mut Network, subnet: &Subnet) {
    network.subnet = subnet.subnet_id().unwrap_or_default().into();
    if network.zone.is_empty() {
        network.zone = subnet.availability_zone().unwrap_or_default().into();
    }
    if network.vpc.is_empty() {
        network.vpc = subnet.vpc_id().unwrap_or_default().into();
    }
}

async fn vpc_by_filter(work: &Work<'_>) -> Result<String, Failure> {
    let mut wanted = filters(&work.config.network.vpc_filter.clone().unwrap_or_default().filters);
    wanted.push(filter("state", "available"));
    let vpcs = vpcs(work, wanted).await?;
    match vpcs.as_slice() {
        [vpc] => Ok(vpc.0.clone()),
        [] => Err(Failure::config("`vpc_filter` matches no VPC").help("check its filters and the region")),
        several => {
            let ids: Vec<&str> = several.iter().map(|v| v.0.as_str()).collect();
            Err(Failure::config(format!("`vpc_filter` matches {} VPCs ({})", several.len(), ids.join(", ")))
                .help("make the filters more specific, or set `vpc_id`"))
        }
    }
}

/// Ids of VPCs, and whether each is the default one.
pub async fn vpcs(work: &Work<'_>, filters: Vec<Filter>) -> Result<Arc<Vec<(String, bool)>>, Failure> {
    let ec2 = work.ec2().clone();
    work.region
        .once(&format!("vpcs {filters:?}"), || async move {
            let found = ec2
                .describe_vpcs()
                .set_filters(Some(filters))
                .send()
                .await
                .map_err(|e| failure(&e, "cannot look up the VPC"))?;
            let ids =
                found.vpcs().iter().map(|v| (v.vpc_id().unwrap_or_default().to_owned(), v.is_default() == Some(true)));
            Ok(Arc::new(ids.collect()))
        })
        .await
}

async fn subnets(work: &Work<'_>, id: Option<String>, filters: Vec<Filter>) -> Result<Arc<Vec<Subnet>>, Failure> {
    let ec2 = work.ec2().clone();
    work.region
        .once(&format!("subnets {id:?} {filters:?}"), || async move {
            let found = ec2
                .describe_subnets()
                .set_subnet_ids(id.map(|id| vec![id]))
                .set_filters((!filters.is_empty()).then_some(filters))
                .send()
                .await
                .map_err(|e| failure(&e, "cannot look up the subnet"))?;
            Ok(Arc::new(found.subnets.unwrap_or_default()))
        })
        .await
}

async fn subnet_by_filter(work: &Work<'_>, network: &Network) -> Result<Subnet, Failure> {
    let config = work.config.network.subnet_filter.clone().unwrap_or_default();
    let mut wanted = filters(&config.filters);
    wanted.push(filter("state", "available"));
    if !network.vpc.is_empty() {
        wanted.push(filter("vpc-id", &network.vpc));
    }
    if !network.zone.is_empty() {
        wanted.push(filter("availability-zone", &network.zone));
    }
    let found = subnets(work, None, wanted).await?;
    if found.len() > 1 && !config.most_free && !config.random {
        return Err(Failure::config(format!("`subnet_filter` matches {} subnets", found.len()))
            .help("make the filters more specific, or set `most_free` or `random` to true"));
    }
    let chosen = if config.most_free || found.len() < 2 {
        found.iter().max_by_key(|s| s.available_ip_address_count())
    } else {
        found.get(rand::random_range(0..found.len()))
    };
    chosen.cloned().ok_or_else(|| {
        Failure::config("`subnet_filter` matches no available subnet").help("check its filters, the VPC and the zone")
    })
}

/// A choice about the public address needs a subnet: takes the one with most free addresses that offers the instance type.
async fn infer_subnet(work: &Work<'_>, network: &mut Network) {
    match inferred(work, network).await {
        Ok(subnet) => settle(network, &subnet),
        Err(why) => {
            work.cx.warn(format!(
                "associate_public_ip_address is ignored: no subnet is set, and none can be inferred: {why}"
            ));
            network.public_address = None;
        }
    }
}

async fn inferred(work: &Work<'_>, network: &Network) -> Result<Subnet, Failure> {
    let vpc = if network.vpc.is_empty() {
        let found = vpcs(work, vec![filter("is-default", "true")]).await?;
        found.first().map(|v| v.0.clone()).ok_or_else(|| Failure::config("there is no default VPC in this region"))?
    } else {
        network.vpc.clone()
    };
    let mut wanted = vec![filter("state", "available"), filter("vpc-id", &vpc)];
    if !network.zone.is_empty() {
        wanted.push(filter("availability-zone", &network.zone));
    }
    let (found, zones) = tokio::join!(subnets(work, None, wanted), zones_with_type(work));
    let (found, zones) = (found?, zones?);
    let usable = found.iter().filter(|s| zones.is_empty() || s.availability_zone().is_some_and(|z| zones.contains(z)));
    usable.max_by_key(|s| s.available_ip_address_count()).cloned().ok_or_else(|| {
        Failure::config(format!("{vpc} has no available subnet in a zone that offers the instance type"))
    })
}

/// The zones that offer the instance type; empty: it is not known which (several types, a spot build).
async fn zones_with_type(work: &Work<'_>) -> Result<Arc<BTreeSet<String>>, Failure> {
    let kind = work.config.run.instance_type.clone();
    if kind.is_empty() {
        return Ok(Arc::default());
    }
    let ec2 = work.ec2().clone();
    work.region
        .once(&format!("zones with {kind}"), || async move {
            let found = ec2
                .describe_instance_type_offerings()
                .location_type(LocationType::AvailabilityZone)
                .filters(filter("instance-type", &kind))
                .send()
                .await
                .map_err(|e| failure(&e, "cannot look up which zones offer the instance type"))?;
            let zones = found.instance_type_offerings().iter().filter_map(|o| o.location().map(str::to_owned));
            Ok(Arc::new(zones.collect()))
        })
        .await
}

/// The security groups that the template names.
async fn groups(work: &Work<'_>, network: &Network) -> Result<Vec<String>, Failure> {
    let config = &work.config;
    let mut ids = config.network.security_group_ids.clone();
    if !config.network.security_group_id.is_empty() {
        ids.insert(0, config.network.security_group_id.clone());
    }
    if !ids.is_empty() {
        describe_groups(work, Some(ids.clone()), Vec::new()).await?;
        return Ok(ids);
    }
    let Some(by_filter) = &config.network.security_group_filter else { return Ok(Vec::new()) };
    let mut wanted = filters(&by_filter.filters);
    if !network.vpc.is_empty() {
        wanted.push(filter("vpc-id", &network.vpc));
    }
    let found = describe_groups(work, None, wanted).await?;
    let mut ids: Vec<String> = found.iter().filter_map(|g| g.group_id().map(str::to_owned)).collect();
    ids.sort();
    if ids.is_empty() {
        return Err(Failure::config("`security_group_filter` matches no security group").help(
            "check its filters and the VPC; without any of the `security_group…` fields kiln makes a temporary group",
        ));
    }
    work.cx.detail(format!("Found Security Group(s): {}", ids.join(", ")));
    Ok(ids)
}

async fn describe_groups(
    work: &Work<'_>,
    ids: Option<Vec<String>>,
    filters: Vec<Filter>,
) -> Result<Arc<Vec<SecurityGroup>>, Failure> {
    let ec2 = work.ec2().clone();
    work.region
        .once(&format!("security groups {ids:?} {filters:?}"), || async move {
            let found = ec2
                .describe_security_groups()
                .set_group_ids(ids)
                .set_filters((!filters.is_empty()).then_some(filters))
                .send()
                .await
                .map_err(|e| failure(&e, "cannot look up the security groups"))?;
            Ok(Arc::new(found.security_groups.unwrap_or_default()))
        })
        .await
}
