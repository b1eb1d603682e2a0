//! RE2's syntax as that of the `regex` crate, which differs in small things: RE2's `\d`, `\w`, `\s` and `\b` are of ASCII,
//! its classes have no operators, and `\Q…\E` quotes.

/// The same expression, or why RE2 does not take it.
pub(super) fn translate(pattern: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut chars = pattern.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('Q') => quoted(&mut chars, &mut out),
                Some(escaped) => escape(escaped, &mut chars, false, &mut out)?,
                None => return Err("this regular expression ends with a backslash"),
            },
            '[' => class(&mut chars, &mut out)?,
            '(' => {
                out.push('(');
                if chars.peek() == Some(&'?') {
                    flags(&mut chars, &mut out)?;
                }
            }
            c => out.push(c),
        }
    }
    Ok(out)
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn quoted(chars: &mut Rest<'_>, out: &mut String) {
    while let Some(c) = chars.next() {
        if c == '\\' && chars.peek() == Some(&'E') {
            chars.next();
            return;
        }
        out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
    }
}

fn flags(chars: &mut Rest<'_>, out: &mut String) -> Result<(), &'static str> {
    // Go takes this only since 1.22, and Packer's older releases do not.
    let mut ahead = chars.clone().skip(1);
    if ahead.next() == Some('<') {
        return Err("a group's name is written `(?P<name>…)`");
    }
    // The flags that the other engine knows and RE2 does not.
    let mut ahead = chars.clone().skip(1);
    if ahead.by_ref().take_while(|c| c.is_ascii_alphabetic() || *c == '-').any(|c| matches!(c, 'x' | 'u' | 'R')) {
        let named = chars.clone().nth(1) == Some('P');
        if !named {
            return Err("RE2 knows the flags `i`, `m`, `s` and `U` only");
        }
    }
    out.extend(chars.next());
    Ok(())
}

fn escape(c: char, chars: &mut Rest<'_>, in_class: bool, out: &mut String) -> Result<(), &'static str> {
    match (c, in_class) {
        ('d', true) => out.push_str("0-9"),
        ('s', true) => out.push_str(r"\t\n\x0C\r "),
        ('w', true) => out.push_str("0-9A-Za-z_"),
        ('d', false) => out.push_str("[0-9]"),
        ('s', false) => out.push_str(r"[\t\n\x0C\r ]"),
        ('w', false) => out.push_str("[0-9A-Za-z_]"),
        ('D', _) => out.push_str("[^0-9]"),
        ('S', _) => out.push_str(r"[^\t\n\x0C\r ]"),
        ('W', _) => out.push_str("[^0-9A-Za-z_]"),
        ('b' | 'B', false) => {
            out.push_str(r"(?-u:\");
            out.push(c);
            out.push(')');
        }
        ('A' | 'z', false) | ('p' | 'P' | 'x' | 'a' | 'f' | 'n' | 'r' | 't' | 'v', _) => {
            out.push('\\');
            out.push(c);
        }
        ('0'..='7', _) => octal(c, chars, out)?,
        (c, _) if c.is_ascii_punctuation() || !c.is_ascii() => out.push_str(&plain(c)),
        _ => return Err("there is no such escape in RE2's regular expressions"),
    }
    Ok(())
}

/// A character that stands for itself, in a class too.
fn plain(c: char) -> String {
    if c.is_ascii_punctuation() { format!(r"\x{:02X}", u32::from(c)) } else { c.into() }
}

/// `\0`, or `\12` and `\123`; RE2 has no back-references.
fn octal(first: char, chars: &mut Rest<'_>, out: &mut String) -> Result<(), &'static str> {
    let mut value = first.to_digit(8).unwrap_or(0);
    let mut digits = 1;
    while let Some(digit) = chars.peek().and_then(|c| c.to_digit(8)).filter(|_| digits < 3) {
        value = value * 8 + digit;
        digits += 1;
        chars.next();
    }
    if digits == 1 && first != '0' {
        return Err("RE2's regular expressions have no references to groups");
    }
    out.push_str(&format!(r"\x{{{value:X}}}"));
    Ok(())
}

fn class(chars: &mut Rest<'_>, out: &mut String) -> Result<(), &'static str> {
    out.push('[');
    if chars.peek() == Some(&'^') {
        out.extend(chars.next());
    }
    let mut first = true;
    while let Some(c) = chars.next() {
        match c {
            ']' if !first => {
                out.push(']');
                return Ok(());
            }
            '\\' => {
                let escaped = chars.next().ok_or("this regular expression ends with a backslash")?;
                escape(escaped, chars, true, out)?;
            }
            '[' if chars.peek() == Some(&':') => named_class(chars, out),
            '-' => out.push('-'),
            c if first && c == ']' => out.push_str(r"\]"),
            c => out.push_str(&plain(c)),
        }
        first = false;
    }
    Err("a `[` of this regular expression has no `]`")
}

/// `[:alpha:]`, which both know; what is none stands for its characters.
fn named_class(chars: &mut Rest<'_>, out: &mut String) {
    let name: String = chars.clone().take_while(|c| *c != ']').collect();
    let is_one = name.len() > 2
        && name.ends_with(':')
        && name[1..name.len() - 1].chars().all(|c| c.is_ascii_alphabetic() || c == '^');
    if !is_one {
        return out.push_str(r"\[");
    }
    out.push('[');
    out.push_str(&name);
    out.push(']');
    for _ in 0..=name.chars().count() {
        chars.next();
    }
}
