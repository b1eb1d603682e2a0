//! Dates and times, as RFC 3339 texts.

use std::fmt::Write as _;

use super::{Call, Called, Function, FunctionError, Wish, function, takes};
use crate::schema::duration;
use crate::template::engine::civil::Moment;
use crate::template::engine::{layout, strftime};
use crate::template::hcl::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    function("formatdate", &[takes("format", Wish::String), takes("time", Wish::String)], Wish::String, formatdate),
    function("legacy_isotime", &[], Wish::String, |c| legacy(c, layout::format)).and(takes("format", Wish::String)),
    function("legacy_strftime", &[], Wish::String, |c| legacy(c, strftime::format)).and(takes("format", Wish::String)),
    function("rfc3339_parse", &[takes("timestamp", Wish::String)], Wish::Any, |c| {
        let stamp = Stamp::parse(c.text(0), &['T', ' ']).map_err(|why| FunctionError::at(0, why))?;
        Ok(parts(&stamp.local(), ("unix", stamp.unix.into())))
    }),
    function("timeadd", &[takes("timestamp", Wish::String), takes("duration", Wish::String)], Wish::String, timeadd),
    function("timestamp", &[], Wish::String, |c| Ok(Stamp::utc(c.world.inputs.start).to_string().into())),
    function("unix_timestamp_parse", &[takes("unix_timestamp", Wish::Number)], Wish::Any, |c| {
        let unix = c.integer(0)?;
        Ok(parts(&Moment::of(unix), ("rfc3339", Stamp::utc(unix).to_string().into())))
    }),
];

/// A point in time with the offset from UTC that it was written with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    unix: i64,
    nanos: i64,
    /// Seconds east of UTC.
    offset: i64,
}

impl Stamp {
    fn utc(unix: i64) -> Self {
        Self { unix, nanos: 0, offset: 0 }
    }

    fn local(&self) -> Moment {
        Moment::of(self.unix.saturating_add(self.offset))
    }

    /// An RFC 3339 text, with one of these between date and time.
    fn parse(text: &str, between: &[char]) -> Result<Self, String> {
        let wrong = |what: &str| format!("{text:?} is no RFC 3339 timestamp such as `2026-07-25T23:43:16Z`: {what}");
        let mut rest = text;
        let mut digits = |count: usize, what: &'static str, end: &[char]| {
            let number = rest.get(..count).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
            let number: i64 = number.and_then(|d| d.parse().ok()).ok_or_else(|| wrong(what))?;
            rest = &rest[count..];
            if !end.is_empty() {
                rest = rest.strip_prefix(end).ok_or_else(|| wrong(what))?;
            }
            Ok::<i64, String>(number)
        };
        let (year, month) = (digits(4, "the year", &['-'])?, digits(2, "the month", &['-'])?);
        let day = digits(2, "the day, and `T` after it", between)?;
        let (hour, minute) = (digits(2, "the hour", &[':'])?, digits(2, "the minute", &[':'])?);
        let second = digits(2, "the second", &[])?;
        let mut nanos = 0;
        if let Some(fraction) = rest.strip_prefix('.') {
            let count = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
            let padded = format!("{:0<9}", &fraction[..count]);
            nanos = padded
                .get(..9)
                .filter(|_| count > 0)
                .and_then(|d| d.parse().ok())
                .ok_or_else(|| wrong("the fraction"))?;
            rest = &fraction[count..];
        }
        let offset = if rest == "Z" { 0 } else { offset(rest).ok_or_else(|| wrong("the offset, `Z` for UTC"))? };
        let in_range = hour < 24 && minute < 60 && second < 60;
        let unix = Moment::unix(year, month, day).filter(|_| in_range).ok_or_else(|| wrong("there is no such time"))?;
        Ok(Self { unix: unix + hour * 3600 + minute * 60 + second - offset, nanos, offset })
    }

    /// `+05:30`.
    fn offset_text(&self, separator: &str) -> String {
        let (sign, minutes) = (if self.offset < 0 { '-' } else { '+' }, self.offset.abs() / 60);
        format!("{sign}{:02}{separator}{:02}", minutes / 60, minutes % 60)
    }
}

/// `+05:30` in seconds.
fn offset(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two =
        |d: &str| (d.len() == 2 && d.bytes().all(|b| b.is_ascii_digit())).then(|| d.parse::<i64>().ok()).flatten();
    Some(sign * (two(hours)? * 3600 + two(minutes).filter(|m| *m < 60)? * 60))
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let m = self.local();
        let (date, time) = ((m.year, m.month, m.day), (m.hour, m.minute, m.second));
        write!(out, "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", date.0, date.1, date.2, time.0, time.1, time.2)?;
        if self.offset == 0 { out.write_str("Z") } else { out.write_str(&self.offset_text(":")) }
    }
}

