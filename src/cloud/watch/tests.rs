use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::cloud::testing::{Call, Endpoint, error, ids};
use crate::run::FailureKind;

/// An answer of `DescribeInstances` with each asked instance in the state that `state` gives; none: left out.
fn instances(call: &Call, state: impl Fn(&str) -> Option<&'static str>) -> (u16, String) {
    let mut items = String::new();
    for id in ids(call, "InstanceId") {
        if let Some(state) = state(&id) {
            let _ = write!(
                items,
                "<item><instancesSet><item><instanceId>{id}</instanceId><instanceState><name>{state}</name></instanceState>\
                 <stateReason><code>Client.VolumeLimitExceeded</code><message>Volume limit exceeded.</message></stateReason>\
                 </item></instancesSet></item>"
            );
        }
    }
    (200, format!("<DescribeInstancesResponse><reservationSet>{items}</reservationSet></DescribeInstancesResponse>"))
}

fn image(state: &str, more: &str) -> (u16, String) {
    let body = format!(
        "<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><imageState>{state}</imageState>{more}</item>\
         </imagesSet></DescribeImagesResponse>"
    );
    (200, body)
}

async fn wait_for(endpoint: &Endpoint, id: &str, goal: InstanceGoal) -> Result<Instance, Failure> {
    let cancel = CancellationToken::new();
    endpoint.region().await.instance(id, goal, Wait::new(&cancel, &|_, _| (), Polling::default())).await
}

#[tokio::test]
async fn a_wait_follows_the_state_and_tells_each_change_once() {
    let states = ["pending", "pending", "running"];
    let endpoint = Endpoint::start(move |call, before| instances(call, |_| Some(states[before.min(2)]))).await;
    let (cancel, heard) = (CancellationToken::new(), Mutex::new(Vec::new()));
    let tell = |state: &str, _: Option<u8>| heard.lock().unwrap().push(state.to_owned());
    let region = endpoint.region().await;
    let found =
        region.instance("i-1", InstanceGoal::Running, Wait::new(&cancel, &tell, Polling::default())).await.unwrap();
    assert_eq!(found.instance_id(), Some("i-1"));
    assert_eq!(*heard.lock().unwrap(), ["pending", "running"]);
    assert_eq!(endpoint.calls("DescribeInstances").len(), 3);
}

#[tokio::test]
async fn many_waits_share_their_calls() {
    let endpoint =
        Endpoint::start(|call, before| instances(call, |_| Some(if before < 4 { "pending" } else { "running" }))).await;
    let region = endpoint.region().await;
    let cancel = CancellationToken::new();
    let waits = (0..150).map(|i| {
        let (region, cancel) = (region.clone(), cancel.clone());
        tokio::spawn(async move {
            let wait = Wait::new(&cancel, &|_, _| (), Polling::default());
            region
                .instance(&format!("i-{i}"), InstanceGoal::Running, wait)
                .await
                .map(|i| i.instance_id().unwrap().to_owned())
        })
    });
    for (i, wait) in waits.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(wait.await.unwrap().unwrap(), format!("i-{i}"));
    }
    let calls = endpoint.calls("DescribeInstances");
    assert!(calls.len() <= 20, "{}", calls.len());
    assert!(calls.iter().all(|c| ids(c, "InstanceId").len() <= 100), "a call asks for 100 at most");
}

#[tokio::test]
async fn not_found_means_not_yet() {
    let endpoint = Endpoint::start(|call, before| match before {
        0 => error(400, "InvalidInstanceID.NotFound", "The instance ID 'i-1' does not exist"),
        _ => instances(call, |_| Some("running")),
    })
    .await;
    assert!(wait_for(&endpoint, "i-1", InstanceGoal::Running).await.is_ok());
}

#[tokio::test]
async fn an_id_that_does_not_exist_does_not_disturb_the_others() {
    let endpoint = Endpoint::start(|call, _| {
        if ids(call, "InstanceId").iter().any(|i| i == "i-gone") {
            return error(400, "InvalidInstanceID.NotFound", "The instance ID 'i-gone' does not exist");
        }
        instances(call, |_| Some("running"))
    })
    .await;
    let region = endpoint.region().await;
    let cancel = CancellationToken::new();
    let wait = || Wait::new(&cancel, &|_, _| (), Polling::default());
    let gone = region.instance("i-gone", InstanceGoal::Running, wait());
    let good = region.instance("i-good", InstanceGoal::Running, wait());
    tokio::select! {
        biased;
        found = gone => panic!("{found:?}"),
        found = good => assert_eq!(found.unwrap().instance_id(), Some("i-good")),
    }
}

