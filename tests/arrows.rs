//! The house's floors: no path leads upward or sideways, the platform shows only where it may, no file grows without end.
//!
//! The rule stands in `src/lib.rs`: an upper floor may name a lower one, never the reverse, nor one beside it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Floors from the ground up; rooms on one floor stand beside each other.
const FLOORS: &[&[&str]] = &[
    &["text", "os"],
    &["schema", "run"],
    &["template"],
    &["cloud", "remote"],
    &["component"],
    &["plan"],
    &["engine"],
    &["tui"],
    &["cli"],
    &["main"],
];

/// Stands apart: it names nothing of the house, and only `cli` names it.
const APART: &str = "practice";

const LONGEST: usize = 700;

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

fn allowed(from: &str, to: &str) -> bool {
    if from == to {
        return true;
    }
    if from == APART || to == APART {
        return matches!((from, to), ("cli" | "main", APART));
    }
    match (floor(from), floor(to)) {
        (Some(from), Some(to)) => to < from,
        // The crate's root names every room, and is none.
        _ => from == "lib",
    }
}

/// The source with comments and the insides of strings and character literals blanked; line ends stay.
fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    let blank = |out: &mut String, c: char| out.push(if c == '\n' { '\n' } else { ' ' });
    while i < chars.len() {
        let next = chars.get(i + 1).copied();
        let word_before = i > 0 && (chars[i - 1].is_alphanumeric() || chars[i - 1] == '_');
        match chars[i] {
            '/' if next == Some('/') => {
                while i < chars.len() && chars[i] != '\n' {
                    blank(&mut out, chars[i]);
                    i += 1;
                }
            }
            '/' if next == Some('*') => {
                let mut depth = 0;
                while i < chars.len() {
                    if chars[i] == '/' && chars.get(i + 1) == Some(&'*') {
                        depth += 1;
                    } else if chars[i] == '*' && chars.get(i + 1) == Some(&'/') {
                        depth -= 1;
                    }
                    let end = chars[i] == '*' && chars.get(i + 1) == Some(&'/');
                    blank(&mut out, chars[i]);
                    i += 1;
                    if end {
                        blank(&mut out, chars[i]);
                        i += 1;
                        if depth == 0 {
                            break;
                        }
                    }
                }
            }
            'r' if !word_before && raw_hashes(&chars[i + 1..]).is_some() => {
                let hashes = raw_hashes(&chars[i + 1..]).unwrap_or(0);
                let mut j = i + 1 + hashes + 1;
                while j < chars.len()
                    && !(chars[j] == '"' && chars[j + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes)
                {
                    j += 1;
                }
                let end = (j + 1 + hashes).min(chars.len());
                chars[i..end].iter().for_each(|c| blank(&mut out, *c));
                i = end;
            }
            '"' => {
                out.push('"');
                i += 1;
                while i < chars.len() && chars[i] != '"' {
                    if chars[i] == '\\' {
                        blank(&mut out, ' ');
                        i += 1;
                    }
                    if let Some(c) = chars.get(i) {
                        blank(&mut out, *c);
                    }
                    i += 1;
                }
                out.push('"');
                i += 1;
            }
            // A character literal, not a lifetime.
            '\'' if next == Some('\\') || chars.get(i + 2) == Some(&'\'') => {
                let mut j = i + if next == Some('\\') { 3 } else { 2 };
                while j < chars.len() && chars[j] != '\'' {
                    j += 1;
                }
                let end = (j + 1).min(chars.len());
                chars[i..end].iter().for_each(|c| blank(&mut out, *c));
                i = end;
            }
            c => {
                out.push(c);
                i += 1;
            }
        }
    }
    out
}

/// How many `#` stand between the `r` of a raw string and its quote.
fn raw_hashes(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().take_while(|c| **c == '#').count();
    (rest.get(hashes) == Some(&'"')).then_some(hashes)
}

