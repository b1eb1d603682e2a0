//! Paths and files. Relative paths are of the template's folder, but `filebase64`'s, which are of the working folder.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Call, Called, Function, FunctionError, MAX_ELEMENTS, Wish, World, function, takes};
use crate::template::hcl::value::{Type, Value};
use crate::template::question::{Answer, Question};

const PATH: &[super::Parameter] = &[takes("path", Wish::String)];

pub(super) const FUNCTIONS: &[Function] = &[
    function("abspath", PATH, Wish::String, |c| Ok(joined(&c.world.inputs.cwd, c.text(0)).into())),
    function("basename", PATH, Wish::String, |c| Ok(basename(c.text(0)).into())),
    function("dirname", PATH, Wish::String, |c| Ok(dirname(c.text(0)).into())),
    function("file", PATH, Wish::String, |c| {
        let path = in_template(c.world, c.text(0))?;
        match c.world.ask(Question::FileContent { path })? {
            Some(Answer::Text(text)) => Ok(text.into()),
            Some(_) => Err(FunctionError::at(0, "this is no text; `filebase64` reads any file")),
            None => Ok(Value::unknown(Type::String)),
        }
    }),
    function("filebase64", PATH, Wish::String, |c| {
        match c.world.ask(Question::FileBytes { path: c.text(0).to_owned() })? {
            Some(Answer::Bytes(bytes)) => Ok(STANDARD.encode(bytes).into()),
            Some(_) => Err(FunctionError::at(0, "the file could not be read")),
            None => Ok(Value::unknown(Type::String)),
        }
    }),
    function("fileexists", PATH, Wish::Bool, |c| {
        let path = in_template(c.world, c.text(0))?;
        match c.world.ask(Question::IsFile { path })? {
            Some(answer) => Ok((answer == Answer::Yes).into()),
            None => Ok(Value::unknown(Type::Bool)),
        }
    }),
    function("fileset", &[takes("path", Wish::String), takes("pattern", Wish::String)], Wish::StringSet, fileset),
    function("pathexpand", PATH, Wish::String, |c| Ok(expanded(c.world, c.text(0))?.into())),
];

fn fileset(call: &Call<'_>) -> Called {
    let folder = in_template(call.world, call.text(0))?;
    match call.world.ask(Question::FileSet { folder, pattern: call.text(1).to_owned(), most: MAX_ELEMENTS })? {
        Some(Answer::Names(names)) => Ok(Value::set(Type::String, names.into_iter().map(Value::from))),
        Some(_) => Err(FunctionError::at(0, "the folder could not be read")),
        None => Ok(Value::unknown(Type::set(Type::String))),
    }
}

/// A path of the template's folder, and of the home folder after `~`.
fn in_template(world: &World<'_>, path: &str) -> Result<String, FunctionError> {
    Ok(joined(&world.inputs.template_dir, &expanded(world, path)?))
}

fn expanded(world: &World<'_>, path: &str) -> Result<String, FunctionError> {
    let Some(rest) = path.strip_prefix('~') else { return Ok(path.to_owned()) };
    if !rest.is_empty() && !rest.starts_with(['/', '\\']) {
        return Err(FunctionError::at(0, "the home folders of other users are not known; write the path out"));
    }
    let home =
        ["HOME", "USERPROFILE"].into_iter().find_map(|name| world.inputs.env.get(name)).filter(|h| !h.is_empty());
    let home = home.ok_or_else(|| FunctionError::at(0, "the home folder is not known: HOME is not set"))?;
    Ok(if rest.is_empty() { home.clone() } else { clean(&format!("{home}/{rest}")) })
}

fn joined(folder: &str, path: &str) -> String {
    let bytes = path.as_bytes();
    let drive =
        bytes.len() > 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' && matches!(bytes[2], b'/' | b'\\');
    if path.starts_with('/') || drive { clean(path) } else { clean(&format!("{folder}/{path}")) }
}

/// Go's `path.Clean`: without `.`, doubled slashes and what `..` takes back; `.` for nothing.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| *p != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".into(),
        (false, false) => parts.join("/"),
    }
}

fn basename(path: &str) -> &str {
    if path.is_empty() {
        return ".";
    }
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { "/" } else { trimmed.rsplit('/').next().unwrap_or(trimmed) }
}

fn dirname(path: &str) -> String {
    clean(path.rfind('/').map_or("", |at| &path[..=at]))
}
