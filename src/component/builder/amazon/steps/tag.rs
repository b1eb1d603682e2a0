//! Tags of the finished images and their snapshots, where the create calls did not set them.

use futures_util::future::join_all;

use super::create_image::ImageTags;
use crate::cloud::{Region, failure};
use crate::component::builder::amazon::learnt::MadeImage;
use crate::component::builder::amazon::tags::{self, Tags};
use crate::component::builder::amazon::work::Work;
use crate::run::Failure;

/// Says what the tags are, and sets those that the image lacks: a template that was revised since, or an endpoint that takes no
/// tags in its create calls.
pub async fn complete(work: &Work<'_>, region: &Region, image: &MadeImage, tags: &ImageTags) -> Result<(), Failure> {
    let cx = work.cx;
    if tags.image.is_empty() && tags.snapshots.is_empty() {
        return Ok(());
    }
    cx.say(format!("Adding tags to AMI ({})...", image.id));
    for snapshot in &image.snapshots {
        cx.say(format!("Tagging snapshot: {snapshot}"));
    }
    if !tags.image.is_empty() {
        cx.say("Creating AMI tags");
        work.say_tags(&tags.image);
    }
    if !tags.snapshots.is_empty() {
        cx.say("Creating snapshot tags");
        if tags.snapshots != tags.image {
            work.say_tags(&tags.snapshots);
        }
    }
    let complete = tags.image.iter().all(|(key, value)| image.tags.get(key) == Some(value));
    let asked = image.snapshot_tags == tags.snapshots;
    if complete && asked && !tags.image.is_empty() {
        return Ok(());
    }
    let calls: Vec<(Vec<String>, &Tags)> = if complete {
        // Only the snapshots have tags, and of those nothing was seen.
        vec![(image.snapshots.clone(), &tags.snapshots)]
    } else if tags.snapshots == tags.image {
        vec![(std::iter::once(&image.id).chain(&image.snapshots).cloned().collect(), &tags.image)]
    } else {
        vec![(vec![image.id.clone()], &tags.image), (image.snapshots.clone(), &tags.snapshots)]
    };
    let calls = calls.into_iter().filter(|(ids, tags)| !ids.is_empty() && !tags.is_empty()).map(|(ids, tags)| {
        let call = region.ec2.create_tags().set_resources(Some(ids)).set_tags(Some(tags::to_ec2(tags)));
        work.settled(move || {
            let call = call.clone();
            async move {
                let done = call.send().await;
                done.map(drop).map_err(|e| failure(&e, &format!("Error adding tags to {}", image.id)))
            }
        })
    });
    join_all(calls).await.into_iter().collect()
}
