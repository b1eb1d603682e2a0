//! Several lists, sets and maps to one.

use super::collection::{common, wrong};
use super::{Call, Called, Function, FunctionError, Wish, function, takes, takes_null, within_elements};
use crate::template::hcl::value::{Attributes, Kind, MAX_SIZE, Type, Value, convert, unify_unsafe};

pub(super) const FUNCTIONS: &[Function] = &[
    function("coalesce", &[], Wish::Any, coalesce).and(takes_null("vals", Wish::Any)).moving(),
    function("coalescelist", &[], Wish::Any, coalescelist).and(takes_null("vals", Wish::Any)).moving(),
    function("concat", &[], Wish::Any, concat).and(takes("seqs", Wish::Any)).moving(),
    function("merge", &[], Wish::Any, merge).and(takes_null("maps", Wish::Any)).moving(),
    function("setintersection", &[takes("first_set", Wish::Set)], Wish::Any, intersection)
        .and(takes("other_sets", Wish::Set)),
    function("setproduct", &[], Wish::Any, product).and(takes("sets", Wish::Any)).moving(),
    function("setunion", &[takes("first_set", Wish::Set)], Wish::Any, union).and(takes("other_sets", Wish::Set)),
    function("zipmap", &[takes("keys", Wish::Strings), takes("values", Wish::Any)], Wish::Any, zipmap).moving(),
];

fn coalesce(call: &Call<'_>) -> Called {
    if call.arguments.is_empty() {
        return Err(FunctionError::new("at least one value is required"));
    }
    let ty = common(call.arguments.iter())
        .ok_or_else(|| FunctionError::new("the values must be of one type, and these have none in common"))?;
    for (index, value) in call.arguments.iter().enumerate() {
        let value = convert(value, &ty).map_err(|e| FunctionError::at(index, e.to_string()))?;
        if !value.is_null() && value.as_str() != Some("") {
            return Ok(value);
        }
    }
    Err(FunctionError::new("all values are null or empty strings"))
}

fn coalescelist(call: &Call<'_>) -> Called {
    for (index, value) in call.arguments.iter().enumerate() {
        if !matches!(value.type_of(), Type::List(_) | Type::Tuple(_)) {
            return Err(wrong(index, "a list or tuple", value));
        }
    }
    let found = call.arguments.iter().find(|v| !v.is_null() && !v.is_empty());
    found.cloned().ok_or_else(|| FunctionError::new("all lists are null or empty"))
}

fn concat(call: &Call<'_>) -> Called {
    let mut all = Vec::new();
    for (index, value) in call.arguments.iter().enumerate() {
        let (Kind::List(_, elements) | Kind::Tuple(elements)) = value.kind() else {
            return Err(wrong(index, "a list or tuple", value));
        };
        within_elements(all.len() + elements.len())?;
        all.extend(elements.iter().cloned());
    }
    let types: Vec<_> = call.arguments.iter().map(Value::type_of).collect();
    if !types.is_empty() && types.iter().all(|t| matches!(t, Type::List(_))) {
        let joined = unify_unsafe(&types).and_then(|t| convert(&Value::tuple(all.iter().cloned()), &t).ok());
        if let Some(joined) = joined {
            return Ok(joined);
        }
    }
    Ok(Value::tuple(all))
}

/// Maps of one type to a map, all else to an object. Null is an empty map.
fn merge(call: &Call<'_>) -> Called {
    let (mut merged, mut types) = (Attributes::new(), Vec::new());
    for (index, value) in call.arguments.iter().enumerate() {
        if value.is_null() {
            continue;
        }
        let Some(map) = value.attributes() else { return Err(wrong(index, "a map or object", value)) };
        within_elements(merged.len() + map.len())?;
        merged.extend(map.iter().map(|(k, v)| (k.clone(), v.clone())));
        types.push(value.type_of());
    }
    Ok(match types.first() {
        None => Value::NULL,
        Some(Type::Map(element)) if types.iter().all(|t| *t == types[0]) => Value::map((**element).clone(), merged),
        Some(_) => Value::object(merged),
    })
}

