//! One task that asks for all ids of a kind together, and tells each wait what it saw.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::super::crowd::Crowd;
use super::kind::{Kind, Trouble};
use super::pace::{Bucket, pause};
use crate::run::Failure;

/// AWS takes more ids in a call, but answers large calls slowly.
const BATCH: usize = 100;

/// What the last poll told of one id.
pub(super) enum Seen<T> {
    NotAsked,
    Item(Arc<T>),
    Missing,
    /// The call failed for a reason that may pass.
    Trouble(Failure),
    Refused(Failure),
}

// By hand: `T` itself need not be `Clone`.
impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        match self {
            Self::NotAsked => Self::NotAsked,
            Self::Item(item) => Self::Item(item.clone()),
            Self::Missing => Self::Missing,
            Self::Trouble(f) => Self::Trouble(f.clone()),
            Self::Refused(f) => Self::Refused(f.clone()),
        }
    }
}

pub(super) struct Poller<K: Kind> {
    shared: Arc<Shared<K>>,
}

struct Shared<K: Kind> {
    ec2: aws_sdk_ec2::Client,
    state: Mutex<State<K>>,
    /// A new id has come.
    wake: Notify,
}

struct State<K: Kind> {
    watched: HashMap<String, Entry<K>>,
    crowd: Crowd,
    /// The task lives. It ends when nothing is watched.
    running: bool,
}

struct Entry<K: Kind> {
    since: Instant,
    interval: Option<Duration>,
    polled: Option<Instant>,
    tell: watch::Sender<Seen<K::Item>>,
    waits: usize,
}

/// A wait's end of the line; when the last one of an id goes, the id is asked for no more.
pub(super) struct Watched<K: Kind> {
    shared: Arc<Shared<K>>,
    id: String,
    hear: watch::Receiver<Seen<K::Item>>,
}

impl<K: Kind> Watched<K> {
    /// What the next poll tells.
    pub(super) async fn next(&mut self) -> Seen<K::Item> {
        match self.hear.changed().await {
            Ok(()) => self.hear.borrow_and_update().clone(),
            // The sender lives in the entry, which lives as long as this does.
            Err(_) => std::future::pending().await,
        }
    }
}

impl<K: Kind> Drop for Watched<K> {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        if let Some(entry) = state.watched.get_mut(&self.id) {
            entry.waits = entry.waits.saturating_sub(1);
            if entry.waits == 0 {
                state.watched.remove(&self.id);
            }
        }
    }
}

