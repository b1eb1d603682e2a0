//! The functions that Go's text/template brings.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::arguments::Arguments;
use super::eval::{Evaluated, MAX_TEXT};
use super::fault::Fault;
use super::value::Val;
use super::{format, quote};
use crate::text::code::engine as code;

/// The value of a call, or `None` when Go has no such function. `and` and `or` are not here: they need not all arguments.
pub(super) fn call<'a>(a: &Arguments<'_, 'a>) -> Evaluated<Option<Val<'a>>> {
    let printed = || format::print(a.values);
    Ok(Some(match a.name {
        "eq" => Val::Bool(equal_any(a)?),
        "ne" => Val::Bool(!equal(a, &a.values[0], &a.values[1])?),
        "lt" => Val::Bool(order(a)? == Some(Ordering::Less)),
        "le" => Val::Bool(matches!(order(a)?, Some(Ordering::Less | Ordering::Equal))),
        "gt" => Val::Bool(order(a)? == Some(Ordering::Greater)),
        "ge" => Val::Bool(matches!(order(a)?, Some(Ordering::Greater | Ordering::Equal))),
        "not" => Val::Bool(!a.values[0].is_true()),
        "print" => Val::text(printed()),
        "println" => Val::text(format::println(a.values)),
        "printf" => {
            let made = format::printf(&a.string(0)?.text, &a.values[1..], MAX_TEXT);
            Val::text(made.map_err(|_| Fault::new(code::TOO_LARGE, a.range.clone(), "this makes too much text"))?)
        }
        "html" => Val::text(html(&printed())),
        "js" => Val::text(js(&printed())),
        "urlquery" => Val::text(url_query(&printed())),
        "len" => Val::Integer(i64::try_from(length(a)?).unwrap_or(i64::MAX)),
        "index" => index(a)?,
        "slice" => slice(a)?,
        "call" => return Err(a.fault(format!("`call` wants a function and got {}", a.values[0].described()))),
        _ => return Ok(None),
    }))
}

fn equal_any(a: &Arguments<'_, '_>) -> Evaluated<bool> {
    let Some((first, others)) = a.values.split_first().filter(|(_, o)| !o.is_empty()) else {
        return Err(a.fault("`eq` has nothing to compare with").help("write `{{eq A B}}`"));
    };
    for other in others {
        if equal(a, first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

#[allow(clippy::float_cmp)] // as Go compares
fn equal(a: &Arguments<'_, '_>, left: &Val<'_>, right: &Val<'_>) -> Evaluated<bool> {
    match (left, right) {
        (Val::Bool(l), Val::Bool(r)) => Ok(l == r),
        (Val::Integer(l), Val::Integer(r)) => Ok(l == r),
        (Val::Float(l), Val::Float(r)) => Ok(l == r),
        (Val::Text(l), Val::Text(r)) => Ok(l.text == r.text),
        (Val::Missing, Val::Missing) => Ok(true),
        (Val::Missing, _) | (_, Val::Missing) => Ok(false),
        _ => Err(incomparable(a, left, right)),
    }
}

/// How the first of two arguments stands to the second; `None` for what is not a number.
fn order(a: &Arguments<'_, '_>) -> Evaluated<Option<Ordering>> {
    match (&a.values[0], &a.values[1]) {
        (Val::Integer(l), Val::Integer(r)) => Ok(Some(l.cmp(r))),
        (Val::Float(l), Val::Float(r)) => Ok(l.partial_cmp(r)),
        (Val::Text(l), Val::Text(r)) => Ok(Some(l.text.cmp(&r.text))),
        (left, right) => Err(incomparable(a, left, right)),
    }
}

fn incomparable(a: &Arguments<'_, '_>, left: &Val<'_>, right: &Val<'_>) -> Fault {
    let fault = a.fault(format!("`{}` cannot compare {} with {}", a.name, left.described(), right.described()));
    if matches!((left, right), (Val::Text(_), Val::Integer(_)) | (Val::Integer(_), Val::Text(_))) {
        return fault.help("user variables are strings: write the number in quotes");
    }
    fault
}

fn length(a: &Arguments<'_, '_>) -> Evaluated<usize> {
    match &a.values[0] {
        Val::Text(s) => Ok(s.text.len()),
        Val::List(items) => Ok(items.len()),
        Val::Map(map) => Ok(map.len()),
        other => Err(a.fault(format!("{} has no length", other.described()))),
    }
}

fn index<'a>(a: &Arguments<'_, 'a>) -> Evaluated<Val<'a>> {
    let mut value = a.values[0].clone();
    for at in 1..a.values.len() {
        let position = |length: usize| {
            let wanted = a.integer(at)?;
            let position = usize::try_from(wanted).ok().filter(|p| *p < length);
            position.ok_or_else(|| a.fault(format!("index {wanted} lies outside: there are {length}")))
        };
        value = match &value {
            Val::Text(s) => Val::Integer(i64::from(s.text.as_bytes()[position(s.text.len())?])),
            Val::List(items) => Val::of_json(&items[position(items.len())?]),
            Val::Map(map) => map.get(a.string(at)?.text.as_ref()).map_or(Val::Missing, Val::of_json),
            other => return Err(a.fault(format!("{} cannot be indexed", other.described()))),
        };
    }
    Ok(value)
}

fn slice<'a>(a: &Arguments<'_, 'a>) -> Evaluated<Val<'a>> {
    let length = match &a.values[0] {
        Val::Text(_) if a.values.len() == 4 => return Err(a.fault("a string is sliced with at most two positions")),
        Val::Text(s) => s.text.len(),
        Val::List(items) => items.len(),
        other => return Err(a.fault(format!("{} cannot be sliced", other.described()))),
    };
    let mut bounds = [0, length, length];
    for at in 1..a.values.len() {
        let wanted = a.integer(at)?;
        let bound = usize::try_from(wanted).ok().filter(|b| *b <= length);
        bounds[at - 1] = bound.ok_or_else(|| a.fault(format!("position {wanted} lies outside: there are {length}")))?;
    }
    let [from, to, capacity] = bounds;
    if from > to || to > capacity {
        return Err(a.fault(format!("the slice begins at {from} and ends at {to}")));
    }
    Ok(match &a.values[0] {
        Val::Text(s) => Val::text(String::from_utf8_lossy(&s.text.as_bytes()[from..to]).into_owned()),
        Val::List(items) => Val::List(&items[from..to]),
        other => other.clone(),
    })
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let code = c as u32;
        // Writing to a string cannot fail.
        let _ = match c {
            '\\' | '\'' | '"' => write!(out, "\\{c}"),
            '<' | '>' | '&' | '=' => write!(out, "\\u{code:04X}"),
            c if code < 0x20 || !c.is_ascii() && !quote::is_printable(c) => write!(out, "\\u{code:04X}"),
            c => {
                out.push(c);
                Ok(())
            }
        };
    }
    out
}

/// As Go's `url.QueryEscape`: a space becomes `+`.
fn url_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}
