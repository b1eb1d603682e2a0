//! kiln's own settings for a template: `kiln.toml` in the template's folder, since Packer refuses keys that it does not know.
//!
//! Every key may be left out:
//!
//! ```toml
//! [tags]
//! enabled = true          # tag what is temporary in the cloud with `kiln:run` and its kin
//!
//! [network]
//! public_address = true   # may ask AWS's checkip service for this machine's public address
//!
//! [runs]
//! keep = 50               # how many finished runs stay on disk
//! state_dir = "…"         # where runs are kept; relative to the template's folder
//!
//! [build]
//! parallel = 4            # how many builds run at once; left out: all
//! on_error = "cleanup"    # or abort, ask, run-cleanup-provisioner, hold
//! ```
//!
//! Not here: how a fault is shown; `cli` makes a diagnostic of it.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The name of the file, beside the template.
pub const FILE_NAME: &str = "kiln.toml";

/// What `on_error` may say.
pub const ON_ERROR: [&str; 5] = ["cleanup", "abort", "ask", "run-cleanup-provisioner", "hold"];

/// Settings with their defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `tags.enabled`: tag what is temporary with `kiln:run`, `kiln:build`, `kiln:host`, `kiln:until`. Default: yes.
    pub tags: bool,
    /// `network.public_address`: AWS's checkip service may be asked for this machine's public address. Default: yes.
    pub public_address: bool,
    /// `runs.keep`: how many finished runs stay on disk. Default: 50.
    pub keep_runs: u32,
    /// `runs.state_dir`: where runs are kept instead of the user's state folder.
    pub state_dir: Option<PathBuf>,
    /// `build.parallel`: how many builds run at once, 1 or more. Default: all.
    pub parallel: Option<u32>,
    /// `build.on_error`: one of [`ON_ERROR`]; `None`: what the command line says, else `cleanup`.
    pub on_error: Option<&'static str>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { tags: true, public_address: true, keep_runs: 50, state_dir: None, parallel: None, on_error: None }
    }
}

/// What kind of mistake a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The text is not TOML.
    Syntax,
    UnknownKey,
    /// A value of the wrong type or out of range.
    BadValue,
}

/// One thing that is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    pub kind: FaultKind,
    /// Bytes of the text, on character boundaries.
    pub range: Range<usize>,
    /// A sentence without final full stop.
    pub message: String,
    /// The way out.
    pub help: String,
    /// What the text under `range` was probably meant to be.
    pub suggestion: Option<String>,
}

/// Why settings could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("cannot read `{}`: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    /// Every fault of the file, in order.
    #[error("`{}` has {} mistake(s)", path.display(), faults.len())]
    Wrong { path: PathBuf, text: String, faults: Vec<Fault> },
}

/// The settings beside a template in `folder`; the defaults when there is no such file.
///
/// # Errors
/// The file cannot be read, or something in it is wrong.
pub fn load(folder: &Path) -> Result<Settings, SettingsError> {
    let path = folder.join(FILE_NAME);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(error) => return Err(SettingsError::Read { path, error }),
    };
    match parse(&text) {
        Ok(mut settings) => {
            settings.state_dir = settings.state_dir.map(|dir| folder.join(dir));
            Ok(settings)
        }
        Err(faults) => Err(SettingsError::Wrong { path, text, faults }),
    }
}

/// Reads the text of a `kiln.toml`.
///
/// # Errors
/// Every fault of the text, in its order.
pub fn parse(text: &str) -> Result<Settings, Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut faults: Vec<Fault> = errors
        .iter()
        .map(|e| Fault {
            kind: FaultKind::Syntax,
            range: inside(text, e.span().unwrap_or(0..0)),
            message: e.message().to_owned(),
            help: "settings are written in TOML: `key = value` under `[section]`".into(),
            suggestion: None,
        })
        .collect();
    let mut settings = Settings::default();
    if faults.is_empty() {
        let mut reader = Reader { text, faults: &mut faults };
        reader.root(table.get_ref(), &mut settings);
    }
    faults.sort_by_key(|f| f.range.start);
    if faults.is_empty() { Ok(settings) } else { Err(faults) }
}

