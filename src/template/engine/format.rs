//! Go's `fmt`: `printf` with its verbs, flags and complaints, `print` and `println`.

use std::fmt::Write as _;

use super::quote;
use super::value::Val;

/// The text grew beyond what one may be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// What stands between `%` and the verb.
#[derive(Clone, Copy, Default)]
struct Flags {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

/// From this power of ten on, `%g` and `%v` without a precision write an exponent.
const SHORTEST_REACH: usize = 6;

/// Go takes no larger width or precision than this.
const MAX_NUMBER: i64 = 1_000_000;

/// `fmt.Sprint`: operands with a space between two of which neither is a string.
pub(super) fn print(values: &[Val<'_>]) -> String {
    let mut out = String::new();
    let mut after_text = true;
    for (i, value) in values.iter().enumerate() {
        let text = matches!(value, Val::Text(_));
        if i > 0 && !text && !after_text {
            out.push(' ');
        }
        out.push_str(&value.print("<nil>"));
        after_text = text;
    }
    out
}

/// `fmt.Sprintln`.
pub(super) fn println(values: &[Val<'_>]) -> String {
    let mut out = values.iter().map(|v| v.print("<nil>")).collect::<Vec<_>>().join(" ");
    out.push('\n');
    out
}

/// `fmt.Sprintf`, at most `limit` bytes long.
pub(super) fn printf(format: &str, values: &[Val<'_>], limit: usize) -> Result<String, TooLong> {
    let mut out = String::new();
    let mut chars = format.chars().peekable();
    let (mut next, mut reordered) = (0_usize, false);
    while let Some(c) = chars.next() {
        if out.len() > limit {
            return Err(TooLong);
        }
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut flags = Flags::default();
        while let Some(&flag) = chars.peek() {
            match flag {
                '+' => flags.plus = true,
                '-' => flags.minus = true,
                '#' => flags.sharp = true,
                ' ' => flags.space = true,
                '0' => flags.zero = true,
                _ => break,
            }
            chars.next();
        }
        let mut good = true;
        index(&mut chars, values.len(), &mut next, &mut reordered, &mut good);
        if chars.next_if_eq(&'*').is_some() {
            match star(values, &mut next) {
                Some(n) => {
                    flags.minus |= n < 0;
                    flags.width = usize::try_from(n.unsigned_abs()).ok();
                }
                None => out.push_str("%!(BADWIDTH)"),
            }
        } else {
            flags.width = digits(&mut chars);
        }
        if chars.next_if_eq(&'.').is_some() {
            index(&mut chars, values.len(), &mut next, &mut reordered, &mut good);
            if chars.next_if_eq(&'*').is_some() {
                match star(values, &mut next) {
                    Some(n) => flags.precision = usize::try_from(n).ok(),
                    None => out.push_str("%!(BADPREC)"),
                }
            } else {
                flags.precision = Some(digits(&mut chars).unwrap_or(0));
            }
        }
        index(&mut chars, values.len(), &mut next, &mut reordered, &mut good);
        if flags.minus {
            flags.zero = false;
        }
        match chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) if !good => {
                let _ = write!(out, "%!{verb}(BADINDEX)");
            }
            Some(verb) => match values.get(next) {
                Some(value) => {
                    next += 1;
                    operand(&mut out, value, verb, flags);
                }
                None => {
                    let _ = write!(out, "%!{verb}(MISSING)");
                }
            },
        }
    }
    if !reordered && next < values.len() {
        out.push_str("%!(EXTRA ");
        for (i, value) in values[next..].iter().enumerate() {
            if i > 0 {
                out.push_str(", ");
            }
            if matches!(value, Val::Missing) {
                out.push_str("<nil>");
            } else {
                let _ = write!(out, "{}={}", value.type_name(), value.print("<nil>"));
            }
        }
        out.push(')');
    }
    if out.len() > limit { Err(TooLong) } else { Ok(out) }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// `[n]`: the next operand is the nth, from 1.
fn index(chars: &mut Chars<'_>, count: usize, next: &mut usize, reordered: &mut bool, good: &mut bool) {
    if chars.next_if_eq(&'[').is_none() {
        return;
    }
    *reordered = true;
    let number = digits(chars);
    let closed = chars.next_if_eq(&']').is_some();
    match number.and_then(|n| n.checked_sub(1)) {
        Some(n) if closed && n < count => *next = n,
        _ => {
            *good = false;
            if !closed {
                // As Go: what cannot be read is skipped up to the bracket, if there is one.
                while chars.peek().is_some_and(|&c| c != ']' && c != '%') {
                    chars.next();
                }
                chars.next_if_eq(&']');
            }
        }
    }
}

/// A decimal number; none when there is none or it is too large.
fn digits(chars: &mut Chars<'_>) -> Option<usize> {
    let mut number: Option<i64> = None;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(10)) {
        chars.next();
        number = Some((number.unwrap_or(0) * 10 + i64::from(digit)).min(MAX_NUMBER + 1));
    }
    number.filter(|n| *n <= MAX_NUMBER).and_then(|n| usize::try_from(n).ok())
}

/// The width or precision that an operand gives.
fn star(values: &[Val<'_>], next: &mut usize) -> Option<i64> {
    let value = values.get(*next)?;
    *next += 1;
    if let Val::Integer(n) = value { Some(*n).filter(|n| n.abs() <= MAX_NUMBER) } else { None }
}

fn operand(out: &mut String, value: &Val<'_>, verb: char, flags: Flags) {
    match (value, verb) {
        (_, 'T') => pad(out, value.type_name(), flags),
        (Val::Missing | Val::Late | Val::Unknown, 'v') => pad(out, "<nil>", flags),
        (Val::Bool(b), 't' | 'v') => pad(out, if *b { "true" } else { "false" }, flags),
        (Val::Integer(n), 'v' | 'd' | 'b' | 'o' | 'O' | 'x' | 'X') => integer(out, *n, verb, flags),
        (Val::Integer(n), 'c') => pad(out, &character(*n).to_string(), flags),
        (Val::Integer(n), 'q') => pad(out, &quote::quote(&character(*n).to_string(), '\'', flags.plus), flags),
        (Val::Integer(n), 'U') => {
            let mut text = format!("U+{n:04X}");
            if flags.sharp {
                let _ = write!(text, " '{}'", character(*n));
            }
            pad(out, &text, Flags { zero: false, ..flags });
        }
        (Val::Float(f), 'v' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G') => float(out, *f, verb, flags),
        (Val::Text(s), 'v' | 's') if verb == 's' || !flags.sharp => pad(out, cut(&s.text, flags.precision), flags),
        (Val::Text(s), 'q' | 'v') => {
            let text = cut(&s.text, flags.precision);
            let raw = flags.sharp
                && verb == 'q'
                && !text.contains(['`', '\u{feff}', '\u{7f}'])
                && !text.contains(|c: char| c.is_control() && c != '\t');
            let quoted = if raw { format!("`{text}`") } else { quote::quote(text, '"', flags.plus && verb == 'q') };
            pad(out, &quoted, flags);
        }
        (Val::Text(s), 'x' | 'X') => hex(out, s.text.as_bytes(), verb, flags),
        (Val::List(items), _) if verb != 'p' => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                operand(out, &Val::of_json(item), verb, flags);
            }
            out.push(']');
        }
        (Val::Map(map), _) if verb != 'p' => {
            out.push_str("map[");
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(k, _)| *k);
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(' ');
                }
                operand(out, &Val::text(key.as_str()), verb, flags);
                out.push(':');
                operand(out, &Val::of_json(value), verb, flags);
            }
            out.push(']');
        }
        (Val::Missing | Val::Late | Val::Unknown, _) => {
            let _ = write!(out, "%!{verb}(<nil>)");
        }
        _ => {
            let _ = write!(out, "%!{verb}({}=", value.type_name());
            operand(out, value, 'v', flags);
            out.push(')');
        }
    }
}

