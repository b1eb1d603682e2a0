//! Go's time layouts: a layout is the reference time, `Mon Jan 2 15:04:05 MST 2006`, written as the result shall look.

use std::fmt::Write as _;

use super::civil::Moment;

/// Formats a moment of UTC, whole seconds.
pub(in crate::template) fn format(layout: &str, moment: &Moment) -> String {
    let mut out = String::with_capacity(layout.len() + 10);
    let mut rest = layout;
    while let Some(c) = rest.chars().next() {
        let taken = token(rest, moment, &mut out);
        if taken == 0 {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            rest = &rest[taken..];
        }
    }
    out
}

/// Writes what the token at the start of `rest` stands for; gives its length, 0 when there is none.
fn token(rest: &str, m: &Moment, out: &mut String) -> usize {
    let is = |prefix: &str| rest.starts_with(prefix);
    // `Jan` in `Janet` is no month, though `JanX` holds one.
    let ends = |length: usize| !rest[length..].starts_with(|c: char| c.is_ascii_lowercase());
    // Writing to a string cannot fail.
    let mut put = |text: std::fmt::Arguments<'_>, length: usize| {
        let _ = out.write_fmt(text);
        length
    };
    match rest.as_bytes().first() {
        Some(b'J') if is("January") => put(format_args!("{}", m.month_name()), 7),
        Some(b'J') if is("Jan") && ends(3) => put(format_args!("{}", &m.month_name()[..3]), 3),
        Some(b'M') if is("Monday") => put(format_args!("{}", m.weekday_name()), 6),
        Some(b'M') if is("Mon") && ends(3) => put(format_args!("{}", &m.weekday_name()[..3]), 3),
        Some(b'M') if is("MST") => put(format_args!("UTC"), 3),
        Some(b'0') if is("002") => put(format_args!("{:03}", m.year_day), 3),
        Some(b'0') => match rest.as_bytes().get(1) {
            Some(b'1') => put(format_args!("{:02}", m.month), 2),
            Some(b'2') => put(format_args!("{:02}", m.day), 2),
            Some(b'3') => put(format_args!("{:02}", m.hour12()), 2),
            Some(b'4') => put(format_args!("{:02}", m.minute), 2),
            Some(b'5') => put(format_args!("{:02}", m.second), 2),
            Some(b'6') => put(format_args!("{:02}", m.year.rem_euclid(100)), 2),
            _ => 0,
        },
        Some(b'1') if is("15") => put(format_args!("{:02}", m.hour), 2),
        Some(b'1') => put(format_args!("{}", m.month), 1),
        Some(b'2') if is("2006") => put(format_args!("{}", year(m)), 4),
        Some(b'2') => put(format_args!("{}", m.day), 1),
        // `_2006` is an underscore and a year.
        Some(b'_') if is("_2006") => put(format_args!("_{}", year(m)), 5),
        Some(b'_') if is("_2") => put(format_args!("{:2}", m.day), 2),
        Some(b'_') if is("__2") => put(format_args!("{:3}", m.year_day), 3),
        Some(b'3') => put(format_args!("{}", m.hour12()), 1),
        Some(b'4') => put(format_args!("{}", m.minute), 1),
        Some(b'5') => put(format_args!("{}", m.second), 1),
        Some(b'P') if is("PM") => put(format_args!("{}", if m.hour >= 12 { "PM" } else { "AM" }), 2),
        Some(b'p') if is("pm") => put(format_args!("{}", if m.hour >= 12 { "pm" } else { "am" }), 2),
        Some(b'-') if is("-070000") => put(format_args!("+000000"), 7),
        Some(b'-') if is("-07:00:00") => put(format_args!("+00:00:00"), 9),
        Some(b'-') if is("-0700") => put(format_args!("+0000"), 5),
        Some(b'-') if is("-07:00") => put(format_args!("+00:00"), 6),
        Some(b'-') if is("-07") => put(format_args!("+00"), 3),
        Some(b'Z') => {
            let zone = ["Z070000", "Z07:00:00", "Z0700", "Z07:00", "Z07"].into_iter().find(|z| is(z));
            zone.map_or(0, |z| put(format_args!("Z"), z.len()))
        }
        Some(b'.' | b',') => fraction(rest, out),
        _ => 0,
    }
}

