//! What a diagnostic must not show, and the masks that hide it.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::plan::Evaluation;
use crate::run::Secrets;
use crate::text::{Diagnostic, Fix, Source, SourceId, Sources, Span};

/// What stands where a secret was.
pub(super) const MASK: &str = "<sensitive>";

/// Shorter values are too common to be looked for: hiding them would only garble what is shown.
const SHORTEST: usize = 4;

/// What nobody may see of an evaluation.
#[derive(Clone, Copy)]
pub struct Hidden<'a> {
    /// Values, hidden wherever they stand.
    pub secrets: &'a Secrets,
    /// Places of the sources: literals of sensitive fields and variables, whatever their values.
    pub places: &'a [Span],
}

impl<'a> Hidden<'a> {
    #[must_use]
    pub fn of(evaluation: &'a Evaluation) -> Self {
        Self { secrets: &evaluation.secrets, places: &evaluation.sensitive }
    }
}

/// What is masked in one diagnostic.
pub(super) struct Masks {
    /// Texts that are masked wherever they stand.
    values: Vec<String>,
    /// Words of the diagnostic that come from a secret; masked where they stand alone.
    words: BTreeSet<String>,
    /// Places that are masked: what stands between the quotes.
    places: Vec<(SourceId, Range<usize>)>,
    /// Every string value in the quoted lines may be secret.
    all: bool,
    secret: bool,
}

impl Masks {
    pub fn of(diagnostic: &Diagnostic, sources: &Sources, hidden: Hidden<'_>) -> Self {
        let places: Vec<_> =
            hidden.places.iter().filter_map(|place| Some((place.source, inner(*place, sources)?))).collect();
        let mut values: Vec<String> = hidden.secrets.iter().flat_map(|(_, value)| spellings(value)).collect();
        let mut touched = Vec::new();
        for (id, range) in &places {
            let Some(written) = sources.get(*id).and_then(|s| s.text.get(range.clone())) else { continue };
            let literals = [Some(written.to_owned()), decoded(written)];
            let about = diagnostic.span.iter().chain(diagnostic.related.iter().map(|r| &r.span));
            if about.into_iter().any(|span| span.source == *id && touches(&span.range(), range)) {
                touched.extend(literals.iter().flatten().cloned());
            }
            values.extend(literals.into_iter().flatten().filter(|v| v.len() >= SHORTEST));
        }
        let said = [&diagnostic.message, &diagnostic.label];
        let said = said.into_iter().chain(&diagnostic.help).chain(diagnostic.related.iter().map(|r| &r.message));
        let said = said.chain(diagnostic.fix.iter().map(|f| &f.title));
        let words = said
            .flat_map(|text| text.split('`').skip(1).step_by(2))
            .filter(|word| !word.is_empty() && touched.iter().any(|secret| secret.contains(word)))
            .map(str::to_owned)
            .collect();
        let all = diagnostic.secret && touched.is_empty();
        Self { values, words, places, all, secret: diagnostic.secret }
    }

    /// A text of the diagnostic, masked.
    pub fn text(&self, text: &str) -> String {
        let mut found = self.values_in(text);
        for word in &self.words {
            let alone = |at: usize| {
                let end = at + word.len();
                !text[..at].ends_with(char::is_alphanumeric) && !text[end..].starts_with(char::is_alphanumeric)
            };
            found
                .extend(text.match_indices(word.as_str()).filter(|(at, _)| alone(*at)).map(|(at, w)| at..at + w.len()));
        }
        let mut shown = String::with_capacity(text.len());
        let mut at = 0;
        for range in merge(found) {
            shown.push_str(&text[at..range.start]);
            shown.push_str(MASK);
            at = range.end;
        }
        shown.push_str(&text[at..]);
        shown
    }

    /// What is masked of a part of a source: bytes of the source, in order, apart from each other.
    pub fn within(&self, source: &Source, window: Range<usize>) -> Vec<Range<usize>> {
        let Some(text) = source.text.get(window.clone()) else { return Vec::new() };
        let mut found = self.values_in(text);
        if self.all {
            found.extend(value_ranges(text));
        }
        let found = found.into_iter().map(|r| window.start + r.start..window.start + r.end);
        let places = self.places.iter().filter(|(id, _)| *id == source.id).map(|(_, range)| range);
        let places = places.map(|r| r.start.max(window.start)..r.end.min(window.end)).filter(|r| r.start < r.end);
        merge(found.chain(places).collect())
    }

    /// Whether a fix can be shown: not when it touches a secret, parts of which it could repeat.
    pub fn may_show(&self, fix: &Fix) -> bool {
        let at = fix.span.range();
        let hits = |r: &Range<usize>| at.start < r.end && r.start < at.end.max(at.start + 1);
        !self.secret && !self.places.iter().any(|(id, range)| *id == fix.span.source && hits(range))
    }

    fn values_in(&self, text: &str) -> Vec<Range<usize>> {
        self.values.iter().flat_map(|v| text.match_indices(v.as_str())).map(|(at, v)| at..at + v.len()).collect()
    }
}

/// What a literal holds: without its quotes. `None` when there is nothing to hide.
fn inner(place: Span, sources: &Sources) -> Option<Range<usize>> {
    let written = sources.text(place);
    let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''));
    let behind = quote.map_or(written, |q| &written[q.len_utf8()..]);
    let text = quote.and_then(|q| behind.strip_suffix(q)).unwrap_or(behind);
    let start = place.range().start + (written.len() - behind.len());
    (!text.trim().is_empty() && !is_reference(text)).then(|| start..start + text.len())
}

/// What a literal without its quotes means, where that is something else.
fn decoded(written: &str) -> Option<String> {
    serde_json::from_str::<String>(&format!("\"{written}\"")).ok().filter(|text| text != written)
}

/// The value itself, and as JSON writes it.
fn spellings(value: &str) -> impl Iterator<Item = String> {
    let escaped = serde_json::Value::from(value).to_string();
    let escaped = escaped.strip_prefix('"').and_then(|e| e.strip_suffix('"')).unwrap_or_default().to_owned();
    let escaped = Some(escaped).filter(|e| e != value);
    std::iter::once(value.to_owned()).chain(escaped).filter(|v| v.len() >= SHORTEST)
}

fn touches(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start <= b.end && b.start <= a.end
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
