//! `kiln.toml` as the commands see it: what is wrong in it becomes diagnostics.

use std::path::Path;

use crate::os::settings::{self, FaultKind, Settings, SettingsError};
use crate::text::code::call as code;
use crate::text::{Diagnostic, Sources, Span};

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

#[cfg(test)]
mod tests {
    use super::*;

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
