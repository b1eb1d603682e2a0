//! An account as one template's access settings reach it: configuration, regions, IAM and STS.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::ProvideRegion as _;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_credential_types::provider::{ProvideCredentials as _, SharedCredentialsProvider};
use aws_sdk_ec2::config::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;
use tokio::sync::{OnceCell, broadcast};

use super::access::Access;
use super::credentials::{self, Kept};
use super::failure::failure;
use super::region::Region;
use super::trouble::Troubles;
use super::{http, public_address};
use crate::run::Failure;

/// Packer's default of how often a call is tried.
const TRIES: u32 = 10;

/// The clients and watchers of this process, shared by all builds: one for each account, endpoint and region.
#[derive(Default)]
pub struct Clouds {
    accounts: Mutex<HashMap<Access, Arc<OnceCell<Arc<Account>>>>>,
    public_address: OnceCell<Option<IpAddr>>,
    troubles: Troubles,
}

impl Clouds {
    /// The account behind `access`: its credentials are known to exist, though not yet to be good. Equal ones are loaded once.
    ///
    /// # Errors
    /// Kind `Config` when there are no credentials or no region; kind `Aws` when STS refuses a role or session.
    pub async fn account(&self, access: &Access) -> Result<Arc<Account>, Failure> {
        let cell =
            self.accounts.lock().unwrap_or_else(PoisonError::into_inner).entry(access.clone()).or_default().clone();
        cell.get_or_try_init(|| Account::load(access.clone(), &self.troubles)).await.cloned()
    }

    /// Hears from now on of every attempt of a call that got no answer and is made again, in words.
    #[must_use]
    pub fn troubles(&self) -> broadcast::Receiver<Arc<str>> {
        self.troubles.listen()
    }

    /// This machine's public address as AWS's checkip service tells it; `None` when it does not within 3 seconds. Asked once a
    /// process, and only to be asked when the build talks to real AWS.
    pub async fn public_address(&self) -> Option<IpAddr> {
        *self.public_address.get_or_init(public_address::ask).await
    }
}

/// One account, endpoint and default region.
pub struct Account {
    access: Access,
    config: SdkConfig,
    http: SharedHttpClient,
    home: String,
    regions: Mutex<HashMap<String, Arc<Region>>>,
    iam: OnceLock<aws_sdk_iam::Client>,
    sts: OnceLock<aws_sdk_sts::Client>,
    id: OnceCell<String>,
}

impl Account {
    async fn load(access: Access, troubles: &Troubles) -> Result<Arc<Self>, Failure> {
        if access.access_key.is_empty() != access.secret_key.is_empty() {
            return Err(Failure::config("`access_key` and `secret_key` must both be set or both be left out"));
        }
        let bundle = credentials::profile_key(&access, "ca_bundle").await.map(|path| credentials::expand(&path));
        let http = http::client(http::Trust::new(access.insecure_skip_tls_verify, bundle)?);
        let home = home_region(&access).await?;
        let provider = ProviderConfig::without_region()
            .with_region(Some(aws_sdk_ec2::config::Region::new(home.clone())))
            .with_http_client(http.clone());
        // The provider above also asks metadata services, which need not be there: that is no trouble.
        let http = troubles.told_of(http, tries(&access));
        let mut source = Kept::plain(credentials::base(&access, &provider, &home).await);
        if !access.mfa_code.is_empty() {
            let under = load_config(&access, &home, &http, SharedCredentialsProvider::new(source)).await;
            source = Kept::mfa(&under, &access.mfa_code);
        }
        if let Some(role) = access.assume_role.clone().filter(|r| !r.role_arn.is_empty()) {
            let under = load_config(&access, &home, &http, SharedCredentialsProvider::new(source)).await;
            source = Kept::role(&under, role);
        }
        let source = SharedCredentialsProvider::new(source);
        source.provide_credentials().await.map_err(|e| credentials::no_credentials(&access, &e))?;
        let config = load_config(&access, &home, &http, source).await;
        Ok(Arc::new(Self {
            access,
            config,
            http,
            home,
            regions: Mutex::default(),
            iam: OnceLock::new(),
            sts: OnceLock::new(),
            id: OnceCell::new(),
        }))
    }

    /// The region of this name, `us-east-1`; made when it is first asked for. No call is made.
    #[must_use]
    pub fn region(&self, name: &str) -> Arc<Region> {
        let mut regions = self.regions.lock().unwrap_or_else(PoisonError::into_inner);
        regions
            .entry(name.to_owned())
            .or_insert_with(|| {
                let decode = self.access.decode_authorization_messages.then(|| self.sts().clone());
                Arc::new(Region::new(name, &self.config, &self.http, &self.access.custom_endpoint_ec2, decode))
            })
            .clone()
    }

