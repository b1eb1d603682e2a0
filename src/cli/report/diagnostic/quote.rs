//! The lines of a source that a diagnostic quotes, with what is secret masked, and its places in them.

use std::ops::Range;

use crate::run::Secrets;
use crate::text::Source;

/// What stands where a secret was.
pub(super) const MASK: &str = "<sensitive>";

/// Shorter values are too common to be looked for: hiding them would only garble what is shown.
const SHORTEST: usize = 4;

pub(super) struct Quote {
    pub text: String,
    /// Number of the first line, from 1.
    pub first_line: usize,
    start: usize,
    /// Bytes of the source that were masked, in order.
    masked: Vec<Range<usize>>,
}

impl Quote {
    /// The lines of `source` that hold the `places`. `values`: every string value in them is secret.
    pub fn new(source: &Source, places: &[Range<usize>], values: bool, secrets: &Secrets) -> Self {
        let text = &*source.text;
        let low = floor(text, places.iter().map(|p| p.start).min().unwrap_or(0));
        let high = floor(text, places.iter().map(|p| p.end).max().unwrap_or(0)).max(low);
        let start = text[..low].rfind('\n').map_or(0, |i| i + 1);
        let end = text[high..].find('\n').map_or(text.len(), |i| high + i);
        let window = &text[start..end];
        let mut masked: Vec<Range<usize>> = secret_ranges(window, secrets);
        if values {
            masked.extend(value_ranges(window));
        }
        let masked = merge(masked).into_iter().map(|r| start + r.start..start + r.end).collect::<Vec<_>>();
        let mut shown = String::with_capacity(window.len());
        let mut at = start;
        for range in &masked {
            shown.push_str(&text[at..range.start]);
            shown.push_str(MASK);
            at = range.end;
        }
        shown.push_str(&text[at..end]);
        Self { text: shown, first_line: source.position(start).line, start, masked }
    }

    /// A place of the source, in the quote: only its first line; what touches a mask covers it.
    pub fn place(&self, place: &Range<usize>) -> Range<usize> {
        let start = self.offset(place.start, false);
        let end = self.offset(place.end.max(place.start), true).max(start);
        match self.text[start..end].find(['\n', '\r']) {
            Some(line_end) => start..start + line_end,
            None => start..end,
        }
    }

    fn offset(&self, offset: usize, end: bool) -> usize {
        let mut moved = offset.saturating_sub(self.start);
        for range in self.masked.iter().take_while(|r| r.start < offset) {
            if offset < range.end {
                moved -= offset - range.start;
                moved += if end { MASK.len() } else { 0 };
                break;
            }
            moved = moved + MASK.len() - range.len();
        }
        floor(&self.text, moved)
    }
}

/// The text with every secret value masked.
pub(super) fn mask(text: &str, secrets: &Secrets) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for range in merge(secret_ranges(text, secrets)) {
        shown.push_str(&text[at..range.start]);
        shown.push_str(MASK);
        at = range.end;
    }
    shown.push_str(&text[at..]);
    shown
}

fn secret_ranges(text: &str, secrets: &Secrets) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (_, value) in secrets.iter().filter(|(_, v)| v.len() >= SHORTEST) {
        let mut look = |value: &str| found.extend(text.match_indices(value).map(|(i, m)| i..i + m.len()));
        look(value);
        // invariant: a string can always be written as JSON.
        let escaped = serde_json::to_string(value).unwrap_or_default();
        let escaped = escaped.trim_start_matches('"');
        let escaped = escaped.strip_suffix('"').unwrap_or(escaped);
        if escaped != value && escaped.len() >= SHORTEST {
            look(escaped);
        }
    }
    found
}

/// What stands between the quotes of strings that are no keys. A lone `{{user …}}` or `{{env …}}` only names a secret.
fn value_ranges(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(quote) = text[at..].find('"') {
        let start = at + quote + 1;
        let mut escaped = false;
        let end = text[start..].char_indices().find(|(_, c)| match c {
            '\n' => true,
            _ if escaped => {
                escaped = false;
                false
            }
            '\\' => {
                escaped = true;
                false
            }
            c => *c == '"',
        });
        let end = end.map_or(text.len(), |(i, _)| start + i);
        let behind = text[end..].trim_start_matches('"').trim_start();
        if !behind.starts_with(':') && start < end && !is_reference(&text[start..end]) {
            found.push(start..end);
        }
        at = end + usize::from(text[end..].starts_with('"'));
    }
    found
}

fn is_reference(value: &str) -> bool {
    let inner = value.strip_prefix("{{").and_then(|v| v.strip_suffix("}}")).unwrap_or("").trim();
    inner.matches('`').count() <= 2
        && !inner.contains(['{', '}', '|', '('])
        && ["user", "env"].iter().any(|f| inner.strip_prefix(f).is_some_and(|r| r.starts_with([' ', '`'])))
}

fn merge(mut ranges: Vec<Range<usize>>) -> Vec<Range<usize>> {
    ranges.sort_by_key(|r| (r.start, r.end));
    let mut merged: Vec<Range<usize>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
