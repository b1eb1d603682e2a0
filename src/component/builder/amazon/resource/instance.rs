//! The machine that is built on.

use aws_sdk_ec2::types::{Filter, Instance as Described};
use futures_util::FutureExt as _;
use serde_json::Value as Json;

use super::{Found, INSTANCE, Released, clients, gone_is_fine, text};
use crate::cloud::{InstanceGoal, Polling, Region, Wait, failure};
use crate::component::builder::amazon::filter::filter;
use crate::component::contract::{ReleaseContext, ResourceKind};
use crate::run::{Failure, Resource};

pub struct Instance;

impl ResourceKind for Instance {
    fn name(&self) -> &'static str {
        INSTANCE
    }

    fn title(&self) -> &'static str {
        "instance"
    }

    fn after(&self) -> &'static [&'static str] {
        &[]
    }

    fn says(&self) -> &'static str {
        "Terminating the source AWS instance..."
    }

    fn find<'a>(&'a self, resource: &'a Resource, cx: &'a ReleaseContext) -> Found<'a> {
        async move {
            if let Some(id) = &resource.id {
                return Ok(Some(id.clone()));
            }
            let (_, region) = clients(resource, cx).await?;
            let template = text(&resource.find, "launch_template");
            let wanted = if resource.find.get("tagged").and_then(Json::as_bool) == Some(true) {
                vec![filter("tag:kiln:run", cx.run.as_str()), filter("tag:kiln:build", resource.build.as_str())]
            } else if let Some(template) = template {
                // A fleet takes no token for its instances; AWS tags them with the template that they were made from.
                let Some(id) = template_id(&region, template).await? else { return Ok(None) };
                vec![filter("tag:aws:ec2launchtemplate:id", &id)]
            } else {
                vec![filter("client-token", text(&resource.find, "token").unwrap_or_default())]
            };
            // Another attempt's instance has the same tags, but not the same token.
            let token = if template.is_none() { text(&resource.find, "token") } else { None };
            living(&region, wanted, token).await
        }
        .boxed()
    }

    fn release<'a>(&'a self, resource: &'a Resource, id: &'a str, cx: &'a ReleaseContext) -> Released<'a> {
        async move {
            let (_, region) = clients(resource, cx).await?;
            gone_is_fine(region.terminate_instance(id).await)
        }
        .boxed()
    }

    fn verify_gone<'a>(&'a self, resource: &'a Resource, id: &'a str, cx: &'a ReleaseContext) -> Released<'a> {
        async move {
            let (_, region) = clients(resource, cx).await?;
            let polling = Polling::default().with_env();
            let wait = Wait::new(&cx.force, &|_, _| {}, polling);
            match region.instance(id, InstanceGoal::Terminated, wait).await {
                Ok(_) => Ok(()),
                // Nobody waits any longer: it is enough that it is on its way.
                Err(failure) if failure.is_cancelled() => is_going(&region, id).await,
                Err(failure) => Err(failure),
            }
        }
        .boxed()
    }
}

async fn template_id(region: &Region, name: &str) -> Result<Option<String>, Failure> {
    let found = region.ec2.describe_launch_templates().filters(filter("launch-template-name", name)).send().await;
    let found = found.map_err(|e| failure(&e, "cannot look up the launch template"))?;
    Ok(found.launch_templates().first().and_then(|t| t.launch_template_id()).map(str::to_owned))
}

async fn living(region: &Region, mut wanted: Vec<Filter>, token: Option<&str>) -> Result<Option<String>, Failure> {
    let states = ["pending", "running", "stopping", "stopped"].map(str::to_owned).to_vec();
    wanted.push(Filter::builder().name("instance-state-name").set_values(Some(states)).build());
    let found = region.ec2.describe_instances().set_filters(Some(wanted)).send().await;
    let found = found.map_err(|e| failure(&e, "cannot look up the instance"))?;
    let mut instances = found.reservations().iter().flat_map(|r| r.instances());
    Ok(instances.find(|i| has_token(i, token)).and_then(|i| i.instance_id()).map(str::to_owned))
}

/// Whether an instance was made by the call with this token, as far as the endpoint tells.
fn has_token(instance: &Described, token: Option<&str>) -> bool {
    match (instance.client_token().filter(|t| !t.is_empty()), token) {
        (Some(has), Some(wanted)) => has == wanted,
        _ => true,
    }
}

/// Whether AWS has taken the termination on.
async fn is_going(region: &Region, id: &str) -> Result<(), Failure> {
    let found = region.ec2.describe_instances().instance_ids(id).send().await;
    let found = found.map_err(|e| failure(&e, "cannot see how the instance is"))?;
    let instance = found.reservations().iter().flat_map(|r| r.instances()).next();
    match instance.and_then(|i| i.state()).and_then(|s| s.name()).map(|n| n.as_str()) {
        None | Some("shutting-down" | "terminated") => Ok(()),
        Some(state) => Err(Failure::other(format!("the instance {id} is still {state}"))
            .help(format!("`aws ec2 terminate-instances --region {} --instance-ids {id}` ends it", region.name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_of_another_call_is_not_taken_for_ours() {
        let made_by = |token: &str| Described::builder().client_token(token).build();
        assert!(has_token(&made_by("a"), Some("a")));
        assert!(!has_token(&made_by("b"), Some("a")));
        assert!(has_token(&made_by("fleet-1"), None), "a fleet chooses its own tokens");
        assert!(has_token(&Described::builder().build(), Some("a")), "an endpoint that does not tell");
    }
}
