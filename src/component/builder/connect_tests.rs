use std::cell::RefCell;
use std::collections::VecDeque;

use super::*;
use crate::component::testing::context;
use crate::run::{Fact, FailureKind};

fn refused() -> ConnectError {
    ConnectError::Refused { address: "h:22".into() }
}

fn not_let_in() -> ConnectError {
    ConnectError::AuthRefused { address: "h:22".into(), user: "u".into(), tried: Vec::new(), offered: Vec::new() }
}

/// Tries against these answers; without an answer left it goes on with the last one.
async fn against(
    limits: Limits,
    answers: Vec<Result<(), ConnectError>>,
) -> (Result<String, Failure>, usize, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let (cx, facts) = context(folder.path());
    let answers = RefCell::new(VecDeque::from(answers));
    let tries = RefCell::new(0);
    let options = async || Ok(ConnectOptions::new("h", 22, "u"));
    let open = async |_| {
        *tries.borrow_mut() += 1;
        let mut answers = answers.borrow_mut();
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
    };
    let result = try_on(&limits, &options, &open, &cx).await.map(|((), host)| host);
    let waits =
        facts.facts().into_iter().filter_map(|f| if let Fact::Waiting { on, .. } = f { on } else { None }).collect();
    (result, tries.into_inner(), waits)
}

const QUICK: Duration = Duration::from_millis(1);
const MINUTES: Limits = Limits { time: Some(Duration::from_secs(300)), refusals: Some(3), pause: QUICK };

#[tokio::test]
async fn a_machine_that_boots_is_tried_until_it_answers() {
    let (result, tries, waits) =
        against(MINUTES, vec![Err(refused()), Err(refused()), Err(not_let_in()), Ok(())]).await;
    assert_eq!((result.unwrap().as_str(), tries), ("h", 4));
    assert_eq!(waits.len(), 2, "a reason is told once: {waits:?}");
}

#[tokio::test]
async fn the_last_reason_is_in_the_timeout() {
    let limits = Limits { time: Some(Duration::from_millis(20)), ..MINUTES };
    let (result, tries, _) = against(limits, vec![Err(refused())]).await;
    let failure = result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TimedOut);
    assert_eq!(failure.message, format!("Timeout waiting for SSH: {}", refused()));
    assert!(failure.help.is_some());
    assert!(tries > 1);
}

#[tokio::test]
async fn refused_logins_are_counted() {
    let (result, tries, _) = against(MINUTES, vec![Err(refused()), Err(not_let_in())]).await;
    assert!(result.unwrap_err().message.starts_with("after 3 tries:"));
    assert_eq!(tries, 4);
}

#[tokio::test]
async fn what_no_later_try_can_mend_ends_it_at_once() {
    let bad = ConnectError::BadKey { path: "k".into(), why: "encrypted".into() };
    let (result, tries, _) = against(Limits { time: None, refusals: None, pause: QUICK }, vec![Err(bad.clone())]).await;
    let failure = result.unwrap_err();
    assert_eq!((failure.message, tries), (format!("SSH cannot be opened: {bad}"), 1));
}
