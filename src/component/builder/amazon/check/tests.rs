use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::amazon_ebs;
use crate::component::builder::amazon::config::AmazonEbs;
use crate::component::config::decode_known;
use crate::component::contract::{CheckContext, Places};
use crate::text::code::amazon as code;
use crate::text::{Code, Diagnostic, SourceId, Span};

/// Places of a config that is nowhere: what is written is what the JSON has.
struct Nowhere<'a> {
    config: &'a Json,
    unknown: &'a [&'a str],
}

impl Places for Nowhere<'_> {
    fn value(&self, _: &str) -> Span {
        Span::new(SourceId(0), 0, 0)
    }
    fn key(&self, _: &str) -> Span {
        Span::new(SourceId(0), 0, 0)
    }
    fn written(&self, path: &str) -> bool {
        self.config.pointer(&format!("/{}", path.replace('.', "/"))).is_some()
    }
    fn unknown(&self, path: &str) -> bool {
        self.unknown.contains(&path)
    }
}

/// What the rules find in a good config with these fields changed; a null takes a field away.
fn findings(changes: &Json, unknown: &[&str]) -> Vec<Diagnostic> {
    let mut config = json!({
        "region": "us-east-1", "source_ami": "ami-0123456789abcdef0", "instance_type": "t3.micro",
        "ssh_username": "ubuntu", "ami_name": "web 1"
    });
    let fields = config.as_object_mut().unwrap();
    for (key, value) in changes.as_object().unwrap() {
        if value.is_null() {
            fields.remove(key)
        } else {
            fields.insert(key.clone(), value.clone())
        };
    }
    let mut diagnostics = Vec::new();
    let places = Nowhere { config: &config, unknown };
    let mut file_exists = |path: &str| Some(path != "missing");
    let mut cx = CheckContext {
        places: &places,
        diagnostics: &mut diagnostics,
        file_exists: &mut file_exists,
        region_set: &mut |profile, _| Some(profile == "with-region"),
        build: false,
        builder_names: &[],
    };
    amazon_ebs(&decode_known::<AmazonEbs>(&config), &mut cx);
    diagnostics
}

fn codes(changes: &Json) -> BTreeSet<&'static str> {
    findings(changes, &[]).iter().map(|d| d.code.as_str()).collect()
}

fn launch(device: &Json) -> Json {
    json!({ "launch_block_device_mappings": [device] })
}

