//! Rules over several fields of the amazon builders: what Packer checks before a build, all at once, and contradictions that
//! Packer takes without a word, as warnings.
//!
//! Not here: what the schema's walk checks (types, unknown keys, fixed sets of values), nor what only AWS knows.

mod access;
mod ami;
mod devices;
mod fast_launch;
mod network;
mod run;
mod spot;
#[cfg(test)]
mod tests;

use super::config::AmazonEbs;
use crate::component::contract::CheckContext;
use crate::text::{Code, Diagnostic};

/// Every rule of `amazon-ebs`, those of the communicator included. The config has passed its schema; fields that are not known
/// yet are at their defaults and marked so in `cx.places`.
pub fn amazon_ebs(config: &AmazonEbs, cx: &mut CheckContext<'_>) {
    config.communicator.check(cx);
    let mut rules = Rules { cx };
    access::check(config, &mut rules);
    ami::check(config, &mut rules);
    devices::check(config, &mut rules);
    run::check(config, &mut rules);
    spot::check(config, &mut rules);
    network::check(config, &mut rules);
    fast_launch::check(config, &mut rules);
}

/// Where rules report.
struct Rules<'r, 'c> {
    cx: &'r mut CheckContext<'c>,
}

impl Rules<'_, '_> {
    /// An error at a field's value.
    fn error(&mut self, code: Code, path: &str, message: impl Into<String>, help: impl Into<String>) {
        let span = self.cx.places.value(path);
        self.cx.diagnostics.push(Diagnostic::error(code, span, message).help(help));
    }

    /// An error about two fields that exclude each other: at the second, with the first as the other place.
    fn exclusive(&mut self, code: Code, first: &str, second: &str, help: impl Into<String>) {
        let (here, there) = (self.cx.places.key(second), self.cx.places.key(first));
        self.cx.diagnostics.push(
            Diagnostic::error(code, here, format!("`{first}` and `{second}` exclude each other"))
                .related(there, format!("`{first}` is set here"))
                .help(help),
        );
    }

    /// A warning at a field's value.
    fn warn(&mut self, code: Code, path: &str, message: impl Into<String>, help: impl Into<String>) {
        let span = self.cx.places.value(path);
        self.cx.diagnostics.push(Diagnostic::warning(code, span, message).help(help));
    }

    /// The quoted line of the last finding holds a secret.
    fn hide(&mut self) {
        if let Some(last) = self.cx.diagnostics.last_mut() {
            last.secret = true;
        }
    }

    /// Whether all these fields are known now: an open question is no mistake.
    fn known(&self, paths: &[&str]) -> bool {
        paths.iter().all(|p| !self.cx.places.unknown(p))
    }
}
