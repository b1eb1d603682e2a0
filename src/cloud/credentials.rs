//! Where credentials come from, in Packer's order: the template, the environment, a profile (static keys, SSO, `aws login`,
//! `credential_process`, a role of its own), web identity, container and pod identity, the instance's role; then MFA and the
//! template's role on top.

use std::time::{Duration, SystemTime};

use aws_config::SdkConfig;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::imds;
use aws_config::profile::{self, ProfileFileCredentialsProvider};
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, Result as Provided, SharedCredentialsProvider, future};
use aws_runtime::env_config::file::{EnvConfigFileKind as FileKind, EnvConfigFiles};
use aws_sdk_ec2::config::Region;
use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
use aws_types::os_shim_internal::{Env, Fs};
use tokio::sync::Mutex;

use super::access::{Access, AssumeRole};
use super::failure::{chain, failure};
use super::http;
use super::known::CREDENTIALS;
use crate::run::Failure;

/// Renewed when they end within this time.
const EARLY: Duration = Duration::from_secs(300);

/// The profile files that `access` names, with the usual ones.
pub(super) fn profile_files(access: &Access) -> EnvConfigFiles {
    let mut files = EnvConfigFiles::builder();
    if !access.shared_credentials_file.is_empty() {
        let path = expand(&access.shared_credentials_file);
        files = files.with_file(FileKind::Config, &path).with_file(FileKind::Credentials, &path);
    }
    files.include_default_config_file(true).include_default_credentials_file(true).build()
}

/// A key of the profile that `access` or `AWS_PROFILE` names. Files that cannot be read have none: whoever needs them says so.
pub(super) async fn profile_key(access: &Access, key: &str) -> Option<String> {
    let name = Some(access.profile.clone()).filter(|p| !p.is_empty());
    let set = profile::load(&Fs::real(), &Env::real(), &profile_files(access), name.map(Into::into)).await.ok()?;
    set.get(key).map(str::to_owned).filter(|value| !value.is_empty())
}

/// `~/` at the beginning is the home folder.
pub(super) fn expand(path: &str) -> std::path::PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

/// The provider under role and MFA.
pub(super) async fn base(access: &Access, provider: &ProviderConfig, region: &str) -> SharedCredentialsProvider {
    if !access.access_key.is_empty() {
        let token = Some(access.token.clone()).filter(|t| !t.is_empty());
        return SharedCredentialsProvider::new(Credentials::new(
            &access.access_key,
            &access.secret_key,
            token,
            None,
            "template",
        ));
    }
    // As in Packer: a profile that the template names goes before keys in the environment.
    if !access.profile.is_empty() {
        let profile = ProfileFileCredentialsProvider::builder()
            .configure(provider)
            .profile_name(&access.profile)
            .profile_files(profile_files(access))
            .build();
        return SharedCredentialsProvider::new(profile);
    }
    // Off EC2 nobody answers at the metadata service's address: a short wait keeps a missing credential a quick answer.
    let mut metadata = imds::Client::builder()
        .connect_timeout(Duration::from_secs(1))
        .read_timeout(Duration::from_secs(2))
        .max_attempts(2);
    metadata = if access.skip_metadata_api_check {
        let nobody = http::unreachable_client("the metadata service is switched off by `skip_metadata_api_check`");
        metadata.configure(&provider.clone().with_http_client(nobody))
    } else {
        metadata.configure(provider)
    };
    let chain = DefaultCredentialsChain::builder()
        .configure(provider.clone())
        .region(Region::new(region.to_owned()))
        .imds_client(metadata.build())
        .build()
        .await;
    SharedCredentialsProvider::new(chain)
}

/// Credentials kept until shortly before they end. The SDK's own cache lies above; this one lets an account ask once at its
/// start, for a clear answer, without paying for it twice.
#[derive(Debug)]
pub(super) struct Kept {
    source: Source,
    held: Mutex<Option<Credentials>>,
}

#[derive(Debug)]
enum Source {
    Plain(SharedCredentialsProvider),
    Mfa { sts: aws_sdk_sts::Client, iam: aws_sdk_iam::Client, code: String },
    Role { sts: aws_sdk_sts::Client, role: AssumeRole },
}

impl Kept {
    pub(super) fn plain(provider: SharedCredentialsProvider) -> Self {
        Self { source: Source::Plain(provider), held: Mutex::default() }
    }

    /// A session of the user behind `config`, opened with a code of the user's MFA device. The code is good for one session.
    pub(super) fn mfa(config: &SdkConfig, code: &str) -> Self {
        let (sts, iam) = (aws_sdk_sts::Client::new(config), aws_sdk_iam::Client::new(config));
        Self { source: Source::Mfa { sts, iam, code: code.to_owned() }, held: Mutex::default() }
    }

