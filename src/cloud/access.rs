//! Who calls AWS, and how: what a template says about it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Everything that decides which credentials, region and endpoints are used. Equal ones share an [`super::Account`].
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Access {
    /// Empty: from the chain (environment, profile, …).
    pub access_key: String,
    pub secret_key: String,
    pub token: String,
    /// Empty: `AWS_PROFILE`, else `default`.
    pub profile: String,
    /// Read as a credentials file and as a config file, before the usual ones.
    pub shared_credentials_file: String,
    /// Empty: `AWS_REGION`, `AWS_DEFAULT_REGION`, else the profile's.
    pub region: String,
    pub assume_role: Option<AssumeRole>,
    /// A code of the user's MFA device, good for one session.
    pub mfa_code: String,
    /// How often a call is tried; `None`: 10, as Packer does.
    pub max_retries: Option<u32>,
    /// For every EC2 client of every region; empty: AWS's, or what `AWS_ENDPOINT_URL…` says.
    pub custom_endpoint_ec2: String,
    pub insecure_skip_tls_verify: bool,
    /// The instance's metadata service is not asked for credentials.
    pub skip_metadata_api_check: bool,
    /// Encoded authorization failures are decoded by STS.
    pub decode_authorization_messages: bool,
}

/// A role to take on with the credentials that were found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AssumeRole {
    pub role_arn: String,
    /// Seconds; `None`: AWS's default of an hour.
    pub duration_seconds: Option<i32>,
    pub external_id: String,
    /// A session policy, JSON.
    pub policy: String,
    pub policy_arns: Vec<String>,
    /// Empty: a name made from the process's own.
    pub session_name: String,
    pub tags: BTreeMap<String, String>,
    pub transitive_tag_keys: Vec<String>,
}

/// How waits poll, where the user says so: `aws_polling`, else `AWS_POLL_DELAY_SECONDS` and `AWS_MAX_ATTEMPTS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Polling {
    pub delay_seconds: Option<u32>,
    pub max_attempts: Option<u32>,
}

impl Polling {
    /// The template's values, with the environment's where it has none. What is not a positive number counts as unset.
    #[must_use]
    pub fn with_env(self) -> Self {
        let read = |name: &str| std::env::var(name).ok()?.trim().parse().ok();
        self.or(read("AWS_POLL_DELAY_SECONDS"), read("AWS_MAX_ATTEMPTS"))
    }

    fn or(self, delay: Option<u32>, attempts: Option<u32>) -> Self {
        Self {
            delay_seconds: self.delay_seconds.filter(|n| *n > 0).or(delay.filter(|n| *n > 0)),
            max_attempts: self.max_attempts.filter(|n| *n > 0).or(attempts.filter(|n| *n > 0)),
        }
    }

    /// The pause between two polls, where one is given.
    #[must_use]
    pub fn interval(self) -> Option<Duration> {
        self.delay_seconds.map(|s| Duration::from_secs(s.into()))
    }

    /// The whole time of a wait, where attempts are given: attempts × delay, with Packer's 2 s where no delay is given.
    #[must_use]
    pub fn total(self) -> Option<Duration> {
        let attempts = u64::from(self.max_attempts?);
        Some(Duration::from_secs(attempts.saturating_mul(u64::from(self.delay_seconds.unwrap_or(2)))))
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let masked = |s: &str| if s.is_empty() { "" } else { "<hidden>" };
        f.debug_struct("Access")
            .field("access_key", &masked(&self.access_key))
            .field("secret_key", &masked(&self.secret_key))
            .field("token", &masked(&self.token))
            .field("profile", &self.profile)
            .field("region", &self.region)
            .field("assume_role", &self.assume_role.as_ref().map(|r| &r.role_arn))
            .field("custom_endpoint_ec2", &self.custom_endpoint_ec2)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let access = Access {
            access_key: "AKIAEXAMPLE".into(),
            secret_key: "wJalrXUtnFEMI".into(),
            token: "FwoGZXIvYXdzE".into(),
            mfa_code: "123456".into(),
            ..Access::default()
        };
        let text = format!("{access:?}");
        for secret in ["AKIAEXAMPLE", "wJalrXUtnFEMI", "FwoGZXIvYXdzE", "123456"] {
            assert!(!text.contains(secret), "{text}");
        }
    }

    #[test]
    fn the_template_wins_over_the_environment() {
        let polling = Polling { delay_seconds: Some(5), max_attempts: None }.or(Some(30), Some(100));
        assert_eq!(polling, Polling { delay_seconds: Some(5), max_attempts: Some(100) });
        assert_eq!(polling.total(), Some(Duration::from_secs(500)));
    }

    #[test]
    fn attempts_without_a_delay_count_two_seconds_each() {
        assert_eq!(Polling { delay_seconds: None, max_attempts: Some(30) }.total(), Some(Duration::from_secs(60)));
        assert_eq!(Polling { delay_seconds: Some(30), max_attempts: None }.total(), None);
        assert_eq!(Polling { delay_seconds: Some(0), max_attempts: Some(0) }.or(None, None), Polling::default());
    }
}
