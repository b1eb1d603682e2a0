//! Sets: sorted, each element once.

use std::cmp::Ordering;
use std::fmt::Write as _;

use super::{Kind, Type, Value};

pub(super) fn make(element: Type, elements: impl IntoIterator<Item = Value>) -> Value {
    let mut sensitive = false;
    let mut keyed: Vec<(String, Value)> = Vec::new();
    for value in elements {
        sensitive |= value.holds_sensitive();
        let mut key = String::new();
        if !element.is_primitive() {
            write_key(&value, &mut key);
        }
        keyed.push((key, value.revealed()));
    }
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| order(&a.1, &b.1)));
    // Two unknown values may become different ones.
    keyed.dedup_by(|a, b| a.1.is_wholly_known() && a.1 == b.1);
    Value::of(Kind::Set(element, keyed.into_iter().map(|(_, v)| v).collect())).mark(sensitive)
}

/// Primitive values by what they mean, then unknown ones, then null. Of others the key has decided.
fn order(a: &Value, b: &Value) -> Ordering {
    let rank = |v: &Value| match v.kind {
        Kind::Null(_) => 2,
        Kind::Unknown(_) => 1,
        _ => 0,
    };
    match (&a.kind, &b.kind) {
        (Kind::String(a), Kind::String(b)) => a.cmp(b),
        (Kind::Number(a), Kind::Number(b)) => a.cmp(b),
        (Kind::Bool(a), Kind::Bool(b)) => a.cmp(b),
        _ => rank(a).cmp(&rank(b)),
    }
}

/// What cty sorts sets of lists, maps and objects by. The order has no meaning, but the same template gives the same one.
fn write_key(value: &Value, key: &mut String) {
    let mut list = |open: char, close: char, values: &mut dyn Iterator<Item = &Value>| {
        key.push(open);
        for value in values {
            write_key(value, key);
            key.push(';');
        }
        key.push(close);
    };
    match &value.kind {
        Kind::Unknown(_) => key.push('?'),
        Kind::Null(_) => key.push('~'),
        Kind::Bool(b) => key.push(if *b { 'T' } else { 'F' }),
        Kind::Number(n) => key.push_str(&n.to_string()),
        // Writing to a string cannot fail.
        Kind::String(s) => drop(write!(key, "{s:?}")),
        Kind::List(_, elements) | Kind::Set(_, elements) => list('[', ']', &mut elements.iter()),
        Kind::Tuple(elements) => list('<', '>', &mut elements.iter()),
        Kind::Object(map) => list('<', '>', &mut map.values()),
        Kind::Map(_, map) => {
            key.push('{');
            for (name, value) in map.iter() {
                let _ = write!(key, "{name:?}:");
                write_key(value, key);
                key.push(';');
            }
            key.push('}');
        }
    }
}
