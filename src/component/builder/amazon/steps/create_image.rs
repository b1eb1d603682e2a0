//! The image of the machine, and waiting for it.

use std::time::Duration;

use aws_sdk_ec2::types as ec2;
use serde_json::json;

use super::replace;
use crate::cloud::{self, Region, Wait, failure};
use crate::component::builder::amazon::block_device;
use crate::component::builder::amazon::learnt::{Instance, MadeImage, MadeImages, name, snapshots, tag_map};
use crate::component::builder::amazon::names;
use crate::component::builder::amazon::resource::{IMAGE, INTERMEDIATE_IMAGE, gone_is_fine, snapshots_behind};
use crate::component::builder::amazon::tags::{self, Tags};
use crate::component::builder::amazon::work::{Work, code, missing};
use crate::component::contract::Done;
use crate::run::{Failure, FailureKind};

/// How long AWS may take until it believes that the machine is stopped.
const NOT_IN_STATE: Duration = Duration::from_secs(15 * 60);

/// The tags of the finished image and of its snapshots.
pub struct ImageTags {
    pub image: Tags,
    pub snapshots: Tags,
}

impl ImageTags {
    /// Run tags go on the image unless the template says otherwise; its own tags win over them, and on snapshots their own
    /// over both.
    pub fn of(work: &Work<'_>) -> Result<Self, Failure> {
        let config = &work.config;
        let mut image = Tags::new();
        if !config.ami.skip_ami_run_tags {
            image.extend(work.render_tags("run_tags", &config.run.run_tags)?);
        }
        image.extend(work.render_tags("tags", &config.ami.tags)?);
        let mut snapshots = image.clone();
        snapshots.extend(work.render_tags("snapshot_tags", &config.ami.snapshot_tags)?);
        Ok(Self { image, snapshots })
    }

    /// As a create call takes them.
    pub fn specifications(&self) -> Option<Vec<ec2::TagSpecification>> {
        let both = [
            tags::specification(ec2::ResourceType::Image, &self.image),
            tags::specification(ec2::ResourceType::Snapshot, &self.snapshots),
        ];
        let both: Vec<_> = both.into_iter().flatten().collect();
        (!both.is_empty()).then_some(both)
    }
}

/// Makes the image, or one that copies are made of.
pub async fn create(work: &Work<'_>) -> Result<Done, Failure> {
    let cx = work.cx;
    let config = &work.config;
    if config.skip_create_ami {
        cx.say("Skipping AMI creation...");
        return Ok(Done::Skipped("`skip_create_ami` is set".into()));
    }
    let instance: Instance = cx.learnt(name::INSTANCE).ok_or_else(|| missing("the machine"))?;
    take_back(work).await?;
    replace::deregister(work).await?;
    let made = make(work, &instance.id).await;
    if made.is_err() {
        replace::restore(work).await;
    }
    let (image, intermediate) = made?;
    let image = await_image(work, &work.region, image).await?;
    if intermediate {
        cx.learn(name::INTERMEDIATE, &image).await?;
    } else {
        cx.learn(name::IMAGES, &MadeImages::from([(work.region_name().to_owned(), image)])).await?;
    }
    Ok(Done::Done)
}

/// Images of an earlier attempt, from which this one goes on: they have the name, and are not what is wanted any more.
async fn take_back(work: &Work<'_>) -> Result<(), Failure> {
    let cx = work.cx;
    let mut earlier: Vec<(String, MadeImage)> =
        cx.learnt::<MadeImages>(name::IMAGES).unwrap_or_default().into_iter().collect();
    let intermediate: Option<MadeImage> = cx.learnt::<Option<MadeImage>>(name::INTERMEDIATE).flatten();
    earlier.extend(intermediate.map(|image| (work.region_name().to_owned(), image)));
    if earlier.is_empty() {
        return Ok(());
    }
    for (region, image) in earlier {
        let region = work.account.region(&region);
        cx.detail(format!("Taking back {} of the attempt before", image.id));
        let behind = snapshots_behind(&region, &image.id, &work.config).await?;
        let gone = region.ec2.deregister_image().image_id(&image.id).send().await;
        gone_is_fine(gone.map(drop).map_err(|e| failure(&e, &format!("cannot deregister {}", image.id))))?;
        for snapshot in behind {
            let deleted = region.ec2.delete_snapshot().snapshot_id(&snapshot).send().await;
            gone_is_fine(
                deleted.map(drop).map_err(|e| failure(&e, &format!("cannot delete the snapshot {snapshot}"))),
            )?;
        }
        cx.released(&image.key).await?;
    }
    cx.learn(name::IMAGES, &MadeImages::new()).await?;
    cx.learn(name::INTERMEDIATE, &None::<MadeImage>).await
}

