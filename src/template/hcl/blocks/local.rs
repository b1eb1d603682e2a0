//! Locals and data sources, in the order in which they need each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::eval::Scope;
use super::super::value::{Attributes, Type, Value};
use super::body::Reader;
use super::data;
use super::read::Template;
use super::reference;
use crate::text::code::hcl_block as code;
use crate::text::{Diagnostic, Span};

/// What is known by now.
#[derive(Default)]
pub struct Known {
    pub locals: Attributes,
    /// By type, then by name.
    pub data: BTreeMap<String, Attributes>,
}

/// Something that has a value once what it needs has one.
struct Open {
    /// `local.x`, `data.type.name`.
    path: String,
    span: Span,
    needs: Vec<String>,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Local(usize),
    Data(usize),
}

/// Evaluates all locals and data sources; `scope` has the other names, and gets `local` and `data`.
pub fn resolve(template: &Template, scope: &mut Scope, execute: bool, reader: &mut Reader<'_>) {
    let mut open = Vec::new();
    for (i, local) in template.locals.iter().enumerate() {
        let mut needs = Vec::new();
        reference::each(&local.expression, &mut |root, path| need(root, path, &mut needs));
        open.push(Open {
            path: format!("local.{}", local.name.text),
            span: local.name.span,
            needs,
            what: What::Local(i),
        });
    }
    for (i, data) in template.data.iter().enumerate() {
        let mut needs = Vec::new();
        in_body(&data.block.body, &mut needs);
        let path = format!("data.{}.{}", data.kind.text, data.name.text);
        let span = data.kind.span.to(data.name.span);
        open.push(Open { path, span, needs, what: What::Data(i) });
    }
    let paths: Vec<String> = open.iter().map(|o| o.path.clone()).collect();
    for item in &mut open {
        item.needs.retain(|n| paths.contains(n));
    }
    let mut known = Known::default();
    for ty in template.data.iter().map(|d| d.kind.text.clone()) {
        known.data.entry(ty).or_default();
    }
    put(&known, scope);
    while !open.is_empty() {
        let pending: Vec<String> = open.iter().map(|o| o.path.clone()).collect();
        let ready = open.iter().position(|o| !o.needs.iter().any(|n| pending.contains(n)));
        let Some(ready) = ready else {
            // All that is left needs something that is left.
            let circle = circle(&open);
            report(&circle, reader.diagnostics);
            let paths: Vec<String> = circle.iter().map(|(path, _)| path.clone()).collect();
            for path in &paths {
                forget(path, &mut known);
            }
            open.retain(|o| !paths.contains(&o.path));
            put(&known, scope);
            continue;
        };
        let item = open.remove(ready);
        match item.what {
            What::Local(index) => {
                let local = &template.locals[index];
                let sensitive =
                    local.sensitive.as_ref().is_some_and(|e| reader.value(e, scope).as_bool() == Some(true));
                let value = reader.value(&local.expression, scope).mark(sensitive);
                if sensitive {
                    reader.remember(&value);
                }
                known.locals.insert(Arc::from(local.name.text.as_str()), value);
            }
            What::Data(index) => {
                let block = &template.data[index];
                let value = data::value(block, scope, execute, reader);
                known
                    .data
                    .entry(block.kind.text.clone())
                    .or_default()
                    .insert(Arc::from(block.name.text.as_str()), value);
            }
        }
        put(&known, scope);
    }
}

fn put(known: &Known, scope: &mut Scope) {
    scope.insert("local".into(), Value::object(known.locals.clone()));
    let data = known.data.iter().map(|(ty, named)| (ty.as_str(), Value::object(named.clone())));
    scope.insert("data".into(), Value::object(data));
}

fn need(root: &str, path: &[&super::super::syntax::ast::Name], needs: &mut Vec<String>) {
    let path = match (root, path) {
        ("local", [name, ..]) => format!("local.{}", name.text),
        ("data", [ty, name, ..]) => format!("data.{}.{}", ty.text, name.text),
        _ => return,
    };
    if !needs.contains(&path) {
        needs.push(path);
    }
}

fn in_body(body: &super::super::syntax::ast::Body, needs: &mut Vec<String>) {
    for attribute in &body.attributes {
        reference::each(&attribute.expression, &mut |root, path| need(root, path, needs));
    }
    for block in &body.blocks {
        in_body(&block.body, needs);
    }
}

/// A circle among what is left.
fn circle(open: &[Open]) -> Vec<(String, Span)> {
    let mut path: Vec<&Open> = Vec::new();
    let Some(mut next) = open.first() else { return Vec::new() };
    loop {
        if let Some(start) = path.iter().position(|o| o.path == next.path) {
            return path[start..].iter().map(|o| (o.path.clone(), o.span)).collect();
        }
        path.push(next);
        match open.iter().find(|o| next.needs.contains(&o.path)) {
            Some(needed) => next = needed,
            None => return path.iter().map(|o| (o.path.clone(), o.span)).collect(),
        }
    }
}

fn report(circle: &[(String, Span)], diagnostics: &mut Vec<Diagnostic>) {
    let Some((first, span)) = circle.first() else { return };
    let names: Vec<_> = circle.iter().map(|(path, _)| path).chain([first]).map(|p| format!("`{p}`")).collect();
    let mut found =
        Diagnostic::error(code::CYCLE, *span, format!("these need each other in a circle: {}", names.join(" → ")))
            .help("take one of these references out");
    for (path, span) in &circle[1..] {
        found = found.related(*span, format!("`{path}` is part of the circle"));
    }
    diagnostics.push(found);
}

fn forget(path: &str, known: &mut Known) {
    let unknown = Value::unknown(Type::Any);
    match path.splitn(3, '.').collect::<Vec<_>>().as_slice() {
        ["local", name] => {
            known.locals.insert(Arc::from(*name), unknown);
        }
        ["local", name, rest] => {
            known.locals.insert(Arc::from(format!("{name}.{rest}")), unknown);
        }
        ["data", ty, name] => {
            known.data.entry((*ty).to_owned()).or_default().insert(Arc::from(*name), unknown);
        }
        _ => {}
    }
}
