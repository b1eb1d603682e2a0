//! Rendering a field when its step is due: with what the build has learnt by then.

use serde_json::{Map, Value as Json};
use sha2::{Digest, Sha256};

use super::contract::StepContext;
use crate::run::Failure;
use crate::template::engine::{LateScope, render_late};

/// The name under which a builder learns what `{{build …}}` gives: a map (`ID`, `Host`, `SourceAMI`).
pub const BUILD_VALUES: &str = "build_values";

/// What Packer gives for a value that a builder does not have.
const NOT_HERE: [(&str, &str); 4] = [
    ("ID", "ERR_ID_NOT_IMPLEMENTED_BY_BUILDER"),
    ("PackerHTTPIP", "ERR_HTTP_IP_NOT_IMPLEMENTED_BY_BUILDER"),
    ("PackerHTTPPort", "ERR_HTTP_PORT_NOT_IMPLEMENTED_BY_BUILDER"),
    ("PackerHTTPAddr", "ERR_HTTP_ADDR_NOT_IMPLEMENTED_BY_BUILDER"),
];

/// The dot: the build's values, and `extra` over them.
pub fn dot<'a>(cx: &StepContext, extra: impl IntoIterator<Item = (&'a str, String)>) -> Json {
    let mut values: Map<String, Json> = NOT_HERE.iter().map(|(k, v)| ((*k).to_owned(), Json::from(*v))).collect();
    values.insert("PackerRunUUID".into(), run_uuid(cx).into());
    values.extend(cx.learnt::<Map<String, Json>>(BUILD_VALUES).unwrap_or_default());
    values.extend(cx.machine.unwritten().into_iter().map(|(k, v)| (k.to_owned(), Json::from(v))));
    values.extend(extra.into_iter().map(|(k, v)| (k.to_owned(), Json::from(v))));
    Json::Object(values)
}

/// Renders `text`, the value of `field`.
///
/// # Errors
/// A failure of kind `Config` that names the field.
pub fn render(cx: &StepContext, field: &str, text: &str, dot: &Json) -> Result<String, Failure> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    if text.contains("SSHPrivateKey") {
        hide_private_key(cx);
    }
    let (cwd, template_dir) = (cx.cwd.to_string_lossy(), cx.template_dir.to_string_lossy());
    let scope = LateScope {
        dot,
        start: cx.start,
        seed: cx.seed,
        cwd: &cwd,
        template_dir: &template_dir,
        build_name: &cx.build.name,
        build_type: &cx.build.builder_type,
    };
    render_late(text, &scope).map_err(|e| Failure::config(format!("`{field}` cannot be rendered: {e}")))
}

/// From here on a script has the key, and may print it. A terminal or an editor breaks its lines anew: each is hidden by itself.
fn hide_private_key(cx: &StepContext) {
    let values = cx.machine.unwritten();
    let lines = values.get("SSHPrivateKey").into_iter().flat_map(|key| key.lines());
    lines.filter(|line| !line.starts_with("-----")).for_each(|line| cx.facts.hide(line));
}

/// Adds to what `{{build …}}` gives; durable when it returns.
///
/// # Errors
/// A failure of kind `Journal`.
pub async fn learn_build_values<'a>(
    cx: &StepContext,
    values: impl IntoIterator<Item = (&'a str, String)>,
) -> Result<(), Failure> {
    let mut known = cx.learnt::<Map<String, Json>>(BUILD_VALUES).unwrap_or_default();
    known.extend(values.into_iter().map(|(k, v)| (k.to_owned(), Json::from(v))));
    cx.learn(BUILD_VALUES, &known).await
}

/// Packer's UUID of the run: the same in every build and attempt, made from the run's start and seed in Packer's
/// time-ordered form.
pub fn run_uuid(cx: &StepContext) -> String {
    let hash = Sha256::digest(format!("{} {}", cx.run, cx.seed));
    let hex = hex(&hash[..12]);
    let seconds = u32::try_from(cx.start).unwrap_or_default();
    format!("{seconds:08x}-{}-{}-{}-{}", &hex[..4], &hex[4..8], &hex[8..12], &hex[12..])
}

/// Bytes as hex digits, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