async fn make(work: &Work<'_>, instance: &str) -> Result<(MadeImage, bool), Failure> {
    let cx = work.cx;
    let intermediate = work.is_intermediate();
    let image_name = if intermediate { names::intermediate_image() } else { work.image_name().to_owned() };
    cx.say(format!("Creating AMI {image_name} from instance {instance}"));
    let tags = if intermediate {
        let kiln = tags::kiln(cx);
        ImageTags { image: kiln.clone(), snapshots: kiln }
    } else {
        ImageTags::of(work)?
    };
    let kind = if intermediate { INTERMEDIATE_IMAGE } else { IMAGE };
    let find = json!({ "name": image_name, "instance": instance, "since": jiff::Timestamp::now().to_string() });
    let key = cx.intend(kind, work.region_name(), work.region_name(), find).await?;
    let devices = block_device::mappings(&work.config.ami_block_device_mappings);
    let call = work
        .ec2()
        .create_image()
        .instance_id(instance)
        .name(&image_name)
        .set_block_device_mappings((!devices.is_empty()).then_some(devices))
        .set_tag_specifications(tags.specifications());
    let not_stopped_yet = |failure: &Failure| {
        code(failure) == "InvalidParameterValue" && failure.message.contains("Instance is not in state")
            || code(failure) == "IncorrectState"
    };
    let made = work
        .again(NOT_IN_STATE, not_stopped_yet, || async {
            match call.clone().send().await {
                Ok(made) => Ok(made),
                Err(e) => Err(work.region.failure(&e, "Error creating AMI").await),
            }
        })
        .await;
    if let Err(Failure { kind: FailureKind::Aws { .. }, .. }) = &made {
        // AWS refused: there is nothing to find, and what has the name is not ours.
        cx.released(&key).await?;
    }
    let id = made?.image_id().unwrap_or_default().to_owned();
    cx.created(&key, &id).await?;
    cx.detail(format!("AMI: {id}"));
    let asked = tags.snapshots;
    Ok((MadeImage { id, name: image_name, key, snapshot_tags: asked, ..MadeImage::default() }, intermediate))
}

/// Waits until an image is available, and gives it with its snapshots and the tags and description that it really has. One
/// that may still become good stays, when the time is up or AWS cannot be asked any more.
pub async fn await_image(work: &Work<'_>, region: &Region, image: MadeImage) -> Result<MadeImage, Failure> {
    let cx = work.cx;
    let id = &image.id;
    if region.name == *work.region_name() {
        cx.say("Waiting for AMI to become ready...");
    }
    let on_change = |state: &str, percent: Option<u8>| {
        cx.waiting(Some(&format!("{id} in {} is {state}", region.name)));
        if let Some(percent) = percent {
            cx.progress(percent.into(), Some(100), "percent", id);
        }
    };
    let waited = region.image(id, Wait::new(&cx.cancel, &on_change, work.polling())).await;
    cx.waiting(None);
    match waited {
        Err(failure)
            if failure.kind == FailureKind::TimedOut || !(failure.is_cancelled() || is_lost(region, id).await) =>
        {
            cx.kept(&image.key).await?;
            Err(Failure {
                help: Some(format!(
                    "{id} in {} is kept, since it may still become available: `aws ec2 wait image-available --region {} \
                     --image-ids {id}` waits on; deregister it if you do not want it; a longer wait is set by `aws_polling`",
                    region.name, region.name
                )),
                ..failure
            })
        }
        Err(failure) => Err(failure),
        Ok(described) => Ok(MadeImage {
            snapshots: snapshots(&described),
            tags: tag_map(described.tags()),
            description: described.description().unwrap_or_default().to_owned(),
            ..image
        }),
    }
}

/// Whether AWS says that the image will never be good, or does not exist.
async fn is_lost(region: &Region, id: &str) -> bool {
    use ec2::ImageState::{Available, Pending};
    match region.ec2.describe_images().image_ids(id).send().await {
        Ok(found) => !matches!(found.images().first().and_then(|i| i.state()), Some(Available | Pending)),
        Err(e) => cloud::is_not_found(&e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_tags_asks_for_none() {
        let tags = ImageTags { image: Tags::new(), snapshots: Tags::new() };
        assert_eq!(tags.specifications(), None);
    }
}
