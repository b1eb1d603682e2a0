//! Values while a text is evaluated.

use std::fmt::Write as _;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use crate::run::value::Piece;

#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    /// What is not there: prints as `<no value>`.
    Missing,
    Bool(bool),
    Integer(i64),
    Float(f64),
    Text(Str),
    List(&'a [Json]),
    Map(&'a Map<String, Json>),
    /// Known only when the step is due.
    Late,
    /// Hangs on an open question.
    Unknown,
}

/// A string, which may hold secrets.
#[derive(Clone, Debug)]
pub(super) struct Str {
    pub text: Rc<str>,
    /// The same text in pieces, where at least one is secret.
    pub pieces: Option<Rc<[Piece]>>,
}

impl Str {
    pub fn plain(text: impl Into<Rc<str>>) -> Self {
        Self { text: text.into(), pieces: None }
    }

    pub fn is_secret(&self) -> bool {
        self.pieces.is_some()
    }
}

impl<'a> Val<'a> {
    pub fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(Str::plain(text))
    }

    /// A value of the data that a late text is given.
    pub fn of_json(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Missing,
            Json::Bool(b) => Self::Bool(*b),
            Json::Number(n) => match n.as_i64() {
                Some(integer) => Self::Integer(integer),
                None => Self::Float(n.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(s) => Self::text(s.as_str()),
            Json::Array(items) => Self::List(items),
            Json::Object(map) => Self::Map(map),
        }
    }

    /// What `if` takes for true: anything but zero, the empty and the missing.
    pub fn is_true(&self) -> bool {
        match self {
            Self::Missing | Self::Late | Self::Unknown => false,
            Self::Bool(b) => *b,
            Self::Integer(n) => *n != 0,
            Self::Float(f) => *f != 0.0,
            Self::Text(s) => !s.text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(map) => !map.is_empty(),
        }
    }

    /// Its type as Go names it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Missing | Self::Late | Self::Unknown => "<nil>",
            Self::Bool(_) => "bool",
            Self::Integer(_) => "int",
            Self::Float(_) => "float64",
            Self::Text(_) => "string",
            Self::List(_) => "[]interface {}",
            Self::Map(_) => "map[string]interface {}",
        }
    }

    /// Its type as in a sentence.
    pub fn described(&self) -> &'static str {
        match self {
            Self::Missing | Self::Late | Self::Unknown => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a fraction",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// How it is printed: Go's `%v`. `missing` is what stands for nothing.
    pub fn print(&self, missing: &str) -> Rc<str> {
        match self {
            Self::Missing | Self::Late | Self::Unknown => missing.into(),
            Self::Bool(b) => b.to_string().into(),
            Self::Integer(n) => n.to_string().into(),
            Self::Float(f) => float(*f).into(),
            Self::Text(s) => Rc::clone(&s.text),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|i| Val::of_json(i).print("<nil>")).collect();
                format!("[{}]", items.join(" ")).into()
            }
            Self::Map(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(k, _)| *k);
                let mut out = String::from("map[");
                for (i, (key, value)) in entries.into_iter().enumerate() {
                    let space = if i == 0 { "" } else { " " };
                    let _ = write!(out, "{space}{key}:{}", Val::of_json(value).print("<nil>"));
                }
                out.push(']');
                out.into()
            }
        }
    }
}

/// Go's `%v` of a float: the shortest that reads back, with an exponent where `%g` takes one.
pub(super) fn float(f: f64) -> String {
    super::format::general(f, None, false)
}
