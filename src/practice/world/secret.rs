//! SSM's parameters and Secrets Manager's secrets: JSON services, as far as templates read them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::account::PUBLIC;
use super::{Cx, Time, filter, id};
use crate::practice::wire::Refusal;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    pub kind: String,
    /// All that it has been, oldest first.
    pub values: Vec<String>,
    pub changed: Time,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Secret {
    pub arn: String,
    /// Version ids and what they hold, oldest first; the last is current.
    pub versions: Vec<(String, Held)>,
    pub made: Time,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Held {
    Text(String),
    /// In base64.
    Bytes(String),
}

/// Where AWS publishes the ids of current images, and the names that they have.
const PUBLISHED: &[(&str, &str)] = &[
    ("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", "al2023-ami-2023*-kernel-6.1-x86_64"),
    ("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64", "al2023-ami-2023*-kernel-6.1-arm64"),
    ("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-x86_64", "al2023-ami-2023*-kernel-6.1-x86_64"),
    ("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-arm64", "al2023-ami-2023*-kernel-6.1-arm64"),
    (
        "/aws/service/ami-amazon-linux-latest/al2023-ami-minimal-kernel-default-x86_64",
        "al2023-ami-minimal-2023*-kernel-6.1-x86_64",
    ),
    ("/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2", "amzn2-ami-hvm-2*-x86_64-gp2"),
    ("/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-arm64-gp2", "amzn2-ami-hvm-2*-arm64-gp2"),
    (
        "/aws/service/ami-amazon-linux-latest/amzn2-ami-kernel-5.10-hvm-x86_64-gp2",
        "amzn2-ami-kernel-5.10-hvm-2*-x86_64-gp2",
    ),
    (
        "/aws/service/canonical/ubuntu/server/20.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
        "ubuntu/images/*focal*-amd64-server-*",
    ),
    (
        "/aws/service/canonical/ubuntu/server/22.04/stable/current/amd64/hvm/ebs-gp2/ami-id",
        "ubuntu/images/*jammy*-amd64-server-*",
    ),
    (
        "/aws/service/canonical/ubuntu/server/22.04/stable/current/arm64/hvm/ebs-gp2/ami-id",
        "ubuntu/images/*jammy*-arm64-server-*",
    ),
    (
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
        "ubuntu/images/*noble*-amd64-server-*",
    ),
    (
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id",
        "ubuntu/images/*noble*-arm64-server-*",
    ),
    ("/aws/service/debian/release/12/latest/amd64", "debian-12-amd64-*"),
    ("/aws/service/debian/release/12/latest/arm64", "debian-12-arm64-*"),
    (
        "/aws/service/ami-windows-latest/Windows_Server-2019-English-Full-Base",
        "Windows_Server-2019-English-Full-Base-*",
    ),
    (
        "/aws/service/ami-windows-latest/Windows_Server-2022-English-Full-Base",
        "Windows_Server-2022-English-Full-Base-*",
    ),
];

/// The targets of the actions that are served.
pub const TARGETS: &[&str] = &[
    "AmazonSSM.DeleteParameter",
    "AmazonSSM.GetParameter",
    "AmazonSSM.GetParameters",
    "AmazonSSM.GetParametersByPath",
    "AmazonSSM.PutParameter",
    "AmazonSSM.StartSession",
    "AmazonSSM.TerminateSession",
    "secretsmanager.CreateSecret",
    "secretsmanager.DeleteSecret",
    "secretsmanager.DescribeSecret",
    "secretsmanager.GetSecretValue",
    "secretsmanager.PutSecretValue",
];

pub fn perform(cx: &mut Cx<'_>, target: &str, input: &Value) -> Result<Value, Refusal> {
    match target.rsplit('.').next().unwrap_or_default() {
        "GetParameter" => {
            let name = text(input, "Name")?;
            let found = parameter(cx, name)?.ok_or_else(|| Refusal::new("ParameterNotFound", String::new()))?;
            Ok(json!({ "Parameter": found }))
        }
        "GetParameters" => {
            let (mut found, mut unknown) = (Vec::new(), Vec::new());
            for name in input.get("Names").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
                match parameter(cx, name)? {
                    Some(parameter) => found.push(parameter),
                    None => unknown.push(name),
                }
            }
            Ok(json!({ "Parameters": found, "InvalidParameters": unknown }))
        }
        "GetParametersByPath" => by_path(cx, input),
        "PutParameter" => put_parameter(cx, input),
        "DeleteParameter" => {
            let name = text(input, "Name")?;
            cx.here().parameters.remove(name).ok_or_else(|| Refusal::new("ParameterNotFound", String::new()))?;
            Ok(json!({}))
        }
        "StartSession" => {
            let target = text(input, "Target")?;
            Err(Refusal::new(
                "TargetNotConnected",
                format!(
                    "{target} is not connected: the practice cloud's machines are reached by SSH at their own addresses"
                ),
            ))
        }
        "TerminateSession" => Ok(json!({ "SessionId": input.get("SessionId") })),
        "CreateSecret" => create_secret(cx, input),
        "PutSecretValue" => {
            let now = cx.now;
            let version = cx.mint("");
            let held = held(input)?;
            let secret = secret(cx, input)?;
            secret.versions.push((version.clone(), held));
            secret.made = now;
            Ok(json!({ "ARN": secret.arn, "VersionId": version, "VersionStages": ["AWSCURRENT"] }))
        }
        "GetSecretValue" => get_secret(cx, input),
        "DescribeSecret" => {
            let name = text(input, "SecretId")?.to_owned();
            let secret = secret(cx, input)?;
            Ok(json!({ "ARN": secret.arn, "Name": name }))
        }
        "DeleteSecret" => {
            let arn = secret(cx, input)?.arn.clone();
            cx.here().secrets.retain(|_, s| s.arn != arn);
            Ok(json!({ "ARN": arn }))
        }
        other => Err(Refusal::new("UnknownOperationException", format!("The practice cloud does not serve {other}"))),
    }
}

