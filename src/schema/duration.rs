//! Go's durations, as Packer's templates write them: `1h30m`, `500ms`, `-1.5h`, `0`.
//!
//! Follows Go's `time.ParseDuration` and `time.Duration.String`, so that a value means what it means to Packer.

use std::time::Duration;

/// The units that a duration may use, as a sentence lists them.
pub const UNITS: &str = "`ns`, `us`, `ms`, `s`, `m`, `h`";

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    #[error("an empty text is no duration")]
    Empty,
    /// A number stands where a unit should follow; holds the number.
    #[error("`{0}` has no unit")]
    MissingUnit(String),
    #[error("`{0}` is no unit of time")]
    UnknownUnit(String),
    /// Something else than a number stands where one should.
    #[error("`{0}` is no duration")]
    NotANumber(String),
    /// More than about 292 years.
    #[error("`{0}` is longer than a duration can be")]
    TooLong(String),
    #[error("`{0}` is negative")]
    Negative(String),
}

impl DurationError {
    /// What to write instead, as a sentence.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Negative(_) => "write a duration that is zero or more, such as `30s`".into(),
            Self::TooLong(_) => "write a shorter duration, such as `24h`".into(),
            Self::MissingUnit(number) => format!("write `{number}s` for seconds; the units are {UNITS}"),
            Self::UnknownUnit(unit) if matches!(unit.trim(), "d" | "day" | "days" | "w") => {
                "days are written in hours, such as `24h`".into()
            }
            _ => format!("write numbers with units, such as `1h30m` or `90s`; the units are {UNITS}"),
        }
    }
}

/// Reads a duration that is zero or more.
///
/// # Errors
/// See [`DurationError`].
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let nanos = parse_nanos(text)?;
    u64::try_from(nanos).map(Duration::from_nanos).map_err(|_| DurationError::Negative(text.into()))
}

/// Reads a duration of either sign, in nanoseconds.
///
/// # Errors
/// See [`DurationError`]; never [`DurationError::Negative`].
pub fn parse_nanos(text: &str) -> Result<i64, DurationError> {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        Some(_) => (false, text),
        None => return Err(DurationError::Empty),
    };
    let too_long = || DurationError::TooLong(text.into());
    let mut nanos: u128 = 0;
    let mut rest = rest;
    if rest.is_empty() {
        return Err(DurationError::NotANumber(text.into()));
    }
    if rest == "0" {
        return Ok(0);
    }
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
            return Err(DurationError::NotANumber(text.into()));
        }
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        if unit.is_empty() {
            return Err(DurationError::MissingUnit(number.into()));
        }
        let size = size_of_unit(unit).ok_or_else(|| DurationError::UnknownUnit(unit.into()))?;
        let digits = |s: &str| if s.is_empty() { Ok(0) } else { s.parse::<u64>() };
        let whole = digits(whole).map_err(|_| too_long())?;
        nanos += u128::from(whole) * u128::from(size) + u128::from(part_of_unit(fraction, size));
        if nanos > u128::from(i64::MIN.unsigned_abs()) {
            return Err(too_long());
        }
        rest = after;
    }
    let signed = i128::try_from(nanos).map_err(|_| too_long())?;
    i64::try_from(if negative { -signed } else { signed }).map_err(|_| too_long())
}

/// The digits behind the point, in nanoseconds, rounded in floating point as Go does: `0.3333333333333333333h` is 20m.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn part_of_unit(fraction: &str, size: u64) -> u64 {
    let (mut value, mut scale) = (0_u64, 1.0_f64);
    for digit in fraction.bytes() {
        let Some(next) = value.checked_mul(10).and_then(|v| v.checked_add(u64::from(digit - b'0'))) else { break };
        if next > i64::MAX.unsigned_abs() {
            break;
        }
        value = next;
        scale *= 10.0;
    }
    (value as f64 * (size as f64 / scale)) as u64
}

fn size_of_unit(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // Both the micro sign and the Greek letter, as in Go.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// In Go's form: `1h2m3s`, `5m0s`, `1.5s`, `500ms`, `0s`. Beyond 292 years it is cut off there.
#[must_use]
pub fn format(duration: Duration) -> String {
    format_nanos(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX))
}

/// [`format`] for either sign.
#[must_use]
pub fn format_nanos(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let n = nanos.unsigned_abs();
    let body = match n {
        0 => "0s".to_owned(),
        1..1_000 => format!("{n}ns"),
        1_000..1_000_000 => format!("{}\u{b5}s", decimal(n, 3)),
        1_000_000..1_000_000_000 => format!("{}ms", decimal(n, 6)),
        _ => {
            let minutes = n / 60_000_000_000;
            let seconds = decimal(n % 60_000_000_000, 9);
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, m) => format!("{m}m{seconds}s"),
                (h, m) => format!("{h}h{m}m{seconds}s"),
            }
        }
    };
    format!("{sign}{body}")
}

/// `n` / 10^`places`, without zeros at the end.
fn decimal(n: u64, places: usize) -> String {
    let digits = format!("{n:0>width$}", width = places + 1);
    let (whole, fraction) = digits.split_at(digits.len() - places);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_go_reads() {
        for (text, nanos) in [
            ("0", 0),
            ("-0", 0),
            ("5s", 5_000_000_000),
            ("+5s", 5_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("5.s", 5_000_000_000),
            ("-1m", -60_000_000_000),
            ("1us2\u{b5}s3\u{3bc}s", 6_000),
            ("0.3333333333333333333h", 1_200_000_000_000),
            ("9223372036854775807ns", i64::MAX),
            ("-9223372036854775808ns", i64::MIN),
            ("1s1h", 3_601_000_000_000),
        ] {
            assert_eq!(parse_nanos(text), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses_and_says_why() {
        use DurationError as E;
        assert_eq!(parse(""), Err(E::Empty));
        assert_eq!(parse("30"), Err(E::MissingUnit("30".into())));
        assert_eq!(parse("1m30"), Err(E::MissingUnit("30".into())));
        assert_eq!(parse("3d"), Err(E::UnknownUnit("d".into())));
        assert_eq!(parse("3 s"), Err(E::UnknownUnit(" s".into())));
        for text in ["s", "-", ".s", "1.2.3s", "abc", "+-1s"] {
            assert_eq!(parse(text), Err(E::NotANumber(text.into())), "{text}");
        }
        for text in ["3000000h", "9223372036854775808ns", "99999999999999999999s"] {
            assert_eq!(parse(text), Err(E::TooLong(text.into())), "{text}");
        }
        assert_eq!(parse("-1s"), Err(E::Negative("-1s".into())));
        assert_eq!(parse("30").unwrap_err().help().split(';').next(), Some("write `30s` for seconds"));
    }

    #[test]
    fn prints_as_go_prints() {
        for (text, printed) in [
            ("0", "0s"),
            ("1ns", "1ns"),
            ("1100ns", "1.1\u{b5}s"),
            ("2200us", "2.2ms"),
            ("500ms", "500ms"),
            ("3300ms", "3.3s"),
            ("5m", "5m0s"),
            ("1h", "1h0m0s"),
            ("1h2m3s", "1h2m3s"),
            ("4h5m6.001s", "4h5m6.001s"),
            ("-90s", "-1m30s"),
        ] {
            assert_eq!(format_nanos(parse_nanos(text).unwrap()), printed);
        }
        assert_eq!(format(Duration::MAX), "2562047h47m16.854775807s");
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back(nanos: i64) {
            prop_assert_eq!(parse_nanos(&format_nanos(nanos)), Ok(nanos));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9.smhuµn ]{0,30}|.*") {
            let _ = parse(&text);
        }
    }
}
