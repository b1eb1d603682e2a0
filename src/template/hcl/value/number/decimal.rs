//! Numbers as decimal text: read, and written exactly, in short or rounded.

use std::fmt;

use num_bigint::{BigInt, BigUint, Sign};

use super::{Finite, LITERAL_BITS, Number, quotient, rounded};

impl Number {
    /// A decimal: digits with an optional sign, fraction and exponent. `None` when badly written or out of range.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (digits, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => {
                let written = &unsigned[at + 1..];
                let plain = written.strip_prefix(['+', '-']).unwrap_or(written);
                if plain.is_empty() || !plain.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                // Beyond an `i64` it is beyond every range.
                let sign = if written.starts_with('-') { i64::MIN } else { i64::MAX };
                (&unsigned[..at], written.parse().unwrap_or(sign))
            }
            None => (unsigned, 0_i64),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let all: String = [whole, fraction].concat();
        if all.is_empty() || !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mantissa = BigInt::parse_bytes(all.as_bytes(), 10)?;
        if mantissa.sign() == Sign::NoSign {
            return Some(Self::Finite(Finite { minus_zero: negative, ..Finite::zero(LITERAL_BITS) }));
        }
        let mantissa = if negative { -mantissa } else { mantissa };
        let exponent = exponent.saturating_sub(i64::try_from(fraction.len()).ok()?);
        // log10(2^32768) is 9864.
        let magnitude = exponent.saturating_add(i64::try_from(all.trim_start_matches('0').len()).ok()?);
        if magnitude > 9_900 {
            return None;
        }
        if magnitude < -9_900 {
            return Some(Self::Finite(Finite::zero(LITERAL_BITS)));
        }
        // invariant: within bounds that a `u32` holds, as the length of a text that is in memory bounds the other end.
        let power = u32::try_from(exponent.unsigned_abs()).ok()?;
        let found = if exponent >= 0 {
            rounded(mantissa * BigInt::from(10).pow(power), 0, LITERAL_BITS)
        } else {
            quotient(&mantissa, 0, &BigInt::from(10).pow(power), 0, LITERAL_BITS)
        };
        matches!(found, Self::Finite(_)).then_some(found)
    }

    /// An integer in the digits of a base from 2 to 36, with an optional sign.
    pub fn parse_radix(text: &str, radix: u32) -> Option<Self> {
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        if unsigned.is_empty() || !unsigned.chars().all(|c| c.is_digit(radix)) {
            return None;
        }
        let mantissa = BigInt::parse_bytes(unsigned.as_bytes(), radix)?;
        let mantissa = if text.starts_with('-') { -mantissa } else { mantissa };
        let bits = mantissa.bits().max(64);
        Some(rounded(mantissa, 0, bits)).filter(|n| matches!(n, Self::Finite(_)))
    }

    /// The fixed form with so many digits after the point, rounded to the nearest, halves to even: Go's `%.*f`.
    pub fn fixed(&self, digits: usize) -> String {
        let Self::Finite(f) = self else { return self.to_string() };
        let (power, negative) = (u32::try_from(digits).unwrap_or(u32::MAX), self.is_negative() || f.minus_zero);
        let scaled = f.mantissa.magnitude() * BigInt::from(10).magnitude().pow(power);
        let whole = if f.exponent >= 0 {
            scaled << f.exponent.unsigned_abs()
        } else {
            let shift = f.exponent.unsigned_abs();
            let mut cut: BigUint = &scaled >> shift;
            let rest = &scaled - (&cut << shift);
            let half = BigUint::from(1_u8) << (shift - 1);
            if rest > half || (rest == half && cut.bit(0)) {
                cut += 1_u8;
            }
            cut
        };
        let mut text = format!("{:0>width$}", whole.to_str_radix(10), width = digits + 1);
        if digits > 0 {
            text.insert(text.len() - digits, '.');
        }
        if negative { format!("-{text}") } else { text }
    }
}

/// The shortest decimal that reads back as the same number at its precision, without an exponent.
impl fmt::Display for Number {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let f = match self {
            Self::Infinite { negative } => return out.write_str(if *negative { "-Inf" } else { "+Inf" }),
            Self::Finite(f) if f.is_zero() => return out.write_str(if f.minus_zero { "-0" } else { "0" }),
            Self::Finite(f) => f,
        };
        if f.mantissa.sign() == Sign::Minus {
            out.write_str("-")?;
        }
        let (digits, point) = shortest(f);
        let zeros = |n: usize| "0".repeat(n);
        match usize::try_from(point) {
            Ok(point) if point >= digits.len() => write!(out, "{digits}{}", zeros(point - digits.len())),
            Ok(point) if point > 0 => write!(out, "{}.{}", &digits[..point], &digits[point..]),
            _ => write!(out, "0.{}{digits}", zeros(usize::try_from(-point).unwrap_or(0))),
        }
    }
}

