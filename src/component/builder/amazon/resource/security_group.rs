//! The temporary security group.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::{Found, INSTANCE, Released, SECURITY_GROUP, again, clients, gone_is_fine, text};
use crate::cloud::failure;
use crate::component::builder::amazon::filter::filter;
use crate::component::builder::amazon::work::code;
use crate::component::contract::{ReleaseContext, ResourceKind};
use crate::run::Resource;

/// How long a network interface may linger after its machine.
const LINGERING: Duration = Duration::from_secs(180);

pub struct SecurityGroup;

impl ResourceKind for SecurityGroup {
    fn name(&self) -> &'static str {
        SECURITY_GROUP
    }

    fn title(&self) -> &'static str {
        "security group"
    }

    fn after(&self) -> &'static [&'static str] {
        &[INSTANCE]
    }

    fn says(&self) -> &'static str {
        "Deleting temporary security group..."
    }

    fn find<'a>(&'a self, resource: &'a Resource, cx: &'a ReleaseContext) -> Found<'a> {
        async move {
            if let Some(id) = &resource.id {
                return Ok(Some(id.clone()));
            }
            let (_, region) = clients(resource, cx).await?;
            let name = text(&resource.find, "name").unwrap_or_default();
            let found = region.ec2.describe_security_groups().filters(filter("group-name", name)).send().await;
            let found = found.map_err(|e| failure(&e, "cannot look up the temporary security group"))?;
            Ok(found.security_groups().first().and_then(|g| g.group_id()).map(str::to_owned))
        }
        .boxed()
    }

    fn release<'a>(&'a self, resource: &'a Resource, id: &'a str, cx: &'a ReleaseContext) -> Released<'a> {
        async move {
            let (_, region) = clients(resource, cx).await?;
            again(
                cx,
                LINGERING,
                |f| code(f) == "DependencyViolation",
                || async {
                    let deleted = region.ec2.delete_security_group().group_id(id).send().await;
                    gone_is_fine(
                        deleted.map(drop).map_err(|e| failure(&e, &format!("cannot delete the security group {id}"))),
                    )
                },
            )
            .await
        }
        .boxed()
    }

    fn verify_gone<'a>(&'a self, _: &'a Resource, _: &'a str, _: &'a ReleaseContext) -> Released<'a> {
        // AWS's answer to the deletion is the proof.
        std::future::ready(Ok(())).boxed()
    }
}
