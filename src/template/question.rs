//! What evaluation would need from the world. The rim answers; evaluation runs again.

use std::collections::BTreeMap;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Question {
    /// Does this file or folder exist (path relative to the working folder)?
    FileExists {
        path: String,
    },
    /// The content of a text file.
    FileContent {
        path: String,
    },
    /// Does the environment or the profile name an AWS region? Empty: the usual profile, the usual files.
    AwsRegion {
        profile: String,
        shared_credentials_file: String,
    },
    Vault {
        path: String,
        key: String,
    },
    ConsulKey {
        path: String,
    },
    /// `raw`: the whole secret; else `key` of its JSON, or its only key.
    SecretsManager {
        name: String,
        key: Option<String>,
        raw: bool,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Yes,
    No,
    Text(String),
    /// It could not be answered; why, and what to do.
    Failed(String),
}

pub type Answers = BTreeMap<Question, Answer>;
