//! STS: who a key is, and keys for a while.

use serde::{Deserialize, Serialize};

use super::{Cx, Time, iam, id, stamp_seconds};
use crate::practice::wire::{Refusal, Xml};

/// Temporary credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    pub account: String,
    pub arn: String,
    pub user_id: String,
    pub until: Time,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct AssumeRole {
    role_arn: String,
    role_session_name: String,
    duration_seconds: Option<i64>,
    encoded_message: String,
}

pub fn get_caller_identity(cx: &mut Cx<'_>, _: AssumeRole) -> Result<Xml, Refusal> {
    let session = cx.world.sessions.get(&cx.access_key).cloned();
    let (arn, user) = match session {
        Some(session) => (session.arn, session.user_id),
        None => (cx.arn("iam", "user/practice"), iam::unique_id("AIDA", &cx.account, "practice")),
    };
    let mut x = Xml::new();
    x.text("Arn", arn).text("UserId", user).text("Account", &cx.account);
    Ok(x)
}

pub fn assume_role(cx: &mut Cx<'_>, input: AssumeRole) -> Result<Xml, Refusal> {
    let parts: Vec<&str> = input.role_arn.splitn(6, ':').collect();
    let (account, role) = match parts[..] {
        ["arn", _, "iam", "", account, role]
            if account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit()) && role.starts_with("role/") =>
        {
            (account.to_owned(), role["role/".len()..].to_owned())
        }
        _ => return Err(Refusal::new("ValidationError", format!("{} is invalid", input.role_arn))),
    };
    let name = role.rsplit('/').next().unwrap_or(&role).to_owned();
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{}", input.role_session_name);
    let user_id = format!("{}:{}", iam::unique_id("AROA", &account, &name), input.role_session_name);
    let session =
        Session { account, arn: arn.clone(), user_id: user_id.clone(), until: until(cx, input.duration_seconds)? };
    let mut x = Xml::new();
    write_credentials(&mut x, cx, session);
    x.node("AssumedRoleUser", |x| _ = x.text("AssumedRoleId", user_id).text("Arn", arn));
    Ok(x)
}

pub fn get_session_token(cx: &mut Cx<'_>, input: AssumeRole) -> Result<Xml, Refusal> {
    let session = Session {
        account: cx.account.clone(),
        arn: cx.arn("iam", "user/practice"),
        user_id: iam::unique_id("AIDA", &cx.account, "practice"),
        until: until(cx, input.duration_seconds)?,
    };
    let mut x = Xml::new();
    write_credentials(&mut x, cx, session);
    Ok(x)
}

fn until(cx: &Cx<'_>, seconds: Option<i64>) -> Result<Time, Refusal> {
    let seconds = seconds.unwrap_or(3600);
    if !(900..=129_600).contains(&seconds) {
        return Err(Refusal::new(
            "ValidationError",
            format!("The requested DurationSeconds {seconds} is not between 900 and 129600"),
        ));
    }
    Ok(cx.now + seconds * 1000)
}

fn write_credentials(x: &mut Xml, cx: &mut Cx<'_>, session: Session) {
    let key = format!("ASIA{}", id::hex(&[cx.mint("").as_bytes()], 16).to_uppercase());
    let secret = id::hex(&[b"secret", key.as_bytes()], 40);
    let token = id::hex(&[b"token", key.as_bytes()], 64);
    x.node("Credentials", |x| {
        x.text("AccessKeyId", &key).text("SecretAccessKey", secret).text("SessionToken", token);
        x.text("Expiration", stamp_seconds(session.until));
    });
    let now = cx.now;
    cx.world.sessions.retain(|_, s| s.until > now - 3_600_000);
    cx.world.sessions.insert(key, session);
}

/// Messages are encoded by nobody here: what looks like one is told as it is.
pub fn decode_authorization_message(_: &mut Cx<'_>, input: AssumeRole) -> Result<Xml, Refusal> {
    use base64::Engine as _;
    let decoded = base64::engine::general_purpose::STANDARD.decode(&input.encoded_message).ok();
    let text = decoded.and_then(|b| String::from_utf8(b).ok()).filter(|t| t.starts_with('{'));
    let text = text.ok_or_else(|| Refusal::new("InvalidAuthorizationMessageException", "Message is not valid"))?;
    let mut x = Xml::new();
    x.text("DecodedMessage", text);
    Ok(x)
}
