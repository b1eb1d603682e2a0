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
    /// The content of any file.
    FileBytes {
        path: String,
    },
    /// Is there a regular file? A folder of this name is an error.
    IsFile {
        path: String,
    },
    /// The regular files in a folder, at any depth, whose path below it matches a pattern of Packer's `fileset`; up to so many.
    FileSet {
        folder: String,
        pattern: String,
        most: usize,
    },
    Vault {
        path: String,
        key: String,
    },
    /// What a data source of an HCL2 template gives: its type, and its attributes as JSON. The answer is JSON too.
    DataSource {
        kind: String,
        config: String,
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
    Bytes(Vec<u8>),
    Names(Vec<String>),
    /// It could not be answered; why, and what to do.
    Failed(String),
}

pub type Answers = BTreeMap<Question, Answer>;