/// A module's path within the crate: `src/cli/report/mod.rs` is `[cli, report]`.
fn module(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file.with_extension("").iter().map(|p| p.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|p| p == "mod" || (parts.len() == 1 && p == "lib")) {
        parts.pop();
    }
    parts
}

/// The paths that code names, as full paths from the crate's root, with their lines. Groups (`use crate::{a, b::c}`) are
/// opened as far as their first names.
fn arrows(file: &Path, code: &str) -> Vec<(usize, Vec<String>)> {
    let file = module(file);
    let inline = inline_modules(code);
    let mut found = Vec::new();
    for (at, _) in code.match_indices("::") {
        let head = code[..at].trim_end();
        let start = head.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |i| i + 1);
        let word = &head[start..];
        // Only the first name of a path is a beginning.
        if !matches!(word, "crate" | "super" | "kiln") || head[..start].trim_end().ends_with("::") {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        let mut base = Vec::new();
        let mut rest = code[at + 2..].trim_start();
        if word == "super" {
            base.clone_from(&file);
            base.extend(inline.iter().filter(|(_, extent)| extent.contains(&at)).map(|(name, _)| name.clone()));
            base.pop();
            while let Some(more) = rest.strip_prefix("super").and_then(|r| r.trim_start().strip_prefix("::")) {
                base.pop();
                rest = more.trim_start();
            }
        }
        for name in first_names(rest) {
            let mut path = base.clone();
            path.push(name);
            found.push((line, path));
        }
    }
    found
}

/// Modules that are written within a file, with the places between their braces.
fn inline_modules(code: &str) -> Vec<(String, std::ops::Range<usize>)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("mod ") {
        let rest = &code[at + 4..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let begins_word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if !begins_word || name.is_empty() || !rest[name.len()..].trim_start().starts_with('{') {
            continue;
        }
        let mut depth = 0_usize;
        let length = rest.char_indices().find(|(_, c)| match c {
            '{' => {
                depth += 1;
                false
            }
            '}' => {
                depth -= 1;
                depth == 0
            }
            _ => false,
        });
        found.push((name, at..at + 4 + length.map_or(rest.len(), |(i, _)| i)));
    }
    found
}

/// `a::b` gives `a`; `{a::x, b, c::{d, e}}` gives `a`, `b`, `c`.
fn first_names(rest: &str) -> Vec<String> {
    let name = |s: &str| -> String { s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect() };
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let mut names = vec![String::new()];
    let mut depth = 0;
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(String::new()),
            c if depth == 0 => names.last_mut().unwrap().push(c),
            _ => {}
        }
    }
    names.iter().map(|n| name(n.trim())).filter(|n| !n.is_empty()).collect()
}

/// What is wrong with one file, given its path below `src`.
fn faults(file: &Path, text: &str) -> Vec<String> {
    let code = code_only(text);
    let home = module(file);
    let room = home.first().map_or("lib", String::as_str);
    let mut faults = BTreeSet::new();
    for (line, path) in arrows(file, &code) {
        let to = path[0].as_str();
        let is_room = floor(to).is_some() || to == APART;
        if is_room && !allowed(room, to) {
            faults.insert(format!("{}:{line}: `{room}` names `{}`", file.display(), path.join("::")));
        }
    }
    let platform = matches!(room, "os" | APART) || home == ["tui", "terminal"];
    for (i, line) in code.lines().enumerate() {
        let names = |word: &str| line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|w| w == word);
        if !platform && (names("cfg") || names("cfg_attr")) && (names("unix") || names("windows")) {
            faults.insert(format!("{}:{}: the platform is asked for outside `os`", file.display(), i + 1));
        }
    }
    let lines = text.lines().count();
    if lines > LONGEST {
        faults.insert(format!("{}: {lines} lines, {LONGEST} are the most", file.display()));
    }
    faults.into_iter().collect()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn no_arrow_leads_upward_or_sideways() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 20, "the sources are not where they should be");
    let mut all = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        all.extend(faults(file.strip_prefix(&root).unwrap(), &text));
    }
    assert!(all.is_empty(), "\n{}", all.join("\n"));
}

