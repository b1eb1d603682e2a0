//! Text, numbers and booleans as Go reads and prints them.

/// Go's `ParseBool`.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// Go's `ParseInt` with base 0: `22`, `-5`, `0x16`, `0b1`, `0o17`, `017`, `1_000`.
pub(super) fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match () {
        () if lower.starts_with("0x") => (16, &lower[2..]),
        () if lower.starts_with("0b") => (2, &lower[2..]),
        () if lower.starts_with("0o") => (8, &lower[2..]),
        () if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        () => (10, lower.as_str()),
    };
    if digits.ends_with('_') || digits.contains("__") || !digits.starts_with(|c: char| c.is_ascii_hexdigit()) {
        return None;
    }
    let value = i128::from_str_radix(&digits.replace('_', ""), radix).ok()?;
    Some(if negative { -value } else { value })
}

/// A JSON number as text: decimal, without exponent, as Go prints the number that it read; whole numbers as written.
pub(super) fn number_text(written: &str) -> String {
    if written.strip_prefix('-').unwrap_or(written).bytes().all(|b| b.is_ascii_digit()) {
        return written.to_owned();
    }
    match written.parse::<f64>() {
        Ok(n) if n.is_finite() => format!("{n}"),
        _ => written.to_owned(),
    }
}

/// A JSON number as a whole one. `Err` holds what is left when a fraction is cut off, as Packer does.
pub(super) fn whole(written: &str) -> Option<Result<i128, i128>> {
    if let Ok(n) = written.parse::<i128>() {
        return Some(Ok(n));
    }
    let n = written.parse::<f64>().ok().filter(|n| n.is_finite() && n.abs() < 1e18)?;
    #[allow(clippy::cast_possible_truncation)] // bounded above
    let cut = n.trunc() as i128;
    #[allow(clippy::float_cmp)] // whether there is any fraction at all
    Some(if n.trunc() == n { Ok(cut) } else { Err(cut) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_go_s() {
        for (text, value) in [
            ("1", Some(true)),
            ("t", Some(true)),
            ("TRUE", Some(true)),
            ("True", Some(true)),
            ("0", Some(false)),
            ("F", Some(false)),
            ("false", Some(false)),
            ("yes", None),
            ("tRUE", None),
            ("", None),
            (" true", None),
        ] {
            assert_eq!(boolean(text), value, "{text:?}");
        }
    }

    #[test]
    fn whole_numbers_know_their_base() {
        for (text, value) in [
            ("22", Some(22)),
            ("-5", Some(-5)),
            ("+5", Some(5)),
            ("0x16", Some(22)),
            ("0X1F", Some(31)),
            ("0b101", Some(5)),
            ("0o17", Some(15)),
            ("017", Some(15)),
            ("0", Some(0)),
            ("1_000", Some(1000)),
            ("1__0", None),
            ("_1", None),
            ("08", None),
            ("", None),
            ("-", None),
            ("0x", None),
            ("1.5", None),
            ("--1", None),
            ("é", None),
        ] {
            assert_eq!(integer(text), value, "{text:?}");
        }
    }

    #[test]
    fn numbers_become_text_without_an_exponent() {
        for (written, text) in [
            ("123456789012", "123456789012"),
            ("-7", "-7"),
            ("1e3", "1000"),
            ("1.50", "1.5"),
            ("1E21", "1000000000000000000000"),
            ("10.0", "10"),
            ("0.000001", "0.000001"),
        ] {
            assert_eq!(number_text(written), text, "{written}");
        }
    }

    #[test]
    fn fractions_are_cut_off_and_told() {
        assert_eq!(whole("8"), Some(Ok(8)));
        assert_eq!(whole("8.0"), Some(Ok(8)));
        assert_eq!(whole("8.9"), Some(Err(8)));
        assert_eq!(whole("-8.9"), Some(Err(-8)));
        assert_eq!(whole("1e400"), None);
    }
}
