//! Go's number constants.

use super::ast::Number;

/// How many bytes from the start look like a number: sign, digits of the base, fraction, exponent.
pub(super) fn length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let lower = |i: usize| bytes.get(i).map(u8::to_ascii_lowercase);
    let radix = match (bytes.get(at), lower(at + 1)) {
        (Some(b'0'), Some(b'x')) => 16,
        (Some(b'0'), Some(b'o')) => 8,
        (Some(b'0'), Some(b'b')) => 2,
        _ => 10,
    };
    if radix != 10 {
        at += 2;
    }
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(|&b| b == b'_' || char::from(b).is_digit(radix)) {
            at += 1;
        }
        at
    };
    at = digits(at);
    if bytes.get(at) == Some(&b'.') {
        at = digits(at + 1);
    }
    let exponent = match radix {
        10 => lower(at) == Some(b'e'),
        16 => lower(at) == Some(b'p'),
        _ => false,
    };
    if exponent {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
    }
    at
}

/// The constant; `None` when it is badly written or too large. Imaginary numbers and hexadecimal floats are not known.
pub(super) fn parse(text: &str) -> Option<Number> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = unsigned.to_ascii_lowercase();
    if !lower.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let prefixed =
        [("0x", 16), ("0o", 8), ("0b", 2)].into_iter().find_map(|(p, radix)| Some((lower.strip_prefix(p)?, radix)));
    let (digits, radix) = match prefixed {
        Some((digits, radix)) => (digits, radix),
        // An old octal: `0644`.
        None if lower.len() > 1
            && lower.starts_with('0')
            && lower[1..].chars().all(|c| c.is_ascii_digit() || c == '_') =>
        {
            (&lower[1..], 8)
        }
        None => (lower.as_str(), 10),
    };
    if badly_grouped(digits) {
        return None;
    }
    let plain = digits.replace('_', "");
    if !plain.is_empty() && plain.chars().all(|c| c.is_digit(radix)) {
        let value = i128::from_str_radix(&plain, radix).ok()?;
        let integer = i64::try_from(if negative { -value } else { value }).ok()?;
        #[allow(clippy::cast_precision_loss)] // as Go: an integer constant is also the nearest float
        return Some(Number { integer: Some(integer), float: integer as f64, is_float: false });
    }
    if radix != 10 || !plain.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let float: f64 = plain.parse().ok()?;
    if !float.is_finite() {
        return None;
    }
    let float = if negative { -float } else { float };
    #[allow(clippy::cast_possible_truncation)] // checked: the float is whole and within range
    let integer = (float.fract() == 0.0 && float.abs() < 9e18).then_some(float as i64);
    Some(Number { integer, float, is_float: true })
}

/// Underscores stand only between digits.
fn badly_grouped(digits: &str) -> bool {
    digits.ends_with('_') || digits.contains("__") || digits.starts_with('_') && digits.len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_read_in_every_base() {
        let integer = |text| parse(text).and_then(|n| n.integer);
        for (text, value) in [
            ("0", 0),
            ("42", 42),
            ("-7", -7),
            ("+7", 7),
            ("0x1F", 31),
            ("0644", 420),
            ("0b101", 5),
            ("1_000", 1000),
            ("1e3", 1000),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(integer(text), Some(value), "{text}");
        }
        assert_eq!(parse("1.5").map(|n| (n.integer, n.float, n.is_float)), Some((None, 1.5, true)));
        assert_eq!(parse(".5").map(|n| n.float), Some(0.5));
        for text in ["", "+", "-", ".", "1__0", "1_", "9223372036854775808", "0x", "08", "1e999", "12a", "1.2.3", "3i"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_length_ends_where_the_number_ends() {
        for (text, expected) in [("12)", 2), ("-1.5e-3 x", 7), ("0x1fg", 4), ("1.2.3", 3), ("+", 1), ("", 0)] {
            assert_eq!(length(text), expected, "{text}");
        }
    }
}
