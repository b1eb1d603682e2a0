//! With a folder, what was there is there again.

use kiln::practice::Options;

use super::{start, until};

#[tokio::test(flavor = "multi_thread")]
async fn state_outlives_the_cloud() {
    let dir = tempfile::tempdir().unwrap();
    let options = || Options { dir: Some(dir.path().to_owned()), ..Options::default() };
    let cloud = start(options()).await;
    let instance = cloud.instance().await;
    until("running", || async { cloud.state_of(&instance).await == "running" }).await;
    cloud.ec2("Action=CreateKeyPair&KeyName=k&KeyType=ed25519").await;
    let image =
        cloud.ec2(&format!("Action=CreateImage&InstanceId={instance}&Name=abc&NoReboot=true")).await.text("imageId");
    let available = |answer: super::Answer| answer.text("imageState") == "available";
    let ask = format!("Action=DescribeImages&ImageId.1={image}");
    until("available", || async { available(cloud.ec2(&ask).await) }).await;
    cloud.practice.stop().await;
    assert_eq!(cloud.machines.log.lock().unwrap().last().map(String::as_str), Some("close"));

    let again = start(options()).await;
    assert_eq!(again.ec2("Action=DescribeKeyPairs").await.text("keyName"), "k");
    assert!(available(again.ec2(&ask).await));
    assert_eq!(again.state_of(&instance).await, "stopped", "machines end with kiln");
    again.ec2(&format!("Action=StartInstances&InstanceId.1={instance}")).await;
    until("running", || async { again.state_of(&instance).await == "running" }).await;
    assert!(again.machines.log.lock().unwrap().contains(&format!("start {instance}")), "it goes on with its own disk");
    let run = format!("Action=RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1");
    let second = again.ec2(&run).await.text("instanceId");
    until("running", || async { again.state_of(&second).await == "running" }).await;
    assert_eq!(again.machines.spec(&second).layers.len(), 1, "the image's layer lies under it");
    again.practice.stop().await;
}

/// What was answered is on disk, whatever becomes of kiln afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_a_promise() {
    let dir = tempfile::tempdir().unwrap();
    let cloud = start(Options { dir: Some(dir.path().to_owned()), ..Options::default() }).await;
    let group = cloud.ec2("Action=CreateSecurityGroup&GroupName=g&GroupDescription=d").await.text("groupId");
    let text = std::fs::read_to_string(dir.path().join("cloud.json")).unwrap();
    assert!(text.contains(&group));
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_that_nothing_needs_are_dropped() {
    let cloud = start(Options::default()).await;
    let instance = cloud.instance().await;
    until("running", || async { cloud.state_of(&instance).await == "running" }).await;
    let image =
        cloud.ec2(&format!("Action=CreateImage&InstanceId={instance}&Name=abc&NoReboot=true")).await.text("imageId");
    let ask = format!("Action=DescribeImages&ImageId.1={image}");
    until("available", || async { cloud.ec2(&ask).await.text("imageState") == "available" }).await;
    let run = format!("Action=RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1");
    let second = cloud.ec2(&run).await.text("instanceId");
    let answer = cloud.ec2(&format!("Action=DeregisterImage&ImageId={image}&DeleteAssociatedSnapshots=true")).await;
    assert_eq!(answer.text("returnCode"), "success");
    let dropped = || async { cloud.machines.log.lock().unwrap().iter().any(|l| l.starts_with("drop layer-snap-")) };
    until("running", || async { cloud.state_of(&second).await == "running" }).await;
    assert!(!dropped().await, "a machine stands on it");
    cloud.ec2(&format!("Action=TerminateInstances&InstanceId.1={second}")).await;
    until("dropped", dropped).await;
}