/// Each rule with a config that trips it, and one near it that does not.
fn table() -> Vec<(Code, Json, Json)> {
    let long = "x".repeat(129);
    let tags: serde_json::Map<String, Json> = (0..51).map(|i| (format!("t{i}"), json!("v"))).collect();
    let key = "alias/images";
    vec![
        (code::NO_REGION, json!({"region": null}), json!({"region": null, "profile": "with-region"})),
        (code::NO_REGION, json!({"region": ""}), json!({})),
        (code::NAME_LENGTH, json!({"ami_name": "ab"}), json!({"ami_name": "abc"})),
        (code::NAME_LENGTH, json!({"ami_name": long}), json!({"ami_name": long[..128]})),
        (code::NAME_LENGTH, json!({"ami_name": ""}), json!({"ami_name": null})),
        (code::NAME_CHARACTERS, json!({"ami_name": "a:b c"}), json!({"ami_name": "(a)[b] c./-'@_9"})),
        (code::NAME_CHARACTERS, json!({"ami_name": "größe"}), json!({"ami_name": "groesse"})),
        (code::HALF_A_KEY, json!({"access_key": "a"}), json!({"access_key": "a", "secret_key": "s"})),
        (code::HALF_A_KEY, json!({"access_key": "", "secret_key": "s"}), json!({"access_key": "", "secret_key": ""})),
        (
            code::KMS_KEY,
            json!({"encrypt_boot": true, "kms_key_id": "my key"}),
            json!({"encrypt_boot": true, "kms_key_id": key}),
        ),
        (
            code::KMS_KEY,
            json!({"encrypt_boot": true, "kms_key_id": "arn:aws:kms:us-east-1:1:key/12ab"}),
            json!({"encrypt_boot": true, "kms_key_id": "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/mrk-12ab"}),
        ),
        (
            code::KMS_KEY,
            json!({"encrypt_boot": true, "kms_key_id": "alias/"}),
            json!({"encrypt_boot": true, "kms_key_id": "12ab-34cd"}),
        ),
        (code::KMS_WITHOUT_ENCRYPTION, json!({"kms_key_id": key}), json!({"kms_key_id": key, "encrypt_boot": true})),
        (
            code::REGION_KEYS,
            json!({"encrypt_boot": true, "ami_regions": ["eu-west-1"], "region_kms_key_ids": {"eu-west-2": key}}),
            json!({"encrypt_boot": true, "ami_regions": ["eu-west-1"], "region_kms_key_ids": {"eu-west-1": key, "us-east-1": key}}),
        ),
        (
            code::SHARING_DEFAULT_KEY,
            json!({"encrypt_boot": true, "ami_users": ["1"]}),
            json!({"encrypt_boot": true, "ami_users": ["1"], "kms_key_id": key}),
        ),
        (
            code::SHARING_DEFAULT_KEY,
            json!({"encrypt_boot": true, "snapshot_users": ["1"], "ami_regions": ["eu-west-1"], "region_kms_key_ids": {"eu-west-1": ""}}),
            json!({"encrypt_boot": true, "ami_regions": ["eu-west-1"], "region_kms_key_ids": {"eu-west-1": ""}}),
        ),
        (
            code::VOLUME_KEY,
            launch(&json!({"device_name": "a", "encrypted": false, "kms_key_id": key})),
            launch(&json!({"device_name": "a", "kms_key_id": key})),
        ),
        (code::NO_SOURCE, json!({"source_ami": null}), json!({"source_ami_filter": {}})),
        (code::NO_SOURCE, json!({"source_ami": "", "source_ami_filter": {"most_recent": true}}), json!({})),
        (
            code::NO_OWNER,
            json!({"source_ami": null, "source_ami_filter": {"filters": {"name": "x"}}}),
            json!({"source_ami": null, "source_ami_filter": {"filters": {"name": "x"}, "owners": ["self"]}}),
        ),
        (code::INSTANCE_TYPE, json!({"instance_type": null}), json!({})),
        (
            code::INSTANCE_TYPE,
            json!({"spot_price": "auto", "spot_instance_types": ["t3.micro"]}),
            json!({"spot_price": "auto", "spot_instance_types": ["t3.micro"], "instance_type": null}),
        ),
        (code::SPOT_TAGS, json!({"spot_tags": {"a": "b"}}), json!({"spot_tags": {"a": "b"}, "spot_price": "auto"})),
        (
            code::SPOT_TAGS,
            json!({"fleet_tags": {"a": "b"}, "spot_price": "0"}),
            json!({"fleet_tags": {"a": "b"}, "spot_price": "0.1"}),
        ),
        (code::BLOCK_DURATION, json!({"block_duration_minutes": 90}), json!({"block_duration_minutes": 120})),
        (
            code::SPOT_NETWORKING,
            json!({"spot_price": "auto", "ena_support": true}),
            json!({"spot_price": "auto", "ena_support": false}),
        ),
        (code::SPOT_NETWORKING, json!({"spot_price": "auto", "sriov_support": true}), json!({"sriov_support": true})),
        (
            code::HOP_LIMIT,
            json!({"metadata_options": {"http_put_response_hop_limit": 65}}),
            json!({"metadata_options": {"http_put_response_hop_limit": 64}}),
        ),
        (
            code::PLACEMENT,
            json!({"tenancy": "host", "placement": {"tenancy": "host"}}),
            json!({"placement": {"tenancy": "dedicated"}}),
        ),
        (
            code::PLACEMENT,
            json!({"placement": {"host_id": "h-1", "host_resource_group_arn": "arn:x"}}),
            json!({"placement": {"host_id": "h-1", "tenancy": "host"}}),
        ),
        (
            code::PLACEMENT,
            json!({"placement": {"host_id": "h-1", "tenancy": "dedicated"}}),
            json!({"placement": {"host_resource_group_arn": "arn:x"}}),
        ),
        (
            code::CAPACITY,
            json!({"capacity_reservation_id": "cr-1", "capacity_reservation_preference": "open"}),
            json!({"capacity_reservation_id": "cr-1"}),
        ),
        (code::USER_DATA_TWICE, json!({"user_data": "a", "user_data_file": "b"}), json!({"user_data": "a"})),
        (code::USER_DATA_FILE, json!({"user_data_file": "missing"}), json!({"user_data_file": "there"})),
        (
            code::SECURITY_GROUPS,
            json!({"security_group_id": "sg-1", "security_group_ids": ["sg-2"]}),
            json!({"security_group_ids": ["sg-1", "sg-2"]}),
        ),
        (
            code::CIDR,
            json!({"temporary_security_group_source_cidrs": ["203.0.113.7"]}),
            json!({"temporary_security_group_source_cidrs": ["203.0.113.7/24", "2001:db8::/32"]}),
        ),
        (
            code::DEPRECATE_AT,
            json!({"deprecate_at": "2027-01-31"}),
            json!({"deprecate_at": "2027-01-31T23:59:00+02:00"}),
        ),
        (
            code::KEY_PAIR_WITHOUT_KEY,
            json!({"ssh_keypair_name": "k"}),
            json!({"ssh_keypair_name": "k", "ssh_agent_auth": true}),
        ),
        (
            code::PASSWORD_KEY,
            json!({"communicator": "winrm", "winrm_username": "a", "temporary_key_pair_type": "ed25519"}),
            json!({"communicator": "winrm", "winrm_username": "a", "temporary_key_pair_type": "rsa"}),
        ),
        (
            code::NITRO_ENCLAVE,
            json!({"enable_nitro_enclave": true}),
            json!({"enable_nitro_enclave": true, "instance_type": "trn1.2xlarge"}),
        ),
        (
            code::NITRO_ENCLAVE,
            json!({"enable_nitro_enclave": true, "instance_type": "m5.xlarge", "spot_price": "auto"}),
            json!({"enable_nitro_enclave": true, "instance_type": "m5.xlarge"}),
        ),
        (
            code::UNLIMITED_CREDITS,
            json!({"enable_unlimited_credits": true, "instance_type": "m5.large"}),
            json!({"enable_unlimited_credits": true}),
        ),
        (
            code::UNLIMITED_CREDITS,
            json!({"enable_t2_unlimited": true, "instance_type": "t2.micro", "spot_price": "1"}),
            json!({"enable_t2_unlimited": true, "instance_type": "t2.micro"}),
        ),
        (
            code::SESSION_MANAGER,
            json!({"ssh_interface": "session_manager"}),
            json!({"ssh_interface": "session_manager", "iam_instance_profile": "ssm"}),
        ),
        (
            code::VAULT_AND_KEY,
            json!({"access_key": "a", "secret_key": "s", "vault_aws_engine": {"name": "n"}}),
            json!({"vault_aws_engine": {"name": "n"}}),
        ),
        (
            code::FAST_LAUNCH,
            json!({"fast_launch": {"max_parallel_launches": 5}}),
            json!({"fast_launch": {"max_parallel_launches": 6}}),
        ),
        (
            code::FAST_LAUNCH,
            json!({"fast_launch": {"template_version": 1}}),
            json!({"fast_launch": {"template_version": 1, "template_id": "lt-1"}}),
        ),
        (
            code::FAST_LAUNCH,
            json!({"fast_launch": {"region_launch_templates": [{"region": "eu-west-1"}]}}),
            json!({"ami_regions": ["eu-west-1"], "fast_launch": {"region_launch_templates": [{"region": "eu-west-1"}]}}),
        ),
        (
            code::IOPS,
            launch(&json!({"device_name": "a", "volume_type": "io1", "volume_size": 10, "iops": 600})),
            launch(&json!({"device_name": "a", "volume_type": "io2", "volume_size": 10, "iops": 600})),
        ),
        (
            code::IOPS,
            launch(&json!({"device_name": "a", "volume_type": "gp3", "iops": 2999})),
            launch(&json!({"device_name": "a", "volume_type": "gp3", "iops": 3000})),
        ),
        (
            code::THROUGHPUT,
            launch(&json!({"device_name": "a", "volume_type": "gp2", "throughput": 125})),
            launch(&json!({"device_name": "a", "volume_type": "gp3", "throughput": 125})),
        ),
        (
            code::DELETE_WITHOUT_DEREGISTER,
            json!({"force_delete_snapshot": true}),
            json!({"force_delete_snapshot": true, "force_deregister": true}),
        ),
        (
            code::PROFILE_ARN,
            json!({"iam_instance_profile": "arn:aws:iam::123456789012:instance-profile/x"}),
            json!({"iam_instance_profile": "x"}),
        ),
        (
            code::VOLUME_TYPE,
            launch(&json!({"device_name": "a", "volume_type": "gp4"})),
            launch(&json!({"device_name": "a", "volume_type": "gp2"})),
        ),
        (
            code::METADATA_OFF,
            json!({"metadata_options": {"http_endpoint": "disabled", "http_tokens": "required"}}),
            json!({"metadata_options": {"http_endpoint": "disabled"}}),
        ),
        (
            code::SPOT_WITHOUT_PRICE,
            json!({"spot_allocation_strategy": "diversified"}),
            json!({"spot_allocation_strategy": "diversified", "spot_price": "auto"}),
        ),
        (code::TAG_LIMIT, json!({"tags": {"aws:x": "y"}}), json!({"tags": {"awsome:x": "y"}})),
        (code::TAG_LIMIT, json!({"run_tags": tags}), json!({"run_tags": {"a": "b"}})),
        (
            code::SPOT_STOP,
            json!({"spot_price": "auto", "disable_stop_instance": true}),
            json!({"disable_stop_instance": true}),
        ),
        (
            code::COPY_DURATION,
            json!({"snapshot_copy_duration_minutes": 20}),
            json!({"snapshot_copy_duration_minutes": 30}),
        ),
        (
            code::GROUP_RULE_IGNORED,
            json!({"security_group_id": "sg-1", "temporary_security_group_source_public_ip": true}),
            json!({"temporary_security_group_source_public_ip": true}),
        ),
        (
            code::POLICY_IGNORED,
            json!({"iam_instance_profile": "x", "temporary_iam_instance_profile_policy_document": {"Version": "v"}}),
            json!({"temporary_iam_instance_profile_policy_document": {"Version": "v"}}),
        ),
        (code::REGION_NAME, json!({"region": "us-east-1a"}), json!({"region": "xx-newplace-7"})),
        (
            code::REGION_NAME,
            json!({"ami_regions": ["us_west_2"]}),
            json!({"ami_regions": ["us_west_2"], "custom_endpoint_ec2": "http://localhost"}),
        ),
        (
            code::ZONE_ELSEWHERE,
            json!({"availability_zone": "us-west-1a"}),
            json!({"availability_zone": "us-east-1-bos-1a"}),
        ),
        (
            code::DEVICE_TWICE,
            json!({"ami_block_device_mappings": [{"device_name": "a"}, {"device_name": "a"}]}),
            json!({"ami_block_device_mappings": [{"device_name": "a"}], "launch_block_device_mappings": [{"device_name": "a"}]}),
        ),
        (
            code::IOPS_IGNORED,
            launch(&json!({"device_name": "a", "volume_type": "gp2", "iops": 3000})),
            launch(&json!({"device_name": "a", "volume_type": "io1", "iops": 3000})),
        ),
    ]
}

