//! Names of the things in a run.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Arc<str>);

        impl $name {
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(s: &str) -> Self {
                Self(s.into())
            }
        }

        impl From<String> for $name {
            fn from(s: String) -> Self {
                Self(s.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

text_id! {
    /// One run of kiln: sorts by time, fit for a file name (`20261122-161533-7f3a`).
    RunId
}
text_id! {
    /// A build as Packer shows it: `amazon-ebs`, or `amazon-ebs.web` when it has a name of its own. Unique in a plan.
    BuildId
}
text_id! {
    /// A step of one build: `launch`, `provision-2`, `post-1-0`. Unique in its build.
    StepId
}

/// Which try of a build this is, from 1.
pub type Attempt = u32;

/// Position of a fact in its run, from 1, without gaps.
pub type Seq = u64;