/// All sets with elements of one type.
fn sets(call: &Call<'_>) -> Result<(Type, Vec<Value>), FunctionError> {
    let apart = || FunctionError::new("the sets must have elements of one type, and these have none in common");
    // An empty one has no type to agree about.
    let types: Vec<_> = call.arguments.iter().filter(|v| !v.is_empty()).map(Value::type_of).collect();
    let ty = if types.is_empty() { Type::set(Type::Any) } else { unify_unsafe(&types).ok_or_else(apart)? };
    let sets: Result<Vec<_>, _> = call.arguments.iter().map(|v| convert(v, &ty).map_err(|_| apart())).collect();
    Ok((ty.element().cloned().unwrap_or(Type::Any), sets?))
}

fn union(call: &Call<'_>) -> Called {
    let (element, sets) = sets(call)?;
    within_elements(sets.iter().filter_map(Value::len).sum())?;
    Ok(Value::set(element, sets.iter().flat_map(Value::parts).cloned()))
}

fn intersection(call: &Call<'_>) -> Called {
    let (element, sets) = sets(call)?;
    let Some((first, others)) = sets.split_first() else { return Ok(Value::NULL) };
    let mut kept: Vec<Value> = first.parts().cloned().collect();
    for other in others {
        // In a map of what they look like, as sets may be large.
        let looks: std::collections::HashSet<String> = other.parts().map(|v| format!("{v:?}")).collect();
        kept.retain(|v| looks.contains(&format!("{v:?}")));
    }
    Ok(Value::set(element, kept))
}

fn product(call: &Call<'_>) -> Called {
    if call.arguments.len() < 2 {
        return Err(FunctionError::new("at least two lists or sets are required"));
    }
    let (mut types, mut sides, mut ordered, mut sensitive) = (Vec::new(), Vec::new(), false, false);
    for (index, value) in call.arguments.iter().enumerate() {
        let (Kind::List(..) | Kind::Set(..) | Kind::Tuple(_)) = value.kind() else {
            return Err(wrong(index, "a list or set", value));
        };
        ordered |= !matches!(value.kind(), Kind::Set(..));
        sensitive |= value.holds_sensitive();
        let list = convert(value, &Type::list(Type::Any))
            .map_err(|_| FunctionError::at(index, "the elements must be of one type, and these are not"))?;
        types.push(list.type_of().element().cloned().unwrap_or(Type::Any));
        sides.push(list);
    }
    let count = sides.iter().filter_map(Value::len).try_fold(1_usize, usize::checked_mul).unwrap_or(usize::MAX);
    within_elements(count.saturating_mul(sides.len()))?;
    // Each element stands in as many rows as the other sides make.
    let sizes = sides.iter().map(|s| (count / s.len().unwrap_or(0).max(1)).saturating_mul(s.size() as usize));
    if sizes.fold(0, usize::saturating_add) > MAX_SIZE as usize {
        return Err(FunctionError::new(format!("this would make a value of more than {MAX_SIZE} values")));
    }
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for side in &sides {
        rows = rows
            .into_iter()
            .flat_map(|row| side.parts().map(move |v| row.iter().chain([v]).cloned().collect::<Vec<_>>()))
            .collect();
    }
    let (element, rows) = (Type::tuple(types), rows.into_iter().map(Value::tuple));
    Ok(if ordered { Value::list(element, rows) } else { Value::set(element, rows) }.mark(sensitive))
}

fn zipmap(call: &Call<'_>) -> Called {
    let keys = call.elements(0);
    let (Kind::List(_, values) | Kind::Tuple(values)) = call.value(1).kind() else {
        return Err(wrong(1, "a list or tuple", call.value(1)));
    };
    if keys.len() != values.len() {
        let message = format!("there are {} values for {} keys", values.len(), keys.len());
        return Err(FunctionError::at(1, message));
    }
    let mut zipped = Attributes::new();
    for (at, (key, value)) in keys.iter().zip(values.iter()).enumerate() {
        if !key.is_known() {
            return Ok(Value::unknown(Type::Any));
        }
        let key = key.as_str().ok_or_else(|| FunctionError::at(0, format!("key {at} is null")))?;
        zipped.insert(key.into(), value.clone());
    }
    let sensitive = keys.iter().any(Value::is_sensitive);
    Ok(match call.value(1).kind() {
        Kind::List(element, _) => Value::map(element.clone(), zipped),
        _ => Value::object(zipped),
    }
    .mark(sensitive))
}
