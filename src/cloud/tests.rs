use std::sync::atomic::{AtomicUsize, Ordering};

use super::testing::{Endpoint, error, ids};
use super::*;
use crate::run::{Failure, FailureKind};

const REGIONS: &str = "<DescribeRegionsResponse><regionInfo><item><regionName>us-east-1</regionName></item></regionInfo>\
</DescribeRegionsResponse>";

const ROLE: &str = "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
<AccessKeyId>ASIAROLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>\
<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";

#[tokio::test]
async fn equal_accesses_share_an_account_and_its_regions() {
    let clouds = Clouds::default();
    let access =
        Access { access_key: "a".into(), secret_key: "s".into(), region: "us-east-1".into(), ..Access::default() };
    let one = clouds.account(&access).await.unwrap();
    let two = clouds.account(&access).await.unwrap();
    let other = clouds.account(&Access { region: "eu-west-1".into(), ..access }).await.unwrap();
    assert!(std::sync::Arc::ptr_eq(&one, &two));
    assert!(!std::sync::Arc::ptr_eq(&one, &other));
    assert!(std::sync::Arc::ptr_eq(&one.region("us-west-2"), &two.region("us-west-2")));
    assert_eq!((one.home(), other.home(), other.partition()), ("us-east-1", "eu-west-1", "aws"));
}

#[tokio::test]
async fn the_custom_endpoint_serves_every_region() {
    let endpoint = Endpoint::start(|_, _| (200, REGIONS.into())).await;
    let account = Clouds::default().account(&endpoint.access()).await.unwrap();
    assert!(!account.is_aws());
    for region in ["us-east-1", "eu-central-1", "cn-north-1"] {
        account.region(region).ec2.describe_regions().send().await.unwrap();
    }
    assert_eq!(endpoint.calls("DescribeRegions").len(), 3);
}

#[tokio::test]
async fn half_a_key_pair_is_refused() {
    let access = Access { access_key: "a".into(), region: "us-east-1".into(), ..Access::default() };
    let failure = Clouds::default().account(&access).await.err().unwrap();
    assert_eq!(failure.kind, FailureKind::Config);
}

#[tokio::test]
async fn an_unknown_profile_is_named_with_the_ways_out() {
    let access = Access { profile: "kiln-no-such".into(), region: "us-east-1".into(), ..Access::default() };
    let failure = Clouds::default().account(&access).await.err().unwrap();
    assert!(failure.message.contains("`kiln-no-such`"), "{failure}");
    assert!(failure.help.unwrap().contains("aws sso login"));
}

#[tokio::test]
async fn a_shared_credentials_file_holds_keys_and_settings() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        "[build]\naws_access_key_id = AKFILE\naws_secret_access_key = s\n[profile build]\nregion = ap-south-1\n",
    )
    .unwrap();
    let access = Access {
        profile: "build".into(),
        shared_credentials_file: file.path().to_str().unwrap().into(),
        ..Access::default()
    };
    let account = Clouds::default().account(&access).await.unwrap();
    assert_eq!(account.home(), "ap-south-1");
}

#[tokio::test]
async fn a_role_is_taken_with_all_that_it_asks_for() {
    let endpoint = Endpoint::start(|call, _| match call["Action"].as_str() {
        "AssumeRole" => (200, ROLE.into()),
        _ => (200, REGIONS.into()),
    })
    .await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "[build]\naws_access_key_id = AKFILE\naws_secret_access_key = s\n\
         [profile build]\nservices = here\n[services here]\nsts =\n  endpoint_url = {}\n",
        endpoint.url
    );
    std::fs::write(file.path(), text).unwrap();
    let role = AssumeRole {
        role_arn: "arn:aws:iam::123456789012:role/build".into(),
        external_id: "ext".into(),
        duration_seconds: Some(900),
        tags: [("team".to_owned(), "web".to_owned())].into(),
        transitive_tag_keys: vec!["team".into()],
        ..AssumeRole::default()
    };
    let access = Access {
        profile: "build".into(),
        shared_credentials_file: file.path().to_str().unwrap().into(),
        region: "us-east-1".into(),
        custom_endpoint_ec2: endpoint.url.clone(),
        assume_role: Some(role),
        ..Access::default()
    };
    let account = Clouds::default().account(&access).await.unwrap();
    account.region("us-east-1").ec2.describe_regions().send().await.unwrap();
    account.region("eu-west-1").ec2.describe_regions().send().await.unwrap();
    let calls = endpoint.calls("AssumeRole");
    assert_eq!(calls.len(), 1, "the session is used again");
    let call = &calls[0];
    assert_eq!(call["RoleArn"], "arn:aws:iam::123456789012:role/build");
    assert_eq!((call["ExternalId"].as_str(), call["DurationSeconds"].as_str()), ("ext", "900"));
    assert_eq!((call["Tags.member.1.Key"].as_str(), call["TransitiveTagKeys.member.1"].as_str()), ("team", "team"));
}

