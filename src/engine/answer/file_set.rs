//! The files of a folder that match a pattern of Packer's `fileset`: `*` and `?` within a name, `**` for any folders, `[a-z]`
//! and `{a,b}`. Names that begin with a dot count like others, and links are followed.

use std::collections::BTreeSet;
use std::path::Path;

/// Folders within folders; links can make endless ones.
const MAX_DEPTH: usize = 32;

/// Entries of folders that one search looks at.
const MAX_LOOKS: usize = 1_000_000;

/// Alternatives of one pattern.
const MAX_ALTERNATIVES: usize = 1_000;

/// Paths below `folder` of the regular files, sorted; none where there is no such folder.
///
/// # Errors
/// The pattern is badly written and there is a name to hold it against, or more than `most` files match.
pub(super) fn find(folder: &Path, pattern: &str, most: usize) -> Result<Vec<String>, String> {
    let mut search = Search { found: BTreeSet::new(), most, looks: 0 };
    for alternative in alternatives(pattern)? {
        let mut parts: Vec<&str> = Vec::new();
        for part in alternative.split('/') {
            match part {
                "" | "." => {}
                ".." if parts.last().is_some_and(|p| *p != "..") => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        search.walk(folder, &parts, "", 0)?;
    }
    Ok(search.found.into_iter().collect())
}

struct Search {
    found: BTreeSet<String>,
    most: usize,
    looks: usize,
}

impl Search {
    fn walk(&mut self, folder: &Path, parts: &[&str], below: &str, depth: usize) -> Result<(), String> {
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        if depth > MAX_DEPTH {
            return Ok(());
        }
        let path = |name: &str| if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if *part == ".." {
            return self.walk(&folder.join(".."), rest, &path(".."), depth + 1);
        }
        let deep = *part == "**";
        if deep && !rest.is_empty() {
            self.walk(folder, rest, below, depth)?;
        }
        let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
        for entry in entries.flatten() {
            self.looks += 1;
            if self.looks > MAX_LOOKS {
                return Err(format!("more than {MAX_LOOKS} files would have to be looked at; name a smaller folder"));
            }
            let name = entry.file_name();
            // What is no text cannot be a value.
            let Some(name) = name.to_str() else { continue };
            let fits =
                deep || matches(part, name).ok_or_else(|| format!("`{part}` is no pattern: a `[` has no `]`"))?;
            if !fits {
                continue;
            }
            let Ok(kind) = std::fs::metadata(entry.path()) else { continue };
            if kind.is_dir() {
                let next = if deep { parts } else { rest };
                self.walk(&entry.path(), next, &path(name), depth + 1)?;
            } else if kind.is_file() && rest.is_empty() {
                self.found.insert(path(name));
                if self.found.len() > self.most {
                    return Err(format!("more than {} files match", self.most));
                }
            }
        }
        Ok(())
    }
}

/// The pattern with each choice of its braces.
fn alternatives(pattern: &str) -> Result<Vec<String>, String> {
    let mut made = vec![String::new()];
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        let mut choices = vec![String::new()];
        match c {
            '{' => loop {
                let c = chars.next().ok_or_else(|| format!("`{pattern}` is no pattern: a `{{` has no `}}`"))?;
                match c {
                    '}' => break,
                    ',' => choices.push(String::new()),
                    c => choices.iter_mut().next_back().into_iter().for_each(|last| last.push(c)),
                }
            },
            c => {
                choices[0].push(c);
                if c == '\\' {
                    choices[0].extend(chars.next());
                }
            }
        }
        if made.len() * choices.len() > MAX_ALTERNATIVES {
            return Err(format!("`{pattern}` has more than {MAX_ALTERNATIVES} alternatives"));
        }
        made = made.iter().flat_map(|m| choices.iter().map(move |c| format!("{m}{c}"))).collect();
    }
    Ok(made)
}

/// Whether a name matches one part of a pattern; `None` when the part is badly written.
fn matches(pattern: &str, name: &str) -> Option<bool> {
    let pieces = read(pattern)?;
    let name: Vec<char> = name.chars().collect();
    // `reach[i]`: the pieces so far match the first i characters.
    let mut reach = vec![false; name.len() + 1];
    reach[0] = true;
    for piece in &pieces {
        let mut next = vec![false; name.len() + 1];
        match piece {
            Piece::Any => {
                let mut on = false;
                for (i, reached) in reach.iter().enumerate() {
                    on |= reached;
                    next[i] = on;
                }
            }
            Piece::One(ranges, negated) => {
                for (i, c) in name.iter().enumerate().filter(|(i, _)| reach[*i]) {
                    next[i + 1] = ranges.iter().any(|(from, to)| (from..=to).contains(&c)) != *negated;
                }
            }
        }
        reach = next;
    }
    Some(reach[name.len()])
}

enum Piece {
    /// Any characters.
    Any,
    /// One character of these ranges, or of none of them.
    One(Vec<(char, char)>, bool),
}

fn read(pattern: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        pieces.push(match c {
            '*' => Piece::Any,
            '?' => Piece::One(Vec::new(), true),
            '\\' => chars.next().map(|c| Piece::One(vec![(c, c)], false))?,
            '[' => {
                let negated = chars.next_if_eq(&'^').is_some();
                let mut ranges = Vec::new();
                loop {
                    let from = match chars.next()? {
                        ']' if !ranges.is_empty() => break,
                        '\\' => chars.next()?,
                        c => c,
                    };
                    let to = match chars.next_if_eq(&'-') {
                        Some(_) => chars.next().filter(|c| *c != ']')?,
                        None => from,
                    };
                    ranges.push((from, to));
                }
                Piece::One(ranges, negated)
            }
            c => Piece::One(vec![(c, c)], false),
        });
    }
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_pattern() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.txt", "b.txt", "m.md", ".h.txt", "a/c.txt", "a/b/c.txt"] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = |pattern: &str| find(folder.path(), pattern, 100).unwrap().join(" ");
        for (pattern, expected) in [
            ("*", ".h.txt a.txt b.txt m.md"),
            ("**/*.txt", ".h.txt a.txt a/b/c.txt a/c.txt b.txt"),
            ("a/**", "a/b/c.txt a/c.txt"),
            ("a/**/c.txt", "a/b/c.txt a/c.txt"),
            ("?.{txt,md}", "a.txt b.txt m.md"),
            ("[^a].txt", "b.txt"),
            ("[a-b].t*t", "a.txt b.txt"),
            ("./a/../*.md", "m.md"),
            ("a**", "a.txt"),
            ("\\a.txt", "a.txt"),
            ("", ""),
            ("x/*", ""),
        ] {
            assert_eq!(found(pattern), expected, "{pattern}");
        }
        assert!(find(folder.path(), "[", 100).is_err());
        assert!(find(folder.path(), "{a,b", 100).is_err());
        assert!(find(folder.path(), "**", 3).unwrap_err().contains("more than 3"));
        assert!(find(folder.path(), &"{a,b}".repeat(40), 3).is_err());
    }
}