fn text<'a>(input: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    let missing = || {
        Refusal::new("ValidationException", format!("1 validation error detected: Value at '{name}' must not be null"))
    };
    input.get(name).and_then(Value::as_str).filter(|t| !t.is_empty()).ok_or_else(missing)
}

/// A parameter by name, `name:version`, or ARN; those that AWS publishes among them.
fn parameter(cx: &mut Cx<'_>, given: &str) -> Result<Option<Value>, Refusal> {
    let name = given.rsplit_once(":parameter").map_or(given, |(_, n)| n);
    let (name, version) = name.rsplit_once(':').map_or((name, None), |(n, v)| (n, Some(v)));
    let arn = format!(
        "arn:aws:ssm:{}:{}:parameter{}{name}",
        cx.region,
        cx.account,
        if name.starts_with('/') { "" } else { "/" }
    );
    let (region, now) = (cx.region.clone(), cx.now);
    if let Some((_, pattern)) = PUBLISHED.iter().find(|(n, _)| *n == name) {
        let public = cx.world.region(PUBLIC, &region, now);
        let newest = public.images.values().filter(|i| filter::matches(pattern, &i.name)).max_by_key(|i| i.made);
        return Ok(newest.map(|i| {
            json!({
                "Name": name, "Type": "String", "Value": i.id, "Version": 1, "LastModifiedDate": seconds(i.made),
                "ARN": format!("arn:aws:ssm:{region}::parameter{name}"), "DataType": "aws:ec2:image",
            })
        }));
    }
    let Some(parameter) = cx.here().parameters.get(name) else { return Ok(None) };
    let number = match version {
        Some(version) => version.parse::<usize>().ok().filter(|v| (1..=parameter.values.len()).contains(v)),
        None => Some(parameter.values.len()),
    };
    let number = number.ok_or_else(|| {
        Refusal::new(
            "ParameterVersionNotFound",
            format!("Systems Manager could not find version {} of {name}", version.unwrap_or_default()),
        )
    })?;
    Ok(Some(json!({
        "Name": name, "Type": parameter.kind, "Value": parameter.values[number - 1], "Version": number,
        "LastModifiedDate": seconds(parameter.changed), "ARN": arn, "DataType": "text",
    })))
}

#[allow(clippy::cast_precision_loss)] // milliseconds of this century fit
fn seconds(at: Time) -> f64 {
    at as f64 / 1000.0
}

fn by_path(cx: &mut Cx<'_>, input: &Value) -> Result<Value, Refusal> {
    let path = format!("{}/", text(input, "Path")?.trim_end_matches('/'));
    let deep = input.get("Recursive").and_then(Value::as_bool).unwrap_or_default();
    let published = PUBLISHED.iter().map(|(n, _)| (*n).to_owned());
    let names: Vec<String> = cx.here().parameters.keys().cloned().chain(published).collect();
    let chosen = names.into_iter().filter(|n| n.strip_prefix(&path).is_some_and(|rest| deep || !rest.contains('/')));
    let paging = filter::Paging {
        max_results: input.get("MaxResults").and_then(Value::as_i64).or(Some(10)),
        next_token: input.get("NextToken").and_then(Value::as_str).map(str::to_owned),
    };
    let chosen = chosen.map(|n| (n.clone(), n)).collect();
    let (chosen, next) = filter::page(chosen, &paging, 1..=10, &format!("GetParametersByPath {path} {deep}"))?;
    let mut found = Vec::new();
    for name in chosen {
        found.extend(parameter(cx, &name)?);
    }
    let mut answer = json!({ "Parameters": found });
    if let Some(next) = next {
        answer["NextToken"] = next.into();
    }
    Ok(answer)
}

