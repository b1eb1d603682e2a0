//! The `amazon-ebs` builder: an Amazon machine image from a running instance.
//!
//! Its steps look up ([`steps`]), make the key, the group and the profile, launch and connect; then, when the provisioners are
//! done, stop, image, copy and publish. What they learn goes through the journal ([`learnt`]), and what they make is released by
//! its kind ([`resource`]). Not here: the fields ([`config`]) and their rules ([`check`]).

mod block_device;
pub mod check;
pub mod config;
pub mod data_source;
mod filter;
mod learnt;
mod names;
mod options;
mod registration;
mod resource;
mod steps;
mod tags;
mod work;

use std::collections::BTreeSet;
use std::path::PathBuf;

use aws_sdk_ec2::types::Tag;
use futures_util::future::BoxFuture;
use serde_json::Value as Json;

use self::config::AmazonEbs;
use self::learnt::{MadeImages, name};
use self::work::Work;
use crate::cloud::failure;
use crate::component::communicator::Kind as Communication;
use crate::component::config::decode_known;
use crate::component::contract::{
    Builder, CheckContext, Learnt, Outline, OutlineStep, ReleaseContext, ResourceKind, StepContext, StepFuture,
    StepResult,
};
use crate::run::{Artifact, Failure, Image, Resource};
use crate::schema::{Component, Kind};

/// Packer's id of this builder.
const BUILDER_ID: &str = "mitchellh.amazonebs";

/// The `amazon-ebs` builder.
pub struct Ebs;

impl Builder for Ebs {
    fn schema(&self) -> Component {
        Component::from_struct::<AmazonEbs>(Kind::Builder, "amazon-ebs")
    }

    fn check(&self, config: &Json, cx: &mut CheckContext<'_>) {
        check::amazon_ebs(&decode_known(config), cx);
    }

    fn outline(&self, config: &Json) -> Outline {
        outline(&decode_known(config))
    }

    fn build_values(&self) -> &'static [&'static str] {
        &["SourceAMI", "SourceAMIName", "SourceAMICreationDate", "SourceAMIOwner", "SourceAMIOwnerName", "BuildRegion"]
    }

    fn has_communicator(&self, config: &Json) -> bool {
        decode_known::<AmazonEbs>(config).communicator.kind() != Communication::None
    }

    fn files(&self, config: &Json) -> Vec<PathBuf> {
        let file = decode_known::<AmazonEbs>(config).run.user_data_file;
        if file.is_empty() { Vec::new() } else { vec![file.into()] }
    }

    fn step<'a>(&'a self, id: &'a str, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(telling(cx, async move { steps::take(id, &Work::open(config, cx).await?).await }))
    }

    fn reconnect<'a>(&'a self, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(telling(cx, async move { steps::reconnect(&Work::open(config, cx).await?).await }))
    }

    fn artifact(&self, _config: &Json, learnt: &Learnt) -> Option<Artifact> {
        let images: MadeImages = serde_json::from_value(learnt.get(name::IMAGES)?.clone()).ok()?;
        (!images.is_empty()).then(|| artifact(images))
    }

    fn resource_kinds(&self) -> Vec<&'static dyn ResourceKind> {
        resource::kinds()
    }

    fn renew<'a>(&'a self, owned: &'a [Resource], cx: &'a ReleaseContext) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(renew(owned, cx))
    }
}

/// Takes a step, and says meanwhile what keeps its calls from AWS, each trouble once.
async fn telling(cx: &StepContext, step: impl Future<Output = StepResult>) -> StepResult {
    let mut troubles = cx.clouds.troubles();
    let mut told = BTreeSet::new();
    let mut step = std::pin::pin!(step);
    loop {
        tokio::select! {
            biased;
            result = &mut step => return result,
            Ok(trouble) = troubles.recv() => {
                if told.insert(trouble.clone()) {
                    cx.detail(&*trouble);
                }
            }
        }
    }
}

