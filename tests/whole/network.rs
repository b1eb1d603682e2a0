//! How AWS is reached: endpoints, certificates, proxies.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::support::{Cloud, Kiln};
use crate::templates::{builder, text, web};

/// A template whose build ends early: its source image does not exist.
fn look(kiln: &Kiln) {
    let mut builder = builder("web");
    builder["source_ami"] = json!("ami-00000000");
    builder["max_retries"] = json!(1);
    kiln.file("t.json", text(&json!({ "builders": [builder] })));
}

fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

fn config(kiln: &Kiln, content: &str) {
    let folder = kiln.dir.path().join("home/.aws");
    std::fs::create_dir_all(&folder).expect("writable");
    std::fs::write(folder.join("config"), content).expect("writable");
}

#[test]
fn the_endpoint_of_a_service_goes_before_that_of_all() {
    let (cloud, other) = (Cloud::start(), Cloud::start());
    let mut kiln = Kiln::on(&cloud);
    kiln.set("AWS_ENDPOINT_URL", &dead());
    kiln.set("AWS_ENDPOINT_URL_EC2", &cloud.endpoint());
    kiln.set("AWS_ENDPOINT_URL_IAM", &other.endpoint());
    kiln.set("AWS_ENDPOINT_URL_STS", &other.endpoint());
    other.instance_profile("mine");
    let mut template = web(&[]);
    template["builders"][0]["iam_instance_profile"] = json!("mine");
    template["builders"][0]["assume_role"] = json!({ "role_arn": "arn:aws:iam::123456789012:role/build" });
    kiln.file("t.json", text(&template));
    kiln.run(["build", "t.json"]);
    assert_eq!(other.calls_of("AssumeRole").len(), 1);
    assert_eq!(other.calls_of("GetInstanceProfile").len(), 1);
    assert_eq!((cloud.calls_of("GetInstanceProfile").len(), other.calls_of("DescribeImages").len()), (0, 0));
    assert!(!cloud.calls_of("DescribeImages").is_empty());
}

#[test]
fn a_profile_names_endpoints_for_all_and_for_single_services() {
    for services in [false, true] {
        let cloud = Cloud::start();
        let mut kiln = Kiln::new();
        kiln.set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").set("AWS_SECRET_ACCESS_KEY", "x");
        kiln.set("KILN_SSH_PORT", &crate::support::cloud::SSH_PORT.to_string());
        let at = cloud.endpoint();
        config(
            &kiln,
            &if services {
                format!(
                    "[default]\nservices = here\nendpoint_url = {}\n[services here]\nec2 =\n  endpoint_url = {at}\n",
                    dead()
                )
            } else {
                format!("[default]\nendpoint_url = {at}\n")
            },
        );
        kiln.file("t.json", text(&web(&[])));
        let ended = kiln.run(["build", "t.json"]).expect(0);
        assert!(
            ended.stderr.contains("was not asked for"),
            "it is not AWS, so checkip is not asked:\n{}",
            ended.stderr
        );
    }
}

#[test]
fn a_certificate_is_believed_when_its_authority_is_named() {
    let cloud = Cloud::with_tls();
    let authority = cloud.authority().display().to_string();
    let mut stranger = Kiln::on(&cloud);
    look(&stranger);
    let ended = stranger.run(["build", "t.json"]).expect(1);
    assert!(ended.stdout.to_lowercase().contains("certificate"), "{}", ended.stdout);
    assert!(ended.stdout.contains("AWS_CA_BUNDLE"), "the way out is told:\n{}", ended.stdout);
    assert_eq!(cloud.calls().len(), 0);

    stranger.set("AWS_CA_BUNDLE", &authority);
    stranger.run(["build", "t.json"]).expect(1);
    assert!(!cloud.calls_of("DescribeImages").is_empty());

    let by_profile = Kiln::on(&cloud);
    config(&by_profile, &format!("[default]\nca_bundle = {authority}\n"));
    look(&by_profile);
    let before = cloud.calls().len();
    by_profile.run(["build", "t.json"]).expect(1);
    assert!(cloud.calls().len() > before);
}

#[test]
fn verification_can_be_switched_off() {
    let cloud = Cloud::with_tls();
    let kiln = Kiln::on(&cloud);
    let mut template = web(&[]);
    template["builders"][0]["insecure_skip_tls_verify"] = json!(true);
    kiln.file("t.json", text(&template));
    kiln.run(["build", "t.json"]).expect(0);
    assert_eq!(cloud.calls_of("CreateImage").len(), 1);
}