    pub(super) fn role(config: &SdkConfig, role: AssumeRole) -> Self {
        Self { source: Source::Role { sts: aws_sdk_sts::Client::new(config), role }, held: Mutex::default() }
    }

    async fn get(&self) -> Provided {
        let mut held = self.held.lock().await;
        let soon = SystemTime::now() + EARLY;
        if let Some(good) = held.as_ref().filter(|c| c.expiry().is_none_or(|end| end > soon)) {
            return Ok(good.clone());
        }
        let fresh = match &self.source {
            Source::Plain(provider) => provider.provide_credentials().await?,
            Source::Mfa { sts, iam, code } => open_session(sts, iam, code).await.map_err(unavailable)?,
            Source::Role { sts, role } => take_role(sts, role).await.map_err(unavailable)?,
        };
        *held = Some(fresh.clone());
        Ok(fresh)
    }
}

impl ProvideCredentials for Kept {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}

/// A failure on its way through the SDK's error type; [`no_credentials`] takes it out again.
fn unavailable(failure: Failure) -> CredentialsError {
    CredentialsError::provider_error(failure)
}

async fn open_session(
    sts: &aws_sdk_sts::Client,
    iam: &aws_sdk_iam::Client,
    code: &str,
) -> Result<Credentials, Failure> {
    let devices =
        iam.list_mfa_devices().send().await.map_err(|e| failure(&e, "cannot find out the MFA device of `mfa_code`"))?;
    let device = devices.mfa_devices().first().ok_or_else(|| {
        Failure::config("`mfa_code` is set, but this user has no MFA device").help("remove `mfa_code`")
    })?;
    let answer = sts
        .get_session_token()
        .serial_number(device.serial_number())
        .token_code(code)
        .send()
        .await
        .map_err(|e| failure(&e, "cannot open a session with `mfa_code`"))?;
    credentials(answer.credentials(), "mfa")
}

async fn take_role(sts: &aws_sdk_sts::Client, role: &AssumeRole) -> Result<Credentials, Failure> {
    let some = |s: &str| Some(s.to_owned()).filter(|s| !s.is_empty());
    let mut tags = Vec::new();
    for (key, value) in &role.tags {
        let tag = Tag::builder().key(key).value(value).build();
        tags.push(tag.map_err(|e| Failure::config(format!("a tag of `assume_role` is not possible: {e}")))?);
    }
    let policies: Vec<_> =
        role.policy_arns.iter().map(|arn| PolicyDescriptorType::builder().arn(arn).build()).collect();
    let answer = sts
        .assume_role()
        .role_arn(&role.role_arn)
        .role_session_name(some(&role.session_name).unwrap_or_else(|| format!("kiln-{}", std::process::id())))
        .set_external_id(some(&role.external_id))
        .set_policy(some(&role.policy))
        .set_policy_arns(Some(policies).filter(|p| !p.is_empty()))
        .set_duration_seconds(role.duration_seconds)
        .set_tags(Some(tags).filter(|t| !t.is_empty()))
        .set_transitive_tag_keys(Some(role.transitive_tag_keys.clone()).filter(|t| !t.is_empty()))
        .send()
        .await
        .map_err(|e| failure(&e, &format!("cannot assume the role `{}`", role.role_arn)))?;
    credentials(answer.credentials(), "assume_role")
}

fn credentials(given: Option<&aws_sdk_sts::types::Credentials>, name: &'static str) -> Result<Credentials, Failure> {
    let given = given.ok_or_else(|| Failure::other("STS answered without credentials"))?;
    let end = SystemTime::try_from(*given.expiration()).ok();
    Ok(Credentials::new(
        given.access_key_id(),
        given.secret_access_key(),
        Some(given.session_token().to_owned()),
        end,
        name,
    ))
}

/// The failure for credentials that could not be had.
pub(super) fn no_credentials(access: &Access, err: &CredentialsError) -> Failure {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(err);
    while let Some(e) = source {
        if let Some(failure) = e.downcast_ref::<Failure>() {
            return failure.clone();
        }
        source = e.source();
    }
    if matches!(err, CredentialsError::CredentialsNotLoaded(_)) && access.profile.is_empty() {
        return Failure::config("no AWS credentials found").help(CREDENTIALS);
    }
    let of = if access.profile.is_empty() { String::new() } else { format!(" of the profile `{}`", access.profile) };
    Failure::config(format!("cannot get the AWS credentials{of}: {}", chain(err))).help(CREDENTIALS)
}
