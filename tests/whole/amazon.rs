//! What templates ask of amazon-ebs beyond the plain way, and what AWS answers on a bad day.

use serde_json::{Value, json};

use crate::support::{Cloud, Ended, Kiln, until};
use crate::templates::{XENIAL, builder, shell, text, web};

/// The template of one builder with these fields more.
fn with(more: &Value) -> Value {
    let mut template = web(&[shell(&["echo hello"])]);
    for (key, value) in more.as_object().into_iter().flatten() {
        template["builders"][0][key] = value.clone();
    }
    template
}

fn build(cloud: &Cloud, template: &Value) -> Ended {
    let kiln = Kiln::on(cloud);
    kiln.file("t.json", text(template));
    kiln.run(["build", "t.json"])
}

fn refuse(action: &str, nth: usize, count: usize, code: &str) -> Value {
    json!({ "refuse": [{ "action": action, "nth": nth, "count": count, "status": 400, "code": code, "message": "not now" }] })
}

#[test]
fn a_spot_machine_is_asked_for_at_the_templates_price() {
    for (price, most) in [("0.05", Some("0.05")), ("auto", None)] {
        let cloud = Cloud::start();
        build(&cloud, &with(&json!({ "spot_price": price, "spot_tags": { "team": "web" } }))).expect(0);
        let call = &cloud.calls_of("RunInstances")[0]["fields"];
        assert_eq!(call["InstanceMarketOptions.MarketType"], "spot");
        assert_eq!(call["InstanceMarketOptions.SpotOptions.MaxPrice"].as_str(), most);
        assert_eq!(cloud.calls_of("StopInstances").len(), 0, "AWS does not stop spot machines");
        assert_eq!((cloud.ids("images").len(), cloud.left_over()), (1, vec![]));
    }
}

#[test]
fn several_types_are_asked_for_by_a_fleet_that_is_gone_at_the_end() {
    let cloud = Cloud::start();
    let mut template = with(&json!({ "spot_price": "auto", "spot_instance_types": ["t3.small", "t3.medium"],
        "spot_allocation_strategy": "capacity-optimized", "fleet_tags": { "team": "web" } }));
    template["builders"][0].as_object_mut().expect("an object").remove("instance_type");
    build(&cloud, &template).expect(0);
    let call = &cloud.calls_of("CreateFleet")[0]["fields"];
    assert_eq!(call["Type"], "instant");
    assert!(call["ClientToken"].as_str().is_some_and(|t| !t.is_empty()), "{call}");
    assert_eq!(call["SpotOptions.AllocationStrategy"], "capacity-optimized");
    let types = [1, 2].map(|n| call[format!("LaunchTemplateConfigs.1.Overrides.{n}.InstanceType")].clone());
    assert_eq!(types, ["t3.small", "t3.medium"]);
    assert_eq!((cloud.ids("images").len(), cloud.left_over()), (1, vec![]));
}

