//! `format` and `formatlist`: values put into a text as C's printf does, in cty's dialect.

use unicode_segmentation::UnicodeSegmentation;

use super::{Call, Called, Function, FunctionError, Wish, function, takes, takes_null, within_elements, within_limit};
use crate::template::hcl::value::{Kind, Type, Value, convert, json};

mod number;

pub(super) const FUNCTIONS: &[Function] = &[
    function("format", &[takes("format", Wish::String)], Wish::String, |c| {
        let arguments: Vec<&Value> = c.arguments.iter().skip(1).collect();
        format(c.text(0), &arguments).map(Value::from)
    })
    .and(takes_null("args", Wish::Any)),
    function("formatlist", &[takes("format", Wish::String)], Wish::Strings, formatlist)
        .and(takes_null("args", Wish::Any)),
];

/// The widest field, and the most digits.
const MAX_WIDTH: usize = 10_000;

/// One `%` sequence.
#[derive(Debug, Default)]
struct Verb<'a> {
    raw: &'a str,
    letter: char,
    zero: bool,
    sharp: bool,
    plus: bool,
    minus: bool,
    space: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// Which argument, counted from 1, where it says so.
    argument: Option<usize>,
}

impl<'a> Verb<'a> {
    /// What stands at the start of a text, `%` included.
    fn read(text: &'a str) -> Result<Self, FunctionError> {
        let mut verb = Self::default();
        let mut rest = &text[1..];
        while let Some(flag) = rest.chars().next() {
            match flag {
                '0' => verb.zero = true,
                '#' => verb.sharp = true,
                '+' => verb.plus = true,
                '-' => verb.minus = true,
                ' ' => verb.space = true,
                _ => break,
            }
            rest = &rest[1..];
        }
        verb.width = digits(&mut rest)?;
        if let Some(after) = rest.strip_prefix('.') {
            rest = after;
            let precision = digits(&mut rest)?;
            verb.precision =
                Some(precision.ok_or_else(|| FunctionError::at(0, "after a `.` a precision is expected"))?);
        }
        if let Some(after) = rest.strip_prefix('[') {
            rest = after;
            verb.argument = digits(&mut rest)?.filter(|n| *n > 0);
            let closed = rest.strip_prefix(']').filter(|_| verb.argument.is_some());
            rest =
                closed.ok_or_else(|| FunctionError::at(0, "`[` needs the number of an argument, from 1, and `]`"))?;
        }
        let letter = rest.chars().next().ok_or_else(|| FunctionError::at(0, "the text ends within a `%` sequence"))?;
        verb.letter = letter;
        verb.raw = &text[..text.len() - rest.len() + letter.len_utf8()];
        if !letter.is_ascii_alphabetic() {
            return Err(FunctionError::at(0, format!("there is no `{}`; a percent sign is `%%`", verb.raw)));
        }
        Ok(verb)
    }

    fn refuse(&self, index: usize, why: impl std::fmt::Display) -> FunctionError {
        FunctionError::at(index, format!("`{}`: {why}", self.raw))
    }

    fn pad(&self, text: String) -> String {
        let missing = self.width.unwrap_or(0).saturating_sub(text.graphemes(true).count());
        if missing == 0 {
            return text;
        }
        let padding = if self.zero { "0" } else { " " }.repeat(missing);
        if self.minus { text + &padding } else { padding + &text }
    }

    fn write(&self, value: &Value, index: usize, out: &mut String) -> Result<(), FunctionError> {
        if self.letter != 'v' && value.is_null() {
            return Err(self.refuse(index, "null cannot be formatted"));
        }
        let to = |ty: &Type| convert(value, ty).map_err(|e| self.refuse(index, e));
        match self.letter {
            'v' => {
                let text = match value.kind() {
                    Kind::String(text) if !self.sharp => text.to_string(),
                    Kind::Number(n) if !self.sharp => number::general(n, None, 'e'),
                    _ => json::encode(value).unwrap_or_default(),
                };
                out.push_str(&self.pad(text));
            }
            't' => out.push_str(if to(&Type::Bool)?.as_bool() == Some(true) { "true" } else { "false" }),
            's' | 'q' => {
                let text = to(&Type::String)?;
                let text = text.as_str().unwrap_or_default();
                let text: String = match self.precision {
                    Some(precision) if precision > 0 => text.graphemes(true).take(precision).collect(),
                    _ => text.to_owned(),
                };
                let text = if self.letter == 'q' { json::encode(&text.into()).unwrap_or_default() } else { text };
                out.push_str(&self.pad(text));
            }
            'b' | 'd' | 'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'g' | 'G' => {
                let number = to(&Type::Number)?;
                let Some(number) = number.as_number() else { return Ok(()) };
                let text = number::format(self, number);
                out.push_str(&text.ok_or_else(|| self.refuse(index, "a whole number is required"))?);
            }
            _ => return Err(FunctionError::at(0, format!("there is no verb `{}`", self.letter))),
        }
        within_limit(out.len())
    }
}

fn digits(rest: &mut &str) -> Result<Option<usize>, FunctionError> {
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (digits, after) = rest.split_at(end);
    *rest = after;
    if digits.is_empty() {
        return Ok(None);
    }
    let number = digits.parse().ok().filter(|n| *n <= MAX_WIDTH);
    number.map(Some).ok_or_else(|| FunctionError::at(0, format!("widths and precisions may be up to {MAX_WIDTH}")))
}

/// Arguments are counted with the format, for errors.
fn format(text: &str, arguments: &[&Value]) -> Result<String, FunctionError> {
    let (mut out, mut rest, mut next, mut used) = (String::new(), text, 0, 0);
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("%%") {
            out.push('%');
            rest = after;
            continue;
        }
        let verb = Verb::read(rest)?;
        rest = &rest[verb.raw.len()..];
        let index = verb.argument.map_or(next, |n| n - 1);
        let value = arguments.get(index).ok_or_else(|| {
            verb.refuse(0, format!("this is value {}, and only {} are given", index + 1, arguments.len()))
        })?;
        verb.write(value, index + 1, &mut out)?;
        next = index + 1;
        used = used.max(next);
    }
    out.push_str(rest);
    within_limit(out.len())?;
    if used < arguments.len() {
        let message = format!("the format takes {used} values, and these are {}", arguments.len());
        return Err(FunctionError::at(used + 1, message));
    }
    Ok(out)
}

/// Lists in step; what is no list is the same for all.
fn formatlist(call: &Call<'_>) -> Called {
    let given = call.arguments.get(1..).unwrap_or_default();
    let mut count = None;
    for (index, elements) in given.iter().enumerate().filter_map(|(i, v)| Some((i, v.elements()?))) {
        match count {
            Some(count) if count != elements.len() => {
                let message = format!("this has {} elements, and the list before it {count}", elements.len());
                return Err(FunctionError::at(index + 1, message));
            }
            _ => count = Some(elements.len()),
        }
    }
    let count = count.unwrap_or(1);
    within_elements(count)?;
    let (mut made, mut length) = (Vec::with_capacity(count), 0);
    for i in 0..count {
        let row: Vec<&Value> = given.iter().map(|v| v.elements().map_or(v, |e| e.get(i).unwrap_or(v))).collect();
        let text = format(call.text(0), &row)
            .map_err(|e| FunctionError { message: format!("of element {i}: {}", e.message), ..e })?;
        length += text.len();
        within_limit(length)?;
        made.push(Value::from(text));
    }
    Ok(Value::list(Type::String, made))
}
