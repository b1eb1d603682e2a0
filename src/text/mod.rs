//! Texts that users wrote, places in them, and what is wrong there.
//!
//! Not here: how a diagnostic is printed (`cli::report`), nor what makes one (every floor above).

pub mod code;
pub mod diagnostic;
pub mod source;
pub mod span;

pub use code::Code;
pub use diagnostic::{Diagnostic, Fix, Related, Severity};
pub use source::{Source, SourceId, Sources};
pub use span::Span;