/// `.000` is so many digits of the second, `.999` the same without zeros at the end: of a whole second, nothing.
fn fraction(rest: &str, out: &mut String) -> usize {
    let digits = &rest[1..];
    let Some(digit) = digits.chars().next().filter(|c| matches!(c, '0' | '9')) else { return 0 };
    let count = digits.find(|c| c != digit).unwrap_or(digits.len());
    if digits[count..].starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    if digit == '0' {
        out.push_str(&rest[..=count]);
    }
    count + 1
}

/// At least four digits.
fn year(m: &Moment) -> String {
    let sign = if m.year < 0 { "-" } else { "" };
    format!("{sign}{:04}", m.year.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(unix: i64, layout: &str) -> String {
        format(layout, &Moment::of(unix))
    }

    /// Sunday 5 July 2026, 15:04:09.
    const AFTERNOON: i64 = 1_783_263_849;
    /// Monday 2 February 2026, 00:05:06.
    const NIGHT: i64 = 1_769_990_706;

    #[test]
    fn every_token_stands_for_its_part() {
        for (layout, afternoon, night) in [
            ("2006", "2026", "2026"),
            ("06", "26", "26"),
            ("01|1|Jan|January", "07|7|Jul|July", "02|2|Feb|February"),
            ("02|_2|2", "05| 5|5", "02| 2|2"),
            ("002|__2", "186|186", "033| 33"),
            ("15|03|3", "15|03|3", "00|12|12"),
            ("04|4|05|5", "04|4|09|9", "05|5|06|6"),
            ("PM|pm", "PM|pm", "AM|am"),
            ("Mon|Monday", "Sun|Sunday", "Mon|Monday"),
            ("MST", "UTC", "UTC"),
            (
                "-070000 -07:00:00 -0700 -07:00 -07",
                "+000000 +00:00:00 +0000 +00:00 +00",
                "+000000 +00:00:00 +0000 +00:00 +00",
            ),
            ("Z070000 Z07:00:00 Z0700 Z07:00 Z07", "Z Z Z Z Z", "Z Z Z Z Z"),
            ("05.000|05,00|05.999|05,9", "09.000|09,00|09|09", "06.000|06,00|06|06"),
            ("2006-01-02T15:04:05Z07:00", "2026-07-05T15:04:09Z", "2026-02-02T00:05:06Z"),
            ("02-Jan-06 03:04:05", "05-Jul-26 03:04:09", "02-Feb-26 12:05:06"),
            ("Mon Jan _2 15:04:05 MST 2006", "Sun Jul  5 15:04:09 UTC 2026", "Mon Feb  2 00:05:06 UTC 2026"),
        ] {
            assert_eq!(at(AFTERNOON, layout), afternoon, "{layout}");
            assert_eq!(at(NIGHT, layout), night, "{layout}");
        }
    }

    #[test]
    fn what_only_looks_like_a_token_stays() {
        for (layout, expected) in [
            ("Janet Month", "Janet Month"),
            ("JanX", "JulX"),
            ("Januaryx", "Julyx"),
            ("_2006", "_2026"),
            ("20061", "20267"),
            ("2060106", "5260726"),
            ("0", "0"),
            ("07 08", "07 08"),
            (".0005", ".0009"),
            (".99x", "x"),
            ("P p Z -0 -06", "P p Z -0 -26"),
            ("MSTX MS", "UTCX MS"),
            ("é 2006 ü", "é 2026 ü"),
        ] {
            assert_eq!(at(AFTERNOON, layout), expected, "{layout}");
        }
    }
}
