//! Comma-separated values (RFC 4180), as Go reads them: strict about quotes, empty lines skipped.

use crate::template::hcl::function::MAX_ELEMENTS;
use crate::template::hcl::value::{Type, Value};

/// A list of objects, named by the first line.
pub(super) fn decode(text: &str) -> Result<Value, String> {
    let mut reader = Reader { rest: text, line: 1 };
    let header = reader.record()?.ok_or("a line with the names of the columns is required")?;
    for (i, name) in header.iter().enumerate() {
        if header[..i].contains(name) {
            return Err(format!("two columns have the name {name:?}"));
        }
    }
    let element = Type::object(header.iter().map(|name| (name.as_str(), Type::String)));
    let mut rows = Vec::new();
    loop {
        let line = reader.line;
        let Some(record) = reader.record()? else { return Ok(Value::list(element, rows)) };
        if record.len() != header.len() {
            let message = format!("there are {} fields for {} columns (near line {line})", record.len(), header.len());
            return Err(message);
        }
        rows.push(Value::object(header.iter().map(String::as_str).zip(record.into_iter().map(Value::from))));
        if rows.len().saturating_mul(header.len()) > MAX_ELEMENTS {
            return Err(format!("this would make more than {MAX_ELEMENTS} values"));
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    line: usize,
}

impl Reader<'_> {
    fn line_end(&mut self) -> bool {
        for end in ["\r\n", "\n"] {
            if let Some(after) = self.rest.strip_prefix(end) {
                self.rest = after;
                self.line += 1;
                return true;
            }
        }
        // The last line may end with half of it.
        if self.rest == "\r" {
            self.rest = "";
        }
        self.rest.is_empty()
    }

    fn record(&mut self) -> Result<Option<Vec<String>>, String> {
        while !self.rest.is_empty() && self.line_end() {}
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut fields = Vec::new();
        loop {
            fields.push(if self.rest.starts_with('"') { self.quoted()? } else { self.bare()? });
            match self.rest.strip_prefix(',') {
                Some(after) => self.rest = after,
                None if self.line_end() => return Ok(Some(fields)),
                None => return Err(format!("a `\"` within quotes must be doubled (line {})", self.line)),
            }
        }
    }

    fn bare(&mut self) -> Result<String, String> {
        let line = self.rest.find('\n').unwrap_or(self.rest.len());
        let line = &self.rest[..line];
        let line = line.strip_suffix('\r').unwrap_or(line);
        let field = &line[..line.find(',').unwrap_or(line.len())];
        if field.contains('"') {
            return Err(format!("a field with a `\"` must be in quotes (line {})", self.line));
        }
        self.rest = &self.rest[field.len()..];
        Ok(field.to_owned())
    }

    fn quoted(&mut self) -> Result<String, String> {
        let start = self.line;
        self.rest = &self.rest[1..];
        let mut field = String::new();
        loop {
            let end = self.rest.find('"').ok_or_else(|| format!("a `\"` is not closed (line {start})"))?;
            let part = self.rest[..end].replace("\r\n", "\n");
            self.line += part.matches('\n').count();
            field.push_str(&part);
            self.rest = &self.rest[end + 1..];
            let Some(after) = self.rest.strip_prefix('"') else { return Ok(field) };
            field.push('"');
            self.rest = after;
        }
    }
}