fn character(n: i64) -> char {
    u32::try_from(n).ok().and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The first `precision` characters.
fn cut(text: &str, precision: Option<usize>) -> &str {
    match precision.and_then(|p| text.char_indices().nth(p)) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

/// Fills up to the width: on the left, on the right with `-`, with zeros with `0`.
fn pad(out: &mut String, text: &str, flags: Flags) {
    let missing = flags.width.map_or(0, |w| w.saturating_sub(text.chars().count()));
    let fill = if flags.zero { '0' } else { ' ' };
    if flags.minus {
        out.push_str(text);
    }
    out.extend(std::iter::repeat_n(fill, missing));
    if !flags.minus {
        out.push_str(text);
    }
}

fn integer(out: &mut String, n: i64, verb: char, flags: Flags) {
    let magnitude = n.unsigned_abs();
    let mut digits = match verb {
        'b' => format!("{magnitude:b}"),
        'o' | 'O' => format!("{magnitude:o}"),
        'x' => format!("{magnitude:x}"),
        'X' => format!("{magnitude:X}"),
        _ => magnitude.to_string(),
    };
    let sign = if n < 0 {
        "-"
    } else if flags.plus {
        "+"
    } else if flags.space {
        " "
    } else {
        ""
    };
    let least = match (flags.precision, flags.width) {
        (Some(0), _) if n == 0 => {
            pad(out, "", Flags { zero: false, ..flags });
            return;
        }
        (Some(precision), _) => precision,
        (None, Some(width)) if flags.zero => width.saturating_sub(sign.len()),
        _ => 0,
    };
    if digits.len() < least {
        digits.insert_str(0, &"0".repeat(least - digits.len()));
    }
    let prefix = match (verb, flags.sharp) {
        ('O', _) => "0o",
        ('b', true) => "0b",
        ('o', true) if !digits.starts_with('0') => "0",
        ('x', true) => "0x",
        ('X', true) => "0X",
        _ => "",
    };
    pad(out, &format!("{sign}{prefix}{digits}"), Flags { zero: false, ..flags });
}

fn float(out: &mut String, f: f64, verb: char, flags: Flags) {
    let magnitude = f.abs();
    let mut text = if f.is_nan() {
        "NaN".to_owned()
    } else if f.is_infinite() {
        "Inf".to_owned()
    } else {
        match verb {
            'f' | 'F' => format!("{magnitude:.*}", flags.precision.unwrap_or(6)),
            'e' | 'E' => exponent(&format!("{magnitude:.*e}", flags.precision.unwrap_or(6))),
            _ => general(magnitude, flags.precision, flags.sharp),
        }
    };
    if verb.is_ascii_uppercase() && f.is_finite() {
        text.make_ascii_uppercase();
    }
    let sign = if f.is_sign_negative() && !f.is_nan() {
        "-"
    } else if flags.plus || f.is_infinite() && verb == 'v' {
        "+"
    } else if flags.space {
        " "
    } else {
        ""
    };
    if flags.zero && f.is_finite() {
        out.push_str(sign);
        let width = flags.width.map(|w| w.saturating_sub(sign.len()));
        pad(out, &text, Flags { width, ..flags });
    } else {
        pad(out, &format!("{sign}{text}"), Flags { zero: false, ..flags });
    }
}

/// `%g`: the shortest text that reads back, or so many digits; an exponent below 1e-4 and where digits do not reach.
pub(in crate::template) fn general(f: f64, precision: Option<usize>, keep_zeros: bool) -> String {
    if !f.is_finite() {
        return if f.is_nan() { "NaN".into() } else { (if f > 0.0 { "+Inf" } else { "-Inf" }).into() };
    }
    let digits = precision.map(|p| p.max(1));
    let scientific = match digits {
        Some(p) => format!("{f:.*e}", p - 1),
        None => format!("{f:e}"),
    };
    let (mantissa, power) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    let trimmed = |text: &str| {
        if keep_zeros || precision.is_none() || !text.contains('.') {
            return text.to_owned();
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    let written = trimmed(mantissa).bytes().filter(u8::is_ascii_digit).count();
    let whole = usize::try_from(power + 1).unwrap_or(0);
    let reach = match digits {
        None => SHORTEST_REACH,
        Some(p) if p > written && written >= whole => written,
        Some(p) => p,
    };
    if power < -4 || usize::try_from(power).is_ok_and(|p| p >= reach) {
        return exponent(&format!("{}e{power}", trimmed(mantissa)));
    }
    match digits {
        Some(p) => {
            let fraction = usize::try_from(i64::try_from(p).unwrap_or(i64::MAX) - 1 - i64::from(power)).unwrap_or(0);
            trimmed(&format!("{f:.fraction$}"))
        }
        None => format!("{f}"),
    }
}

/// `1.5e6` as Go writes it: `1.5e+06`.
fn exponent(text: &str) -> String {
    let (mantissa, power) = text.split_once('e').unwrap_or((text, "0"));
    let (sign, power) = power.strip_prefix('-').map_or(('+', power), |p| ('-', p));
    format!("{mantissa}e{sign}{power:0>2}")
}

fn hex(out: &mut String, bytes: &[u8], verb: char, flags: Flags) {
    let bytes = &bytes[..flags.precision.unwrap_or(bytes.len()).min(bytes.len())];
    let mut text = String::with_capacity(bytes.len() * 2);
    for (i, byte) in bytes.iter().enumerate() {
        if i > 0 && flags.space {
            text.push(' ');
        }
        if flags.sharp && (i == 0 || flags.space) {
            text.push_str(if verb == 'x' { "0x" } else { "0X" });
        }
        let _ = if verb == 'x' { write!(text, "{byte:02x}") } else { write!(text, "{byte:02X}") };
    }
    pad(out, &text, flags);
}
