//! Faults: from a scenario, and switched while the cloud runs.

use super::{until, with_scenario};

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_switched_while_it_runs() {
    let cloud = with_scenario("").await;
    let fault = r#"{"refuse": {"action": "DescribeRegions", "count": 0, "code": "Unavailable", "status": 503}}"#;
    let id = cloud.control("POST", "/practice/faults", fault).await.json()["id"].as_u64().unwrap();
    let answer = cloud.ec2("Action=DescribeRegions").await;
    assert_eq!((answer.status, answer.text("Code").as_str()), (503, "Unavailable"));
    let list = cloud.control("GET", "/practice/faults", "").await.json();
    assert_eq!((&list["faults"][0]["id"], &list["faults"][0]["struck"]), (&id.into(), &1.into()));
    assert_eq!(cloud.control("DELETE", &format!("/practice/faults/{id}"), "").await.status, 200);
    assert_eq!(cloud.control("DELETE", &format!("/practice/faults/{id}"), "").await.status, 404);
    assert_eq!(cloud.ec2("Action=DescribeRegions").await.status, 200);
    let wrong =
        cloud.control("POST", "/practice/faults", r#"{"refuse": {"action": "DescribeRegion", "code": "X"}}"#).await;
    assert!(wrong.status == 400 && wrong.json()["error"].as_str().unwrap().contains("did you mean `DescribeRegions`?"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_a_connection_that_ends() {
    let cloud = with_scenario("[[lose]]\naction = \"CreateKeyPair\"\n").await;
    assert!(cloud.maybe("Action=CreateKeyPair&KeyName=k&KeyType=ed25519").await.is_none());
    assert_eq!(cloud.ec2("Action=DescribeKeyPairs").await.text("keyName"), "k", "it was carried out");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_capacity_in_a_zone() {
    let cloud = with_scenario("[[capacity]]\nzone = \"us-east-1a\"\n").await;
    let image = cloud.image().await;
    let run = format!("Action=RunInstances&ImageId={image}&InstanceType=t3.micro&MinCount=1&MaxCount=1");
    let answer = cloud.ec2(&format!("{run}&Placement.AvailabilityZone=us-east-1a")).await;
    assert_eq!(answer.text("Code"), "InsufficientInstanceCapacity");
    assert_eq!(
        cloud.ec2(&run).await.text("availabilityZone"),
        "us-east-1b",
        "where no zone is asked for, one with room is taken"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_just_made_is_not_found_yet() {
    let cloud = with_scenario("[[unseen]]\nkind = \"i\"\ncalls = 2\n").await;
    let instance = cloud.instance().await;
    let ask = format!("Action=DescribeInstances&InstanceId.1={instance}");
    for _ in 0..2 {
        assert_eq!(cloud.ec2(&ask).await.text("Code"), "InvalidInstanceID.NotFound");
    }
    assert_eq!(cloud.ec2(&ask).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_machines_break_and_mend() {
    let cloud = with_scenario("[[ssh]]\ninstance = \"other\"\nhang = true\n").await;
    let instance = cloud.instance().await;
    until("running", || async { cloud.state_of(&instance).await == "running" }).await;
    assert!(!cloud.machines.link(&instance).hang);
    cloud.control("POST", "/practice/faults", r#"{"ssh": {"refuse": true, "drop_after_bytes": 900}}"#).await;
    let link = cloud.machines.link(&instance);
    assert_eq!((link.refuse, link.drop_after_bytes), (true, Some(900)));
    cloud.control("DELETE", "/practice/faults", "").await;
    assert!(!cloud.machines.link(&instance).refuse);
    cloud.control("POST", &format!("/practice/machines/{instance}/cut"), "{}").await;
    assert!(cloud.machines.log.lock().unwrap().contains(&format!("cut {instance}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_fails_or_stays() {
    let toml = "[timing]\nimage = 0\n[[image]]\nname = \"bad*\"\noutcome = \"failed\"\nreason = \"Client.InvalidSnapshot: lost\"\n\
                [[image]]\nname = \"slow*\"\noutcome = \"stuck\"\n";
    let cloud = with_scenario(toml).await;
    let instance = cloud.instance().await;
    until("running", || async { cloud.state_of(&instance).await == "running" }).await;
    for (name, state) in [("bad1", "failed"), ("slow", "pending"), ("good", "available")] {
        let image = cloud
            .ec2(&format!("Action=CreateImage&InstanceId={instance}&Name={name}&NoReboot=true"))
            .await
            .text("imageId");
        let ask = format!("Action=DescribeImages&ImageId.1={image}");
        until(name, || async { cloud.ec2(&ask).await.text("imageState") == state }).await;
        if state == "failed" {
            assert_eq!(cloud.ec2(&ask).await.text("message"), "Client.InvalidSnapshot: lost");
        }
    }
}
