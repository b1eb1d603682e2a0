//! The faults that are on, and how often each has struck.
//!
//! Decisions are functions of the seed, the counts and the time, in the order of the calls: nothing is left to chance.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Time, filter, id, image_make::named_by};
use crate::practice::machine::LinkFaults;
use crate::practice::scenario::{Fault, ImageOutcome, Scenario, Timing, Unseen};
use crate::practice::wire::Refusal;
use crate::practice::wire::refusal::not_found;

/// A fault that is on.
#[derive(Clone, Debug, Serialize)]
pub struct ActiveFault {
    pub id: u64,
    pub fault: Fault,
    /// How often it could have struck since it is on.
    pub seen: u64,
    /// How often it did.
    pub struck: u64,
    #[serde(skip)]
    since: Time,
    /// Calls that a rate still lets through, and when that was counted.
    #[serde(skip)]
    bucket: Option<(f64, Time)>,
}

#[derive(Clone, Default)]
pub struct Trouble {
    seed: u64,
    pub timing: Timing,
    faults: Vec<ActiveFault>,
    next: u64,
    calls: u64,
    /// When an access key was first used.
    keys: BTreeMap<String, Time>,
    /// When a thing was made, and how many calls did not find it yet.
    fresh: BTreeMap<String, (Time, u32)>,
}

/// What becomes of a call.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdict {
    /// Milliseconds before the answer.
    pub delay: u64,
    pub refusal: Option<Refusal>,
    /// It is carried out, and nobody hears.
    pub lost: bool,
}

impl Trouble {
    pub fn new(scenario: &Scenario, seed: u64, now: Time) -> Self {
        let mut trouble = Self { seed, timing: scenario.timing, ..Self::default() };
        for fault in scenario.faults() {
            trouble.add(fault, now);
        }
        trouble
    }

    /// Switches a fault on; gives the number by which it is switched off.
    pub fn add(&mut self, fault: Fault, now: Time) -> u64 {
        self.next += 1;
        self.faults.push(ActiveFault { id: self.next, fault, seen: 0, struck: 0, since: now, bucket: None });
        self.next
    }

    /// Whether there was such a fault.
    pub fn remove(&mut self, id: u64) -> bool {
        let before = self.faults.len();
        self.faults.retain(|f| f.id != id);
        self.faults.len() < before
    }

    pub fn clear(&mut self) {
        self.faults.clear();
    }

    pub fn active(&self) -> &[ActiveFault] {
        &self.faults
    }

