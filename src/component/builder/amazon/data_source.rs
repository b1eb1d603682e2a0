//! The data source `amazon-ami`: an image looked up while the template is evaluated (packer.md §4.8).
//!
//! Not here: who asks, and when (`engine::answer`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::config::AccessConfig;
use super::filter::filters;
use super::learnt::SourceImage;
use crate::cloud::{Clouds, failure};
use crate::run::Failure;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AmiData {
    #[serde(flatten)]
    access: AccessConfig,
    filters: BTreeMap<String, Json>,
    owners: Vec<String>,
    most_recent: bool,
    include_deprecated: bool,
}

/// The image that `config`, the attributes of the data source, describes: `id`, `name`, `creation_date`, `owner`, `owner_name`,
/// `tags`.
///
/// # Errors
/// The attributes do not fit, AWS cannot be asked, or not exactly one image is found.
pub async fn ami(config: Json) -> Result<Json, Failure> {
    let data: AmiData = serde_json::from_value(config).map_err(|e| Failure::config(format!("its attributes: {e}")))?;
    if data.filters.is_empty() || data.owners.is_empty() {
        return Err(Failure::config("it needs `filters` and `owners`"));
    }
    let account = Clouds::default().account(&data.access.access()).await?;
    let region = if data.access.region.is_empty() { account.home() } else { &data.access.region };
    let region = account.region(region);
    let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let wanted: BTreeMap<String, String> = data.filters.iter().map(|(k, v)| (k.clone(), text(v))).collect();
    let found = region
        .ec2
        .describe_images()
        .set_filters(Some(filters(&wanted)))
        .set_owners(Some(data.owners.clone()))
        .set_include_deprecated(data.include_deprecated.then_some(true))
        .send()
        .await
        .map_err(|e| failure(&e, "cannot look up the AMI"))?;
    let images: Vec<SourceImage> = found.images().iter().map(SourceImage::from).collect();
    let image = one(&images, data.most_recent)?;
    Ok(json!({
        "id": image.id,
        "name": image.name,
        "creation_date": image.creation_date,
        "owner": image.owner,
        "owner_name": image.owner_name,
        "tags": image.tags,
    }))
}

fn one(images: &[SourceImage], most_recent: bool) -> Result<&SourceImage, Failure> {
    let newest = images.iter().max_by(|a, b| a.creation_date.cmp(&b.creation_date));
    let newest = newest.ok_or_else(|| Failure::config("no AMI was found that matches its filters and owners"))?;
    if images.len() > 1 && !most_recent {
        let message =
            format!("{} AMIs match its filters; set `most_recent` to true, or make them more specific", images.len());
        return Err(Failure::config(message));
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, date: &str) -> SourceImage {
        SourceImage { id: id.into(), creation_date: date.into(), ..SourceImage::default() }
    }

    #[test]
    fn of_several_images_the_newest_is_taken_only_where_that_is_wanted() {
        let images = [image("ami-2", "2020-10-26"), image("ami-1", "2018-11-14")];
        assert_eq!(one(&images, true).unwrap().id, "ami-2");
        assert!(one(&images, false).unwrap_err().message.contains("2 AMIs"));
        assert!(one(&[], true).is_err());
        assert_eq!(one(&images[..1], false).unwrap().id, "ami-2");
    }
}
