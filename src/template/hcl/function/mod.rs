//! The functions of HCL2 templates: Packer 1.16's, which are cty's standard ones and Packer's own.
//!
//! A call is pure: what needs the world asks a question of [`World`] and gives an unknown value until that is answered. No call
//! hangs or grows without end: a limit that is met is an error that says which.
//!
//! Not here: `can`, `try`, `convert` and the second half of `templatefile`, which take expressions and belong to evaluation.

mod collection;
mod combine;
mod date;
mod encoding;
mod files;
mod format;
mod hash;
mod ip;
mod lookup;
mod numeric;
mod pattern;
mod text;
mod world;
mod yaml;

#[cfg(test)]
mod tests;

use super::value::{ConversionError, Number, Type, Value, convert};

pub use self::world::World;

/// Bytes of text that one call may make.
pub(super) const MAX_TEXT: usize = 4 << 20;

/// Elements of a collection that one call may make.
pub(super) const MAX_ELEMENTS: usize = 100_000;

/// Why a call gives no value. Its message is a sentence without the function's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FunctionError {
    /// The argument that is wrong, counted from 0 after expansion.
    pub argument: Option<usize>,
    pub message: String,
}

impl FunctionError {
    fn new(message: impl Into<String>) -> Self {
        Self { argument: None, message: message.into() }
    }

    fn at(argument: usize, message: impl Into<String>) -> Self {
        Self { argument: Some(argument), message: message.into() }
    }
}

type Called = Result<Value, FunctionError>;

/// What a function takes and gives.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    pub parameters: &'static [Parameter],
    /// What any further arguments are.
    pub rest: Option<Parameter>,
    /// The type of the result where that does not hang on the arguments; else [`Wish::Any`].
    gives: Wish,
    /// It only moves parts of its arguments about, so that each keeps its own mark, and parts may be unknown.
    moves: bool,
    run: fn(&Call<'_>) -> Called,
}

#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    pub name: &'static str,
    wish: Wish,
    /// Null is a value like others.
    null: bool,
}

/// What an argument is converted to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Any,
    String,
    Number,
    Bool,
    List,
    Strings,
    Bools,
    Set,
    StringSet,
}

impl Wish {
    fn ty(self) -> Type {
        match self {
            Self::Any => Type::Any,
            Self::String => Type::String,
            Self::Number => Type::Number,
            Self::Bool => Type::Bool,
            Self::List => Type::list(Type::Any),
            Self::Strings => Type::list(Type::String),
            Self::Bools => Type::list(Type::Bool),
            Self::Set => Type::set(Type::Any),
            Self::StringSet => Type::set(Type::String),
        }
    }
}

const fn function(
    name: &'static str,
    parameters: &'static [Parameter],
    gives: Wish,
    run: fn(&Call<'_>) -> Called,
) -> Function {
    Function { name, parameters, rest: None, gives, moves: false, run }
}

impl Function {
    const fn and(self, rest: Parameter) -> Self {
        Self { rest: Some(rest), ..self }
    }

    const fn moving(self) -> Self {
        Self { moves: true, ..self }
    }
}

const fn takes(name: &'static str, wish: Wish) -> Parameter {
    Parameter { name, wish, null: false }
}

const fn takes_null(name: &'static str, wish: Wish) -> Parameter {
    Parameter { name, wish, null: true }
}

/// A call whose arguments are of the right types, known and without marks (for those that move parts: marks and unknown
/// values inside).
struct Call<'a> {
    arguments: Vec<Value>,
    world: &'a World<'a>,
}

