//! Lists, sets and maps, one at a time.

use super::{Call, Called, Function, FunctionError, Wish, function, takes, within_elements};
use crate::template::hcl::value::{Kind, Number, Type, Value, convert, unify_unsafe};

const LIST: &[super::Parameter] = &[takes("list", Wish::List)];

const ANY: &[super::Parameter] = &[takes("list", Wish::Any)];

pub(super) const FUNCTIONS: &[Function] = &[
    function("alltrue", &[takes("list", Wish::Bools)], Wish::Bool, |c| {
        Ok(c.elements(0).iter().all(|v| v.as_bool() == Some(true)).into())
    }),
    function("anytrue", &[takes("list", Wish::Bools)], Wish::Bool, |c| {
        Ok(c.elements(0).iter().any(|v| v.as_bool() == Some(true)).into())
    }),
    function("chunklist", &[takes("list", Wish::List), takes("size", Wish::Number)], Wish::Any, chunklist).moving(),
    function("compact", &[takes("list", Wish::Strings)], Wish::Strings, |c| {
        Ok(Value::list(
            Type::String,
            c.elements(0).iter().filter(|v| v.as_str().is_some_and(|s| !s.is_empty())).cloned(),
        ))
    }),
    function("contains", &[takes("list", Wish::Any), takes("value", Wish::Any)], Wish::Bool, contains),
    function("distinct", LIST, Wish::Any, |c| Ok(distinct(c))),
    function("element", &[takes("list", Wish::Any), takes("index", Wish::Number)], Wish::Any, element).moving(),
    function("flatten", ANY, Wish::Any, flatten).moving(),
    function("index", &[takes("list", Wish::Any), takes("value", Wish::Any)], Wish::Number, index),
    function("keys", &[takes("inputMap", Wish::Any)], Wish::Any, keys).moving(),
    function("lookup", LOOKUP, Wish::Any, lookup).moving(),
    function("range", &[], Wish::Any, range).and(takes("params", Wish::Number)),
    function("reverse", ANY, Wish::Any, reverse).moving(),
    function("slice", SLICE, Wish::Any, slice).moving(),
    function("sort", &[takes("list", Wish::Strings)], Wish::Strings, sort),
    function("values", &[takes("mapping", Wish::Any)], Wish::Any, values).moving(),
];

const LOOKUP: &[super::Parameter] =
    &[takes("inputMap", Wish::Any), takes("key", Wish::String), takes("default", Wish::Any)];

const SLICE: &[super::Parameter] =
    &[takes("list", Wish::Any), takes("start_index", Wish::Number), takes("end_index", Wish::Number)];

/// An error about an argument that is none of the wanted types.
pub(super) fn wrong(index: usize, wanted: &str, value: &Value) -> FunctionError {
    FunctionError::at(index, format!("this must be {wanted}, and it is {}", value.type_of().described()))
}

fn element_type(value: &Value) -> Type {
    value.type_of().element().cloned().unwrap_or(Type::Any)
}

fn chunklist(call: &Call<'_>) -> Called {
    let (elements, size) = (call.elements(0), call.integer(1)?);
    let size = usize::try_from(size).map_err(|_| FunctionError::at(1, "the size must not be negative"))?;
    let list = element_type(call.value(0));
    // Of size 0: one chunk with all.
    let size = if size == 0 { elements.len().max(1) } else { size };
    let chunks: Vec<_> = elements.chunks(size).map(|c| Value::list(list.clone(), c.iter().cloned())).collect();
    Ok(Value::list(Type::list(list), chunks))
}

fn contains(call: &Call<'_>) -> Called {
    let elements = call.value(0).elements().ok_or_else(|| wrong(0, "a list, set or tuple", call.value(0)))?;
    Ok(elements.iter().any(|v| v.equals(call.value(1)).as_bool() == Some(true)).into())
}

fn distinct(call: &Call<'_>) -> Value {
    let mut kept: Vec<Value> = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for value in call.elements(0) {
        let new = match value.kind() {
            Kind::String(text) => seen.insert(text.to_string()),
            _ => !kept.contains(value),
        };
        if new {
            kept.push(value.clone());
        }
    }
    Value::list(element_type(call.value(0)), kept)
}

/// Counts on from the start after the end, and from the end when negative.
fn element(call: &Call<'_>) -> Called {
    let value = call.value(0);
    let (Kind::List(_, elements) | Kind::Tuple(elements)) = value.kind() else {
        return Err(wrong(0, "a list or tuple", value));
    };
    let count = i64::try_from(elements.len()).unwrap_or(i64::MAX);
    if count == 0 {
        return Err(FunctionError::at(0, "an empty list has no elements"));
    }
    let index = call.integer(1)?.rem_euclid(count);
    Ok(usize::try_from(index).ok().and_then(|i| elements.get(i)).cloned().unwrap_or(Value::NULL))
}

fn flatten(call: &Call<'_>) -> Called {
    /// Whether all of it is known.
    fn add(value: &Value, sensitive: bool, to: &mut Vec<Value>) -> Result<bool, FunctionError> {
        let sensitive = sensitive || value.is_sensitive();
        match value.kind() {
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
                let mut known = true;
                for element in elements.iter() {
                    known &= add(element, sensitive, to)?;
                }
                Ok(known)
            }
            // It may turn out to be a list.
            Kind::Unknown(Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_)) => Ok(false),
            _ => {
                to.push(value.clone().mark(sensitive));
                within_elements(to.len())?;
                Ok(true)
            }
        }
    }
    if call.value(0).elements().is_none() {
        return Err(wrong(0, "a list, set or tuple", call.value(0)));
    }
    let mut flat = Vec::new();
    let known = add(call.value(0), false, &mut flat)?;
    Ok(if known { Value::tuple(flat) } else { Value::unknown(Type::Any) })
}

