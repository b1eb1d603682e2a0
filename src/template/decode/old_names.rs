//! Keys that Packer once had. Packer says of them "run packer fix"; kiln says what to write, and `kiln fix` writes it.

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

/// An old key, where it stood, and what became of it.
pub(in crate::template) struct OldName {
    pub key: &'static str,
    /// Empty: nothing.
    pub new: &'static str,
    change: Change,
    /// The part of a JSON template that had it.
    pub section: &'static str,
    /// The types of component that had it: what they begin with; empty: all.
    pub types: &'static str,
    /// Where both are given, this one was taken.
    pub wins: bool,
}

const fn old(key: &'static str, new: &'static str, change: Change) -> OldName {
    OldName { key, new, change, section: "builders", types: "", wins: false }
}

pub(in crate::template) const OLD: &[OldName] = &[
    old("ssh_key_path", "ssh_private_key_file", Change::Renamed),
    old("ssh_disable_agent", "ssh_disable_agent_forwarding", Change::Renamed),
    old("ssh_wait_timeout", "ssh_timeout", Change::Renamed),
    OldName { types: "amazon", wins: true, ..old("shutdown_behaviour", "shutdown_behavior", Change::Renamed) },
    OldName { types: "amazon", ..old("enhanced_networking", "ena_support", Change::Renamed) },
    OldName { types: "amazon", ..old("ssh_private_ip", "ssh_interface", Change::Texts("private_ip", "public_ip")) },
    OldName {
        types: "amazon",
        wins: true,
        ..old("temporary_security_group_source_cidr", "temporary_security_group_source_cidrs", Change::Listed)
    },
    OldName { types: "amazon", ..old("spot_price_auto_product", "", Change::Dropped) },
    OldName {
        section: "provisioners",
        types: "ansible-local",
        ..old("galaxycommand", "galaxy_command", Change::Renamed)
    },
    OldName { section: "post-processors", types: "manifest", wins: true, ..old("filename", "output", Change::Renamed) },
];

impl OldName {
    /// The entry as it is written today and what that takes the place of; `None` where the value does not allow it, and for
    /// what is dropped. `hcl`: in HCL2, else in JSON.
    pub(in crate::template) fn written(&self, entry: &Entry, hcl: bool) -> Option<(Span, String)> {
        let new = self.new;
        let with = |value: String| {
            let text = if hcl { format!("{new} = {value}") } else { format!("\"{new}\": {value}") };
            (entry.key.span.to(entry.value.span), text)
        };
        match self.change {
            Change::Renamed => Some((entry.key.span, if hcl { new.to_owned() } else { format!("\"{new}\"") })),
            Change::Dropped => None,
            Change::Listed => {
                entry.value.text().map(|t| with(format!("[{}]", serde_json::Value::from(t.value.as_str()))))
            }
            Change::Texts(yes, no) => {
                let given = match &entry.value.tree {
                    Tree::Bool(b) => Some(*b),
                    Tree::String(t) => scalar::boolean(&t.value),
                    _ => None,
                };
                given.map(|b| with(format!("\"{}\"", if b { yes } else { no })))
            }
        }
    }
}

/// The replacement for an entry, if its key is an old name of something that `knows` knows.
pub(super) fn find(entry: &Entry, hcl: bool, knows: impl Fn(&str) -> bool) -> Option<Replacement> {
    let found = OLD.iter().find(|o| o.key == entry.key.value && (o.new.is_empty() || knows(o.new)))?;
    Some(Replacement { key: found.new, fix: found.written(entry, hcl) })
}
