//! Looking ahead at brackets only, to tell which of several explanations of a wrong one is right.

use super::trivia::comment_length;

/// How many bytes of looking ahead one text is worth, so that no text makes reading slow.
const BUDGET: usize = 4 << 20;

pub(super) struct Lookahead {
    budget: usize,
}

impl Default for Lookahead {
    fn default() -> Self {
        Self { budget: BUDGET }
    }
}

/// How well the brackets of a rest fit what is open: the greater, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fit {
    /// Everything open is closed, and nothing else.
    whole: bool,
    /// Bytes up to the first bracket that does not fit.
    length: usize,
}

impl Fit {
    pub fn is_whole(self) -> bool {
        self.whole
    }
}

impl Lookahead {
    /// How well `rest` closes what is `open` (opening brackets, the innermost last).
    pub fn fit(&mut self, rest: &str, open: impl Iterator<Item = char>) -> Fit {
        let mut open: Vec<char> = open.collect();
        let mut at = 0;
        while let Some(c) = rest[at..].chars().next() {
            if self.budget == 0 {
                return Fit { whole: false, length: at };
            }
            let step = match c {
                '"' => string_length(&rest[at..]),
                '#' | '/' => comment_length(&rest[at..]).unwrap_or(1),
                _ => c.len_utf8(),
            };
            self.budget = self.budget.saturating_sub(step);
            match c {
                '{' | '[' => open.push(c),
                '}' | ']' if open.pop() != Some(if c == '}' { '{' } else { '[' }) => {
                    return Fit { whole: false, length: at };
                }
                _ => {}
            }
            at += step;
        }
        Fit { whole: open.is_empty(), length: at }
    }
}

/// Length of the string with which `text` begins, quotes included; it ends with its line at the latest.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (i, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return i,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return i + 1,
            _ => {}
        }
    }
    text.len()
}
