//! Takes secrets out of whatever passes, in every encoding in which a script may print them.
//!
//! [`Redactor`] holds the patterns, [`Filter`] is one stream: it holds bytes back only while they are the beginning of a
//! secret, so that a prompt without a newline appears. Not here: which facts have texts (`facts`).

mod encodings;
pub mod facts;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::run::Secrets;

/// What stands where a secret was.
pub const MASK: &str = "<sensitive>";

/// Shorter values are everywhere: hiding them would hide everything else too. In bytes.
const SHORTEST: usize = 4;

/// Values that are words of every log.
const COMMON: &[&str] = &[
    "true",
    "false",
    "none",
    "null",
    "default",
    "root",
    "admin",
    "test",
    "localhost",
    "user",
    "ubuntu",
    "debian",
    "centos",
    "ec2-user",
    "linux",
    "windows",
    "latest",
];

/// Every secret of a run, ready to be found.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    values: BTreeSet<String>,
    /// Names of secrets that cannot be hidden.
    open: BTreeSet<String>,
    patterns: Arc<Patterns>,
}

#[derive(Debug, Default)]
struct Patterns {
    /// `None`: nothing to hide.
    search: Option<AhoCorasick>,
    /// Sorted.
    needles: Vec<Vec<u8>>,
    longest: usize,
}

/// One stream on its way through the redactor.
#[derive(Debug, Default)]
pub struct Filter {
    /// Bytes that may be the beginning of a secret, or of a character.
    held: Vec<u8>,
    /// The last byte that left was part of a secret.
    in_mask: bool,
}

impl Redactor {
    /// Gives the redactor and the names of the secrets that are too short or too common to hide.
    #[must_use]
    pub fn new(secrets: &Secrets) -> (Self, Vec<String>) {
        let mut redactor = Self::default();
        let open = redactor.hide_all(secrets);
        (redactor, open)
    }

    /// More values to hide from now on; gives the names of those that cannot be hidden, each once in the redactor's life.
    pub fn hide_all(&mut self, secrets: &Secrets) -> Vec<String> {
        let known = self.values.len();
        let mut open = Vec::new();
        for (reference, value) in secrets.iter() {
            if can_hide(value) {
                self.values.insert(value.into());
            } else if !value.trim().is_empty() && self.open.insert(reference.0.clone()) {
                open.push(reference.described());
            }
        }
        if self.values.len() > known {
            self.build();
        }
        open
    }

    /// One more value to hide from now on.
    pub fn hide(&mut self, secret: &str) {
        if can_hide(secret) && self.values.insert(secret.into()) {
            self.build();
        }
    }

    /// A whole text without its secrets; `None` when it has none.
    #[must_use]
    pub fn text(&self, text: &str) -> Option<String> {
        self.patterns.search.as_ref()?.find(text)?;
        let mut filter = Filter::default();
        let mut clean = filter.push(self, text.as_bytes());
        clean.push_str(&filter.finish(self));
        Some(clean)
    }

    /// Whether a secret stands in it, in any of its encodings.
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.patterns.search.as_ref().is_some_and(|search| search.is_match(bytes))
    }

    fn build(&mut self) {
        let needles: BTreeSet<Vec<u8>> = self.values.iter().flat_map(|v| encodings::of(v)).collect();
        let needles: Vec<Vec<u8>> = needles.into_iter().filter(|n| n.len() >= SHORTEST).collect();
        // Building fails for patterns of gigabytes only; such values cannot come from a template.
        let search = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&needles).ok();
        let longest = needles.iter().map(Vec::len).max().unwrap_or(0);
        self.patterns = Arc::new(Patterns { search: search.filter(|_| longest > 0), needles, longest });
    }
}

impl Patterns {
    /// Where secrets stand, merged where they overlap or touch.
    fn find(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let Some(search) = &self.search else { return found };
        for m in search.find_overlapping_iter(bytes) {
            let mut start = m.start();
            // Matches come in the order of their ends; a longer one may swallow earlier ones.
            while let Some(last) = found.last()
                && last.end >= start
            {
                start = start.min(last.start);
                found.pop();
            }
            found.push(start..m.end());
        }
        found
    }

    /// Start of the longest end of `bytes` with which a secret begins, without being whole.
    fn begins(&self, bytes: &[u8]) -> usize {
        let earliest = bytes.len().saturating_sub(self.longest.saturating_sub(1));
        (earliest..bytes.len())
            .find(|at| {
                let tail = &bytes[*at..];
                let next = self.needles.partition_point(|n| n.as_slice() <= tail);
                self.needles.get(next).is_some_and(|n| n.starts_with(tail))
            })
            .unwrap_or(bytes.len())
    }
}

impl Filter {
    /// Takes the next bytes; gives what can be shown now.
    pub fn push(&mut self, redactor: &Redactor, bytes: &[u8]) -> String {
        self.pass(&redactor.patterns, bytes, false)
    }

    /// Gives what was held back: nothing more comes.
    pub fn finish(&mut self, redactor: &Redactor) -> String {
        self.pass(&redactor.patterns, &[], true)
    }

    fn pass(&mut self, patterns: &Patterns, bytes: &[u8], last: bool) -> String {
        let joined;
        let all: &[u8] = if self.held.is_empty() {
            bytes
        } else {
            self.held.extend_from_slice(bytes);
            joined = std::mem::take(&mut self.held);
            &joined
        };
        let found = patterns.find(all);
        let mut upto = all.len();
        if !last {
            upto = patterns.begins(all).min(whole_characters(all));
            // A secret that is found already, but may go on, waits for its end.
            for range in found.iter().rev() {
                if range.start < upto && range.end > upto {
                    upto = range.start;
                }
            }
        }
        let mut clean = String::new();
        let mut at = 0;
        for range in found.iter().take_while(|r| r.start < upto) {
            self.plain(&mut clean, &all[at..range.start]);
            if !self.in_mask {
                clean.push_str(MASK);
            }
            self.in_mask = true;
            at = range.end;
        }
        self.plain(&mut clean, &all[at.min(upto)..upto]);
        self.held = all[upto..].to_vec();
        clean
    }

    fn plain(&mut self, clean: &mut String, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.in_mask = false;
            clean.push_str(&String::from_utf8_lossy(bytes));
        }
    }
}

/// Up to where the characters are whole: an unfinished one at the end waits for its rest.
fn whole_characters(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    for at in (tail..bytes.len()).rev() {
        let length = match bytes[at] {
            0x00..=0x7f => return bytes.len(),
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => continue,
        };
        return if bytes.len() - at < length { at } else { bytes.len() };
    }
    bytes.len()
}

fn can_hide(value: &str) -> bool {
    let value = value.trim();
    value.len() >= SHORTEST && !COMMON.contains(&value.to_lowercase().as_str())
}
