//! A volume that the source image leaves behind when its machine ends.

use std::time::Duration;

use futures_util::FutureExt as _;

use super::{Found, INSTANCE, Released, VOLUME, again, clients, gone_is_fine};
use crate::cloud::failure;
use crate::component::builder::amazon::work::code;
use crate::component::contract::{ReleaseContext, ResourceKind};
use crate::run::Resource;

/// How long a volume may hang on a machine that has ended.
const DETACHING: Duration = Duration::from_secs(120);

pub struct Volume;

impl ResourceKind for Volume {
    fn name(&self) -> &'static str {
        VOLUME
    }

    fn title(&self) -> &'static str {
        "volume"
    }

    fn after(&self) -> &'static [&'static str] {
        &[INSTANCE]
    }

    fn says(&self) -> &'static str {
        "Cleaning up any extra volumes..."
    }

    fn find<'a>(&'a self, resource: &'a Resource, _: &'a ReleaseContext) -> Found<'a> {
        // It is only ever noted with its id.
        std::future::ready(Ok(resource.id.clone())).boxed()
    }

    fn release<'a>(&'a self, resource: &'a Resource, id: &'a str, cx: &'a ReleaseContext) -> Released<'a> {
        async move {
            let (_, region) = clients(resource, cx).await?;
            again(
                cx,
                DETACHING,
                |f| code(f) == "VolumeInUse",
                || async {
                    let deleted = region.ec2.delete_volume().volume_id(id).send().await;
                    gone_is_fine(deleted.map(drop).map_err(|e| failure(&e, &format!("cannot delete the volume {id}"))))
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
