//! Packer's spelling of flags: one dash or two, before or after the template.
//!
//! clap knows only two dashes for long names; this turns one into two and leaves the meaning to clap.

use std::ffi::OsString;

/// Flags that take a value; the argument after one is never a flag, whatever it looks like.
const WITH_VALUE: &[&str] = &[
    "var",
    "var-file",
    "only",
    "except",
    "on-error",
    "parallel-builds",
    "config-type",
    "format",
    "output-file",
    "result",
    "state-dir",
    "port",
    "ssh-port",
    "dir",
    "scenario",
];

/// Arguments as clap wants them.
///
/// `-name` and `-name=value` become `--name…` when `name` has more than one letter. `-v`, `-version` and `--version`
/// anywhere before `--` mean the `version` command, and `-machine-readable` may stand anywhere too, as in Packer.
pub fn normalise(arguments: Vec<OsString>) -> Vec<OsString> {
    let mut out: Vec<OsString> = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter();
    out.extend(arguments.next());
    let mut machine_readable = false;
    while let Some(argument) = arguments.next() {
        let Some(text) = argument.to_str() else {
            out.push(argument);
            continue;
        };
        match text {
            "--" => {
                if std::mem::take(&mut machine_readable) {
                    out.push("--machine-readable".into());
                }
                out.push(argument);
                out.extend(arguments.by_ref());
            }
            "-machine-readable" | "--machine-readable" => machine_readable = true,
            "-v" | "-version" | "--version" => {
                let rest = arguments.by_ref().any(|a| a == "-machine-readable" || a == "--machine-readable");
                out.truncate(1);
                out.push("version".into());
                out.extend((machine_readable || rest).then(|| "--machine-readable".into()));
                return out;
            }
            _ => {
                let name = text.trim_start_matches('-');
                let single = text.len() - name.len() == 1
                    && name.len() > 1
                    && name.starts_with(|c: char| c.is_ascii_alphabetic());
                let is_flag = single || text.starts_with("--");
                out.push(if single { format!("--{name}").into() } else { argument.clone() });
                if is_flag && WITH_VALUE.contains(&name) {
                    out.extend(arguments.next());
                }
            }
        }
    }
    if machine_readable {
        out.push("--machine-readable".into());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::normalise;

    fn normalised(line: &str) -> String {
        let arguments = line.split(' ').map(Into::into).collect();
        normalise(arguments).iter().map(|a| a.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn one_dash_means_two() {
        assert_eq!(normalised("kiln build -var a=b -force t.json"), "kiln build --var a=b --force t.json");
        assert_eq!(normalised("kiln build t.json -color=false"), "kiln build t.json --color=false");
        assert_eq!(normalised("kiln build --only=a,b -"), "kiln build --only=a,b -");
    }

    #[test]
    fn a_value_is_never_a_flag() {
        assert_eq!(normalised("kiln build -var -x=-y t.json"), "kiln build --var -x=-y t.json");
        assert_eq!(normalised("kiln build -var-file -force t"), "kiln build --var-file -force t");
    }

    #[test]
    fn asking_for_the_version_wins_anywhere() {
        assert_eq!(normalised("kiln build -v t.json"), "kiln version");
        assert_eq!(normalised("kiln --version"), "kiln version");
        assert_eq!(normalised("kiln -machine-readable -v"), "kiln version --machine-readable");
        assert_eq!(normalised("kiln -v -machine-readable"), "kiln version --machine-readable");
        assert_eq!(normalised("kiln build -var -version t.json"), "kiln build --var -version t.json");
    }

    #[test]
    fn machine_readable_may_stand_before_the_command() {
        assert_eq!(normalised("kiln -machine-readable build t.json"), "kiln build t.json --machine-readable");
    }

    #[test]
    fn short_flags_and_what_follows_two_dashes_stay() {
        assert_eq!(normalised("kiln -h"), "kiln -h");
        assert_eq!(normalised("kiln build -- -force"), "kiln build -- -force");
    }
}
