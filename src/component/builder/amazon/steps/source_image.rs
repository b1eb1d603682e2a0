//! The image that the machine starts from: by id or by filter.

use std::sync::Arc;

use aws_sdk_ec2::types::Image;

use crate::cloud::failure;
use crate::component::builder::amazon::filter::filters;
use crate::component::builder::amazon::learnt::SourceImage;
use crate::component::builder::amazon::work::Work;
use crate::run::Failure;

/// Finds the source image. Builders that ask for the same one share the look-up.
pub async fn find(work: &Work<'_>) -> Result<SourceImage, Failure> {
    let config = &work.config;
    let filter = config.run.source_ami_filter.clone().unwrap_or_default();
    let ids = (!config.run.source_ami.is_empty()).then(|| vec![config.run.source_ami.clone()]);
    let filters = filters(&filter.filters);
    let owners = filter.owners.clone();
    let deprecated = filter.include_deprecated;
    let key = format!("source image {ids:?} {filters:?} {owners:?} {deprecated}");
    let ec2 = work.ec2().clone();
    let images: Arc<Vec<SourceImage>> = work
        .region
        .once(&key, || async move {
            let found = ec2
                .describe_images()
                .set_image_ids(ids)
                .set_filters((!filters.is_empty()).then_some(filters))
                .set_owners((!owners.is_empty()).then_some(owners))
                .set_include_deprecated(deprecated.then_some(true))
                .send()
                .await
                .map_err(|e| failure(&e, "cannot look up the source AMI"))?;
            Ok(Arc::new(found.images().iter().map(source).collect()))
        })
        .await?;
    let image = choose(&images, filter.most_recent)?;
    check(work, &image)?;
    Ok(image)
}

fn source(image: &Image) -> SourceImage {
    SourceImage::from(image)
}

fn choose(images: &[SourceImage], most_recent: bool) -> Result<SourceImage, Failure> {
    let newest = images.iter().max_by(|a, b| a.creation_date.cmp(&b.creation_date));
    match newest {
        None => Err(Failure::config("No AMI was found matching filters")
            .help("check `filters` and `owners` of `source_ami_filter`, and the region; `include_deprecated` also finds images past their deprecation date")),
        Some(_) if images.len() > 1 && !most_recent => {
            let some: Vec<&str> = images.iter().take(5).map(|i| i.id.as_str()).collect();
            Err(Failure::config(format!(
                "`source_ami_filter` matches {} AMIs ({}{})",
                images.len(),
                some.join(", "),
                if images.len() > some.len() { ", …" } else { "" }
            ))
            .help("make the filters more specific, or set `most_recent` to true"))
        }
        Some(image) => Ok(image.clone()),
    }
}

fn check(work: &Work<'_>, image: &SourceImage) -> Result<(), Failure> {
    if image.root_device_type != "ebs" {
        return Err(Failure::config(format!(
            "the root device of the source AMI {} is `{}`, not `ebs`",
            image.id, image.root_device_type
        ))
        .help("amazon-ebs needs a source AMI whose root device is an EBS volume"));
    }
    let wanted = work.config.ami.ami_virtualization_type.as_str();
    let hvm = wanted == "hvm" || (wanted.is_empty() && image.virtualization == "hvm");
    if (work.config.ami.ena_support == Some(true) || work.config.ami.sriov_support) && !hvm {
        return Err(Failure::config(format!(
            "enhanced networking needs an HVM AMI, but the source AMI {} is `{}`",
            image.id, image.virtualization
        ))
        .help("remove `ena_support` and `sriov_support`, or start from an HVM image"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, date: &str) -> SourceImage {
        SourceImage { id: id.into(), creation_date: date.into(), ..SourceImage::default() }
    }

    #[test]
    fn the_most_recent_of_several_is_taken() {
        let images = [image("ami-1", "2018-11-14T12:00:00.000Z"), image("ami-2", "2020-10-26T12:00:00.000Z")];
        assert_eq!(choose(&images, true).unwrap().id, "ami-2");
    }

    #[test]
    fn several_without_most_recent_are_a_mistake_that_names_them() {
        let images = [image("ami-1", "2018"), image("ami-2", "2020")];
        let failure = choose(&images, false).unwrap_err();
        assert!(failure.message.contains("ami-1, ami-2"), "{failure}");
    }

    #[test]
    fn none_is_packers_message() {
        assert_eq!(choose(&[], true).unwrap_err().message, "No AMI was found matching filters");
    }
}
