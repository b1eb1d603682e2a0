//! A cloud that misbehaves as real ones do.

use serde_json::{Value, json};

use crate::support::{Cloud, Ended, Kiln, until};
use crate::templates::{builder, shell, text, web};

fn build_on(faults: &Value, template: &Value) -> (Cloud, Ended) {
    let cloud = Cloud::with(faults);
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(template));
    let ended = kiln.run(["build", "t.json"]);
    (cloud, ended)
}

#[test]
fn throttled_calls_are_made_again() {
    let (cloud, ended) = build_on(&json!({ "throttle_every": 3 }), &web(&[shell(&["echo hello"])]));
    ended.expect(0);
    assert_eq!(cloud.left_over(), [""; 0]);
    assert_eq!(cloud.ids("images").len(), 1);
}

#[test]
fn what_was_just_made_may_be_unknown_for_a_while() {
    let mut template = web(&[shell(&["echo hello"])]);
    template["builders"][0]["tags"] = json!({ "Base": "{{ .SourceAMIName }}" });
    let (cloud, ended) = build_on(&json!({ "unseen": 2 }), &template);
    ended.expect(0);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn without_capacity_the_build_fails_with_awss_words() {
    let refuse = json!([{ "action": "RunInstances", "count": 1000, "status": 500, "code": "InsufficientInstanceCapacity",
        "message": "We currently do not have sufficient t2.micro capacity" }]);
    let mut template = web(&[]);
    template["builders"][0]["max_retries"] = json!(2);
    let (cloud, ended) = build_on(&json!({ "refuse": refuse }), &template);
    let ended = ended.expect(1);
    assert!(ended.stdout.contains("InsufficientInstanceCapacity"), "{}", ended.stdout);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn a_refused_permission_names_the_call() {
    let refuse = json!([{ "action": "ImportKeyPair", "count": 9, "status": 403, "code": "UnauthorizedOperation",
        "message": "You are not authorized to perform this operation." }]);
    let (cloud, ended) = build_on(&json!({ "refuse": refuse }), &web(&[]));
    let ended = ended.expect(1);
    assert!(ended.stdout.contains("UnauthorizedOperation") && ended.stdout.contains("key pair"), "{}", ended.stdout);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn an_image_that_stays_pending_is_kept_when_the_wait_is_given_up() {
    let mut template = web(&[]);
    template["builders"][0]["aws_polling"] = json!({ "delay_seconds": 1, "max_attempts": 2 });
    let (cloud, ended) = build_on(&json!({ "image": "stuck" }), &template);
    let ended = ended.expect(1);
    let images = cloud.ids("images");
    assert_eq!(images.len(), 1, "a pending image may become good: it stays\n{}", ended.stdout);
    assert!(ended.stdout.contains(&images[0]), "and is named:\n{}", ended.stdout);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn an_image_that_failed_is_removed() {
    let (cloud, ended) = build_on(&json!({ "image": "failed" }), &web(&[]));
    let ended = ended.expect(1);
    assert!(ended.stdout.contains("failed"), "{}", ended.stdout);
    assert_eq!(cloud.ids("images"), [""; 0]);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn a_machine_that_hangs_up_at_first_is_tried_again() {
    let (cloud, ended) = build_on(&json!({ "drop_ssh": 2, "boot_s": 0.5 }), &web(&[shell(&["echo hello"])]));
    assert!(ended.expect(0).stdout.contains("web: hello"));
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn a_link_that_breaks_in_a_script_is_a_failure_with_that_name() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[shell(&["touch \"$HOME/begun\"", "sleep 60"]), shell(&["echo never reached"])])));
    let child = kiln.start(["build", "t.json"]);
    let machine = until("the script", || {
        let machines = std::fs::read_dir(cloud.dir.path().join("machines")).ok()?;
        machines.flatten().find(|m| m.path().join("home/begun").exists())
    });
    cloud.cut(&machine.file_name().to_string_lossy());
    let ended: Ended = child.wait_with_output().expect("kiln ends").into();
    let ended = ended.expect(1);
    assert!(ended.stdout.contains("disconnected unexpectedly"), "{}", ended.stdout);
    assert!(ended.stdout.contains("expect_disconnect"), "the way out is told:\n{}", ended.stdout);
    assert!(!ended.stdout.contains("never reached"));
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn a_reboot_that_is_expected_is_waited_out() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let reboot = json!({ "type": "shell", "inline": ["touch \"$HOME/begun\"", "sleep 60"], "expect_disconnect": true, "skip_clean": true });
    kiln.file("t.json", text(&web(&[reboot, shell(&["echo back again"])])));
    let child = kiln.start(["build", "t.json"]);
    let machine = until("the script", || {
        let machines = std::fs::read_dir(cloud.dir.path().join("machines")).ok()?;
        machines.flatten().find(|m| m.path().join("home/begun").exists())
    });
    cloud.reboot(&machine.file_name().to_string_lossy(), 1.0);
    let ended: Ended = child.wait_with_output().expect("kiln ends").into();
    assert!(ended.expect(0).stdout.contains("web: back again"));
}

#[test]
fn what_cannot_be_released_is_reported_with_status_3() {
    let refuse = json!([{ "action": "DeleteKeyPair", "count": 1000, "status": 403, "code": "UnauthorizedOperation", "message": "no" }]);
    let (cloud, ended) = build_on(&json!({ "refuse": refuse }), &web(&[]));
    let ended = ended.expect(3);
    assert_eq!(cloud.ids("images").len(), 1);
    let key = &cloud.ids("key_pairs")[0];
    assert!(ended.stdout.contains(key.as_str()), "{key} is named:\n{}", ended.stdout);
}

#[test]
fn equal_look_ups_are_made_once_for_all_builders() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let builders: Vec<_> = (0..8).map(|i| builder(&format!("b{i}"))).collect();
    kiln.file("t.json", text(&json!({ "builders": builders })));
    kiln.run(["build", "t.json"]).expect(0);
    let looked_up = cloud
        .calls_of("DescribeImages")
        .into_iter()
        .filter(|c| c["fields"].to_string().contains(crate::templates::XENIAL))
        .count();
    assert_eq!(looked_up, 1, "one source image, one look-up");
    assert_eq!(cloud.left_over(), [""; 0]);
}
