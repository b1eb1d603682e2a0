//! Spot requests. They are filled at once, or not at all.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::filter::{self, Filter, Paging};
use super::instance_run::{self, RunInstances};
use super::tag::{self, TagSpecification, Tags};
use super::{Cx, Time, id, place, stamp};
use crate::practice::wire::refusal::not_found;
use crate::practice::wire::{Refusal, Xml};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpotRequest {
    pub id: String,
    pub instance: Option<String>,
    pub image: String,
    pub instance_type: String,
    pub zone: String,
    pub price: String,
    pub made: Time,
    /// `active`, `closed`, `cancelled`, `open`.
    pub state: String,
    pub status: String,
}

impl SpotRequest {
    pub fn close(&mut self, status: &str) {
        if self.state == "active" {
            "closed".clone_into(&mut self.state);
            status.clone_into(&mut self.status);
        }
    }
}

/// Dollars an hour; nobody pays them.
fn price(kind: &str, zone: &str) -> String {
    let cpus = place::instance_type(kind).map_or(2, |t| t.cpus);
    let chance = u32::try_from(id::hash(&[kind.as_bytes(), zone.as_bytes()]) % 1000).unwrap_or_default();
    format!("{:.6}", f64::from(cpus) * 0.01 + f64::from(chance) * 0.000_001)
}

