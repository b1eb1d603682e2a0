//! The values of input variables: default, `PKR_VAR_…`, auto files, var-files, `-var`; the last one given counts.

use std::collections::HashMap;

use indexmap::IndexMap;

use super::super::eval::{Scope, type_of};
use super::super::syntax::ast::{Attribute, Expression};
use super::super::syntax::{parse, parse_expression};
use super::super::value::{Type, Value, convert};
use super::body::Reader;
use super::json;
use super::read::{Template, VariableBlock, known_attributes};
use crate::template::inputs::Inputs;
use crate::template::variables::Origin;
use crate::text::code::{hcl_block as code, variable as variable_code};
use crate::text::diagnostic::did_you_mean;
use crate::text::{Diagnostic, Sources, Span};

/// A variable with its value.
#[derive(Clone, Debug)]
pub struct VariableValue {
    pub name: String,
    pub declared: Span,
    /// Unknown where it has none; marked where it is sensitive.
    pub value: Value,
    pub origin: Origin,
    pub sensitive: bool,
    /// Where values are written for it.
    pub given_at: Vec<Span>,
}

/// A value that was given from outside, not typed yet.
enum Given {
    /// From a file: an expression without names.
    Expression(Expression),
    /// From the environment or the command line.
    Text(String),
}

struct Candidate {
    given: Given,
    place: Span,
    origin: Origin,
}

/// The values of all variables, in the order of their declarations. What is given for none is reported.
pub fn resolve(template: &Template, sources: &mut Sources, reader: &mut Reader<'_>) -> IndexMap<String, VariableValue> {
    let mut given = collect(template, reader.inputs, sources, reader.diagnostics);
    let mut values = IndexMap::new();
    for declaration in &template.variables {
        let candidates = given.remove(&declaration.name.text).unwrap_or_default();
        let value = one(declaration, candidates, sources, reader);
        values.insert(value.name.clone(), value);
    }
    for declaration in &template.variables {
        validate(declaration, &values, reader);
    }
    values
}

/// All that is given, by name, in the order of precedence.
fn collect(
    template: &Template,
    inputs: &Inputs,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> HashMap<String, Vec<Candidate>> {
    let names: Vec<&str> = template.variables.iter().map(|v| v.name.text.as_str()).collect();
    let mut given: HashMap<String, Vec<Candidate>> = HashMap::new();
    for (key, value) in &inputs.env {
        let Some(name) = key.strip_prefix("PKR_VAR_").filter(|n| names.contains(n)) else { continue };
        let id = sources.add(key.as_str(), value.as_str());
        let origin = Origin::Environment { name: key.clone(), set: true };
        let place = Span::new(id, 0, value.len());
        given.entry(name.to_owned()).or_default().push(Candidate { given: Given::Text(value.clone()), place, origin });
    }
    let files = inputs.auto_var_files.iter().map(|f| (f, false)).chain(inputs.var_files.iter().map(|f| (f, true)));
    for ((path, text), named) in files {
        let id = sources.add(path.as_str(), text.as_str());
        for attribute in file(path, id, sources, diagnostics) {
            let name = &attribute.name;
            if !names.contains(&name.text.as_str()) {
                if named {
                    diagnostics.push(undeclared(&name.text, name.span, &names, false));
                }
                continue;
            }
            let place = attribute.expression.span;
            let origin = Origin::VarFile(path.clone());
            let candidate = Candidate { given: Given::Expression(attribute.expression), place, origin };
            given.entry(name.text.clone()).or_default().push(candidate);
        }
    }
    for (name, value) in &inputs.vars {
        let id = sources.add(format!("-var {name}"), value.as_str());
        let place = Span::new(id, 0, value.len());
        if !names.contains(&name.as_str()) {
            diagnostics.push(undeclared(name, place, &names, true));
            continue;
        }
        let candidate = Candidate { given: Given::Text(value.clone()), place, origin: Origin::Argument };
        given.entry(name.clone()).or_default().push(candidate);
    }
    given
}

/// The attributes of a var-file.
fn file(path: &str, id: crate::text::SourceId, sources: &Sources, diagnostics: &mut Vec<Diagnostic>) -> Vec<Attribute> {
    let Some(source) = sources.get(id) else { return Vec::new() };
    let ending = path.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    if ending == "json" {
        return json::attributes(source, diagnostics);
    }
    if ending != "hcl" {
        let message = format!("`{path}` is neither `.hcl` nor `.json`");
        let diagnostic = Diagnostic::error(variable_code::VAR_FILE, Span::new(id, 0, 0), message);
        diagnostics.push(diagnostic.help("rename it: its ending tells Packer its language"));
        return Vec::new();
    }
    let body = parse(source, diagnostics);
    for block in &body.blocks {
        let message = format!("a var-file holds values only, and this is a block `{}`", block.kind.text);
        let diagnostic = Diagnostic::error(variable_code::VAR_FILE, block.header, message);
        diagnostics.push(
            diagnostic.help("variables are declared in a file that ends in `.pkr.hcl`; here write `name = value`"),
        );
    }
    body.attributes
}

fn undeclared(name: &str, place: Span, names: &[&str], error: bool) -> Diagnostic {
    let message = format!("the template declares no variable `{name}`");
    let diagnostic = if error {
        Diagnostic::error(variable_code::UNDECLARED, place, message)
    } else {
        Diagnostic::warning(variable_code::UNDECLARED, place, message)
    };
    match did_you_mean(name, names.iter().copied()) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("declare it with `variable \"{name}\" {{ … }}`, or leave it out")),
    }
}