fn outline(config: &AmazonEbs) -> Outline {
    let step = |id, title: &str, reads| OutlineStep { id, title: title.to_owned(), reads };
    let mut prepare = vec![
        step(steps::LOOK_UP, "Check names; find the source image and the network", steps::LOOK_UP_READS),
        step(steps::ACCESS, "Make the key pair, security group and instance profile", steps::ACCESS_READS),
        step(steps::LAUNCH, "Launch the instance", steps::LAUNCH_READS),
    ];
    if config.communicator.kind() != Communication::None {
        prepare.push(step(steps::CONNECT, "Connect", steps::CONNECT_READS));
    }
    let mut finish = vec![step(steps::STOP, "Stop the instance", steps::STOP_READS)];
    if config.ami.sriov_support || config.ami.ena_support.is_some() {
        finish.push(step(steps::MODIFY, "Switch enhanced networking", steps::MODIFY_READS));
    }
    if !config.skip_create_ami {
        finish.push(step(steps::CREATE_IMAGE, "Create the image", steps::CREATE_IMAGE_READS));
        let copies = config.ami.encrypt_boot == Some(true) || !config.ami.ami_regions.is_empty();
        if copies {
            finish.push(step(steps::COPY, "Copy the image", steps::COPY_READS));
        }
        finish.push(step(steps::PUBLISH, "Share and tag the image", steps::PUBLISH_READS));
    }
    Outline { prepare, finish }
}

fn artifact(images: MadeImages) -> Artifact {
    let pairs: Vec<(String, String)> =
        images.iter().map(|(region, image)| (region.clone(), image.id.clone())).collect();
    let lines: Vec<String> = pairs.iter().map(|(region, id)| format!("{region}: {id}")).collect();
    Artifact {
        builder_id: BUILDER_ID.into(),
        id: pairs.iter().map(|(region, id)| format!("{region}:{id}")).collect::<Vec<_>>().join(","),
        description: format!("AMIs were created:\n{}\n", lines.join("\n")),
        images: images
            .into_iter()
            .map(|(region, image)| Image { region, id: image.id, name: image.name, snapshots: image.snapshots })
            .collect(),
        files: Vec::new(),
    }
}

/// Moves `kiln:until` on, one call a region.
async fn renew(owned: &[Resource], cx: &ReleaseContext) -> Result<(), Failure> {
    const TAGGED: [&str; 6] = [
        resource::INSTANCE,
        resource::KEY_PAIR,
        resource::VOLUME,
        resource::SECURITY_GROUP,
        resource::LAUNCH_TEMPLATE,
        resource::INTERMEDIATE_IMAGE,
    ];
    let mut ids = std::collections::BTreeMap::<&str, (Vec<String>, &Resource)>::new();
    for thing in owned.iter().filter(|r| TAGGED.contains(&r.kind.as_str())) {
        if let Some(id) = thing.id.as_ref().filter(|id| id.contains('-')) {
            ids.entry(&thing.region).or_insert_with(|| (Vec::new(), thing)).0.push(id.clone());
        }
    }
    let until = tags::until(jiff::Timestamp::now());
    for thing in owned.iter().filter(|r| r.id.is_some()) {
        resource::renew_iam(thing, &until, cx).await?;
    }
    for (ids, thing) in ids.into_values() {
        let (_, region) = resource::clients(thing, cx).await?;
        let tag = Tag::builder().key(tags::UNTIL).value(&until).build();
        let tagged = region.ec2.create_tags().set_resources(Some(ids)).tags(tag).send().await;
        tagged.map_err(|e| failure(&e, "cannot move `kiln:until` on"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::builder::amazon::learnt::MadeImage;

    fn ids(steps: &[OutlineStep]) -> Vec<&str> {
        steps.iter().map(|s| s.id).collect()
    }

    #[test]
    fn only_the_steps_that_have_something_to_do_are_taken() {
        let plain = outline(&AmazonEbs::default());
        assert_eq!(ids(&plain.prepare), ["look-up", "access", "launch", "connect"]);
        assert_eq!(ids(&plain.finish), ["stop", "create-image", "publish"]);

        let mut config = AmazonEbs { skip_create_ami: true, ..AmazonEbs::default() };
        config.communicator.communicator = "none".into();
        config.ami.ena_support = Some(true);
        let none = outline(&config);
        assert_eq!(ids(&none.prepare), ["look-up", "access", "launch"]);
        assert_eq!(ids(&none.finish), ["stop", "modify"]);

        let mut config = AmazonEbs::default();
        config.ami.encrypt_boot = Some(true);
        assert_eq!(ids(&outline(&config).finish), ["stop", "create-image", "copy", "publish"]);
    }

    #[test]
    fn the_artifact_names_its_images_by_region() {
        let image = |id: &str| MadeImage { id: id.into(), ..MadeImage::default() };
        let images = MadeImages::from([("us-west-2".into(), image("ami-2")), ("eu-west-1".into(), image("ami-1"))]);
        let artifact = artifact(images);
        assert_eq!(artifact.id, "eu-west-1:ami-1,us-west-2:ami-2");
        assert_eq!(artifact.description, "AMIs were created:\neu-west-1: ami-1\nus-west-2: ami-2\n");
    }
}