#[tokio::test]
async fn equal_look_ups_are_made_once_and_errors_are_not_kept() {
    let endpoint = Endpoint::start(|_, _| (200, REGIONS.into())).await;
    let region = endpoint.region().await;
    let asked = AtomicUsize::new(0);
    let ask = |fail: bool| {
        let asked = &asked;
        region.once("answer", move || async move {
            asked.fetch_add(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            if fail { Err(Failure::other("no")) } else { Ok(42_u32) }
        })
    };
    assert!(ask(true).await.is_err());
    let (a, b) = tokio::join!(ask(false), ask(false));
    assert_eq!((a.unwrap(), b.unwrap(), asked.load(Ordering::SeqCst)), (42, 42, 2));
    let text: String = region.once("answer", async || Ok("text".to_owned())).await.unwrap();
    assert_eq!(text, "text", "the type is part of the key");
}

#[tokio::test]
async fn throttling_slows_the_budget_and_the_call_succeeds() {
    let endpoint = Endpoint::start(|_, before| match before {
        0 => error(503, "RequestLimitExceeded", "Request limit exceeded."),
        _ => (200, REGIONS.into()),
    })
    .await;
    let region = endpoint.region().await;
    assert_eq!(region.rate(), None);
    region.ec2.describe_regions().send().await.unwrap();
    assert!(region.rate().is_some());
    assert_eq!(endpoint.calls("DescribeRegions").len(), 2);
}

#[tokio::test]
async fn an_error_of_aws_keeps_code_request_and_way_out() {
    let endpoint =
        Endpoint::start(|_, _| error(400, "VcpuLimitExceeded", "You have requested more vCPU capacity.")).await;
    let region = endpoint.region().await;
    let err = region.ec2.describe_regions().send().await.unwrap_err();
    let failure = region.failure(&err, "cannot launch the instance").await;
    assert_eq!(
        failure.message,
        "cannot launch the instance: You have requested more vCPU capacity (VcpuLimitExceeded)"
    );
    assert_eq!(failure.kind, FailureKind::Aws { code: "VcpuLimitExceeded".into(), request_id: Some("req-1".into()) });
    assert!(failure.help.unwrap().contains("quota"));
    assert!(!is_not_found(&err) && !is_throttled(&err));
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_is_told_so() {
    let endpoint = Endpoint::start(|_, _| (200, String::new())).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let access = Access { custom_endpoint_ec2: dead, max_retries: Some(1), ..endpoint.access() };
    let region = Clouds::default().account(&access).await.unwrap().region("us-east-1");
    let err = region.ec2.describe_regions().send().await.unwrap_err();
    let failure = failure(&err, "cannot see the regions");
    assert!(failure.message.to_lowercase().contains("refused"), "{failure}");
    assert!(failure.help.unwrap().contains("custom_endpoint_ec2"));
}

#[tokio::test]
async fn an_image_name_belongs_to_the_build_that_claimed_it_first() {
    let endpoint = Endpoint::start(|_, _| (200, REGIONS.into())).await;
    let region = endpoint.region().await;
    assert_eq!(region.claim_image_name("image", "web"), Ok(()));
    assert_eq!(region.claim_image_name("image", "web"), Ok(()), "a further attempt of the same build");
    assert_eq!(region.claim_image_name("image", "db"), Err("web".to_owned()));
    assert_eq!(region.claim_image_name("other", "web"), Ok(()));
    assert_eq!(region.claim_image_name("image", "db"), Ok(()), "`web` was revised");
}

#[tokio::test]
async fn names_asked_for_together_are_one_call_and_each_gets_its_own_images() {
    let image = |id: &str, name: &str| format!("<item><imageId>{id}</imageId><name>{name}</name></item>");
    let both = format!(
        "<DescribeImagesResponse><imagesSet>{}{}</imagesSet></DescribeImagesResponse>",
        image("ami-1", "one"),
        image("ami-2", "two")
    );
    let endpoint = Endpoint::start(move |_, _| (200, both.clone())).await;
    let region = endpoint.region().await;
    let (one, two, free) = tokio::join!(region.own_images("one"), region.own_images("two"), region.own_images("a*"));
    assert_eq!(one.unwrap()[0].image_id(), Some("ami-1"));
    assert_eq!(two.unwrap()[0].image_id(), Some("ami-2"));
    assert!(free.unwrap().is_empty());
    let calls = endpoint.calls("DescribeImages");
    assert_eq!(calls.len(), 1);
    assert_eq!(ids(&calls[0], "Filter.1.Value"), [r"a\*", "one", "two"]);
}

#[tokio::test]
async fn an_instance_that_is_gone_does_not_keep_the_others_running() {
    let endpoint = Endpoint::start(|call, _| {
        if ids(call, "InstanceId").iter().any(|id| id == "i-gone") {
            return error(400, "InvalidInstanceID.NotFound", "The instance ID 'i-gone' does not exist");
        }
        (200, "<TerminateInstancesResponse/>".into())
    })
    .await;
    let region = endpoint.region().await;
    let (one, gone, two) = tokio::join!(
        region.terminate_instance("i-1"),
        region.terminate_instance("i-gone"),
        region.terminate_instance("i-2")
    );
    assert_eq!((one, two), (Ok(()), Ok(())));
    assert!(gone.unwrap_err().message.contains("i-gone"));
    let alone = endpoint.calls("TerminateInstances").into_iter().map(|c| ids(&c, "InstanceId"));
    assert!(alone.skip(1).eq([["i-1"], ["i-gone"], ["i-2"]]), "after one call for all, each alone");
}
