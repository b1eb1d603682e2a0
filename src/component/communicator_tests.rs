#![allow(clippy::needless_pass_by_value, reason = "`json!` reads best in the call")]

use serde_json::{Value as Json, json};

use super::*;
use crate::component::config::decode;
use crate::component::testing::Checked;
use crate::schema;

fn config(json: Json) -> CommunicatorConfig {
    decode(&json).unwrap()
}

fn codes(json: Json) -> Vec<&'static str> {
    Checked::of(|cx| config(json).check(cx)).codes()
}

#[test]
fn the_port_is_the_template_s_then_the_environment_s_then_22() {
    assert_eq!(config(json!({"ssh_port": 2222})).port(Some(2500)), 2222);
    assert_eq!(config(json!({})).port(Some(2500)), 2500);
    assert_eq!(config(json!({"ssh_port": 0})).port(None), 22);
}

#[test]
fn a_limit_that_is_written_takes_the_other_one_away() {
    let limits = |json| {
        let config = config(json);
        (config.timeout().map(|t| t.as_secs()), config.handshake_attempts())
    };
    assert_eq!(limits(json!({})), (Some(300), Some(10)));
    assert_eq!(limits(json!({"ssh_timeout": "1h"})), (Some(3600), None));
    assert_eq!(limits(json!({"ssh_handshake_attempts": 3})), (None, Some(3)));
    assert_eq!(
        limits(json!({"ssh_timeout": "1h", "ssh_wait_timeout": "2s", "ssh_handshake_attempts": 3})),
        (Some(2), Some(3))
    );
}

#[test]
fn keep_alive_is_five_seconds_and_can_be_turned_off() {
    let keep_alive = |json| config(json).keep_alive().map(|t| t.as_secs());
    assert_eq!(keep_alive(json!({})), Some(5));
    assert_eq!(keep_alive(json!({"ssh_keep_alive_interval": "30s"})), Some(30));
    assert_eq!(keep_alive(json!({"ssh_keep_alive_interval": "-1s"})), None);
}

#[test]
fn rules_name_what_is_wrong() {
    let with = |more: Json| {
        let mut all = json!({"ssh_username": "u"});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        codes(all)
    };
    assert_eq!(with(json!({})), [""; 0]);
    assert_eq!(codes(json!({})), ["K0701"]);
    assert_eq!(with(json!({"ssh_private_key_file": "nope"})), ["K0702"]);
    assert_eq!(with(json!({"ssh_certificate_file": "/dev/null"})), ["K0703"]);
    assert_eq!(with(json!({"ssh_bastion_host": "b"})), ["K0704"]);
    assert_eq!(with(json!({"ssh_bastion_host": "b", "ssh_private_key_file": "/dev/null"})), [""; 0]);
    assert_eq!(
        with(json!({"ssh_bastion_host": "b", "ssh_bastion_agent_auth": true, "ssh_proxy_host": "p"})),
        ["K0705"]
    );
    assert_eq!(with(json!({"ssh_local_tunnels": ["80:h:80", "x"]})), ["K0706"]);
    assert_eq!(codes(json!({"communicator": "winrm"})), ["K0707"]);
    assert_eq!(codes(json!({"communicator": "none"})), [""; 0]);
}

#[test]
fn ways_to_log_in_are_tried_in_packers_order() {
    let config = config(json!({
        "ssh_username": "u", "ssh_agent_auth": true, "ssh_private_key_file": "k", "ssh_certificate_file": "c",
        "ssh_password": "p", "ssh_bastion_host": "b", "ssh_read_write_timeout": "1m", "ssh_file_transfer_method": "scp",
    }));
    let options = config.connect_options("h", None, Some("KEY"), Arc::default());
    let certificate = Auth::Certificate { key: "k".into(), certificate: "c".into() };
    let key = Auth::Key { path: "k".into() };
    assert_eq!(
        options.auth,
        [
            Auth::Agent,
            certificate.clone(),
            key.clone(),
            Auth::KeyText(Hidden::new("KEY")),
            Auth::Password(Hidden::new("p")),
        ]
    );
    let bastion = options.bastion.unwrap();
    assert_eq!((bastion.user.as_str(), bastion.port, bastion.auth), ("u", 22, vec![certificate, key]));
    assert_eq!(options.read_write_timeout, Some(Duration::from_secs(60)));
    assert_eq!(options.transfer, TransferMethod::Scp);
    assert!(options.agent_forwarding);
}

#[test]
fn a_temporary_key_is_needed_when_nothing_else_opens_the_machine() {
    assert!(config(json!({})).needs_temporary_key());
    for other in ["ssh_password", "ssh_private_key_file", "ssh_keypair_name"] {
        assert!(!config(json!({ other: "x" })).needs_temporary_key(), "{other}");
    }
    assert!(!config(json!({"communicator": "none"})).needs_temporary_key());
}

#[test]
fn every_key_is_known_with_help_and_secrets_are_marked() {
    let component = schema::Component::from_struct::<CommunicatorConfig>(schema::Kind::Builder, "x");
    let fields = component.fields.unwrap();
    assert_eq!(fields.len(), 49);
    assert!(fields.values().all(|f| !f.help.is_empty()));
    let secret: Vec<&str> = fields.values().filter(|f| f.sensitive).map(|f| f.name.as_str()).collect();
    assert_eq!(
        secret,
        ["ssh_password", "ssh_bastion_password", "ssh_proxy_password", "ssh_private_key", "winrm_password"]
    );
    assert_eq!(fields["ssh_port"].default, Some(json!(22)));
    assert!(matches!(fields["ssh_timeout"].ty, schema::Type::Duration));
}