#[test]
fn each_rule_is_tripped_by_its_case_and_not_by_its_neighbour() {
    for (code, wrong, right) in table() {
        assert!(codes(&wrong).contains(code.as_str()), "{code} is not found in {wrong}: {:?}", codes(&wrong));
        assert!(!codes(&right).contains(code.as_str()), "{code} is found in {right}");
    }
}

#[test]
fn every_code_of_the_amazon_builders_has_a_case() {
    let covered: BTreeSet<&str> = table().iter().map(|(code, ..)| code.as_str()).collect();
    let all: BTreeSet<&str> = Code::all().map(Code::as_str).filter(|c| c.starts_with("K06")).collect();
    assert_eq!(covered, all);
}

#[test]
fn a_plain_config_has_no_finding() {
    assert_eq!(findings(&json!({}), &[]), []);
}

#[test]
fn all_mistakes_of_a_volume_are_reported_at_once() {
    let device = json!({"device_name": "a", "encrypted": false, "kms_key_id": "x", "volume_type": "io1", "volume_size": 1,
        "iops": 99, "throughput": 1});
    let found = codes(&launch(&device));
    let expected: BTreeSet<_> = [code::VOLUME_KEY, code::IOPS, code::THROUGHPUT].map(Code::as_str).into();
    assert_eq!(found, expected);
}

