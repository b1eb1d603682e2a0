//! Strings.

use unicode_segmentation::UnicodeSegmentation;

use super::{Call, Called, Function, FunctionError, MAX_TEXT, Wish, function, takes, within_elements, within_limit};
use crate::template::hcl::value::{Number, Type, Value};

const TEXT: &[super::Parameter] = &[takes("str", Wish::String)];

pub(super) const FUNCTIONS: &[Function] = &[
    function("chomp", TEXT, Wish::String, |c| Ok(c.text(0).trim_end_matches(['\r', '\n']).into())),
    function("endswith", &[takes("str", Wish::String), takes("suffix", Wish::String)], Wish::Bool, |c| {
        Ok(c.text(0).ends_with(c.text(1)).into())
    }),
    function("indent", &[takes("spaces", Wish::Number), takes("str", Wish::String)], Wish::String, indent),
    function("join", &[takes("separator", Wish::String)], Wish::String, join).and(takes("lists", Wish::Strings)),
    function("length", &[takes("value", Wish::Any)], Wish::Number, length).moving(),
    function("lower", TEXT, Wish::String, |c| Ok(c.text(0).chars().map(lower).collect::<String>().into())),
    function("replace", REPLACE, Wish::String, replace),
    function("split", &[takes("separator", Wish::String), takes("str", Wish::String)], Wish::Strings, split),
    function("startswith", &[takes("str", Wish::String), takes("prefix", Wish::String)], Wish::Bool, |c| {
        Ok(c.text(0).starts_with(c.text(1)).into())
    }),
    function("strcontains", &[takes("str", Wish::String), takes("substr", Wish::String)], Wish::Bool, |c| {
        Ok(c.text(0).contains(c.text(1)).into())
    }),
    function("strrev", TEXT, Wish::String, |c| Ok(c.text(0).graphemes(true).rev().collect::<String>().into())),
    function("substr", SUBSTR, Wish::String, substr),
    function("title", TEXT, Wish::String, |c| Ok(title(c.text(0)).into())),
    function("trim", &[takes("str", Wish::String), takes("cutset", Wish::String)], Wish::String, |c| {
        Ok(c.text(0).trim_matches(|found| c.text(1).contains(found)).into())
    }),
    function("trimprefix", &[takes("str", Wish::String), takes("prefix", Wish::String)], Wish::String, |c| {
        Ok(c.text(0).strip_prefix(c.text(1)).unwrap_or(c.text(0)).into())
    }),
    function("trimspace", TEXT, Wish::String, |c| Ok(c.text(0).trim().into())),
    function("trimsuffix", &[takes("str", Wish::String), takes("suffix", Wish::String)], Wish::String, |c| {
        Ok(c.text(0).strip_suffix(c.text(1)).unwrap_or(c.text(0)).into())
    }),
    function("upper", TEXT, Wish::String, |c| Ok(c.text(0).chars().map(upper).collect::<String>().into())),
];

const REPLACE: &[super::Parameter] =
    &[takes("str", Wish::String), takes("substr", Wish::String), takes("replace", Wish::String)];

const SUBSTR: &[super::Parameter] =
    &[takes("str", Wish::String), takes("offset", Wish::Number), takes("length", Wish::Number)];

/// One character for one, as Go maps case; `ß` has no capital of its own.
fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => match c {
            // Greek with a iota below: their capitals are written with it beside.
            '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => {
                char::from_u32(u32::from(c) + 8).unwrap_or(c)
            }
            '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => char::from_u32(u32::from(c) + 9).unwrap_or(c),
            _ => c,
        },
    }
}

fn lower(c: char) -> char {
    c.to_lowercase().next().unwrap_or(c)
}