    /// 0 to 1, another one for each call and fault.
    #[allow(clippy::cast_precision_loss)] // 53 bits are kept
    fn chance(&self, fault: u64) -> f64 {
        let bits = id::hash(&[b"chance", &self.seed.to_be_bytes(), &self.calls.to_be_bytes(), &fault.to_be_bytes()]);
        (bits >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// What becomes of a call, before it is carried out.
    pub fn verdict(&mut self, action: &str, region: &str, access_key: &str, names: &[String], now: Time) -> Verdict {
        self.calls += 1;
        let first_use = *self.keys.entry(access_key.to_owned()).or_insert(now);
        let mut verdict = Verdict::default();
        let mut faults = std::mem::take(&mut self.faults);
        for active in &mut faults {
            self.judge(active, action, region, first_use, now, &mut verdict);
        }
        for active in &mut faults {
            if let Fault::Unseen(unseen) = &active.fault
                && verdict.refusal.is_none()
                && let Some(id) = self.not_yet(&unseen.clone(), names, now)
            {
                active.struck += 1;
                verdict.refusal = Some(not_found(&id));
            }
        }
        self.faults = faults;
        verdict
    }

    fn judge(
        &self,
        active: &mut ActiveFault,
        action: &str,
        region: &str,
        first_use: Time,
        now: Time,
        verdict: &mut Verdict,
    ) {
        let chance = self.chance(active.id);
        let for_action = |wanted: &Option<_>| match wanted {
            Some(crate::practice::scenario::Action(name)) => name == action,
            None => true,
        };
        // From the n-th on, so many times; 0: for ever.
        let due = |seen: u64, nth: u64, count: u64| seen >= nth && (count == 0 || seen < nth.saturating_add(count));
        let mut refuse = |active_struck: &mut u64, refusal: Refusal| {
            if verdict.refusal.is_none() {
                *active_struck += 1;
                verdict.refusal = Some(refusal);
            }
        };
        match &active.fault {
            Fault::Latency(latency) if for_action(&latency.action) => {
                #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                // at most a day
                let jitter = (latency.jitter.ms() as f64 * chance) as u64;
                verdict.delay += u64::try_from(latency.seconds.ms()).unwrap_or_default() + jitter;
                active.struck += 1;
            }
            Fault::Throttle(throttle) if for_action(&throttle.action) => {
                active.seen += 1;
                let over = if let Some(every) = throttle.every.filter(|e| *e > 0) {
                    active.seen.is_multiple_of(u64::from(every))
                } else {
                    over_rate(&mut active.bucket, throttle.per_second.unwrap_or(f64::INFINITY), throttle.burst, now)
                };
                if over {
                    refuse(
                        &mut active.struck,
                        Refusal::new("RequestLimitExceeded", "Request limit exceeded.").status(503),
                    );
                }
            }
            Fault::Refuse(rule) if rule.action.0 == action && rule.region.as_deref().is_none_or(|r| r == region) => {
                active.seen += 1;
                if due(active.seen, rule.nth, rule.count) && rule.chance.is_none_or(|c| chance < c.0) {
                    let message =
                        rule.message.clone().unwrap_or_else(|| "Refused by the practice cloud's scenario".to_owned());
                    refuse(&mut active.struck, Refusal::new(rule.code.clone(), message).status(rule.status.0));
                }
            }
            Fault::Lose(rule) if rule.action.0 == action => {
                active.seen += 1;
                if due(active.seen, rule.nth, rule.count) {
                    active.struck += 1;
                    verdict.lost = true;
                }
            }
            // Keys that came before the fault count from then on.
            Fault::Credentials(rule)
                if first_use.max(active.since) + rule.expire_after.ms() <= now && first_use < now =>
            {
                refuse(&mut active.struck, Refusal::new("RequestExpired", "Request has expired."));
            }
            _ => {}
        }
    }

    /// The name of something new that a call may not find yet.
    fn not_yet(&mut self, rule: &Unseen, names: &[String], now: Time) -> Option<String> {
        let of_kind = |id: &str| rule.kind.as_ref().is_none_or(|k| id.split('-').next() == Some(k));
        for id in names.iter().filter(|id| of_kind(id)) {
            let Some((made, calls)) = self.fresh.get_mut(id) else { continue };
            if *calls < rule.calls || now < *made + rule.seconds.ms() {
                *calls += 1;
                return Some(id.clone());
            }
        }
        None
    }

    /// Something was made.
    pub fn made(&mut self, id: &str, now: Time) {
        if self.faults.iter().any(|f| matches!(f.fault, Fault::Unseen(_))) {
            self.fresh.insert(id.to_owned(), (now, 0));
        }
    }

    /// Whether there is no room, and one chance of it is used up.
    pub fn no_capacity(&mut self, zone: &str, kind: &str, spot: bool) -> bool {
        for active in &mut self.faults {
            if strikes_capacity(active, zone, kind, spot) {
                active.struck += 1;
                return true;
            }
        }
        false
    }

    /// Whether there is no room.
    pub fn lacks(&self, zone: &str, kind: &str, spot: bool) -> bool {
        self.faults.iter().any(|active| strikes_capacity(active, zone, kind, spot))
    }

    /// What a scenario has in store for an image.
    pub fn image_outcome(&mut self, name: &str, region: &str) -> (Option<ImageOutcome>, Option<String>) {
        for active in &mut self.faults {
            if let Fault::Image(rule) = &active.fault
                && named_by(rule.name.as_deref(), name)
                && rule.region.as_deref().is_none_or(|r| r == region)
                && (rule.count == 0 || active.struck < rule.count)
            {
                active.struck += 1;
                return (Some(rule.outcome), rule.reason.clone());
            }
        }
        (None, None)
    }

    /// All that is wrong with the way to a machine.
    pub fn link(&self, id: &str, name: Option<&str>) -> LinkFaults {
        let mut link = LinkFaults::default();
        for active in &self.faults {
            let Fault::Ssh(rule) = &active.fault else { continue };
            let meant =
                |pattern: &String| filter::matches(pattern, id) || name.is_some_and(|n| filter::matches(pattern, n));
            if !rule.instance.as_ref().is_none_or(meant) {
                continue;
            }
            let one = rule.link();
            link.refuse |= one.refuse;
            link.hang |= one.hang;
            link.drop_first = link.drop_first.max(one.drop_first);
            link.drop_after_bytes = least(link.drop_after_bytes, one.drop_after_bytes);
            link.bytes_per_second = least(link.bytes_per_second, one.bytes_per_second);
            link.delay_ms += one.delay_ms;
            link.host_key += one.host_key;
        }
        link
    }

    /// After how many milliseconds a spot machine is taken back.
    pub fn interrupt_after(&mut self, kind: &str) -> Option<Time> {
        self.faults.iter_mut().find_map(|active| match &active.fault {
            Fault::Spot(rule)
                if rule.instance_type.as_ref().is_none_or(|t| filter::matches(t, kind))
                    && (rule.count == 0 || active.struck < rule.count) =>
            {
                active.struck += 1;
                Some(rule.interrupt_after.ms())
            }
            _ => None,
        })
    }
}

fn least(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn strikes_capacity(active: &ActiveFault, zone: &str, kind: &str, spot: bool) -> bool {
    matches!(&active.fault, Fault::Capacity(rule)
        if rule.zone.as_ref().is_none_or(|z| filter::matches(z, zone))
            && rule.instance_type.as_ref().is_none_or(|t| filter::matches(t, kind))
            && rule.spot.is_none_or(|s| s == spot)
            && (rule.count == 0 || active.struck < rule.count))
}

/// A token bucket: it fills with the rate, up to the burst; each call takes one.
#[allow(clippy::cast_precision_loss)] // a span of milliseconds
fn over_rate(bucket: &mut Option<(f64, Time)>, per_second: f64, burst: Option<u32>, now: Time) -> bool {
    let most = burst.map_or(per_second.max(1.0), f64::from);
    let (had, at) = bucket.unwrap_or((most, now));
    let has = (had + (now - at).max(0) as f64 / 1000.0 * per_second).min(most);
    let over = has < 1.0;
    *bucket = Some((if over { has } else { has - 1.0 }, now));
    over
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(toml: &str) -> Trouble {
        Trouble::new(&Scenario::parse(toml, "s").unwrap(), 7, 0)
    }

    fn code(trouble: &mut Trouble, action: &str, now: Time) -> Option<String> {
        trouble.verdict(action, "us-east-1", "key", &[], now).refusal.map(|r| r.code.into_owned())
    }

    #[test]
    fn the_nth_call_is_refused() {
        let mut t = with("[[refuse]]\naction = \"RunInstances\"\nnth = 2\ncount = 2\ncode = \"X\"\n");
        let codes: Vec<_> = (0..4).map(|n| code(&mut t, "RunInstances", n).is_some()).collect();
        assert_eq!(codes, [false, true, true, false]);
        assert_eq!(code(&mut t, "StopInstances", 9), None);
        assert_eq!((t.active()[0].seen, t.active()[0].struck), (4, 2));
    }

    #[test]
    fn a_rate_refills_with_time() {
        let mut t = with("[[throttle]]\nper_second = 2\nburst = 3\n");
        let refused: Vec<_> = (0..4).map(|_| code(&mut t, "DescribeImages", 1000).is_some()).collect();
        assert_eq!(refused, [false, false, false, true]);
        assert!(code(&mut t, "DescribeImages", 1400).is_some(), "not a whole call yet");
        assert!(code(&mut t, "DescribeImages", 1500).is_none());
    }

    #[test]
    fn new_things_are_not_found_for_a_while() {
        let mut t = with("[[unseen]]\nkind = \"i\"\ncalls = 2\n");
        t.made("i-1", 0);
        let names = ["i-1".to_owned()];
        let found: Vec<_> =
            (0..3).map(|_| t.verdict("DescribeInstances", "r", "k", &names, 1).refusal.is_none()).collect();
        assert_eq!(found, [false, false, true]);
    }

    #[test]
    fn chances_are_the_seeds() {
        let toml = "[[refuse]]\naction = \"RunInstances\"\ncount = 0\nchance = 0.5\ncode = \"X\"\n";
        let draw = |seed| {
            let mut t = Trouble::new(&Scenario::parse(toml, "s").unwrap(), seed, 0);
            (0..64).map(|n| code(&mut t, "RunInstances", n).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!((8..56).contains(&draw(1).iter().filter(|x| **x).count()));
    }

    #[test]
    fn links_add_up_and_credentials_end() {
        let mut t = with(
            "[[ssh]]\ninstance = \"web*\"\nhang = true\n[[ssh]]\nbytes_per_second = 9\n[[credentials]]\nexpire_after = 5\n",
        );
        assert_eq!(
            t.link("i-1", Some("web1")),
            LinkFaults { hang: true, bytes_per_second: Some(9), ..LinkFaults::default() }
        );
        assert!(!t.link("i-1", None).hang);
        assert_eq!(code(&mut t, "DescribeImages", 0), None);
        assert_eq!(code(&mut t, "DescribeImages", 5000).as_deref(), Some("RequestExpired"));
        assert!(t.verdict("DescribeImages", "r", "another", &[], 6000).refusal.is_none(), "new credentials are good");
    }
}