#[test]
fn a_fleet_without_capacity_is_asked_for_anew_under_another_token() {
    let cloud = Cloud::with(&refuse("CreateFleet", 1, 1, "InsufficientInstanceCapacity"));
    build(&cloud, &with(&json!({ "spot_price": "auto", "spot_allocation_strategy": "lowest-price" }))).expect(0);
    let tokens: Vec<_> = cloud.calls_of("CreateFleet").iter().map(|c| c["fields"]["ClientToken"].clone()).collect();
    assert_eq!(tokens.len(), 2);
    assert_ne!(tokens[0], tokens[1], "the first would tell of the fleet that got nothing");
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn a_launch_template_that_is_not_known_yet_is_waited_for() {
    let cloud = Cloud::with(&refuse("CreateFleet", 1, 2, "InvalidLaunchTemplateName.NotFoundException"));
    build(&cloud, &with(&json!({ "spot_price": "auto", "spot_allocation_strategy": "lowest-price" }))).expect(0);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn a_temporary_profile_is_made_of_the_policy_and_gone_at_the_end() {
    let cloud = Cloud::start();
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"] }] });
    build(&cloud, &with(&json!({ "temporary_iam_instance_profile_policy_document": policy }))).expect(0);
    let attached = &cloud.calls_of("PutRolePolicy")[0]["fields"];
    let document: Value = serde_json::from_str(attached["PolicyDocument"].as_str().expect("a text")).expect("JSON");
    assert_eq!(document["Statement"][0]["Action"][0], "s3:GetObject");
    let launched = cloud.calls_of("RunInstances").into_iter().rfind(|c| c["status"] == 200).expect("a machine");
    assert_eq!(launched["fields"]["IamInstanceProfile.Name"], attached["RoleName"]);
    assert_eq!((cloud.ids("images").len(), cloud.left_over()), (1, vec![]));
}

#[test]
fn a_temporary_profile_is_gone_when_the_build_fails_half_way_through_making_it() {
    for action in ["CreateRole", "PutRolePolicy", "AddRoleToInstanceProfile"] {
        let cloud = Cloud::with(&refuse(action, 1, 1000, "AccessDenied"));
        let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"] }] });
        let ended =
            build(&cloud, &with(&json!({ "temporary_iam_instance_profile_policy_document": policy }))).expect(1);
        assert!(ended.stdout.contains("AccessDenied"), "{action}:\n{}", ended.stdout);
        assert_eq!(cloud.left_over(), [""; 0], "{action}");
    }
}

#[test]
fn a_profile_that_ec2_does_not_know_yet_is_waited_for() {
    let cloud = Cloud::with(
        &json!({ "refuse": [{ "action": "RunInstances", "count": 2, "status": 400, "code": "InvalidParameterValue",
        "message": "Value (x) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name" }] }),
    );
    let policy = json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"] }] });
    build(&cloud, &with(&json!({ "temporary_iam_instance_profile_policy_document": policy }))).expect(0);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn an_encrypted_image_is_copied_with_the_key_of_each_region_and_the_unencrypted_one_goes() {
    let cloud = Cloud::start();
    let more = json!({ "encrypt_boot": true, "kms_key_id": "alias/home", "ami_regions": ["us-west-2", "eu-west-1"],
        "region_kms_key_ids": { "us-west-2": "alias/west", "eu-west-1": "" }, "tags": { "App": "web" } });
    let ended = build(&cloud, &with(&more)).expect(0);
    let mut copies: Vec<_> = cloud
        .calls_of("CopyImage")
        .into_iter()
        .map(|c| {
            let field = |name: &str| c["fields"][name].as_str().unwrap_or_default().to_owned();
            (c["region"].as_str().unwrap_or_default().to_owned(), field("Encrypted"), field("KmsKeyId"), field("Name"))
        })
        .collect();
    copies.sort();
    let copy = |region: &str, key: &str| (region.to_owned(), "true".to_owned(), key.to_owned(), "image web".to_owned());
    assert_eq!(copies, [copy("eu-west-1", ""), copy("us-east-1", "alias/home"), copy("us-west-2", "alias/west")]);
    let state = cloud.state();
    let images: Vec<_> = state["images"].as_array().into_iter().flatten().collect();
    let mut found: Vec<_> =
        images.iter().map(|i| (i["region"].as_str().unwrap_or_default(), &i["name"], &i["tags"]["App"])).collect();
    found.sort_by_key(|f| f.0);
    let (name, app) = (json!("image web"), json!("web"));
    assert_eq!(
        found,
        [("eu-west-1", &name, &app), ("us-east-1", &name, &app), ("us-west-2", &name, &app)],
        "and none in between"
    );
    for image in images {
        let line =
            format!("{}: {}", image["region"].as_str().unwrap_or_default(), image["id"].as_str().unwrap_or_default());
        assert!(ended.stdout.contains(&line), "{line}:\n{}", ended.stdout);
    }
    assert_eq!(state["snapshots"].as_array().map(Vec::len), Some(3), "the unencrypted snapshot is gone");
}

#[test]
fn a_copy_that_fails_leaves_no_image_anywhere() {
    let cloud = Cloud::start();
    cloud.faults(&refuse("CopyImage", 2, 1000, "UnauthorizedOperation"));
    let ended = build(&cloud, &with(&json!({ "ami_regions": ["us-west-2", "eu-west-1"] }))).expect(1);
    assert!(ended.stdout.contains("UnauthorizedOperation"), "{}", ended.stdout);
    let left = cloud.ids("images");
    for image in &left {
        assert!(ended.stdout.contains(image), "what is left is named: {image}\n{}", ended.stdout);
    }
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn a_key_pair_of_somebody_else_with_the_templates_name_stays() {
    let cloud = Cloud::with(&refuse("ImportKeyPair", 1, 1, "InvalidKeyPair.Duplicate"));
    let ended = build(&cloud, &with(&json!({ "temporary_key_pair_name": "mine" }))).expect(1);
    assert!(ended.stdout.contains("InvalidKeyPair.Duplicate"), "{}", ended.stdout);
    assert_eq!(cloud.calls_of("DeleteKeyPair").len(), 0);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn our_own_key_and_group_may_be_unknown_for_a_while() {
    for code in ["InvalidKeyPair.NotFound", "InvalidGroup.NotFound", "InvalidSecurityGroupID.NotFound"] {
        let cloud = Cloud::with(&refuse("RunInstances", 1, 2, code));
        build(&cloud, &with(&json!({}))).expect(0);
        assert_eq!(cloud.left_over(), [""; 0], "{code}");
    }
    let cloud = Cloud::with(&refuse("AuthorizeSecurityGroupIngress", 1, 2, "InvalidGroup.NotFound"));
    build(&cloud, &with(&json!({}))).expect(0);
}

#[test]
fn a_key_of_the_templates_that_does_not_exist_is_not_waited_for() {
    let cloud = Cloud::with(&refuse("RunInstances", 1, 1000, "InvalidKeyPair.NotFound"));
    let kiln = Kiln::on(&cloud);
    kiln.file("id", "-----BEGIN OPENSSH PRIVATE KEY-----\n");
    kiln.file("t.json", text(&with(&json!({ "ssh_keypair_name": "none", "ssh_private_key_file": "id" }))));
    let ended = kiln.run(["build", "t.json"]);
    assert!(ended.status == 1 || ended.status == 2, "{}", ended.stdout);
    assert!(cloud.calls_of("RunInstances").len() <= 1);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn an_image_is_kept_when_asking_for_it_fails() {
    let cloud = Cloud::with(&json!({ "image_s": 600 }));
    let kiln = Kiln::on(&cloud);
    let mut template = with(&json!({}));
    template["builders"][0]["max_retries"] = json!(1);
    kiln.file("t.json", text(&template));
    let child = kiln.start(["build", "t.json"]);
    until("the image", || (!cloud.calls_of("CreateImage").is_empty()).then_some(()));
    let mut faults = refuse("DescribeImages", 1, 100_000, "UnauthorizedOperation");
    faults["image_s"] = json!(600);
    cloud.faults(&faults);
    let ended: Ended = child.wait_with_output().expect("it ends").into();
    let ended = ended.expect(1);
    let images = cloud.ids("images");
    assert_eq!(images.len(), 1, "it may become good:\n{}", ended.stdout);
    assert!(ended.stdout.contains(&images[0]), "and is named:\n{}", ended.stdout);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn two_builders_of_one_run_cannot_make_the_same_image() {
    for force in [false, true] {
        let cloud = Cloud::start();
        let (one, mut two) = (builder("one"), builder("two"));
        two["ami_name"] = one["ami_name"].clone();
        let mut builders = [one, two];
        for builder in &mut builders {
            builder["force_deregister"] = json!(force);
        }
        let ended = build(&cloud, &json!({ "builders": builders })).expect(1);
        assert_eq!(cloud.ids("images").len(), 1, "one deregisters not what the other just made:\n{}", ended.stdout);
        assert!(
            ended.stdout.contains("`one`") || ended.stdout.contains("`two`"),
            "the other is named:\n{}",
            ended.stdout
        );
        assert_eq!(cloud.left_over(), [""; 0]);
    }
}

#[test]
fn an_old_image_that_cannot_be_deregistered_stops_the_build_before_the_new_one() {
    let cloud = Cloud::start();
    build(&cloud, &with(&json!({}))).expect(0);
    let old = cloud.ids("images");
    cloud.faults(&refuse("DeregisterImage", 1, 1000, "UnauthorizedOperation"));
    let ended = build(&cloud, &with(&json!({ "force_deregister": true }))).expect(1);
    assert!(ended.stdout.contains("deregister"), "{}", ended.stdout);
    assert_eq!(cloud.ids("images"), old);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn a_replaced_images_snapshots_go_only_where_the_template_says_so() {
    for delete in [false, true] {
        let cloud = Cloud::start();
        build(&cloud, &with(&json!({}))).expect(0);
        build(&cloud, &with(&json!({ "force_deregister": true, "force_delete_snapshot": delete }))).expect(0);
        let state = cloud.state();
        assert_eq!(state["images"].as_array().map(Vec::len), Some(1));
        assert_eq!(state["snapshots"].as_array().map(Vec::len), Some(if delete { 1 } else { 2 }));
    }
}

#[test]
fn an_old_image_is_replaced_in_every_region() {
    let cloud = Cloud::start();
    let more = json!({ "ami_regions": ["us-west-2"], "force_deregister": true });
    build(&cloud, &with(&more)).expect(0);
    let old = cloud.ids("images");
    build(&cloud, &with(&more)).expect(0);
    let new = cloud.ids("images");
    assert_eq!((old.len(), new.len()), (2, 2));
    assert!(new.iter().all(|id| !old.contains(id)));
}

#[test]
fn a_source_image_that_does_not_exist_is_named() {
    let cloud = Cloud::start();
    let ended = build(&cloud, &with(&json!({ "source_ami": "ami-00000000" }))).expect(1);
    assert!(ended.stdout.contains("ami-00000000") && !ended.stdout.contains(XENIAL), "{}", ended.stdout);
    assert_eq!(cloud.calls_of("RunInstances").len(), 0);
}
