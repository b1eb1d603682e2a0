//! The scripts of `shell` and `shell-local`: which fields name them, and their rules.

use crate::component::contract::CheckContext;
use crate::schema::duration;
use crate::text::Diagnostic;
use crate::text::code::provisioner as code;

/// Packer's default for `inline_shebang`.
pub const SHEBANG: &str = "/bin/sh -e";

/// The fields of which exactly one kind must be given.
pub struct Given<'a> {
    pub inline: &'a [String],
    pub script: &'a str,
    pub scripts: &'a [String],
    /// Only `shell-local` has it.
    pub command: Option<&'a str>,
}

impl Given<'_> {
    /// Reports none, more than one, and files that do not exist.
    pub fn check(&self, cx: &mut CheckContext<'_>) {
        let mut fields = vec![
            ("inline", !self.inline.is_empty()),
            ("script", !self.script.is_empty()),
            ("scripts", !self.scripts.is_empty()),
        ];
        fields.extend(self.command.map(|c| ("command", !c.is_empty())));
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        let given: Vec<&str> =
            fields.iter().filter(|(name, there)| *there || cx.places.unknown(name)).map(|(name, _)| *name).collect();
        match given.as_slice() {
            [] => {
                let span = cx.places.key("");
                cx.diagnostics.push(
                    Diagnostic::error(code::NO_SCRIPT, span, "there is nothing to run")
                        .help(format!("add one of {}", list(&names))),
                );
            }
            [_] => {}
            [first, others @ ..] => {
                for other in others {
                    let (span, before) = (cx.places.key(other), cx.places.key(first));
                    cx.diagnostics.push(
                        Diagnostic::error(
                            code::SEVERAL_SCRIPTS,
                            span,
                            format!("`{other}` and `{first}` exclude each other"),
                        )
                        .related(before, format!("`{first}` is set here"))
                        .help(format!("keep one of {}", list(&given))),
                    );
                }
            }
        }
        let listed = self.scripts.iter().enumerate().map(|(i, path)| (format!("scripts.{i}"), path.as_str()));
        for (place, path) in std::iter::once(("script".to_owned(), self.script)).chain(listed) {
            check_file(&place, path, cx);
        }
    }

    /// The script files, in order.
    pub fn files(&self) -> Vec<&str> {
        let script = (!self.script.is_empty()).then_some(self.script);
        script.into_iter().chain(self.scripts.iter().map(String::as_str)).collect()
    }
}

/// Reports a local file that is not there. Text that is rendered later names no file yet.
pub fn check_file(place: &str, path: &str, cx: &mut CheckContext<'_>) {
    if path.is_empty() || path.contains("{{") || cx.places.unknown(place) || (cx.file_exists)(path) != Some(false) {
        return;
    }
    let span = cx.places.value(place);
    cx.diagnostics.push(
        Diagnostic::error(code::FILE_MISSING, span, format!("`{path}` does not exist"))
            .help("paths are relative to the folder that kiln is started in; `{{template_dir}}` is the template's"),
    );
}

/// The text of an inline script: a first line that names the interpreter, then the lines.
#[must_use]
pub fn inline_text(lines: &[String], shebang: Option<&str>) -> String {
    let body = lines.join("\n");
    let has_one = body.starts_with("#!");
    match shebang {
        None if has_one => format!("{body}\n"),
        shebang => format!("#!{}\n{body}\n", shebang.unwrap_or(SHEBANG)),
    }
}

/// What a screen says of an inline script.
#[must_use]
pub fn inline_title(lines: usize) -> String {
    format!("inline ({lines} {})", if lines == 1 { "line" } else { "lines" })
}

/// `[0, 3]`, as Packer writes the allowed codes.
#[must_use]
pub fn codes(codes: &[i64]) -> String {
    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    format!("[{}]", codes.join(" "))
}

/// `Pausing 5m0s after this provisioner...`
#[must_use]
pub fn pause_text(time: std::time::Duration) -> String {
    format!("Pausing {} after this provisioner...", duration::format(time))
}

/// The number that a shell gives to a signal's end: 128 and the signal's own; `None` for a signal that POSIX does not
/// number.
#[must_use]
pub fn signal_status(name: &str) -> Option<i64> {
    let number = match name {
        "HUP" => 1,
        "INT" => 2,
        "QUIT" => 3,
        "ILL" => 4,
        "TRAP" => 5,
        "ABRT" => 6,
        "FPE" => 8,
        "KILL" => 9,
        "USR1" => 10,
        "SEGV" => 11,
        "USR2" => 12,
        "PIPE" => 13,
        "ALRM" => 14,
        "TERM" => 15,
        _ => return None,
    };
    Some(128 + number)
}

fn list(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[&str]) -> Vec<String> {
        text.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn an_inline_script_begins_with_its_interpreter() {
        assert_eq!(inline_text(&lines(&["echo a", "echo b"]), None), "#!/bin/sh -e\necho a\necho b\n");
        assert_eq!(inline_text(&lines(&["#!/bin/bash", "echo a"]), None), "#!/bin/bash\necho a\n");
        assert_eq!(inline_text(&lines(&["#!/bin/bash"]), Some("/bin/sh")), "#!/bin/sh\n#!/bin/bash\n");
    }

    #[test]
    fn allowed_codes_are_listed_as_packer_does() {
        assert_eq!(codes(&[0]), "[0]");
        assert_eq!(codes(&[0, 3]), "[0 3]");
    }
}
