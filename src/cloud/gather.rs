//! Calls that take many ids: what several builders ask at the same time goes to AWS as one.
//!
//! A lone call goes at once. While one is under way the next ones gather, and go together when it is back. Since one wrong id
//! makes AWS refuse the whole call, a call that is refused is made again for each id alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::crowd::Crowd;
use crate::run::{Failure, FailureKind};

/// AWS takes more, but advises against much larger calls.
const MOST: usize = 50;

/// Makes the call for all ids. An id that the answer lacks has the default as its answer.
type Ask<T> = dyn Fn(Vec<String>) -> BoxFuture<'static, Result<HashMap<String, T>, Failure>> + Send + Sync;
type Answer<T> = oneshot::Sender<Result<T, Failure>>;

pub(super) struct Gather<T>(Arc<Shared<T>>);

struct Shared<T> {
    ask: Box<Ask<T>>,
    state: Mutex<State<T>>,
}

struct State<T> {
    waiting: Vec<(String, Answer<T>)>,
    crowd: Crowd,
    /// When the last call went.
    called: Option<Instant>,
    /// The task lives. It ends when nobody waits.
    running: bool,
}

impl<T> Shared<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone + Default + Send + 'static> Gather<T> {
    pub(super) fn new(
        ask: impl Fn(Vec<String>) -> BoxFuture<'static, Result<HashMap<String, T>, Failure>> + Send + Sync + 'static,
    ) -> Self {
        let state = State { waiting: Vec::new(), crowd: Crowd::default(), called: None, running: false };
        Self(Arc::new(Shared { ask: Box::new(ask), state: Mutex::new(state) }))
    }

    /// The answer for one id. Who gives up before the call went asks for nothing.
    pub(super) async fn one(&self, id: &str) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.0.state();
            state.waiting.push((id.to_owned(), answer));
            state.crowd.came(Instant::now());
            if !state.running {
                state.running = true;
                tokio::spawn(run(self.0.clone()));
            }
        }
        // The task answers everybody unless the whole process ends.
        answered.await.unwrap_or_else(|_| Err(Failure::cancelled()))
    }
}

async fn run<T: Clone + Default + Send + 'static>(shared: Arc<Shared<T>>) {
    loop {
        let at = {
            let mut state = shared.state();
            let now = Instant::now();
            let distance = state.crowd.distance(now);
            state.called.map_or(now, |called| called + distance)
        };
        tokio::time::sleep_until(at).await;
        let waiting = {
            let mut state = shared.state();
            state.waiting.retain(|(_, answer)| !answer.is_closed());
            if state.waiting.is_empty() {
                state.running = false;
                return;
            }
            state.called = Some(Instant::now());
            std::mem::take(&mut state.waiting)
        };
        let mut waiting = waiting.into_iter().peekable();
        while waiting.peek().is_some() {
            make(&shared, waiting.by_ref().take(MOST).collect()).await;
        }
    }
}

async fn make<T: Clone + Default + Send + 'static>(shared: &Shared<T>, batch: Vec<(String, Answer<T>)>) {
    let mut ids: Vec<String> = batch.iter().map(|(id, _)| id.clone()).collect();
    ids.sort_unstable();
    ids.dedup();
    let alone = ids.len() == 1;
    match (shared.ask)(ids).await {
        Err(Failure { kind: FailureKind::Aws { .. }, .. }) if !alone => {
            for (id, answer) in batch {
                let told = (shared.ask)(vec![id.clone()]).await;
                // Nobody listens to a build that is given up.
                let _ = answer.send(told.map(|mut found| found.remove(&id).unwrap_or_default()));
            }
        }
        told => {
            for (id, answer) in batch {
                let _ = answer.send(match &told {
                    Ok(found) => Ok(found.get(&id).cloned().unwrap_or_default()),
                    Err(failure) => Err(failure.clone()),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;

    /// Answers each id with its length; `refuse` says which calls AWS refuses.
    fn lengths(calls: &Arc<Mutex<Vec<Vec<String>>>>, refuse: fn(&[String]) -> bool) -> Gather<usize> {
        let calls = calls.clone();
        Gather::new(move |ids| {
            calls.lock().unwrap().push(ids.clone());
            async move {
                tokio::task::yield_now().await;
                let kind = FailureKind::Aws { code: "InvalidInstanceID.NotFound".into(), request_id: None };
                if refuse(&ids) {
                    return Err(Failure::new(kind, format!("there is no {}", ids.join(", "))));
                }
                Ok(ids.into_iter().map(|id| (id.clone(), id.len())).collect())
            }
            .boxed()
        })
    }

    #[tokio::test]
    async fn a_call_goes_at_once_and_those_behind_it_go_together() {
        let calls = Arc::default();
        let gather = lengths(&calls, |_| false);
        assert_eq!(gather.one("lone").await.unwrap(), 4);
        let ids: Vec<String> = (1..=3).map(|n| "i".repeat(n)).collect();
        let answers = join_all(ids.iter().map(|id| gather.one(id))).await;
        assert!(answers.into_iter().map(Result::unwrap).eq(1..=3));
        let calls = calls.lock().unwrap();
        assert_eq!(calls[0], ["lone"]);
        assert_eq!(calls.len(), 2, "{calls:?}");
    }

    #[tokio::test]
    async fn one_wrong_id_does_not_fail_the_others() {
        let calls = Arc::default();
        let gather = lengths(&calls, |ids| ids.iter().any(|id| id == "wrong"));
        let (one, wrong, two) = tokio::join!(gather.one("a"), gather.one("wrong"), gather.one("bb"));
        assert_eq!((one.unwrap(), two.unwrap()), (1, 2));
        assert_eq!(wrong.unwrap_err().message, "there is no wrong");
        assert_eq!(calls.lock().unwrap().len(), 4, "one for all, then each alone");
    }

    #[tokio::test]
    async fn who_gives_up_before_the_call_asks_for_nothing() {
        let calls = Arc::default();
        let gather = lengths(&calls, |_| false);
        let mut given_up = Box::pin(gather.one("given-up"));
        assert!(futures_util::poll!(&mut given_up).is_pending());
        drop(given_up);
        gather.one("a").await.unwrap();
        assert_eq!(*calls.lock().unwrap(), [vec!["a".to_owned()]]);
    }

    #[tokio::test]
    async fn more_than_a_call_takes_are_several_calls() {
        let calls = Arc::default();
        let gather = lengths(&calls, |_| false);
        let ids: Vec<String> = (0..120).map(|n| format!("i-{n}")).collect();
        join_all(ids.iter().map(|id| gather.one(id))).await;
        assert!(calls.lock().unwrap().iter().map(Vec::len).eq([50, 50, 20]));
    }
}
