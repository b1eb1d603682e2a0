//! Diagnostics on a terminal and as data.

mod hidden;
mod quote;
#[cfg(test)]
mod tests;

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet, normalize_untrusted_str};
use serde_json::{Value, json};

pub use self::hidden::Hidden;
use self::hidden::Masks;
use self::quote::Quote;
use crate::text::{Diagnostic, Fix, Severity, SourceId, Sources, Span};

/// A longer line is not shown a second time with its fix.
const WIDTH: usize = 120;

/// All that a face says about a template: for people, with a summary behind it, or as one JSON object a line.
#[must_use]
pub fn report(
    diagnostics: &[Diagnostic],
    sources: &Sources,
    hidden: Hidden<'_>,
    as_json: bool,
    colour: bool,
) -> String {
    if as_json {
        let lines: Vec<String> =
            distinct(diagnostics).into_iter().map(|d| to_json(d, sources, hidden).to_string() + "\n").collect();
        return lines.concat();
    }
    let mut text = render(diagnostics, sources, hidden, colour);
    if let Some(summary) = summary(diagnostics) {
        text.push_str(&summary);
        text.push('\n');
    }
    text
}

/// Every diagnostic once, in the order given: message, place, the lines with what is wrong underlined, and the way out.
///
/// What is hidden is masked wherever it stands; of a diagnostic that is marked secret, and whose secret's place is not known,
/// every string value in the quoted lines is.
#[must_use]
pub fn render(diagnostics: &[Diagnostic], sources: &Sources, hidden: Hidden<'_>, colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for diagnostic in distinct(diagnostics) {
        out.push_str(&render_one(diagnostic, sources, hidden, &renderer));
        out.push_str("\n\n");
    }
    out
}

