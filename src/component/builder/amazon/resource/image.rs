//! Images that do not become the result: intermediate ones always, the others when the build fails or is cancelled.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ec2::types::{Filter, Image as Described};
use futures_util::FutureExt as _;
use jiff::Timestamp;

use super::{Found, IMAGE as IMAGE_KIND, INTERMEDIATE_IMAGE, Released, again, clients, gone_is_fine, text};
use crate::cloud::{Region, failure};
use crate::component::builder::amazon::config::AmazonEbs;
use crate::component::builder::amazon::filter::filter;
use crate::component::builder::amazon::learnt::snapshots;
use crate::component::builder::amazon::work::{code, is_not_found};
use crate::component::config::decode;
use crate::component::contract::{ReleaseContext, ResourceKind};
use crate::run::{Failure, Resource};

/// How long AWS may take until it lets a snapshot of a deregistered image go.
const LETTING_GO: Duration = Duration::from_secs(60);

pub static IMAGE: Image = Image { name: IMAGE_KIND, title: "image", after: &[], says: DEREGISTERING };
pub static INTERMEDIATE: Image = Image {
    name: INTERMEDIATE_IMAGE,
    title: "intermediate image",
    // A copy reads its source until it is done or given up.
    after: &[IMAGE_KIND],
    says: "Deregistering the AMI and deleting unencrypted temporary AMIs and snapshots",
};
const DEREGISTERING: &str =
    "Deregistering the AMI and deleting associated snapshots because of cancellation, or error...";

pub struct Image {
    name: &'static str,
    title: &'static str,
    after: &'static [&'static str],
    says: &'static str,
}

impl ResourceKind for Image {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn after(&self) -> &'static [&'static str] {
        self.after
    }

    fn says(&self) -> &'static str {
        self.says
    }

    fn find<'a>(&'a self, resource: &'a Resource, cx: &'a ReleaseContext) -> Found<'a> {
        async move {
            if let Some(id) = &resource.id {
                return Ok(Some(id.clone()));
            }
            let (_, region) = clients(resource, cx).await?;
            let name = text(&resource.find, "name").unwrap_or_default();
            let found = region.ec2.describe_images().owners("self").filters(filter("name", name)).send().await;
            let found = found.map_err(|e| failure(&e, "cannot look up the image"))?;
            let made = found.images().iter().find(|image| is_ours(image, resource));
            Ok(made.and_then(|i| i.image_id()).map(str::to_owned))
        }
        .boxed()
    }

    fn release<'a>(&'a self, resource: &'a Resource, id: &'a str, cx: &'a ReleaseContext) -> Released<'a> {
        async move {
            let (_, region) = clients(resource, cx).await?;
            let behind = snapshots_behind(&region, id, &decode(&cx.config)?).await?;
            let gone = region.ec2.deregister_image().image_id(id).send().await;
            gone_is_fine(gone.map(drop).map_err(|e| failure(&e, &format!("cannot deregister {id}"))))?;
            let in_use = |f: &Failure| code(f) == "InvalidSnapshot.InUse" || code(f) == "IncorrectState";
            let mut left = Ok(());
            for snapshot in behind {
                let deleted = again(cx, LETTING_GO, in_use, || async {
                    let deleted = region.ec2.delete_snapshot().snapshot_id(&snapshot).send().await;
                    gone_is_fine(
                        deleted.map(drop).map_err(|e| failure(&e, &format!("cannot delete the snapshot {snapshot}"))),
                    )
                });
                left = left.and(deleted.await);
            }
            left
        }
        .boxed()
    }

    fn verify_gone<'a>(&'a self, _: &'a Resource, _: &'a str, _: &'a ReleaseContext) -> Released<'a> {
        // AWS's answers to the deletions are the proof.
        std::future::ready(Ok(())).boxed()
    }
}

/// Whether an image of the right name is the one that was about to be made: another may have had the name before, or got it
/// back since.
fn is_ours(image: &Described, resource: &Resource) -> bool {
    let since = text(&resource.find, "since").and_then(|t| t.parse::<Timestamp>().ok());
    let made = image.creation_date().and_then(|t| t.parse::<Timestamp>().ok());
    let young = match (since, made) {
        // AWS's clock and this host's may differ; creation dates have no fractions of a second.
        (Some(since), Some(made)) => made.as_second() >= since.as_second() - 30,
        _ => false,
    };
    match (text(&resource.find, "instance"), image.source_instance_id()) {
        (Some(instance), Some(of)) if !of.is_empty() => instance == of,
        _ => young,
    }
}

