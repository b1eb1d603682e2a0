//! An image that was deregistered to make room for the new one: while the new one is not good, it is owed to its owner.

use futures_util::FutureExt as _;

use super::{Found, IMAGE, REPLACED_IMAGE, Released, clients};
use crate::cloud::failure;
use crate::component::builder::amazon::filter::filter;
use crate::component::builder::amazon::registration::Registration;
use crate::component::builder::amazon::work::code;
use crate::component::contract::{ReleaseContext, ResourceKind};
use crate::run::{Failure, Resource};

pub struct ReplacedImage;

fn registration(resource: &Resource) -> Result<Registration, Failure> {
    serde_json::from_value(resource.find.clone())
        .map_err(|e| Failure::other(format!("the old registration in the journal cannot be read: {e}")))
}

impl ResourceKind for ReplacedImage {
    fn name(&self) -> &'static str {
        REPLACED_IMAGE
    }

    fn title(&self) -> &'static str {
        "registration of the replaced image"
    }

    fn after(&self) -> &'static [&'static str] {
        // The new image has the name until it is gone.
        &[IMAGE]
    }

    fn says(&self) -> &'static str {
        "Registering the replaced AMI again..."
    }

    /// There is something to do while no image has the name: neither the old one, nor a new one that stays.
    fn find<'a>(&'a self, resource: &'a Resource, cx: &'a ReleaseContext) -> Found<'a> {
        async move {
            let old = registration(resource)?;
            let (_, region) = clients(resource, cx).await?;
            let found = region.ec2.describe_images().owners("self").filters(filter("name", &old.name)).send().await;
            let found = found.map_err(|e| failure(&e, "cannot see whether the old image is registered"))?;
            Ok(found.images().is_empty().then_some(old.id))
        }
        .boxed()
    }

    fn release<'a>(&'a self, resource: &'a Resource, _: &'a str, cx: &'a ReleaseContext) -> Released<'a> {
        async move {
            let (_, region) = clients(resource, cx).await?;
            match registration(resource)?.register(&region.ec2).await {
                // An image has the name again: the old one, or a new one that stays.
                Err(failure) if code(&failure) == "InvalidAMIName.Duplicate" => Ok(()),
                other => other.map(drop),
            }
        }
        .boxed()
    }

    fn verify_gone<'a>(&'a self, _: &'a Resource, _: &'a str, _: &'a ReleaseContext) -> Released<'a> {
        // AWS's answer to the registration is the proof.
        std::future::ready(Ok(())).boxed()
    }
}