fn index(call: &Call<'_>) -> Called {
    let (Kind::List(_, elements) | Kind::Tuple(elements)) = call.value(0).kind() else {
        return Err(wrong(0, "a list or tuple", call.value(0)));
    };
    if elements.is_empty() {
        return Err(FunctionError::at(0, "an empty list holds no value"));
    }
    let found = elements.iter().position(|v| v.equals(call.value(1)).as_bool() == Some(true));
    found
        .map(|i| Value::number(Number::from(i)))
        .ok_or_else(|| FunctionError::at(1, "the list does not hold this value"))
}

fn keys(call: &Call<'_>) -> Called {
    let names = |map: &crate::template::hcl::value::Attributes| -> Vec<Value> {
        map.keys().map(|k| Value::string(k.clone())).collect()
    };
    match call.value(0).kind() {
        Kind::Map(_, map) => Ok(Value::list(Type::String, names(map))),
        Kind::Object(map) => Ok(Value::tuple(names(map))),
        _ => Err(wrong(0, "a map or object", call.value(0))),
    }
}

fn values(call: &Call<'_>) -> Called {
    match call.value(0).kind() {
        Kind::Map(element, map) => Ok(Value::list(element.clone(), map.values().cloned())),
        Kind::Object(map) => Ok(Value::tuple(map.values().cloned())),
        _ => Err(wrong(0, "a map or object", call.value(0))),
    }
}

fn lookup(call: &Call<'_>) -> Called {
    let (key, default) = (call.text(1), call.value(2));
    match call.value(0).kind() {
        Kind::Object(map) => Ok(map.get(key).unwrap_or(default).clone()),
        Kind::Map(element, map) => {
            let default = convert(default, element)
                .map_err(|_| FunctionError::at(2, format!("the elements of the map are {element}, and this is not")))?;
            Ok(map.get(key).unwrap_or(&default).clone())
        }
        _ => Err(wrong(0, "a map or object", call.value(0))),
    }
}

/// As cty: never more than so many numbers.
const MAX_RANGE: usize = 1024;

fn range(call: &Call<'_>) -> Called {
    let zero = Number::ZERO;
    let one = |down: bool| Number::from(if down { -1_i64 } else { 1 });
    let (start, end, step) = match call.arguments.len() {
        1 => (zero, call.number(0).clone(), one(call.number(0).is_negative())),
        2 => (call.number(0).clone(), call.number(1).clone(), one(call.number(1) < call.number(0))),
        3 => (call.number(0).clone(), call.number(1).clone(), call.number(2).clone()),
        _ => return Err(FunctionError::new("one, two or three numbers are required: [start,] end[, step]")),
    };
    let down = step.is_negative();
    if down && end > start {
        return Err(FunctionError::at(1, "the end must be less than the start, as the step is negative"));
    }
    if !down && end < start {
        return Err(FunctionError::at(1, "the end must be greater than the start, as the step is positive"));
    }
    let (mut numbers, mut at) = (Vec::new(), start);
    while if down { at > end } else { at < end } {
        if numbers.len() >= MAX_RANGE {
            return Err(FunctionError::new(format!("this would make more than {MAX_RANGE} numbers")));
        }
        numbers.push(Value::number(at.clone()));
        at = at.plus(&step).ok_or_else(|| FunctionError::new("infinities have no range"))?;
    }
    Ok(Value::list(Type::Number, numbers))
}

fn reverse(call: &Call<'_>) -> Called {
    match call.value(0).kind() {
        Kind::List(t, elements) | Kind::Set(t, elements) => Ok(Value::list(t.clone(), elements.iter().rev().cloned())),
        Kind::Tuple(elements) => Ok(Value::tuple(elements.iter().rev().cloned())),
        _ => Err(wrong(0, "a list, set or tuple", call.value(0))),
    }
}

fn slice(call: &Call<'_>) -> Called {
    let value = call.value(0);
    let (Kind::List(_, elements) | Kind::Tuple(elements)) = value.kind() else {
        return Err(wrong(0, "a list or tuple", value));
    };
    let (start, end) = (call.integer(1)?, call.integer(2)?);
    let start = usize::try_from(start).map_err(|_| FunctionError::at(1, "this must not be negative"))?;
    let end = usize::try_from(end).map_err(|_| FunctionError::at(2, "this must not be negative"))?;
    if end > elements.len() {
        return Err(FunctionError::at(2, format!("the list has {} elements only", elements.len())));
    }
    let part = elements.get(start..end).ok_or_else(|| FunctionError::at(1, "the start must not be after the end"))?;
    Ok(match value.kind() {
        Kind::List(t, _) => Value::list(t.clone(), part.iter().cloned()),
        _ => Value::tuple(part.iter().cloned()),
    })
}

/// By the bytes of the strings.
fn sort(call: &Call<'_>) -> Called {
    let mut sorted: Vec<&str> = Vec::new();
    for (at, element) in call.elements(0).iter().enumerate() {
        sorted.push(element.as_str().ok_or_else(|| FunctionError::at(0, format!("element {at} is null")))?);
    }
    sorted.sort_unstable();
    Ok(Value::list(Type::String, sorted.into_iter().map(Value::from)))
}

/// The type that elements of all of these have; no type where they have none in common.
pub(super) fn common<'a>(values: impl Iterator<Item = &'a Value>) -> Option<Type> {
    let types: Vec<_> = values.map(Value::type_of).collect();
    if types.is_empty() { Some(Type::Any) } else { unify_unsafe(&types) }
}
