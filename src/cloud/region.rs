//! One region of an account: the client, the look-ups that are made once, and the waits.

use std::any::Any;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_ec2::config::SharedHttpClient;
use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{Filter, Image};
use futures_util::FutureExt as _;
use tokio::sync::OnceCell;

use super::budget::Budget;
use super::gather::Gather;
use super::watch::Watchers;
use super::{failure, http};
use crate::run::Failure;

type Answer = Arc<dyn Any + Send + Sync>;

/// A region of an account, with what its builds share.
pub struct Region {
    /// `eu-central-1`.
    pub name: String,
    /// Every call through it is counted in the region's budget.
    pub ec2: aws_sdk_ec2::Client,
    pub(super) budget: Arc<Budget>,
    pub(super) watchers: Watchers,
    answers: Mutex<HashMap<String, Arc<OnceCell<Answer>>>>,
    /// The image names that builds of this process are about to use, by build.
    claims: Mutex<HashMap<String, String>>,
    names: Gather<Vec<Image>>,
    stops: Gather<()>,
    ends: Gather<()>,
    decode: Option<aws_sdk_sts::Client>,
}

impl Region {
    pub(super) fn new(
        name: &str,
        config: &SdkConfig,
        client: &SharedHttpClient,
        endpoint: &str,
        decode: Option<aws_sdk_sts::Client>,
    ) -> Self {
        let budget = Arc::new(Budget::default());
        let mut builder = aws_sdk_ec2::config::Builder::from(config)
            .region(aws_sdk_ec2::config::Region::new(name.to_owned()))
            .http_client(http::budgeted(client.clone(), budget.clone()))
            // The SDK's quota of retries is for services that fail; against throttling the budget above is what helps.
            .retry_partition(
                aws_sdk_ec2::config::retry::RetryPartition::custom(format!("kiln-{name}"))
                    .token_bucket(aws_sdk_ec2::config::retry::TokenBucket::unlimited())
                    .build(),
            );
        if !endpoint.is_empty() {
            builder = builder.endpoint_url(endpoint);
        }
        let ec2 = aws_sdk_ec2::Client::from_conf(builder.build());
        let watchers = Watchers::new(&ec2);
        Self {
            name: name.to_owned(),
            budget,
            watchers,
            answers: Mutex::default(),
            claims: Mutex::default(),
            names: own_images(&ec2, name),
            stops: stops(&ec2),
            ends: ends(&ec2),
            decode,
            ec2,
        }
    }

    /// This account's images that have this name, as AWS knows them now. Builds that ask at the same time share a call.
    ///
    /// # Errors
    /// Those of the call.
    pub async fn own_images(&self, name: &str) -> Result<Vec<Image>, Failure> {
        self.names.one(name).await
    }

    /// Notes that a build is about to make an image of this name, in place of what it claimed before. Where another build has
    /// claimed the name, nothing is noted.
    ///
    /// # Errors
    /// The other build's id.
    pub fn claim_image_name(&self, name: &str, build: &str) -> Result<(), String> {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((other, _)) = claims.iter().find(|(by, claimed)| *claimed == name && *by != build) {
            return Err(other.clone());
        }
        claims.insert(build.to_owned(), name.to_owned());
        Ok(())
    }

    /// Asks AWS to stop an instance. Builds that ask at the same time share a call.
    ///
    /// # Errors
    /// Kind `Aws` when AWS refuses to stop this one.
    pub async fn stop_instance(&self, id: &str) -> Result<(), Failure> {
        self.stops.one(id).await
    }

    /// Asks AWS to terminate an instance. Builds that ask at the same time share a call.
    ///
    /// # Errors
    /// Kind `Aws` when AWS refuses to terminate this one, or does not know it any more.
    pub async fn terminate_instance(&self, id: &str) -> Result<(), Failure> {
        self.ends.one(id).await
    }