fn one(
    declaration: &VariableBlock,
    mut candidates: Vec<Candidate>,
    sources: &mut Sources,
    reader: &mut Reader<'_>,
) -> VariableValue {
    let name = &declaration.name;
    let nothing = Scope::new();
    let sensitive = declaration.sensitive.as_ref().is_some_and(|e| reader.value(e, &nothing).as_bool() == Some(true));
    let declared_type = declaration.ty.as_ref().map(|ty| {
        let read = type_of(ty, &mut |default| reader.value(default, &nothing));
        read.unwrap_or_else(|diagnostic| {
            reader.diagnostics.push(*diagnostic);
            Type::Any
        })
    });
    reader.env = true;
    let before = reader.diagnostics.len();
    let default = declaration.default.as_ref().map(|e| (reader.value(e, &nothing), e.span));
    reader.env = false;
    if sensitive {
        reader.diagnostics[before..].iter_mut().for_each(|d| d.secret = true);
    }
    let ty = declared_type.clone().unwrap_or_else(|| inferred(default.as_ref().map(|(v, _)| v)));
    let mut given_at: Vec<Span> = candidates.iter().map(|c| c.place).collect();
    given_at.extend(default.as_ref().map(|(_, span)| *span));
    let (value, place, origin) = match candidates.pop() {
        Some(Candidate { given, place, origin }) => {
            let value = match given {
                Given::Expression(expression) => reader.value(&expression, &nothing),
                Given::Text(text) => typed(&text, &ty, place, sources, reader),
            };
            (value, place, origin)
        }
        None => {
            if let Some((value, place)) = default {
                (value, place, Origin::Default)
            } else {
                let diagnostic = Diagnostic::error(
                    variable_code::REQUIRED,
                    name.span,
                    format!("variable `{}` is required and has no value", name.text),
                );
                let help = format!(
                    "give it with `-var {0}=VALUE`, in a `-var-file` or as `PKR_VAR_{0}`, or write a `default`",
                    name.text
                );
                reader.diagnostics.push(diagnostic.help(help));
                (Value::unknown(ty.clone()), name.span, Origin::Missing)
            }
        }
    };
    let value = match convert(&value, &ty) {
        Ok(value) => value,
        Err(error) => {
            let message = format!("the value of variable `{}` is not {}: {error}", name.text, ty.described());
            let mut diagnostic =
                Diagnostic::error(code::VALUE_TYPE, place, message).help(format!("its type is `{ty}`"));
            if let Some(written) = declaration.ty.as_ref() {
                diagnostic = diagnostic.related(written.span, "its type is declared here");
            }
            reader.diagnostics.push(if sensitive { diagnostic.secret() } else { diagnostic });
            Value::unknown(ty.without_optional())
        }
    };
    let value = value.mark(sensitive);
    VariableValue { name: name.text.clone(), declared: name.span, value, origin, sensitive, given_at }
}

