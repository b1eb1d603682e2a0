//! States follow from what happened and the time: the clock is the test's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use kiln::practice::Options;
use kiln::practice::machine::Happened;
use kiln::practice::scenario::Scenario;

use super::{Started, start, until};

struct Timed {
    cloud: Started,
    now: Arc<AtomicI64>,
}

impl Timed {
    async fn start(toml: &str) -> Self {
        let now = Arc::new(AtomicI64::new(1_800_000_000_000));
        let read = Arc::clone(&now);
        let options = Options {
            scenario: Scenario::parse(toml, "test").expect("right"),
            clock: Some(Arc::new(move || read.load(Ordering::SeqCst))),
            ..Options::default()
        };
        Self { cloud: start(options).await, now }
    }

    fn pass(&self, seconds: i64) {
        self.now.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_takes_its_time() {
    let t = Timed::start("[timing]\npending = 10\nboot = 20\nstopping = 5\n").await;
    let instance = t.cloud.instance().await;
    until("launched", || async { t.cloud.machines.log.lock().unwrap().len() == 1 }).await;
    t.pass(9);
    assert_eq!(t.cloud.state_of(&instance).await, "pending");
    assert!(t.cloud.machines.link(&instance).refuse);
    t.pass(1);
    assert_eq!(t.cloud.state_of(&instance).await, "running");
    assert!(t.cloud.machines.link(&instance).refuse, "its SSH server is not up yet");
    t.pass(20);
    // Any call lets what is due be done.
    t.cloud.ec2("Action=CreateKeyPair&KeyName=k&KeyType=ed25519").await;
    until("SSH is open", || async { !t.cloud.machines.link(&instance).refuse }).await;
    t.cloud.ec2(&format!("Action=StopInstances&InstanceId.1={instance}")).await;
    assert_eq!(t.cloud.state_of(&instance).await, "stopping");
    t.pass(5);
    until("stopped", || async { t.cloud.state_of(&instance).await == "stopped" }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_shows_its_progress() {
    let t = Timed::start("[timing]\nimage = 100\n").await;
    let instance = t.cloud.instance().await;
    until("running", || async { t.cloud.state_of(&instance).await == "running" }).await;
    let image = t.cloud.ec2(&format!("Action=CreateImage&InstanceId={instance}&Name=abc")).await.text("imageId");
    t.pass(40);
    let progress = || async { t.cloud.ec2("Action=DescribeSnapshots&Owner.1=self").await.text("progress") };
    assert_eq!(progress().await, "40%");
    t.pass(60);
    until("captured", || async { progress().await == "100%" }).await;
    assert_eq!(t.cloud.ec2(&format!("Action=DescribeImages&ImageId.1={image}")).await.text("imageState"), "available");
    let log = t.cloud.machines.log.lock().unwrap().clone();
    assert!(
        log.iter().any(|l| l.starts_with(&format!("capture {instance} layer-snap-")) && l.ends_with(" true")),
        "{log:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_ends_by_itself_ends_as_its_request_said() {
    let t = Timed::start("").await;
    let instance = t.cloud.instance().await;
    until("running", || async { t.cloud.state_of(&instance).await == "running" }).await;
    t.cloud.machines.host(&instance).happened(&instance, Happened::PoweredOff);
    assert_eq!(t.cloud.state_of(&instance).await, "stopped");
    let image = t.cloud.image().await;
    let run = format!(
        "Action=RunInstances&ImageId={image}&MinCount=1&MaxCount=1&InstanceType=t3.micro&InstanceInitiatedShutdownBehavior=terminate"
    );
    let second = t.cloud.ec2(&run).await.text("instanceId");
    until("running", || async { t.cloud.state_of(&second).await == "running" }).await;
    t.cloud.machines.host(&second).happened(&second, Happened::PoweredOff);
    until("terminated", || async { t.cloud.state_of(&second).await == "terminated" }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_cannot_start_says_why() {
    let t = Timed::start("").await;
    *t.cloud.machines.broken.lock().unwrap() = true;
    let instance = t.cloud.instance().await;
    until("terminated", || async { t.cloud.state_of(&instance).await == "terminated" }).await;
    let answer = t.cloud.ec2(&format!("Action=DescribeInstances&InstanceId.1={instance}")).await;
    assert_eq!(answer.text("code"), "48");
    assert!(answer.text("message").contains("no room on the disk"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spot_machine_is_taken_back_after_a_notice() {
    let t = Timed::start("[[spot]]\ninterrupt_after = 600\n").await;
    let image = t.cloud.image().await;
    let run = format!(
        "Action=RunInstances&ImageId={image}&MinCount=1&MaxCount=1&InstanceType=t3.micro&InstanceMarketOptions.MarketType=spot"
    );
    let instance = t.cloud.ec2(&run).await.text("instanceId");
    until("running", || async { t.cloud.state_of(&instance).await == "running" }).await;
    let host = t.cloud.machines.host(&instance);
    assert_eq!(host.metadata(&instance, "/latest/meta-data/spot/instance-action"), None);
    t.pass(500);
    let notice = host.metadata(&instance, "/latest/meta-data/spot/instance-action").expect("a notice");
    assert!(String::from_utf8_lossy(&notice).contains("terminate"));
    t.pass(100);
    t.cloud.ec2("Action=CreateKeyPair&KeyName=k&KeyType=ed25519").await;
    until("terminated", || async { t.cloud.state_of(&instance).await == "terminated" }).await;
    assert_eq!(
        t.cloud.ec2("Action=DescribeSpotInstanceRequests").await.text("code"),
        "instance-terminated-no-capacity"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_are_told_who_they_are() {
    let t = Timed::start("").await;
    t.cloud.ec2("Action=CreateKeyPair&KeyName=k&KeyType=ed25519").await;
    let image = t.cloud.image().await;
    let run = format!(
        "Action=RunInstances&ImageId={image}&MinCount=1&MaxCount=1&InstanceType=t3.micro&KeyName=k&UserData=IyEvYmluL3NoCg%3D%3D\
         &MetadataOptions.InstanceMetadataTags=enabled&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=Name\
         &TagSpecification.1.Tag.1.Value=web"
    );
    let instance = t.cloud.ec2(&run).await.text("instanceId");
    until("running", || async { t.cloud.state_of(&instance).await == "running" }).await;
    let spec = t.cloud.machines.spec(&instance);
    assert_eq!((spec.login_user.as_str(), spec.user_data.as_deref()), ("ubuntu", Some(&b"#!/bin/sh\n"[..])));
    assert!(spec.authorized_keys[0].starts_with("ssh-ed25519 ") && spec.authorized_keys[0].ends_with(" k"));
    let host = t.cloud.machines.host(&instance);
    let get = |path: &str| host.metadata(&instance, path).map(|b| String::from_utf8(b).expect("text"));
    assert_eq!(get("/latest/meta-data/instance-id"), Some(instance.clone()));
    assert_eq!(get("/latest/meta-data/tags/instance/Name").as_deref(), Some("web"));
    assert_eq!(get("/latest/meta-data/public-keys/").as_deref(), Some("0=k"));
    assert_eq!(get("/2021-07-15/meta-data/placement/region").as_deref(), Some("us-east-1"));
    assert_eq!(get("/latest/user-data").as_deref(), Some("#!/bin/sh\n"));
    assert!(get("/latest/meta-data").expect("a list").lines().any(|l| l == "placement/"));
    assert!(get("/latest/dynamic/instance-identity/document").expect("a document").contains("123456789012"));
    assert_eq!(get("/latest/meta-data/nothing"), None);
}