#[test]
fn every_room_stands_on_a_floor() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(name == "lib" || name == APART || floor(&name).is_some(), "`{name}` stands on no floor");
    }
}

fn found(file: &str, text: &str) -> usize {
    faults(Path::new(file), text).len()
}

#[test]
fn upward_and_sideways_arrows_are_seen() {
    assert_eq!(found("text/span.rs", "use crate::run::Plan;"), 1);
    assert_eq!(found("text/span.rs", "use crate::os::paths;"), 1);
    assert_eq!(found("cloud/mod.rs", "fn f() { crate::remote::connect() }"), 1);
    assert_eq!(found("template/json/mod.rs", "use super::super::plan::check;"), 1);
    assert_eq!(found("template/tree.rs", "use super::super::cli;"), 1);
    assert_eq!(found("template/tree.rs", "mod tests { use super::super::super::cli; }"), 1);
    assert_eq!(found("run/plan.rs", "use crate::{text::Span, template::tree, cli};"), 2);
    assert_eq!(found("run/plan.rs", "use crate :: template :: tree;"), 1);
    assert_eq!(found("engine/mod.rs", "use kiln::cli::build;"), 1);
    assert_eq!(found("practice/mod.rs", "use crate::text::Span;"), 1);
    assert_eq!(found("engine/mod.rs", "use crate::practice::world;"), 1);
}

#[test]
fn downward_arrows_and_mere_words_are_not() {
    assert_eq!(found("plan/mod.rs", "use crate::{component::catalogue, run::{Plan, plan}, text};"), 0);
    assert_eq!(found("cli/build.rs", "use crate::practice::start; use super::report;"), 0);
    assert_eq!(found("main.rs", "fn main() { kiln::cli::main() }"), 0);
    assert_eq!(found("text/span.rs", "// crate::cli\n/* crate::cli /* crate::run */ crate::plan */ fn f() {}"), 0);
    assert_eq!(
        found("text/span.rs", r##"const A: &str = "crate::cli \" crate::run"; const B: &str = r#"crate::"cli"#;"##),
        0
    );
    assert_eq!(found("text/span.rs", "const Q: char = '\"'; fn f<'a>(x: &'a str) {} // crate::cli"), 0);
    assert_eq!(found("template/decode.rs", "use super::engine; mod tests { use super::super::engine; }"), 0);
    assert_eq!(found("text/code/mod.rs", "use super::span::Span; use super::super::text::Code;"), 0);
}

#[test]
fn code_behind_a_character_literal_or_a_string_is_still_read() {
    assert_eq!(found("text/span.rs", "const Q: char = '\"'; use crate::cli;"), 1);
    assert_eq!(found("text/span.rs", "const Q: char = '\\''; use crate::cli::x;"), 1);
    assert_eq!(found("text/span.rs", "const S: &str = \"\\\\\"; use crate::cli::x;"), 1);
}

#[test]
fn the_platform_shows_only_where_it_may() {
    assert_eq!(found("engine/mod.rs", "#[cfg(unix)]\nfn f() {}\n#[cfg(not(windows))]\nfn g() {}"), 2);
    assert_eq!(found("engine/mod.rs", "fn f() { if cfg!(all(unix, test)) {} }"), 1);
    assert_eq!(found("os/signal.rs", "#[cfg(unix)]\nfn f() {}"), 0);
    assert_eq!(found("tui/terminal.rs", "#[cfg(windows)]\nfn f() {}"), 0);
    assert_eq!(found("tui/view.rs", "#[cfg(windows)]\nfn f() {}"), 1);
    assert_eq!(found("engine/mod.rs", "#[cfg(test)]\nmod unix {}"), 0);
}

#[test]
fn a_file_that_grows_without_end_is_seen() {
    assert_eq!(found("engine/mod.rs", &"\n".repeat(LONGEST)), 0);
    assert_eq!(found("engine/mod.rs", &"\n".repeat(LONGEST + 1)), 1);
}
