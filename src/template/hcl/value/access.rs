//! A part of a value: `x.name`, `x[0]`, `x["key"]`, and all parts of it for `for`, splats and expansion.

use std::sync::Arc;

use super::{Attributes, Kind, Number, Type, Value, convert};

/// Why there is no such part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    #[error("this is null, so it has no parts")]
    Null,
    #[error("{0} has no attributes")]
    NoAttributes(String),
    #[error("{0} cannot be indexed")]
    NoIndex(String),
    #[error("the elements of a set have no order, so they cannot be indexed; `tolist(…)` gives them one")]
    Set,
    #[error("there is no attribute `{0}`")]
    NoSuchAttribute(String),
    #[error("there is no element with the key {0:?}")]
    NoSuchKey(String),
    #[error("there is no element {index}: this has {count}")]
    NoSuchElement { index: String, count: usize },
    #[error("the index must be {wanted}, and this is {found}")]
    BadIndex { wanted: &'static str, found: String },
}

impl Value {
    /// The attribute of an object, or the element of a map with that key.
    pub fn attribute(&self, name: &str) -> Result<Self, AccessError> {
        let found = match &self.kind {
            Kind::Null(_) => return Err(AccessError::Null),
            Kind::Object(map) => map.get(name).cloned().ok_or_else(|| AccessError::NoSuchAttribute(name.to_owned()))?,
            Kind::Map(_, map) => map.get(name).cloned().ok_or_else(|| AccessError::NoSuchKey(name.to_owned()))?,
            Kind::Unknown(Type::Any) => Self::unknown(Type::Any),
            Kind::Unknown(Type::Map(element)) => Self::unknown((**element).clone()),
            Kind::Unknown(Type::Object(attributes)) => match attributes.get(name) {
                Some(attribute) => Self::unknown(attribute.ty.clone()),
                None => return Err(AccessError::NoSuchAttribute(name.to_owned())),
            },
            _ => return Err(AccessError::NoAttributes(self.type_of().described())),
        };
        Ok(found.mark(self.sensitive))
    }

    /// The element of a list or tuple at an index, of a map with a key, or the attribute of an object.
    pub fn index(&self, key: &Self) -> Result<Self, AccessError> {
        let sensitive = self.sensitive || key.sensitive;
        let found = match (&self.kind, self.type_of()) {
            (Kind::Null(_), _) => return Err(AccessError::Null),
            (_, Type::Any) => Self::unknown(Type::Any),
            (_, Type::Set(_)) => return Err(AccessError::Set),
            (_, Type::List(_) | Type::Tuple(_)) => self.element(key)?,
            (_, Type::Map(_) | Type::Object(_)) => {
                let wrong = |found: String| AccessError::BadIndex { wanted: "a string", found };
                let key = convert(key, &Type::String).map_err(|_| wrong(key.type_of().described()))?;
                match &key.kind {
                    Kind::Null(_) => return Err(wrong("null".into())),
                    Kind::String(name) => self.attribute(name)?,
                    _ => Self::unknown(self.type_of().element().cloned().unwrap_or(Type::Any)),
                }
            }
            (_, other) => return Err(AccessError::NoIndex(other.described())),
        };
        Ok(found.mark(sensitive))
    }

    fn element(&self, key: &Self) -> Result<Self, AccessError> {
        let wrong = |found: String| AccessError::BadIndex { wanted: "a whole number from 0 on", found };
        let key = convert(key, &Type::Number).map_err(|_| wrong(key.type_of().described()))?;
        let index = match &key.kind {
            Kind::Null(_) => return Err(wrong("null".into())),
            Kind::Number(index) => index,
            _ => return Ok(Self::unknown(self.type_of().element().cloned().unwrap_or(Type::Any))),
        };
        if !index.is_integer() || index.is_negative() {
            return Err(wrong(index.to_string()));
        }
        let none = |count| AccessError::NoSuchElement { index: index.to_string(), count };
        match &self.kind {
            Kind::Unknown(Type::Tuple(types)) => {
                let ty = index.to_usize().and_then(|i| types.get(i)).ok_or_else(|| none(types.len()))?;
                Ok(Self::unknown(ty.clone()))
            }
            Kind::Unknown(ty) => Ok(Self::unknown(ty.element().cloned().unwrap_or(Type::Any))),
            _ => {
                let elements = self.elements().map(|e| &**e).unwrap_or_default();
                index.to_usize().and_then(|i| elements.get(i)).cloned().ok_or_else(|| none(elements.len()))
            }
        }
    }

    /// Keys and values, in order, as a `for` expression sees them: indices of a list or tuple, an element of a set twice.
    /// Each has the mark of the whole. `None` for what cannot be iterated, also null and unknown values.
    pub fn pairs(&self) -> Option<Vec<(Self, Self)>> {
        let marked = |value: &Self| value.clone().mark(self.sensitive);
        Some(match &self.kind {
            Kind::List(_, elements) | Kind::Tuple(elements) => {
                elements.iter().enumerate().map(|(i, v)| (Self::number(Number::from(i)), marked(v))).collect()
            }
            Kind::Set(_, elements) => elements.iter().map(|v| (marked(v), marked(v))).collect(),
            Kind::Map(_, map) | Kind::Object(map) => {
                map.iter().map(|(k, v)| (Self::string(Arc::clone(k)), marked(v))).collect()
            }
            _ => return None,
        })
    }

    /// How many elements or attributes it has; `None` for what has none, also null and unknown values.
    pub fn len(&self) -> Option<usize> {
        self.elements().map(|e| e.len()).or_else(|| self.attributes().map(|a: &Arc<Attributes>| a.len()))
    }

    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }
}
