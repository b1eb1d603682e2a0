//! HCL's values: what expressions give and take. cty's model, with its marks for what is unknown and what is sensitive.
//!
//! Values are cheap to clone. Collections know the type of their elements; sets and maps are sorted, and two that are equal
//! are in the same order.
//!
//! Not here: how an expression is evaluated, and what the functions do.

mod access;
mod console;
mod convert;
mod equal;
pub mod json;
mod number;
mod set;
#[cfg(test)]
mod tests;
mod types;
mod unify;

use std::collections::BTreeMap;
use std::sync::Arc;

use unicode_normalization::UnicodeNormalization as _;

pub use self::access::AccessError;
pub use self::convert::{ConversionError, Step, convert};
pub use self::number::Number;
pub use self::types::{Attribute, Type};
pub use self::unify::{unify, unify_unsafe};

pub type Attributes = BTreeMap<Arc<str>, Value>;

/// A value, and whether it is sensitive as a whole. A part of a collection may be so alone.
#[derive(Clone, Debug)]
pub struct Value {
    kind: Kind,
    sensitive: bool,
    /// What is true of all that is in it, kept so that no question goes down a value that holds another one a million times.
    inside: Inside,
}

#[derive(Clone, Copy, Debug)]
struct Inside {
    /// How many values it is made of, itself included.
    size: u32,
    /// How deep they are nested.
    depth: u16,
    unknown: bool,
    sensitive: bool,
}

/// Of how many values one may be made, each counted wherever it is held.
pub const MAX_SIZE: u32 = 1_000_000;

/// How deep values may be nested.
const MAX_DEPTH: u16 = 500;

#[derive(Clone, Debug)]
pub enum Kind {
    Null(Type),
    /// Not known yet, which is no mistake; of [`Type::Any`] where even the type is open.
    Unknown(Type),
    Bool(bool),
    Number(Number),
    String(Arc<str>),
    /// With the type of its elements, as sets and maps.
    List(Type, Arc<[Value]>),
    /// Sorted, each once.
    Set(Type, Arc<[Value]>),
    Map(Type, Arc<Attributes>),
    Object(Arc<Attributes>),
    Tuple(Arc<[Value]>),
}

impl Value {
    /// Null of no particular type.
    pub const NULL: Self = Self {
        kind: Kind::Null(Type::Any),
        sensitive: false,
        inside: Inside { size: 1, depth: 0, unknown: false, sensitive: false },
    };

    fn of(kind: Kind) -> Self {
        let unknown = matches!(kind, Kind::Unknown(_));
        let mut value =
            Self { kind, sensitive: false, inside: Inside { size: 1, depth: 0, unknown, sensitive: false } };
        let all = value.parts().fold(value.inside, |all, part| Inside {
            size: all.size.saturating_add(part.inside.size),
            depth: all.depth.max(part.inside.depth.saturating_add(1)),
            unknown: all.unknown || part.inside.unknown,
            sensitive: all.sensitive || part.inside.sensitive,
        });
        value.inside = all;
        value
    }

    /// How many values it is made of, itself included, each counted wherever it is held.
    pub fn size(&self) -> u32 {
        self.inside.size
    }

    /// Which limit it passes, in words. Such a value must not be used: going through it would take for ever, or the stack.
    pub fn too_large(&self) -> Option<String> {
        if self.inside.size > MAX_SIZE {
            return Some(format!("this value is made of more than {MAX_SIZE} values"));
        }
        (self.inside.depth > MAX_DEPTH).then(|| format!("this value is nested more than {MAX_DEPTH} deep"))
    }

    pub fn null(ty: Type) -> Self {
        Self::of(Kind::Null(ty))
    }

    pub fn unknown(ty: Type) -> Self {
        Self::of(Kind::Unknown(ty))
    }

    pub fn number(number: impl Into<Number>) -> Self {
        Self::of(Kind::Number(number.into()))
    }

    /// In Unicode's composed form, as all of cty's strings.
    pub fn string(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        if text.is_ascii() || unicode_normalization::is_nfc(&text) {
            return Self::of(Kind::String(text));
        }
        Self::of(Kind::String(text.nfc().collect::<String>().into()))
    }

    /// Elements of one type; [`convert`] and [`unify`] make them so.
    pub fn list(element: Type, elements: impl IntoIterator<Item = Self>) -> Self {
        Self::of(Kind::List(element, elements.into_iter().collect()))
    }

