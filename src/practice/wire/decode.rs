//! A form becomes a tree of parameters, checked against AWS's model: unknown names, missing ones, values of the wrong kind.
//!
//! The tree is JSON whose keys are the form's names; lists are in the order of their numbers.

use base64::Engine as _;
use serde_json::{Map, Value};

use super::Refusal;
use super::model::{Kind, Service, kind};

/// Lists of real requests end long before.
const LONGEST_LIST: u32 = 10_000;
/// Names that every request may have and no action reads.
const COMMON: &[&str] = &["Action", "Version", "AWSAccessKeyId", "Timestamp", "SignatureVersion", "SignatureMethod"];

struct Field<'a> {
    /// What is left of the name.
    rest: &'a str,
    value: &'a str,
}

/// # Errors
/// `UnknownParameter`, `MissingParameter`, `InvalidParameterValue`, with AWS's words.
pub fn decode(service: &'static Service, action: &str, form: &[(String, String)]) -> Result<Value, Refusal> {
    let fields = form
        .iter()
        .filter(|(name, _)| !COMMON.contains(&name.as_str()) && !name.starts_with("X-Amz-"))
        .map(|(name, value)| Field { rest: name, value })
        .collect();
    let of = service.actions.get(action).copied().flatten();
    structure(service, of.unwrap_or_default(), fields, "")
}

fn structure(service: &'static Service, name: &str, fields: Vec<Field<'_>>, at: &str) -> Result<Value, Refusal> {
    let members = service.members(name);
    let mut groups: Vec<Vec<Field<'_>>> = members.iter().map(|_| Vec::new()).collect();
    for field in fields {
        let (head, rest) = field.rest.split_once('.').unwrap_or((field.rest, ""));
        let Some(i) = members.iter().position(|m| m.name == head) else {
            return Err(unknown(at, field.rest));
        };
        groups[i].push(Field { rest, value: field.value });
    }
    let mut out = Map::new();
    for (member, group) in members.iter().zip(groups) {
        let path = join(at, member.name);
        let empty = group.is_empty() || (group.len() == 1 && group[0].rest.is_empty() && group[0].value.is_empty());
        if member.required && empty {
            return Err(Refusal::missing(&path));
        }
        if !group.is_empty()
            && let Some(value) = one(service, member.kind, group, &path)?
        {
            out.insert(member.name.to_owned(), value);
        }
    }
    Ok(Value::Object(out))
}

/// `None` where an empty text stands for nothing.
fn one(service: &'static Service, of: Kind, fields: Vec<Field<'_>>, at: &str) -> Result<Option<Value>, Refusal> {
    match of {
        Kind::Struct(name) => {
            if let [Field { rest: "", value: "" }] = fields[..] {
                return Ok(None);
            }
            structure(service, name, fields, at).map(Some)
        }
        Kind::List { of, member } => list(service, kind(of), member, fields, at).map(Some),
        scalar => match fields[..] {
            [Field { rest: "", value }] => leaf(service, scalar, value, at),
            [Field { rest: "", .. }, ..] => {
                Err(Refusal::invalid(format!("The parameter {at} is given more than once")))
            }
            [Field { rest, .. }, ..] => Err(unknown(at, rest)),
            [] => Ok(None),
        },
    }
}

fn list(service: &'static Service, of: Kind, member: bool, fields: Vec<Field<'_>>, at: &str) -> Result<Value, Refusal> {
    let mut entries: std::collections::BTreeMap<u32, Vec<Field<'_>>> = std::collections::BTreeMap::new();
    for field in fields {
        // An empty list is sent as the bare name.
        if field.rest.is_empty() && field.value.is_empty() {
            continue;
        }
        let rest = match (member, field.rest.strip_prefix("member.")) {
            (true, None) => return Err(unknown(at, field.rest)),
            (true, Some(rest)) => rest,
            (false, _) => field.rest,
        };
        let (number, rest) = rest.split_once('.').unwrap_or((rest, ""));
        let number = number.parse().ok().filter(|n| (1..=LONGEST_LIST).contains(n));
        let Some(number) = number else { return Err(unknown(at, field.rest)) };
        entries.entry(number).or_default().push(Field { rest, value: field.value });
    }
    let mut out = Vec::new();
    for (number, fields) in entries {
        out.extend(one(service, of, fields, &join(at, &number.to_string()))?);
    }
    Ok(Value::Array(out))
}

