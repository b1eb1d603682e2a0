//! Names on the machine, safe for its shell and for SFTP.

/// `text` as one word of a POSIX shell.
pub(super) fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A path as one word of a POSIX shell. A leading `~` or `~user` keeps its meaning; a leading `-` is no option.
pub(super) fn path(path: &str) -> String {
    if let Some(rest) = path.strip_prefix('~') {
        let (user, rest) = rest.split_once('/').map_or((rest, None), |(user, rest)| (user, Some(rest)));
        if user.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
            return match rest {
                None => format!("~{user}"),
                Some("") => format!("~{user}/"),
                Some(rest) => format!("~{user}/{}", word(rest)),
            };
        }
    }
    if path.starts_with('-') { word(&format!("./{path}")) } else { word(path) }
}

/// As [`path`], but `*`, `?` and `[…]` stay patterns.
pub(super) fn pattern(text: &str) -> String {
    let mut quoted = String::new();
    let mut plain = String::new();
    let flush = |plain: &mut String, quoted: &mut String| {
        if !plain.is_empty() {
            quoted.push_str(&if quoted.is_empty() { path(plain) } else { word(plain) });
            plain.clear();
        }
    };
    for c in text.chars() {
        if "*?[]".contains(c) {
            flush(&mut plain, &mut quoted);
            quoted.push(c);
        } else {
            plain.push(c);
        }
    }
    flush(&mut plain, &mut quoted);
    quoted
}

/// Runs a script in the machine's POSIX shell, whatever the user's login shell is.
pub(super) fn posix(script: &str) -> String {
    format!("exec sh -c {}", word(script))
}

/// A path for SFTP, which knows no `~` but starts in the home folder.
pub(super) fn for_sftp(path: &str) -> &str {
    match path.strip_prefix("~/") {
        Some("") => ".",
        Some(rest) => rest.trim_start_matches('/'),
        None if path == "~" || path.is_empty() => ".",
        None => path,
    }
}

/// `folder/name`.
pub(super) fn join(folder: &str, name: &str) -> String {
    if folder.ends_with('/') { format!("{folder}{name}") } else { format!("{folder}/{name}") }
}

/// The last part of a path, without trailing slashes.
pub(super) fn base_name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path)
}

/// The folder of a path: `.` for a bare name.
pub(super) fn parent(path: &str) -> &str {
    match path.trim_end_matches('/').rsplit_once('/') {
        None => ".",
        Some(("", _)) => "/",
        Some((parent, _)) => parent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_the_shell() {
        for text in ["plain", "two words", "it's", "$HOME `id` \"x\"", "line\nbreak", "", "ä ö", "*", "-n"] {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", if text == "-n" { path(text) } else { word(text) })])
                .output()
                .unwrap();
            let expected = if text == "-n" { "./-n" } else { text };
            assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
        }
    }

    #[test]
    fn a_tilde_keeps_its_meaning_and_nothing_else_does() {
        assert_eq!(path("~"), "~");
        assert_eq!(path("~/a b"), "~/'a b'");
        assert_eq!(path("~bob/x"), "~bob/x");
        assert_eq!(path("~$(id)/x"), "'~$(id)/x'");
        assert_eq!(path("/a/~"), "'/a/~'");
        assert_eq!(pattern("/a b/*.log"), "'/a b/'*.log");
        assert_eq!(pattern("~/x[12]?"), "~/x[12]?");
    }

    #[test]
    fn sftp_starts_at_home() {
        assert_eq!((for_sftp("~/a"), for_sftp("~"), for_sftp("/a"), for_sftp("~/")), ("a", ".", "/a", "."));
        assert_eq!((parent("/a"), parent("a"), parent("/a/b/"), base_name("/a/b/")), ("/", ".", "/a", "b"));
    }
}
