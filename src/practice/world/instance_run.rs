//! `RunInstances`: what is asked for is checked as EC2 checks it, and machines are made.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::image::{Ebs, Image};
use super::instance::{Attached, Instance, MetadataOptions, Pace};
use super::key_pair::not_found_by_name;
use super::network::Subnet;
use super::tag::{self, TagSpecification, Tags};
use super::volume::{Mapping, ebs_of};
use super::{Boot, Cx, Effect, instance_describe, instance_state, launch_template, place, rehearsal};
use crate::practice::machine::LayerId;
use crate::practice::wire::refusal::{not_found, well_formed};
use crate::practice::wire::{Refusal, Xml};

/// Machines of one account in one region.
const MOST_INSTANCES: usize = 1000;
const LONGEST_USER_DATA: usize = 16_384;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RunInstances {
    pub image_id: Option<String>,
    pub instance_type: Option<String>,
    pub min_count: i64,
    pub max_count: i64,
    key_name: Option<String>,
    security_group_id: Vec<String>,
    security_group: Vec<String>,
    pub subnet_id: Option<String>,
    pub placement: Placement,
    network_interface: Vec<NetworkInterface>,
    block_device_mapping: Vec<Mapping>,
    user_data: Option<String>,
    iam_instance_profile: Profile,
    pub tag_specification: Vec<TagSpecification>,
    client_token: Option<String>,
    ebs_optimized: bool,
    instance_initiated_shutdown_behavior: Option<String>,
    disable_api_termination: bool,
    disable_api_stop: bool,
    monitoring: Monitoring,
    credit_specification: Credits,
    metadata_options: Metadata,
    pub instance_market_options: Market,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Placement {
    pub availability_zone: Option<String>,
    tenancy: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct NetworkInterface {
    associate_public_ip_address: Option<bool>,
    security_group_id: Vec<String>,
    subnet_id: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Profile {
    arn: Option<String>,
    name: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Monitoring {
    enabled: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Credits {
    cpu_credits: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Metadata {
    pub http_tokens: Option<String>,
    pub http_endpoint: Option<String>,
    pub http_put_response_hop_limit: Option<i64>,
    pub instance_metadata_tags: Option<String>,
    pub http_protocol_ipv6: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Market {
    pub market_type: Option<String>,
}

impl Metadata {
    /// # Errors
    /// For a hop limit outside of 1 to 64.
    pub fn apply(&self, to: &mut MetadataOptions) -> Result<(), Refusal> {
        let set = |field: &mut String, value: &Option<String>| {
            if let Some(value) = value {
                field.clone_from(value);
            }
        };
        set(&mut to.tokens, &self.http_tokens);
        set(&mut to.endpoint, &self.http_endpoint);
        set(&mut to.tags, &self.instance_metadata_tags);
        set(&mut to.ipv6, &self.http_protocol_ipv6);
        if let Some(limit) = self.http_put_response_hop_limit {
            if !(1..=64).contains(&limit) {
                return Err(Refusal::bad_value("HttpPutResponseHopLimit", &limit.to_string()));
            }
            to.hop_limit = limit;
        }
        Ok(())
    }
}

/// The empty text stands for nothing: Packer sends it.
fn given(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|t| !t.is_empty())
}

pub fn run_instances(cx: &mut Cx<'_>, input: Value) -> Result<Xml, Refusal> {
    let input = launch_template::merged(cx, input)?;
    let kinds = ["instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"];
    let spot = input.instance_market_options.market_type.as_deref() == Some("spot");
    let request_tags = tag::specified(&input.tag_specification, "spot-instances-request", &kinds)?;
    if !spot && !request_tags.is_empty() {
        return Err(Refusal::combination(
            "The parameter 'spot-instances-request' of TagSpecification needs the market type 'spot'",
        ));
    }
    let made = launch(cx, &input, spot)?;
    if spot {
        super::spot::record(cx, &made, &request_tags);
    }
    let mut x = Xml::new();
    instance_describe::write_reservation(&mut x, cx, &made);
    Ok(x)
}

struct Checked {
    image: Image,
    layers: Vec<LayerId>,
    kind: place::InstanceType,
    subnet: Subnet,
    groups: Vec<String>,
    public: bool,
    devices: Vec<(String, Ebs)>,
    profile: Option<String>,
    user_data: Option<Vec<u8>>,
    authorized: Option<String>,
    metadata: MetadataOptions,
}

/// Makes the machines; gives their ids. Nothing is made when the request is refused.
pub fn launch(cx: &mut Cx<'_>, input: &RunInstances, spot: bool) -> Result<Vec<String>, Refusal> {
    let count = usize::try_from(input.max_count).unwrap_or_default();
    if input.min_count < 1 || input.max_count < input.min_count {
        return Err(Refusal::invalid(format!(
            "Value ({}) for parameter maxCount is invalid. minCount must be at least 1 and at most maxCount.",
            input.max_count
        )));
    }
    let kinds = ["instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"];
    let tags = tag::specified(&input.tag_specification, "instance", &kinds)?;
    let volume_tags = tag::specified(&input.tag_specification, "volume", &kinds)?;
    let interface_tags = tag::specified(&input.tag_specification, "network-interface", &kinds)?;
    let checked = check(cx, input, spot)?;
    let alive = cx.here().instances.values().filter(|i| !i.is_gone()).count();
    if alive + count > MOST_INSTANCES {
        return Err(Refusal::limit(
            "InstanceLimitExceeded",
            format!(
                "You have requested more instances ({}) than your current instance limit of {MOST_INSTANCES} allows.",
                alive + count
            ),
        ));
    }
    if cx.world.trouble.no_capacity(&checked.subnet.zone, &checked.kind.name, spot) {
        return Err(Refusal::new(
            "InsufficientInstanceCapacity",
            format!(
                "We currently do not have sufficient {} capacity in the Availability Zone you requested ({}). Our system will be \
                 working on provisioning additional capacity.",
                checked.kind.name, checked.subnet.zone
            ),
        )
        .status(500));
    }
    let mut addresses = Vec::new();
    for _ in 0..count {
        addresses.push((cx.outside.reserve)().map_err(|why| {
            Refusal::new("InsufficientFreeAddressesInSubnet", format!("No address for a machine: {why}"))
        })?);
    }
    let reservation = cx.mint("r");
    let mut made = Vec::new();
    for (index, address) in (0_i64..).zip(addresses) {
        let instance = one(cx, input, &checked, &volume_tags, address);
        let instance = Instance { reservation: reservation.clone(), launch_index: index, ..instance };
        let boot = boot(cx, &instance, &checked, &tags);
        let id = instance.id.clone();
        let here = cx.here();
        here.tag(&id, &tags);
        here.tag(&instance.eni, &interface_tags);
        here.instances.insert(id.clone(), instance);
        cx.effect(Effect::Boot { boot: Box::new(boot), fresh: true });
        made.push(id);
    }
    Ok(made)
}

fn check(cx: &mut Cx<'_>, input: &RunInstances, spot: bool) -> Result<Checked, Refusal> {
    let id = given(input.image_id.as_ref()).ok_or_else(|| Refusal::missing("ImageId"))?;
    let (image, state, layers) = cx.usable_image(id)?;
    if state != "available" {
        return Err(Refusal::new("InvalidAMIID.Unavailable", format!("The image ID '{id}' is not available")));
    }
    let kind = given(input.instance_type.as_ref()).unwrap_or("m1.small");
    let kind = place::instance_type(kind)
        .ok_or_else(|| Refusal::invalid(format!("Invalid value '{kind}' for InstanceType.")))?;
    if image.architecture != kind.architecture && !(image.architecture == "i386" && kind.architecture == "x86_64") {
        return Err(Refusal::invalid(format!(
            "The architecture '{}' of the specified instance type does not match the architecture '{}' of the specified AMI. \
             Specify an instance type and an AMI that have matching architectures, and try again.",
            kind.architecture, image.architecture
        )));
    }
    if input.credit_specification.cpu_credits.is_some() && !kind.burstable {
        return Err(Refusal::combination(format!(
            "The specified instance type '{}' does not support the 'CreditSpecification' parameter",
            kind.name
        )));
    }
    let authorized = match given(input.key_name.as_ref()) {
        Some(name) => {
            rehearsal::key_pair(cx, name);
            Some(
                cx.here()
                    .key_pairs
                    .get(name)
                    .map(|k| format!("{} {name}", k.public))
                    .ok_or_else(|| not_found_by_name(name))?,
            )
        }
        None => None,
    };
    let (subnet, groups, public) = network(cx, input, &kind, spot)?;
    let devices = devices(cx, input, &image)?;
    let profile =
        match given(input.iam_instance_profile.name.as_ref()).or(given(input.iam_instance_profile.arn.as_ref())) {
            Some(name) => Some(cx.usable_profile(name)?),
            None => None,
        };
    let user_data = match given(input.user_data.as_ref()) {
        Some(text) => {
            let malformed = |_| Refusal::invalid("Invalid BASE64 encoding of user data.");
            let bytes = STANDARD.decode(text.replace(['\n', '\r'], "")).map_err(malformed)?;
            if bytes.len() > LONGEST_USER_DATA {
                return Err(Refusal::invalid(format!("User data is limited to {LONGEST_USER_DATA} bytes")));
            }
            Some(bytes)
        }
        None => None,
    };
    let mut metadata = MetadataOptions::default();
    if image.imds.as_deref() == Some("v2.0") {
        "required".clone_into(&mut metadata.tokens);
        metadata.hop_limit = 2;
    }
    input.metadata_options.apply(&mut metadata)?;
    Ok(Checked { image, layers, kind, subnet, groups, public, devices, profile, user_data, authorized, metadata })
}

/// Where the machine goes: subnet, groups, and whether it is to be reached from outside.
fn network(
    cx: &mut Cx<'_>,
    input: &RunInstances,
    kind: &place::InstanceType,
    spot: bool,
) -> Result<(Subnet, Vec<String>, bool), Refusal> {
    let interface = input.network_interface.first();
    if interface.is_some() && (given(input.subnet_id.as_ref()).is_some() || !input.security_group_id.is_empty()) {
        return Err(Refusal::combination(
            "Network interfaces and an instance-level subnet ID may not be specified on the same request",
        ));
    }
    let zone = given(input.placement.availability_zone.as_ref()).map(str::to_owned);
    if let Some(zone) = zone.as_ref().filter(|z| !place::zones(&cx.region).contains(z)) {
        return Err(Refusal::invalid(format!("Invalid availability zone: [{zone}]")));
    }
    let asked = given(input.subnet_id.as_ref()).or_else(|| interface.and_then(|i| given(i.subnet_id.as_ref())));
    let subnet = if let Some(id) = asked {
        well_formed(id, "subnet")?;
        rehearsal::subnets(cx, &[id.to_owned()], &[]);
        let subnet = cx.here().subnets.get(id).cloned().ok_or_else(|| not_found(id))?;
        if zone.as_ref().is_some_and(|z| *z != subnet.zone) {
            return Err(Refusal::invalid(format!(
                "The availability zone of the specified subnet ({}) does not match the requested one",
                subnet.zone
            )));
        }
        subnet
    } else {
        let vpc = cx.here().default_vpc().map(|v| v.id.clone()).ok_or_else(|| {
            Refusal::new("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
        })?;
        let mut subnets: Vec<Subnet> =
            cx.here().subnets.values().filter(|s| s.vpc == vpc && s.default).cloned().collect();
        subnets.retain(|s| zone.as_ref().is_none_or(|z| s.zone == *z));
        subnets.sort_by(|a, b| a.zone.cmp(&b.zone));
        // EC2 takes a zone that has what is asked for, where the request names none.
        let free = |s: &&Subnet| !cx.world.trouble.lacks(&s.zone, &kind.name, spot);
        let chosen = subnets.iter().find(free).or(subnets.first()).cloned();
        chosen.ok_or_else(|| Refusal::new("MissingInput", "No default subnet for the availability zone"))?
    };
    let mut groups = interface.map(|i| i.security_group_id.clone()).unwrap_or_default();
    groups.extend(input.security_group_id.iter().filter(|g| !g.is_empty()).cloned());
    rehearsal::groups(cx, &groups, &[]);
    let here = cx.here();
    for name in input.security_group.iter().filter(|g| !g.is_empty()) {
        let found = here.groups.values().find(|g| g.name == *name && g.vpc == subnet.vpc);
        groups.push(found.map(|g| g.id.clone()).ok_or_else(|| {
            Refusal::new("InvalidGroup.NotFound", format!("The security group '{name}' does not exist"))
        })?);
    }
    for id in &groups {
        let group = here.groups.get(id).ok_or_else(|| not_found(id))?;
        if group.vpc != subnet.vpc {
            return Err(Refusal::new(
                "InvalidParameter",
                format!("Security group {id} and subnet {} belong to different networks.", subnet.id),
            ));
        }
    }
    if groups.is_empty() {
        groups.extend(here.groups.values().find(|g| g.vpc == subnet.vpc && g.name == "default").map(|g| g.id.clone()));
    }
    let public = interface.and_then(|i| i.associate_public_ip_address).unwrap_or(subnet.public_on_launch);
    Ok((subnet, groups, public))
}

/// The image's volumes, as the request changes them.
fn devices(cx: &mut Cx<'_>, input: &RunInstances, image: &Image) -> Result<Vec<(String, Ebs)>, Refusal> {
    let mut devices: Vec<(String, Ebs)> =
        image.devices.iter().filter_map(|d| d.ebs.clone().map(|e| (d.name.clone(), e))).collect();
    for mapping in &input.block_device_mapping {
        if mapping.device_name.is_empty() {
            return Err(Refusal::missing("BlockDeviceMapping.DeviceName"));
        }
        let old = devices.iter().position(|(name, _)| *name == mapping.device_name);
        if mapping.no_device.is_some() {
            if mapping.device_name == image.root_device {
                return Err(Refusal::new("InvalidBlockDeviceMapping", "The root device cannot be left out"));
            }
            old.map(|i| devices.remove(i));
            continue;
        }
        // An instance store volume: there is none here, as with instance types that have none.
        let Some(asked) = &mapping.ebs else { continue };
        let mut asked = asked.clone();
        if let Some((_, inherited)) = old.map(|i| &devices[i]) {
            if asked.snapshot_id.is_none() {
                asked.snapshot_id.clone_from(&inherited.snapshot);
            }
            asked.volume_size = asked.volume_size.or(Some(inherited.size));
            if asked.volume_type.is_none() {
                asked.volume_type = Some(inherited.volume_type.clone());
                asked.iops = asked.iops.or(inherited.iops.filter(|_| inherited.volume_type.starts_with("io")));
            }
            asked.delete_on_termination = asked.delete_on_termination.or(Some(inherited.delete_on_termination));
        }
        let ebs = ebs_of(cx, &asked, &mapping.device_name)?;
        match old {
            Some(i) => devices[i].1 = ebs,
            None => devices.push((mapping.device_name.clone(), ebs)),
        }
    }
    Ok(devices)
}

fn one(
    cx: &mut Cx<'_>,
    input: &RunInstances,
    checked: &Checked,
    volume_tags: &Tags,
    address: std::net::Ipv4Addr,
) -> Instance {
    let (id, eni) = (cx.mint("i"), cx.mint("eni"));
    let mut devices = Vec::new();
    for (device, ebs) in &checked.devices {
        let root = *device == checked.image.root_device;
        let layers = if root { checked.layers.clone() } else { snapshot_layers(cx, ebs) };
        let volume = cx.make_volume(ebs, &checked.subnet.zone, layers, volume_tags);
        devices.push(Attached {
            device: device.clone(),
            volume,
            delete_on_termination: ebs.delete_on_termination,
            at: cx.now,
        });
    }
    let timing = cx.world.trouble.timing;
    let windows = checked.image.is_windows();
    let password = if windows { password(checked.authorized.as_deref(), &id) } else { None };
    let profile = checked.profile.clone().map(|p| (p, id.replace("i-", "iip-assoc-")));
    let pace = Pace {
        pending: timing.pending.ms(),
        boot: timing.boot.ms(),
        stopping: timing.stopping.ms(),
        terminating: timing.terminating.ms(),
    };
    Instance {
        id,
        image: checked.image.id.clone(),
        layers: checked.layers.clone(),
        login_user: checked.image.login_user.clone(),
        architecture: checked.image.architecture.clone(),
        instance_type: checked.kind.name.clone(),
        key_name: given(input.key_name.as_ref()).map(str::to_owned),
        authorized_keys: checked.authorized.iter().cloned().collect(),
        address,
        public: checked.public,
        vpc: checked.subnet.vpc.clone(),
        subnet: checked.subnet.id.clone(),
        zone: checked.subnet.zone.clone(),
        groups: checked.groups.clone(),
        eni,
        root_device: checked.image.root_device.clone(),
        devices,
        profile,
        user_data: checked.user_data.as_ref().map(|d| STANDARD.encode(d)),
        launched: cx.now,
        since: cx.now,
        pace,
        client_token: given(input.client_token.as_ref()).map(str::to_owned),
        ebs_optimized: input.ebs_optimized,
        ena: checked.image.ena,
        sriov: checked.image.sriov,
        windows,
        boot_mode: checked.image.boot_mode.clone(),
        image_imds: checked.image.imds.clone(),
        on_shutdown: input.instance_initiated_shutdown_behavior.clone().unwrap_or_else(|| "stop".to_owned()),
        disable_termination: input.disable_api_termination,
        disable_stop: input.disable_api_stop,
        monitoring: input.monitoring.enabled,
        tenancy: given(input.placement.tenancy.as_ref()).unwrap_or("default").to_owned(),
        credits: checked.kind.burstable.then(|| {
            let usual = if checked.kind.name.starts_with("t2") { "standard" } else { "unlimited" };
            given(input.credit_specification.cpu_credits.as_ref()).unwrap_or(usual).to_owned()
        }),
        metadata: checked.metadata.clone(),
        password,
        ..Instance::default()
    }
}

fn snapshot_layers(cx: &mut Cx<'_>, ebs: &Ebs) -> Vec<LayerId> {
    ebs.snapshot.as_ref().and_then(|s| cx.usable_snapshot(s).ok()).map(|s| s.layers).unwrap_or_default()
}

/// What the rim makes a machine from.
fn boot(cx: &mut Cx<'_>, instance: &Instance, checked: &Checked, tags: &Tags) -> Boot {
    let link = instance_state::link(cx.world, instance, Some(tags), cx.now);
    Boot {
        instance: instance.id.clone(),
        layers: instance.layers.clone(),
        address: instance.address,
        hostname: instance.short_hostname(),
        login_user: instance.login_user.clone(),
        authorized_keys: instance.authorized_keys.clone(),
        user_data: checked.user_data.clone(),
        memory_mib: checked.kind.memory_mib,
        link,
    }
}

/// A Windows machine's password, encrypted with its key pair as EC2 does; only RSA keys can.
fn password(authorized: Option<&str>, instance: &str) -> Option<String> {
    use rsa::{BoxedUint, Pkcs1v15Encrypt, RsaPublicKey};
    use russh::keys::ssh_key::{PublicKey, public::KeyData};
    let key = PublicKey::from_openssh(authorized?).ok()?;
    let KeyData::Rsa(key) = key.key_data() else { return None };
    let number = |m: &russh::keys::ssh_key::Mpint| m.as_positive_bytes().map(BoxedUint::from_be_slice_vartime);
    let key = RsaPublicKey::new(number(key.n())?, number(key.e())?).ok()?;
    let password = format!("Practice-{}", super::id::hex(&[b"password", instance.as_bytes()], 12));
    let sealed = key.encrypt(&mut rand::rng(), Pkcs1v15Encrypt, password.as_bytes()).ok()?;
    Some(STANDARD.encode(sealed))
}