    /// The answer to a look-up, asked once a process: who asks meanwhile waits for the same answer, who asks later gets it at
    /// once. Errors are not kept. `key` must tell look-ups apart, their type included: `subnets vpc-1`.
    ///
    /// # Errors
    /// Those of `ask`.
    pub async fn once<T, F>(&self, key: &str, ask: impl FnOnce() -> F) -> Result<T, Failure>
    where
        T: Clone + Send + Sync + 'static,
        F: Future<Output = Result<T, Failure>>,
    {
        // The type is part of the key: a key used for two types is two look-ups.
        let key = format!("{} {key}", std::any::type_name::<T>());
        let cell = self.answers.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        let answer = cell.get_or_try_init(|| async { ask().await.map(|t| Arc::new(t) as Answer) }).await?;
        answer.downcast_ref().cloned().ok_or_else(|| Failure::other("two look-ups have one key"))
    }

    /// How many calls a second AWS's complaints have left; `None`: as many as come.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        self.budget.rate()
    }

    /// As [`failure`], and with `decode_authorization_messages` the encoded part of a refusal in clear.
    pub async fn failure<E>(&self, err: &SdkError<E, HttpResponse>, what: &str) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let mut failure = failure(err, what);
        let Some(sts) = &self.decode else { return failure };
        let Some((before, encoded)) = split_encoded(&failure.message) else { return failure };
        let answer = sts.decode_authorization_message().encoded_message(encoded).send().await;
        if let Some(clear) = answer.ok().and_then(|a| a.decoded_message().map(str::to_owned)) {
            failure.message = format!("{before}Authorization failure message: {clear}");
        }
        failure
    }
}

fn own_images(ec2: &aws_sdk_ec2::Client, region: &str) -> Gather<Vec<Image>> {
    let (ec2, region) = (ec2.clone(), region.to_owned());
    Gather::new(move |names| {
        let wanted =
            Filter::builder().name("name").set_values(Some(names.iter().map(|n| literal(n)).collect())).build();
        let call = ec2.describe_images().owners("self").filters(wanted);
        let what = format!("Error querying AMI with name {} in {region}", names.join(", "));
        async move {
            let found = call.send().await.map_err(|e| failure(&e, &what))?;
            let mut by_name = HashMap::<String, Vec<Image>>::new();
            for image in found.images.unwrap_or_default() {
                by_name.entry(image.name().unwrap_or_default().to_owned()).or_default().push(image);
            }
            Ok(by_name)
        }
        .boxed()
    })
}

/// A filter's value that matches this text alone: AWS reads `*` and `?` as wildcards.
fn literal(text: &str) -> String {
    text.chars().flat_map(|c| if "*?\\".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
}

fn stops(ec2: &aws_sdk_ec2::Client) -> Gather<()> {
    let ec2 = ec2.clone();
    Gather::new(move |ids| {
        let what = format!("Error stopping instance {}", ids.join(", "));
        let call = ec2.stop_instances().set_instance_ids(Some(ids));
        async move { call.send().await.map(|_| HashMap::default()).map_err(|e| failure(&e, &what)) }.boxed()
    })
}

fn ends(ec2: &aws_sdk_ec2::Client) -> Gather<()> {
    let ec2 = ec2.clone();
    Gather::new(move |ids| {
        let what = format!("Error terminating instance {}", ids.join(", "));
        let call = ec2.terminate_instances().set_instance_ids(Some(ids));
        async move { call.send().await.map(|_| HashMap::default()).map_err(|e| failure(&e, &what)) }.boxed()
    })
}

/// What stands before the encoded part of a refusal, and that part.
fn split_encoded(message: &str) -> Option<(&str, &str)> {
    let (before, after) = message.split_once("Encoded authorization failure message: ")?;
    let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || "-_+/=".contains(c))).unwrap_or(after.len());
    let encoded = after.get(..end)?;
    (!encoded.is_empty()).then_some((before, encoded))
}

#[cfg(test)]
mod tests {
    use super::{literal, split_encoded};

    #[test]
    fn a_name_matches_itself_alone() {
        assert_eq!(literal(r"web-[1] *?\"), r"web-[1] \*\?\\");
    }

    #[test]
    fn the_encoded_part_of_a_refusal_is_found() {
        let text = "You are not authorized. Encoded authorization failure message: Ab-_9 (UnauthorizedOperation)";
        assert_eq!(split_encoded(text), Some(("You are not authorized. ", "Ab-_9")));
        assert_eq!(split_encoded("You are not authorized."), None);
    }
}
