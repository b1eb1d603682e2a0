//! The rim that answers evaluation's questions: files, Vault, Consul, Secrets Manager.

use std::path::Path;
use std::time::Duration;

use crate::template::question::{Answer, Question};

/// Answers one question within `deadline`. Relative paths are of `cwd`.
///
/// What cannot be answered is [`Answer::Failed`] with what to do about it; this never waits longer than `deadline`.
pub async fn answer(question: &Question, cwd: &Path, deadline: Duration) -> Answer {
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
            other => Answer::Failed(format!("cannot look up {other:?}")),
        }
    };
    tokio::time::timeout(deadline, lookup)
        .await
        .unwrap_or_else(|_| Answer::Failed(format!("no answer within {} s", deadline.as_secs())))
}
