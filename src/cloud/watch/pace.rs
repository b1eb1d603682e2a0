//! How often is polled.
//!
//! Quick at first, then twice a second: that keeps what waiting adds to a build well below a second, and is a small part of what
//! AWS allows an account, since all builders share the calls. Long waits are slower.

use std::time::Duration;

use tokio::time::Instant;

/// The pause before the next poll for a wait of this age.
pub(super) fn pause(age: Duration) -> Duration {
    match age.as_secs() {
        0..90 => age.clamp(Duration::from_millis(100), Duration::from_millis(500)),
        90..300 => Duration::from_secs(1),
        300..900 => Duration::from_secs(3),
        _ => Duration::from_secs(5),
    }
}

/// Bounds the polls when many waits begin one after another: each wants its first poll at once.
pub(super) struct Bucket {
    tokens: f64,
    at: Instant,
}

const BURST: f64 = 10.0;
const A_SECOND: f64 = 2.5;

impl Bucket {
    pub(super) fn new(now: Instant) -> Self {
        Self { tokens: BURST, at: now }
    }

    /// When the next poll may go.
    pub(super) fn take(&mut self, now: Instant) -> Instant {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + passed * A_SECOND).min(BURST) - 1.0;
        self.at = now;
        if self.tokens >= 0.0 { now } else { now + Duration::from_secs_f64(-self.tokens / A_SECOND) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_of_a_minute_takes_at_most_two_polls_a_second() {
        let (mut age, mut polls) = (Duration::ZERO, 1);
        while age < Duration::from_secs(60) {
            age += pause(age);
            polls += 1;
        }
        assert!((110..=130).contains(&polls), "{polls}");
    }

    #[test]
    fn long_waits_are_slow() {
        assert_eq!(pause(Duration::from_secs(100)), Duration::from_secs(1));
        assert_eq!(pause(Duration::from_secs(3600)), Duration::from_secs(5));
    }

    #[test]
    fn a_thousand_waits_that_begin_together_do_not_make_a_thousand_polls() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let now_or_soon = (0..1000).filter(|_| bucket.take(start) <= start + Duration::from_secs(4)).count();
        assert_eq!(now_or_soon, 20);
    }
}