#[test]
fn what_is_not_known_yet_is_no_mistake() {
    let cases = [
        (json!({"source_ami": null}), "source_ami"),
        (json!({"instance_type": null}), "instance_type"),
        (json!({"access_key": "a"}), "secret_key"),
        (json!({"ami_name": "", "encrypt_boot": null}), "ami_name"),
        (json!({"kms_key_id": "alias/x"}), "encrypt_boot"),
        (json!({"spot_tags": {"a": "b"}}), "spot_price"),
        (json!({"ssh_keypair_name": "k"}), "ssh_private_key_file"),
    ];
    for (changes, unknown) in cases {
        assert_ne!(findings(&changes, &[]), [], "{changes}");
        assert_eq!(findings(&changes, &[unknown]), [], "{changes}");
    }
}

#[test]
fn findings_about_keys_hide_their_lines_and_name_no_value() {
    for changes in [
        json!({"access_key": "AKIAVALUE"}),
        json!({"access_key": "AKIAVALUE", "secret_key": "s", "vault_aws_engine": {"name": "n"}}),
    ] {
        let found = findings(&changes, &[]);
        assert!(found.iter().all(|d| d.secret && !d.message.contains("AKIAVALUE")), "{found:?}");
        assert_eq!(found.len(), 1);
    }
}

#[test]
fn a_dirty_name_is_shown_clean() {
    let found = findings(&json!({"ami_name": "web 12:30:00"}), &[]);
    assert!(found[0].help.as_ref().unwrap().contains("`web 12-30-00`"), "{:?}", found[0].help);
}
