//! Calls of functions; those that take expressions instead of values are here.

use super::super::function::{self, FunctionError};
use super::super::syntax::ast::{Expression, Name};
use super::super::syntax::parse_template;
use super::super::value::{Kind, Type, Value, convert};
use super::type_expression::type_of;
use super::{Evaluator, anything, late};
use crate::text::code::hcl_value as code;
use crate::text::diagnostic::did_you_mean;
use crate::text::{Diagnostic, Sources, Span};

const TEMPLATE_FILE: &str = "templatefile";

impl Evaluator<'_> {
    pub(super) fn call(&mut self, name: &Name, arguments: &[Expression], expand: bool, span: Span) -> Value {
        if self.world.env && name.text != "env" {
            let message = format!("`{}` cannot be called in the default of a variable", name.text);
            let help = "only `env` can; write a local that is made from the variable";
            return self.error(code::UNKNOWN_FUNCTION, name.span, message, help);
        }
        match name.text.as_str() {
            "can" if !expand => return self.can(name, arguments),
            "try" if !expand => return self.try_each(arguments, span),
            "convert" if !expand => return self.convert(name, arguments),
            _ => {}
        }
        if !known(&name.text) {
            return self.no_function(name);
        }
        let Some((values, places, sensitive)) = self.arguments(arguments, expand) else { return anything() };
        if values.iter().any(late::holds) {
            return late::call(&name.text, &values).mark(sensitive);
        }
        if name.text == TEMPLATE_FILE {
            return self.template_file(&values, &places, span).mark(sensitive);
        }
        let size: usize = values.iter().map(weight).sum();
        if !self.grow(size, span) {
            return anything();
        }
        match function::call(&name.text, &values, self.world) {
            Ok(value) => {
                self.grow(weight(&value), span);
                value.mark(sensitive)
            }
            Err(fault) => self.fault(name, &fault, &places, span, sensitive),
        }
    }

    fn no_function(&mut self, name: &Name) -> Value {
        let diagnostic =
            Diagnostic::error(code::UNKNOWN_FUNCTION, name.span, format!("there is no function `{}`", name.text));
        let diagnostic = match did_you_mean(&name.text, names()) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
                format!("Change to `{near}`"),
                name.span,
                near.to_owned(),
            ),
            None => match renamed(&name.text) {
                Some(way) => diagnostic.help(way),
                None => diagnostic.help("Packer's manual lists the functions of HCL2 templates"),
            },
        };
        self.push(diagnostic)
    }

    /// The values, where each stands, and whether an expanded one was sensitive as a whole.
    fn arguments(&mut self, arguments: &[Expression], expand: bool) -> Option<(Vec<Value>, Vec<Span>, bool)> {
        let (mut values, mut places) = (Vec::new(), Vec::new());
        let last = if expand { arguments.last() } else { None };
        for argument in &arguments[..arguments.len() - usize::from(last.is_some())] {
            values.push(self.evaluate(argument));
            places.push(argument.span);
        }
        let Some(last) = last else { return Some((values, places, false)) };
        let list = self.evaluate(last);
        let wrong = match list.kind() {
            Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => None,
            Kind::Unknown(Type::Any | Type::List(_) | Type::Set(_) | Type::Tuple(_)) => return None,
            Kind::Null(_) => Some("null".to_owned()),
            _ => Some(list.type_of().described()),
        };
        if let Some(found) = wrong {
            let message = format!("`...` takes a list, a set or a tuple apart, and this is {found}");
            self.error(code::CALL, last.span, message, "remove the `...`, or put it in a list");
            return None;
        }
        for value in list.elements().into_iter().flat_map(|e| e.iter()) {
            values.push(value.clone());
            places.push(last.span);
        }
        Some((values, places, list.is_sensitive()))
    }

    fn fault(&mut self, name: &Name, fault: &FunctionError, places: &[Span], span: Span, sensitive: bool) -> Value {
        let place = fault.argument.and_then(|i| places.get(i)).copied().unwrap_or(span);
        let mut diagnostic = Diagnostic::error(code::CALL, place, format!("`{}`: {}", name.text, fault.message));
        if sensitive {
            diagnostic = diagnostic.secret();
        }
        self.push(diagnostic)
    }

    fn can(&mut self, name: &Name, arguments: &[Expression]) -> Value {
        let [argument] = arguments else {
            return self.count(name, "one expression", arguments.len());
        };
        let (value, found) = self.quietly(argument);
        if found.iter().any(Diagnostic::is_error) {
            return Value::from(false);
        }
        if value.is_wholly_known() { Value::from(true) } else { Value::unknown(Type::Bool) }
    }

    fn try_each(&mut self, arguments: &[Expression], span: Span) -> Value {
        let mut all = Vec::new();
        for argument in arguments {
            let (value, found) = self.quietly(argument);
            if !found.iter().any(Diagnostic::is_error) {
                return if value.is_wholly_known() { value } else { anything().mark(value.holds_sensitive()) };
            }
            all.extend(found.into_iter().filter(Diagnostic::is_error));
        }
        let mut diagnostic = Diagnostic::error(code::CALL, span, "`try`: none of these expressions has a value")
            .help("add one that always has");
        for failed in all {
            if let Some(span) = failed.span {
                diagnostic = diagnostic.related(span, failed.message);
            }
        }
        self.push(diagnostic)
    }

    fn convert(&mut self, name: &Name, arguments: &[Expression]) -> Value {
        let [value, ty] = arguments else {
            return self.count(name, "a value and a type", arguments.len());
        };
        let value_place = value.span;
        let value = self.evaluate(value);
        let ty = match type_of(ty, &mut |default| self.evaluate(default)) {
            Ok(ty) => ty,
            Err(diagnostic) => return self.push(*diagnostic),
        };
        match convert(&value, &ty) {
            Ok(converted) => converted,
            Err(error) => {
                self.error(code::CALL, value_place, format!("`convert`: {error}"), format!("`{ty}` is wanted"))
            }
        }
    }

    fn count(&mut self, name: &Name, wanted: &str, found: usize) -> Value {
        let message = format!("`{}` takes {wanted}, and this gives it {found} arguments", name.text);
        self.error(code::CALL, name.span, message, "separate arguments with commas")
    }

    /// `templatefile(path, variables)`: the file's text with the variables in it, and nothing else.
    fn template_file(&mut self, values: &[Value], places: &[Span], span: Span) -> Value {
        let [path, variables] = values else {
            let message =
                format!("`templatefile` takes a path and an object, and this gives it {} arguments", values.len());
            return self.error(code::CALL, span, message, "write `templatefile(\"file.tftpl\", { name = value })`");
        };
        if self.inside_file {
            let help = "put both texts together in the template instead";
            return self.error(code::CALL, span, "a file of `templatefile` cannot call `templatefile`", help);
        }
        if !path.is_known() || !variables.is_known() {
            return Value::unknown(Type::String);
        }
        let Some(attributes) = variables.attributes() else {
            let message =
                format!("`templatefile`: the variables must be an object, not {}", variables.type_of().described());
            return self.error(code::CALL, places[1], message, "write `{ name = value }`");
        };
        let path = std::slice::from_ref(path);
        let text = match function::call("file", path, self.world) {
            Ok(text) => text,
            Err(mut fault) => {
                fault.argument = Some(0);
                let name = Name { text: TEMPLATE_FILE.to_owned(), span };
                return self.fault(&name, &fault, places, span, false);
            }
        };
        let Some(content) = text.as_str() else { return Value::unknown(Type::String) };
        let mut sources = Sources::default();
        let id = sources.add(path[0].as_str().unwrap_or_default(), content);
        let Some(source) = sources.get(id) else { return Value::unknown(Type::String) };
        let mut found = Vec::new();
        let scope = attributes.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
        let parts = parse_template(source, &mut found);
        let value = match &parts {
            Some(parts) if found.is_empty() => {
                let mut inner = Evaluator::new(&scope, self.world, &mut found);
                inner.steps = self.steps;
                inner.size = self.size;
                inner.inside_file = true;
                let value = inner.text_of(parts);
                (self.steps, self.size) = (inner.steps, inner.size);
                value
            }
            _ => Value::unknown(Type::String),
        };
        for diagnostic in found {
            let line = diagnostic.span.map_or(0, |s| source.position(s.range().start).line);
            let message = format!("`templatefile`: {}, line {line}: {}", source.name, diagnostic.message);
            let mut here = Diagnostic::error(code::CALL, places[0], message);
            here.help = diagnostic.help;
            self.push(here);
        }
        value.mark(text.is_sensitive() || variables.is_sensitive())
    }
}

/// The functions that are here.
const OWN: [&str; 4] = ["can", "convert", "templatefile", "try"];

/// The names of all functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    function::all().map(|f| f.name).chain(OWN)
}

fn known(name: &str) -> bool {
    OWN.contains(&name) || function::find(name).is_some()
}

/// Functions of Terraform that Packer has by another name.
fn renamed(name: &str) -> Option<&'static str> {
    Some(match name {
        "tostring" => "write `convert(value, string)`",
        "tonumber" => "write `convert(value, number)`",
        "tobool" => "write `convert(value, bool)`",
        "tolist" => "write `convert(value, list(any))`",
        "toset" => "write `convert(value, set(any))`",
        "tomap" => "write `convert(value, map(any))`",
        "filemd5" => "write `md5(file(path))`",
        "filesha256" => "write `sha256(file(path))`",
        "uuid" => "write `uuidv4()`",
        "one" | "matchkeys" | "transpose" | "setsubtract" => "Packer does not have this function of Terraform",
        _ => return None,
    })
}

/// About how much memory a value takes, in bytes.
fn weight(value: &Value) -> usize {
    match value.kind() {
        Kind::String(text) => text.len(),
        _ => value.parts().map(|part| weight(part).saturating_add(8)).sum(),
    }
}