/// `2 errors, 1 warning`; `None` when there is nothing to count.
#[must_use]
pub fn summary(diagnostics: &[Diagnostic]) -> Option<String> {
    let (errors, warnings): (Vec<_>, Vec<_>) = distinct(diagnostics).into_iter().partition(|d| d.is_error());
    let count = |n: usize, word: &str| (n > 0).then(|| format!("{n} {word}{}", if n == 1 { "" } else { "s" }));
    let parts: Vec<_> =
        [count(errors.len(), "error"), count(warnings.len(), "warning")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// A diagnostic as data: `code`, `severity`, `message`, `file`, `line`, `column` (both from 1, columns in characters),
/// `end_line`, `end_column`, `start`, `end` (bytes), `label`, `related`, `help`, `fix`. What does not apply is null.
///
/// A fix of a secret's text is left out, since it could hold the secret.
#[must_use]
pub fn to_json(diagnostic: &Diagnostic, sources: &Sources, hidden: Hidden<'_>) -> Value {
    let masks = Masks::of(diagnostic, sources, hidden);
    let text = |s: &str| Value::from(masks.text(s));
    let related: Vec<Value> = diagnostic
        .related
        .iter()
        .map(|r| {
            let mut place = place(Some(r.span), sources);
            place["message"] = text(&r.message);
            place
        })
        .collect();
    let fix = diagnostic.fix.as_ref().filter(|f| masks.may_show(f)).map(|f| {
        let mut place = place(Some(f.span), sources);
        place["title"] = text(&f.title);
        place["replacement"] = text(&f.replacement);
        place
    });
    let mut out = json!({
        "code": diagnostic.code.as_str(),
        "severity": if diagnostic.is_error() { "error" } else { "warning" },
        "message": text(&diagnostic.message),
    });
    if let (Value::Object(out), Value::Object(place)) = (&mut out, place(diagnostic.span, sources)) {
        out.extend(place);
    }
    out["label"] = if diagnostic.label.is_empty() { Value::Null } else { text(&diagnostic.label) };
    out["related"] = related.into();
    out["help"] = diagnostic.help.as_deref().map_or(Value::Null, text);
    out["fix"] = fix.unwrap_or(Value::Null);
    out
}

fn place(span: Option<Span>, sources: &Sources) -> Value {
    let Some((span, source)) = span.and_then(|s| Some((s, sources.get(s.source)?))) else {
        return json!({
            "file": null, "line": null, "column": null, "end_line": null, "end_column": null, "start": null, "end": null,
        });
    };
    let (start, end) = (source.position(span.range().start), source.position(span.range().end));
    json!({
        "file": source.name,
        "line": start.line, "column": start.column, "end_line": end.line, "end_column": end.column,
        "start": span.start, "end": span.end,
    })
}

/// Those that are not the echo of an earlier one: the same message about the same place, or about a place within it.
fn distinct(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut kept: Vec<&Diagnostic> = Vec::with_capacity(diagnostics.len());
    let overlap = |a: Option<Span>, b: Option<Span>| match (a, b) {
        (Some(a), Some(b)) => a.source == b.source && (a == b || (a.start < b.end && b.start < a.end)),
        (None, None) => true,
        _ => false,
    };
    for diagnostic in diagnostics {
        let echo = |k: &&Diagnostic| {
            k.code == diagnostic.code && k.message == diagnostic.message && overlap(k.span, diagnostic.span)
        };
        if !kept.iter().any(echo) {
            kept.push(diagnostic);
        }
    }
    kept
}

fn render_one(diagnostic: &Diagnostic, sources: &Sources, hidden: Hidden<'_>, renderer: &Renderer) -> String {
    let masks = Masks::of(diagnostic, sources, hidden);
    let clean = |s: &str| normalize_untrusted_str(&masks.text(s));
    let level = if diagnostic.severity == Severity::Error { Level::ERROR } else { Level::WARNING };
    let title = level.primary_title(masks.text(&diagnostic.message)).id(diagnostic.code.as_str());
    let mut main = Group::with_title(title);
    for source in sources_of(diagnostic) {
        if let Some(snippet) = snippet(diagnostic, source, sources, &masks) {
            main = main.element(snippet);
        }
    }
    let fix = diagnostic.fix.as_ref().filter(|f| masks.may_show(f));
    let way_out = diagnostic.help.as_deref().or(fix.map(|f| f.title.as_str()));
    let Some(way_out) = way_out else { return renderer.render(&[main]) };
    let patched = fix.and_then(|f| patched(f, diagnostic, sources, &masks));
    let Some(patched) = patched else {
        return renderer.render(&[main.element(Level::HELP.message(clean(way_out)))]);
    };
    let way_out = Group::with_title(Level::HELP.secondary_title(clean(way_out))).element(patched);
    renderer.render(&[main, way_out])
}

/// The line with the fix applied, where that is short and shows something.
fn patched<'a>(
    fix: &Fix,
    diagnostic: &Diagnostic,
    sources: &'a Sources,
    masks: &Masks,
) -> Option<Snippet<'a, Patch<'a>>> {
    let source = sources.get(fix.span.source)?;
    let quote = Quote::new(source, &[fix.span.range()], masks);
    let replacement = masks.text(&fix.replacement);
    if replacement.is_empty() || format!("{}{replacement}", quote.text).contains('\n') || quote.text.len() > WIDTH {
        return None;
    }
    let elsewhere = Some(fix.span.source) != diagnostic.span.map(|s| s.source);
    let place = quote.place(&fix.span.range());
    Some(
        Snippet::source(quote.text)
            .line_start(quote.first_line)
            .path(elsewhere.then_some(source.name.as_str()))
            .patch(Patch::new(place, replacement)),
    )
}

/// The diagnostic's own source first.
fn sources_of(diagnostic: &Diagnostic) -> Vec<SourceId> {
    let mut found = Vec::new();
    for span in diagnostic.span.iter().chain(diagnostic.related.iter().map(|r| &r.span)) {
        if !found.contains(&span.source) {
            found.push(span.source);
        }
    }
    found
}

fn snippet<'a>(
    diagnostic: &'a Diagnostic,
    id: SourceId,
    sources: &'a Sources,
    masks: &Masks,
) -> Option<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let source = sources.get(id)?;
    let primary = diagnostic.span.filter(|s| s.source == id);
    let related: Vec<_> = diagnostic.related.iter().filter(|r| r.span.source == id).collect();
    let places: Vec<_> = primary
        .iter()
        .map(|s| s.range())
        .chain(related.iter().map(|r| r.span.range()))
        // Of a place that goes over many lines only the first is quoted.
        .map(|r| first_line(&source.text, r))
        .collect();
    let quote = Quote::new(source, &places, masks);
    let mut snippet =
        Snippet::source(quote.text.clone()).line_start(quote.first_line).path(source.name.as_str()).fold(true);
    if let Some(span) = primary {
        let annotation = AnnotationKind::Primary.span(quote.place(&span.range()));
        let label = &diagnostic.label;
        snippet = snippet.annotation(if label.is_empty() {
            annotation
        } else {
            annotation.label(normalize_untrusted_str(&masks.text(label)))
        });
    }
    for other in related {
        let label = normalize_untrusted_str(&masks.text(&other.message));
        snippet = snippet.annotation(AnnotationKind::Context.span(quote.place(&other.span.range())).label(label));
    }
    Some(snippet)
}

fn first_line(text: &str, range: std::ops::Range<usize>) -> std::ops::Range<usize> {
    let end = text.get(range.clone()).and_then(|t| t.find('\n')).map_or(range.end, |i| range.start + i);
    range.start..end
}
