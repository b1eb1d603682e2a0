//! The temporary instance profile, and the role in it.

use std::time::Duration;

use aws_sdk_iam::types::Tag;
use futures_util::FutureExt as _;

use super::{Found, INSTANCE, INSTANCE_PROFILE, ROLE, Released, again, clients, gone_is_fine, text};
use crate::cloud::failure;
use crate::component::builder::amazon::tags::UNTIL;
use crate::component::builder::amazon::work::code;
use crate::component::contract::{ReleaseContext, ResourceKind};
use crate::run::{Failure, Resource};

/// How long IAM may take until one call sees what another undid.
const SETTLING: Duration = Duration::from_secs(40);

fn still_settling(failure: &Failure) -> bool {
    code(failure) == "DeleteConflict"
}

/// IAM's things are found by their names, and one that does not exist is a success of the release.
fn named(resource: &Resource) -> Found<'_> {
    std::future::ready(Ok(text(&resource.find, "name").map(str::to_owned))).boxed()
}

fn answered<'a>() -> Released<'a> {
    // IAM's answer to the deletion is the proof.
    std::future::ready(Ok(())).boxed()
}

/// Moves `kiln:until` of a profile or role on; anything else is left alone.
pub async fn renew(resource: &Resource, until: &str, cx: &ReleaseContext) -> Result<(), Failure> {
    let Some(name) = text(&resource.find, "name") else { return Ok(()) };
    let tag = Tag::builder().key(UNTIL).value(until).build();
    let tag = tag.map_err(|e| Failure::other(format!("cannot make the tag `{UNTIL}`: {e}")))?;
    let what = format!("cannot move `{UNTIL}` of {name} on");
    let (account, _) = clients(resource, cx).await?;
    let iam = account.iam();
    match resource.kind.as_str() {
        INSTANCE_PROFILE => {
            let tagged = iam.tag_instance_profile().instance_profile_name(name).tags(tag).send().await;
            tagged.map(drop).map_err(|e| failure(&e, &what))
        }
        ROLE => iam.tag_role().role_name(name).tags(tag).send().await.map(drop).map_err(|e| failure(&e, &what)),
        _ => Ok(()),
    }
}

pub struct InstanceProfile;

impl ResourceKind for InstanceProfile {
    fn name(&self) -> &'static str {
        INSTANCE_PROFILE
    }

    fn title(&self) -> &'static str {
        "instance profile"
    }

    fn after(&self) -> &'static [&'static str] {
        &[INSTANCE]
    }

    fn says(&self) -> &'static str {
        "Deleting temporary instance profile..."
    }

    fn find<'a>(&'a self, resource: &'a Resource, _: &'a ReleaseContext) -> Found<'a> {
        named(resource)
    }

    fn release<'a>(&'a self, resource: &'a Resource, id: &'a str, cx: &'a ReleaseContext) -> Released<'a> {
        async move {
            let (account, _) = clients(resource, cx).await?;
            let iam = account.iam();
            let role = text(&resource.find, "role").unwrap_or(id);
            let removed =
                iam.remove_role_from_instance_profile().instance_profile_name(id).role_name(role).send().await;
            let what = format!("cannot take the role out of the instance profile {id}");
            gone_is_fine(removed.map(drop).map_err(|e| failure(&e, &what)))?;
            again(cx, SETTLING, still_settling, || async {
                let deleted = iam.delete_instance_profile().instance_profile_name(id).send().await;
                gone_is_fine(
                    deleted.map(drop).map_err(|e| failure(&e, &format!("cannot delete the instance profile {id}"))),
                )
            })
            .await
        }
        .boxed()
    }

    fn verify_gone<'a>(&'a self, _: &'a Resource, _: &'a str, _: &'a ReleaseContext) -> Released<'a> {
        answered()
    }
}

pub struct Role;

impl ResourceKind for Role {
    fn name(&self) -> &'static str {
        ROLE
    }

    fn title(&self) -> &'static str {
        "role"
    }

    fn after(&self) -> &'static [&'static str] {
        &[INSTANCE_PROFILE]
    }

    fn says(&self) -> &'static str {
        "Deleting temporary role..."
    }

    fn find<'a>(&'a self, resource: &'a Resource, _: &'a ReleaseContext) -> Found<'a> {
        named(resource)
    }

    fn release<'a>(&'a self, resource: &'a Resource, id: &'a str, cx: &'a ReleaseContext) -> Released<'a> {
        async move {
            let (account, _) = clients(resource, cx).await?;
            let iam = account.iam();
            let policy = text(&resource.find, "policy").unwrap_or(id);
            let removed = iam.delete_role_policy().role_name(id).policy_name(policy).send().await;
            let what = format!("cannot delete the policy of the role {id}");
            gone_is_fine(removed.map(drop).map_err(|e| failure(&e, &what)))?;
            again(cx, SETTLING, still_settling, || async {
                let deleted = iam.delete_role().role_name(id).send().await;
                gone_is_fine(deleted.map(drop).map_err(|e| failure(&e, &format!("cannot delete the role {id}"))))
            })
            .await
        }
        .boxed()
    }

    fn verify_gone<'a>(&'a self, _: &'a Resource, _: &'a str, _: &'a ReleaseContext) -> Released<'a> {
        answered()
    }
}