    /// The region that the template, environment or profile names.
    #[must_use]
    pub fn home(&self) -> &str {
        &self.home
    }

    pub fn iam(&self) -> &aws_sdk_iam::Client {
        self.iam.get_or_init(|| aws_sdk_iam::Client::new(&self.config))
    }

    pub fn sts(&self) -> &aws_sdk_sts::Client {
        self.sts.get_or_init(|| aws_sdk_sts::Client::new(&self.config))
    }

    /// `aws`, `aws-cn`, `aws-us-gov`, …: what stands second in an ARN.
    #[must_use]
    pub fn partition(&self) -> &'static str {
        partition_of(&self.home)
    }

    /// Whether EC2 is AWS's own: no other endpoint is named by the template, the environment or the profile.
    #[must_use]
    pub fn is_aws(&self) -> bool {
        self.access.custom_endpoint_ec2.is_empty() && ec2_endpoint(&self.config).is_none()
    }

    /// The account's number. Asked from STS once.
    ///
    /// # Errors
    /// Kind `Aws` when STS refuses.
    pub async fn id(&self) -> Result<String, Failure> {
        let ask = async || {
            let answer = self.sts().get_caller_identity().send().await;
            let answer = answer.map_err(|e| failure(&e, "cannot find out who calls"))?;
            answer.account().map(str::to_owned).ok_or_else(|| Failure::other("STS did not tell the account's number"))
        };
        self.id.get_or_try_init(ask).await.cloned()
    }
}

/// The endpoint that the environment or the profile names for EC2 or for all services.
fn ec2_endpoint(config: &SdkConfig) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id("EC2").profile("endpoint_url").env("AWS_ENDPOINT_URL").build();
    let of_service = config.service_config().and_then(|s| s.load_config(key.ok()?));
    of_service.or_else(|| config.endpoint_url().map(str::to_owned)).filter(|url| !url.is_empty())
}

/// The partition of a region: decided by the beginning of its name, as AWS names them.
#[must_use]
pub fn partition_of(region: &str) -> &'static str {
    const STARTS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("us-iso-", "aws-iso"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ];
    STARTS.iter().find(|(start, _)| region.starts_with(start)).map_or("aws", |(_, partition)| partition)
}

/// How often a call is tried.
fn tries(access: &Access) -> u32 {
    access.max_retries.unwrap_or(TRIES).max(1)
}

/// Whether the environment or the profile names a region. Nothing is asked over the network.
pub async fn region_is_set(profile: &str, shared_credentials_file: &str) -> bool {
    let access = Access {
        profile: profile.to_owned(),
        shared_credentials_file: shared_credentials_file.to_owned(),
        ..Access::default()
    };
    home_region(&access).await.is_ok()
}

async fn home_region(access: &Access) -> Result<String, Failure> {
    if !access.region.is_empty() {
        return Ok(access.region.clone());
    }
    // AWS_REGION goes before AWS_DEFAULT_REGION.
    if let Some(region) = EnvironmentVariableRegionProvider::new().region().await {
        return Ok(region.to_string());
    }
    let mut profile = ProfileFileRegionProvider::builder().profile_files(credentials::profile_files(access));
    if !access.profile.is_empty() {
        profile = profile.profile_name(&access.profile);
    }
    profile.build().region().await.map(|r| r.to_string()).ok_or_else(|| {
        Failure::config("no AWS region is set")
            .help("set `region` in the template, AWS_REGION, or `region` in the profile (`aws configure set region …`)")
    })
}

async fn load_config(
    access: &Access,
    home: &str,
    http: &SharedHttpClient,
    credentials: SharedCredentialsProvider,
) -> SdkConfig {
    let times =
        TimeoutConfig::builder().connect_timeout(Duration::from_secs(10)).read_timeout(Duration::from_secs(60)).build();
    let mut loader: ConfigLoader = aws_config::defaults(BehaviorVersion::latest())
        .region(aws_sdk_ec2::config::Region::new(home.to_owned()))
        .http_client(http.clone())
        .credentials_provider(credentials)
        .retry_config(RetryConfig::standard().with_max_attempts(tries(access)))
        .timeout_config(times)
        .profile_files(credentials::profile_files(access));
    if !access.profile.is_empty() {
        loader = loader.profile_name(&access.profile);
    }
    loader.load().await
}

#[cfg(test)]
mod tests {
    use super::partition_of;

    #[test]
    fn the_region_decides_the_partition() {
        for (region, partition) in [
            ("eu-central-1", "aws"),
            ("us-east-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            assert_eq!(partition_of(region), partition, "{region}");
        }
    }
}