fn leaf(service: &'static Service, of: Kind, value: &str, at: &str) -> Result<Option<Value>, Refusal> {
    let expected =
        |what: &str| Refusal::invalid(format!("Value ({value}) for parameter {at} is invalid. Expected {what}."));
    if value.is_empty() && of != Kind::Text {
        return Ok(None);
    }
    let value = match of {
        Kind::Integer => Value::from(value.parse::<i64>().map_err(|_| expected("an integer"))?),
        Kind::Number => {
            Value::from(value.parse::<f64>().ok().filter(|n| n.is_finite()).ok_or_else(|| expected("a number"))?)
        }
        Kind::Boolean => match value.to_ascii_lowercase().as_str() {
            "true" | "1" => Value::Bool(true),
            "false" | "0" => Value::Bool(false),
            _ => return Err(expected("true or false")),
        },
        Kind::Time => {
            let time: jiff::Timestamp = value.parse().map_err(|_| expected("a time such as 2030-01-31T12:00:00Z"))?;
            Value::from(time.as_millisecond())
        }
        Kind::Bytes => {
            base64::engine::general_purpose::STANDARD.decode(value).map_err(|_| expected("base64"))?;
            Value::from(value)
        }
        Kind::Enum(name) => {
            let values = service.values(name);
            if !values.iter().any(|v| v == value) {
                return Err(expected(&format!("one of {}", values.join(", "))));
            }
            Value::from(value)
        }
        _ => Value::from(value),
    };
    Ok(Some(value))
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

fn unknown(at: &str, rest: &str) -> Refusal {
    let name: String = join(at, rest).chars().take(200).collect();
    Refusal::new("UnknownParameter", format!("The parameter {name} is not recognized"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{form, model};
    use super::*;

    fn ec2(action: &str, text: &str) -> Result<Value, Refusal> {
        decode(model::service("ec2").unwrap(), action, &form::parse(text.as_bytes())?)
    }

    #[test]
    fn a_form_becomes_a_tree() {
        let tree = ec2(
            "RunInstances",
            "Action=RunInstances&ImageId=ami-1&MinCount=1&MaxCount=2&SecurityGroupId.2=sg-2&SecurityGroupId.1=sg-1\
             &EbsOptimized=false&SubnetId=&IamInstanceProfile.Name=&BlockDeviceMapping.1.DeviceName=%2Fdev%2Fsda1\
             &BlockDeviceMapping.1.Ebs.VolumeSize=20&BlockDeviceMapping.2.NoDevice=\
             &TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=",
        );
        let expected = json!({
            "ImageId": "ami-1", "MinCount": 1, "MaxCount": 2, "SecurityGroupId": ["sg-1", "sg-2"], "EbsOptimized": false,
            "SubnetId": "", "IamInstanceProfile": {"Name": ""},
            "BlockDeviceMapping": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 20}}, {"NoDevice": ""}],
            "TagSpecification": [{"ResourceType": "instance", "Tag": [{"Key": "k", "Value": ""}]}],
        });
        assert_eq!(tree.unwrap(), expected);
    }

    #[test]
    fn what_the_model_does_not_have_is_refused() {
        let code = |action, text| ec2(action, text).unwrap_err().to_string();
        assert_eq!(
            code("RunInstances", "MinCount=1&MaxCount=1&ImageIdd=x"),
            "UnknownParameter: The parameter ImageIdd is not recognized"
        );
        assert_eq!(
            code("RunInstances", "MinCount=1"),
            "MissingParameter: The request must contain the parameter MaxCount"
        );
        assert_eq!(
            code("RunInstances", "MinCount=1&MaxCount=many"),
            "InvalidParameterValue: Value (many) for parameter MaxCount is invalid. Expected an integer."
        );
        assert!(
            code("RunInstances", "MinCount=1&MaxCount=1&BlockDeviceMapping.1.Ebs.VolumeType=gp9").contains("one of")
        );
        assert!(code("RunInstances", "MinCount=1&MaxCount=1&SecurityGroupId.x=1").starts_with("UnknownParameter"));
        assert!(code("RunInstances", "MinCount=1&MinCount=2&MaxCount=1").contains("more than once"));
        assert!(code("RunInstances", "MinCount.4=1&MaxCount=1").starts_with("UnknownParameter"));
        assert!(code("DescribeRegions", "RegionName.99999999999=x").starts_with("UnknownParameter"));
    }

    #[test]
    fn query_services_number_their_lists_under_member() {
        let service = model::service("iam").unwrap();
        let text = "RoleName=r&AssumeRolePolicyDocument=%7B%7D&Tags.member.1.Key=a&Tags.member.1.Value=b";
        let tree = decode(service, "CreateRole", &form::parse(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(tree["Tags"], json!([{"Key": "a", "Value": "b"}]));
    }
}
