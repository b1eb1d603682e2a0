use super::*;
use crate::component::config::decode;
use crate::schema::{Component, Context, Kind, Type};

/// Packer's keys of `amazon-ebs`; a `tag` form is an alias of its map here.
const KEYS: &str = "access_key ami_block_device_mappings ami_description ami_groups ami_name ami_org_arns ami_ou_arns \
ami_product_codes ami_regions ami_users ami_virtualization_type associate_public_ip_address assume_role availability_zone \
aws_polling block_duration_minutes capacity_reservation_group_arn capacity_reservation_id capacity_reservation_preference \
communicator custom_endpoint_ec2 decode_authorization_messages deprecate_at deregistration_protection disable_stop_instance \
ebs_optimized ena_support enable_nitro_enclave enable_t2_unlimited enable_unlimited_credits encrypt_boot fast_launch fleet_tag \
fleet_tags force_delete_snapshot force_deregister iam_instance_profile imds_support insecure_skip_tls_verify instance_type \
kms_key_id launch_block_device_mappings license_specifications max_retries metadata_options mfa_code no_ephemeral \
pause_before_connecting pause_before_ssm placement profile region region_kms_key_ids run_tag run_tags run_volume_tag \
run_volume_tags secret_key security_group_filter security_group_id security_group_ids session_manager_port \
shared_credentials_file shutdown_behavior skip_ami_run_tags skip_create_ami skip_credential_validation \
skip_metadata_api_check skip_profile_validation skip_region_validation skip_save_build_region \
snapshot_copy_duration_minutes snapshot_groups snapshot_tag snapshot_tags snapshot_users source_ami source_ami_filter \
spot_allocation_strategy spot_instance_types spot_price spot_price_auto_product spot_tag spot_tags sriov_support ssh_agent_auth \
ssh_bastion_agent_auth ssh_bastion_certificate_file ssh_bastion_host ssh_bastion_interactive ssh_bastion_password \
ssh_bastion_port ssh_bastion_private_key_file ssh_bastion_username ssh_certificate_file ssh_ciphers ssh_clear_authorized_keys \
ssh_disable_agent_forwarding ssh_file_transfer_method ssh_handshake_attempts ssh_host ssh_interface ssh_keep_alive_interval \
ssh_key_exchange_algorithms ssh_keypair_name ssh_local_tunnels ssh_password ssh_port ssh_private_key ssh_private_key_file \
ssh_proxy_host ssh_proxy_password ssh_proxy_port ssh_proxy_username ssh_pty ssh_public_key ssh_read_write_timeout \
ssh_remote_tunnels ssh_timeout ssh_username ssh_wait_timeout subnet_filter subnet_id tag tags \
temporary_iam_instance_profile_policy_document temporary_key_pair_bits temporary_key_pair_name temporary_key_pair_type \
temporary_security_group_source_cidrs temporary_security_group_source_public_ip tenancy token user_data user_data_file \
vault_aws_engine vpc_filter vpc_id windows_password_timeout winrm_host winrm_insecure winrm_no_proxy winrm_password winrm_port \
winrm_timeout winrm_use_ntlm winrm_use_ssl winrm_username";

fn fields() -> crate::schema::Fields {
    Component::from_struct::<AmazonEbs>(Kind::Builder, "amazon-ebs").fields.map(|f| (*f).clone()).unwrap_or_default()
}

#[test]
fn every_key_of_packer_is_known_and_no_other() {
    let mut ours: Vec<String> =
        fields().values().flat_map(|f| std::iter::once(f.name.clone()).chain(f.aliases.clone())).collect();
    let mut packers: Vec<&str> = KEYS.split_whitespace().collect();
    ours.sort_unstable();
    packers.sort_unstable();
    assert_eq!(packers.len(), 148);
    assert_eq!(ours, packers);
}

