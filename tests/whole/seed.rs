//! The two templates that kiln's user gave us are built as they stand there, comments and tabs included; only the
//! placeholders and the login user are filled in.

use crate::support::{Cloud, Kiln};
use crate::templates::{XENIAL, login};

const FIRST: &str = include_str!("seed/first.json");
const SECOND: &str = include_str!("seed/second.json");

#[test]
fn the_first_example_gives_an_ami() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("example.json", FIRST.replace("\"ubuntu\"", &format!("{:?}", login())));
    let validated = kiln.run(["validate", "example.json"]).expect(0);
    assert!(
        validated.stderr.contains("example.json:10:2"),
        "the comment is warned of where it stands:\n{}",
        validated.stderr
    );
    let built = kiln
        .run(["build", "-var", "aws_access_key=AKIDEXAMPLE", "-var", "aws_secret_key=secret", "example.json"])
        .expect(0);
    let state = cloud.state();
    let images = state["images"].as_array().expect("a list");
    assert_eq!(images.len(), 1, "{images:?}");
    assert!(images[0]["name"].as_str().is_some_and(|n| n.starts_with("packer-example ")), "{images:?}");
    let line = format!("us-east-1: {}", images[0]["id"].as_str().unwrap_or_default());
    assert!(built.stdout.contains(&line), "scripts look for {line:?}:\n{}", built.stdout);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn the_second_example_provisions_tags_and_shares() {
    let cloud = Cloud::start();
    cloud.instance_profile("myBestProfile");
    let kiln = Kiln::on(&cloud);
    let home = format!("{}/landing/", kiln.dir.path().display());
    std::fs::create_dir(&home).expect("writable");
    let template = SECOND
        .replace("AMI-REF to use as starting point", XENIAL)
        .replace("\"ubuntu\"", &format!("{:?}", login()))
        .replace("/home/ubuntu", home.trim_end_matches('/'))
        .replace("YYYYYYYYYYY", "123456789012")
        .replace("ZZZZZZZZZZZ", "210987654321");
    kiln.file("example.json", template);
    kiln.file("welcome.txt", "WELCOME TO KILN!\n");
    kiln.file("example.sh", "#!/bin/bash\necho hello from $PACKER_BUILD_NAME\necho to-stderr >&2\n");
    let built = kiln.run(["build", "example.json"]).expect(0);
    for line in ["    amazon-ebs: WELCOME TO KILN!", "    amazon-ebs: hello from amazon-ebs", "amazon-ebs: to-stderr"] {
        assert!(built.stdout.contains(line), "{line:?} is missing:\n{}", built.stdout);
    }
    let state = cloud.state();
    let image = &state["images"][0];
    assert_eq!(image["shared"], serde_json::json!(["123456789012", "210987654321"]));
    assert_eq!(image["tags"]["App"], "aTAG");
    let at = image["tags"]["BuildAt"].as_str().unwrap_or_default();
    assert_eq!(at.len(), "02-Jan-06 03:04:05".len(), "{at:?}");
    let launched = &cloud.calls_of("RunInstances")[0]["fields"];
    assert_eq!(launched["IamInstanceProfile.Name"], "myBestProfile");
    assert_eq!(launched["InstanceType"], "t2.micro");
}