/// The first letter of each word in title case.
fn title(text: &str) -> String {
    let separates = |c: char| {
        if c.is_ascii() { !(c.is_ascii_alphanumeric() || c == '_') } else { !c.is_alphanumeric() && c.is_whitespace() }
    };
    let mut before = ' ';
    let titled = text.chars().map(|c| {
        let start = separates(before);
        before = c;
        match c {
            _ if !start => c,
            // Digraphs, of which only the first half becomes large.
            'Ǆ' | 'ǅ' | 'ǆ' => 'ǅ',
            'Ǉ' | 'ǈ' | 'ǉ' => 'ǈ',
            'Ǌ' | 'ǋ' | 'ǌ' => 'ǋ',
            'Ǳ' | 'ǲ' | 'ǳ' => 'ǲ',
            c => upper(c),
        }
    });
    titled.collect()
}

fn indent(call: &Call<'_>) -> Called {
    let spaces = call.integer(0)?;
    let spaces = usize::try_from(spaces).map_err(|_| FunctionError::at(0, "this must not be negative"))?;
    let text = call.text(1);
    let lines = text.matches('\n').count();
    within_limit(text.len().saturating_add(lines.saturating_mul(spaces)))?;
    if lines == 0 {
        return Ok(text.into());
    }
    Ok(text.replace('\n', &format!("\n{}", " ".repeat(spaces))).into())
}

fn join(call: &Call<'_>) -> Called {
    if call.arguments.len() < 2 {
        return Err(FunctionError::new("at least one list is required"));
    }
    let (mut joined, mut first) = (String::new(), true);
    for (index, list) in call.arguments.iter().enumerate().skip(1) {
        for (at, element) in list.elements().iter().flat_map(|e| e.iter()).enumerate() {
            let Some(text) = element.as_str() else {
                return Err(FunctionError::at(index, format!("element {at} is null, which cannot be joined")));
            };
            if !first {
                joined.push_str(call.text(0));
            }
            first = false;
            joined.push_str(text);
            within_limit(joined.len())?;
        }
    }
    Ok(joined.into())
}

/// Of a string, the characters that a reader sees.
fn length(call: &Call<'_>) -> Called {
    let value = call.value(0);
    if let Some(text) = value.as_str() {
        return Ok(Value::number(Number::from(text.graphemes(true).count())));
    }
    if matches!(value.type_of(), Type::Set(_)) && !value.is_wholly_known() {
        // What is unknown may turn out equal to another element.
        return Ok(Value::unknown(Type::Number));
    }
    let count = value.len().ok_or_else(|| FunctionError::at(0, "this must be a string, a collection or an object"))?;
    Ok(Value::number(Number::from(count)))
}

fn replace(call: &Call<'_>) -> Called {
    let (text, old, new) = (call.text(0), call.text(1), call.text(2));
    let found = text.matches(old).count();
    within_limit(found.saturating_mul(new.len()).saturating_add(text.len()))?;
    Ok(text.replace(old, new).into())
}

fn split(call: &Call<'_>) -> Called {
    let (separator, text) = (call.text(0), call.text(1));
    let parts: Vec<Value> = if separator.is_empty() {
        within_elements(text.chars().count())?;
        text.chars().map(|c| c.to_string().into()).collect()
    } else {
        within_elements(text.matches(separator).count() + 1)?;
        text.split(separator).map(Value::from).collect()
    };
    Ok(Value::list(Type::String, parts))
}

/// Characters that a reader sees, from an offset that counts from the end when negative; of a negative length, all.
fn substr(call: &Call<'_>) -> Called {
    let (text, offset, length) = (call.text(0), call.integer(1)?, call.integer(2)?);
    let clusters = text.graphemes(true);
    let skipped = if offset < 0 {
        let count = i64::try_from(text.graphemes(true).count()).unwrap_or(i64::MAX);
        (count + offset.max(-count)).max(0)
    } else {
        offset
    };
    let skipped = usize::try_from(skipped).unwrap_or(MAX_TEXT);
    let taken = usize::try_from(length).unwrap_or(usize::MAX);
    Ok(clusters.skip(skipped).take(taken).collect::<String>().into())
}