impl<K: Kind> Shared<K> {
    fn state(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Kind> Poller<K> {
    pub(super) fn new(ec2: &aws_sdk_ec2::Client) -> Self {
        let state = Mutex::new(State { watched: HashMap::new(), crowd: Crowd::default(), running: false });
        Self { shared: Arc::new(Shared { ec2: ec2.clone(), state, wake: Notify::new() }) }
    }

    /// Begins to ask for `id`; the first poll comes at once. `interval` is the user's pause between polls.
    pub(super) fn watch(&self, id: &str, interval: Option<Duration>) -> Watched<K> {
        let mut state = self.shared.state();
        state.crowd.came(Instant::now());
        let entry = state.watched.entry(id.to_owned()).or_insert_with(|| Entry {
            since: Instant::now(),
            interval,
            polled: None,
            tell: watch::Sender::new(Seen::NotAsked),
            waits: 0,
        });
        entry.waits += 1;
        // A second wait for the same id is as fresh as the first: it wants a poll of its own.
        entry.polled = None;
        let hear = entry.tell.subscribe();
        if !state.running {
            state.running = true;
            tokio::spawn(run(self.shared.clone()));
        }
        drop(state);
        self.shared.wake.notify_one();
        Watched { shared: self.shared.clone(), id: id.to_owned(), hear }
    }
}

async fn run<K: Kind>(shared: Arc<Shared<K>>) {
    let mut bucket = Bucket::new(Instant::now());
    let mut memory = K::Memory::default();
    let mut polled = None;
    loop {
        let now = Instant::now();
        let due = {
            let mut state = shared.state();
            let due = state.watched.values().map(|e| e.due(now)).min();
            if due.is_none() {
                state.running = false;
            }
            due
        };
        let Some(due) = due else { return };
        if due > now {
            tokio::select! {
                () = tokio::time::sleep_until(due) => {}
                () = shared.wake.notified() => {}
            }
            continue;
        }
        let distance = shared.state().crowd.distance(now);
        let apart = polled.map_or(now, |at: Instant| at + distance);
        tokio::time::sleep_until(bucket.take(now).max(apart)).await;
        polled = Some(Instant::now());
        poll(&shared, &mut memory).await;
    }
}

impl<K: Kind> Entry<K> {
    fn due(&self, now: Instant) -> Instant {
        let Some(polled) = self.polled else { return now };
        polled + self.interval.unwrap_or_else(|| pause(polled.saturating_duration_since(self.since)))
    }
}

/// Asks once for everything that is watched.
async fn poll<K: Kind>(shared: &Shared<K>, memory: &mut K::Memory) {
    let ids: Vec<String> = {
        let mut state = shared.state();
        let now = Instant::now();
        for entry in state.watched.values_mut() {
            entry.polled = Some(now);
        }
        let mut ids: Vec<_> = state.watched.keys().cloned().collect();
        ids.sort_unstable();
        ids
    };
    for batch in ids.chunks(BATCH) {
        ask::<K>(shared, batch.to_vec(), memory).await;
    }
}

async fn ask<K: Kind>(shared: &Shared<K>, mut ids: Vec<String>, memory: &mut K::Memory) {
    while !ids.is_empty() {
        match K::describe(&shared.ec2, ids.clone(), memory).await {
            Ok(found) => {
                let mut left: HashSet<String> = ids.into_iter().collect();
                for (id, item) in found {
                    left.remove(&id);
                    shared.tell(&id, Seen::Item(Arc::new(item)));
                }
                for id in left {
                    shared.tell(&id, Seen::Missing);
                }
                return;
            }
            Err(Trouble::NotFound(message)) => {
                let (missing, rest): (Vec<_>, Vec<_>) = ids.into_iter().partition(|id| message.contains(id.as_str()));
                let unnamed = missing.is_empty();
                for id in missing {
                    shared.tell(&id, Seen::Missing);
                }
                if unnamed {
                    // The message names none: each is asked alone.
                    for id in rest {
                        alone::<K>(shared, id, memory).await;
                    }
                    return;
                }
                ids = rest;
            }
            Err(Trouble::Passing(failure)) => return shared.tell_all(&ids, &Seen::Trouble(failure)),
            Err(Trouble::Refused(failure)) => return shared.tell_all(&ids, &Seen::Refused(failure)),
        }
    }
}

async fn alone<K: Kind>(shared: &Shared<K>, id: String, memory: &mut K::Memory) {
    let seen = match K::describe(&shared.ec2, vec![id.clone()], memory).await {
        Ok(found) => found.into_iter().find(|(i, _)| *i == id).map_or(Seen::Missing, |(_, t)| Seen::Item(Arc::new(t))),
        Err(Trouble::NotFound(_)) => Seen::Missing,
        Err(Trouble::Passing(failure)) => Seen::Trouble(failure),
        Err(Trouble::Refused(failure)) => Seen::Refused(failure),
    };
    shared.tell(&id, seen);
}

impl<K: Kind> Shared<K> {
    fn tell(&self, id: &str, seen: Seen<K::Item>) {
        if let Some(entry) = self.state().watched.get(id) {
            entry.tell.send_replace(seen);
        }
    }

    fn tell_all(&self, ids: &[String], seen: &Seen<K::Item>) {
        for id in ids {
            self.tell(id, seen.clone());
        }
    }
}
