//! Who calls AWS, where, and how patiently.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Tags;
use crate::cloud::{Access, AssumeRole, Polling};

/// Credentials, region and endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AccessConfig {
    /// The access key; with `secret_key`, or neither. By default: the environment, a profile, the instance's role.
    #[schemars(extend("x-kiln-sensitive" = true))]
    pub access_key: String,
    /// The secret key that belongs to `access_key`.
    #[schemars(extend("x-kiln-sensitive" = true))]
    pub secret_key: String,
    /// The session token of temporary keys.
    #[schemars(extend("x-kiln-sensitive" = true))]
    pub token: String,
    /// A profile of the AWS configuration files; by default `AWS_PROFILE`. Static keys, SSO, `aws login`,
    /// `credential_process` and roles in it all work.
    pub profile: String,
    /// Another credentials file, read before the usual ones; it may hold `[profile …]` sections too.
    pub shared_credentials_file: String,
    /// The region to build in, such as `us-east-1`; by default `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's.
    #[schemars(extend("x-kiln-values-from" = "regions"))]
    pub region: String,
    /// A role to take on with the credentials that were found.
    pub assume_role: Option<AssumeRoleConfig>,
    /// A code of the user's MFA device. It opens one session, which the build then uses.
    #[schemars(extend("x-kiln-sensitive" = true))]
    pub mfa_code: String,
    /// How often a call to AWS is tried.
    #[schemars(extend("default" = 10))]
    pub max_retries: Option<i64>,
    /// Another endpoint for EC2, in every region.
    pub custom_endpoint_ec2: String,
    /// Does not verify the certificates of TLS servers.
    pub insecure_skip_tls_verify: bool,
    /// Has STS decode the encoded part of authorization failures; needs `sts:DecodeAuthorizationMessage`.
    pub decode_authorization_messages: bool,
    /// Does not ask the instance's metadata service for credentials.
    pub skip_metadata_api_check: bool,
    /// Does not check the credentials before the first call that needs them. kiln never spends a call on that alone.
    pub skip_credential_validation: bool,
    /// Keys made by a Vault server.
    #[schemars(extend("x-kiln-not-built" = "kiln cannot get keys from Vault's AWS engine yet; use the `vault` function, or `aws_access_key` from `vault read` in a variable"))]
    pub vault_aws_engine: Option<VaultConfig>,
    /// How waits ask AWS; by default as often as fits the time waited, and until nothing moves any more.
    pub aws_polling: Option<PollingConfig>,
}

/// A role to take on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AssumeRoleConfig {
    /// The role's ARN; without it the block does nothing.
    pub role_arn: String,
    /// How long a session of the role lasts, in seconds: 900 to 43200, as the role allows. kiln renews it.
    pub duration_seconds: Option<i64>,
    /// The external id that the role asks for.
    pub external_id: String,
    /// A policy in JSON that narrows the session's rights.
    pub policy: String,
    /// ARNs of policies that narrow the session's rights.
    pub policy_arns: Vec<String>,
    /// The session's name, as CloudTrail shows it.
    pub session_name: String,
    /// Tags of the session.
    pub tags: Tags,
    /// Names of tags that stay with sessions of further roles.
    pub transitive_tag_keys: Vec<String>,
}

/// Vault's AWS engine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct VaultConfig {
    /// The role's name in Vault.
    pub name: String,
    /// The AWS role to use, where the Vault role has several.
    pub role_arn: String,
    /// How long the keys are good.
    pub ttl: String,
    /// Where the engine is mounted.
    #[schemars(extend("default" = "aws"))]
    pub engine_name: String,
}

/// How waits ask AWS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct PollingConfig {
    /// Seconds between two questions; by default `AWS_POLL_DELAY_SECONDS`.
    pub delay_seconds: Option<i64>,
    /// How many questions a wait asks at most, so that it takes this × `delay_seconds` (2 where that is not given); by default
    /// `AWS_MAX_ATTEMPTS`.
    pub max_attempts: Option<i64>,
}

impl AccessConfig {
    /// What the cloud needs to know.
    #[must_use]
    pub fn access(&self) -> Access {
        Access {
            access_key: self.access_key.clone(),
            secret_key: self.secret_key.clone(),
            token: self.token.clone(),
            profile: self.profile.clone(),
            shared_credentials_file: self.shared_credentials_file.clone(),
            region: self.region.clone(),
            assume_role: self.assume_role.as_ref().filter(|r| !r.role_arn.is_empty()).map(AssumeRoleConfig::role),
            mfa_code: self.mfa_code.clone(),
            max_retries: positive(self.max_retries),
            custom_endpoint_ec2: self.custom_endpoint_ec2.clone(),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify,
            skip_metadata_api_check: self.skip_metadata_api_check,
            decode_authorization_messages: self.decode_authorization_messages,
        }
    }

    /// How waits poll: the template's `aws_polling`, else the environment's.
    #[must_use]
    pub fn polling(&self) -> Polling {
        let written = self.aws_polling.clone().unwrap_or_default();
        Polling { delay_seconds: positive(written.delay_seconds), max_attempts: positive(written.max_attempts) }
            .with_env()
    }
}

impl AssumeRoleConfig {
    fn role(&self) -> AssumeRole {
        AssumeRole {
            role_arn: self.role_arn.clone(),
            duration_seconds: self.duration_seconds.filter(|n| *n > 0).and_then(|n| i32::try_from(n).ok()),
            external_id: self.external_id.clone(),
            policy: self.policy.clone(),
            policy_arns: self.policy_arns.clone(),
            session_name: self.session_name.clone(),
            tags: self.tags.clone().into_iter().collect(),
            transitive_tag_keys: self.transitive_tag_keys.clone(),
        }
    }
}

/// A count; 0 and less are as if nothing were written.
fn positive(n: Option<i64>) -> Option<u32> {
    n.filter(|n| *n > 0).and_then(|n| u32::try_from(n).ok())
}