/// The type of a variable that declares none: that of its default, but that an empty collection may become any other.
fn inferred(default: Option<&Value>) -> Type {
    match default.map(Value::type_of) {
        Some(Type::Tuple(elements)) if elements.is_empty() => Type::Any,
        Some(Type::Object(attributes)) if attributes.is_empty() => Type::Any,
        Some(ty) => ty,
        None => Type::Any,
    }
}

/// A text from outside as Packer reads it: as it stands for strings, numbers and what has no type, else as an expression.
fn typed(text: &str, ty: &Type, place: Span, sources: &mut Sources, reader: &mut Reader<'_>) -> Value {
    if matches!(ty, Type::String | Type::Number | Type::Any) {
        return Value::from(text);
    }
    let Some(source) = sources.get(place.source) else { return Value::unknown(ty.clone()) };
    let before = reader.diagnostics.len();
    let expression = parse_expression(source, reader.diagnostics);
    let value = match expression {
        Some(expression) => reader.value(&expression, &Scope::new()),
        None => Value::unknown(ty.without_optional()),
    };
    for diagnostic in &mut reader.diagnostics[before..] {
        diagnostic.help =
            Some(format!("a value of the type `{ty}` is written as in a template; texts in it need quotes"));
    }
    value
}

/// Holds a value against the rules of its variable.
fn validate(declaration: &VariableBlock, values: &IndexMap<String, VariableValue>, reader: &mut Reader<'_>) {
    let Some(variable) = values.get(&declaration.name.text) else { return };
    for rule in &declaration.validations {
        known_attributes(rule, &["condition", "error_message"], &[], reader.diagnostics);
        let (condition, message) = (rule.body.attribute("condition"), rule.body.attribute("error_message"));
        let (Some(condition), Some(message)) = (condition, message) else {
            reader.diagnostics.push(
                Diagnostic::error(
                    code::VALIDATION_RULE,
                    rule.header,
                    "a `validation` needs `condition` and `error_message`",
                )
                .help("write both in it"),
            );
            continue;
        };
        let var = Value::object([(variable.name.as_str(), variable.value.clone())]);
        let scope = Scope::from([("var".to_owned(), var)]);
        let told = reader.value(&message.expression, &scope);
        if let Some(text) = told.as_str()
            && !sentence(text)
        {
            reader.diagnostics.push(
                Diagnostic::error(
                    code::VALIDATION_RULE,
                    message.expression.span,
                    "`error_message` is not a whole sentence",
                )
                .help("begin it with a capital letter and end it with `.`, `?` or `!`, as Packer wants it"),
            );
            continue;
        }
        if !refers_to(&condition.expression, &variable.name) {
            reader.diagnostics.push(
                Diagnostic::error(
                    code::VALIDATION_RULE,
                    condition.expression.span,
                    format!("the condition does not look at `var.{}`", variable.name),
                )
                .help("a condition is about the variable that it stands in"),
            );
            continue;
        }
        let result = reader.value(&condition.expression, &scope);
        let Ok(result) = convert(&result, &Type::Bool) else {
            reader.diagnostics.push(
                Diagnostic::error(code::VALIDATION_RULE, condition.expression.span, "the condition is not a bool")
                    .help("it must come to true or false"),
            );
            continue;
        };
        if result.as_bool() == Some(false) {
            let message = told.as_str().unwrap_or("its rule is not met").trim_end_matches('.').to_owned();
            let place = variable.given_at.first().copied().unwrap_or(variable.declared);
            let diagnostic = Diagnostic::error(
                code::VALIDATION,
                place,
                format!("the value of variable `{}` is refused: {message}", variable.name),
            )
            .related(condition.expression.span, "by this rule");
            reader.diagnostics.push(if variable.sensitive { diagnostic.secret() } else { diagnostic });
        }
    }
}

fn refers_to(expression: &Expression, variable: &str) -> bool {
    let mut found = false;
    super::reference::each(expression, &mut |root, path| {
        found |= root == "var" && path.first().is_some_and(|n| n.text == variable);
    });
    found
}

fn sentence(text: &str) -> bool {
    text.chars().next().is_some_and(char::is_uppercase) && text.ends_with(['.', '?', '!'])
}
