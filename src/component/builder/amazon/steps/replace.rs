//! Replacing an image that has the name already (`force_deregister`).
//!
//! AWS refuses a name twice, so the old registration has to go just before the new image is made. It is written down in full
//! first, and its snapshots are kept until the new image is good: should that fail, the old image is registered again.

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};

use crate::cloud::failure;
use crate::component::builder::amazon::registration::Registration;
use crate::component::builder::amazon::resource::{REPLACED_IMAGE, named_snapshots};
use crate::component::builder::amazon::work::{Work, is_not_found};
use crate::run::{Failure, FailureKind};

/// Name under which the replaced images are learnt.
const REPLACED: &str = "replaced";

/// An image that was deregistered.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Replaced {
    key: String,
    region: String,
    registration: Registration,
}

/// Deregisters what has the image's name in every target region.
pub async fn deregister(work: &Work<'_>) -> Result<(), Failure> {
    if !work.replaces() {
        return Ok(());
    }
    let regions = work.target_regions();
    let done = join_all(regions.iter().map(|region| deregister_in(work, region))).await;
    let mut replaced: Vec<Replaced> = work.cx.learnt(REPLACED).unwrap_or_default();
    let mut failed = Ok(());
    for (gone, result) in done {
        replaced.extend(gone);
        failed = failed.and(result);
    }
    if !replaced.is_empty() {
        work.cx.learn(REPLACED, &replaced).await?;
    }
    failed
}

async fn deregister_in(work: &Work<'_>, region: &str) -> (Vec<Replaced>, Result<(), Failure>) {
    let cx = work.cx;
    let mut gone = Vec::new();
    let result = async {
        let client = &work.account.region(region).ec2;
        for image in work.account.region(region).own_images(work.image_name()).await? {
            let registration = Registration::of(client, &image).await?;
            let id = registration.id.clone();
            let find = serde_json::to_value(&registration)
                .map_err(|e| Failure::other(format!("cannot write down the registration of {id}: {e}")))?;
            let key = cx.intend(REPLACED_IMAGE, &format!("{region}/{id}"), region, find).await?;
            let asked = client.deregister_image().image_id(&id).send().await;
            match asked.map_err(|e| failure(&e, &format!("Error deregistering existing AMI {id}"))) {
                Err(failure) if is_not_found(&failure) => cx.released(&key).await?,
                Err(failure) => {
                    // Without an answer it may be gone all the same: then clean-up registers it again.
                    if matches!(failure.kind, FailureKind::Aws { .. }) {
                        cx.released(&key).await?;
                    }
                    return Err(failure);
                }
                Ok(_) => {
                    cx.created(&key, &id).await?;
                    cx.say(format!("Deregistered AMI {}, id: {id}", registration.name));
                    gone.push(Replaced { key, region: region.to_owned(), registration });
                }
            }
        }
        Ok(())
    }
    .await;
    (gone, result)
}

/// Registers again what was deregistered, since the new image was not made.
pub async fn restore(work: &Work<'_>) {
    let cx = work.cx;
    let replaced: Vec<Replaced> = cx.learnt(REPLACED).unwrap_or_default();
    let mut left = Vec::new();
    for old in replaced {
        let client = &work.account.region(&old.region).ec2;
        match old.registration.register(client).await {
            Ok(id) => {
                cx.say(format!(
                    "Registered the old AMI {} again: {id} (it was {})",
                    old.registration.name, old.registration.id
                ));
                if cx.released(&old.key).await.is_err() {
                    return;
                }
            }
            // Clean-up tries again, and reports it when it fails for good.
            Err(why) => {
                cx.warn(format!("The old AMI {} is not registered again yet: {why}", old.registration.name));
                left.push(old);
            }
        }
    }
    if let Err(why) = cx.learn(REPLACED, &left).await {
        tracing::warn!(%why, "the journal cannot be written");
    }
}

/// The new image is good: the old one will not come back, and its snapshots go where the template wants that.
pub async fn forget(work: &Work<'_>) -> Result<(), Failure> {
    let cx = work.cx;
    let replaced: Vec<Replaced> = cx.learnt(REPLACED).unwrap_or_default();
    if replaced.is_empty() {
        return Ok(());
    }
    for old in &replaced {
        cx.released(&old.key).await?;
    }
    cx.learn(REPLACED, &Vec::<Replaced>::new()).await?;
    if !work.config.ami.force_delete_snapshot {
        return Ok(());
    }
    let named = named_snapshots(&work.config);
    for old in &replaced {
        let client = &work.account.region(&old.region).ec2;
        for snapshot in old.registration.snapshots().filter(|id| !named.contains(*id)) {
            let deleted = client.delete_snapshot().snapshot_id(snapshot).send().await;
            match deleted.map_err(|e| failure(&e, &format!("the old snapshot {snapshot} was not deleted"))) {
                Ok(_) => cx.say(format!("Deleted snapshot: {snapshot}")),
                Err(failure) if is_not_found(&failure) => {}
                Err(failure) => cx.warn(failure.message),
            }
        }
    }
    Ok(())
}
