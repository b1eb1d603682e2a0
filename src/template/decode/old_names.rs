//! Keys that Packer once had. Packer says of them "run packer fix"; kiln says what to write.

use super::super::tree::{Entry, Tree};
use super::scalar;
use crate::text::Span;

/// What to write for an old key.
pub(super) struct Replacement {
    /// The key of today; empty: drop the old one.
    pub key: &'static str,
    /// What to put where, when that can be said.
    pub fix: Option<(Span, String)>,
}

/// How the value changes along with the name.
enum Change {
    Renamed,
    /// `true` and `false` become these texts.
    Texts(&'static str, &'static str),
    /// A text becomes a list of one.
    Listed,
    Dropped,
}

const OLD: &[(&str, &str, Change)] = &[
    ("ssh_key_path", "ssh_private_key_file", Change::Renamed),
    ("ssh_disable_agent", "ssh_disable_agent_forwarding", Change::Renamed),
    ("shutdown_behaviour", "shutdown_behavior", Change::Renamed),
    ("enhanced_networking", "ena_support", Change::Renamed),
    ("ssh_private_ip", "ssh_interface", Change::Texts("private_ip", "public_ip")),
    ("temporary_security_group_source_cidr", "temporary_security_group_source_cidrs", Change::Listed),
    ("spot_price_auto_product", "", Change::Dropped),
    ("galaxycommand", "galaxy_command", Change::Renamed),
    ("filename", "output", Change::Renamed),
];

/// The replacement for an entry, if its key is an old name of something that `knows` knows.
pub(super) fn find(old: &Entry, knows: impl Fn(&str) -> bool) -> Option<Replacement> {
    let (_, new, change) = OLD.iter().find(|(key, new, _)| *key == old.key.value && (new.is_empty() || knows(new)))?;
    let whole = old.key.span.to(old.value.span);
    let fix = match change {
        Change::Renamed => Some((old.key.span, format!("\"{new}\""))),
        Change::Dropped => None,
        Change::Listed => old.value.text().map(|t| {
            let value = serde_json::Value::from(t.value.as_str());
            (whole, format!("\"{new}\": [{value}]"))
        }),
        Change::Texts(yes, no) => match &old.value.tree {
            Tree::Bool(b) => Some(*b),
            Tree::String(t) => scalar::boolean(&t.value),
            _ => None,
        }
        .map(|b| (whole, format!("\"{new}\": \"{}\"", if b { yes } else { no }))),
    };
    Some(Replacement { key: new, fix })
}
