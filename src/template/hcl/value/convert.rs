//! Conversion of a value to a type, as cty does it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::types::Attribute;
use super::unify::unify_unsafe;
use super::{Attributes, Kind, Number, Type, Value};

/// Why a value cannot become the type, and which part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConversionError {
    /// From the outside in.
    pub path: Vec<Step>,
    pub message: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Index(usize),
    /// Of a map or an object.
    Key(String),
}

impl ConversionError {
    fn new(message: impl Into<String>) -> Self {
        Self { path: Vec::new(), message: message.into() }
    }

    fn within(mut self, step: Step) -> Self {
        self.path.insert(0, step);
        self
    }
}

impl std::error::Error for ConversionError {}

/// `[0].name: a number is required, …`.
impl fmt::Display for ConversionError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.path {
            match step {
                Step::Index(index) => write!(out, "[{index}]")?,
                Step::Key(key) => write!(out, ".{key}")?,
            }
        }
        write!(out, "{}{}", if self.path.is_empty() { "" } else { ": " }, self.message)
    }
}

/// The value as one of that type: numbers and bools to strings and back where the text is one, tuples to lists and sets,
/// objects to maps, maps to objects, attributes that are not wished for left out, optional ones put in. Marks stay.
pub fn convert(value: &Value, to: &Type) -> Result<Value, ConversionError> {
    let converted = match (&value.kind, to) {
        (_, Type::Any) => return Ok(value.clone()),
        (Kind::Null(_), _) => Value::null(to.without_optional()),
        (Kind::Unknown(from), _) => {
            if !convertible(from, to, true) {
                return Err(mismatch(value, to));
            }
            Value::unknown(resolved(from, to))
        }
        (Kind::String(_), Type::String) | (Kind::Number(_), Type::Number) | (Kind::Bool(_), Type::Bool) => {
            return Ok(value.clone());
        }
        (Kind::Number(n), Type::String) => Value::string(n.to_string()),
        (Kind::Bool(b), Type::String) => Value::string(if *b { "true" } else { "false" }),
        (Kind::String(text), Type::Number) => {
            let number = Number::parse(text);
            Value::number(number.ok_or_else(|| ConversionError::new("a number is required, and this string is none"))?)
        }
        (Kind::String(text), Type::Bool) => Value::from(match &**text {
            "true" | "1" => true,
            "false" | "0" => false,
            _ => return Err(ConversionError::new("a bool is required: `true` or `false`")),
        }),
        (Kind::List(..) | Kind::Set(..) | Kind::Tuple(_), Type::List(element)) => {
            let (element, elements) = sequence(value, element)?;
            Value::list(element, elements)
        }
        (Kind::List(..) | Kind::Set(..) | Kind::Tuple(_), Type::Set(element)) => {
            let (element, elements) = sequence(value, element)?;
            Value::set(element, elements)
        }
        (Kind::Tuple(elements), Type::Tuple(types)) => tuple(elements, types)?,
        (Kind::Map(..) | Kind::Object(_), Type::Map(element)) => map(value, element)?,
        (Kind::Map(_, from) | Kind::Object(from), Type::Object(attributes)) => object(from, attributes)?,
        _ => return Err(mismatch(value, to)),
    };
    Ok(converted.mark(value.sensitive))
}

fn mismatch(value: &Value, to: &Type) -> ConversionError {
    ConversionError::new(format!("{} is required, and this is {}", to.described(), value.type_of().described()))
}

/// Elements of one type.
fn sequence(value: &Value, wished: &Type) -> Result<(Type, Vec<Value>), ConversionError> {
    let elements = value.elements().cloned().unwrap_or_default();
    let element = match (&value.kind, wished) {
        (Kind::List(t, _) | Kind::Set(t, _), Type::Any) => t.clone(),
        (_, Type::Any) => common(elements.iter())
            .ok_or_else(|| ConversionError::new("all elements must be of the same type, and these are not"))?,
        (_, wished) => wished.clone(),
    };
    let made: Result<Vec<_>, _> =
        elements.iter().enumerate().map(|(i, v)| convert(v, &element).map_err(|e| e.within(Step::Index(i)))).collect();
    let made = made?;
    Ok((settled(&element, made.iter()), made))
}

fn map(value: &Value, wished: &Type) -> Result<Value, ConversionError> {
    let attributes = value.attributes().cloned().unwrap_or_default();
    let element = match (&value.kind, wished) {
        (Kind::Map(t, _), Type::Any) => t.clone(),
        (_, Type::Any) => common(attributes.values())
            .ok_or_else(|| ConversionError::new("all elements of a map must be of the same type, and these are not"))?,
        (_, wished) => wished.clone(),
    };
    let made: Result<Attributes, _> = attributes
        .iter()
        .map(|(k, v)| match convert(v, &element) {
            Ok(v) => Ok((Arc::clone(k), v)),
            Err(e) => Err(e.within(Step::Key(k.to_string()))),
        })
        .collect();
    let made = made?;
    Ok(Value::map(settled(&element, made.values()), made))
}

