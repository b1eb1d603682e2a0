//! What a machine's metadata service tells of it: the tree under `/latest/`.

use base64::Engine as _;
use serde_json::json;

use super::account::Region;
use super::instance::Instance;
use super::{Time, World, iam, id, place, stamp_seconds};

/// The answer to `GET path`; folders list what is in them, one a line.
pub fn answer(world: &mut World, instance: &str, path: &str, now: Time) -> Option<Vec<u8>> {
    let role = role_of(world, instance);
    let (account, home) = world.home_of(instance).map(|(a, h)| (a.to_owned(), h))?;
    let i = home.instances.get(instance)?.clone();
    if i.metadata.endpoint == "disabled" {
        return None;
    }
    let path = path.trim_matches('/');
    let version = path.split('/').next().unwrap_or_default();
    let dated = version.len() == 10 && version.as_bytes()[4] == b'-';
    let rest = if version == "latest" || dated {
        path[version.len()..].trim_start_matches('/')
    } else if path.is_empty() {
        return Some(b"1.0\n2021-07-15\nlatest".to_vec());
    } else {
        return None;
    };
    if rest == "user-data" {
        return base64::engine::general_purpose::STANDARD.decode(i.user_data.as_ref()?).ok();
    }
    let tree = tree(home, &account, &i, role.as_deref(), now);
    lookup(&tree, rest).map(String::into_bytes)
}

fn role_of(world: &mut World, instance: &str) -> Option<String> {
    let (account, home) = world.home_of(instance)?;
    let (profile, _) = home.instances.get(instance)?.profile.clone()?;
    let account = account.to_owned();
    world.accounts.get(&account)?.iam.profiles.get(&profile)?.role.clone()
}

type Leaves = Vec<(String, String)>;

