//! Copies of the image: into other regions, and encrypted ones.

use futures_util::future::join_all;
use serde_json::json;

use super::create_image::{ImageTags, await_image};
use crate::cloud::failure;
use crate::component::builder::amazon::config::AmiConfig;
use crate::component::builder::amazon::learnt::{MadeImage, MadeImages, name};
use crate::component::builder::amazon::resource::IMAGE;
use crate::component::builder::amazon::work::{Work, missing};
use crate::component::contract::Done;
use crate::run::{Failure, FailureKind};

/// Makes all copies at once; the first failure is the answer when all have ended.
pub async fn copy(work: &Work<'_>) -> Result<Done, Failure> {
    let cx = work.cx;
    let intermediate: Option<MadeImage> = cx.learnt::<Option<MadeImage>>(name::INTERMEDIATE).flatten();
    let mut images: MadeImages = cx.learnt(name::IMAGES).unwrap_or_default();
    let source = intermediate.or_else(|| images.get(work.region_name()).cloned());
    let Some(source) = source else {
        return if work.config.skip_create_ami {
            Ok(Done::Skipped("no image was made".into()))
        } else {
            Err(missing("the image"))
        };
    };
    let regions: Vec<String> = work.target_regions().into_iter().filter(|r| !images.contains_key(r)).collect();
    if regions.is_empty() {
        return Ok(Done::Skipped("there is no region to copy to".into()));
    }
    cx.say(format!("Copying/Encrypting AMI ({}) to other regions...", source.id));
    for region in &regions {
        cx.detail(format!("Copying to: {region}"));
    }
    cx.detail("Waiting for all copies to complete...");
    let tags = ImageTags::of(work)?;
    let description = work.render("ami_description", &work.config.ami.ami_description)?;
    let copies = join_all(regions.iter().map(|region| copy_to(work, &source, region, &tags, &description))).await;
    let mut failed = Ok(());
    for (region, copy) in regions.into_iter().zip(copies) {
        match copy {
            Ok(image) => {
                images.insert(region, image);
            }
            Err(failure) => failed = failed.and(Err(failure)),
        }
    }
    // What is done need not be done again when the build goes on from here.
    cx.learn(name::IMAGES, &images).await?;
    failed.map(|()| Done::Done)
}

async fn copy_to(
    work: &Work<'_>,
    source: &MadeImage,
    region: &str,
    tags: &ImageTags,
    description: &str,
) -> Result<MadeImage, Failure> {
    let cx = work.cx;
    let config = &work.config;
    let target = work.account.region(region);
    let image_name = work.image_name().to_owned();
    let encrypted = config.ami.encrypt_boot == Some(true);
    let find = json!({ "name": image_name, "since": jiff::Timestamp::now().to_string() });
    let key = cx.intend(IMAGE, region, region, find).await?;
    let call = target
        .ec2
        .copy_image()
        .client_token(work.token(&format!("copy {region}")))
        .name(&image_name)
        .set_description((!description.is_empty()).then(|| description.to_owned()))
        .source_image_id(&source.id)
        .source_region(work.region_name())
        .set_encrypted(encrypted.then_some(true))
        .set_kms_key_id(key_for(&config.ami, region, work.region_name()).filter(|_| encrypted))
        .set_snapshot_copy_completion_duration_minutes(config.ami.snapshot_copy_duration_minutes.filter(|n| *n > 0))
        .set_tag_specifications(tags.specifications());
    let asked = work
        .settled(|| async {
            let copy = call.clone().send().await;
            copy.map_err(|e| failure(&e, &format!("Error Copying AMI ({}) to region ({region})", source.id)))
        })
        .await;
    if let Err(Failure { kind: FailureKind::Aws { .. }, .. }) = &asked {
        // AWS refused: there is nothing to find, and what has the name is not ours.
        cx.released(&key).await?;
    }
    let copy = asked?;
    let id = copy.image_id().unwrap_or_default().to_owned();
    cx.created(&key, &id).await?;
    await_image(
        work,
        &target,
        MadeImage { id, name: image_name, key, snapshot_tags: tags.snapshots.clone(), ..MadeImage::default() },
    )
    .await
}

/// The KMS key for the copy in a region; `None` is the region's default key. What `region_kms_key_ids` says goes before
/// `kms_key_id`, which is the build region's.
fn key_for(config: &AmiConfig, region: &str, build_region: &str) -> Option<String> {
    let own = config.region_kms_key_ids.get(region);
    let key = own.or((region == build_region).then_some(&config.kms_key_id))?;
    (!key.is_empty()).then(|| key.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regions_own_key_goes_before_the_builds() {
        let mut config = AmiConfig { kms_key_id: "alias/build".into(), ..AmiConfig::default() };
        config.region_kms_key_ids.insert("eu-west-1".into(), "alias/eu".into());
        config.region_kms_key_ids.insert("us-west-2".into(), String::new());
        let key = |config: &AmiConfig, region: &str| key_for(config, region, "us-east-1");
        assert_eq!(key(&config, "us-east-1").as_deref(), Some("alias/build"));
        assert_eq!(key(&config, "eu-west-1").as_deref(), Some("alias/eu"));
        assert_eq!(key(&config, "us-west-2"), None, "empty: the region's default key");
        config.region_kms_key_ids.insert("us-east-1".into(), "alias/east".into());
        assert_eq!(key(&config, "us-east-1").as_deref(), Some("alias/east"));
    }
}
