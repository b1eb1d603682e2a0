//! YAML to values and back.

mod decode;
mod encode;
mod scalar;

use super::{Function, FunctionError, Wish, function, takes, takes_null, within_limit};
use crate::template::hcl::value::Value;

pub(super) const FUNCTIONS: &[Function] = &[
    function("yamldecode", &[takes("src", Wish::String)], Wish::Any, |c| {
        decode::decode(c.text(0)).map_err(|why| FunctionError::at(0, format!("this is no YAML: {why}")))
    }),
    function("yamlencode", &[takes_null("value", Wish::Any)], Wish::String, |c| {
        let text = encode::encode(c.value(0));
        within_limit(text.len())?;
        Ok(Value::from(text))
    }),
];
