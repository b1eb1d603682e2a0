//! `kiln fmt`: HCL2 files in their canonical layout, as Packer's.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use similar::TextDiff;

use super::report::diagnostic::Hidden;
use super::report::print;
use crate::run::Secrets;
use crate::template::hcl::format::format;
use crate::template::hcl::syntax;
use crate::text::{Diagnostic, Sources};

/// What a file's name ends with when it is formatted.
const ENDINGS: [&str; 2] = [".pkr.hcl", ".pkrvars.hcl"];

#[derive(Clone, Debug, clap::Args)]
pub struct FmtArgs {
    /// Write nothing; exit with status 3 when a file is not in its canonical layout
    #[arg(long)]
    pub check: bool,
    /// Show what changes
    #[arg(long)]
    pub diff: bool,
    /// Write the files
    #[arg(long, value_name = "true|false", default_value = "true", default_missing_value = "true", num_args = 0..=1,
          require_equals = true, action = clap::ArgAction::Set)]
    pub write: bool,
    /// Go into folders within folders
    #[arg(long)]
    pub recursive: bool,
    /// Files, folders, or `-` for standard input
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<String>,
}

/// Formats. Gives the exit status: 0, with `--check` 3 when something would change, 2 when a file cannot be read or is no HCL;
/// the other files are done all the same.
#[must_use]
pub fn run(args: &FmtArgs) -> u8 {
    let mut out = std::io::stdout().lock();
    let (mut changes, mut failed) = (false, false);
    let mut paths: VecDeque<String> = args.paths.iter().cloned().collect();
    while let Some(path) = paths.pop_front() {
        if path != "-" && Path::new(&path).is_dir() {
            match entries(Path::new(&path), args.recursive) {
                Ok(found) => found.into_iter().rev().for_each(|p| paths.push_front(p)),
                Err(why) => failed |= complain(&why),
            }
            continue;
        }
        match one(&path, args, &mut out) {
            Ok(changed) => changes |= changed,
            Err(why) => failed |= why.is_none_or(|why| complain(&why)),
        }
    }
    if failed {
        2
    } else if args.check && changes {
        3
    } else {
        0
    }
}

/// Nobody is told when standard error is closed.
fn complain(why: &str) -> bool {
    let _ = writeln!(std::io::stderr(), "kiln: {why}");
    true
}

