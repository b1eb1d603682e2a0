//! Fleets: machines of the first type and zone that has any, from a launch template.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::filter::{self, Filter, Paging};
use super::instance_run::{self, RunInstances};
use super::launch_template::{self, Named, over};
use super::tag::{self, TagSpecification};
use super::{Cx, Time, instance_state, stamp};
use crate::practice::wire::refusal::not_found;
use crate::practice::wire::{Refusal, Xml};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fleet {
    pub id: String,
    pub kind: String,
    pub made: Time,
    pub instances: Vec<String>,
    pub instance_type: String,
    pub spot: bool,
    pub target: i64,
    pub deleted: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateFleet {
    launch_template_configs: Vec<Config>,
    target_capacity_specification: Target,
    #[serde(rename = "Type")]
    kind: Option<String>,
    tag_specification: Vec<TagSpecification>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    launch_template_specification: Named,
    overrides: Vec<Override>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Override {
    instance_type: Option<String>,
    subnet_id: Option<String>,
    availability_zone: Option<String>,
    image_id: Option<String>,
    key_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Target {
    total_target_capacity: i64,
    default_target_capacity_type: Option<String>,
}

struct Problem {
    template: Named,
    kind: String,
    code: String,
    message: String,
}

pub fn create_fleet(cx: &mut Cx<'_>, input: CreateFleet) -> Result<Xml, Refusal> {
    let kinds = ["fleet", "instance", "volume", "spot-instances-request", "network-interface"];
    let tags = tag::specified(&input.tag_specification, "fleet", &kinds)?;
    let target = input.target_capacity_specification.total_target_capacity;
    if !(0..=1000).contains(&target) {
        return Err(Refusal::invalid(format!("Value ({target}) for parameter TotalTargetCapacity is invalid.")));
    }
    let spot = input.target_capacity_specification.default_target_capacity_type.as_deref() != Some("on-demand");
    let id = cx.mint("fleet");
    let (mut made, mut used, mut problems) = (Vec::new(), None, Vec::new());
    'configs: for config in &input.launch_template_configs {
        let named = &config.launch_template_specification;
        let overrides = if config.overrides.is_empty() { vec![Override::default()] } else { config.overrides.clone() };
        for one in overrides {
            if target == 0 {
                break 'configs;
            }
            match launch(cx, named, &one, target, spot, &input.tag_specification, &id) {
                Ok((instances, kind)) => {
                    made = instances;
                    used = Some((named.clone(), kind));
                    break 'configs;
                }
                // Mistakes in the template are told as errors of the fleet, as EC2 does; only an unknown template refuses it.
                Err(refusal) if refusal.code.starts_with("InvalidLaunchTemplate") => return Err(refusal),
                Err(refusal) => problems.push(Problem {
                    template: named.clone(),
                    kind: one.instance_type.clone().unwrap_or_default(),
                    code: refusal.code.into_owned(),
                    message: refusal.message,
                }),
            }
        }
    }
    let fleet = Fleet {
        id: id.clone(),
        kind: input.kind.unwrap_or_else(|| "maintain".to_owned()),
        made: cx.now,
        instances: made.clone(),
        instance_type: used.as_ref().map(|(_, kind)| kind.clone()).unwrap_or_default(),
        spot,
        target,
        deleted: false,
    };
    let here = cx.here();
    here.tag(&id, &tags);
    let instant = fleet.kind == "instant";
    here.fleets.insert(id.clone(), fleet);
    let template = |x: &mut Xml, named: &Named, kind: &str| {
        x.node("launchTemplateAndOverrides", |x| {
            x.node("launchTemplateSpecification", |x| {
                x.opt("launchTemplateId", named.launch_template_id.as_ref());
                x.opt("launchTemplateName", named.launch_template_name.as_ref()).opt("version", named.version.as_ref());
            });
            x.node("overrides", |x| _ = x.some("instanceType", kind));
        });
    };
    let mut x = Xml::new();
    x.text("fleetId", &id);
    x.list("errorSet", problems.iter().filter(|_| instant), |x, p| {
        template(x, &p.template, &p.kind);
        x.text("lifecycle", if spot { "spot" } else { "on-demand" })
            .text("errorCode", &p.code)
            .text("errorMessage", &p.message);
    });
    x.list("fleetInstanceSet", used.iter().filter(|_| instant), |x, (named, kind)| {
        template(x, named, kind);
        x.text("lifecycle", if spot { "spot" } else { "on-demand" })
            .texts("instanceIds", &made)
            .text("instanceType", kind);
    });
    Ok(x)
}

fn launch(
    cx: &mut Cx<'_>,
    named: &Named,
    with: &Override,
    count: i64,
    spot: bool,
    tags: &[TagSpecification],
    fleet: &str,
) -> Result<(Vec<String>, String), Refusal> {
    let given: Vec<(&str, &Option<String>)> = vec![
        ("InstanceType", &with.instance_type),
        ("SubnetId", &with.subnet_id),
        ("ImageId", &with.image_id),
        ("KeyName", &with.key_name),
    ];
    let mut top: serde_json::Map<String, Value> =
        given.into_iter().filter_map(|(k, v)| v.clone().map(|v| (k.to_owned(), Value::from(v)))).collect();
    if let Some(zone) = &with.availability_zone {
        top.insert("Placement".to_owned(), json!({ "AvailabilityZone": zone }));
    }
    let request = over(
        json!({ "LaunchTemplate": {
        "LaunchTemplateId": named.launch_template_id, "LaunchTemplateName": named.launch_template_name, "Version": named.version,
    } }),
        Value::Object(top),
    );
    let mut run: RunInstances = launch_template::merged(cx, request)?;
    (run.min_count, run.max_count) = (count, count);
    run.tag_specification.extend(tags.iter().filter(|t| t.resource_type != "fleet").cloned());
    run.tag_specification.retain(|t| !t.tag.is_empty());
    let kind = run.instance_type.clone().unwrap_or_default();
    let made = instance_run::launch(cx, &run, spot)?;
    if spot {
        let kinds = ["instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"];
        let request_tags = tag::specified(&run.tag_specification, "spot-instances-request", &kinds)?;
        super::spot::record(cx, &made, &request_tags);
    }
    for id in &made {
        cx.here().tags.entry(id.clone()).or_default().insert("aws:ec2:fleet-id".to_owned(), fleet.to_owned());
    }
    Ok((made, kind))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SomeFleets {
    #[serde(deserialize_with = "one_or_many")]
    fleet_id: Vec<String>,
    terminate_instances: bool,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(one) => vec![one],
        Value::Array(many) => many.into_iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    })
}

pub fn describe_fleets(cx: &mut Cx<'_>, input: SomeFleets) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["fleet-state", "type", "activity-status"])?;
    for id in &input.fleet_id {
        cx.existing(id)?;
    }
    let here = cx.here();
    let state = |f: &Fleet| if f.deleted { "deleted" } else { "active" };
    let found = here.fleets.values().filter(|f| {
        let attribute = |name: &str| match name {
            "fleet-state" => vec![state(f).to_owned()],
            "type" => vec![f.kind.clone()],
            _ => vec!["fulfilled".to_owned()],
        };
        // Instant fleets are described only by id.
        (input.fleet_id.contains(&f.id) || (input.fleet_id.is_empty() && f.kind != "instant"))
            && filter::all_hold(&input.filter, here.tags(&f.id), &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) = filter::page(found.map(|f| (f.id.clone(), f)).collect(), &paging, 1..=1000, "DescribeFleets")?;
    let mut x = Xml::new();
    x.list("fleetSet", found, |x, f| {
        x.text("activityStatus", "fulfilled").text("createTime", stamp(f.made)).text("fleetId", &f.id);
        x.text("fleetState", state(f)).text("fulfilledCapacity", f.instances.len()).text("type", &f.kind);
        x.node("targetCapacitySpecification", |x| {
            x.text("totalTargetCapacity", f.target);
            x.text("defaultTargetCapacityType", if f.spot { "spot" } else { "on-demand" });
        });
        tag::write(x, here.tags(&f.id));
    });
    x.opt("nextToken", next);
    Ok(x)
}

pub fn describe_fleet_instances(cx: &mut Cx<'_>, input: SomeFleets) -> Result<Xml, Refusal> {
    let id = input.fleet_id.first().cloned().unwrap_or_default();
    let here = cx.here();
    let fleet = here.fleets.get(&id).ok_or_else(|| not_found(&id))?;
    let mut x = Xml::new();
    x.text("fleetId", &id);
    x.list(
        "activeInstanceSet",
        fleet.instances.iter().filter_map(|i| here.instances.get(i)).filter(|i| !i.is_gone()),
        |x, i| {
            x.text("instanceId", &i.id).text("instanceType", &i.instance_type);
            x.opt("spotInstanceRequestId", i.spot_request.as_ref()).text("instanceHealth", "healthy");
        },
    );
    Ok(x)
}

pub fn delete_fleets(cx: &mut Cx<'_>, input: SomeFleets) -> Result<Xml, Refusal> {
    let mut gone = Vec::new();
    let mut unknown = Vec::new();
    for id in input.fleet_id {
        let Some(fleet) = cx.here().fleets.get_mut(&id) else {
            unknown.push(id);
            continue;
        };
        fleet.deleted = true;
        let instances = fleet.instances.clone();
        for instance in instances.iter().filter(|_| input.terminate_instances) {
            if cx.here().instances.get(instance).is_some_and(|i| !i.is_gone()) {
                instance_state::terminate(cx, instance, "Client.UserInitiatedShutdown", "User initiated shutdown");
            }
        }
        gone.push(id);
    }
    let mut x = Xml::new();
    x.list("successfulFleetDeletionSet", gone, |x, id| {
        let state = if input.terminate_instances { "deleted_terminating" } else { "deleted_running" };
        x.text("currentFleetState", state).text("previousFleetState", "active").text("fleetId", id);
    });
    x.list("unsuccessfulFleetDeletionSet", unknown, |x, id| {
        x.node("error", |x| _ = x.text("code", "fleetIdDoesNotExist").text("message", "The fleet does not exist"));
        x.text("fleetId", id);
    });
    Ok(x)
}
