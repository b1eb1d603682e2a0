//! The call budget of one account and region: throttling by AWS slows all calls together.
//!
//! AWS counts calls by account and region, so one builder's throttling is everybody's. As long as AWS does not complain the
//! budget does not hold anything back; after a complaint it lets calls through at a rate that it halves with each further one
//! and raises again while there is none.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Calls a second after the first complaint.
const FIRST_RATE: f64 = 10.0;
/// Never slower than a call in two seconds.
const LOWEST_RATE: f64 = 0.5;
/// Beyond this many calls a second the budget no longer holds anything back.
const FREE_RATE: f64 = 50.0;
/// Complaints within this time of one another count once: they answer calls that were under way together.
const SAME_COMPLAINT: Duration = Duration::from_millis(500);
/// By how much the rate grows in each second without a complaint.
const GROWTH: f64 = 0.5;

/// One for each account and region.
#[derive(Debug, Default)]
pub struct Budget(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// `None`: free.
    limit: Option<Limit>,
}

#[derive(Debug)]
struct Limit {
    rate: f64,
    /// When the next call may go.
    next: Instant,
    complained: Instant,
    grown: Instant,
}

impl Budget {
    /// Waits until a call may go.
    pub async fn turn(&self) {
        if let Some(at) = self.reserve(Instant::now()) {
            tokio::time::sleep_until(at).await;
        }
    }

    /// Tells that AWS refused a call for being one too many.
    pub fn complain(&self) {
        self.complained_at(Instant::now());
    }

    /// How many calls a second are let through; `None`: as many as come.
    #[must_use]
    pub fn rate(&self) -> Option<f64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).limit.as_ref().map(|l| l.rate)
    }

    fn reserve(&self, now: Instant) -> Option<Instant> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = state.limit.as_mut()?;
        let quiet = now.saturating_duration_since(limit.grown).as_secs_f64();
        limit.grown = now;
        limit.rate += quiet * GROWTH;
        if limit.rate >= FREE_RATE {
            state.limit = None;
            return None;
        }
        let at = limit.next.max(now);
        limit.next = at + Duration::from_secs_f64(1.0 / limit.rate);
        Some(at)
    }

    fn complained_at(&self, now: Instant) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut state.limit {
            None => {
                let next = now + Duration::from_secs_f64(1.0 / FIRST_RATE);
                state.limit = Some(Limit { rate: FIRST_RATE, next, complained: now, grown: now });
            }
            Some(limit) if now.saturating_duration_since(limit.complained) < SAME_COMPLAINT => {}
            Some(limit) => {
                limit.rate = (limit.rate / 2.0).max(LOWEST_RATE);
                limit.complained = now;
                limit.grown = now;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_held_back_until_aws_complains() {
        let budget = Budget::default();
        assert!((0..1000).all(|_| budget.reserve(Instant::now()).is_none()));
    }

    #[test]
    fn after_a_complaint_calls_go_one_by_one() {
        let (budget, now) = (Budget::default(), Instant::now());
        budget.complained_at(now);
        let turns: Vec<_> = (0..3).filter_map(|_| budget.reserve(now)).map(|t| (t - now).as_millis()).collect();
        assert_eq!(turns, [100, 200, 300]);
    }

    #[test]
    fn further_complaints_halve_the_rate_down_to_a_floor() {
        let (budget, mut now) = (Budget::default(), Instant::now());
        budget.complained_at(now);
        budget.complained_at(now);
        assert_eq!(budget.rate(), Some(10.0), "complaints at the same time count once");
        now += Duration::from_secs(1);
        budget.complained_at(now);
        assert_eq!(budget.rate(), Some(5.0));
        for _ in 0..20 {
            now += Duration::from_secs(1);
            budget.complained_at(now);
        }
        assert_eq!(budget.rate(), Some(LOWEST_RATE));
    }

    #[test]
    fn it_is_free_again_after_a_time_without_complaints() {
        let (budget, now) = (Budget::default(), Instant::now());
        budget.complained_at(now);
        assert!(budget.reserve(now + Duration::from_secs(10)).is_some());
        assert!(budget.reserve(now + Duration::from_secs(100)).is_none());
        assert_eq!(budget.rate(), None);
    }
}
