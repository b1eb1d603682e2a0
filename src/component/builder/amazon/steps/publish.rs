//! The finished images in all regions: whom they are shared with, what they say, when they are deprecated. All at once.

use aws_sdk_ec2::operation::modify_image_attribute::builders::ModifyImageAttributeFluentBuilder;
use aws_sdk_ec2::types as ec2;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, join_all};

use super::create_image::ImageTags;
use super::{replace, tag};
use crate::cloud::{Region, failure};
use crate::component::builder::amazon::learnt::{MadeImage, MadeImages, name};
use crate::component::builder::amazon::registration::permissions;
use crate::component::builder::amazon::work::Work;
use crate::component::contract::Done;
use crate::run::Failure;

/// Shares, describes and tags the images; then they are the result, and clean-up leaves them.
pub async fn publish(work: &Work<'_>) -> Result<Done, Failure> {
    let cx = work.cx;
    let images: MadeImages = cx.learnt(name::IMAGES).unwrap_or_default();
    if images.is_empty() {
        return Ok(Done::Skipped("no image was made".into()));
    }
    let description = work.render("ami_description", &work.config.ami.ami_description)?;
    let tags = ImageTags::of(work)?;
    let done =
        join_all(images.iter().map(|(region, image)| publish_one(work, region, image, &description, &tags))).await;
    done.into_iter().collect::<Result<(), Failure>>()?;
    for image in images.values() {
        cx.kept(&image.key).await?;
    }
    replace::forget(work).await?;
    Ok(Done::Done)
}

async fn publish_one(
    work: &Work<'_>,
    region: &str,
    image: &MadeImage,
    description: &str,
    tags: &ImageTags,
) -> Result<(), Failure> {
    let region = work.account.region(region);
    let (attributes, snapshots, tagged, deprecated, protected) = tokio::join!(
        modify(work, &region, image, description),
        share_snapshots(work, &region, image),
        tag::complete(work, &region, image, tags),
        deprecate(work, &region, image),
        protect(work, &region, image),
    );
    attributes.and(snapshots).and(tagged).and(deprecated).and(protected)
}

async fn modify(work: &Work<'_>, region: &Region, image: &MadeImage, description: &str) -> Result<(), Failure> {
    let config = &work.config;
    let call = || region.ec2.modify_image_attribute().image_id(&image.id);
    let mut changes: Vec<(&str, ModifyImageAttributeFluentBuilder)> = Vec::new();
    if !description.is_empty() && description != image.description {
        let value = ec2::AttributeValue::builder().value(description).build();
        changes.push(("description", call().description(value)));
    }
    let add =
        permissions(&config.ami.ami_users, &config.ami.ami_groups, &config.ami.ami_org_arns, &config.ami.ami_ou_arns);
    if !add.is_empty() {
        let change = ec2::LaunchPermissionModifications::builder().set_add(Some(add)).build();
        changes.push(("users", call().launch_permission(change)));
    }
    if !config.ami.ami_product_codes.is_empty() {
        let codes = call().attribute("productCodes").set_product_codes(Some(config.ami.ami_product_codes.clone()));
        changes.push(("product codes", codes));
    }
    if !config.ami.imds_support.is_empty() {
        let value = ec2::AttributeValue::builder().value(&config.ami.imds_support).build();
        changes.push(("imds_support", call().imds_support(value)));
    }
    if changes.is_empty() {
        return Ok(());
    }
    work.cx.say(format!("Modifying attributes on AMI ({})...", image.id));
    let calls = changes.into_iter().map(|(what, call)| {
        for word in said(work, what) {
            work.cx.detail(format!("Modifying: {word}"));
        }
        work.settled(move || {
            let call = call.clone();
            async move {
                let done = call.send().await;
                done.map(drop).map_err(|e| failure(&e, &format!("Error modify AMI attributes: {what} of {}", image.id)))
            }
        })
    });
    join_all(calls).await.into_iter().collect()
}

/// What one call changes, in Packer's words.
fn said(work: &Work<'_>, what: &'static str) -> Vec<&'static str> {
    if what != "users" {
        return vec![what];
    }
    let config = &work.config;
    let lists = [
        ("groups", &config.ami.ami_groups),
        ("users", &config.ami.ami_users),
        ("ami org arns", &config.ami.ami_org_arns),
        ("ami ou arns", &config.ami.ami_ou_arns),
    ];
    lists.into_iter().filter(|(_, list)| !list.is_empty()).map(|(word, _)| word).collect()
}

async fn share_snapshots(work: &Work<'_>, region: &Region, image: &MadeImage) -> Result<(), Failure> {
    let config = &work.config;
    if config.ami.snapshot_users.is_empty() && config.ami.snapshot_groups.is_empty() {
        return Ok(());
    }
    let new = ec2::CreateVolumePermission::builder;
    let users = config.ami.snapshot_users.iter().map(|id| new().user_id(id).build());
    let groups = config.ami.snapshot_groups.iter().map(|group| new().group(group.as_str().into()).build());
    let change =
        ec2::CreateVolumePermissionModifications::builder().set_add(Some(users.chain(groups).collect())).build();
    let calls = image.snapshots.iter().map(|snapshot| {
        work.cx.say(format!("Modifying attributes on snapshot ({snapshot})..."));
        let call = region
            .ec2
            .modify_snapshot_attribute()
            .snapshot_id(snapshot)
            .attribute(ec2::SnapshotAttributeName::CreateVolumePermission)
            .create_volume_permission(change.clone());
        work.settled(move || {
            let call = call.clone();
            async move {
                let done = call.send().await;
                done.map(drop).map_err(|e| failure(&e, &format!("Error modify snapshot attributes of {snapshot}")))
            }
        })
    });
    join_all(calls).await.into_iter().collect()
}

fn deprecate<'a>(work: &'a Work<'_>, region: &'a Region, image: &'a MadeImage) -> BoxFuture<'a, Result<(), Failure>> {
    async move {
        if work.config.ami.deprecate_at.is_empty() {
            return Ok(());
        }
        work.cx.say(format!("Enabling deprecation on AMI ({}) in region {:?} ...", image.id, region.name));
        let at = aws_sdk_ec2::primitives::DateTime::from_str(
            &work.config.ami.deprecate_at,
            aws_sdk_ec2::primitives::DateTimeFormat::DateTimeWithOffset,
        )
        .map_err(|e| Failure::config(format!("`deprecate_at` is no RFC 3339 time: {e}")))?;
        work.settled(|| async {
            let done = region.ec2.enable_image_deprecation().image_id(&image.id).deprecate_at(at).send().await;
            done.map(drop).map_err(|e| failure(&e, &format!("cannot set the deprecation of {}", image.id)))
        })
        .await
    }
    .boxed()
}

async fn protect(work: &Work<'_>, region: &Region, image: &MadeImage) -> Result<(), Failure> {
    let Some(protection) = work.config.ami.deregistration_protection.as_ref().filter(|p| p.is_on()) else {
        return Ok(());
    };
    work.cx.say(format!("Enabling deregistration protection on AMI ({}) in region {:?} ...", image.id, region.name));
    work.settled(|| async {
        let call = region.ec2.enable_image_deregistration_protection().image_id(&image.id);
        let done = call.set_with_cooldown(protection.with_cooldown.then_some(true)).send().await;
        done.map(drop).map_err(|e| failure(&e, &format!("cannot protect {} from deregistration", image.id)))
    })
    .await
}
