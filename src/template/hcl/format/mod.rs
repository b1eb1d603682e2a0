//! The canonical layout of HCL, as `packer fmt` gives it: only blanks change, never what is written.
//!
//! Three passes over the tokens, as in HashiCorp's `hclwrite`: lines are indented by the brackets that are open, tokens within
//! a line are set apart by rules on neighbours, and the `=` and trailing comments of consecutive lines are aligned.
//!
//! Not here: whether the text is right. What cannot be read should not be formatted.

mod spaces;
#[cfg(test)]
mod tests;

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use super::syntax::token::TokenKind;
use super::syntax::tokens;
use crate::text::SourceId;

/// A token that is written, with the blanks before it. The comment of a line holds its line end.
#[derive(Clone, Copy, Debug)]
struct Piece<'a> {
    kind: TokenKind,
    text: &'a str,
    spaces: usize,
}

impl Piece<'_> {
    fn ends_line(&self) -> bool {
        self.kind == TokenKind::Newline || self.kind == TokenKind::Comment && self.text.ends_with('\n')
    }
}

/// A line in up to three cells, as ranges of pieces; the latter two may be empty.
#[derive(Clone, Debug)]
struct Line {
    lead: Range<usize>,
    /// From the `=` on, where what follows it ends on the same line.
    assign: Range<usize>,
    /// What stands behind the code.
    comment: Range<usize>,
}

/// The text in its canonical layout. Formatting again changes nothing.
#[must_use]
pub fn format(text: &str) -> String {
    let mut pieces = pieces(text);
    let lines = lines(&pieces);
    indent(&mut pieces, &lines);
    for line in &lines {
        spaces::set(&mut pieces[line.lead.clone()]);
        spaces::set(&mut pieces[line.assign.clone()]);
    }
    align(&mut pieces, &lines, |line| (line.lead.start..line.lead.end, line.assign.clone()));
    align(&mut pieces, &lines, |line| (line.lead.start..line.assign.end.max(line.lead.end), line.comment.clone()));
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    if text.starts_with('\u{feff}') {
        out.push('\u{feff}');
    }
    for piece in &pieces {
        out.extend(std::iter::repeat_n(' ', piece.spaces));
        out.push_str(piece.text);
    }
    out
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut made: Vec<Piece<'_>> = Vec::new();
    let mut end = 0;
    for token in tokens(text, SourceId(0), &mut Vec::new()) {
        let (start, stop) = (token.start as usize, token.end as usize);
        let joins = |p: &Piece<'_>| p.kind == TokenKind::Comment && !p.text.starts_with("/*") && !p.ends_line();
        if token.kind == TokenKind::Newline
            && made.last().is_some_and(joins)
            && let Some(comment) = made.last_mut()
        {
            comment.text = &text[end - comment.text.len()..stop];
        } else {
            made.push(Piece { kind: token.kind, text: token.text(text), spaces: start.saturating_sub(end) });
        }
        end = stop;
    }
    made
}

fn lines(pieces: &[Piece<'_>]) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    // The end of the text is in no line: blanks before it stay, as in Packer.
    let last = pieces.iter().rposition(|p| p.kind != TokenKind::End).map_or(0, |i| i + 1);
    let ends = pieces.iter().enumerate().filter(|(_, p)| p.ends_line()).map(|(i, _)| i + 1);
    for end in ends.chain([last]) {
        if end == start {
            continue;
        }
        lines.push(line(pieces, start..end));
        start = end;
    }
    lines
}

fn line(pieces: &[Piece<'_>], all: Range<usize>) -> Line {
    let commented = all.len() > 1 && pieces[all.end - 1].kind == TokenKind::Comment;
    let end = if commented { all.end - 1 } else { all.end };
    let comment = end..all.end;
    let equals = (all.start + 1..end).find(|&i| pieces[i].kind == TokenKind::Assign);
    let split = equals.filter(|&at| pieces[at..end].iter().map(change).sum::<i32>() == 0).unwrap_or(end);
    Line { lead: all.start..split, assign: split..end, comment }
}

/// How many brackets a token opens, or closes.
fn change(piece: &Piece<'_>) -> i32 {
    match piece.kind {
        TokenKind::OpenBrace
        | TokenKind::OpenBracket
        | TokenKind::OpenParen
        | TokenKind::Directive
        | TokenKind::Interpolation => 1,
        TokenKind::CloseBrace | TokenKind::CloseBracket | TokenKind::CloseParen | TokenKind::SequenceEnd => -1,
        _ => 0,
    }
}

/// Two blanks for each line that is open. A line that opens several brackets counts once.
fn indent(pieces: &mut [Piece<'_>], lines: &[Line]) {
    // How many brackets each open line has left.
    let mut open: Vec<i32> = Vec::new();
    for line in lines {
        let first = line.lead.start;
        if pieces[first].kind == TokenKind::Newline {
            pieces[first].spaces = 0;
            continue;
        }
        // What follows a here-document on its last line is nothing.
        let lead = pieces[line.lead.clone()].split_inclusive(|p| p.kind == TokenKind::OpenHeredoc).next();
        let net: i32 = lead.unwrap_or_default().iter().chain(&pieces[line.assign.clone()]).map(change).sum();
        let mut closed = -net;
        while let Some(last) = open.last_mut().filter(|_| closed > 0) {
            if closed < *last {
                *last -= closed;
                break;
            }
            closed -= *last;
            open.pop();
        }
        pieces[first].spaces = 2 * open.len();
        if net > 0 {
            open.push(net);
        }
    }
}

/// Puts a cell at the same column in consecutive lines that have it.
fn align(pieces: &mut [Piece<'_>], lines: &[Line], cells: impl Fn(&Line) -> (Range<usize>, Range<usize>)) {
    let width = |pieces: &[Piece<'_>], range: Range<usize>| -> usize {
        pieces[range].iter().map(|p| p.spaces + p.text.graphemes(true).count()).sum()
    };
    for chain in lines.chunk_by(|a, b| cells(a).1.is_empty() == cells(b).1.is_empty()) {
        let before: Vec<usize> = chain.iter().map(|line| width(pieces, cells(line).0)).collect();
        let widest = before.iter().max().copied().unwrap_or(0);
        for (line, before) in chain.iter().zip(before) {
            let cell = cells(line).1;
            if !cell.is_empty() {
                pieces[cell.start].spaces = widest - before + 1;
            }
        }
    }
}
