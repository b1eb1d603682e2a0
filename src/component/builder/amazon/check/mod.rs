//! Rules over several fields of the amazon builders: what Packer checks before a build, all at once, and what it does not.

use super::config::AmazonEbs;
use crate::component::contract::CheckContext;

/// Every rule of `amazon-ebs`, those of the communicator included. The config has passed its schema; fields that are not known
/// yet are at their defaults and marked so in `cx.places`.
pub fn amazon_ebs(config: &AmazonEbs, cx: &mut CheckContext<'_>) {
    config.communicator.check(cx);
}