#[test]
fn every_field_has_help() {
    for field in fields().values() {
        assert!(field.help.len() > 10, "{}", field.name);
        if let Type::Block(inner) | Type::Blocks(inner) = &field.ty {
            assert!(inner.values().all(|f| f.help.len() > 10), "{}", field.name);
        }
    }
}

#[test]
fn keys_are_hidden_and_tags_are_rendered_late() {
    let fields = fields();
    for name in ["access_key", "secret_key", "token", "mfa_code"] {
        assert!(fields[name].sensitive, "{name}");
    }
    for name in ["tags", "run_tags", "run_volume_tags", "snapshot_tags", "spot_tags", "fleet_tags", "ami_description"] {
        assert_eq!(fields[name].context, Context::Late(LATE.map(String::from).to_vec()), "{name}");
    }
    assert_eq!(fields["ami_name"].context, Context::Once);
}

#[test]
fn a_whole_config_is_read() {
    let config: AmazonEbs = decode(&serde_json::json!({
        "region": "eu-central-1", "ami_name": "web", "instance_type": "t3.micro", "ssh_username": "ubuntu",
        "source_ami_filter": {"filters": {"name": "ubuntu-*"}, "owners": ["099720109477"], "most_recent": true},
        "launch_block_device_mappings": [{"device_name": "/dev/sda1", "volume_size": 20, "volume_type": "gp3"}],
        "tags": {"B": "2", "A": "1"},
        "metadata_options": {"http_tokens": "required"},
        "temporary_iam_instance_profile_policy_document":
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}]},
        "encrypt_boot": null
    }))
    .unwrap();
    assert_eq!(config.access.region, "eu-central-1");
    assert_eq!(config.communicator.ssh_username, "ubuntu");
    assert_eq!(config.launch_block_device_mappings[0].volume_size, Some(20));
    assert_eq!(config.ami.tags.keys().collect::<Vec<_>>(), ["B", "A"]);
    assert_eq!(config.ami.encrypt_boot, None);
    let filter = config.run.source_ami_filter.unwrap_or_default();
    assert!(filter.most_recent && filter.owners == ["099720109477"]);
    let policy = config.run.temporary_iam_instance_profile_policy_document.unwrap_or_default();
    assert_eq!(policy.statement[0].action, ["s3:*"]);
}

#[test]
fn the_cloud_is_told_what_the_template_says() {
    let config: AmazonEbs = decode(&serde_json::json!({
        "access_key": "AK", "secret_key": "SK", "region": "us-east-1", "max_retries": 3,
        "custom_endpoint_ec2": "http://127.0.0.1:5000",
        "assume_role": {"role_arn": "arn:aws:iam::1:role/x", "external_id": "e", "duration_seconds": 900},
        "aws_polling": {"delay_seconds": 5, "max_attempts": 12}
    }))
    .unwrap();
    let access = config.access.access();
    assert_eq!((access.access_key.as_str(), access.max_retries), ("AK", Some(3)));
    assert_eq!(access.custom_endpoint_ec2, "http://127.0.0.1:5000");
    let role = access.assume_role.unwrap_or_default();
    assert_eq!((role.external_id.as_str(), role.duration_seconds), ("e", Some(900)));
    assert_eq!(config.access.polling().total(), Some(std::time::Duration::from_secs(60)));
}

#[test]
fn a_role_block_without_a_role_does_nothing() {
    let config: AmazonEbs = decode(&serde_json::json!({"assume_role": {"external_id": "e"}})).unwrap();
    assert_eq!(config.access.access().assume_role, None);
}

#[test]
fn spot_price_decides_whether_spot_is_used() {
    let spot = |price: &str| SpotConfig { spot_price: price.into(), ..SpotConfig::default() };
    assert!(!spot("").is_on() && !spot("0").is_on());
    assert!(spot("auto").is_on() && spot("auto").max_price().is_none());
    assert_eq!(spot("0.05").max_price(), Some("0.05"));
}
