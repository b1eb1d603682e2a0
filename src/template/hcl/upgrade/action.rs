//! The actions of the template engine, `{{ … }}`, as expressions of HCL.

use std::collections::BTreeSet;

/// What names mean where a text stands.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Variables that are locals now.
    pub locals: BTreeSet<String>,
    /// Environment variables that a local reads, through variables of their own; filled on the way.
    pub env: BTreeSet<String>,
    /// Variables that are mentioned; filled on the way.
    pub used: BTreeSet<String>,
    /// The UNIX time of the start is used; filled on the way.
    pub timestamp: bool,
}

/// Where a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Variable,
    Builder,
    /// A provisioner or post-processor, which knows the running build.
    Step,
}

/// One action.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Converted {
    /// As an expression, to stand in `${ }` or alone.
    Expression(String),
    /// It stays an action; perhaps with interpolations in its strings.
    Stays(String),
    /// It stays as it is and will not do what it did; why.
    Lost(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Word(String),
    Text(String),
    Number(String),
    Pipe,
}

/// The name of the variable that reads an environment variable.
pub(super) fn env_variable(name: &str) -> String {
    let lower = name.to_lowercase();
    format!("env_{}", lower.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '_'), "_"))
}

/// The action with this between its braces.
pub(super) fn convert(inside: &str, place: Place, names: &mut Names) -> Converted {
    let whole = || format!("{{{{{inside}}}}}");
    let Some(parts) = read(inside) else {
        return if inside.contains("user") && !inside.trim_start().starts_with("/*") {
            Converted::Lost("`user` is empty in HCL2: write the variable with `${var.…}`".into())
        } else {
            Converted::Stays(whole())
        };
    };
    let mut value: Option<String> = None;
    let mut late = false;
    for command in parts.split(|p| *p == Part::Pipe) {
        let Some((Part::Word(function), rest)) = command.split_first() else { return Converted::Stays(whole()) };
        let given = rest.iter().map(|part| match part {
            Part::Text(text) => Some(literal(text)),
            Part::Number(number) => Some(number.clone()),
            _ => None,
        });
        let mut arguments: Vec<String> = given.flatten().collect();
        if arguments.len() < rest.len() {
            return if parts.contains(&Part::Word("user".into())) {
                Converted::Lost("`user` is empty in HCL2: write the variable with `${var.…}`".into())
            } else {
                Converted::Stays(whole())
            };
        }
        arguments.extend(value.take());
        match call(function, &arguments, place, names) {
            Some(expression) => value = Some(expression),
            None if function == "clean_resource_name" && arguments.len() == 1 && place != Place::Variable => {
                // It has no counterpart: the engine goes on doing it, with what HCL puts in.
                late = true;
                value = Some(arguments.remove(0));
            }
            None if parts.contains(&Part::Word("user".into())) => {
                return Converted::Lost(format!("`{function}` has no counterpart in HCL2, and `user` is empty there"));
            }
            None if place == Place::Variable => {
                return Converted::Lost(format!("`{function}` has no counterpart in HCL2"));
            }
            None => return Converted::Stays(whole()),
        }
    }
    match value {
        Some(expression) if late => Converted::Stays(format!("{{{{clean_resource_name `${{{expression}}}`}}}}")),
        Some(expression) => Converted::Expression(expression),
        None => Converted::Stays(whole()),
    }
}

fn call(function: &str, arguments: &[String], place: Place, names: &mut Names) -> Option<String> {
    let bare = |text: &String| text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).map(str::to_owned);
    Some(match (function, arguments) {
        ("user", [name]) => {
            let name = bare(name)?;
            let root = if names.locals.contains(&name) { "local" } else { "var" };
            if !is_identifier(&name) {
                return None;
            }
            let expression = format!("{root}.{name}");
            names.used.insert(name);
            expression
        }
        ("env", [name]) if place == Place::Variable => {
            let name = bare(name)?;
            let variable = env_variable(&name);
            names.env.insert(name);
            format!("var.{variable}")
        }
        ("build", [name]) if place == Place::Step => {
            let name = bare(name).filter(|n| is_identifier(n))?;
            format!("build.{name}")
        }
        ("timestamp", []) => {
            names.timestamp = true;
            "local.timestamp".into()
        }
        ("isotime", []) => "legacy_isotime()".into(),
        ("isotime", [layout]) => format!("legacy_isotime({layout})"),
        ("strftime", [format]) => format!("legacy_strftime({format})"),
        ("template_dir", []) => "abspath(path.root)".into(),
        ("pwd", []) => "path.cwd".into(),
        ("packer_version", []) => "packer.version".into(),
        ("upper" | "lower", [text]) => format!("{function}({text})"),
        ("replace_all", [old, new, text]) => format!("replace({text}, {old}, {new})"),
        ("replace", [old, new, count, text]) if count.starts_with('-') => format!("replace({text}, {old}, {new})"),
        // Without a separator Go's counterparts differ.
        ("split", [text, separator, index]) if separator != "\"\"" && !index.starts_with('-') => {
            format!("split({separator}, {text})[{index}]")
        }
        ("consul_key", [path]) => format!("consul_key({path})"),
        ("vault", [path, key]) => format!("vault({path}, {key})"),
        ("aws_secretsmanager", [name]) => format!("aws_secretsmanager({name})"),
        ("aws_secretsmanager", [name, key]) => format!("aws_secretsmanager({name}, {key})"),
        ("aws_secretsmanager_raw", [name]) => format!("aws_secretsmanager_raw({name})"),
        _ => return None,
    })
}

pub(super) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
}

/// Words, strings, whole numbers and pipes; `None` for anything more.
fn read(inside: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = inside.trim_start_matches("- ").trim_end_matches(" -").trim();
    // A trimmed action changes the text around it.
    if inside.starts_with("- ") || inside.ends_with(" -") || rest.is_empty() {
        return None;
    }
    while let Some(c) = rest.chars().next() {
        let (part, length) = match c {
            ' ' | '\t' | '\n' | '\r' => {
                rest = &rest[1..];
                continue;
            }
            '|' => (Part::Pipe, 1),
            '`' => {
                let end = rest[1..].find('`')?;
                (Part::Text(rest[1..=end].to_owned()), end + 2)
            }
            '"' => {
                let end = rest[1..].find('"')?;
                let text = &rest[1..=end];
                (Part::Text(text.to_owned()).plain()?, end + 2)
            }
            c if c.is_ascii_digit() || c == '-' => {
                let end = rest[1..].find(|c: char| !c.is_ascii_digit()).map_or(rest.len(), |e| e + 1);
                (Part::Number(rest[..end].to_owned()), end)
            }
            c if c.is_ascii_alphabetic() => {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
                (Part::Word(rest[..end].to_owned()), end)
            }
            _ => return None,
        };
        parts.push(part);
        rest = &rest[length..];
    }
    Some(parts)
}

impl Part {
    /// A quoted string without escapes.
    fn plain(self) -> Option<Self> {
        match &self {
            Self::Text(text) if text.contains('\\') => None,
            _ => Some(self),
        }
    }
}

/// A text as HCL writes it in quotes: what would be interpolated is escaped.
pub(super) fn literal(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
