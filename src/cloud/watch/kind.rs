//! The kinds of things that are watched, and the call that tells of them.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{Image, ImageState, Instance, Snapshot};
use tokio::time::Instant;

use super::{GONE, NOT_YET};
use crate::cloud::failure::{code_of, failure, is_not_found, is_throttled};
use crate::run::Failure;

/// Why a call told nothing.
pub(super) enum Trouble {
    /// Some of the ids do not exist; AWS's message names them.
    NotFound(String),
    /// It may go better next time.
    Passing(Failure),
    Refused(Failure),
}

pub(super) trait Kind: Send + Sync + 'static {
    type Item: Clone + Send + Sync + 'static;
    /// What is remembered from one poll to the next.
    type Memory: Default + Send;

    /// How long "not found" may be heard of something that was never seen, by what is waited for.
    const PATIENCE: fn(aim: &str) -> Duration = |aim| if aim == "terminated" { GONE } else { NOT_YET };

    /// Describes `ids`, at most 100.
    fn describe(
        ec2: &aws_sdk_ec2::Client,
        ids: Vec<String>,
        memory: &mut Self::Memory,
    ) -> impl Future<Output = Result<Vec<(String, Self::Item)>, Trouble>> + Send;
}

pub(super) struct Instances;
pub(super) struct Images;
pub(super) struct Snapshots;

impl Kind for Instances {
    type Item = Instance;
    type Memory = ();

    async fn describe(
        ec2: &aws_sdk_ec2::Client,
        ids: Vec<String>,
        (): &mut (),
    ) -> Result<Vec<(String, Instance)>, Trouble> {
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let call = ec2.describe_instances().set_instance_ids(Some(ids.clone())).set_next_token(token);
            let answer = call.send().await.map_err(|e| trouble(&e, "cannot see how the instance is"))?;
            token = answer.next_token.filter(|t| !t.is_empty());
            for instance in
                answer.reservations.unwrap_or_default().into_iter().flat_map(|r| r.instances.unwrap_or_default())
            {
                if let Some(id) = instance.instance_id.clone() {
                    found.push((id, instance));
                }
            }
            if token.is_none() {
                return Ok(found);
            }
        }
    }
}

/// An image and how far its snapshots are.
#[derive(Clone)]
pub(super) struct SeenImage {
    pub(super) image: Image,
    pub(super) percent: Option<u8>,
}

/// Snapshots are asked for their progress this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// What is known of the progress of images.
pub(super) struct Progress {
    asked: Instant,
    percent: HashMap<String, u8>,
    /// The calls are not allowed: no more are made.
    refused: bool,
}

impl Default for Progress {
    fn default() -> Self {
        Self { asked: Instant::now(), percent: HashMap::new(), refused: false }
    }
}

impl Kind for Images {
    type Item = SeenImage;
    type Memory = Progress;

    async fn describe(
        ec2: &aws_sdk_ec2::Client,
        ids: Vec<String>,
        progress: &mut Progress,
    ) -> Result<Vec<(String, SeenImage)>, Trouble> {
        let mut images = Vec::new();
        let mut token = None;
        loop {
            let call = ec2.describe_images().set_image_ids(Some(ids.clone())).set_next_token(token);
            let answer = call.send().await.map_err(|e| trouble(&e, "cannot see how the AMI is"))?;
            token = answer.next_token.filter(|t| !t.is_empty());
            images.extend(answer.images.unwrap_or_default());
            if token.is_none() {
                break;
            }
        }
        if !progress.refused && progress.asked.elapsed() >= PROGRESS_EVERY {
            progress.ask(ec2, &images).await;
        }
        let seen = images.into_iter().filter_map(|image| {
            let id = image.image_id.clone()?;
            let percent = progress.percent.get(&id).copied();
            Some((id, SeenImage { image, percent }))
        });
        Ok(seen.collect())
    }
}

impl Progress {
    /// Asks for the snapshots of the images that are not finished. That is for show and for the deadline: errors are passed
    /// over.
    async fn ask(&mut self, ec2: &aws_sdk_ec2::Client, images: &[Image]) {
        self.asked = Instant::now();
        let pending = |i: &&Image| i.state() == Some(&ImageState::Pending);
        let of = |i: &Image| -> Vec<String> {
            let ebs = i.block_device_mappings().iter().filter_map(|m| m.ebs());
            ebs.filter_map(|e| e.snapshot_id()).filter(|s| !s.is_empty()).map(str::to_owned).collect()
        };
        let wanted: Vec<String> = images.iter().filter(pending).flat_map(of).take(100).collect();
        if wanted.is_empty() {
            return;
        }
        match ec2.describe_snapshots().set_snapshot_ids(Some(wanted)).send().await {
            Ok(answer) => {
                let percents: HashMap<&str, u8> = answer
                    .snapshots()
                    .iter()
                    .filter_map(|s| Some((s.snapshot_id()?, percent(s.progress())?)))
                    .collect();
                for image in images.iter().filter(pending) {
                    let known: Vec<u32> =
                        of(image).iter().filter_map(|s| percents.get(s.as_str())).map(|p| u32::from(*p)).collect();
                    let count = u32::try_from(known.len()).unwrap_or(u32::MAX);
                    let mean = known.iter().sum::<u32>().checked_div(count);
                    if let (Some(id), Some(mean)) = (image.image_id(), mean.and_then(|m| u8::try_from(m).ok())) {
                        self.percent.insert(id.to_owned(), mean);
                    }
                }
            }
            Err(e) => self.refused = code_of(&e) == Some("UnauthorizedOperation"),
        }
    }
}

impl Kind for Snapshots {
    type Item = Snapshot;
    type Memory = ();

    async fn describe(
        ec2: &aws_sdk_ec2::Client,
        ids: Vec<String>,
        (): &mut (),
    ) -> Result<Vec<(String, Snapshot)>, Trouble> {
        let call = ec2.describe_snapshots().set_snapshot_ids(Some(ids));
        let answer = call.send().await.map_err(|e| trouble(&e, "cannot see how the snapshot is"))?;
        let found = answer.snapshots.unwrap_or_default().into_iter();
        Ok(found.filter_map(|s| Some((s.snapshot_id.clone()?, s))).collect())
    }
}

/// `45%` as a number.
pub(super) fn percent(text: Option<&str>) -> Option<u8> {
    text?.trim().trim_end_matches('%').parse().ok().filter(|n| *n <= 100)
}

fn trouble<E>(err: &SdkError<E, HttpResponse>, what: &str) -> Trouble
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if is_not_found(err) {
        return Trouble::NotFound(err.as_service_error().and_then(|e| e.message()).unwrap_or("").to_owned());
    }
    let passing = match err {
        SdkError::ServiceError(e) => is_throttled(err) || e.raw().status().is_server_error(),
        SdkError::ConstructionFailure(_) => false,
        _ => true,
    };
    let failure = failure(err, what);
    if passing { Trouble::Passing(failure) } else { Trouble::Refused(failure) }
}