fn put_parameter(cx: &mut Cx<'_>, input: &Value) -> Result<Value, Refusal> {
    let (name, value) = (text(input, "Name")?.to_owned(), text(input, "Value")?.to_owned());
    if name.starts_with("/aws") {
        return Err(Refusal::new("AccessDeniedException", format!("No access to reserved parameter name: {name}.")));
    }
    let overwrite = input.get("Overwrite").and_then(Value::as_bool).unwrap_or_default();
    let kind = input.get("Type").and_then(Value::as_str).unwrap_or("String").to_owned();
    let now = cx.now;
    let parameters = &mut cx.here().parameters;
    if parameters.contains_key(&name) && !overwrite {
        return Err(Refusal::new(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
        ));
    }
    let parameter = parameters.entry(name).or_insert_with(|| Parameter { kind, values: Vec::new(), changed: now });
    parameter.values.push(value);
    parameter.changed = now;
    Ok(json!({ "Version": parameter.values.len(), "Tier": "Standard" }))
}

fn held(input: &Value) -> Result<Held, Refusal> {
    match (input.get("SecretString").and_then(Value::as_str), input.get("SecretBinary").and_then(Value::as_str)) {
        (Some(text), None) => Ok(Held::Text(text.to_owned())),
        (None, Some(bytes)) => Ok(Held::Bytes(bytes.to_owned())),
        _ => Err(Refusal::new("InvalidParameterException", "You must provide either SecretString or SecretBinary.")),
    }
}

fn create_secret(cx: &mut Cx<'_>, input: &Value) -> Result<Value, Refusal> {
    let name = text(input, "Name")?.to_owned();
    if cx.here().secrets.contains_key(&name) {
        return Err(Refusal::new(
            "ResourceExistsException",
            format!("The operation failed because the secret {name} already exists."),
        ));
    }
    let suffix = id::hex(&[b"secret", name.as_bytes()], 6);
    let arn = format!("arn:aws:secretsmanager:{}:{}:secret:{name}-{suffix}", cx.region, cx.account);
    let version = cx.mint("");
    let secret = Secret { arn: arn.clone(), versions: vec![(version.clone(), held(input)?)], made: cx.now };
    cx.here().secrets.insert(name.clone(), secret);
    Ok(json!({ "ARN": arn, "Name": name, "VersionId": version }))
}

fn secret<'a>(cx: &'a mut Cx<'_>, input: &Value) -> Result<&'a mut Secret, Refusal> {
    let given = text(input, "SecretId")?;
    let secrets: &mut BTreeMap<String, Secret> = &mut cx.here().secrets;
    let found = secrets.iter_mut().find(|(name, s)| *name == given || s.arn == given);
    found
        .map(|(_, s)| s)
        .ok_or_else(|| Refusal::new("ResourceNotFoundException", "Secrets Manager can't find the specified secret."))
}

fn get_secret(cx: &mut Cx<'_>, input: &Value) -> Result<Value, Refusal> {
    let wanted = input.get("VersionId").and_then(Value::as_str).map(str::to_owned);
    let stage = input.get("VersionStage").and_then(Value::as_str).unwrap_or("AWSCURRENT").to_owned();
    let secret = secret(cx, input)?.clone();
    let name = cx.here().secrets.iter().find(|(_, s)| s.arn == secret.arn).map(|(n, _)| n.clone()).unwrap_or_default();
    let last = secret.versions.len();
    let chosen = match wanted {
        Some(id) => secret.versions.iter().find(|(v, _)| *v == id),
        None => match stage.as_str() {
            "AWSCURRENT" => secret.versions.last(),
            "AWSPREVIOUS" => last.checked_sub(2).and_then(|i| secret.versions.get(i)),
            _ => None,
        },
    };
    let (version, held) = chosen.ok_or_else(|| {
        Refusal::new(
            "ResourceNotFoundException",
            format!("Secrets Manager can't find the specified secret value for staging label: {stage}"),
        )
    })?;
    let mut answer = json!({
        "ARN": secret.arn, "Name": name, "VersionId": version, "VersionStages": [stage], "CreatedDate": seconds(secret.made),
    });
    match held {
        Held::Text(text) => answer["SecretString"] = text.as_str().into(),
        Held::Bytes(bytes) => answer["SecretBinary"] = bytes.as_str().into(),
    }
    Ok(answer)
}
