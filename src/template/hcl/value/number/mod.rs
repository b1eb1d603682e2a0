//! Numbers as HCL has them: binary floats of up to 512 bits, each operation rounded to the nearest even at the larger
//! precision of its operands, printed as the shortest decimal that reads back. So `0.1 + 0.2` is `0.3`, as in Packer.
//!
//! Source of the behaviour: Go's `big.Float`, on which cty builds.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use num_bigint::{BigInt, Sign};

mod decimal;
#[cfg(test)]
mod tests;

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
