//! What the builder makes in the cloud: how each kind is found again, released and verified gone.

mod iam;
mod image;
mod instance;
mod key_pair;
mod launch_template;
mod replaced_image;
mod security_group;
mod volume;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value as Json;

use super::config::AmazonEbs;
use super::work::is_not_found;
use crate::cloud::{Account, Region};
use crate::component::config::decode;
use crate::component::contract::{ReleaseContext, ResourceKind};
use crate::run::{Failure, Resource};

pub use iam::renew as renew_iam;
pub use image::{named_snapshots, snapshots_behind};

pub const INSTANCE: &str = "instance";
pub const VOLUME: &str = "volume";
pub const KEY_PAIR: &str = "key-pair";
pub const SECURITY_GROUP: &str = "security-group";
pub const INSTANCE_PROFILE: &str = "instance-profile";
pub const ROLE: &str = "role";
pub const LAUNCH_TEMPLATE: &str = "launch-template";
pub const IMAGE: &str = "image";
pub const INTERMEDIATE_IMAGE: &str = "intermediate-image";
pub const REPLACED_IMAGE: &str = "replaced-image";

/// Every kind.
pub fn kinds() -> Vec<&'static dyn ResourceKind> {
    vec![
        &instance::Instance,
        &volume::Volume,
        &key_pair::KeyPair,
        &security_group::SecurityGroup,
        &iam::InstanceProfile,
        &iam::Role,
        &launch_template::LaunchTemplate,
        &image::IMAGE,
        &image::INTERMEDIATE,
        &replaced_image::ReplacedImage,
    ]
}

type Released<'a> = BoxFuture<'a, Result<(), Failure>>;
type Found<'a> = BoxFuture<'a, Result<Option<String>, Failure>>;

/// The clients for a thing.
pub async fn clients(resource: &Resource, cx: &ReleaseContext) -> Result<(Arc<Account>, Arc<Region>), Failure> {
    let config: AmazonEbs = decode(&cx.config)?;
    let account = cx.clouds.account(&config.access.access()).await?;
    let region = account.region(&resource.region);
    Ok((account, region))
}

/// A text of what finds a thing again.
fn text<'a>(find: &'a Json, field: &str) -> Option<&'a str> {
    find.get(field)?.as_str().filter(|s| !s.is_empty())
}

/// That it is gone already is a success.
pub fn gone_is_fine(result: Result<(), Failure>) -> Result<(), Failure> {
    match result {
        Err(failure) if is_not_found(&failure) => Ok(()),
        other => other,
    }
}

/// Repeats a release, for at most `limit`, while its failure `passes`: something that is just going still uses the thing.
async fn again<F>(
    cx: &ReleaseContext,
    limit: Duration,
    passes: impl Fn(&Failure) -> bool,
    mut release: impl FnMut() -> F,
) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let start = tokio::time::Instant::now();
    let mut pause = Duration::from_millis(500);
    loop {
        match release().await {
            Err(failure) if passes(&failure) && start.elapsed() + pause < limit => {
                tokio::select! {
                    () = cx.force.cancelled() => return Err(failure),
                    () = tokio::time::sleep(pause) => {}
                }
                pause = (pause * 2).min(Duration::from_secs(5));
            }
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_waits_only_for_kinds_that_there_are() {
        let names: Vec<&str> = kinds().iter().map(|k| k.name()).collect();
        for kind in kinds() {
            for before in kind.after() {
                assert!(names.contains(before), "{} waits for {before}", kind.name());
            }
        }
    }

    #[test]
    fn what_an_instance_uses_goes_after_it() {
        for name in [KEY_PAIR, SECURITY_GROUP, INSTANCE_PROFILE, LAUNCH_TEMPLATE, VOLUME] {
            let kind = kinds().into_iter().find(|k| k.name() == name).unwrap();
            assert!(kind.after().contains(&INSTANCE), "{name}");
        }
    }
}
