//! How instances are described.

use serde::Deserialize;

use super::account::Region;
use super::filter::{self, Filter, Paging};
use super::instance::{Instance, State};
use super::tag;
use super::{Cx, Time, stamp};
use crate::practice::wire::refusal::{not_found, well_formed};
use crate::practice::wire::{Refusal, Xml};

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeInstances {
    instance_id: Vec<String>,
    include_all_instances: bool,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

const KNOWN: &[&str] = &[
    "architecture",
    "availability-zone",
    "block-device-mapping.attach-time",
    "block-device-mapping.delete-on-termination",
    "block-device-mapping.device-name",
    "block-device-mapping.volume-id",
    "client-token",
    "dns-name",
    "group-id",
    "group-name",
    "hypervisor",
    "iam-instance-profile.arn",
    "iam-instance-profile.name",
    "image-id",
    "instance-id",
    "instance-lifecycle",
    "instance-state-code",
    "instance-state-name",
    "instance-type",
    "instance.group-id",
    "instance.group-name",
    "ip-address",
    "key-name",
    "launch-index",
    "launch-time",
    "monitoring-state",
    "network-interface.network-interface-id",
    "network-interface.subnet-id",
    "owner-id",
    "platform",
    "private-dns-name",
    "private-ip-address",
    "reason",
    "requester-id",
    "reservation-id",
    "root-device-name",
    "root-device-type",
    "source-dest-check",
    "spot-instance-request-id",
    "state-reason-code",
    "state-reason-message",
    "subnet-id",
    "tenancy",
    "virtualization-type",
    "vpc-id",
];

fn chosen<'a>(
    here: &'a Region,
    account: &'a str,
    input: &'a DescribeInstances,
    now: Time,
) -> impl Iterator<Item = &'a Instance> {
    here.instances.values().filter(move |i| {
        (input.instance_id.is_empty() || input.instance_id.contains(&i.id))
            && filter::all_hold(&input.filter, here.tags(&i.id), &|name| attribute(here, account, i, name, now))
    })
}

fn attribute(here: &Region, account: &str, i: &Instance, name: &str, now: Time) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    let reachable = i.public && matches!(i.state(now), State::Running | State::Pending);
    match name {
        "architecture" => one(&i.architecture),
        "availability-zone" => one(&i.zone),
        "block-device-mapping.attach-time" => i.devices.iter().map(|d| stamp(d.at)).collect(),
        "block-device-mapping.delete-on-termination" => {
            i.devices.iter().map(|d| d.delete_on_termination.to_string()).collect()
        }
        "block-device-mapping.device-name" => i.devices.iter().map(|d| d.device.clone()).collect(),
        "block-device-mapping.volume-id" => i.devices.iter().map(|d| d.volume.clone()).collect(),
        "client-token" => i.client_token.iter().cloned().collect(),
        "group-id" | "instance.group-id" => i.groups.clone(),
        "group-name" | "instance.group-name" => {
            i.groups.iter().filter_map(|g| here.groups.get(g)).map(|g| g.name.clone()).collect()
        }
        "hypervisor" => one("xen"),
        "iam-instance-profile.arn" => {
            i.profile.iter().map(|(p, _)| format!("arn:aws:iam::{account}:instance-profile/{p}")).collect()
        }
        "iam-instance-profile.name" => i.profile.iter().map(|(p, _)| p.clone()).collect(),
        "image-id" => one(&i.image),
        "instance-id" => one(&i.id),
        "instance-lifecycle" => i.spot_request.iter().map(|_| "spot".to_owned()).collect(),
        "instance-state-code" => vec![i.state(now).code().to_string()],
        "instance-state-name" => one(i.state(now).name()),
        "instance-type" => one(&i.instance_type),
        "ip-address" | "dns-name" if reachable => vec![i.address.to_string()],
        "key-name" => i.key_name.iter().cloned().collect(),
        "launch-index" => vec![i.launch_index.to_string()],
        "launch-time" => vec![stamp(i.launched)],
        "monitoring-state" => one(if i.monitoring { "enabled" } else { "disabled" }),
        "network-interface.network-interface-id" => one(&i.eni),
        "network-interface.subnet-id" | "subnet-id" => one(&i.subnet),
        "owner-id" => one(account),
        "platform" if i.windows => one("windows"),
        "private-dns-name" => vec![i.hostname()],
        "private-ip-address" => vec![i.address.to_string()],
        "reason" => one(&i.transition),
        "reservation-id" => one(&i.reservation),
        "root-device-name" => one(&i.root_device),
        "root-device-type" => one("ebs"),
        "source-dest-check" => vec![i.source_dest_check.to_string()],
        "spot-instance-request-id" => i.spot_request.iter().cloned().collect(),
        "state-reason-code" => i.reason.iter().map(|r| r.0.clone()).collect(),
        "state-reason-message" => i.reason.iter().map(|r| r.1.clone()).collect(),
        "tenancy" => one(&i.tenancy),
        "virtualization-type" => one("hvm"),
        "vpc-id" => one(&i.vpc),
        _ => Vec::new(),
    }
}

