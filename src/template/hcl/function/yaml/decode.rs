//! YAML read: one document, mappings to objects, sequences to tuples.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::scalar;
use crate::template::hcl::function::MAX_ELEMENTS;
use crate::template::hcl::value::{Attributes, Kind, Type, Value, convert};

/// Deeper documents are refused.
const MAX_DEPTH: usize = 200;

pub(super) fn decode(text: &str) -> Result<Value, String> {
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        lines: text.lines().collect(),
        anchors: HashMap::new(),
        size: 0,
        depth: 0,
        flow: 0,
    };
    reader.next()?;
    if !matches!(reader.next()?, (Event::DocumentStart(_), _)) {
        return Err("there is no value in it".into());
    }
    let first = reader.next()?;
    let value = reader.value(first)?;
    reader.next()?;
    if !matches!(reader.next()?, (Event::StreamEnd, _)) {
        return Err("it may hold one document only".into());
    }
    // As in Packer, where the whole document is null.
    Ok(if value.is_null() { Value::unknown(Type::Any) } else { value })
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    lines: Vec<&'a str>,
    /// Values by the number of their anchor, with how many values each holds.
    anchors: HashMap<usize, (Value, usize)>,
    size: usize,
    depth: usize,
    /// How many brackets and braces are open.
    flow: usize,
}

fn at(span: Span, message: impl std::fmt::Display) -> String {
    format!("{message} (line {}, column {})", span.start.line(), span.start.col() + 1)
}

fn tag_text(tag: Option<&Tag>) -> String {
    tag.map_or_else(String::new, |t| format!("{}{}", t.handle, t.suffix))
}

const CORE: &str = "tag:yaml.org,2002:";

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), String> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let (marker, info) = (error.marker(), error.info());
                Err(format!("{info} (line {}, column {})", marker.line(), marker.col() + 1))
            }
            None => Err("it ends too early".into()),
        }
    }

    fn value(&mut self, (event, span): (Event<'a>, Span)) -> Result<Value, String> {
        self.size += 1;
        if self.size > MAX_ELEMENTS {
            return Err(format!("this would make more than {MAX_ELEMENTS} values"));
        }
        if self.depth > MAX_DEPTH {
            return Err(at(span, format!("this is nested more than {MAX_DEPTH} deep")));
        }
        self.check_tabs(span)?;
        let brackets = matches!(event, Event::SequenceStart(..) | Event::MappingStart(..)) && self.starts_flow(span);
        self.depth += 1;
        self.flow += usize::from(brackets);
        let before = self.size;
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, scalar(&text, style, tag.as_ref(), span)?),
            Event::SequenceStart(anchor, tag) => {
                Self::check_tag(tag.as_ref(), "seq", span)?;
                (anchor, self.sequence()?)
            }
            Event::MappingStart(anchor, tag) => {
                Self::check_tag(tag.as_ref(), "map", span)?;
                (anchor, self.mapping()?)
            }
            Event::Alias(anchor) => {
                let found = self.anchors.get(&anchor);
                let (value, size) = found.ok_or_else(|| at(span, "an alias cannot stand within its own anchor"))?;
                self.size += size;
                (0, value.clone())
            }
            _ => return Err(at(span, "a value is expected here")),
        };
        self.depth -= 1;
        self.flow -= usize::from(brackets);
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), self.size - before));
        }
        Ok(value)
    }

    fn line(&self, span: Span) -> &'a str {
        span.start.line().checked_sub(1).and_then(|i| self.lines.get(i)).copied().unwrap_or("")
    }

    fn starts_flow(&self, span: Span) -> bool {
        self.line(span).chars().nth(span.start.col()).is_some_and(|c| matches!(c, '[' | '{'))
    }

    /// Outside brackets no tab may stand before what begins a line; YAML 1.1 is strict about that, and so is Packer.
    fn check_tabs(&self, span: Span) -> Result<(), String> {
        let before: String = self.line(span).chars().take(span.start.col()).collect();
        if self.flow == 0 && before.contains('\t') && before.trim_matches([' ', '\t', '-', '?', ':']).is_empty() {
            return Err(at(span, "a line cannot be indented with a tab"));
        }
        Ok(())
    }

    fn check_tag(tag: Option<&Cow<'a, Tag>>, kind: &str, span: Span) -> Result<(), String> {
        let tag = tag_text(tag.map(|t| &**t));
        if tag.is_empty() || tag == format!("{CORE}{kind}") {
            return Ok(());
        }
        Err(at(span, format!("a {kind} cannot be of the type `{tag}`")))
    }

    fn sequence(&mut self) -> Result<Value, String> {
        let mut elements = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::tuple(elements)),
                event => elements.push(self.value(event)?),
            }
        }
    }

    fn mapping(&mut self) -> Result<Value, String> {
        let mut own = Attributes::new();
        loop {
            let (event, span) = self.next()?;
            let (text, style, tag) = match event {
                Event::MappingEnd => return Ok(Value::object(own)),
                Event::Scalar(text, style, _, tag) => {
                    self.check_tabs(span)?;
                    (text, style, tag)
                }
                _ => return Err(at(span, "the keys of a mapping must be strings")),
            };
            let merges = &*text == "<<" && style == ScalarStyle::Plain && tag.is_none();
            let key = if merges { text.to_string() } else { key(&text, style, tag.as_ref(), span)? };
            let event = self.next()?;
            let value = self.value(event)?;
            if !merges {
                own.insert(key.into(), value);
                continue;
            }
            match value.kind() {
                Kind::Object(map) => {
                    self.size += map.len();
                    own.extend(map.iter().map(|(k, v)| (k.clone(), v.clone())));
                }
                _ => return Err(at(span, "only a mapping can be merged with `<<`")),
            }
        }
    }
}

fn key(text: &str, style: ScalarStyle, tag: Option<&Cow<'_, Tag>>, span: Span) -> Result<String, String> {
    let value = scalar(text, style, tag, span)?;
    let text = convert(&value, &Type::String).map_err(|e| at(span, e))?;
    text.as_str().map(str::to_owned).ok_or_else(|| at(span, "the key of a mapping must not be null"))
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Cow<'_, Tag>>, span: Span) -> Result<Value, String> {
    let tag = tag_text(tag.map(|t| &**t));
    let quoted = style != ScalarStyle::Plain;
    let kind = match tag.strip_prefix(CORE) {
        Some(kind) => Some(kind),
        None if tag.is_empty() && quoted => Some("str"),
        None if tag.is_empty() => None,
        None if tag == "!" => Some("str"),
        None => return Err(at(span, format!("the type `{tag}` is not supported"))),
    };
    scalar::resolve(text, kind).map_err(|why| at(span, why))
}