impl Number {
    /// The digits of the shortest decimal without zeros around them, and how many of them stand before the point.
    pub fn shortest_digits(&self) -> Option<(String, i64)> {
        match self {
            Self::Finite(f) if !f.is_zero() => Some(shortest(f)),
            _ => None,
        }
    }

    /// As [`Self::shortest_digits`], of at most so many digits: rounded to the nearest, halves to even.
    pub fn digits(&self, most: usize) -> Option<(String, i64)> {
        let Self::Finite(f) = self else { return None };
        if f.is_zero() {
            return None;
        }
        let magnitude = f.mantissa.magnitude();
        let (exact, after) = if f.exponent >= 0 {
            (magnitude << f.exponent.unsigned_abs(), 0)
        } else {
            let power = u32::try_from(f.exponent.unsigned_abs()).unwrap_or(u32::MAX);
            (magnitude * BigUint::from(5_u8).pow(power), f.exponent)
        };
        let all = exact.to_str_radix(10).into_bytes();
        let mut point = i64::try_from(all.len()).unwrap_or(i64::MAX) + after;
        let mut kept = all.clone();
        kept.truncate(most);
        if let Some(next) = all.get(most) {
            let half = *next == b'5' && all[most + 1..].iter().all(|b| *b == b'0');
            let odd = kept.last().is_some_and(|b| b % 2 == 1);
            if if half { odd } else { *next >= b'5' } {
                point += i64::from(increment(&mut kept));
            }
        }
        let end = kept.iter().rposition(|b| *b != b'0').map_or(1, |at| at + 1);
        kept.truncate(end);
        Some((kept.into_iter().map(char::from).collect(), point))
    }
}

/// Steele and White's choice, as Go makes it: digits of the number up to the first at which it leaves the digits of the
/// half-way points to its neighbours.
fn shortest(f: &Finite) -> (String, i64) {
    let magnitude = f.mantissa.magnitude();
    let spread = f.bits.saturating_sub(magnitude.bits()) + 1;
    let (middle, exponent) = (magnitude << spread, f.exponent - i64::try_from(spread).unwrap_or(0));
    let inclusive = !middle.bit(1);
    // All three as integers of one power of ten.
    let scale = |n: BigUint| {
        if exponent >= 0 {
            n << exponent.unsigned_abs()
        } else {
            n * BigUint::from(5_u8).pow(u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX))
        }
    };
    let texts = [scale(&middle - 1_u8), scale(middle.clone()), scale(&middle + 1_u8)].map(|n| n.to_str_radix(10));
    let width = texts.iter().map(String::len).max().unwrap_or(0);
    let [lower, digits, upper] = texts.map(|t| format!("{t:0>width$}").into_bytes());
    let trimmed = |d: &[u8]| d.iter().rposition(|b| *b != b'0').map_or(0, |at| at + 1);
    let (low_end, end, high_end) = (trimmed(&lower), trimmed(&digits), trimmed(&upper));
    let mut kept = digits[..end].to_vec();
    let mut carried = false;
    for i in 0..end {
        let (l, d, u) = (lower[i], digits[i], upper[i]);
        let down = l != d || (inclusive && i + 1 == low_end);
        let up = d != u && (inclusive || d + 1 < u || i + 1 < high_end);
        let round_up = match (down, up) {
            (false, false) => continue,
            (true, false) => false,
            (false, true) => true,
            (true, true) => match digits.get(i + 1).copied().unwrap_or(b'0') {
                b'5' if i + 2 == end => d % 2 == 1,
                next => next >= b'5',
            },
        };
        kept = digits[..=i].to_vec();
        if round_up {
            carried = increment(&mut kept);
        }
        break;
    }
    let after = if exponent >= 0 { 0 } else { exponent };
    let point = i64::try_from(width).unwrap_or(i64::MAX) + after + i64::from(carried);
    let leading = kept.iter().take_while(|b| **b == b'0').count();
    kept.truncate(trimmed(&kept));
    let kept = kept.get(leading..).unwrap_or_default().iter().map(|b| char::from(*b)).collect();
    (kept, point - i64::try_from(leading).unwrap_or(0))
}

/// The next decimal; whether it has one digit more.
fn increment(digits: &mut Vec<u8>) -> bool {
    for digit in digits.iter_mut().rev() {
        if *digit < b'9' {
            *digit += 1;
            return false;
        }
        *digit = b'0';
    }
    digits.insert(0, b'1');
    true
}