fn check(cx: &mut Cx<'_>, input: &DescribeInstances) -> Result<(), Refusal> {
    if input.max_results.is_some() && !input.instance_id.is_empty() {
        return Err(Refusal::combination("The parameter instancesSet cannot be used with the parameter maxResults"));
    }
    for id in &input.instance_id {
        well_formed(id, "i")?;
        if !cx.here().instances.contains_key(id) {
            return Err(not_found(id));
        }
    }
    Ok(())
}

pub fn describe_instances(cx: &mut Cx<'_>, input: DescribeInstances) -> Result<Xml, Refusal> {
    filter::check(&input.filter, KNOWN)?;
    check(cx, &input)?;
    let (account, now) = (cx.account.clone(), cx.now);
    let here = cx.here();
    // Pages are of instances; those of one reservation stand together on each.
    let found =
        chosen(here, &account, &input, now).map(|i| (format!("{} {:06}", i.reservation, i.launch_index), i)).collect();
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) = filter::page(found, &paging, 5..=1000, &format!("DescribeInstances {:?}", input.filter))?;
    let mut reservations: Vec<(&str, Vec<&Instance>)> = Vec::new();
    for i in found {
        match reservations.last_mut() {
            Some((id, instances)) if *id == i.reservation => instances.push(i),
            _ => reservations.push((&i.reservation, vec![i])),
        }
    }
    let mut x = Xml::new();
    x.list("reservationSet", reservations, |x, (id, instances)| {
        x.text("reservationId", id).text("ownerId", &account).list("groupSet", std::iter::empty::<()>(), |_, ()| {});
        x.list("instancesSet", instances, |x, i| write(x, here, &account, i, now));
    });
    x.opt("nextToken", next);
    Ok(x)
}

/// The reservation that `RunInstances` answers with.
pub fn write_reservation(x: &mut Xml, cx: &mut Cx<'_>, made: &[String]) {
    let (account, now) = (cx.account.clone(), cx.now);
    let here = cx.here();
    let instances: Vec<&Instance> = made.iter().filter_map(|id| here.instances.get(id)).collect();
    x.text("reservationId", instances.first().map(|i| i.reservation.as_str()).unwrap_or_default())
        .text("ownerId", &account);
    x.list("groupSet", std::iter::empty::<()>(), |_, ()| {});
    x.list("instancesSet", instances, |x, i| write(x, here, &account, i, now));
}

