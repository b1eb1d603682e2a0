//! How many builders use a region just now, and how long a call may therefore be held for others that can go with it.
//!
//! A lone build waits for nobody. Where many are at work a call in a second serves them all, and a second more is nothing to any
//! of them.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Those who came within this time count.
const WHILE: Duration = Duration::from_secs(60);
/// So few are no crowd.
const FEW: usize = 4;
/// What each that came adds to the distance between two calls.
const EACH: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_millis(1500);

/// Counts those who come.
#[derive(Debug, Default)]
pub(super) struct Crowd(VecDeque<Instant>);

impl Crowd {
    /// Somebody came.
    pub(super) fn came(&mut self, now: Instant) {
        self.0.push_back(now);
    }

    /// The distance that two calls should have.
    pub(super) fn distance(&mut self, now: Instant) -> Duration {
        while self.0.front().is_some_and(|at| now.saturating_duration_since(*at) > WHILE) {
            self.0.pop_front();
        }
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        if self.0.len() <= FEW { Duration::ZERO } else { EACH.saturating_mul(count).min(MOST) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_build_waits_for_nobody_and_a_crowd_a_moment() {
        let (mut crowd, now) = (Crowd::default(), Instant::now());
        (0..4).for_each(|_| crowd.came(now));
        assert_eq!(crowd.distance(now), Duration::ZERO);
        (0..6).for_each(|_| crowd.came(now));
        assert_eq!(crowd.distance(now), Duration::from_millis(500));
        (0..1000).for_each(|_| crowd.came(now));
        assert_eq!(crowd.distance(now), MOST);
    }

    #[test]
    fn who_came_long_ago_counts_no_more() {
        let (mut crowd, now) = (Crowd::default(), Instant::now());
        (0..100).for_each(|_| crowd.came(now));
        assert_eq!(crowd.distance(now + Duration::from_secs(61)), Duration::ZERO);
    }
}
