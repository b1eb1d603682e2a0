//! The stable codes of diagnostics. `kiln explain CODE` prints the page of one, `assets/explain/CODE.md`.
//!
//! A page opens with a title (`# K0101: …`), tells what it means and what to do, and holds an example in a fenced block
//! marked `wrong`, which a test feeds to the checker and expects to get this code for.

use std::fmt;

/// A diagnostic's code, such as `K0101`. Once published, a code keeps its meaning.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(&'static str);

impl Code {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// The page for `kiln explain`: Markdown.
    #[must_use]
    pub fn page(self) -> &'static str {
        pages().find(|(c, _)| *c == self).map_or("", |(_, p)| p)
    }

    /// The code that a user typed, in any case.
    #[must_use]
    pub fn find(text: &str) -> Option<Self> {
        pages().map(|(c, _)| *c).find(|c| c.0.eq_ignore_ascii_case(text.trim()))
    }

    /// Every code, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        pages().map(|(c, _)| *c)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

macro_rules! codes {
    ($($name:ident = $id:literal;)*) => {
        $(pub const $name: $crate::text::Code = $crate::text::code::Code($id);)*
        pub(super) const PAGES: &[($crate::text::Code, &str)] =
            &[$(($crate::text::code::Code($id), include_str!(concat!("../../../assets/explain/", $id, ".md"))),)*];
    };
}

/// K06: the amazon builders.
pub mod amazon;
/// K10: selection, the call, `kiln.toml`.
pub mod call;
/// K07: communicators.
pub mod communicator;
/// K02: the template engine, `{{ … }}`.
pub mod engine;
/// K05: fields, by schema.
pub mod field;
/// K14: Packer's blocks in HCL2.
pub mod hcl_block;
/// K12: the HCL text.
pub mod hcl_syntax;
/// K13: HCL's expressions.
pub mod hcl_value;
/// K01: the JSON text.
pub mod json;
/// K09: post-processors.
pub mod post_processor;
/// K08: provisioners.
pub mod provisioner;
/// K04: the template's own structure.
pub mod structure;
/// K03: variables.
pub mod variable;

const RANGES: [&[(Code, &str)]; 13] = [
    json::PAGES,
    engine::PAGES,
    variable::PAGES,
    structure::PAGES,
    field::PAGES,
    amazon::PAGES,
    communicator::PAGES,
    provisioner::PAGES,
    post_processor::PAGES,
    call::PAGES,
    hcl_block::PAGES,
    hcl_syntax::PAGES,
    hcl_value::PAGES,
];

fn pages() -> impl Iterator<Item = &'static (Code, &'static str)> {
    RANGES.iter().copied().flatten()
}
