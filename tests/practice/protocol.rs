//! The wire: what is asked of a request before it is carried out.

use super::{call, http, raw, start};
use kiln::practice::Options;

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_asked_for() {
    let cloud = start(Options::default()).await;
    let unsigned = http(cloud.address(), "POST", "/", "", "Action=DescribeRegions").unwrap();
    assert_eq!((unsigned.status, unsigned.text("Code").as_str()), (403, "MissingAuthenticationToken"));
    let signed = "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/ec2/aws4_request\r\n";
    let half = http(cloud.address(), "POST", "/", signed, "Action=DescribeRegions").unwrap();
    assert_eq!(half.text("Code"), "IncompleteSignature");
    let presigned = "/?Action=DescribeRegions&X-Amz-Credential=a/20260101/us-east-1/ec2/aws4_request&X-Amz-Signature=x";
    assert_eq!(http(cloud.address(), "GET", presigned, "", "").unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_served_is_said_by_name() {
    let cloud = start(Options::default()).await;
    let answer = cloud.ec2("Action=CreateVerifiedAccessEndpoint&Version=2016-11-15").await;
    assert_eq!((answer.status, answer.text("Code").as_str()), (400, "InvalidAction"));
    assert!(answer.text("Message").contains("CreateVerifiedAccessEndpoint"));
    assert_eq!(answer.text("RequestID").len(), 36);
    let address = cloud.address();
    let other = call(address, "s3", "us-east-1", "Action=ListBuckets").unwrap();
    assert_eq!((other.text("Code").as_str(), other.text("Message").contains("s3")), ("InvalidAction", true));
    assert_eq!(call(address, "iam", "us-east-1", "Action=RunInstances").unwrap().text("Code"), "InvalidAction");
    assert_eq!(cloud.ec2("Version=2016-11-15").await.text("Code"), "MissingAction");
    assert_eq!(call(address, "ec2", "us-moon-1", "Action=DescribeRegions").unwrap().text("Code"), "AuthFailure");
    let calls = cloud.control("GET", "/practice/calls", "").await.json();
    assert_eq!(calls["calls"][0]["action"], "CreateVerifiedAccessEndpoint");
    assert_eq!(calls["calls"][0]["error"], "InvalidAction");
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_are_held_against_the_model() {
    let cloud = start(Options::default()).await;
    let answer = cloud.ec2("Action=DescribeImages&Onwer.1=self").await;
    assert_eq!(answer.text("Code"), "UnknownParameter");
    assert_eq!(answer.text("Message"), "The parameter Onwer.1 is not recognized");
    assert_eq!(cloud.ec2("Action=RunInstances&MaxCount=1").await.text("Code"), "MissingParameter");
    let errors = call(cloud.address(), "iam", "us-east-1", "Action=CreateRole&RoleNam=x").unwrap();
    assert_eq!(errors.text("Type"), "Sender");
}

/// A page in a browser must not reach it under another name, nor change anything.
#[tokio::test(flavor = "multi_thread")]
async fn only_this_computer_is_answered() {
    let cloud = start(Options::default()).await;
    assert!(cloud.address().ip().is_loopback());
    let request = b"GET /practice/state HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(raw(cloud.address(), request).unwrap().status, 403);
    let fault = r#"{"refuse": {"action": "RunInstances", "code": "X"}}"#;
    let simple = http(cloud.address(), "POST", "/practice/faults", "Content-Type: text/plain\r\n", fault).unwrap();
    assert_eq!(simple.status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_gets_an_error_and_nothing_more() {
    let cloud = start(Options::default()).await;
    for body in
        ["", "%", "%ff=%fe", "&&&=&", "Action", "Action=&Action=RunInstances", "Action=RunInstances&MinCount=%00"]
    {
        let answer = call(cloud.address(), "ec2", "us-east-1", body).unwrap();
        assert!((400..500).contains(&answer.status), "{body}: {}", answer.status);
    }
    let long = format!("Action=DescribeImages&ImageId.1={}", "x".repeat(5 << 20));
    if let Some(answer) = call(cloud.address(), "ec2", "us-east-1", &long) {
        assert_eq!(answer.status, 413);
    }
    for bytes in [
        &b"\x00\x01\x02\r\n\r\n"[..],
        b"POST / HTTP/9.9\r\n\r\n",
        b"GET /practice/faults/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ] {
        assert!(raw(cloud.address(), bytes).is_none_or(|a| a.status >= 400));
    }
    let answer = cloud.ec2("Action=DescribeRegions").await;
    assert!(answer.status == 200 && answer.head.contains("text/xml"));
    cloud.practice.stop().await;
}
