//! The launch template of a spot fleet.

use futures_util::FutureExt as _;

use super::{Found, INSTANCE, LAUNCH_TEMPLATE, Released, clients, gone_is_fine, text};
use crate::cloud::failure;
use crate::component::builder::amazon::work::code;
use crate::component::contract::{ReleaseContext, ResourceKind};
use crate::run::Resource;

pub struct LaunchTemplate;

impl ResourceKind for LaunchTemplate {
    fn name(&self) -> &'static str {
        LAUNCH_TEMPLATE
    }

    fn title(&self) -> &'static str {
        "launch template"
    }

    fn after(&self) -> &'static [&'static str] {
        // An instance whose id was not learnt is found by its launch template.
        &[INSTANCE]
    }

    fn find<'a>(&'a self, resource: &'a Resource, _: &'a ReleaseContext) -> Found<'a> {
        // Its name is unique in the region, and one that does not exist is a success of the release.
        std::future::ready(Ok(text(&resource.find, "name").map(str::to_owned))).boxed()
    }

    fn release<'a>(&'a self, resource: &'a Resource, _: &'a str, cx: &'a ReleaseContext) -> Released<'a> {
        async move {
            let (_, region) = clients(resource, cx).await?;
            let name = text(&resource.find, "name").unwrap_or_default();
            let deleted = region.ec2.delete_launch_template().launch_template_name(name).send().await;
            match deleted.map(drop).map_err(|e| failure(&e, &format!("cannot delete the launch template {name}"))) {
                Err(failure) if code(&failure).contains("NotFound") => Ok(()),
                other => gone_is_fine(other),
            }
        }
        .boxed()
    }

    fn verify_gone<'a>(&'a self, _: &'a Resource, _: &'a str, _: &'a ReleaseContext) -> Released<'a> {
        // AWS's answer to the deletion is the proof.
        std::future::ready(Ok(())).boxed()
    }
}