#[tokio::test]
async fn an_instance_that_ends_instead_of_starting_fails_with_aws_s_reason() {
    let endpoint = Endpoint::start(|call, _| instances(call, |_| Some("terminated"))).await;
    let failure = wait_for(&endpoint, "i-1", InstanceGoal::Running).await.unwrap_err();
    assert_eq!(failure.message, "the instance i-1 is `terminated`: Volume limit exceeded");
    assert_eq!(failure.kind, FailureKind::Aws { code: "Client.VolumeLimitExceeded".into(), request_id: None });
}

#[tokio::test]
async fn refused_calls_end_a_wait_at_once() {
    let endpoint = Endpoint::start(|_, _| error(403, "UnauthorizedOperation", "You are not authorized.")).await;
    let failure = wait_for(&endpoint, "i-1", InstanceGoal::Running).await.unwrap_err();
    assert_eq!(
        failure.kind,
        FailureKind::Aws { code: "UnauthorizedOperation".into(), request_id: Some("req-1".into()) }
    );
    assert_eq!(failure.message, "cannot see how the instance is: You are not authorized (UnauthorizedOperation)");
}

#[tokio::test]
async fn a_failed_image_tells_why() {
    let reason = "<stateReason><code>Server.InternalError</code><message>Something broke</message></stateReason>";
    let endpoint = Endpoint::start(move |_, _| image("failed", reason)).await;
    let cancel = CancellationToken::new();
    let wait = Wait::new(&cancel, &|_, _| (), Polling::default());
    let failure = endpoint.region().await.image("ami-1", wait).await.unwrap_err();
    assert_eq!(failure.message, "the AMI ami-1 is `failed`: Something broke");
}

#[tokio::test]
async fn an_image_that_is_late_is_a_time_out_and_no_error_of_aws() {
    let endpoint = Endpoint::start(|_, _| image("pending", "")).await;
    let cancel = CancellationToken::new();
    let polling = Polling { delay_seconds: Some(1), max_attempts: Some(1) };
    let failure = endpoint.region().await.image("ami-1", Wait::new(&cancel, &|_, _| (), polling)).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TimedOut);
    assert_eq!(failure.message, "the AMI ami-1 is not available after 1 s: still `pending`");
}

#[tokio::test]
async fn a_limit_without_progress_counts_from_the_last_change() {
    // Three states, each within the limit of the one before: longer than the limit together.
    let endpoint = Endpoint::start(|_, before| match before {
        0..3 => image("pending", ""),
        3..6 => image("transient", ""),
        _ => image("available", ""),
    })
    .await;
    let cancel = CancellationToken::new();
    let wait = Wait::new(&cancel, &|_, _| (), Polling::default()).limit(Limit::Quiet(Duration::from_millis(1800)));
    assert!(endpoint.region().await.image("ami-1", wait).await.is_ok());
}

#[tokio::test]
async fn a_wait_ends_when_it_is_cancelled() {
    let endpoint = Endpoint::start(|_, _| image("pending", "")).await;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let tell = move |_: &str, _: Option<u8>| stop.cancel();
    let wait = Wait::new(&cancel, &tell, Polling::default());
    assert!(endpoint.region().await.image("ami-1", wait).await.unwrap_err().is_cancelled());
}

#[tokio::test]
async fn an_instance_that_was_seen_and_is_gone_counts_as_terminated() {
    let found = goal::instance(&Instance::builder().instance_id("i-1").build(), InstanceGoal::Terminated);
    assert!(matches!(found, Verdict::Going(..)), "a state that is not told is not an end");
    let endpoint = Endpoint::start(|call, _| instances(call, |_| Some("terminated"))).await;
    assert!(wait_for(&endpoint, "i-1", InstanceGoal::Terminated).await.is_ok());
}

#[tokio::test]
async fn progress_is_the_mean_of_the_snapshots() {
    assert_eq!(kind::percent(Some("45%")), Some(45));
    assert_eq!(kind::percent(Some("")), None);
    assert_eq!(kind::percent(Some("400%")), None);
}