/// The snapshots that the template itself names. Images refer to them, but they are not ours to delete.
pub fn named_snapshots(config: &AmazonEbs) -> BTreeSet<String> {
    let devices = config.ami_block_device_mappings.iter().chain(&config.launch_block_device_mappings);
    devices.map(|d| d.snapshot_id.clone()).filter(|id| !id.is_empty()).collect()
}

/// The snapshots that were made for an image. One that is not finished may not list them all yet; AWS's description names the
/// image: `Created by CreateImage(i-…) for ami-…`, `Copied for DestinationAmi ami-… from …`.
pub async fn snapshots_behind(region: &Region, id: &str, config: &AmazonEbs) -> Result<Vec<String>, Failure> {
    let named = named_snapshots(config);
    let mut behind = all_behind(region, id).await?;
    behind.retain(|snapshot| !named.contains(snapshot));
    Ok(behind)
}

async fn all_behind(region: &Region, id: &str) -> Result<Vec<String>, Failure> {
    let found = region.ec2.describe_images().image_ids(id).send().await;
    let found = match found.map_err(|e| failure(&e, "cannot see which snapshots the image has")) {
        Err(failure) if is_not_found(&failure) => None,
        other => Some(other?),
    };
    let image = found.as_ref().and_then(|f| f.images().first());
    let mut ids = image.map(snapshots).unwrap_or_default();
    if image.and_then(|i| i.state()).is_some_and(|s| s.as_str() == "available") {
        return Ok(ids);
    }
    let texts = vec![format!("*for {id}*"), format!("*for DestinationAmi {id}*")];
    let described = Filter::builder().name("description").set_values(Some(texts)).build();
    let more = region.ec2.describe_snapshots().owner_ids("self").filters(described).send().await;
    let more = more.map_err(|e| failure(&e, "cannot see which snapshots the image has"))?;
    for snapshot in more.snapshots().iter().filter_map(|s| s.snapshot_id()) {
        if !ids.iter().any(|id| id == snapshot) {
            ids.push(snapshot.to_owned());
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn resource(find: serde_json::Value) -> Resource {
        Resource {
            key: "b/1/image/r".into(),
            kind: IMAGE_KIND.into(),
            region: "us-east-1".into(),
            build: "b".into(),
            attempt: 1,
            step: "create-image".into(),
            find,
            id: None,
        }
    }

    #[test]
    fn an_image_that_had_the_name_before_is_not_taken_for_ours() {
        let ours = resource(json!({"name": "web", "instance": "i-1", "since": "2026-11-22T16:00:00Z"}));
        let made = |date: &str| Described::builder().name("web").creation_date(date).build();
        assert!(is_ours(&made("2026-11-22T16:00:00.000Z"), &ours));
        assert!(!is_ours(&made("2026-11-22T12:00:00.000Z"), &ours));
        assert!(!is_ours(&Described::builder().name("web").build(), &ours), "without a date nothing is deleted");
    }

    #[test]
    fn snapshots_that_the_template_names_are_not_ours() {
        let config: AmazonEbs = serde_json::from_value(json!({
            "ami_block_device_mappings": [{"device_name": "/dev/sdb", "snapshot_id": "snap-data"}, {"device_name": "/dev/sdc"}],
        }))
        .unwrap();
        assert_eq!(named_snapshots(&config), BTreeSet::from(["snap-data".to_owned()]));
    }

    #[test]
    fn the_machine_that_an_image_was_made_of_decides_where_aws_tells_it() {
        let ours = resource(json!({"name": "web", "instance": "i-1", "since": "2026-11-22T16:00:00Z"}));
        let of =
            |id: &str| Described::builder().creation_date("2026-11-22T16:00:05.000Z").source_instance_id(id).build();
        assert!(is_ours(&of("i-1"), &ours));
        assert!(!is_ours(&of("i-2"), &ours));
    }
}
