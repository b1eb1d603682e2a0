//! Secrets of an HCL2 template in decoded values: each becomes a reference, wherever it stands.
//!
//! HCL2 evaluates a template's values before they are decoded, so that the text of a sensitive variable is in them as it is.

use crate::run::value::{Piece, SecretText};
use crate::run::{SecretRef, Secrets, Value};

/// Puts references where secrets stand in the texts of a value.
pub(super) fn conceal(value: &mut Value, secrets: &Secrets) {
    let mut known: Vec<(&SecretRef, &str)> = secrets.iter().filter(|(_, text)| !text.is_empty()).collect();
    // The longest first: one secret may hold another.
    known.sort_by_key(|(_, text)| std::cmp::Reverse(text.len()));
    if !known.is_empty() {
        each(value, &known);
    }
}

fn each(value: &mut Value, known: &[(&SecretRef, &str)]) {
    match value {
        Value::Text(text) => {
            let pieces = cut(text, known);
            if pieces.iter().any(|p| matches!(p, Piece::Secret(_))) {
                *value = Value::Secret(SecretText { pieces });
            }
        }
        Value::Secret(text) => {
            let pieces = std::mem::take(&mut text.pieces);
            text.pieces = pieces
                .into_iter()
                .flat_map(|piece| match piece {
                    Piece::Plain(text) => cut(&text, known),
                    Piece::Secret(reference) => vec![Piece::Secret(reference)],
                })
                .collect();
        }
        Value::List(items) => items.iter_mut().for_each(|item| each(item, known)),
        Value::Map(map) => map.values_mut().for_each(|item| each(item, known)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Unknown(_) => {}
    }
}

fn cut(text: &str, known: &[(&SecretRef, &str)]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        // What begins first; of several that begin there the longest.
        let first = known.iter().filter_map(|(r, secret)| Some((rest.find(*secret)?, *r, *secret))).min_by_key(|f| f.0);
        let Some((at, reference, secret)) = first else { break };
        if at > 0 {
            pieces.push(Piece::Plain(rest[..at].to_owned()));
        }
        pieces.push(Piece::Secret(reference.clone()));
        rest = &rest[at + secret.len()..];
    }
    if !rest.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Plain(rest.to_owned()));
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_becomes_its_reference_and_comes_back() {
        let mut secrets = Secrets::default();
        secrets.insert(SecretRef("var:a".into()), "hunter");
        secrets.insert(SecretRef("var:b".into()), "hunter2");
        let text = "x hunter2 y hunter";
        let mut value = Value::List(vec![Value::Text(text.into()), Value::Text("plain".into())]);
        conceal(&mut value, &secrets);
        let Value::List(items) = &value else { panic!("a list stays one") };
        let Value::Secret(secret) = &items[0] else { panic!("it holds secrets") };
        let references: Vec<_> = secret
            .pieces
            .iter()
            .filter_map(|p| if let Piece::Secret(r) = p { Some(r.0.as_str()) } else { None })
            .collect();
        assert_eq!(references, ["var:b", "var:a"]);
        assert_eq!(items[1], Value::Text("plain".into()));
        assert_eq!(value.reveal(&secrets)[0], text);
    }
}