/// Writes down the requests behind spot machines.
pub fn record(cx: &mut Cx<'_>, made: &[String], tags: &Tags) {
    for instance in made {
        let id = cx.mint("sir");
        let now = cx.now;
        let here = cx.here();
        let Some(machine) = here.instances.get_mut(instance) else { continue };
        machine.spot_request = Some(id.clone());
        let request = SpotRequest {
            id: id.clone(),
            instance: Some(instance.clone()),
            image: machine.image.clone(),
            instance_type: machine.instance_type.clone(),
            zone: machine.zone.clone(),
            price: price(&machine.instance_type, &machine.zone),
            made: now,
            state: "active".to_owned(),
            status: "fulfilled".to_owned(),
        };
        here.tag(&id, tags);
        here.spot_requests.insert(id, request);
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RequestSpotInstances {
    spot_price: Option<String>,
    instance_count: Option<i64>,
    launch_specification: Value,
    tag_specification: Vec<TagSpecification>,
}

pub fn request_spot_instances(cx: &mut Cx<'_>, input: RequestSpotInstances) -> Result<Xml, Refusal> {
    let tags = tag::specified(&input.tag_specification, "spot-instances-request", &["spot-instances-request"])?;
    if let Some(price) =
        input.spot_price.as_deref().filter(|p| !p.is_empty() && !p.parse::<f64>().is_ok_and(|p| p > 0.0))
    {
        return Err(Refusal::invalid(format!("Invalid value '{price}' for spotPrice.")));
    }
    let count = input.instance_count.unwrap_or(1);
    if input.launch_specification.is_null() {
        return Err(Refusal::missing("LaunchSpecification"));
    }
    let mut run: RunInstances = super::actions::read(input.launch_specification)?;
    (run.min_count, run.max_count) = (count, count);
    let made = instance_run::launch(cx, &run, true)?;
    record(cx, &made, &tags);
    let here = cx.here();
    let requests = here.spot_requests.values().filter(|r| r.instance.as_ref().is_some_and(|i| made.contains(i)));
    let mut x = Xml::new();
    x.list("spotInstanceRequestSet", requests, |x, r| write(x, r, here.tags(&r.id)));
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SomeRequests {
    spot_instance_request_id: Vec<String>,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

pub fn describe_spot_instance_requests(cx: &mut Cx<'_>, input: SomeRequests) -> Result<Xml, Refusal> {
    let known = [
        "instance-id",
        "launch.image-id",
        "launch.instance-type",
        "spot-instance-request-id",
        "state",
        "status-code",
        "type",
    ];
    filter::check(&input.filter, &known)?;
    for id in &input.spot_instance_request_id {
        cx.existing(id)?;
    }
    let here = cx.here();
    let found = here.spot_requests.values().filter(|r| {
        let attribute = |name: &str| match name {
            "instance-id" => r.instance.iter().cloned().collect(),
            "launch.image-id" => vec![r.image.clone()],
            "launch.instance-type" => vec![r.instance_type.clone()],
            "spot-instance-request-id" => vec![r.id.clone()],
            "state" => vec![r.state.clone()],
            "status-code" => vec![r.status.clone()],
            "type" => vec!["one-time".to_owned()],
            _ => Vec::new(),
        };
        (input.spot_instance_request_id.is_empty() || input.spot_instance_request_id.contains(&r.id))
            && filter::all_hold(&input.filter, here.tags(&r.id), &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) =
        filter::page(found.map(|r| (r.id.clone(), r)).collect(), &paging, 5..=1000, "DescribeSpotInstanceRequests")?;
    let mut x = Xml::new();
    x.list("spotInstanceRequestSet", found, |x, r| write(x, r, here.tags(&r.id)));
    x.opt("nextToken", next);
    Ok(x)
}

pub fn cancel_spot_instance_requests(cx: &mut Cx<'_>, input: SomeRequests) -> Result<Xml, Refusal> {
    for id in &input.spot_instance_request_id {
        cx.here().spot_requests.get(id).ok_or_else(|| not_found(id))?;
    }
    let mut x = Xml::new();
    let here = cx.here();
    x.list("spotInstanceRequestSet", &input.spot_instance_request_id, |x, id| {
        if let Some(request) = here.spot_requests.get_mut(id) {
            "cancelled".clone_into(&mut request.state);
            // The machine lives on.
            "request-canceled-and-instance-running".clone_into(&mut request.status);
        }
        x.text("spotInstanceRequestId", id).text("state", "cancelled");
    });
    Ok(x)
}

fn write(x: &mut Xml, r: &SpotRequest, tags: Option<&Tags>) {
    x.text("spotInstanceRequestId", &r.id).text("spotPrice", &r.price).text("type", "one-time").text("state", &r.state);
    x.node("status", |x| {
        x.text("code", &r.status).text("updateTime", stamp(r.made)).text("message", "Your Spot request is fulfilled.");
    });
    x.node("launchSpecification", |x| {
        x.text("imageId", &r.image).text("instanceType", &r.instance_type);
        x.node("placement", |x| _ = x.text("availabilityZone", &r.zone));
    });
    x.opt("instanceId", r.instance.as_ref()).text("createTime", stamp(r.made)).text("productDescription", "Linux/UNIX");
    x.text("launchedAvailabilityZone", &r.zone).text("instanceInterruptionBehavior", "terminate");
    tag::write(x, tags);
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PriceHistory {
    availability_zone: Option<String>,
    instance_type: Vec<String>,
    product_description: Vec<String>,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

pub fn describe_spot_price_history(cx: &mut Cx<'_>, input: PriceHistory) -> Result<Xml, Refusal> {
    filter::check(
        &input.filter,
        &["availability-zone", "instance-type", "product-description", "spot-price", "timestamp"],
    )?;
    let product = input.product_description.first().cloned().unwrap_or_else(|| "Linux/UNIX".to_owned());
    let mut found = Vec::new();
    let wanted = input.filter.iter().filter(|f| f.name == "instance-type").flat_map(|f| &f.value);
    for kind in input.instance_type.iter().chain(wanted) {
        for zone in place::zones(&cx.region) {
            let attribute = |name: &str| match name {
                "availability-zone" => vec![zone.clone()],
                "instance-type" => vec![kind.clone()],
                "product-description" => vec![product.clone()],
                "spot-price" => vec![price(kind, &zone)],
                _ => vec![stamp(cx.now)],
            };
            let here = input.availability_zone.as_ref().is_none_or(|z| *z == zone);
            if here && place::instance_type(kind).is_some() && filter::all_hold(&input.filter, None, &attribute) {
                found.push((format!("{kind} {zone}"), (kind.clone(), zone.clone())));
            }
        }
    }
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) = filter::page(found, &paging, 1..=1000, "DescribeSpotPriceHistory")?;
    let now = cx.now;
    let mut x = Xml::new();
    x.list("spotPriceHistorySet", found, |x, (kind, zone)| {
        x.text("instanceType", &kind).text("productDescription", &product).text("spotPrice", price(&kind, &zone));
        x.text("timestamp", stamp(now)).text("availabilityZone", zone);
    });
    x.text("nextToken", next.unwrap_or_default());
    Ok(x)
}
