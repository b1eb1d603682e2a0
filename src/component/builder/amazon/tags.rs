//! Tags: the template's, rendered, and kiln's own on what is temporary.

use std::collections::BTreeMap;

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use jiff::{SignedDuration, Timestamp};

use crate::component::contract::StepContext;

/// Sorted by key, so that equal tags are asked for in equal calls.
pub type Tags = BTreeMap<String, String>;

/// How long after its last sign of life others may take a thing for abandoned.
const IN_USE: SignedDuration = SignedDuration::from_hours(12);

/// The tag that [`until`] is the value of.
pub const UNTIL: &str = "kiln:until";

/// The tags that say whose a temporary thing is; none where the user turned them off.
pub fn kiln(cx: &StepContext) -> Tags {
    if !cx.options.kiln_tags {
        return Tags::new();
    }
    Tags::from([
        ("kiln:run".to_owned(), cx.run.to_string()),
        ("kiln:build".to_owned(), cx.build.id.to_string()),
        ("kiln:host".to_owned(), cx.host.clone()),
        (UNTIL.to_owned(), until(Timestamp::now())),
    ])
}

/// Until when a thing that lives at `now` counts as in use: RFC 3339, in UTC.
pub fn until(now: Timestamp) -> String {
    let end = now.checked_add(IN_USE).unwrap_or(now);
    Timestamp::from_second(end.as_second()).unwrap_or(end).to_string()
}

/// The template's tags and kiln's; the template wins.
pub fn with(template: &Tags, mut kiln: Tags) -> Tags {
    kiln.extend(template.clone());
    kiln
}

pub fn to_ec2(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// For create calls; `None` when there is nothing to say.
pub fn specification(of: ResourceType, tags: &Tags) -> Option<TagSpecification> {
    (!tags.is_empty()).then(|| TagSpecification::builder().resource_type(of).set_tags(Some(to_ec2(tags))).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_counts_as_in_use_for_twelve_hours() {
        let now: Timestamp = "2026-11-22T16:15:33.25Z".parse().unwrap();
        assert_eq!(until(now), "2026-11-23T04:15:33Z");
    }

    #[test]
    fn the_template_wins_over_kilns_tags() {
        let template = Tags::from([("kiln:host".into(), "mine".into()), ("Name".into(), "web".into())]);
        let both = with(&template, Tags::from([("kiln:host".into(), "h".into()), ("kiln:run".into(), "r".into())]));
        assert_eq!(both["kiln:host"], "mine");
        assert_eq!(both.len(), 3);
    }

    #[test]
    fn no_tags_make_no_specification() {
        assert_eq!(specification(ResourceType::Image, &Tags::new()), None);
    }
}
