//! Small words that every report uses: durations, and whom a line is about.

use std::time::Duration;

use crate::run::plan::StepPart;
use crate::run::{BuildId, RunState, StepId};

/// A duration by its two largest units, as Packer prints it: `4 minutes 12 seconds`.
pub fn spent(time: Duration) -> String {
    const UNITS: [(&str, u128); 6] = [
        ("hour", 3_600_000_000),
        ("minute", 60_000_000),
        ("second", 1_000_000),
        ("millisecond", 1_000),
        ("microsecond", 1),
        ("", 0),
    ];
    let mut rest = time.as_micros();
    let mut words = Vec::new();
    for (unit, size) in UNITS {
        if size == 0 || words.len() == 2 {
            break;
        }
        let n = rest / size;
        if n > 0 {
            words.push(format!("{n} {unit}{}", if n == 1 { "" } else { "s" }));
            rest %= size;
        } else if !words.is_empty() {
            break;
        }
    }
    if words.is_empty() { "0 microseconds".into() } else { words.join(" ") }
}

/// Whom a line is about: the build, and for a post-processor's words its type too, as Packer shows it.
pub fn target(build: &BuildId, step: Option<&StepId>, state: &RunState) -> String {
    let planned = step.and_then(|s| state.plan.as_ref().and_then(|p| p.build(build)).and_then(|b| b.step(s)));
    match planned {
        Some(step) if matches!(step.part, StepPart::PostProcess { .. }) => format!("{build} ({})", step.component),
        _ => build.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_shows_its_two_largest_units() {
        assert_eq!(spent(Duration::from_secs(252)), "4 minutes 12 seconds");
        assert_eq!(spent(Duration::from_hours(1)), "1 hour");
        assert_eq!(spent(Duration::from_micros(966_315)), "966 milliseconds 315 microseconds");
        assert_eq!(spent(Duration::from_secs(61)), "1 minute 1 second");
        assert_eq!(spent(Duration::ZERO), "0 microseconds");
    }
}