/// What is formatted in a folder, sorted; with `recursive` its folders too. Hidden files and what editors leave are not.
fn entries(folder: &Path, recursive: bool) -> Result<Vec<String>, String> {
    let fail = |e: std::io::Error| format!("cannot read the folder `{}`: {e}", folder.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let ignored = name.starts_with('.') || name.ends_with('~') || name.starts_with('#') && name.ends_with('#');
        // A link to a folder is not followed: it could lead back.
        let is_folder = entry.file_type().map_err(fail)?.is_dir();
        if !ignored && (is_folder && recursive || !is_folder && is_hcl(name)) {
            found.push(entry.path().to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

fn is_hcl(name: &str) -> bool {
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Formats one file; whether it changes. An error without words has been told.
fn one(path: &str, args: &FmtArgs, out: &mut impl Write) -> Result<bool, Option<String>> {
    let text = read(path)?;
    let mut sources = Sources::default();
    let id = sources.add(if path == "-" { "<stdin>" } else { path }, text.as_str());
    let mut found = Vec::new();
    if let Some(source) = sources.get(id) {
        syntax::parse(source, &mut found);
    }
    found.retain(Diagnostic::is_error);
    if !found.is_empty() {
        print(&found, &sources, Hidden { secrets: &Secrets::default(), places: &[] }, false);
        return Err(None);
    }
    let formatted = format(&text);
    let changed = formatted != text;
    let write = args.write && !args.check;
    // Nobody is told when standard output is closed.
    if path == "-" {
        if write {
            let _ = out.write_all(formatted.as_bytes());
        }
    } else if changed {
        let _ = writeln!(out, "{path}");
        if write {
            std::fs::write(path, &formatted).map_err(|e| Some(format!("cannot write `{path}`: {e}")))?;
        }
    }
    if args.diff && changed && (path != "-" || !write) {
        let diff = TextDiff::from_lines(&text, &formatted);
        let _ = write!(out, "{}", diff.unified_diff().header(&format!("old/{path}"), &format!("new/{path}")));
    }
    Ok(changed)
}

fn read(path: &str) -> Result<String, Option<String>> {
    let fail = |e: std::io::Error| Some(format!("cannot read `{path}`: {e}"));
    let mut bytes = Vec::new();
    if path == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(fail)?;
    } else if is_hcl(path) {
        bytes = std::fs::read(PathBuf::from(path)).map_err(fail)?;
    } else {
        let said = format!("`{path}` is not formatted: only files that end with {} are", ENDINGS.join(" or "));
        return Err(Some(said));
    }
    String::from_utf8(bytes).map_err(|_| Some(format!("`{path}` is no UTF-8 text")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(path: &Path) -> FmtArgs {
        let paths = vec![path.to_string_lossy().into_owned()];
        FmtArgs { check: false, diff: false, write: true, recursive: false, paths }
    }

    fn shown(path: &Path, args: &FmtArgs) -> (Result<bool, Option<String>>, String) {
        let mut out = Vec::new();
        let result = one(&path.to_string_lossy(), args, &mut out);
        (result, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_file_is_named_and_written_when_it_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pkr.hcl");
        std::fs::write(&path, "a=1\n").unwrap();
        let checking = FmtArgs { check: true, diff: true, ..args(&path) };
        let (result, out) = shown(&path, &checking);
        assert_eq!(result, Ok(true));
        let name = path.to_string_lossy();
        assert_eq!(out, format!("{name}\n--- old/{name}\n+++ new/{name}\n@@ -1 +1 @@\n-a=1\n+a = 1\n"));
        assert_eq!((run(&checking), std::fs::read_to_string(&path).unwrap()), (3, "a=1\n".into()));
        assert_eq!((run(&args(&path)), std::fs::read_to_string(&path).unwrap()), (0, "a = 1\n".into()));
        assert_eq!((run(&checking), shown(&path, &checking).1), (0, String::new()));
    }

    #[test]
    fn a_folder_is_searched_for_what_is_hcl() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "a=1\n").unwrap();
        };
        for name in ["b.pkr.hcl", "a.pkrvars.hcl", "c.hcl", "d.pkr.json", ".e.pkr.hcl", "#f.pkr.hcl#", "sub/g.pkr.hcl"]
        {
            write(name);
        }
        let changed = || {
            let mut changed = Vec::new();
            for name in ["b.pkr.hcl", "a.pkrvars.hcl", "c.hcl", "d.pkr.json", ".e.pkr.hcl", "sub/g.pkr.hcl"] {
                if std::fs::read_to_string(folder.path().join(name)).unwrap() == "a = 1\n" {
                    changed.push(name);
                }
            }
            changed
        };
        assert_eq!(run(&args(folder.path())), 0);
        assert_eq!(changed(), ["b.pkr.hcl", "a.pkrvars.hcl"]);
        assert_eq!(run(&FmtArgs { recursive: true, ..args(folder.path()) }), 0);
        assert_eq!(changed(), ["b.pkr.hcl", "a.pkrvars.hcl", "sub/g.pkr.hcl"]);
    }

    #[test]
    fn what_cannot_be_formatted_is_told_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let wrong = folder.path().join("a.pkr.hcl");
        std::fs::write(&wrong, "a={\n").unwrap();
        assert_eq!(run(&args(&wrong)), 2);
        assert_eq!(std::fs::read_to_string(&wrong).unwrap(), "a={\n");
        assert_eq!(run(&args(&folder.path().join("none.pkr.hcl"))), 2);
        let json = folder.path().join("a.pkr.json");
        std::fs::write(&json, "{}").unwrap();
        let (result, _) = shown(&json, &args(&json));
        assert!(result.unwrap_err().is_some_and(|why| why.contains(".pkr.hcl")));
    }
}
