//! Templates that the tests share.

use serde_json::{Value, json};

/// A source image of the tests' cloud.
pub const XENIAL: &str = "ami-0f9cf087c1f27d9b1";

/// The user who runs the tests: whom the machines let in.
pub fn login() -> String {
    let id = std::process::Command::new("id").arg("-un").output().expect("id is everywhere");
    String::from_utf8_lossy(&id.stdout).trim().to_owned()
}

/// A builder that needs nothing but the cloud.
pub fn builder(name: &str) -> Value {
    json!({
        "type": "amazon-ebs", "name": name, "region": "us-east-1", "source_ami": XENIAL, "instance_type": "t2.micro",
        "ssh_username": login(), "ami_name": format!("image {name}")
    })
}

/// One builder, `web`, with these provisioners.
pub fn web(provisioners: &[Value]) -> Value {
    json!({ "builders": [builder("web")], "provisioners": provisioners })
}

/// A shell provisioner with these lines.
pub fn shell(lines: &[&str]) -> Value {
    json!({ "type": "shell", "inline": lines })
}

/// The template as a file's text.
pub fn text(template: &Value) -> String {
    serde_json::to_string_pretty(template).expect("JSON")
}
