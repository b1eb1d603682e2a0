//! Numbers.

use super::{Call, Called, Function, FunctionError, Wish, function, takes};
use crate::template::hcl::value::{Number, Type, Value, convert};

pub(super) const FUNCTIONS: &[Function] = &[
    function("abs", &[takes("num", Wish::Number)], Wish::Number, |c| Ok(Value::number(c.number(0).abs()))),
    function("ceil", &[takes("num", Wish::Number)], Wish::Number, |c| Ok(Value::number(c.number(0).ceil()))),
    function("floor", &[takes("num", Wish::Number)], Wish::Number, |c| Ok(Value::number(c.number(0).floor()))),
    function("log", &[takes("num", Wish::Number), takes("base", Wish::Number)], Wish::Number, |c| {
        float(c.number(0).to_f64().ln() / c.number(1).to_f64().ln())
    }),
    function("pow", &[takes("num", Wish::Number), takes("power", Wish::Number)], Wish::Number, |c| {
        float(c.number(0).to_f64().powf(c.number(1).to_f64()))
    }),
    function("max", &[], Wish::Number, |c| most(c, Number::gt)).and(takes("numbers", Wish::Number)),
    function("min", &[], Wish::Number, |c| most(c, Number::lt)).and(takes("numbers", Wish::Number)),
    function("signum", &[takes("num", Wish::Number)], Wish::Number, |c| Ok(c.integer(0)?.signum().into())),
    function("parseint", &[takes("number", Wish::Any), takes("base", Wish::Number)], Wish::Number, parseint),
    function("sum", &[takes("list", Wish::Any)], Wish::Number, sum),
];

/// As Packer, `log` and `pow` are of 64-bit floats.
fn float(value: f64) -> Called {
    Number::from_f64(value).map(Value::number).ok_or_else(|| FunctionError::new("the result is not a real number"))
}

fn most(call: &Call<'_>, better: fn(&Number, &Number) -> bool) -> Called {
    let mut numbers = call.arguments.iter().filter_map(Value::as_number);
    let first = numbers.next().ok_or_else(|| FunctionError::new("at least one number is required"))?;
    Ok(Value::number(numbers.fold(first, |best, n| if better(n, best) { n } else { best }).clone()))
}

fn parseint(call: &Call<'_>) -> Called {
    let Some(text) = call.value(0).as_str() else {
        let found = call.value(0).type_of().described();
        return Err(FunctionError::at(0, format!("a string is required, and this is {found}")));
    };
    let base = call.number(1).to_i64().and_then(|b| u32::try_from(b).ok()).filter(|b| (2..=62).contains(b));
    let base = base.ok_or_else(|| FunctionError::at(1, "the base must be a whole number from 2 to 62"))?;
    parse_digits(text, base)
        .map(Value::number)
        .ok_or_else(|| FunctionError::at(0, format!("{text:?} is not a whole number of base {base}")))
}

/// Above base 36 capital letters are digits of their own, after the small ones.
fn parse_digits(text: &str, base: u32) -> Option<Number> {
    if base <= 36 {
        return Number::parse_radix(text, base);
    }
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let mut number = None;
    for c in digits.chars() {
        let digit = match c {
            '0'..='9' => u32::from(c) - u32::from('0'),
            'a'..='z' => u32::from(c) - u32::from('a') + 10,
            'A'..='Z' => u32::from(c) - u32::from('A') + 36,
            _ => return None,
        };
        if digit >= base {
            return None;
        }
        // 512 bits from the start, so that nothing is rounded before they are full.
        let so_far: Number = number.map_or_else(|| Number::parse("0"), Some)?;
        number = Some(so_far.times(&Number::from(i64::from(base)))?.plus(&Number::from(i64::from(digit)))?);
    }
    number.map(|n| if text.starts_with('-') { n.negated() } else { n })
}

fn sum(call: &Call<'_>) -> Called {
    let numbers = || FunctionError::at(0, "this must be a list, set or tuple of numbers");
    let elements = call.value(0).elements().ok_or_else(numbers)?;
    let mut total: Option<Number> = None;
    for element in elements.iter() {
        let number = convert(element, &Type::Number).map_err(|_| numbers())?;
        let number = number.as_number().ok_or_else(numbers)?;
        total = Some(match total {
            None => number.clone(),
            Some(total) => total.plus(number).ok_or_else(|| FunctionError::new("opposite infinities have no sum"))?,
        });
    }
    total.map(Value::number).ok_or_else(|| FunctionError::at(0, "an empty list has no sum"))
}
