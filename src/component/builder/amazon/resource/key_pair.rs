//! The temporary key pair, and its private half in this run's folder.

use futures_util::FutureExt as _;

use super::{Found, INSTANCE, KEY_PAIR, Released, clients, gone_is_fine, text};
use crate::cloud::failure;
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

    fn find<'a>(&'a self, resource: &'a Resource, _: &'a ReleaseContext) -> Found<'a> {
        // It is deleted by its name, and one that does not exist is no error: no look-up is needed.
        std::future::ready(Ok(text(&resource.find, "name").map(str::to_owned))).boxed()
    }

    fn release<'a>(&'a self, resource: &'a Resource, id: &'a str, cx: &'a ReleaseContext) -> Released<'a> {
        async move {
            let (_, region) = clients(resource, cx).await?;
            // By its name, not by the id that was learnt: AWS calls it a success to delete a name that nobody has.
            let name = text(&resource.find, "name").unwrap_or(id);
            let deleted = region.ec2.delete_key_pair().key_name(name).send().await;
            gone_is_fine(deleted.map(drop).map_err(|e| failure(&e, &format!("cannot delete the key pair {name}"))))?;
            let Some(file) = text(&resource.find, "file") else { return Ok(()) };
            match tokio::fs::remove_file(file).await {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    Err(Failure::other(format!("cannot delete the private key {file}: {e}")))
                }
                _ => Ok(()),
            }
        }
        .boxed()
    }

    fn verify_gone<'a>(&'a self, _: &'a Resource, _: &'a str, _: &'a ReleaseContext) -> Released<'a> {
        // AWS's answer to the deletion is the proof.
        std::future::ready(Ok(())).boxed()
    }
}
