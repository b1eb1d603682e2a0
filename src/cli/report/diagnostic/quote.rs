//! The lines of a source that a diagnostic quotes, with what is secret masked, and its places in them.

use std::ops::Range;

use super::hidden::{MASK, Masks};
use crate::text::Source;

pub(super) struct Quote {
    pub text: String,
    /// Number of the first line, from 1.
    pub first_line: usize,
    start: usize,
    /// Bytes of the source that were masked, in order.
    masked: Vec<Range<usize>>,
}

impl Quote {
    /// The lines of `source` that hold the `places`.
    pub fn new(source: &Source, places: &[Range<usize>], masks: &Masks) -> Self {
        let text = &*source.text;
        let low = floor(text, places.iter().map(|p| p.start).min().unwrap_or(0));
        let high = floor(text, places.iter().map(|p| p.end).max().unwrap_or(0)).max(low);
        let start = text[..low].rfind('\n').map_or(0, |i| i + 1);
        let end = text[high..].find('\n').map_or(text.len(), |i| high + i);
        let masked = masks.within(source, start..end);
        let mut shown = String::with_capacity(end - start);
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

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}
