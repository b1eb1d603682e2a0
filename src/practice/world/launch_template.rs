//! Launch templates: their data is kept as it was given and laid under `RunInstances`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::filter::{self, Filter, Paging};
use super::instance_run::RunInstances;
use super::tag::{self, TagSpecification};
use super::{Cx, Time, stamp};
use crate::practice::wire::refusal::not_found;
use crate::practice::wire::{Refusal, Xml};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    pub id: String,
    pub name: String,
    pub made: Time,
    pub by: String,
    pub default: u64,
    pub versions: Vec<Version>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Version {
    pub number: u64,
    pub description: String,
    pub data: Value,
    pub made: Time,
}

impl LaunchTemplate {
    fn latest(&self) -> u64 {
        self.versions.last().map_or(1, |v| v.number)
    }

    fn version(&self, wanted: Option<&str>) -> Result<&Version, Refusal> {
        let number = match wanted.unwrap_or("$Default") {
            "" | "$Default" => self.default,
            "$Latest" => self.latest(),
            text => text.parse().map_err(|_| Refusal::bad_value("LaunchTemplateVersion", text))?,
        };
        self.versions.iter().find(|v| v.number == number).ok_or_else(|| {
            Refusal::new(
                "InvalidLaunchTemplateId.VersionNotFound",
                format!("Could not find launch template version {number} with template ID {}.", self.id),
            )
        })
    }
}

/// A template named by id or by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Named {
    pub launch_template_id: Option<String>,
    pub launch_template_name: Option<String>,
    pub version: Option<String>,
}

pub fn find<'a>(cx: &'a mut Cx<'_>, named: &Named) -> Result<&'a mut LaunchTemplate, Refusal> {
    let here = cx.here();
    if let Some(id) = named.launch_template_id.as_deref().filter(|i| !i.is_empty()) {
        return here.launch_templates.get_mut(id).ok_or_else(|| not_found(id));
    }
    let name = named.launch_template_name.as_deref().filter(|n| !n.is_empty());
    let name = name.ok_or_else(|| Refusal::missing("LaunchTemplateId or LaunchTemplateName"))?;
    here.launch_templates.values_mut().find(|t| t.name == name).ok_or_else(|| {
        Refusal::new(
            "InvalidLaunchTemplateName.NotFoundException",
            format!("The specified launch template, with template name {name}, does not exist."),
        )
    })
}

/// A request of `RunInstances` over the launch template that it names.
pub fn merged(cx: &mut Cx<'_>, mut request: Value) -> Result<RunInstances, Refusal> {
    let named = request.as_object_mut().and_then(|r| r.remove("LaunchTemplate"));
    if let Some(named) = named {
        let named: Named = super::actions::read(named)?;
        let template = find(cx, &named)?;
        let data = template.version(named.version.as_deref())?.data.clone();
        request = over(data, request);
    }
    super::actions::read(request)
}

