//! Types of values, and of what a value shall become.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::Value;

/// A type. [`Type::Any`] is that of an unknown value of which nothing is known, and as a wish accepts everything.
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    Any,
    String,
    Number,
    Bool,
    List(Arc<Type>),
    Set(Arc<Type>),
    Map(Arc<Type>),
    Object(Arc<BTreeMap<Arc<str>, Attribute>>),
    Tuple(Arc<[Type]>),
}

/// An attribute of an object type. Only types that are wished for have optional ones, never that of a value.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    pub ty: Type,
    pub optional: bool,
    /// What stands for an optional attribute that is missing or null; null without it.
    pub default: Option<Value>,
}

impl Attribute {
    pub fn required(ty: Type) -> Self {
        Self { ty, optional: false, default: None }
    }
}

impl Type {
    pub fn list(element: Self) -> Self {
        Self::List(Arc::new(element))
    }

    pub fn set(element: Self) -> Self {
        Self::Set(Arc::new(element))
    }

    pub fn map(element: Self) -> Self {
        Self::Map(Arc::new(element))
    }

    pub fn tuple(elements: impl IntoIterator<Item = Self>) -> Self {
        Self::Tuple(elements.into_iter().collect())
    }

    /// An object of required attributes.
    pub fn object<K: Into<Arc<str>>>(attributes: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Object(Arc::new(attributes.into_iter().map(|(k, t)| (k.into(), Attribute::required(t))).collect()))
    }

    pub fn is_primitive(&self) -> bool {
        matches!(self, Self::String | Self::Number | Self::Bool)
    }

    /// The element type of a list, set or map.
    pub fn element(&self) -> Option<&Self> {
        match self {
            Self::List(t) | Self::Set(t) | Self::Map(t) => Some(t),
            _ => None,
        }
    }

    /// Nothing in it is [`Type::Any`].
    pub fn is_whole(&self) -> bool {
        match self {
            Self::Any => false,
            Self::String | Self::Number | Self::Bool => true,
            Self::List(t) | Self::Set(t) | Self::Map(t) => t.is_whole(),
            Self::Object(attributes) => attributes.values().all(|a| a.ty.is_whole()),
            Self::Tuple(elements) => elements.iter().all(Self::is_whole),
        }
    }

    /// The type of values that were converted to it: nothing is optional any more.
    #[must_use]
    pub fn without_optional(&self) -> Self {
        match self {
            Self::List(t) => Self::list(t.without_optional()),
            Self::Set(t) => Self::set(t.without_optional()),
            Self::Map(t) => Self::map(t.without_optional()),
            Self::Tuple(elements) => Self::tuple(elements.iter().map(Self::without_optional)),
            Self::Object(attributes) => {
                Self::object(attributes.iter().map(|(k, a)| (Arc::clone(k), a.ty.without_optional())))
            }
            _ => self.clone(),
        }
    }

    /// As in a sentence, with its article: `a string`, `a list of numbers`.
    pub fn described(&self) -> String {
        match self {
            Self::Any => "any value".into(),
            Self::String => "a string".into(),
            Self::Number => "a number".into(),
            Self::Bool => "a bool".into(),
            Self::Object(_) => "an object".into(),
            Self::Tuple(_) => "a tuple".into(),
            Self::List(t) => format!("a list{}", t.of()),
            Self::Set(t) => format!("a set{}", t.of()),
            Self::Map(t) => format!("a map{}", t.of()),
        }
    }

    /// ` of strings`, and nothing for what may be anything.
    fn of(&self) -> String {
        match self {
            Self::Any => String::new(),
            Self::String => " of strings".into(),
            Self::Number => " of numbers".into(),
            Self::Bool => " of bools".into(),
            Self::Object(_) => " of objects".into(),
            Self::Tuple(_) => " of tuples".into(),
            Self::List(t) => format!(" of lists{}", t.of()),
            Self::Set(t) => format!(" of sets{}", t.of()),
            Self::Map(t) => format!(" of maps{}", t.of()),
        }
    }
}

/// As it is written in a template: `list(string)`, `object({ a = optional(number) })`.
impl fmt::Display for Type {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => out.write_str("any"),
            Self::String => out.write_str("string"),
            Self::Number => out.write_str("number"),
            Self::Bool => out.write_str("bool"),
            Self::List(t) => write!(out, "list({t})"),
            Self::Set(t) => write!(out, "set({t})"),
            Self::Map(t) => write!(out, "map({t})"),
            Self::Tuple(elements) => {
                let elements: Vec<_> = elements.iter().map(ToString::to_string).collect();
                write!(out, "tuple([{}])", elements.join(", "))
            }
            Self::Object(attributes) if attributes.is_empty() => out.write_str("object({})"),
            Self::Object(attributes) => {
                let attributes: Vec<_> = attributes
                    .iter()
                    .map(
                        |(k, a)| {
                            if a.optional { format!("{k} = optional({})", a.ty) } else { format!("{k} = {}", a.ty) }
                        },
                    )
                    .collect();
                write!(out, "object({{ {} }})", attributes.join(", "))
            }
        }
    }
}
