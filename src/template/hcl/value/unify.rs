//! One type for several values: for the elements of a list, and the two sides of a conditional.

use std::collections::BTreeSet;

use super::Type;
use super::convert::convertible;

/// The type that values of all of these surely become; `None` when there is none, and for no types.
pub fn unify(types: &[Type]) -> Option<Type> {
    common(types, false)
}

/// As [`unify`], where a string may also have to become a number or bool, and a map an object, if the value allows it: what
/// HCL does for conditionals.
pub fn unify_unsafe(types: &[Type]) -> Option<Type> {
    common(types, true)
}

pub(super) fn common(types: &[Type], maybe: bool) -> Option<Type> {
    let first = types.first()?;
    if types.iter().all(|t| t == first) {
        return Some(first.clone());
    }
    match structural(types, maybe) {
        Structural::Found(found) => return found,
        Structural::Open => {}
    }
    by_preference(types)
        .into_iter()
        .find(|want| types.iter().all(|t| t == *want || convertible(t, want, maybe)))
        .cloned()
}

enum Structural {
    /// This decides, also when there is no type.
    Found(Option<Type>),
    /// The general rule decides.
    Open,
}

/// A type that none of them need have itself, from what they are made of.
fn structural(types: &[Type], maybe: bool) -> Structural {
    let count = |is: fn(&Type) -> bool| types.iter().filter(|t| is(t)).count();
    let (any, all) = (count(|t| *t == Type::Any), types.len());
    let maps = count(|t| matches!(t, Type::Map(_)));
    let objects = count(|t| matches!(t, Type::Object(_)));
    let lists = count(|t| matches!(t, Type::List(_)));
    let sets = count(|t| matches!(t, Type::Set(_)));
    let tuples = count(|t| matches!(t, Type::Tuple(_)));
    let decided = |found| if any > 0 { Some(Type::Any) } else { found };
    if maps > 0 && maps + any == all {
        return Structural::Found(decided(of_elements(types, maybe).map(Type::map)));
    }
    if maps > 0 && maps + objects + any == all {
        return of_elements(types, maybe).map_or(Structural::Open, |t| Structural::Found(decided(Some(Type::map(t)))));
    }
    if lists > 0 && lists + any == all {
        return Structural::Found(decided(of_elements(types, maybe).map(Type::list)));
    }
    if lists > 0 && lists + tuples + any == all {
        return of_elements(types, maybe).map_or(Structural::Open, |t| Structural::Found(decided(Some(Type::list(t)))));
    }
    if sets > 0 && sets + any == all {
        return Structural::Found(decided(of_elements(types, maybe).map(Type::set)));
    }
    if objects > 0 && objects + any == all {
        let found = same_object(types, maybe).or_else(|| of_elements(types, maybe).map(Type::map));
        return Structural::Found(decided(found));
    }
    if tuples > 0 && tuples + any == all {
        let found = same_tuple(types, maybe).or_else(|| of_elements(types, maybe).map(Type::list));
        return Structural::Found(decided(found));
    }
    if objects > 0 && tuples > 0 { Structural::Found(None) } else { Structural::Open }
}

/// One type for all that is in all of them.
fn of_elements(types: &[Type], maybe: bool) -> Option<Type> {
    let mut inner = Vec::new();
    for ty in types {
        match ty {
            Type::List(t) | Type::Set(t) | Type::Map(t) => inner.push((**t).clone()),
            Type::Tuple(elements) => inner.extend(elements.iter().cloned()),
            Type::Object(attributes) => inner.extend(attributes.values().map(|a| a.ty.clone())),
            _ => {}
        }
    }
    common(&inner, maybe)
}

fn same_object(types: &[Type], maybe: bool) -> Option<Type> {
    let objects: Vec<_> = types.iter().filter_map(|t| if let Type::Object(a) = t { Some(a) } else { None }).collect();
    let names: BTreeSet<_> = objects.first()?.keys().collect();
    if !objects.iter().all(|o| o.keys().collect::<BTreeSet<_>>() == names) {
        return None;
    }
    let attributes: Option<Vec<_>> = names
        .into_iter()
        .map(|name| {
            let each: Vec<_> = objects.iter().filter_map(|o| o.get(name)).map(|a| a.ty.clone()).collect();
            Some((name.clone(), common(&each, maybe)?))
        })
        .collect();
    Some(Type::object(attributes?))
}

fn same_tuple(types: &[Type], maybe: bool) -> Option<Type> {
    let tuples: Vec<_> = types.iter().filter_map(|t| if let Type::Tuple(e) = t { Some(e) } else { None }).collect();
    let length = tuples.first()?.len();
    if !tuples.iter().all(|t| t.len() == length) {
        return None;
    }
    let elements: Option<Vec<_>> = (0..length)
        .map(|i| common(&tuples.iter().filter_map(|t| t.get(i)).cloned().collect::<Vec<_>>(), maybe))
        .collect();
    Some(Type::tuple(elements?))
}

/// The more general first; of those that do not compare, in their order.
fn by_preference(types: &[Type]) -> Vec<&Type> {
    let mut left: Vec<&Type> = types.iter().collect();
    let mut sorted = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let best = left.iter().position(|t| !left.iter().any(|o| more_general(o, t))).unwrap_or(0);
        sorted.push(left.remove(best));
    }
    sorted
}

fn more_general(a: &Type, b: &Type) -> bool {
    match (a, b) {
        (Type::Any, _) => false,
        (_, Type::Any)
        | (Type::String, Type::Number | Type::Bool)
        | (Type::List(_), Type::Set(_) | Type::Tuple(_))
        | (Type::Set(_), Type::Tuple(_))
        | (Type::Map(_), Type::Object(_)) => true,
        (Type::List(a), Type::List(b)) | (Type::Set(a), Type::Set(b)) | (Type::Map(a), Type::Map(b)) => {
            more_general(a, b)
        }
        _ => false,
    }
}
