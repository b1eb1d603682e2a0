//! IAM, as far as builders use it: roles with inline policies, instance profiles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::tag::{Tag, Tags};
use super::{Cx, Time, id, rehearsal, stamp_seconds};
use crate::practice::wire::{Refusal, Xml};

/// What an account has, by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Iam {
    pub roles: BTreeMap<String, Role>,
    pub profiles: BTreeMap<String, InstanceProfile>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Role {
    pub name: String,
    pub path: String,
    pub description: Option<String>,
    pub trust: String,
    pub policies: BTreeMap<String, String>,
    pub attached: Vec<String>,
    pub tags: Tags,
    pub made: Time,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceProfile {
    pub name: String,
    pub path: String,
    pub role: Option<String>,
    pub tags: Tags,
    pub made: Time,
}

/// `AROA…`, `AIPA…`: always the same for a name.
pub fn unique_id(prefix: &str, account: &str, name: &str) -> String {
    format!("{prefix}{}", id::hex(&[prefix.as_bytes(), account.as_bytes(), name.as_bytes()], 17).to_uppercase())
}

fn no_such(kind: &str, name: &str) -> Refusal {
    let text = match kind {
        "role" => format!("The role with name {name} cannot be found."),
        "policy" => format!("The role policy with name {name} cannot be found."),
        _ => format!("Instance Profile {name} cannot be found."),
    };
    Refusal::new("NoSuchEntity", text).status(404)
}

fn exists(text: String) -> Refusal {
    Refusal::new("EntityAlreadyExists", text).status(409)
}

fn checked_name(name: &str, parameter: &str, most: usize) -> Result<(), Refusal> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if name.is_empty() || name.len() > most || !name.chars().all(legal) {
        return Err(Refusal::new(
            "ValidationError",
            format!(
                "The specified value for {parameter} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
            ),
        ));
    }
    Ok(())
}

fn checked_policy(text: &str) -> Result<(), Refusal> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(policy)) if policy.contains_key("Statement") => Ok(()),
        _ => Err(Refusal::new("MalformedPolicyDocument", "Syntax errors in policy.")),
    }
}

impl Cx<'_> {
    fn iam(&mut self) -> &mut Iam {
        &mut self.world.account(&self.account.clone()).iam
    }

    fn role(&mut self, name: &str) -> Result<&mut Role, Refusal> {
        self.iam().roles.get_mut(name).ok_or_else(|| no_such("role", name))
    }

    fn profile(&mut self, name: &str) -> Result<&mut InstanceProfile, Refusal> {
        rehearsal::profile(self, name);
        self.iam().profiles.get_mut(name).ok_or_else(|| no_such("profile", name))
    }

    /// The name of a profile, given by name or ARN, that an instance can be launched with.
    pub fn usable_profile(&mut self, given: &str) -> Result<String, Refusal> {
        let name = given.rsplit('/').next().unwrap_or(given).to_owned();
        let parameter = if given.starts_with("arn:") { "arn" } else { "name" };
        rehearsal::profile(self, &name);
        let (now, delay) = (self.now, self.world.trouble.timing.profile.ms());
        let ready = |p: &InstanceProfile| p.made + delay <= now;
        if self.iam().profiles.get(&name).is_some_and(ready) {
            return Ok(name);
        }
        Err(Refusal::invalid(format!(
            "Value ({given}) for parameter iamInstanceProfile.{parameter} is invalid. Invalid IAM Instance Profile {parameter}"
        )))
    }
}

/// A list that IAM gives in pages: here, always one.
fn whole(x: &mut Xml) {
    x.text("IsTruncated", false);
}

// ---- roles ----------------------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct RoleRequest {
    role_name: String,
    path: Option<String>,
    path_prefix: Option<String>,
    assume_role_policy_document: String,
    description: Option<String>,
    policy_name: String,
    policy_document: String,
    policy_arn: String,
    tags: Vec<Tag>,
}

fn tags_of(given: &[Tag]) -> Tags {
    given.iter().map(|t| (t.key.clone(), t.value.clone().unwrap_or_default())).collect()
}

pub fn create_role(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    checked_name(&input.role_name, "roleName", 64)?;
    checked_policy(&input.assume_role_policy_document)?;
    let (account, now) = (cx.account.clone(), cx.now);
    let iam = cx.iam();
    if iam.roles.contains_key(&input.role_name) {
        return Err(exists(format!("Role with name {} already exists.", input.role_name)));
    }
    let role = Role {
        name: input.role_name.clone(),
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        description: input.description,
        trust: input.assume_role_policy_document,
        tags: tags_of(&input.tags),
        made: now,
        ..Role::default()
    };
    let mut x = Xml::new();
    x.node("Role", |x| write_role(x, &role, &account));
    iam.roles.insert(input.role_name, role);
    Ok(x)
}

