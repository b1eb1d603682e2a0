//! Regular expressions, in RE2's syntax.

use regex::{Captures, Regex, RegexBuilder};

use super::{Call, Called, Function, FunctionError, Wish, function, takes, within_elements, within_limit};
use crate::template::hcl::value::{Type, Value};

mod syntax;

const SEARCH: &[super::Parameter] = &[takes("pattern", Wish::String), takes("string", Wish::String)];

pub(super) const FUNCTIONS: &[Function] = &[
    function("regex", SEARCH, Wish::Any, regex),
    function("regexall", SEARCH, Wish::Any, regexall),
    function(
        "regex_replace",
        &[takes("str", Wish::String), takes("pattern", Wish::String), takes("replace", Wish::String)],
        Wish::String,
        regex_replace,
    ),
];

/// Bytes that a compiled expression may take.
const MAX_COMPILED: usize = 2 << 20;

fn compiled(call: &Call<'_>, index: usize) -> Result<Regex, FunctionError> {
    let pattern = syntax::translate(call.text(index)).map_err(|why| FunctionError::at(index, why))?;
    RegexBuilder::new(&pattern).size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED).build().map_err(|error| {
        FunctionError::at(
            index,
            match error {
                regex::Error::CompiledTooBig(_) => "this regular expression is too large".to_owned(),
                // The last line says what is wrong; those before draw where.
                error => {
                    let said = error.to_string();
                    let last = said.lines().last().unwrap_or_default();
                    format!("this is no regular expression: {}", last.trim_start_matches("error: "))
                }
            },
        )
    })
}

/// The type of what a match gives: named groups an object, others a tuple, and without groups the text.
fn gives(regex: &Regex) -> Result<Type, FunctionError> {
    let groups: Vec<_> = regex.capture_names().skip(1).collect();
    let named = groups.iter().flatten().count();
    match (groups.len(), named) {
        (0, _) => Ok(Type::String),
        (all, named) if all == named => Ok(Type::object(groups.into_iter().flatten().map(|n| (n, Type::String)))),
        (all, 0) => Ok(Type::tuple(vec![Type::String; all])),
        _ => Err(FunctionError::at(0, "either all groups must have names or none")),
    }
}

fn found(regex: &Regex, captures: &Captures<'_>) -> Value {
    let text = |group: Option<regex::Match<'_>>| {
        group.map_or_else(|| Value::null(Type::String), |found| Value::from(found.as_str()))
    };
    let mut groups = regex.capture_names().enumerate().skip(1).peekable();
    match groups.peek() {
        None => text(captures.get(0)),
        Some((_, Some(_))) => {
            Value::object(groups.filter_map(|(i, name)| Some((name?, text(captures.get(i))))).collect::<Vec<_>>())
        }
        Some(_) => Value::tuple(groups.map(|(i, _)| text(captures.get(i))).collect::<Vec<_>>()),
    }
}

fn regex(call: &Call<'_>) -> Called {
    let regex = compiled(call, 0)?;
    gives(&regex)?;
    let captures = regex.captures(call.text(1));
    let captures = captures.ok_or_else(|| FunctionError::new("the pattern did not match any part of the string"))?;
    Ok(found(&regex, &captures))
}

fn regexall(call: &Call<'_>) -> Called {
    let regex = compiled(call, 0)?;
    let element = gives(&regex)?;
    let mut all = Vec::new();
    for captures in regex.captures_iter(call.text(1)) {
        all.push(found(&regex, &captures));
        within_elements(all.len())?;
    }
    Ok(Value::list(element, all))
}

fn regex_replace(call: &Call<'_>) -> Called {
    let regex = compiled(call, 1)?;
    let (text, replacement) = (call.text(0), call.text(2));
    let (mut out, mut end) = (String::new(), 0);
    for captures in regex.captures_iter(text) {
        let Some(whole) = captures.get(0) else { continue };
        out.push_str(&text[end..whole.start()]);
        captures.expand(replacement, &mut out);
        end = whole.end();
        within_limit(out.len())?;
    }
    out.push_str(&text[end..]);
    Ok(out.into())
}