/// A leaf's text, or the names in a folder.
fn lookup(leaves: &Leaves, path: &str) -> Option<String> {
    if let Some((_, text)) = leaves.iter().find(|(name, _)| name == path) {
        return Some(text.clone());
    }
    let folder = if path.is_empty() { String::new() } else { format!("{path}/") };
    let mut names: Vec<String> = Vec::new();
    for rest in leaves.iter().filter_map(|(name, _)| name.strip_prefix(&folder)) {
        let name = match rest.split_once('/') {
            Some((first, _)) => format!("{first}/"),
            None => rest.to_owned(),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // Public keys are listed with their names.
    if path == "meta-data/public-keys" {
        names = leaves.iter().filter(|(n, _)| n == "key-name").map(|(_, text)| format!("0={text}")).collect();
    }
    (!names.is_empty()).then(|| names.join("\n"))
}

fn tree(home: &Region, account: &str, i: &Instance, role: Option<&str>, now: Time) -> Leaves {
    let mut leaves = Leaves::new();
    let mut put = |name: &str, text: String| leaves.push((format!("meta-data/{name}"), text));
    put("ami-id", i.image.clone());
    put("ami-launch-index", i.launch_index.to_string());
    put("ami-manifest-path", "(unknown)".to_owned());
    put("block-device-mapping/ami", i.root_device.trim_start_matches("/dev/").to_owned());
    put("block-device-mapping/root", i.root_device.clone());
    for (n, device) in (1..).zip(i.devices.iter().filter(|d| d.device != i.root_device)) {
        put(&format!("block-device-mapping/ebs{n}"), device.device.trim_start_matches("/dev/").to_owned());
    }
    put("hostname", i.hostname());
    if let Some((profile, _)) = &i.profile {
        let arn = format!("arn:aws:iam::{account}:instance-profile/{profile}");
        let info = json!({"Code": "Success", "LastUpdated": stamp_seconds(now), "InstanceProfileArn": arn,
            "InstanceProfileId": iam::unique_id("AIPA", account, profile)});
        put("iam/info", format!("{info:#}"));
        if let Some(role) = role {
            put(&format!("iam/security-credentials/{role}"), credentials(account, i, role, now));
        }
    }
    if let Some(at) = i.interrupt_at {
        let notice = (at - i.running_from().unwrap_or(at)).div_euclid(2).min(120_000);
        if now >= at - notice {
            put("spot/instance-action", json!({"action": "terminate", "time": stamp_seconds(at)}).to_string());
            put("spot/termination-time", stamp_seconds(at));
        }
    }
    put("instance-action", "none".to_owned());
    put("instance-id", i.id.clone());
    put("instance-life-cycle", if i.spot_request.is_some() { "spot" } else { "on-demand" }.to_owned());
    put("instance-type", i.instance_type.clone());
    put("local-hostname", i.hostname());
    put("local-ipv4", i.address.to_string());
    put("mac", i.mac());
    let interface = format!("network/interfaces/macs/{}", i.mac());
    let cidr = |id: &str| home.subnets.get(id).map(|s| s.cidr.to_string()).unwrap_or_default();
    let groups =
        i.groups.iter().filter_map(|g| home.groups.get(g)).map(|g| g.name.clone()).collect::<Vec<_>>().join("\n");
    put(&format!("{interface}/device-number"), "0".to_owned());
    put(&format!("{interface}/interface-id"), i.eni.clone());
    put(&format!("{interface}/local-ipv4s"), i.address.to_string());
    put(&format!("{interface}/mac"), i.mac());
    put(&format!("{interface}/owner-id"), account.to_owned());
    put(&format!("{interface}/security-group-ids"), i.groups.join("\n"));
    put(&format!("{interface}/security-groups"), groups.clone());
    put(&format!("{interface}/subnet-id"), i.subnet.clone());
    put(&format!("{interface}/subnet-ipv4-cidr-block"), cidr(&i.subnet));
    put(&format!("{interface}/vpc-id"), i.vpc.clone());
    put("placement/availability-zone", i.zone.clone());
    put("placement/availability-zone-id", place::zone_id(&i.zone));
    put("placement/region", home.name.clone());
    put("profile", "default-hvm".to_owned());
    if i.public {
        put("public-hostname", i.address.to_string());
        put("public-ipv4", i.address.to_string());
    }
    for key in &i.authorized_keys {
        put("public-keys/0/openssh-key", key.clone());
    }
    put("reservation-id", i.reservation.clone());
    put("security-groups", groups);
    put("services/domain", "amazonaws.com".to_owned());
    put("services/partition", "aws".to_owned());
    if i.metadata.tags == "enabled" {
        for (key, value) in home.tags(&i.id).into_iter().flatten() {
            put(&format!("tags/instance/{key}"), value.clone());
        }
    }
    let document = json!({
        "accountId": account, "architecture": i.architecture, "availabilityZone": i.zone, "imageId": i.image,
        "instanceId": i.id, "instanceType": i.instance_type, "pendingTime": stamp_seconds(i.launched),
        "privateIp": i.address.to_string(), "region": home.name, "version": "2017-09-30",
    });
    leaves.push(("dynamic/instance-identity/document".to_owned(), format!("{document:#}")));
    leaves.extend(i.key_name.iter().map(|name| ("key-name".to_owned(), name.clone())));
    leaves
}

fn credentials(account: &str, i: &Instance, role: &str, now: Time) -> String {
    // The key names its account, as the endpoint reads it; a new one each hour, good for six.
    let hour = now.div_euclid(3_600_000);
    let secret = id::hex(&[b"role", i.id.as_bytes(), role.as_bytes(), &hour.to_be_bytes()], 40);
    let text = json!({
        "Code": "Success", "LastUpdated": stamp_seconds(hour * 3_600_000), "Type": "AWS-HMAC",
        "AccessKeyId": format!("ASIA{account}ROLE"), "SecretAccessKey": secret, "Token": id::hex(&[secret.as_bytes()], 64),
        "Expiration": stamp_seconds((hour + 6) * 3_600_000),
    });
    format!("{text:#}")
}