pub fn get_role(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    let account = cx.account.clone();
    let role = cx.role(&input.role_name)?;
    let mut x = Xml::new();
    x.node("Role", |x| write_role(x, role, &account));
    Ok(x)
}

pub fn list_roles(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    let account = cx.account.clone();
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    let mut x = Xml::new();
    x.members("Roles", cx.iam().roles.values().filter(|r| r.path.starts_with(&prefix)), |x, r| {
        write_role(x, r, &account);
    });
    whole(&mut x);
    Ok(x)
}

pub fn delete_role(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    let role = cx.role(&input.role_name)?;
    let conflict = |text: &str| Refusal::new("DeleteConflict", text).status(409);
    if !role.policies.is_empty() {
        return Err(conflict("Cannot delete entity, must delete policies first."));
    }
    if !role.attached.is_empty() {
        return Err(conflict("Cannot delete entity, must detach all policies first."));
    }
    if cx.iam().profiles.values().any(|p| p.role.as_ref() == Some(&input.role_name)) {
        return Err(conflict("Cannot delete entity, must remove roles from instance profile first."));
    }
    cx.iam().roles.remove(&input.role_name);
    Ok(Xml::new())
}

pub fn tag_role(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    let tags = tags_of(&input.tags);
    cx.role(&input.role_name)?.tags.extend(tags);
    Ok(Xml::new())
}

pub fn put_role_policy(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    checked_name(&input.policy_name, "policyName", 128)?;
    checked_policy(&input.policy_document)?;
    cx.role(&input.role_name)?.policies.insert(input.policy_name, input.policy_document);
    Ok(Xml::new())
}

pub fn get_role_policy(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    let role = cx.role(&input.role_name)?;
    let text = role.policies.get(&input.policy_name).ok_or_else(|| no_such("policy", &input.policy_name))?;
    let mut x = Xml::new();
    x.text("RoleName", &role.name).text("PolicyName", &input.policy_name).text("PolicyDocument", encoded(text));
    Ok(x)
}

pub fn delete_role_policy(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    let policies = &mut cx.role(&input.role_name)?.policies;
    policies.remove(&input.policy_name).ok_or_else(|| no_such("policy", &input.policy_name))?;
    Ok(Xml::new())
}

pub fn list_role_policies(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    let role = cx.role(&input.role_name)?;
    let mut x = Xml::new();
    x.node("PolicyNames", |x| role.policies.keys().for_each(|name| _ = x.text("member", name)));
    whole(&mut x);
    Ok(x)
}

pub fn attach_role_policy(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    let attached = &mut cx.role(&input.role_name)?.attached;
    if !attached.contains(&input.policy_arn) {
        attached.push(input.policy_arn);
    }
    Ok(Xml::new())
}

pub fn detach_role_policy(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    let attached = &mut cx.role(&input.role_name)?.attached;
    let before = attached.len();
    attached.retain(|a| *a != input.policy_arn);
    if attached.len() == before {
        return Err(Refusal::new("NoSuchEntity", format!("Policy {} was not found.", input.policy_arn)).status(404));
    }
    Ok(Xml::new())
}

pub fn list_attached_role_policies(cx: &mut Cx<'_>, input: RoleRequest) -> Result<Xml, Refusal> {
    let role = cx.role(&input.role_name)?;
    let mut x = Xml::new();
    x.members("AttachedPolicies", &role.attached, |x, arn| {
        x.text("PolicyName", arn.rsplit('/').next().unwrap_or(arn)).text("PolicyArn", arn);
    });
    whole(&mut x);
    Ok(x)
}

/// Policies are URL-encoded in IAM's answers.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn write_role(x: &mut Xml, r: &Role, account: &str) {
    x.text("Path", &r.path).text("RoleName", &r.name).text("RoleId", unique_id("AROA", account, &r.name));
    x.text("Arn", format!("arn:aws:iam::{account}:role{}{}", r.path, r.name)).text("CreateDate", stamp_seconds(r.made));
    x.text("AssumeRolePolicyDocument", encoded(&r.trust)).opt("Description", r.description.as_ref());
    x.text("MaxSessionDuration", 3600);
    x.members("Tags", &r.tags, |x, (key, value)| _ = x.text("Key", key).text("Value", value));
}

// ---- instance profiles ----------------------------------------------------------------------------------------------

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ProfileRequest {
    instance_profile_name: String,
    role_name: String,
    path: Option<String>,
    path_prefix: Option<String>,
    tags: Vec<Tag>,
}

pub fn create_instance_profile(cx: &mut Cx<'_>, input: ProfileRequest) -> Result<Xml, Refusal> {
    checked_name(&input.instance_profile_name, "instanceProfileName", 128)?;
    let now = cx.now;
    if cx.iam().profiles.contains_key(&input.instance_profile_name) {
        return Err(exists(format!("Instance Profile {} already exists.", input.instance_profile_name)));
    }
    let profile = InstanceProfile {
        name: input.instance_profile_name.clone(),
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        role: None,
        tags: tags_of(&input.tags),
        made: now,
    };
    cx.iam().profiles.insert(input.instance_profile_name.clone(), profile);
    shown(cx, &input.instance_profile_name)
}

