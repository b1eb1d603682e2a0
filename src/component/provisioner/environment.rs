//! The environment that scripts get, as assignments in a shell's words.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::component::contract::{CheckContext, StepContext};
use crate::component::late;
use crate::run::Failure;
use crate::text::Diagnostic;
use crate::text::code::provisioner as code;

/// Reports each entry of `environment_vars` that is no `NAME=VALUE`.
pub fn check(vars: &[String], cx: &mut CheckContext<'_>) {
    for (i, entry) in vars.iter().enumerate() {
        if entry.split_once('=').is_none_or(|(name, _)| name.is_empty()) {
            let span = cx.places.value(&format!("environment_vars.{i}"));
            cx.diagnostics.push(
                Diagnostic::error(code::ENVIRONMENT, span, "this is no `NAME=VALUE`")
                    .help("write each entry as `NAME=VALUE`, or use the map `env`"),
            );
        }
    }
}

/// Name and value of each variable, in the order of their names: Packer's own two, `environment_vars`, then `env`, of which
/// the later one of a name counts.
///
/// # Errors
/// A value that cannot be rendered.
pub fn variables(
    vars: &[String],
    env: &IndexMap<String, String>,
    cx: &StepContext,
) -> Result<BTreeMap<String, String>, Failure> {
    let dot = late::dot(cx, []);
    let mut all = BTreeMap::from([
        ("PACKER_BUILD_NAME".to_owned(), cx.build.name.clone()),
        ("PACKER_BUILDER_TYPE".to_owned(), cx.build.builder_type.clone()),
    ]);
    let listed =
        vars.iter().filter_map(|entry| entry.split_once('=')).map(|(name, value)| ("environment_vars", name, value));
    let mapped = env.iter().map(|(name, value)| ("env", name.as_str(), value.as_str()));
    for (field, name, value) in listed.chain(mapped) {
        all.insert(name.to_owned(), late::render(cx, field, value, &dot)?);
    }
    Ok(all)
}

/// The variables as one text: each through `format`, in which the first `%s` is the name and the second the value.
#[must_use]
pub fn assignments(variables: &BTreeMap<String, String>, format: &str) -> String {
    variables.iter().map(|(name, value)| go_format(format, [name, value])).collect()
}

/// A value as it stands between a shell's single quotes.
#[must_use]
pub fn quoted(value: &str) -> String {
    value.replace('\'', r#"'"'"'"#)
}

/// What Go's `Sprintf` makes of a format with two texts: `%s`, `%v`, `%q`, `%%`, and `%[1]s`.
fn go_format(format: &str, arguments: [&str; 2]) -> String {
    let mut text = String::with_capacity(format.len() + 32);
    let mut rest = format;
    let mut next = 0;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        for (place, prefix) in ["[1]", "[2]"].into_iter().enumerate() {
            if let Some(after) = rest.strip_prefix(prefix) {
                (next, rest) = (place, after);
            }
        }
        let Some(verb) = rest.chars().next() else {
            text.push('%');
            break;
        };
        rest = &rest[verb.len_utf8()..];
        match (verb, arguments.get(next)) {
            ('%', _) => text.push('%'),
            ('s' | 'v', Some(argument)) => text.push_str(argument),
            ('q', Some(argument)) => text.push_str(&format!("{argument:?}")),
            (other, _) => {
                text.push('%');
                text.push(other);
            }
        }
        if matches!(verb, 's' | 'v' | 'q') {
            next += 1;
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_format_s_places_are_filled_as_go_does() {
        let filled = |format| go_format(format, ["K", "V"]);
        assert_eq!(filled("%s='%s' "), "K='V' ");
        assert_eq!(filled("export %s='%s'\n"), "export K='V'\n");
        assert_eq!(filled("%[2]s=%[1]s"), "V=K");
        assert_eq!(filled("100%% %s"), "100% K");
        assert_eq!(filled("%s %s %s %"), "K V %s %");
        assert_eq!(filled("ä%sü"), "äKü");
    }

    #[test]
    fn a_single_quote_ends_and_reopens_the_quoting() {
        assert_eq!(quoted("it's"), r#"it'"'"'s"#);
    }
}