impl Call<'_> {
    /// The argument; null where it was left out.
    fn value(&self, index: usize) -> &Value {
        const NONE: &Value = &Value::NULL;
        self.arguments.get(index).unwrap_or(NONE)
    }

    fn text(&self, index: usize) -> &str {
        self.value(index).as_str().unwrap_or_default()
    }

    fn number(&self, index: usize) -> &Number {
        const ZERO: &Number = &Number::ZERO;
        self.value(index).as_number().unwrap_or(ZERO)
    }

    /// A number that must be whole and fit an `i64`.
    fn integer(&self, index: usize) -> Result<i64, FunctionError> {
        let wrong = || FunctionError::at(index, "this must be a whole number within 64 bits");
        self.number(index).to_i64().ok_or_else(wrong)
    }

    fn elements(&self, index: usize) -> &[Value] {
        self.value(index).elements().map(|e| &**e).unwrap_or_default()
    }
}

/// A text, unless it is too long.
fn within_limit(length: usize) -> Result<(), FunctionError> {
    if length > MAX_TEXT {
        return Err(FunctionError::new(format!("this would make more than {} MiB of text", MAX_TEXT >> 20)));
    }
    Ok(())
}

/// A collection, unless it has too many elements.
fn within_elements(count: usize) -> Result<(), FunctionError> {
    if count > MAX_ELEMENTS {
        return Err(FunctionError::new(format!("this would make more than {MAX_ELEMENTS} elements")));
    }
    Ok(())
}

/// The function of that name, unless evaluation handles it.
pub fn find(name: &str) -> Option<&'static Function> {
    all().find(|f| f.name == name)
}

/// All functions but those that evaluation handles.
pub fn all() -> impl Iterator<Item = &'static Function> {
    [
        numeric::FUNCTIONS,
        text::FUNCTIONS,
        pattern::FUNCTIONS,
        format::FUNCTIONS,
        collection::FUNCTIONS,
        combine::FUNCTIONS,
        encoding::FUNCTIONS,
        yaml::FUNCTIONS,
        files::FUNCTIONS,
        date::FUNCTIONS,
        hash::FUNCTIONS,
        ip::FUNCTIONS,
        lookup::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// Calls a function. The result is sensitive where an argument is, and unknown where that hangs on an unknown argument.
///
/// # Errors
/// There is no such function, the arguments do not fit, or it cannot do what it is asked for.
pub fn call(name: &str, arguments: &[Value], world: &World<'_>) -> Called {
    let function = find(name).ok_or_else(|| FunctionError::new(format!("there is no function `{name}`")))?;
    check_count(function, arguments.len())?;
    let (mut sensitive, mut known) = (false, true);
    let mut made = Vec::with_capacity(arguments.len());
    for (index, given) in arguments.iter().enumerate() {
        let Some(parameter) = function.parameters.get(index).or(function.rest.as_ref()) else { continue };
        sensitive |= if function.moves { given.is_sensitive() } else { given.holds_sensitive() };
        if given.is_null() && !parameter.null {
            return Err(FunctionError::at(index, format!("`{}` must not be null", parameter.name)));
        }
        let value = convert(given, &parameter.wish.ty()).map_err(|e| wrong_type(index, parameter, &e))?;
        known &= if function.moves { value.is_known() } else { value.is_wholly_known() };
        made.push(if function.moves { value } else { value.revealed() });
    }
    if !known {
        return Ok(Value::unknown(function.gives.ty()).mark(sensitive));
    }
    (function.run)(&Call { arguments: made, world }).map(|value| value.mark(sensitive))
}

fn check_count(function: &Function, given: usize) -> Result<(), FunctionError> {
    let wanted = function.parameters.len();
    let arguments = |n: usize| if n == 1 { "1 argument".to_owned() } else { format!("{n} arguments") };
    if let Some(missing) = function.parameters.get(given) {
        let least = if function.rest.is_some() { "at least " } else { "" };
        let message = format!("`{}` is missing: it takes {least}{}", missing.name, arguments(wanted));
        return Err(FunctionError::new(message));
    }
    if given > wanted && function.rest.is_none() {
        let message = format!("it takes {}, and these are {given}", arguments(wanted));
        return Err(FunctionError::at(wanted, message));
    }
    Ok(())
}

fn wrong_type(index: usize, parameter: &Parameter, error: &ConversionError) -> FunctionError {
    FunctionError::at(index, format!("`{}`: {error}", parameter.name))
}
