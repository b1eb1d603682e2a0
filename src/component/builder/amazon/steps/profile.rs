//! The instance profile: the template's, or a temporary one from its policy document.

use std::time::Duration;

use aws_sdk_iam::types::Tag;
use serde_json::json;

use crate::cloud::failure;
use crate::component::builder::amazon::learnt::name;
use crate::component::builder::amazon::names;
use crate::component::builder::amazon::resource::{INSTANCE_PROFILE, ROLE};
use crate::component::builder::amazon::tags::{self, Tags};
use crate::component::builder::amazon::work::{Work, is_not_found};
use crate::run::Failure;

/// How long IAM may take until one call sees what another made.
const SETTLING: Duration = Duration::from_secs(40);

/// Makes the temporary profile with its role and policy, or notes the profile that the template names; empty: none.
pub async fn provide(work: &Work<'_>, run_tags: &Tags) -> Result<(), Failure> {
    let cx = work.cx;
    let config = &work.config;
    let document = config.run.temporary_iam_instance_profile_policy_document.as_ref();
    let Some(policy) = document.filter(|_| config.run.iam_instance_profile.is_empty()) else {
        return cx.learn(name::INSTANCE_PROFILE, &config.run.iam_instance_profile).await;
    };
    let policy =
        serde_json::to_string(policy).map_err(|e| Failure::other(format!("cannot write the policy document: {e}")))?;
    let name = names::temporary_profile();
    let tags = iam_tags(&tags::with(run_tags, tags::kiln(cx)))?;
    let (profile, role) = tokio::join!(make_profile(work, &name, &tags), make_role(work, &name, &tags, &policy));
    profile.and(role)?;
    let iam = work.account.iam();
    work.again(SETTLING, is_not_found, || async {
        iam.add_role_to_instance_profile()
            .instance_profile_name(&name)
            .role_name(&name)
            .send()
            .await
            .map(drop)
            .map_err(|e| failure(&e, "cannot put the temporary role into its instance profile"))
    })
    .await?;
    cx.learn(name::INSTANCE_PROFILE, &name).await
}

async fn make_profile(work: &Work<'_>, name: &str, tags: &[Tag]) -> Result<(), Failure> {
    let cx = work.cx;
    cx.say(format!("Creating temporary instance profile for this instance: {name}"));
    let key = cx.intend(INSTANCE_PROFILE, name, work.region_name(), json!({ "name": name, "role": name })).await?;
    work.account
        .iam()
        .create_instance_profile()
        .instance_profile_name(name)
        .set_tags((!tags.is_empty()).then(|| tags.to_vec()))
        .send()
        .await
        .map_err(|e| failure(&e, "cannot create the temporary instance profile"))?;
    cx.created(&key, name).await
}

async fn make_role(work: &Work<'_>, name: &str, tags: &[Tag], policy: &str) -> Result<(), Failure> {
    let cx = work.cx;
    let iam = work.account.iam();
    cx.say(format!("Creating temporary role for this instance: {name}"));
    let key = cx.intend(ROLE, name, work.region_name(), json!({ "name": name, "policy": name })).await?;
    iam.create_role()
        .role_name(name)
        .description("Temporary role for Packer")
        .assume_role_policy_document(trust(work.account.partition()))
        .set_tags((!tags.is_empty()).then(|| tags.to_vec()))
        .send()
        .await
        .map_err(|e| failure(&e, "cannot create the temporary role"))?;
    cx.created(&key, name).await?;
    cx.say(format!("Attaching policy to the temporary role: {name}"));
    work.again(SETTLING, is_not_found, || async {
        iam.put_role_policy()
            .role_name(name)
            .policy_name(name)
            .policy_document(policy)
            .send()
            .await
            .map(drop)
            .map_err(|e| failure(&e, "cannot attach the policy to the temporary role"))
    })
    .await
}

/// Lets instances take the role on.
fn trust(partition: &str) -> String {
    let service = if partition == "aws-cn" { "ec2.amazonaws.com.cn" } else { "ec2.amazonaws.com" };
    json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole" }],
    })
    .to_string()
}

fn iam_tags(tags: &Tags) -> Result<Vec<Tag>, Failure> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(|e| Failure::config(format!("a tag for the instance profile is not complete: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn china_has_its_own_name_for_the_service() {
        assert!(trust("aws").contains("\"ec2.amazonaws.com\""));
        assert!(trust("aws-cn").contains("\"ec2.amazonaws.com.cn\""));
    }
}