fn write(x: &mut Xml, here: &Region, account: &str, i: &Instance, now: Time) {
    let state = i.state(now);
    let there = !matches!(state, State::Terminated);
    let reachable = i.public && matches!(state, State::Running | State::Pending);
    x.text("instanceId", &i.id).text("imageId", &i.image);
    x.node("instanceState", |x| _ = x.text("code", state.code()).text("name", state.name()));
    x.text("privateDnsName", if there { i.hostname() } else { String::new() });
    // A name that resolves: the address itself.
    x.text("dnsName", if reachable { i.address.to_string() } else { String::new() }).text("reason", &i.transition);
    x.opt("keyName", i.key_name.as_ref()).text("amiLaunchIndex", i.launch_index);
    x.list("productCodes", std::iter::empty::<()>(), |_, ()| {});
    x.text("instanceType", &i.instance_type).text("launchTime", stamp(i.launched));
    x.node("placement", |x| {
        x.text("availabilityZone", &i.zone).text("groupName", "").text("tenancy", &i.tenancy);
        x.text("availabilityZoneId", super::place::zone_id(&i.zone));
    });
    x.opt("platform", i.windows.then_some("windows"))
        .text("platformDetails", if i.windows { "Windows" } else { "Linux/UNIX" });
    x.node("monitoring", |x| _ = x.text("state", if i.monitoring { "enabled" } else { "disabled" }));
    if there {
        x.text("subnetId", &i.subnet).text("vpcId", &i.vpc).text("privateIpAddress", i.address);
        x.opt("ipAddress", reachable.then_some(i.address)).text("sourceDestCheck", i.source_dest_check);
    }
    x.list("groupSet", i.groups.iter().filter(|_| there), |x, g| {
        x.text("groupId", g).opt("groupName", here.groups.get(g).map(|g| &g.name));
    });
    if let Some((code, message)) = &i.reason {
        x.node("stateReason", |x| _ = x.text("code", code).text("message", message));
    }
    x.text("architecture", &i.architecture).text("rootDeviceType", "ebs").text("rootDeviceName", &i.root_device);
    x.list("blockDeviceMapping", &i.devices, |x, d| {
        x.text("deviceName", &d.device);
        x.node("ebs", |x| {
            x.text("volumeId", &d.volume).text("status", "attached").text("attachTime", stamp(d.at));
            x.text("deleteOnTermination", d.delete_on_termination);
        });
    });
    x.text("virtualizationType", "hvm").opt("instanceLifecycle", i.spot_request.as_ref().map(|_| "spot"));
    x.opt("spotInstanceRequestId", i.spot_request.as_ref())
        .text("clientToken", i.client_token.as_deref().unwrap_or_default());
    tag::write(x, here.tags(&i.id));
    x.text("hypervisor", "xen");
    x.list("networkInterfaceSet", [i].into_iter().filter(|_| there), |x, i| {
        write_interface(x, here, account, i, reachable);
    });
    if let Some((profile, _)) = &i.profile {
        x.node("iamInstanceProfile", |x| {
            x.text("arn", format!("arn:aws:iam::{account}:instance-profile/{profile}"));
            x.text("id", super::iam::unique_id("AIPA", account, profile));
        });
    }
    x.text("ebsOptimized", i.ebs_optimized)
        .text("enaSupport", i.ena)
        .opt("sriovNetSupport", i.sriov.then_some("simple"));
    x.opt("bootMode", i.boot_mode.as_ref());
    x.node("cpuOptions", |x| {
        let cpus = super::place::instance_type(&i.instance_type).map_or(1, |t| t.cpus);
        x.text("coreCount", (cpus / 2).max(1)).text("threadsPerCore", if cpus > 1 { 2 } else { 1 });
    });
    write_metadata(x, "metadataOptions", i);
    x.node("enclaveOptions", |x| _ = x.text("enabled", false))
        .node("hibernationOptions", |x| _ = x.text("configured", false));
    x.text("usageOperation", if i.windows { "RunInstances:0002" } else { "RunInstances" });
}

