//! The names that an expression uses.

use super::super::syntax::ast::{Expression, ExpressionKind, Name, Part};

/// Calls `found` with the root and the names after it of every path in an expression: `var.a.b` gives `var` and `a`, `b`.
pub fn each<'e>(expression: &'e Expression, found: &mut dyn FnMut(&'e str, &[&'e Name])) {
    walk(expression, &mut Vec::new(), found);
}

fn walk<'e>(expression: &'e Expression, after: &mut Vec<&'e Name>, found: &mut dyn FnMut(&'e str, &[&'e Name])) {
    let fresh = |e: &'e Expression, found: &mut dyn FnMut(&'e str, &[&'e Name])| walk(e, &mut Vec::new(), found);
    match &expression.kind {
        ExpressionKind::Literal(_) | ExpressionKind::Element | ExpressionKind::Broken => {}
        ExpressionKind::Variable(root) => {
            after.reverse();
            found(root, after);
        }
        ExpressionKind::Attribute { of, name } => {
            after.push(name);
            walk(of, after, found);
        }
        ExpressionKind::Index { of, key } => {
            fresh(of, found);
            fresh(key, found);
        }
        ExpressionKind::Splat { of, each } => {
            fresh(of, found);
            fresh(each, found);
        }
        ExpressionKind::Template(parts) => in_parts(parts, found),
        ExpressionKind::Call { arguments, .. } => arguments.iter().for_each(|a| fresh(a, found)),
        ExpressionKind::Unary { operand, .. } => fresh(operand, found),
        ExpressionKind::Parentheses(inner) => fresh(inner, found),
        ExpressionKind::Binary { left, right, .. } => {
            fresh(left, found);
            fresh(right, found);
        }
        ExpressionKind::Conditional { condition, yes, no } => {
            [condition, yes, no].into_iter().for_each(|e| fresh(e, found));
        }
        ExpressionKind::Tuple(items) => items.iter().for_each(|i| fresh(i, found)),
        ExpressionKind::Object(items) => items.iter().for_each(|(k, v)| {
            fresh(k, found);
            fresh(v, found);
        }),
        ExpressionKind::For(it) => {
            fresh(&it.collection, found);
            it.key.iter().for_each(|e| fresh(e, found));
            fresh(&it.value, found);
            it.condition.iter().for_each(|e| fresh(e, found));
        }
    }
}

fn in_parts<'e>(parts: &'e [Part], found: &mut dyn FnMut(&'e str, &[&'e Name])) {
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Value(value) => each(value, found),
            Part::If { condition, yes, no } => {
                each(condition, found);
                in_parts(yes, found);
                in_parts(no, found);
            }
            Part::For { collection, body, .. } => {
                each(collection, found);
                in_parts(body, found);
            }
        }
    }
}
