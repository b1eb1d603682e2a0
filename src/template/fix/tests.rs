use super::*;
use crate::template::json;
use crate::text::Sources;

fn fixed(text: &str) -> String {
    let mut sources = Sources::default();
    let id = sources.add("t.json", text);
    let source = sources.get(id).unwrap();
    let root = json::parse(source, &mut Vec::new()).unwrap();
    apply(text, &rewrites(source, &root))
}

/// A builder's body before and after.
#[track_caller]
fn builder(kind: &str, before: &str, after: &str) {
    let whole = |body: &str| format!("{{\"builders\": [{{\"type\": \"{kind}\", {body}}}]}}");
    assert_eq!(fixed(&whole(before)), whole(after));
}

#[test]
fn old_keys_get_their_names_of_today() {
    builder("null", r#""ssh_key_path" : "x""#, r#""ssh_private_key_file" : "x""#);
    builder(
        "null",
        r#""ssh_wait_timeout": "5m", "ssh_disable_agent": true"#,
        r#""ssh_timeout": "5m", "ssh_disable_agent_forwarding": true"#,
    );
    builder("amazon-ebs", r#""shutdown_behaviour": "stop""#, r#""shutdown_behavior": "stop""#);
    builder("amazon-ebs", r#""enhanced_networking": true"#, r#""ena_support": true"#);
    builder("amazon-ebs", r#""ssh_private_ip": "true""#, r#""ssh_interface": "private_ip""#);
    builder("amazon-ebs", r#""ssh_private_ip": false"#, r#""ssh_interface": "public_ip""#);
    builder(
        "amazon-ebs",
        r#""temporary_security_group_source_cidr": "1.2.3.4/32""#,
        r#""temporary_security_group_source_cidrs": ["1.2.3.4/32"]"#,
    );
    assert_eq!(
        fixed(
            r#"{"provisioners": [{"type": "ansible-local", "galaxycommand": "g"}], "post-processors": [[{"type": "manifest", "filename": "m"}], "compress"]}"#
        ),
        r#"{"provisioners": [{"type": "ansible-local", "galaxy_command": "g"}], "post-processors": [[{"type": "manifest", "output": "m"}], "compress"]}"#
    );
}

#[test]
fn what_another_component_has_is_left_alone() {
    builder("null", r#""shutdown_behaviour": "stop""#, r#""shutdown_behaviour": "stop""#);
    builder("null", r#""filename": "x""#, r#""filename": "x""#);
    builder("amazon-ebs", r#""ssh_private_ip": "maybe""#, r#""ssh_private_ip": "maybe""#);
    builder(
        "amazon-ebs",
        r#""temporary_security_group_source_cidr": ["a"]"#,
        r#""temporary_security_group_source_cidr": ["a"]"#,
    );
}

#[test]
fn of_an_old_key_and_its_new_one_packers_choice_stays() {
    builder("null", r#""ssh_key_path": "x", "ssh_private_key_file": "y""#, r#""ssh_private_key_file": "y""#);
    builder("null", r#""ssh_private_key_file": "y", "ssh_key_path": "x""#, r#""ssh_private_key_file": "y""#);
    builder("amazon-ebs", r#""shutdown_behavior": "a", "shutdown_behaviour": "b""#, r#""shutdown_behavior": "b""#);
    builder("amazon-ebs", r#""shutdown_behaviour": "b", "shutdown_behavior": "a""#, r#""shutdown_behavior": "b""#);
}

#[test]
fn a_key_that_is_dropped_takes_its_line_along() {
    let text = "{\n  \"builders\": [{\n    \"type\": \"amazon-ebs\", // kind\n    \"spot_price_auto_product\": \"x\",\n    \"region\": \"r\" # where\n  }]\n}\n";
    let without =
        "{\n  \"builders\": [{\n    \"type\": \"amazon-ebs\", // kind\n    \"region\": \"r\" # where\n  }]\n}\n";
    assert_eq!(fixed(text), without);
    let last = "{\"builders\": [{\n  \"type\": \"amazon-ebs\",\n  \"spot_price_auto_product\": \"x\"\n}]}";
    assert_eq!(fixed(last), "{\"builders\": [{\n  \"type\": \"amazon-ebs\"\n}]}");
    let commented = "{\"builders\": [{\"type\": \"amazon-ebs\", // kept\n  \"spot_price_auto_product\": \"x\"\n}]}";
    assert!(fixed(commented).contains("// kept"));
}

#[test]
fn template_functions_are_renamed_within_actions() {
    builder(
        "amazon-ebs",
        r#""ami_name": "a-{{ .CreateTime }}-{{clean_ami_name `x`}}""#,
        r#""ami_name": "a-{{timestamp}}-{{clean_resource_name `x`}}""#,
    );
    builder(
        "amazon-ebs",
        r#""tags": {"a": "clean_ami_name {{.CreateTime}}"}"#,
        r#""tags": {"a": "clean_ami_name {{.CreateTime}}"}"#,
    );
    builder(
        "amazon-ebs",
        r#""tags": {"a": "\u00e9 {{\"x\" | clean_image_name}}"}"#,
        r#""tags": {"a": "\u00e9 {{\"x\" | clean_resource_name}}"}"#,
    );
}

#[test]
fn powershells_escapes_go() {
    let of = |body: &str| format!("{{\"provisioners\": [{{\"type\": \"powershell\", {body}}}]}}");
    let before = r#""elevated_user": "a`$b``c", "elevated_password": "`\"x`'`n", "environment_vars": ["A=`$x", "B=y`"], "inline": ["`$x"]"#;
    let after = r#""elevated_user": "a$b`c", "elevated_password": "\"x'`n", "environment_vars": ["A=$x", "B=y`"], "inline": ["`$x"]"#;
    assert_eq!(fixed(&of(before)), of(after));
}

#[test]
fn fixing_again_changes_nothing() {
    let text =
        "{\"builders\": [{\"type\": \"amazon-ebs\", \"ssh_key_path\": \"x\", \"spot_price_auto_product\": \"p\"}]}";
    let once = fixed(text);
    assert_eq!(fixed(&once), once);
}