fn legacy(call: &Call<'_>, format: fn(&str, &Moment) -> String) -> Called {
    match call.arguments.len() {
        0 => Ok(Stamp::utc(call.world.inputs.start).to_string().into()),
        1 => Ok(format(call.text(0), &Moment::of(call.world.inputs.start)).into()),
        _ => Err(FunctionError::at(1, "it takes one format, or none")),
    }
}

fn timeadd(call: &Call<'_>) -> Called {
    let stamp = Stamp::parse(call.text(0), &['T']).map_err(|why| FunctionError::at(0, why))?;
    let nanos = duration::parse_nanos(call.text(1)).map_err(|e| FunctionError::at(1, format!("{e}; {}", e.help())))?;
    let seconds = stamp.nanos.saturating_add(nanos).div_euclid(1_000_000_000);
    Ok(Stamp { unix: stamp.unix + seconds, ..stamp }.to_string().into())
}

fn parts(m: &Moment, also: (&'static str, Value)) -> Value {
    let (iso_year, iso_week) = m.iso_week();
    let small = |n: usize| Value::from(i64::try_from(n).unwrap_or(0));
    Value::object([
        ("year", m.year.into()),
        ("year_day", m.year_day.into()),
        ("day", m.day.into()),
        ("month", small(m.month)),
        ("month_name", m.month_name().into()),
        ("weekday", small(m.weekday)),
        ("weekday_name", m.weekday_name().into()),
        ("hour", m.hour.into()),
        ("minute", m.minute.into()),
        ("second", m.second.into()),
        ("iso_year", iso_year.into()),
        ("iso_week", iso_week.into()),
        also,
    ])
}

/// Runs of one letter stand for a part of the time, text in `'…'` for itself.
fn formatdate(call: &Call<'_>) -> Called {
    let stamp = Stamp::parse(call.text(1), &['T']).map_err(|why| FunctionError::at(1, why))?;
    let m = stamp.local();
    let (mut out, mut rest) = (String::new(), call.text(0));
    while let Some(c) = rest.chars().next() {
        if let Some(inside) = rest.strip_prefix('\'') {
            rest = literal(inside, &mut out)?;
            continue;
        }
        let end = rest.find(|other| other != c).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        rest = after;
        // Writing to a string cannot fail.
        let _ = match run {
            "YYYY" => write!(out, "{:04}", m.year),
            "YY" => write!(out, "{:02}", m.year.rem_euclid(100)),
            "MMMM" => write!(out, "{}", m.month_name()),
            "MMM" => write!(out, "{}", &m.month_name()[..3]),
            "MM" => write!(out, "{:02}", m.month),
            "M" => write!(out, "{}", m.month),
            "DD" => write!(out, "{:02}", m.day),
            "D" => write!(out, "{}", m.day),
            "EEEE" => write!(out, "{}", m.weekday_name()),
            "EEE" => write!(out, "{}", &m.weekday_name()[..3]),
            "hh" => write!(out, "{:02}", m.hour),
            "h" => write!(out, "{}", m.hour),
            "HH" => write!(out, "{:02}", m.hour12()),
            "H" => write!(out, "{}", m.hour12()),
            "AA" => write!(out, "{}", if m.hour >= 12 { "PM" } else { "AM" }),
            "aa" => write!(out, "{}", if m.hour >= 12 { "pm" } else { "am" }),
            "mm" => write!(out, "{:02}", m.minute),
            "m" => write!(out, "{}", m.minute),
            "ss" => write!(out, "{:02}", m.second),
            "s" => write!(out, "{}", m.second),
            "Z" if stamp.offset == 0 => write!(out, "Z"),
            "ZZZ" if stamp.offset == 0 => write!(out, "UTC"),
            "ZZZ" | "ZZZZ" => write!(out, "{}", stamp.offset_text("")),
            "Z" | "ZZZZZ" => write!(out, "{}", stamp.offset_text(":")),
            run if c.is_ascii_alphabetic() => {
                let message = format!("there is no date part `{run}`; letters that stand for themselves go in `'…'`");
                return Err(FunctionError::at(0, message));
            }
            run => write!(out, "{run}"),
        };
    }
    super::within_limit(out.len())?;
    Ok(out.into())
}

/// Text up to the closing quote, in which two quotes are one; gives what follows.
fn literal<'a>(inside: &'a str, out: &mut String) -> Result<&'a str, FunctionError> {
    let mut rest = inside;
    loop {
        let end = rest.find('\'').ok_or_else(|| FunctionError::at(0, "a `'` has no second one that ends it"))?;
        out.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                out.push('\'');
                rest = after;
            }
            None => return Ok(rest),
        }
    }
}