/// A proxy on loopback that remembers whom it was asked for.
struct Proxy {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let seen = seen.clone();
                std::thread::spawn(move || serve(near, &seen));
            }
        });
        Self { url, asked }
    }

    fn asked(&self) -> Vec<String> {
        let mut asked = self.asked.lock().expect("not poisoned").clone();
        asked.dedup();
        asked
    }
}

/// `CONNECT host:port`, then bytes both ways.
fn serve(mut near: TcpStream, seen: &Mutex<Vec<String>>) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if near.read_exact(&mut byte).is_err() {
            return;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let target = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
    seen.lock().expect("not poisoned").push(target.clone());
    let Ok(mut far) = TcpStream::connect(&target) else { return };
    near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").expect("it listens");
    let (mut near_in, mut far_out) = (near.try_clone().expect("a handle"), far.try_clone().expect("a handle"));
    std::thread::spawn(move || std::io::copy(&mut near_in, &mut far_out));
    let _ = std::io::copy(&mut far, &mut near);
}

#[test]
fn aws_is_reached_through_the_proxy_of_the_environment() {
    for insecure in [false, true] {
        let (cloud, proxy) = (Cloud::with_tls(), Proxy::start());
        let mut kiln = Kiln::on(&cloud);
        kiln.set("AWS_CA_BUNDLE", &cloud.authority().display().to_string());
        kiln.set("HTTPS_PROXY", &proxy.url);
        let mut template = web(&[]);
        template["builders"][0]["insecure_skip_tls_verify"] = json!(insecure);
        kiln.file("t.json", text(&template));
        kiln.run(["build", "t.json"]).expect(0);
        assert_eq!(proxy.asked(), [format!("127.0.0.1:{}", cloud.port)], "insecure: {insecure}");
    }
}

#[test]
fn what_no_proxy_names_is_reached_directly() {
    for insecure in [false, true] {
        let (cloud, proxy) = (Cloud::with_tls(), Proxy::start());
        let mut kiln = Kiln::on(&cloud);
        kiln.set("AWS_CA_BUNDLE", &cloud.authority().display().to_string());
        kiln.set("HTTPS_PROXY", &proxy.url).set("NO_PROXY", "example.com,127.0.0.1");
        let mut template = web(&[]);
        template["builders"][0]["insecure_skip_tls_verify"] = json!(insecure);
        kiln.file("t.json", text(&template));
        kiln.run(["build", "t.json"]).expect(0);
        assert_eq!(proxy.asked(), [""; 0], "insecure: {insecure}");
    }
}

#[test]
fn an_endpoint_where_nobody_listens_is_told_of_while_calls_are_repeated() {
    let cloud = Cloud::start();
    let mut kiln = Kiln::on(&cloud);
    kiln.set("AWS_ENDPOINT_URL", &dead());
    let mut template = web(&[]);
    template["builders"][0]["max_retries"] = json!(3);
    kiln.file("t.json", text(&template));
    let ended = kiln.run(["build", "t.json"]).expect(1);
    let said = ended.stdout.matches("trying again, up to 3 times").count();
    assert_eq!(said, 1, "once, not at every try:\n{}", ended.stdout);
    assert!(ended.stdout.contains("refused"), "{}", ended.stdout);
}

#[test]
fn without_a_region_nothing_is_launched() {
    let cloud = Cloud::start();
    let mut kiln = Kiln::on(&cloud);
    let mut template = web(&[]);
    template["builders"][0].as_object_mut().expect("an object").remove("region");
    kiln.file("t.json", text(&template));
    let validated = kiln.run(["validate", "t.json"]).expect(0);
    assert!(validated.stderr.contains("no AWS region is set"), "{}", validated.stderr);
    let built = kiln.run(["build", "t.json"]).expect(2);
    assert!(built.stderr.contains("AWS_REGION"), "the way out is told:\n{}", built.stderr);
    assert_eq!(cloud.calls().len(), 0);
    config(&kiln, "[profile eu]\nregion = eu-west-1\n");
    kiln.set("AWS_PROFILE", "eu");
    assert_eq!(kiln.run(["validate", "t.json"]).expect(0).stderr, "");
    kiln.set("AWS_PROFILE", "").set("AWS_DEFAULT_REGION", "us-east-1");
    kiln.run(["build", "t.json"]).expect(0);
}
