//! Numbers as HCL has them: binary floats of up to 512 bits, each operation rounded to the nearest even at the larger
//! precision of its operands, printed as the shortest decimal that reads back. So `0.1 + 0.2` is `0.3`, as in Packer.
//!
//! Source of the behaviour: Go's `big.Float`, on which cty builds.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use num_bigint::{BigInt, Sign};

/// Bits of a number that was written down.
const LITERAL_BITS: u64 = 512;

/// The largest binary exponent. Go's is a billion times larger, but nothing there is a number that a template means, and
/// writing it out would take the memory of the machine.
const MAX_EXPONENT: i64 = 32_768;

/// A number, or one of the infinities.
#[derive(Clone, Debug)]
pub enum Number {
    Finite(Finite),
    Infinite { negative: bool },
}

/// `mantissa * 2^exponent`. The mantissa is odd, or zero with exponent zero.
#[derive(Clone, Debug)]
pub struct Finite {
    mantissa: BigInt,
    exponent: i64,
    /// Bits that operations on it round to.
    bits: u64,
    /// Of a zero only: `-0`, which prints with its sign.
    minus_zero: bool,
}

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

    pub const ZERO: Self = Self::Finite(Finite::zero(64));

    /// `None` for what is not a number.
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_nan() {
            return None;
        }
        if value.is_infinite() {
            return Some(Self::Infinite { negative: value < 0.0 });
        }
        let raw = value.to_bits();
        let biased = i64::try_from(raw >> 52 & 0x7ff).unwrap_or(0);
        let fraction = raw & ((1 << 52) - 1);
        let (mantissa, exponent) = if biased == 0 { (fraction, -1074) } else { (fraction | 1 << 52, biased - 1075) };
        let mantissa = if value.is_sign_negative() { -BigInt::from(mantissa) } else { mantissa.into() };
        let mut made = rounded(mantissa, exponent, 53);
        if let Self::Finite(f) = &mut made {
            f.minus_zero = value == 0.0 && value.is_sign_negative();
        }
        Some(made)
    }

    /// The nearest 64-bit float.
    pub fn to_f64(&self) -> f64 {
        match self {
            Self::Infinite { negative } => {
                if *negative {
                    f64::NEG_INFINITY
                } else {
                    f64::INFINITY
                }
            }
            Self::Finite(f) => f.to_f64(),
        }
    }

    /// The integer, where it is one that fits.
    pub fn to_i64(&self) -> Option<i64> {
        let Self::Finite(f) = self else { return None };
        if f.exponent < 0 || f.exponent > 64 {
            return None;
        }
        i64::try_from(&f.mantissa << f.exponent).ok()
    }

    /// The integer as text of a base, lower case; `None` when it is no integer.
    pub fn to_radix(&self, radix: u32) -> Option<String> {
        let Self::Finite(f) = self else { return None };
        (f.exponent >= 0).then(|| (&f.mantissa << f.exponent).to_str_radix(radix))
    }

    pub fn to_usize(&self) -> Option<usize> {
        self.to_i64().and_then(|n| usize::try_from(n).ok())
    }

    pub fn is_integer(&self) -> bool {
        matches!(self, Self::Finite(f) if f.exponent >= 0)
    }

    pub fn is_zero(&self) -> bool {
        matches!(self, Self::Finite(f) if f.is_zero())
    }

    pub fn is_negative(&self) -> bool {
        match self {
            Self::Finite(f) => f.mantissa.sign() == Sign::Minus,
            Self::Infinite { negative } => *negative,
        }
    }

    /// Written with a minus sign: negative, or `-0`.
    pub fn has_sign(&self) -> bool {
        self.is_negative() || matches!(self, Self::Finite(f) if f.minus_zero)
    }

    #[must_use]
    pub fn negated(&self) -> Self {
        match self {
            Self::Finite(f) => {
                Self::Finite(Finite { mantissa: -&f.mantissa, minus_zero: f.is_zero() && !f.minus_zero, ..f.clone() })
            }
            Self::Infinite { negative } => Self::Infinite { negative: !negative },
        }
    }

    #[must_use]
    pub fn abs(&self) -> Self {
        match self {
            Self::Finite(f) if f.is_zero() => Self::Finite(Finite { minus_zero: false, ..f.clone() }),
            _ if self.is_negative() => self.negated(),
            _ => self.clone(),
        }
    }

    /// `None` for the sum of opposite infinities.
    pub fn plus(&self, other: &Self) -> Option<Self> {
        let (a, b) = match (self, other) {
            (Self::Finite(a), Self::Finite(b)) => (a, b),
            (Self::Infinite { negative: a }, Self::Infinite { negative: b }) => {
                return (a == b).then(|| self.clone());
            }
            (Self::Infinite { .. }, _) => return Some(self.clone()),
            (_, Self::Infinite { .. }) => return Some(other.clone()),
        };
        let exponent = a.exponent.min(b.exponent);
        let aligned = |f: &Finite| &f.mantissa << (f.exponent - exponent);
        Some(rounded(aligned(a) + aligned(b), exponent, a.bits.max(b.bits)))
    }

    /// `None` for the difference of equal infinities.
    pub fn minus(&self, other: &Self) -> Option<Self> {
        self.plus(&other.negated())
    }

    /// `None` for zero times infinity.
    pub fn times(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Finite(a), Self::Finite(b)) => {
                Some(rounded(&a.mantissa * &b.mantissa, a.exponent + b.exponent, a.bits.max(b.bits)))
            }
            _ if self.is_zero() || other.is_zero() => None,
            _ => Some(Self::Infinite { negative: self.is_negative() != other.is_negative() }),
        }
    }

    /// By zero it is infinity, as in Packer; `None` for zero by zero, and infinities by each other.
    pub fn divided_by(&self, other: &Self) -> Option<Self> {
        match (self, other) {
            (Self::Finite(a), Self::Finite(b)) if b.is_zero() => {
                (!a.is_zero()).then(|| Self::Infinite { negative: self.is_negative() != b.minus_zero })
            }
            (Self::Finite(a), Self::Finite(b)) => {
                Some(quotient(&a.mantissa, a.exponent, &b.mantissa, b.exponent, a.bits.max(b.bits)))
            }
            (Self::Finite(a), Self::Infinite { .. }) => Some(Self::Finite(Finite::zero(a.bits))),
            (Self::Infinite { .. }, Self::Finite(_)) => {
                Some(Self::Infinite { negative: self.is_negative() != other.is_negative() })
            }
            _ => None,
        }
    }

    /// What is left of a division that is cut off towards zero. As in cty: all is left of a division by zero, and with an
    /// infinity it is their product.
    pub fn remainder(&self, other: &Self) -> Option<Self> {
        if !matches!((self, other), (Self::Finite(_), Self::Finite(_))) {
            return self.times(other);
        }
        if other.is_zero() {
            return Some(self.clone());
        }
        let whole = self.divided_by(other)?.truncated();
        self.minus(&whole.times(other)?)
    }

    /// Without its fraction.
    #[must_use]
    pub fn truncated(&self) -> Self {
        match self {
            Self::Finite(f) if f.exponent < 0 => {
                let (sign, magnitude) = f.mantissa.clone().into_parts();
                let whole = BigInt::from_biguint(sign, magnitude >> f.exponent.unsigned_abs());
                rounded(whole, 0, f.bits)
            }
            _ => self.clone(),
        }
    }

    /// The nearest integer that is not larger.
    #[must_use]
    pub fn floor(&self) -> Self {
        let whole = self.truncated();
        if self.is_negative() && !self.is_integer() && matches!(self, Self::Finite(_)) {
            return whole.minus(&Self::from(1_i64)).unwrap_or(whole);
        }
        whole
    }

    /// The nearest integer that is not smaller.
    #[must_use]
    pub fn ceil(&self) -> Self {
        let whole = self.negated().floor().negated();
        if whole.is_zero() { whole.abs() } else { whole }
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
            let mut cut: num_bigint::BigUint = &scaled >> shift;
            let rest = &scaled - (&cut << shift);
            let half = num_bigint::BigUint::from(1_u8) << (shift - 1);
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

impl Finite {
    const fn zero(bits: u64) -> Self {
        Self { mantissa: BigInt::ZERO, exponent: 0, bits, minus_zero: false }
    }

    fn is_zero(&self) -> bool {
        self.mantissa.sign() == Sign::NoSign
    }

    fn to_f64(&self) -> f64 {
        // Subnormal floats have fewer bits.
        let size = i64::try_from(self.mantissa.bits()).unwrap_or(i64::MAX);
        let room = size.saturating_add(self.exponent).saturating_add(1074).min(53);
        if self.is_zero() || room < 0 {
            return if self.minus_zero { -0.0 } else { 0.0 };
        }
        let Number::Finite(near) = rounded(self.mantissa.clone(), self.exponent, room.unsigned_abs()) else {
            return 0.0;
        };
        let magnitude = u64::try_from(near.mantissa.magnitude()).unwrap_or(0);
        #[allow(clippy::cast_precision_loss)] // at most 53 bits
        let mantissa = if near.mantissa.sign() == Sign::Minus { -(magnitude as f64) } else { magnitude as f64 };
        // In two steps, as a power of two may itself be out of range.
        let half = near.exponent / 2;
        mantissa * power_of_two(half) * power_of_two(near.exponent - half)
    }
}

fn power_of_two(exponent: i64) -> f64 {
    2_f64.powi(i32::try_from(exponent.clamp(-1100, 1100)).unwrap_or(0))
}

/// `mantissa * 2^exponent` at so many bits, nearest even.
fn rounded(mantissa: BigInt, exponent: i64, bits: u64) -> Number {
    let (sign, mut magnitude) = mantissa.into_parts();
    let (mut exponent, size) = (exponent, magnitude.bits());
    if size > bits {
        let cut = size - bits;
        let up = magnitude.bit(cut - 1)
            && (magnitude.bit(cut) || magnitude.trailing_zeros().is_some_and(|zeros| zeros < cut - 1));
        magnitude >>= cut;
        if up {
            magnitude += 1_u8;
        }
        exponent += i64::try_from(cut).unwrap_or(i64::MAX);
    }
    let Some(zeros) = magnitude.trailing_zeros() else { return Number::Finite(Finite::zero(bits)) };
    magnitude >>= zeros;
    exponent += i64::try_from(zeros).unwrap_or(i64::MAX);
    let top = exponent.saturating_add(i64::try_from(magnitude.bits()).unwrap_or(i64::MAX));
    if top > MAX_EXPONENT {
        return Number::Infinite { negative: sign == Sign::Minus };
    }
    if top < -MAX_EXPONENT {
        return Number::Finite(Finite::zero(bits));
    }
    Number::Finite(Finite { mantissa: BigInt::from_biguint(sign, magnitude), exponent, bits, minus_zero: false })
}

fn quotient(a: &BigInt, a_exponent: i64, b: &BigInt, b_exponent: i64, bits: u64) -> Number {
    // Two bits more than are kept, and one that says whether anything is left over.
    let shift = (bits + 2 + b.bits()).saturating_sub(a.bits());
    let scaled = a << shift;
    let (whole, rest) = (&scaled / b, &scaled % b);
    let sticky = if rest.sign() == Sign::NoSign {
        BigInt::ZERO
    } else if (a.sign() == Sign::Minus) == (b.sign() == Sign::Minus) {
        1.into()
    } else {
        (-1).into()
    };
    let exponent = a_exponent - b_exponent - i64::try_from(shift).unwrap_or(i64::MAX) - 1;
    rounded((whole << 1_u8) + sticky, exponent, bits)
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        rounded(value.into(), 0, 64)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Self {
        rounded(value.into(), 0, 64)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let rank = |n: &Self| match n {
            Self::Finite(_) => 0,
            Self::Infinite { negative: true } => -1,
            Self::Infinite { negative: false } => 1,
        };
        let (Self::Finite(a), Self::Finite(b)) = (self, other) else { return rank(self).cmp(&rank(other)) };
        if a.mantissa.sign() != b.mantissa.sign() {
            return a.mantissa.sign().cmp(&b.mantissa.sign());
        }
        let exponent = a.exponent.min(b.exponent);
        (&a.mantissa << (a.exponent - exponent)).cmp(&(&b.mantissa << (b.exponent - exponent)))
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Number {}

impl Hash for Number {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Self::Finite(f) => (&f.mantissa, f.exponent).hash(state),
            Self::Infinite { negative } => negative.hash(state),
        }
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
            (magnitude * num_bigint::BigUint::from(5_u8).pow(power), f.exponent)
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
    let scale = |n: num_bigint::BigUint| {
        if exponent >= 0 {
            n << exponent.unsigned_abs()
        } else {
            n * num_bigint::BigUint::from(5_u8).pow(u32::try_from(exponent.unsigned_abs()).unwrap_or(u32::MAX))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn n(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn decimals_print_as_they_were_written() {
        for text in [
            "0",
            "1",
            "-1",
            "10",
            "0.1",
            "0.3",
            "1.5",
            "123456789012345678901234567890",
            "0.000001",
            "-0.25",
            "1000000",
            "9007199254740993",
            "3.14159265358979323846264338327950288",
        ] {
            assert_eq!(n(text).to_string(), text);
        }
        assert_eq!(n("1e3").to_string(), "1000");
        assert_eq!(n("1.50").to_string(), "1.5");
        assert_eq!(n("1e-7").to_string(), "0.0000001");
    }

    #[test]
    fn sums_of_decimals_are_decimals() {
        assert_eq!(n("0.1").plus(&n("0.2")).unwrap().to_string(), "0.3");
        assert_eq!(n("1.5").minus(&n("0.25")).unwrap().to_string(), "1.25");
        assert_eq!(n("2.5").times(&n("0.1")).unwrap().to_string(), "0.25");
        assert_eq!(n("7").remainder(&n("3")).unwrap().to_string(), "1");
        assert_eq!(n("-7").remainder(&n("3")).unwrap().to_string(), "-1");
        assert_eq!(n("5.5").remainder(&n("2")).unwrap().to_string(), "1.5");
        assert_eq!(n("-1").divided_by(&n("0")).unwrap().to_string(), "-Inf");
        assert_eq!(n("0").divided_by(&n("0")), None);
        assert_eq!(n("5").remainder(&n("0")).unwrap().to_string(), "5");
        assert!(n("1").divided_by(&n("3")).unwrap().to_string().starts_with("0.33333333333333333333333333333333"));
    }

    #[test]
    fn whole_parts() {
        for (text, floor, ceil) in [("1.5", "1", "2"), ("-1.5", "-2", "-1"), ("3", "3", "3"), ("-0.5", "-1", "0")] {
            assert_eq!(
                (n(text).floor().to_string(), n(text).ceil().to_string()),
                (floor.into(), ceil.into()),
                "{text}"
            );
        }
        assert_eq!(n("2.5").fixed(0), "2");
        assert_eq!(n("3.5").fixed(0), "4");
        assert_eq!(n("-1.255").fixed(2), "-1.25", "a little less than it is written");
        assert_eq!(n("12").fixed(3), "12.000");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "e5", "1e", "1.2.3", "0x1F", "1_000", "1e99999999999999999999", "Inf", " 1"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
        assert_eq!(n("1e-99999999999999999999").to_string(), "0");
        assert_eq!(Number::parse_radix("ff", 16), Some(n("255")));
        assert_eq!(Number::parse_radix("8", 8), None);
    }

    proptest! {
        #[test]
        fn floats_come_and_go(f in any::<f64>()) {
            if f.is_finite() {
                let number = Number::from_f64(f).unwrap();
                prop_assert_eq!(number.to_f64().to_bits(), f.to_bits());
                prop_assert_eq!(number.to_string().parse::<f64>().unwrap().to_bits(), f.to_bits());
            }
        }

        #[test]
        fn integers_are_exact(a in any::<i64>(), b in any::<i64>()) {
            let (x, y) = (n(&a.to_string()), n(&b.to_string()));
            prop_assert_eq!(x.plus(&y).unwrap().to_string(), (i128::from(a) + i128::from(b)).to_string());
            prop_assert_eq!(x.times(&y).unwrap().to_string(), (i128::from(a) * i128::from(b)).to_string());
            prop_assert_eq!(x.cmp(&y), a.cmp(&b));
            prop_assert_eq!(Number::from(a).to_i64(), Some(a));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+]?[0-9]{0,30}(\\.[0-9]{0,30})?([eE][-+]?[0-9]{0,6})?") {
            if let Some(number) = Number::parse(&text) {
                prop_assert_eq!(Number::parse(&number.to_string()), Some(number));
            }
        }
    }
}