fn shown(cx: &mut Cx<'_>, name: &str) -> Result<Xml, Refusal> {
    let profile = cx.profile(name)?.clone();
    let mut x = Xml::new();
    x.node("InstanceProfile", |x| write_profile(x, cx, &profile));
    Ok(x)
}

pub fn get_instance_profile(cx: &mut Cx<'_>, input: ProfileRequest) -> Result<Xml, Refusal> {
    shown(cx, &input.instance_profile_name)
}

pub fn list_instance_profiles(cx: &mut Cx<'_>, input: ProfileRequest) -> Result<Xml, Refusal> {
    let prefix = input.path_prefix.unwrap_or_else(|| "/".to_owned());
    let all: Vec<InstanceProfile> =
        cx.iam().profiles.values().filter(|p| p.path.starts_with(&prefix)).cloned().collect();
    Ok(listed(cx, &all))
}

pub fn list_instance_profiles_for_role(cx: &mut Cx<'_>, input: ProfileRequest) -> Result<Xml, Refusal> {
    cx.role(&input.role_name)?;
    let of = |p: &&InstanceProfile| p.role.as_ref() == Some(&input.role_name);
    let all: Vec<InstanceProfile> = cx.iam().profiles.values().filter(of).cloned().collect();
    Ok(listed(cx, &all))
}

fn listed(cx: &mut Cx<'_>, all: &[InstanceProfile]) -> Xml {
    let mut x = Xml::new();
    x.members("InstanceProfiles", all, |x, p| write_profile(x, cx, p));
    whole(&mut x);
    x
}

pub fn delete_instance_profile(cx: &mut Cx<'_>, input: ProfileRequest) -> Result<Xml, Refusal> {
    let profile = cx.profile(&input.instance_profile_name)?;
    if profile.role.is_some() {
        return Err(Refusal::new(
            "DeleteConflict",
            "Cannot delete entity, must remove roles from instance profile first.",
        )
        .status(409));
    }
    cx.iam().profiles.remove(&input.instance_profile_name);
    Ok(Xml::new())
}

pub fn tag_instance_profile(cx: &mut Cx<'_>, input: ProfileRequest) -> Result<Xml, Refusal> {
    let tags = tags_of(&input.tags);
    cx.profile(&input.instance_profile_name)?.tags.extend(tags);
    Ok(Xml::new())
}

pub fn add_role(cx: &mut Cx<'_>, input: ProfileRequest) -> Result<Xml, Refusal> {
    cx.role(&input.role_name)?;
    let profile = cx.profile(&input.instance_profile_name)?;
    if profile.role.is_some() {
        return Err(
            Refusal::new("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1").status(409)
        );
    }
    profile.role = Some(input.role_name);
    Ok(Xml::new())
}

pub fn remove_role(cx: &mut Cx<'_>, input: ProfileRequest) -> Result<Xml, Refusal> {
    let profile = cx.profile(&input.instance_profile_name)?;
    if profile.role.as_ref() != Some(&input.role_name) {
        return Err(no_such("role", &input.role_name));
    }
    profile.role = None;
    Ok(Xml::new())
}

fn write_profile(x: &mut Xml, cx: &mut Cx<'_>, p: &InstanceProfile) {
    let account = cx.account.clone();
    let role = p.role.as_ref().and_then(|r| cx.iam().roles.get(r)).cloned();
    x.text("Path", &p.path).text("InstanceProfileName", &p.name);
    x.text("InstanceProfileId", unique_id("AIPA", &account, &p.name));
    x.text("Arn", format!("arn:aws:iam::{account}:instance-profile{}{}", p.path, p.name));
    x.text("CreateDate", stamp_seconds(p.made));
    x.members("Roles", role, |x, r| write_role(x, &r, &account));
    x.members("Tags", &p.tags, |x, (key, value)| _ = x.text("Key", key).text("Value", value));
}

// ---- who one is -----------------------------------------------------------------------------------------------------

pub fn get_user(cx: &mut Cx<'_>, _: ProfileRequest) -> Result<Xml, Refusal> {
    let (account, now) = (cx.account.clone(), cx.now);
    let mut x = Xml::new();
    x.node("User", |x| {
        x.text("Path", "/").text("UserName", "practice").text("UserId", unique_id("AIDA", &account, "practice"));
        x.text("Arn", format!("arn:aws:iam::{account}:user/practice")).text("CreateDate", stamp_seconds(now));
    });
    Ok(x)
}

pub fn list_account_aliases(_: &mut Cx<'_>, _: ProfileRequest) -> Result<Xml, Refusal> {
    let mut x = Xml::new();
    x.node("AccountAliases", |x| _ = x.text("member", "practice-cloud"));
    whole(&mut x);
    Ok(x)
}
