//! Where credentials come from. The cloud writes down who signed each call.

use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use sha2::Sha256;

use crate::support::{Cloud, Ended, Kiln};
use crate::templates::{builder, text};

/// A user of the cloud who has no credentials yet.
fn nobody(cloud: &Cloud) -> Kiln {
    let mut kiln = Kiln::new();
    kiln.set("AWS_ENDPOINT_URL", &cloud.endpoint());
    kiln
}

/// Calls AWS and stops early: the source image does not exist.
fn look(kiln: &Kiln, more: &Value) -> Ended {
    let mut builder = builder("web");
    builder["source_ami"] = json!("ami-00000000");
    for (key, value) in more.as_object().into_iter().flatten() {
        builder[key] = value.clone();
    }
    kiln.file("t.json", text(&json!({ "builders": [builder] })));
    kiln.run(["build", "t.json"]).expect(1)
}

/// Whose key signed the calls to EC2: all the same one.
fn signer(cloud: &Cloud, ended: &Ended) -> String {
    let calls = cloud.calls_of("DescribeImages");
    let mut keys: Vec<_> = calls.iter().filter_map(|c| c["key"].as_str()).collect();
    keys.dedup();
    assert_eq!(keys.len(), 1, "{}\n{}", ended.stdout, ended.stderr);
    keys[0].to_owned()
}

fn home(kiln: &Kiln, file: &str, content: &str) -> String {
    let path = kiln.dir.path().join("home").join(file);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
    std::fs::write(&path, content).expect("writable");
    path.display().to_string()
}

#[test]
fn without_credentials_the_ways_to_give_them_are_told() {
    let cloud = Cloud::start();
    let ended = look(&nobody(&cloud), &json!({}));
    assert!(ended.stdout.contains("no AWS credentials found"), "{}", ended.stdout);
    for way in ["access_key", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "aws sso login"] {
        assert!(ended.stdout.contains(way), "{way}:\n{}", ended.stdout);
    }
    assert_eq!(cloud.calls().len(), 0);
}

#[test]
fn the_template_goes_before_its_profile_and_that_before_the_environment() {
    let cloud = Cloud::start();
    let mut kiln = nobody(&cloud);
    kiln.set("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT").set("AWS_SECRET_ACCESS_KEY", "x");
    home(&kiln, ".aws/credentials", "[build]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = x\n");
    let all = json!({ "access_key": "AKIDTEMPLATE", "secret_key": "x", "profile": "build" });
    for (more, key) in
        [(all, "AKIDTEMPLATE"), (json!({ "profile": "build" }), "AKIDPROFILE"), (json!({}), "AKIDENVIRONMENT")]
    {
        std::fs::write(cloud.dir.path().join("calls.jsonl"), "").expect("writable");
        let ended = look(&kiln, &more);
        assert_eq!(signer(&cloud, &ended), key);
    }
}

#[test]
fn a_profile_signed_in_by_sso_gives_its_roles_keys() {
    let cloud = Cloud::start();
    let mut kiln = nobody(&cloud);
    kiln.set("AWS_PROFILE", "work");
    home(
        &kiln,
        ".aws/config",
        "[profile work]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Builder\n\
         [sso-session corp]\nsso_region = us-east-1\nsso_start_url = https://corp.awsapps.com/start\n",
    );
    // The AWS CLI names the file after the SHA-1 of the session's name.
    let token = json!({ "startUrl": "https://corp.awsapps.com/start", "region": "us-east-1", "accessToken": "sso-token",
        "expiresAt": "2999-01-01T00:00:00Z" });
    home(&kiln, &format!(".aws/sso/cache/{}.json", hex(&Sha1::digest("corp"))), &token.to_string());
    let ended = look(&kiln, &json!({}));
    assert_eq!(signer(&cloud, &ended), "AKIDSSO");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, b| text + &format!("{b:02x}"))
}

#[test]
fn a_profile_signed_in_by_aws_login_gives_its_keys() {
    let cloud = Cloud::start();
    let mut kiln = nobody(&cloud);
    kiln.set("AWS_PROFILE", "me");
    let session = "arn:aws:iam::123456789012:user/me";
    home(&kiln, ".aws/config", &format!("[profile me]\nlogin_session = {session}\nregion = us-east-1\n"));
    let token = json!({
        "accessToken": { "accessKeyId": "AKIDLOGIN", "secretAccessKey": "s", "sessionToken": "t", "accountId": "123456789012",
            "expiresAt": "2999-01-01T00:00:00Z" },
        "tokenType": "aws_sigv4", "refreshToken": "r", "identityToken": "i", "clientId": "arn:aws:signin:::devtools/same-device",
        "dpopKey": "-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----\n"
    });
    home(&kiln, &format!(".aws/login/cache/{}.json", hex(&Sha256::digest(session))), &token.to_string());
    let ended = look(&kiln, &json!({}));
    assert_eq!(signer(&cloud, &ended), "AKIDLOGIN");
}