    /// Sorts the elements and keeps one of those that are equal. As in cty, a sensitive element makes all of it sensitive,
    /// since it could be found by what the set does not hold.
    pub fn set(element: Type, elements: impl IntoIterator<Item = Self>) -> Self {
        set::make(element, elements)
    }

    pub fn map(element: Type, elements: Attributes) -> Self {
        Self::of(Kind::Map(element, Arc::new(elements)))
    }

    pub fn object<K: Into<Arc<str>>>(attributes: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::of(Kind::Object(Arc::new(attributes.into_iter().map(|(k, v)| (k.into(), v)).collect())))
    }

    pub fn tuple(elements: impl IntoIterator<Item = Self>) -> Self {
        Self::of(Kind::Tuple(elements.into_iter().collect()))
    }

    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    pub fn type_of(&self) -> Type {
        match &self.kind {
            Kind::Null(t) | Kind::Unknown(t) => t.clone(),
            Kind::Bool(_) => Type::Bool,
            Kind::Number(_) => Type::Number,
            Kind::String(_) => Type::String,
            Kind::List(t, _) => Type::list(t.clone()),
            Kind::Set(t, _) => Type::set(t.clone()),
            Kind::Map(t, _) => Type::map(t.clone()),
            Kind::Object(attributes) => Type::object(attributes.iter().map(|(k, v)| (Arc::clone(k), v.type_of()))),
            Kind::Tuple(elements) => Type::tuple(elements.iter().map(Self::type_of)),
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null(_))
    }

    pub fn is_known(&self) -> bool {
        !matches!(self.kind, Kind::Unknown(_))
    }

    /// Known, and all that is in it too.
    pub fn is_wholly_known(&self) -> bool {
        !self.inside.unknown
    }

    /// Sensitive as a whole.
    pub fn is_sensitive(&self) -> bool {
        self.sensitive
    }

    /// Sensitive, or something in it is.
    pub fn holds_sensitive(&self) -> bool {
        self.inside.sensitive
    }

    /// With the mark where `sensitive` says so; one that is there stays.
    #[must_use]
    pub fn mark(mut self, sensitive: bool) -> Self {
        self.sensitive |= sensitive;
        self.inside.sensitive |= sensitive;
        self
    }

    /// Without any mark, also inside.
    #[must_use]
    pub fn revealed(&self) -> Self {
        if !self.holds_sensitive() {
            return self.clone();
        }
        let all = |elements: &[Self]| elements.iter().map(Self::revealed).collect::<Arc<[Self]>>();
        let each =
            |map: &Attributes| Arc::new(map.iter().map(|(k, v)| (Arc::clone(k), v.revealed())).collect::<Attributes>());
        Self::of(match &self.kind {
            Kind::List(t, elements) => Kind::List(t.clone(), all(elements)),
            Kind::Set(t, elements) => Kind::Set(t.clone(), all(elements)),
            Kind::Tuple(elements) => Kind::Tuple(all(elements)),
            Kind::Map(t, map) => Kind::Map(t.clone(), each(map)),
            Kind::Object(map) => Kind::Object(each(map)),
            kind => kind.clone(),
        })
    }

    /// Elements and attribute values directly in it.
    pub fn parts(&self) -> impl Iterator<Item = &Self> {
        let (elements, map) = match &self.kind {
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => (Some(elements), None),
            Kind::Map(_, map) | Kind::Object(map) => (None, Some(map)),
            _ => (None, None),
        };
        elements.into_iter().flat_map(|e| e.iter()).chain(map.into_iter().flat_map(|m| m.values()))
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Kind::String(text) = &self.kind { Some(text) } else { None }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Kind::Bool(b) = self.kind { Some(b) } else { None }
    }

    pub fn as_number(&self) -> Option<&Number> {
        if let Kind::Number(n) = &self.kind { Some(n) } else { None }
    }

    /// The elements of a list, set or tuple.
    pub fn elements(&self) -> Option<&Arc<[Self]>> {
        match &self.kind {
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => Some(elements),
            _ => None,
        }
    }

    /// The attributes of an object or the elements of a map.
    pub fn attributes(&self) -> Option<&Arc<Attributes>> {
        match &self.kind {
            Kind::Map(_, map) | Kind::Object(map) => Some(map),
            _ => None,
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::of(Kind::Bool(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::string(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::string(value)
    }
}

impl From<Number> for Value {
    fn from(value: Number) -> Self {
        Self::number(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::number(value)
    }
}