fn tuple(elements: &[Value], types: &[Type]) -> Result<Value, ConversionError> {
    if elements.len() != types.len() {
        let message = format!("{} elements are required, and these are {}", types.len(), elements.len());
        return Err(ConversionError::new(message));
    }
    let made: Result<Vec<_>, _> = elements
        .iter()
        .zip(types)
        .enumerate()
        .map(|(i, (v, t))| convert(v, t).map_err(|e| e.within(Step::Index(i))))
        .collect();
    Ok(Value::tuple(made?))
}

fn object(from: &Attributes, attributes: &BTreeMap<Arc<str>, Attribute>) -> Result<Value, ConversionError> {
    let missing: Vec<_> = attributes
        .iter()
        .filter(|(k, a)| !a.optional && !from.contains_key(*k))
        .map(|(k, _)| format!("`{k}`"))
        .collect();
    if !missing.is_empty() {
        let noun = if missing.len() == 1 { "attribute" } else { "attributes" };
        return Err(ConversionError::new(format!("the {noun} {} must be given", missing.join(", "))));
    }
    let mut made = Attributes::new();
    for (name, attribute) in attributes {
        let given = from.get(name);
        let value = match (&attribute.default, given) {
            (Some(default), Some(given)) if given.is_null() => default,
            (Some(default), None) => default,
            (_, Some(given)) => given,
            (None, None) => &Value::null(attribute.ty.clone()),
        };
        let value = convert(value, &attribute.ty).map_err(|e| e.within(Step::Key(name.to_string())))?;
        made.insert(Arc::clone(name), value);
    }
    Ok(Value::of(Kind::Object(Arc::new(made))))
}

/// The type that all of them can become.
fn common<'a>(values: impl Iterator<Item = &'a Value>) -> Option<Type> {
    let types: Vec<_> = values.map(Value::type_of).collect();
    if types.is_empty() { Some(Type::Any) } else { unify_unsafe(&types) }
}

/// What the elements are, where the wish left something open: `list(list(any))`.
fn settled<'a>(wished: &Type, made: impl Iterator<Item = &'a Value>) -> Type {
    if wished.is_whole() {
        return wished.without_optional();
    }
    let types: Vec<_> = made.map(Value::type_of).collect();
    match types.first() {
        Some(first) if types.iter().all(|t| t == first) => first.clone(),
        _ => wished.without_optional(),
    }
}

/// The type of an unknown value after conversion: what the wish leaves open is as it was.
fn resolved(from: &Type, to: &Type) -> Type {
    match (from, to) {
        (from, Type::Any) => from.clone(),
        (Type::List(f) | Type::Set(f), Type::List(t)) => Type::list(resolved(f, t)),
        (Type::List(f) | Type::Set(f), Type::Set(t)) => Type::set(resolved(f, t)),
        (Type::Map(f), Type::Map(t)) => Type::map(resolved(f, t)),
        _ => to.without_optional(),
    }
}

/// Whether values of a type can become values of another: surely, or (`maybe`) where the value allows it, as strings do that
/// hold a number.
pub(super) fn convertible(from: &Type, to: &Type, maybe: bool) -> bool {
    match (from, to) {
        (Type::Any, _) | (_, Type::Any) | (Type::Number | Type::Bool, Type::String) => true,
        (Type::String, Type::Number | Type::Bool) => maybe,
        (Type::List(f) | Type::Set(f), Type::List(t) | Type::Set(t)) | (Type::Map(f), Type::Map(t)) => {
            convertible(f, t, maybe)
        }
        (Type::Tuple(types), Type::List(t) | Type::Set(t)) => {
            let open = **t != Type::Any || types.is_empty() || super::unify::common(types, maybe).is_some();
            open && types.iter().all(|f| convertible(f, t, maybe))
        }
        (Type::Tuple(from), Type::Tuple(to)) => {
            from.len() == to.len() && from.iter().zip(to.iter()).all(|(f, t)| convertible(f, t, maybe))
        }
        (Type::Object(from), Type::Map(t)) => {
            let types: Vec<_> = from.values().map(|a| a.ty.clone()).collect();
            let open = **t != Type::Any || types.is_empty() || super::unify::common(&types, maybe).is_some();
            open && types.iter().all(|f| convertible(f, t, maybe))
        }
        (Type::Object(from), Type::Object(to)) => to.iter().all(|(name, attribute)| match from.get(name) {
            Some(f) => convertible(&f.ty, &attribute.ty, maybe),
            None => attribute.optional,
        }),
        (Type::Map(f), Type::Object(to)) => maybe && to.values().all(|a| convertible(f, &a.ty, maybe)),
        (from, to) => from == to,
    }
}