#[test]
fn a_profiles_process_gives_keys() {
    let cloud = Cloud::start();
    let kiln = nobody(&cloud);
    let keys = json!({ "Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": "x" });
    let file = home(&kiln, "keys.json", &keys.to_string());
    home(&kiln, ".aws/config", &format!("[profile tool]\ncredential_process = cat {file}\n"));
    let ended = look(&kiln, &json!({ "profile": "tool" }));
    assert_eq!(signer(&cloud, &ended), "AKIDPROCESS");
}

#[test]
fn a_web_identity_is_exchanged_for_a_role() {
    let cloud = Cloud::start();
    let mut kiln = nobody(&cloud);
    let token = home(&kiln, "token", "eyJhbGciOi.eyJzdWIi.c2lnbmF0dXJl");
    kiln.set("AWS_WEB_IDENTITY_TOKEN_FILE", &token).set("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/ci");
    let ended = look(&kiln, &json!({}));
    let call = &cloud.calls_of("AssumeRoleWithWebIdentity")[0];
    assert_eq!(call["fields"]["RoleArn"], "arn:aws:iam::123456789012:role/ci");
    assert!(signer(&cloud, &ended).starts_with("ASIA"), "a session's key");
}

#[test]
fn a_pods_agent_gives_the_keys_of_its_identity() {
    let cloud = Cloud::start();
    let mut kiln = nobody(&cloud);
    let token = home(&kiln, "pod-token", "pod-token");
    kiln.set("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{}/container/credentials", cloud.endpoint()));
    kiln.set("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &token);
    let ended = look(&kiln, &json!({}));
    assert_eq!(signer(&cloud, &ended), "AKIDCONTAINER");
}

#[test]
fn an_instance_has_the_keys_of_its_role_unless_the_template_says_not_to_ask() {
    let cloud = Cloud::start();
    let mut kiln = nobody(&cloud);
    kiln.set("AWS_EC2_METADATA_DISABLED", "false").set("AWS_EC2_METADATA_SERVICE_ENDPOINT", &cloud.endpoint());
    let ended = look(&kiln, &json!({ "skip_metadata_api_check": true }));
    assert!(ended.stdout.contains("AWS credentials"), "{}", ended.stdout);
    assert_eq!(cloud.calls().len(), 0);
    let ended = look(&kiln, &json!({}));
    assert_eq!(signer(&cloud, &ended), "AKIDINSTANCE");
}

#[test]
fn a_role_is_taken_on_with_its_external_id_on_top_of_what_was_found() {
    let cloud = Cloud::start();
    let mut kiln = nobody(&cloud);
    kiln.set("AWS_ACCESS_KEY_ID", "AKIDBASE").set("AWS_SECRET_ACCESS_KEY", "x");
    let role = json!({ "role_arn": "arn:aws:iam::123456789012:role/build", "external_id": "shared", "session_name": "nightly" });
    let ended = look(&kiln, &json!({ "assume_role": role }));
    let call = &cloud.calls_of("AssumeRole")[0];
    assert_eq!(call["key"], "AKIDBASE");
    let asked = ["RoleArn", "ExternalId", "RoleSessionName"].map(|f| call["fields"][f].as_str().unwrap_or_default());
    assert_eq!(asked, ["arn:aws:iam::123456789012:role/build", "shared", "nightly"]);
    assert!(signer(&cloud, &ended).starts_with("ASIA"));
}

#[test]
fn a_profile_may_take_its_role_on_from_another() {
    let cloud = Cloud::start();
    let kiln = nobody(&cloud);
    home(
        &kiln,
        ".aws/config",
        "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = x\n\
         [profile build]\nsource_profile = base\nrole_arn = arn:aws:iam::123456789012:role/p\nexternal_id = shared\nregion = us-east-1\n",
    );
    let ended = look(&kiln, &json!({ "profile": "build" }));
    let call = &cloud.calls_of("AssumeRole")[0];
    assert_eq!((call["key"].as_str(), call["fields"]["ExternalId"].as_str()), (Some("AKIDBASE"), Some("shared")));
    assert!(signer(&cloud, &ended).starts_with("ASIA"));
}

#[test]
fn an_mfa_code_opens_a_session_under_the_role() {
    let cloud = Cloud::start();
    cloud.mfa_device("phone");
    let mut kiln = nobody(&cloud);
    kiln.set("AWS_ACCESS_KEY_ID", "AKIDBASE").set("AWS_SECRET_ACCESS_KEY", "x");
    let role = json!({ "role_arn": "arn:aws:iam::123456789012:role/build" });
    let ended = look(&kiln, &json!({ "mfa_code": "123456", "assume_role": role }));
    let session = &cloud.calls_of("GetSessionToken")[0]["fields"];
    assert_eq!(session["TokenCode"], "123456");
    assert!(session["SerialNumber"].as_str().is_some_and(|s| s.contains("phone")), "{session}");
    assert_ne!(cloud.calls_of("AssumeRole")[0]["key"], "AKIDBASE", "the role is taken on with the session's key");
    assert!(signer(&cloud, &ended).starts_with("ASIA"));
}
