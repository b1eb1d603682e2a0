//! Strings: with the template engine's actions in JSON, with interpolations in HCL.

use super::action::{Converted, Names, Place, convert, escaped};

/// A string as an expression of HCL, and what in it will not do what it did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub expression: String,
    pub lost: Vec<String>,
    /// Something of HCL was put in.
    pub interpolates: bool,
}

pub(super) fn write(text: &str, place: Place, names: &mut Names) -> Written {
    let (mut out, mut lost, mut interpolates, mut rest) = (String::new(), Vec::new(), false, text);
    let mut alone = None;
    while let Some(at) = rest.find("{{") {
        let Some(length) = action_end(&rest[at..]) else { break };
        out.push_str(&escaped(&rest[..at]));
        let action = &rest[at..at + length];
        match convert(&action[2..length - 2], place, names) {
            Converted::Expression(expression) => {
                interpolates = true;
                out.push_str(&format!("${{{expression}}}"));
                alone = (action.len() == text.len()).then_some(expression);
            }
            Converted::Stays(same) if same == action => out.push_str(&escaped(action)),
            Converted::Stays(changed) => {
                interpolates = true;
                // An interpolation was put in on purpose.
                out.push_str(&changed);
            }
            Converted::Lost(why) => {
                lost.push(why);
                out.push_str(&escaped(action));
            }
        }
        rest = &rest[at + length..];
    }
    out.push_str(&escaped(rest));
    // A number alone must stay a text.
    let expression = match alone {
        Some(expression) if expression != "local.timestamp" => expression,
        _ => format!("\"{out}\""),
    };
    Written { expression, lost, interpolates }
}

/// How long an action is, strings with braces in them included.
fn action_end(text: &str) -> Option<usize> {
    let (mut quote, mut chars) = (None, text.char_indices().skip(2));
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (None, '}') if text[at..].starts_with("}}") => return Some(at + 2),
            (None, '`' | '"') => quote = Some(c),
            (Some('"'), '\\') => drop(chars.next()),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_become_expressions_where_they_can() {
        let mut names = Names::default();
        names.locals.insert("made".into());
        let mut of = |text: &str| write(text, Place::Step, &mut names).expression;
        for (text, expected) in [
            ("plain ${x} %{y} \"q\"\n", r#""plain $${x} %%{y} \"q\"\n""#),
            ("{{user `a`}}", "var.a"),
            ("a-{{ user \"made\" }}", r#""a-${local.made}""#),
            ("{{timestamp}}", r#""${local.timestamp}""#),
            ("{{isotime \"2006-01-02\"}}", r#"legacy_isotime("2006-01-02")"#),
            ("{{build `ID`}}-{{ .Vars }} {{.Path}}", r#""${build.ID}-{{ .Vars }} {{.Path}}""#),
            ("{{user `a` | upper}}", "upper(var.a)"),
            ("{{split `a-b` `-` 1}}", r#"split("-", "a-b")[1]"#),
            ("{{user `a` | clean_resource_name}}", r#""{{clean_resource_name `${var.a}`}}""#),
            ("{{if .X}}${y}{{end}}", r#""{{if .X}}$${y}{{end}}""#),
            ("{{build_name}} {{uuid}}", r#""{{build_name}} {{uuid}}""#),
            ("{{ open", r#""{{ open""#),
        ] {
            assert_eq!(of(text), expected, "{text}");
        }
        assert_eq!(write("{{if eq (user `a`) `b`}}x{{end}}", Place::Step, &mut names).lost.len(), 1);
    }
}