/// What `top` gives, and what `base` gives beside it; empty texts and lists give nothing.
pub fn over(base: Value, top: Value) -> Value {
    let (Value::Object(mut base), Value::Object(top)) = (base, top) else { return Value::Object(Map::new()) };
    for (key, value) in top {
        let nothing = value.as_str().is_some_and(str::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        // Tags of both are kept: they are of different things, or the request's win by their keys.
        match (base.get_mut(&key), value) {
            (Some(_), _) if nothing => {}
            (Some(Value::Array(had)), Value::Array(more)) if key == "TagSpecification" => had.extend(more),
            (_, value) => _ = base.insert(key, value),
        }
    }
    Value::Object(base)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateLaunchTemplate {
    launch_template_id: Option<String>,
    launch_template_name: Option<String>,
    source_version: Option<String>,
    version_description: Option<String>,
    launch_template_data: Value,
    tag_specification: Vec<TagSpecification>,
}

pub fn create_launch_template(cx: &mut Cx<'_>, input: CreateLaunchTemplate) -> Result<Xml, Refusal> {
    let tags = tag::specified(&input.tag_specification, "launch-template", &["launch-template"])?;
    let name = input.launch_template_name.unwrap_or_default();
    let legal = |c: char| c.is_ascii_alphanumeric() || "()./_-".contains(c);
    if !(3..=128).contains(&name.len()) || !name.chars().all(legal) {
        return Err(Refusal::new(
            "InvalidLaunchTemplateName.MalformedException",
            "Launch template names must be between 3 and 128 characters, and may contain letters, numbers, and the following characters: - ( ) . / _",
        ));
    }
    if cx.here().launch_templates.values().any(|t| t.name == name) {
        return Err(Refusal::new(
            "InvalidLaunchTemplateName.AlreadyExistsException",
            "Launch template name already in use.",
        ));
    }
    let template = LaunchTemplate {
        id: cx.mint("lt"),
        name,
        made: cx.now,
        by: cx.arn("iam", "root"),
        default: 1,
        versions: vec![Version {
            number: 1,
            description: input.version_description.unwrap_or_default(),
            data: input.launch_template_data,
            made: cx.now,
        }],
    };
    let here = cx.here();
    here.tag(&template.id, &tags);
    let mut x = Xml::new();
    x.node("launchTemplate", |x| write(x, &template, Some(&tags)));
    here.launch_templates.insert(template.id.clone(), template);
    Ok(x)
}

pub fn create_launch_template_version(cx: &mut Cx<'_>, input: CreateLaunchTemplate) -> Result<Xml, Refusal> {
    let now = cx.now;
    let named = Named {
        launch_template_id: input.launch_template_id,
        launch_template_name: input.launch_template_name,
        version: None,
    };
    let template = find(cx, &named)?;
    let data = match input.source_version {
        Some(source) => over(template.version(Some(&source))?.data.clone(), input.launch_template_data),
        None => input.launch_template_data,
    };
    let number = template.latest() + 1;
    template.versions.push(Version {
        number,
        description: input.version_description.unwrap_or_default(),
        data,
        made: now,
    });
    let mut x = Xml::new();
    let version = template.version(Some(&number.to_string()))?;
    x.node("launchTemplateVersion", |x| write_version(x, template, version));
    Ok(x)
}

pub fn delete_launch_template(cx: &mut Cx<'_>, input: Named) -> Result<Xml, Refusal> {
    let template = find(cx, &input)?.clone();
    let here = cx.here();
    here.launch_templates.remove(&template.id);
    here.untag(&template.id);
    let mut x = Xml::new();
    x.node("launchTemplate", |x| write(x, &template, None));
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeLaunchTemplates {
    #[serde(deserialize_with = "one_or_many")]
    launch_template_id: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    launch_template_name: Vec<String>,
    launch_template_version: Vec<String>,
    filter: Vec<Filter>,
    max_results: Option<i64>,
    next_token: Option<String>,
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(match Value::deserialize(from)? {
        Value::String(one) if one.is_empty() => Vec::new(),
        Value::String(one) => vec![one],
        Value::Array(many) => many.into_iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    })
}

pub fn describe_launch_templates(cx: &mut Cx<'_>, input: DescribeLaunchTemplates) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["create-time", "launch-template-name"])?;
    for id in &input.launch_template_id {
        find(cx, &Named { launch_template_id: Some(id.clone()), ..Named::default() })?;
    }
    for name in &input.launch_template_name {
        find(cx, &Named { launch_template_name: Some(name.clone()), ..Named::default() })?;
    }
    let here = cx.here();
    let found = here.launch_templates.values().filter(|t| {
        let attribute = |name: &str| vec![if name == "create-time" { stamp(t.made) } else { t.name.clone() }];
        (input.launch_template_id.is_empty() || input.launch_template_id.contains(&t.id))
            && (input.launch_template_name.is_empty() || input.launch_template_name.contains(&t.name))
            && filter::all_hold(&input.filter, here.tags(&t.id), &attribute)
    });
    let paging = Paging { max_results: input.max_results, next_token: input.next_token.clone() };
    let (found, next) =
        filter::page(found.map(|t| (t.id.clone(), t)).collect(), &paging, 1..=200, "DescribeLaunchTemplates")?;
    let mut x = Xml::new();
    x.list("launchTemplates", found, |x, t| write(x, t, here.tags(&t.id)));
    x.opt("nextToken", next);
    Ok(x)
}

pub fn describe_launch_template_versions(cx: &mut Cx<'_>, input: DescribeLaunchTemplates) -> Result<Xml, Refusal> {
    let named = Named {
        launch_template_id: input.launch_template_id.into_iter().next(),
        launch_template_name: input.launch_template_name.into_iter().next(),
        version: None,
    };
    let template = find(cx, &named)?.clone();
    let mut versions = Vec::new();
    for wanted in &input.launch_template_version {
        versions.push(template.version(Some(wanted))?);
    }
    if input.launch_template_version.is_empty() {
        versions.extend(&template.versions);
    }
    let paging = Paging { max_results: input.max_results, next_token: input.next_token };
    let versions = versions.into_iter().map(|v| (format!("{:09}", v.number), v)).collect();
    let (versions, next) =
        filter::page(versions, &paging, 1..=200, &format!("DescribeLaunchTemplateVersions {}", template.id))?;
    let mut x = Xml::new();
    x.list("launchTemplateVersionSet", versions, |x, v| write_version(x, &template, v));
    x.opt("nextToken", next);
    Ok(x)
}

fn write(x: &mut Xml, t: &LaunchTemplate, tags: Option<&tag::Tags>) {
    x.text("launchTemplateId", &t.id).text("launchTemplateName", &t.name).text("createTime", stamp(t.made));
    x.text("createdBy", &t.by).text("defaultVersionNumber", t.default).text("latestVersionNumber", t.latest());
    tag::write(x, tags);
}

fn write_version(x: &mut Xml, t: &LaunchTemplate, v: &Version) {
    x.text("launchTemplateId", &t.id).text("launchTemplateName", &t.name).text("versionNumber", v.number);
    x.some("versionDescription", &v.description).text("createTime", stamp(v.made)).text("createdBy", &t.by);
    x.text("defaultVersion", v.number == t.default);
    let text = |name: &str| v.data.get(name).and_then(Value::as_str).filter(|t| !t.is_empty());
    x.node("launchTemplateData", |x| {
        x.opt("imageId", text("ImageId")).opt("instanceType", text("InstanceType")).opt("keyName", text("KeyName"));
        x.opt("userData", text("UserData"));
        let groups = v.data.get("SecurityGroupId").and_then(Value::as_array).into_iter().flatten();
        x.texts("securityGroupIdSet", groups.filter_map(Value::as_str));
    });
}
