//! Comments of a JSON text, to be written again where they stood.

/// The comments between two parts of a text: what follows the first part on its line, and what stands above the second.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Comments {
    pub behind: Option<String>,
    pub above: Vec<String>,
}

/// Each as one line with `#`.
pub(super) fn between(gap: &str) -> Comments {
    let mut found = Comments::default();
    let (mut rest, mut same_line) = (gap, true);
    while let Some(c) = rest.chars().next() {
        let (lines, length) = if rest.starts_with("/*") {
            let end = rest.find("*/").map_or(rest.len(), |e| e + 2);
            (rest[2..end].trim_end_matches("*/"), end)
        } else if rest.starts_with("//") || c == '#' {
            let end = rest.find('\n').unwrap_or(rest.len());
            (rest[..end].trim_start_matches('/').trim_start_matches('#'), end)
        } else {
            same_line &= c != '\n';
            rest = &rest[c.len_utf8()..];
            continue;
        };
        let mut lines = lines.lines().map(|l| l.trim().trim_start_matches("* ").trim()).filter(|l| !l.is_empty());
        if same_line && found.behind.is_none() {
            found.behind = lines.next().map(|l| format!("# {l}"));
        }
        found.above.extend(lines.map(|l| format!("# {l}")));
        rest = &rest[length..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_know_where_they_stand() {
        let found = between(", // behind\n  # above\n /* two\n  * lines */ ");
        assert_eq!(found.behind.as_deref(), Some("# behind"));
        assert_eq!(found.above, ["# above", "# two", "# lines"]);
        assert_eq!(between(",\n"), Comments::default());
    }
}
