//! What exists, in JSON, for people and tests: everything that AWS would have to be asked for region by region.

use serde_json::{Value, json};

use super::account::{PUBLIC, Region};
use super::{Time, World};

impl World {
    /// Each kind of thing as a list; what every account comes with is left out.
    pub fn overview(&self, now: Time) -> Value {
        let mut out: Value = KINDS.iter().map(|kind| ((*kind).to_owned(), json!([]))).collect();
        for (account, region) in self
            .accounts
            .iter()
            .filter(|(id, _)| *id != PUBLIC)
            .flat_map(|(id, a)| a.regions.values().map(move |r| (id, r)))
        {
            for (kind, things) in things(region, now) {
                for mut thing in things {
                    thing["account"] = account.as_str().into();
                    thing["region"] = region.name.as_str().into();
                    let id = thing["id"].as_str().unwrap_or_default().to_owned();
                    thing["tags"] = json!(region.tags(&id));
                    push(&mut out, kind, thing);
                }
            }
        }
        for (id, account) in &self.accounts {
            for role in account.iam.roles.keys() {
                push(&mut out, "roles", json!({ "id": role, "account": id }));
            }
            for profile in account.iam.profiles.keys() {
                push(&mut out, "instance_profiles", json!({ "id": profile, "account": id }));
            }
        }
        out
    }
}

const KINDS: &[&str] = &[
    "instances",
    "images",
    "snapshots",
    "volumes",
    "key_pairs",
    "security_groups",
    "launch_templates",
    "spot_requests",
    "roles",
    "instance_profiles",
];

fn push(out: &mut Value, kind: &str, thing: Value) {
    if let Some(list) = out[kind].as_array_mut() {
        list.push(thing);
    }
}

fn things(r: &Region, now: Time) -> Vec<(&'static str, Vec<Value>)> {
    let instances = r.instances.values().map(|i| {
        json!({ "id": i.id, "state": i.state(now).name(), "address": i.address.to_string(), "image": i.image,
            "type": i.instance_type, "user": i.login_user })
    });
    let images = r.images.values().map(|i| {
        let layers = i.layers(&r.snapshots);
        json!({ "id": i.id, "name": i.name, "state": i.state(&r.snapshots, now), "public": i.public, "users": i.users,
            "layers": layers, "made": i.made, "snapshots": i.snapshots().collect::<Vec<_>>() })
    });
    let snapshots =
        r.snapshots.values().map(|s| json!({ "id": s.id, "state": s.state(now), "encrypted": s.encrypted }));
    let volumes = r.volumes.values().map(|v| json!({ "id": v.id, "size": v.size }));
    let keys = r.key_pairs.values().map(|k| json!({ "id": k.id, "name": k.name }));
    let groups = r.groups.values().filter(|g| g.name != "default").map(|g| json!({ "id": g.id, "name": g.name }));
    let templates = r.launch_templates.values().map(|t| json!({ "id": t.id, "name": t.name }));
    let spot = r.spot_requests.values().map(|s| json!({ "id": s.id, "state": s.state, "instance": s.instance }));
    vec![
        ("instances", instances.collect()),
        ("images", images.collect()),
        ("snapshots", snapshots.collect()),
        ("volumes", volumes.collect()),
        ("key_pairs", keys.collect()),
        ("security_groups", groups.collect()),
        ("launch_templates", templates.collect()),
        ("spot_requests", spot.collect()),
    ]
}
