//! What a plain scalar is: cty's mixture of YAML 1.1's words and 1.2's numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::template::engine::civil::Moment;
use crate::template::hcl::value::{Number, Type, Value};

/// Of the type that a tag says (`str`, `int`, …), or of the one that it looks like.
pub(super) fn resolve(text: &str, kind: Option<&str>) -> Result<Value, String> {
    let refuse = |what: &str| Err(format!("{text:?} is no {what}"));
    match kind {
        None => guess(text),
        Some("str") => Ok(text.into()),
        Some("binary") => {
            let stripped: String = text.split_whitespace().collect();
            if STANDARD.decode(stripped).is_err() { refuse("base64") } else { Ok(text.into()) }
        }
        Some("null") => Ok(Value::null(Type::Any)),
        Some("bool") => word(text).filter(|v| v.as_bool().is_some()).map_or_else(|| refuse("bool"), Ok),
        Some("int" | "float") => {
            let found = word(text).filter(|v| v.as_number().is_some()).or_else(|| number(text));
            found.or_else(|| prefixed(text)).map_or_else(|| refuse("number"), Ok)
        }
        Some("timestamp") => timestamp(text).map_or_else(|| refuse("timestamp"), Ok),
        Some(kind) => Err(format!("the type `{kind}` is not supported")),
    }
}

fn guess(text: &str) -> Result<Value, String> {
    if let Some(value) = word(text) {
        return Ok(value);
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err("what is not a number cannot be a value".into());
    }
    let found = match text.as_bytes().first() {
        Some(b'0'..=b'9' | b'+' | b'-') => timestamp(text).or_else(|| number(text)).or_else(|| binary(text)),
        Some(b'.') => Number::parse(text).map(Value::number),
        _ => None,
    };
    Ok(found.unwrap_or_else(|| text.into()))
}

/// The words that stand for a value.
fn word(text: &str) -> Option<Value> {
    Some(match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => true.into(),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => false.into(),
        "" | "~" | "null" | "Null" | "NULL" => Value::null(Type::Any),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => Value::number(Number::Infinite { negative: false }),
        "-.inf" | "-.Inf" | "-.INF" => Value::number(Number::Infinite { negative: true }),
        _ => return None,
    })
}

fn number(text: &str) -> Option<Value> {
    Number::parse(&text.replace('_', "")).map(Value::number)
}

/// `0b101`.
fn binary(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    let negative = plain.starts_with('-');
    let digits = plain.strip_prefix('-').unwrap_or(&plain).strip_prefix("0b")?;
    let number = Number::parse_radix(digits, 2).filter(|_| !digits.starts_with(['+', '-']))?;
    Some(Value::number(if negative { number.negated() } else { number }))
}

/// `0x1f` and `0o17`, where a tag says that it is a number.
fn prefixed(text: &str) -> Option<Value> {
    let plain = text.replace('_', "");
    let digits = |prefix: &str, radix| {
        let digits = plain.strip_prefix(prefix).filter(|d| !d.starts_with(['+', '-']))?;
        Number::parse_radix(digits, radix)
    };
    let found = digits("0x", 16).or_else(|| digits("0X", 16)).or_else(|| digits("0o", 8));
    found.map(Value::number).or_else(|| binary(text))
}

/// Dates and times, as RFC 3339 texts.
fn timestamp(text: &str) -> Option<Value> {
    let mut rest = text;
    let mut digits = |least: usize, most: usize, end: &[char]| {
        let count = rest.bytes().take_while(u8::is_ascii_digit).take(most).count();
        let number = rest.get(..count).filter(|_| count >= least)?.parse::<i64>().ok()?;
        rest = &rest[count..];
        if !end.is_empty() {
            rest = rest.strip_prefix(end)?;
        }
        Some(number)
    };
    let (year, month, day) = (digits(4, 4, &['-'])?, digits(1, 2, &['-'])?, digits(1, 2, &[])?);
    Moment::unix(year, month, day)?;
    let date = format!("{year:04}-{month:02}-{day:02}");
    if rest.is_empty() {
        return Some(format!("{date}T00:00:00Z").into());
    }
    let zoned = rest.starts_with(['T', 't']);
    rest = rest.strip_prefix(['T', 't', ' '])?;
    let mut digits = |end: &[char]| {
        let count = rest.bytes().take_while(u8::is_ascii_digit).take(2).count();
        let number = rest.get(..count).filter(|d| !d.is_empty())?.parse::<i64>().ok()?;
        rest = &rest[count..];
        if !end.is_empty() {
            rest = rest.strip_prefix(end)?;
        }
        Some(number)
    };
    let (hour, minute, second) = (digits(&[':'])?, digits(&[':'])?, digits(&[])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == fraction.len() {
            return None;
        }
    }
    let zone = match (zoned, rest) {
        (false, "") | (true, "Z") => "Z",
        (true, offset) if is_offset(offset) => {
            if matches!(offset, "+00:00" | "-00:00") {
                "Z"
            } else {
                offset
            }
        }
        _ => return None,
    };
    Some(format!("{date}T{hour:02}:{minute:02}:{second:02}{zone}").into())
}

fn is_offset(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 6
        && matches!(bytes[0], b'+' | b'-')
        && bytes[3] == b':'
        && [1, 2, 4, 5].iter().all(|&i| bytes[i].is_ascii_digit())
}