pub fn write_metadata(x: &mut Xml, name: &str, i: &Instance) {
    x.node(name, |x| {
        x.text("state", "applied").text("httpTokens", &i.metadata.tokens).text("httpEndpoint", &i.metadata.endpoint);
        x.text("httpPutResponseHopLimit", i.metadata.hop_limit).text("httpProtocolIpv6", &i.metadata.ipv6);
        x.text("instanceMetadataTags", &i.metadata.tags);
    });
}

fn write_interface(x: &mut Xml, here: &Region, account: &str, i: &Instance, reachable: bool) {
    x.text("networkInterfaceId", &i.eni).text("subnetId", &i.subnet).text("vpcId", &i.vpc).text("description", "");
    x.text("ownerId", account).text("status", "in-use").text("macAddress", i.mac()).text("privateIpAddress", i.address);
    x.text("privateDnsName", i.hostname())
        .text("sourceDestCheck", i.source_dest_check)
        .text("interfaceType", "interface");
    x.list("groupSet", &i.groups, |x, g| {
        x.text("groupId", g).opt("groupName", here.groups.get(g).map(|g| &g.name));
    });
    x.node("attachment", |x| {
        x.text("attachmentId", i.eni.replace("eni-", "eni-attach-")).text("deviceIndex", 0).text("status", "attached");
        x.text("attachTime", stamp(i.launched)).text("deleteOnTermination", true);
    });
    let association = |x: &mut Xml| {
        if reachable {
            x.node("association", |x| {
                x.text("publicIp", i.address).text("publicDnsName", i.address).text("ipOwnerId", "amazon");
            });
        }
    };
    association(x);
    x.list("privateIpAddressesSet", [i], |x, i| {
        x.text("privateIpAddress", i.address).text("privateDnsName", i.hostname()).text("primary", true);
        association(x);
    });
}

pub fn describe_instance_status(cx: &mut Cx<'_>, input: DescribeInstances) -> Result<Xml, Refusal> {
    filter::check(
        &input.filter,
        &[
            "availability-zone",
            "instance-state-code",
            "instance-state-name",
            "instance-status.status",
            "system-status.status",
        ],
    )?;
    check(cx, &input)?;
    let (account, now) = (cx.account.clone(), cx.now);
    let here = cx.here();
    let health = |i: &Instance| match i.running_from() {
        Some(at) if at + i.pace.boot <= now => "ok",
        Some(_) => "initializing",
        None => "not-applicable",
    };
    let status = |f: &&Filter| matches!(f.name.as_str(), "instance-status.status" | "system-status.status");
    let found = here.instances.values().filter(|i| {
        let plain: Vec<Filter> = input.filter.iter().filter(|f| !status(f)).cloned().collect();
        (input.instance_id.is_empty() || input.instance_id.contains(&i.id))
            && (input.include_all_instances || i.state(now) == State::Running)
            && filter::all_hold(&plain, here.tags(&i.id), &|name| attribute(here, &account, i, name, now))
            && input.filter.iter().filter(status).all(|f| f.value.iter().any(|v| filter::matches(v, health(i))))
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) =
        filter::page(found.map(|i| (i.id.clone(), i)).collect(), &paging, 5..=1000, "DescribeInstanceStatus")?;
    let mut x = Xml::new();
    x.list("instanceStatusSet", found, |x, i| {
        let state = i.state(now);
        x.text("instanceId", &i.id).text("availabilityZone", &i.zone);
        x.list("eventsSet", i.interrupt_at, |x, at| {
            x.text("code", "instance-stop")
                .text("description", "The machine will be taken back")
                .text("notBefore", stamp(at));
        });
        x.node("instanceState", |x| _ = x.text("code", state.code()).text("name", state.name()));
        for name in ["systemStatus", "instanceStatus"] {
            x.node(name, |x| {
                x.text("status", health(i));
                let detail = if health(i) == "ok" { "passed" } else { "initializing" };
                x.list("details", [detail], |x, d| _ = x.text("name", "reachability").text("status", d));
            });
        }
    });
    x.opt("nextToken", next);
    Ok(x)
}
