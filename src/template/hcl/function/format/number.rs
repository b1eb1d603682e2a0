//! Numbers as Go's `fmt` writes `big.Int` and `big.Float`.

use super::Verb;
use crate::template::hcl::value::Number;

/// The number by the verb's letter, padded; `None` where a whole number is required.
pub(super) fn format(verb: &Verb<'_>, number: &Number) -> Option<String> {
    let whole = matches!(verb.letter, 'b' | 'd' | 'o' | 'x' | 'X');
    let negative = if whole { number.is_negative() } else { number.has_sign() };
    let magnitude = number.abs();
    let infinite = matches!(number, Number::Infinite { .. });
    let precision = verb.precision;
    let text = match verb.letter {
        'b' => integer(verb, &magnitude, 2, "0b")?,
        'd' => integer(verb, &magnitude, 10, "")?,
        'o' => integer(verb, &magnitude, 8, "0")?,
        'x' => integer(verb, &magnitude, 16, "0x")?,
        'X' => integer(verb, &magnitude, 16, "0X")?.to_uppercase(),
        _ if infinite => "Inf".to_owned(),
        'f' => magnitude.fixed(precision.unwrap_or(6)),
        'e' | 'E' => scientific(&magnitude, precision.unwrap_or(6), verb.letter),
        'g' => general(&magnitude, precision, 'e'),
        _ => general(&magnitude, precision, 'E'),
    };
    let sign = match (negative, verb.plus, verb.space) {
        (true, ..) => "-",
        (false, true, _) => "+",
        (false, false, true) => " ",
        _ => "",
    };
    let missing = verb.width.unwrap_or(0).saturating_sub(sign.len() + text.len());
    // Of integers a precision is the least number of digits, and zeros beside it make no sense.
    Some(if verb.minus {
        format!("{sign}{text}{}", " ".repeat(missing))
    } else if verb.zero && !infinite && !(whole && precision.is_some()) {
        format!("{sign}{}{text}", "0".repeat(missing))
    } else {
        format!("{}{sign}{text}", " ".repeat(missing))
    })
}

fn integer(verb: &Verb<'_>, magnitude: &Number, radix: u32, prefix: &str) -> Option<String> {
    let digits = magnitude.to_radix(radix)?;
    let digits = match verb.precision {
        Some(0) if magnitude.is_zero() => String::new(),
        Some(precision) => format!("{digits:0>precision$}"),
        None => digits,
    };
    Some(if verb.sharp { format!("{prefix}{digits}") } else { digits })
}

/// `1.5e+03`, with so many digits after the point.
fn scientific(magnitude: &Number, precision: usize, letter: char) -> String {
    let (digits, point) = magnitude.digits(precision + 1).unwrap_or_else(|| ("0".into(), 1));
    exponent(&format!("{digits:0<width$}", width = precision + 1), point - 1, letter)
}

/// Digits with a point after the first, and the power of ten.
fn exponent(digits: &str, power: i64, letter: char) -> String {
    let (first, rest) = digits.split_at(digits.len().min(1));
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if power < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}{letter}{sign}{:02}", power.unsigned_abs())
}

/// The shorter of the two forms, with so many digits at most, or as many as it takes to read it back. A sign is kept.
pub(super) fn general(number: &Number, precision: Option<usize>, letter: char) -> String {
    let sign = if number.is_negative() { "-" } else { "" };
    let found = match precision {
        Some(precision) => number.digits(precision.max(1)),
        None => number.shortest_digits(),
    };
    let Some((digits, point)) = found else { return number.to_string() };
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let reach = match precision {
        // As if it were 6, as Go's big floats do.
        None => 6,
        Some(p) if p.max(1) > digits.len() && length >= point => length,
        Some(p) => i64::try_from(p.max(1)).unwrap_or(i64::MAX),
    };
    if point - 1 < -4 || point > reach {
        return format!("{sign}{}", exponent(&digits, point - 1, letter));
    }
    let zeros = |n: i64| "0".repeat(usize::try_from(n).unwrap_or(0));
    if point <= 0 {
        return format!("{sign}0.{}{digits}", zeros(-point));
    }
    if point >= length {
        return format!("{sign}{digits}{}", zeros(point - length));
    }
    let (whole, fraction) = digits.split_at(usize::try_from(point).unwrap_or(0));
    format!("{sign}{whole}.{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_general_form_is_the_shorter_one() {
        let shown = |text: &str, precision| general(&Number::parse(text).unwrap(), precision, 'e');
        for (text, expected) in
            [("1000000", "1e+06"), ("100000", "100000"), ("0.0001", "0.0001"), ("0.00001", "1e-05"), ("-1.25", "-1.25")]
        {
            assert_eq!(shown(text, None), expected);
        }
        assert_eq!(shown("1234.5678", Some(3)), "1.23e+03");
        assert_eq!(shown("1234.5678", Some(6)), "1234.57");
        assert_eq!(shown("0", None), "0");
    }
}
