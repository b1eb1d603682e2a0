//! What goes over the wire: forms in, XML out, refusals. Pure; it knows requests only as AWS's service models tell them.

pub mod decode;
pub mod form;
pub mod model;
pub mod refusal;
pub mod xml;

pub use refusal::Refusal;
pub use xml::Xml;
