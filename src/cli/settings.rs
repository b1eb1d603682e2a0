//! `kiln.toml` as the commands see it: what is wrong in it becomes diagnostics.

use std::path::Path;

use super::report::{self, diagnostic::Hidden};
use crate::os::settings::{self, FaultKind, Settings, SettingsError};
use crate::run::Secrets;
use crate::run::plan::OnError;
use crate::text::code::call as code;
use crate::text::{Diagnostic, Sources, Span};

/// The settings for a template, `-` being one from standard input in the working folder. What is wrong in them is printed.
///
/// # Errors
/// The exit status, 2, when something is wrong.
pub fn for_template(template: &str, as_json: bool) -> Result<Settings, u8> {
    let path = Path::new(template);
    let folder = match template {
        "-" => None,
        _ if path.is_dir() => Some(path),
        _ => path.parent(),
    };
    let mut sources = Sources::default();
    load(folder.unwrap_or(Path::new("")), &mut sources).map_err(|found| {
        report::print(&found, &sources, Hidden { secrets: &Secrets::default(), places: &[] }, as_json);
        2
    })
}

/// The settings beside a template in `folder`. The file's text is taken into `sources` when something in it is wrong.
///
/// # Errors
/// Every mistake of the file.
pub fn load(folder: &Path, sources: &mut Sources) -> Result<Settings, Vec<Diagnostic>> {
    settings::load(folder).map_err(|error| match error {
        SettingsError::Read { .. } => vec![
            Diagnostic::error(code::SETTINGS_UNREADABLE, None, error.to_string())
                .help("mend the file's permissions and encoding, or remove it"),
        ],
        SettingsError::Wrong { path, text, faults } => {
            let id = sources.add(path.display().to_string(), text);
            let diagnostic = |fault: settings::Fault| {
                let code = match fault.kind {
                    FaultKind::Syntax => code::SETTINGS_SYNTAX,
                    FaultKind::UnknownKey => code::UNKNOWN_SETTING,
                    FaultKind::BadValue => code::BAD_SETTING,
                };
                let span = Span::new(id, fault.range.start, fault.range.end);
                let diagnostic = Diagnostic::error(code, span, fault.message).help(fault.help);
                match fault.suggestion {
                    Some(right) => diagnostic.fix(format!("Write `{right}`"), span, right),
                    None => diagnostic,
                }
            };
            faults.into_iter().map(diagnostic).collect()
        }
    })
}

/// What `build.on_error` says; `None`: nothing.
pub fn on_error(settings: &Settings) -> Option<OnError> {
    Some(match settings.on_error? {
        "abort" => OnError::Abort,
        "ask" => OnError::Ask,
        "run-cleanup-provisioner" => OnError::RunCleanupProvisioner,
        "hold" => OnError::Hold,
        _ => OnError::Cleanup,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_on_an_error_is_the_one_of_that_name() {
        for name in settings::ON_ERROR {
            let choice = on_error(&Settings { on_error: Some(name), ..Settings::default() });
            assert_eq!(serde_json::to_value(choice).unwrap(), name);
        }
        assert_eq!(on_error(&Settings::default()), None);
    }

    #[test]
    fn mistakes_in_the_settings_have_codes_and_places() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("kiln.toml"), "[runs]\nkepp = 1\nkeep = \"x\"\n").unwrap();
        let mut sources = Sources::default();
        let found = load(folder.path(), &mut sources).unwrap_err();
        let seen: Vec<_> = found.iter().map(|d| (d.code, sources.text(d.span.unwrap()))).collect();
        assert_eq!(seen, [(code::UNKNOWN_SETTING, "kepp"), (code::BAD_SETTING, "\"x\"")]);
        assert_eq!(found[0].fix.as_ref().unwrap().replacement, "keep");
    }
}
