//! The temporary key pair, and its private half in this run's folder.

use futures_util::FutureExt as _;
use serde_json::Value as Json;

use super::{Found, INSTANCE, KEY_PAIR, Released, clients, gone_is_fine, text};
use crate::cloud::failure;
use crate::component::builder::amazon::filter::filter;
use crate::component::contract::{ReleaseContext, ResourceKind};
use crate::run::{Failure, Resource};

pub struct KeyPair;

impl ResourceKind for KeyPair {
    fn name(&self) -> &'static str {
        KEY_PAIR
    }

    fn title(&self) -> &'static str {
        "key pair"
    }

    fn after(&self) -> &'static [&'static str] {
        &[INSTANCE]
    }

    fn says(&self) -> &'static str {
        "Deleting temporary keypair..."
    }

    fn find<'a>(&'a self, resource: &'a Resource, cx: &'a ReleaseContext) -> Found<'a> {
        async move {
            let Some(name) = text(&resource.find, "name") else { return Ok(None) };
            // It is deleted by its name, and one that does not exist is no error: no look-up is needed. But a name that the
            // template gave may be that of somebody else's key pair.
            let given = resource.find.get("given").and_then(Json::as_bool) == Some(true);
            if given && resource.id.is_none() && !is_ours(name, resource, cx).await? {
                remove_private_half(resource).await?;
                return Ok(None);
            }
            Ok(Some(name.to_owned()))
        }
        .boxed()
    }

    fn release<'a>(&'a self, resource: &'a Resource, id: &'a str, cx: &'a ReleaseContext) -> Released<'a> {
        async move {
            let (_, region) = clients(resource, cx).await?;
            // By its name, not by the id that was learnt: AWS calls it a success to delete a name that nobody has.
            let name = text(&resource.find, "name").unwrap_or(id);
            let deleted = region.ec2.delete_key_pair().key_name(name).send().await;
            gone_is_fine(deleted.map(drop).map_err(|e| failure(&e, &format!("cannot delete the key pair {name}"))))?;
            remove_private_half(resource).await
        }
        .boxed()
    }

    fn verify_gone<'a>(&'a self, _: &'a Resource, _: &'a str, _: &'a ReleaseContext) -> Released<'a> {
        // AWS's answer to the deletion is the proof.
        std::future::ready(Ok(())).boxed()
    }
}

/// Whether the key pair of this name carries this run's tags.
async fn is_ours(name: &str, resource: &Resource, cx: &ReleaseContext) -> Result<bool, Failure> {
    let (_, region) = clients(resource, cx).await?;
    let wanted = [filter("key-name", name), filter("tag:kiln:run", cx.run.as_str())];
    let found = region.ec2.describe_key_pairs().set_filters(Some(wanted.to_vec())).send().await;
    let found = found.map_err(|e| failure(&e, "cannot look up the key pair"))?;
    Ok(!found.key_pairs().is_empty())
}

async fn remove_private_half(resource: &Resource) -> Result<(), Failure> {
    let Some(file) = text(&resource.find, "file") else { return Ok(()) };
    match tokio::fs::remove_file(file).await {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Failure::other(format!("cannot delete the private key {file}: {e}")))
        }
        _ => Ok(()),
    }
}
