//! The arguments of a call, as its function wants them.

use std::ops::Range;

use super::eval::Evaluated;
use super::fault::Fault;
use super::function;
use super::value::{Str, Val};
use crate::text::code::engine as code;

/// A call: the function, its arguments, their places.
pub(super) struct Arguments<'c, 'a> {
    pub name: &'a str,
    pub range: &'c Range<usize>,
    pub ranges: &'c [Range<usize>],
    pub values: &'c [Val<'a>],
    /// Where the pipeline of the call begins.
    pub from: usize,
}

impl<'a> Arguments<'_, 'a> {
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(code::CALL, self.range.clone(), message)
    }

    pub fn string(&self, index: usize) -> Evaluated<&Str> {
        match self.values.get(index) {
            Some(Val::Text(text)) => Ok(text),
            other => Err(self.mistyped(index, "a string", other)),
        }
    }

    pub fn integer(&self, index: usize) -> Evaluated<i64> {
        match self.values.get(index) {
            Some(Val::Integer(n)) => Ok(*n),
            // A constant such as `1e3` is an integer where one is wanted.
            #[allow(clippy::cast_possible_truncation)] // whole and within range
            Some(Val::Float(f)) if f.fract() == 0.0 && f.abs() < 9e15 => Ok(*f as i64),
            other => Err(self.mistyped(index, "an integer", other)),
        }
    }

    fn mistyped(&self, index: usize, wanted: &str, got: Option<&Val<'a>>) -> Fault {
        let range = self.ranges.get(index).unwrap_or(self.range).clone();
        let got = got.map_or("nothing", Val::described);
        let fault = Fault::new(code::CALL, range, format!("`{}` wants {wanted} here and got {got}", self.name));
        match function::find(self.name) {
            Some(function) => fault.help(format!("write `{{{{{}}}}}`", function.usage)),
            None => fault,
        }
    }
}
