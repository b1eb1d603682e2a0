//! The rim that answers evaluation's questions: files, Vault, Consul, Secrets Manager.
//!
//! Not here: what an answer is used for. Nothing here is kept: a run asks each question once.

mod consul;
mod data_source;
mod file_set;
mod secrets_manager;
mod vault;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use crate::template::question::{Answer, Question};

/// Answers one question within `deadline`. Relative paths are of `cwd`.
///
/// What cannot be answered is [`Answer::Failed`] with what to do about it; this never waits longer than `deadline`.
pub async fn answer(question: &Question, cwd: &Path, deadline: Duration) -> Answer {
    answer_with(question, cwd, deadline, &|name| std::env::var(name).ok().filter(|v| !v.is_empty())).await
}

/// What an environment variable holds, if it is set and not empty.
type Env<'a> = &'a (dyn Fn(&str) -> Option<String> + Sync);

async fn answer_with(question: &Question, cwd: &Path, deadline: Duration, env: Env<'_>) -> Answer {
    let lookup = async {
        match question {
            Question::FileExists { path } => match tokio::fs::metadata(cwd.join(path)).await {
                Ok(_) => Answer::Yes,
                Err(_) => Answer::No,
            },
            Question::FileContent { path } => match tokio::fs::read_to_string(cwd.join(path)).await {
                Ok(text) => Answer::Text(text),
                Err(e) => Answer::Failed(format!("cannot read `{path}`: {e}")),
            },
            Question::AwsRegion { profile, shared_credentials_file } => {
                if crate::cloud::region_is_set(profile, shared_credentials_file).await {
                    Answer::Yes
                } else {
                    Answer::No
                }
            }
            Question::FileBytes { path } => match tokio::fs::read(cwd.join(path)).await {
                Ok(bytes) => Answer::Bytes(bytes),
                Err(e) => Answer::Failed(format!("cannot read `{path}`: {e}")),
            },
            Question::IsFile { path } => match tokio::fs::metadata(cwd.join(path)).await {
                Ok(found) if found.is_file() => Answer::Yes,
                Ok(_) => Answer::Failed(format!("`{path}` is no regular file")),
                Err(_) => Answer::No,
            },
            Question::FileSet { folder, pattern, most } => {
                let (folder, pattern, most) = (cwd.join(folder), pattern.clone(), *most);
                let found = tokio::task::spawn_blocking(move || file_set::find(&folder, &pattern, most)).await;
                found.unwrap_or_else(|e| Err(e.to_string())).map_or_else(Answer::Failed, Answer::Names)
            }
            Question::Vault { path, key } => told(vault::read(path, key, env).await),
            Question::ConsulKey { path } => told(consul::read(path, env).await),
            Question::DataSource { kind, config } => told(data_source::read(kind, config).await),
            Question::SecretsManager { name, key, raw } => {
                told(secrets_manager::read(name, key.as_deref(), *raw).await)
            }
        }
    };
    tokio::time::timeout(deadline, lookup)
        .await
        .unwrap_or_else(|_| Answer::Failed(format!("no answer within {} s; {}", deadline.as_secs(), reach(question))))
}

fn told(result: Result<String, String>) -> Answer {
    result.map_or_else(Answer::Failed, Answer::Text)
}

/// What to look at when nobody answers.
fn reach(question: &Question) -> &'static str {
    match question {
        Question::FileExists { .. }
        | Question::AwsRegion { .. }
        | Question::FileContent { .. }
        | Question::FileBytes { .. }
        | Question::IsFile { .. }
        | Question::FileSet { .. } => "is the file on a network drive?",
        Question::DataSource { .. } => "can what it asks be reached?",
        Question::Vault { .. } => "does VAULT_ADDR name a server that can be reached?",
        Question::ConsulKey { .. } => "does CONSUL_HTTP_ADDR name a server that can be reached?",
        Question::SecretsManager { .. } => "are AWS credentials and a region set, and can AWS be reached?",
    }
}

/// Why a request failed, with its causes: the innermost one says what happened.
fn cause(error: &reqwest::Error) -> String {
    let mut said = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = next {
        said = error.to_string();
        next = error.source();
    }
    said
}

/// Whether a setting says yes, in the forms that Go's clients take.
fn is_true(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// A client that trusts what these settings say: a file with certificates, or any certificate at all.
async fn client(authority: Option<String>, skip_verify: bool) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder().tls_danger_accept_invalid_certs(skip_verify);
    if let Some(path) = authority {
        let pem = tokio::fs::read(&path).await.map_err(|e| format!("cannot read the certificates in `{path}`: {e}"))?;
        let certificates =
            reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| format!("`{path}` holds no certificates: {e}"))?;
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|e| format!("cannot prepare a connection: {}", cause(&e)))
}
