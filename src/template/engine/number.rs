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

/// The constant; `None` when it is badly written or too large. Imaginary numbers are not known.
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
    let float: f64 = match radix {
        10 if plain.contains(|c: char| c.is_ascii_digit()) => plain.parse().ok()?,
        16 => hexadecimal(&plain)?,
        _ => return None,
    };
    if !float.is_finite() {
        return None;
    }
    let float = if negative { -float } else { float };
    #[allow(clippy::cast_possible_truncation)] // checked: the float is whole and within range
    let integer = (float.fract() == 0.0 && float.abs() < 9e18).then_some(float as i64);
    Some(Number { integer, float, is_float: true })
}

/// A float like `1.8p3`: hexadecimal digits times a power of two, which must be written.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once('p')?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut power: i64 = exponent.parse().ok()?;
    // Rounding needs the first digits and whether anything follows them.
    let (mut value, mut rest) = (0_u128, false);
    for (index, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = digit.to_digit(16)?;
        if value >> 120 == 0 {
            value = (value << 4) | u128::from(digit);
        } else {
            rest |= digit != 0;
            power = power.saturating_add(4);
        }
        if index >= whole.len() {
            power = power.saturating_sub(4);
        }
    }
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    #[allow(clippy::cast_precision_loss)] // rounded to the nearest, as Go does
    let mut float = (value | u128::from(rest)) as f64;
    // In steps: the power alone may be out of a float's range where the product is not.
    while power != 0 && float != 0.0 && float.is_finite() {
        let step = power.clamp(-1000, 1000);
        float *= 2_f64.powi(i32::try_from(step).unwrap_or(0));
        power -= step;
    }
    Some(float)
}

/// Whether this would be an imaginary number in Go.
pub(super) fn is_imaginary(text: &str) -> bool {
    text.strip_suffix('i')
        .is_some_and(|real| parse(real).is_some() || !real.is_empty() && real.bytes().all(|b| b.is_ascii_digit()))
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
            ("0x1p4", 16),
            ("-0X1.8P+1", -3),
        ] {
            assert_eq!(integer(text), Some(value), "{text}");
        }
        assert_eq!(parse("1.5").map(|n| (n.integer, n.float, n.is_float)), Some((None, 1.5, true)));
        assert_eq!(parse(".5").map(|n| n.float), Some(0.5));
        for (text, value) in [
            ("0x1p-2", 0.25),
            ("0x.8p0", 0.5),
            ("0x1.999999999999ap-4", 0.1),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1p-1074", 5e-324),
            ("0x0.0000000000000000000000000000000000000001p160", 1.0),
            ("0x1000000000000000000000000000000000000000p-156", 1.0),
            ("0x0p99999999", 0.0),
            ("0x1p-99999999", 0.0),
        ] {
            assert_eq!(parse(text).map(|n| (n.float, n.is_float)), Some((value, true)), "{text}");
        }
        for text in ["0x1.8", "0xp1", "0x.p1", "0x1p", "0x1p1024", "0x1p1.5", "0b1p1", "0x1p99999999999999999999"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert!(is_imaginary("3i") && is_imaginary("1.5e3i") && !is_imaginary("3") && !is_imaginary("xi"));
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
