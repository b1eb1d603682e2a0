//! An entry taken out of an object, with its comma and, where it has one of its own, its line.

use crate::template::tree::Entry;
use crate::text::{Source, Span};

/// What to remove so that the object is as if the entry had never been there.
pub(super) fn removal(source: &Source, entries: &[Entry], index: usize) -> Span {
    let text = &*source.text;
    let (start, end) = (entries[index].key.span.start as usize, entries[index].value.span.end as usize);
    let id = entries[index].key.span.source;
    let after = end + blank(&text[end..]);
    if text[after..].starts_with(',') {
        let end = after + 1;
        return line(text, start, end)
            .map_or_else(|| Span::new(id, start, end + spaces(&text[end..])), |r| Span::new(id, r.0, r.1));
    }
    // The last one: the comma before it goes, and all between. A comment there would be lost, so it keeps the comma's place.
    let Some(before) = index.checked_sub(1).map(|i| entries[i].value.span.end as usize) else {
        return Span::new(id, start, end);
    };
    let comma = before + blank(&text[before..]);
    let between = text.get(comma..start).unwrap_or_default();
    let only_comma = between.strip_prefix(',').is_some_and(|rest| rest.trim().is_empty());
    if only_comma { Span::new(id, comma, end) } else { Span::new(id, start, end) }
}

/// How many bytes of blanks and comments a text begins with.
fn blank(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &text[at..];
        let length = if rest.starts_with("/*") {
            rest.find("*/").map(|end| end + 2)
        } else if rest.starts_with("//") || rest.starts_with('#') {
            Some(rest.find('\n').unwrap_or(rest.len()))
        } else {
            None
        };
        match length {
            Some(length) => at += length,
            None => return at,
        }
    }
}

fn spaces(text: &str) -> usize {
    text.len() - text.trim_start_matches([' ', '\t']).len()
}

/// The whole lines of `start..end`, when nothing else stands in them.
fn line(text: &str, start: usize, end: usize) -> Option<(usize, usize)> {
    let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let rest = &text[end..];
    let to = rest.find('\n').map(|at| at + 1)?;
    (text[from..start].trim().is_empty() && rest[..to].trim().is_empty()).then_some((from, end + to))
}