const SECTIONS: [(&str, &[&str]); 4] = [
    ("tags", &["enabled"]),
    ("network", &["public_address"]),
    ("runs", &["keep", "state_dir"]),
    ("build", &["parallel", "on_error"]),
];

struct Reader<'a> {
    text: &'a str,
    faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    fn root(&mut self, table: &DeTable<'_>, settings: &mut Settings) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            let Some((section, keys)) = SECTIONS.iter().find(|(n, _)| *n == name) else {
                let home = SECTIONS.iter().find(|(_, keys)| keys.contains(&name)).map(|(section, _)| *section);
                self.unknown(key.span(), name, "section", SECTIONS.iter().map(|(n, _)| *n), home);
                continue;
            };
            let DeValue::Table(inner) = value.get_ref() else {
                self.bad(
                    value,
                    &format!("`{section}` is a section"),
                    &format!("write `[{section}]`, and its keys below"),
                );
                continue;
            };
            for (key, value) in inner {
                let name: &str = key.get_ref();
                if keys.contains(&name) {
                    self.setting(section, name, value, settings);
                } else {
                    self.unknown(key.span(), name, "setting", keys.iter().copied(), None);
                }
            }
        }
    }

    fn setting(&mut self, section: &str, key: &str, value: &Spanned<DeValue<'_>>, settings: &mut Settings) {
        match (section, key) {
            ("tags", _) => settings.tags = self.switch(key, value).unwrap_or(settings.tags),
            ("network", _) => settings.public_address = self.switch(key, value).unwrap_or(settings.public_address),
            ("runs", "keep") => settings.keep_runs = self.number(key, value, 0).unwrap_or(settings.keep_runs),
            ("runs", _) => match value.get_ref().as_str().filter(|dir| !dir.is_empty()) {
                Some(dir) => settings.state_dir = Some(dir.into()),
                None => self.bad(value, "`state_dir` is the path of a folder", "write it in double quotes"),
            },
            ("build", "parallel") => settings.parallel = self.number(key, value, 1),
            _ => self.choice(value, settings),
        }
    }

    fn choice(&mut self, value: &Spanned<DeValue<'_>>, settings: &mut Settings) {
        let written = value.get_ref().as_str().unwrap_or("");
        settings.on_error = ON_ERROR.into_iter().find(|o| *o == written);
        if settings.on_error.is_some() {
            return;
        }
        self.bad(value, "`on_error` does not know this", &format!("it is one of `{}`", ON_ERROR.join("`, `")));
        if let (Some(near), Some(fault)) = (nearest(written, ON_ERROR.into_iter()), self.faults.last_mut()) {
            fault.suggestion = Some(format!("\"{near}\""));
        }
    }

    fn switch(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<bool> {
        let switch = value.get_ref().as_bool();
        if switch.is_none() {
            self.bad(value, &format!("`{key}` is on or off"), "write `true` or `false`");
        }
        switch
    }

    fn number(&mut self, key: &str, value: &Spanned<DeValue<'_>>, least: u32) -> Option<u32> {
        let number = value.get_ref().as_integer();
        let number = number.and_then(|n| u32::from_str_radix(n.as_str(), n.radix()).ok()).filter(|n| *n >= least);
        if number.is_none() {
            self.bad(value, &format!("`{key}` is a whole number"), &format!("write a number of {least} or more"));
        }
        number
    }

    fn bad(&mut self, value: &Spanned<DeValue<'_>>, message: &str, help: &str) {
        self.faults.push(Fault {
            kind: FaultKind::BadValue,
            range: inside(self.text, value.span()),
            message: message.into(),
            help: help.into(),
            suggestion: None,
        });
    }

    fn unknown(
        &mut self,
        range: Range<usize>,
        name: &str,
        what: &str,
        known: impl Iterator<Item = &'static str> + Clone,
        home: Option<&str>,
    ) {
        let near = nearest(name, known.clone());
        let help = match (&near, home) {
            (_, Some(section)) => format!("`{name}` belongs under `[{section}]`"),
            (Some(near), None) => format!("did you mean `{near}`?"),
            (None, None) => format!("there is `{}`", known.collect::<Vec<_>>().join("`, `")),
        };
        self.faults.push(Fault {
            kind: FaultKind::UnknownKey,
            range: inside(self.text, range),
            message: format!("kiln has no {what} `{}`", name.escape_debug()),
            help,
            suggestion: near.filter(|_| home.is_none()).map(str::to_owned),
        });
    }
}

fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    known
        .map(|k| (strsim::damerau_levenshtein(&name.to_lowercase(), k), k))
        .min()
        .filter(|(distance, k)| *distance <= (k.len() / 3).max(1))
        .map(|(_, k)| k)
}

/// The range within the text, on character boundaries.
fn inside(text: &str, range: Range<usize>) -> Range<usize> {
    let floor = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = floor(range.start);
    start..floor(range.end).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<(FaultKind, &str, Option<String>)> {
        parse(text).unwrap_err().into_iter().map(|f| (f.kind, &text[f.range], f.suggestion)).collect()
    }

    #[test]
    fn an_empty_file_gives_the_defaults() {
        assert_eq!(parse(""), Ok(Settings::default()));
        assert_eq!(parse("[runs]\n[build]\n"), Ok(Settings::default()));
    }

    #[test]
    fn every_setting_is_read() {
        let text = "[tags]\nenabled = false\n[network]\npublic_address = false\n[runs]\nkeep = 0\nstate_dir = \"x\"\n\
                    [build]\nparallel = 2\non_error = \"hold\"\n";
        let settings = Settings {
            tags: false,
            public_address: false,
            keep_runs: 0,
            state_dir: Some("x".into()),
            parallel: Some(2),
            on_error: Some("hold"),
        };
        assert_eq!(parse(text), Ok(settings));
    }

    #[test]
    fn unknown_keys_are_faults_with_a_place_and_a_suggestion() {
        use FaultKind::UnknownKey;
        assert_eq!(
            faults("[runs]\nkepp = 1\ncolour = 1\n[tag]\nenabled = true\n"),
            [
                (UnknownKey, "kepp", Some("keep".into())),
                (UnknownKey, "colour", None),
                (UnknownKey, "tag", Some("tags".into())),
            ]
        );
        assert_eq!(faults("parallel = 3"), [(UnknownKey, "parallel", None)]);
        assert_eq!(parse("parallel = 3").unwrap_err()[0].help, "`parallel` belongs under `[build]`");
    }

    #[test]
    fn values_of_the_wrong_kind_are_all_named_at_once() {
        use FaultKind::BadValue;
        assert_eq!(
            faults("tags = 1\n[runs]\nkeep = -1\nstate_dir = 5\n[build]\nparallel = 0\non_error = \"clean-up\"\n"),
            [
                (BadValue, "1", None),
                (BadValue, "-1", None),
                (BadValue, "5", None),
                (BadValue, "0", None),
                (BadValue, "\"clean-up\"", Some("\"cleanup\"".into())),
            ]
        );
    }

    #[test]
    fn what_is_no_toml_says_where() {
        let found = parse("[build]\nparallel = = 2\n").unwrap_err();
        assert_eq!((found[0].kind, found[0].range.start), (FaultKind::Syntax, 19));
    }

    #[test]
    fn a_missing_file_is_no_fault_and_a_relative_folder_is_the_templates() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(folder.path()).unwrap(), Settings::default());
        std::fs::write(folder.path().join(FILE_NAME), "runs.state_dir = \"state\"").unwrap();
        assert_eq!(load(folder.path()).unwrap().state_dir, Some(folder.path().join("state")));
        std::fs::write(folder.path().join(FILE_NAME), "runs.state_dri = \"state\"").unwrap();
        assert!(matches!(load(folder.path()), Err(SettingsError::Wrong { faults, .. }) if faults.len() == 1));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in r#"([\[\]=."\n]|runs|keep|é|[0-9]| |true|-|\PC){0,30}"#) {
            if let Err(faults) = parse(&text) {
                for fault in faults {
                    assert!(text.get(fault.range).is_some());
                }
            }
        }
    }
}
