//! Types as templates write them: `string`, `list(map(number))`, `object({ a = string, b = optional(bool, true) })`.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::syntax::ast::{Expression, ExpressionKind, Part};
use super::super::value::{Attribute, Type, Value, convert};
use crate::text::code::hcl_value as code;
use crate::text::{Diagnostic, Span};

const KNOWN: &str =
    "the types are `string`, `number`, `bool`, `any`, `list(…)`, `set(…)`, `map(…)`, `object({…})` and `tuple([…])`";

/// The type that an expression writes. `constant` gives the value of the default of an optional attribute.
///
/// # Errors
/// Where the expression is no type.
pub fn type_of(
    expression: &Expression,
    constant: &mut dyn FnMut(&Expression) -> Value,
) -> Result<Type, Box<Diagnostic>> {
    match &expression.kind {
        ExpressionKind::Variable(name) => simple(name, expression.span),
        ExpressionKind::Parentheses(inner) => type_of(inner, constant),
        ExpressionKind::Call { name, arguments, expand: false } => {
            compound(&name.text, name.span, arguments, expression.span, constant)
        }
        ExpressionKind::Template(parts) => {
            let error = wrong(expression.span, "a type stands without quotes");
            Err(Box::new(match parts.as_slice() {
                [Part::Text(text)] if simple(&text.value, expression.span).is_ok() => {
                    error.fix(format!("Write `{}`", text.value), expression.span, text.value.clone())
                }
                _ => error,
            }))
        }
        ExpressionKind::Broken => Ok(Type::Any),
        _ => Err(Box::new(wrong(expression.span, "this is no type"))),
    }
}

fn wrong(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code::TYPE, span, message).help(KNOWN)
}

fn simple(name: &str, span: Span) -> Result<Type, Box<Diagnostic>> {
    let message = match name {
        "string" => return Ok(Type::String),
        "number" => return Ok(Type::Number),
        "bool" => return Ok(Type::Bool),
        "any" => return Ok(Type::Any),
        "list" | "set" | "map" => format!("`{name}` needs the type of its elements: `{name}(string)`"),
        "object" => "`object` needs its attributes: `object({ name = string })`".to_owned(),
        "tuple" => "`tuple` needs its elements: `tuple([string, number])`".to_owned(),
        _ => format!("there is no type `{name}`"),
    };
    Err(Box::new(wrong(span, message)))
}

fn compound(
    name: &str,
    name_span: Span,
    arguments: &[Expression],
    span: Span,
    constant: &mut dyn FnMut(&Expression) -> Value,
) -> Result<Type, Box<Diagnostic>> {
    let make = match name {
        "list" => Type::list,
        "set" => Type::set,
        "map" => Type::map,
        "object" | "tuple" => |t| t,
        "optional" => return Err(Box::new(wrong(name_span, "`optional` is for attributes of an `object` only"))),
        "string" | "number" | "bool" | "any" => {
            return Err(Box::new(wrong(span, format!("`{name}` takes nothing in parentheses"))));
        }
        _ => return Err(Box::new(wrong(name_span, format!("there is no type `{name}(…)`")))),
    };
    let [argument] = arguments else {
        return Err(Box::new(wrong(span, format!("`{name}` takes one argument, not {}", arguments.len()))));
    };
    match (name, &argument.kind) {
        ("object", ExpressionKind::Object(items)) => object(items, constant),
        ("tuple", ExpressionKind::Tuple(items)) => {
            let types: Result<Vec<_>, _> = items.iter().map(|item| type_of(item, constant)).collect();
            Ok(Type::tuple(types?))
        }
        ("object", _) => {
            Err(Box::new(wrong(argument.span, "`object` takes its attributes in braces: `object({ name = string })`")))
        }
        ("tuple", _) => {
            Err(Box::new(wrong(argument.span, "`tuple` takes its elements in brackets: `tuple([string, number])`")))
        }
        _ => Ok(make(type_of(argument, constant)?)),
    }
}

fn object(
    items: &[(Expression, Expression)],
    constant: &mut dyn FnMut(&Expression) -> Value,
) -> Result<Type, Box<Diagnostic>> {
    let mut attributes = BTreeMap::new();
    for (key, value) in items {
        let key = match &key.kind {
            ExpressionKind::Template(parts) => match parts.as_slice() {
                [Part::Text(text)] => text.value.clone(),
                _ => return Err(Box::new(wrong(key.span, "the name of an attribute is a plain text"))),
            },
            _ => return Err(Box::new(wrong(key.span, "the name of an attribute is a plain text"))),
        };
        attributes.insert(Arc::from(key), attribute(value, constant)?);
    }
    Ok(Type::Object(Arc::new(attributes)))
}

fn attribute(
    expression: &Expression,
    constant: &mut dyn FnMut(&Expression) -> Value,
) -> Result<Attribute, Box<Diagnostic>> {
    let ExpressionKind::Call { name, arguments, expand: false } = &expression.kind else {
        return type_of(expression, constant).map(Attribute::required);
    };
    if name.text != "optional" {
        return type_of(expression, constant).map(Attribute::required);
    }
    let (ty, default) = match arguments.as_slice() {
        [ty] => (type_of(ty, constant)?, None),
        [ty, default] => {
            let (ty, value) = (type_of(ty, constant)?, constant(default));
            let value = convert(&value, &ty).map_err(|error| {
                Box::new(wrong(default.span, format!("this default is not {}: {error}", ty.described())))
            })?;
            (ty, Some(value))
        }
        _ => return Err(Box::new(wrong(expression.span, "`optional` takes a type and perhaps a default"))),
    };
    Ok(Attribute { ty, optional: true, default })
}
