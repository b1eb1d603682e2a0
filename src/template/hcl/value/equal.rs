//! Equality: as Rust's `==`, marks aside, and as HCL's.

use super::{Kind, Type, Value};

/// The same value of the same type. Marks do not count; unknown values are equal where their types are.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Null(a), Kind::Null(b)) | (Kind::Unknown(a), Kind::Unknown(b)) => a == b,
            (Kind::Bool(a), Kind::Bool(b)) => a == b,
            (Kind::Number(a), Kind::Number(b)) => a == b,
            (Kind::String(a), Kind::String(b)) => a == b,
            (Kind::List(s, a), Kind::List(t, b)) | (Kind::Set(s, a), Kind::Set(t, b)) => s == t && a == b,
            (Kind::Tuple(a), Kind::Tuple(b)) => a == b,
            (Kind::Map(s, a), Kind::Map(t, b)) => s == t && a == b,
            (Kind::Object(a), Kind::Object(b)) => a == b,
            _ => false,
        }
    }
}

impl Value {
    /// HCL's `==`: a bool, unknown where that hangs on something unknown, sensitive where either side is. Values of different
    /// types differ; two nulls are equal whatever their types are.
    #[must_use]
    pub fn equals(&self, other: &Self) -> Self {
        let answer = self.compare(other).map_or_else(|| Self::unknown(Type::Bool), Self::from);
        answer.mark(self.holds_sensitive() || other.holds_sensitive())
    }

    /// `None`: that hangs on something unknown.
    fn compare(&self, other: &Self) -> Option<bool> {
        match (&self.kind, &other.kind) {
            (Kind::Unknown(_), _) | (_, Kind::Unknown(_)) => None,
            (Kind::Null(_), Kind::Null(_)) => Some(true),
            (Kind::Null(_), _) | (_, Kind::Null(_)) => Some(false),
            (Kind::Map(_, a), Kind::Map(_, b)) | (Kind::Object(a), Kind::Object(b)) => {
                if a.len() != b.len() || a.keys().ne(b.keys()) {
                    return Some(false);
                }
                all(a.values().zip(b.values()))
            }
            (Kind::List(s, a), Kind::List(t, b)) | (Kind::Set(s, a), Kind::Set(t, b)) => {
                if s != t && s.is_whole() && t.is_whole() || a.len() != b.len() {
                    return Some(false);
                }
                all(a.iter().zip(b.iter()))
            }
            (Kind::Tuple(a), Kind::Tuple(b)) => {
                if a.len() != b.len() {
                    return Some(false);
                }
                all(a.iter().zip(b.iter()))
            }
            _ => Some(self == other),
        }
    }
}

/// One pair that differs decides, though others are unknown. As in cty, a null of no type within a value makes that a type
/// that is not known, and so what is equal to it.
fn all<'a>(pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Option<bool> {
    let mut answer = Some(true);
    for (a, b) in pairs {
        if [a, b].iter().any(|v| matches!(v.kind, Kind::Null(Type::Any))) {
            answer = None;
            continue;
        }
        match a.compare(b) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => answer = None,
        }
    }
    answer
}
