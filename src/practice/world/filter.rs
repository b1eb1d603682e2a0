//! EC2's filters (several values are alternatives, several filters must all hold, `*` and `?` are wildcards) and pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::tag::Tags;
use crate::practice::wire::Refusal;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Filter {
    pub name: String,
    pub value: Vec<String>,
}

/// What a thing has under a filter's name; nothing when it has no such thing.
pub type Attribute<'a> = &'a dyn Fn(&str) -> Vec<String>;

/// Whether all filters hold for a thing.
pub fn all_hold(filters: &[Filter], tags: Option<&Tags>, attribute: Attribute<'_>) -> bool {
    filters.iter().all(|filter| holds(filter, tags, attribute))
}

fn holds(filter: &Filter, tags: Option<&Tags>, attribute: Attribute<'_>) -> bool {
    let found = if let Some(key) = filter.name.strip_prefix("tag:") {
        tags.and_then(|t| t.get(key)).cloned().into_iter().collect()
    } else if filter.name == "tag-key" {
        tags.map(|t| t.keys().cloned().collect()).unwrap_or_default()
    } else if filter.name == "tag-value" {
        tags.map(|t| t.values().cloned().collect()).unwrap_or_default()
    } else {
        attribute(&filter.name)
    };
    found.iter().any(|have| filter.value.iter().any(|want| matches(want, have)))
}

/// # Errors
/// `InvalidParameterValue` for a filter that this kind of thing does not have, or that has no values.
pub fn check(filters: &[Filter], known: &[&str]) -> Result<(), Refusal> {
    for filter in filters {
        let name = filter.name.as_str();
        if name.is_empty() {
            return Err(Refusal::missing("Filter.Name"));
        }
        if filter.value.is_empty() {
            return Err(Refusal::invalid(format!("The filter '{name}' must have at least one value")));
        }
        if filter.value.len() > 200 {
            return Err(Refusal::new("FilterLimitExceeded", "The maximum number of filter values is 200"));
        }
        let tag = name.strip_prefix("tag:").is_some_and(|k| !k.is_empty()) || matches!(name, "tag-key" | "tag-value");
        if !tag && !known.contains(&name) {
            return Err(Refusal::invalid(format!("The filter '{name}' is invalid")));
        }
    }
    Ok(())
}

/// `*` is any text, `?` any character; a backslash takes a character as it is.
pub fn matches(pattern: &str, text: &str) -> bool {
    let pattern = tokens(pattern);
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(Token::Any) => {
                star = Some((p, t));
                p += 1;
            }
            Some(Token::One) => (p, t) = (p + 1, t + 1),
            Some(Token::Is(c)) if *c == text[t] => (p, t) = (p + 1, t + 1),
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                (p, t) = (at + 1, from + 1);
            }
        }
    }
    pattern[p..].iter().all(|token| matches!(token, Token::Any))
}

/// Whether a pattern stands for more than one text.
pub fn is_wild(pattern: &str) -> bool {
    tokens(pattern).iter().any(|t| !matches!(t, Token::Is(_)))
}

enum Token {
    Any,
    One,
    Is(char),
}

fn tokens(pattern: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '*' => Token::Any,
            '?' => Token::One,
            '\\' => Token::Is(chars.next().unwrap_or('\\')),
            c => Token::Is(c),
        });
    }
    out
}

/// How a request pages through what there is.
#[derive(Clone, Debug, Default)]
pub struct Paging {
    pub max_results: Option<i64>,
    pub next_token: Option<String>,
}

/// A page of `items`, which are in the order of their keys, and the token of the next one.
///
/// A token names the last key of its page: what is made or deleted between two pages moves nothing. It belongs to the
/// `scope` (action and filters) that made it.
///
/// # Errors
/// `InvalidParameterValue` for a size outside of `sizes`; `InvalidNextToken`.
pub fn page<T>(
    mut items: Vec<(String, T)>,
    paging: &Paging,
    sizes: std::ops::RangeInclusive<i64>,
    scope: &str,
) -> Result<(Vec<T>, Option<String>), Refusal> {
    let size = match paging.max_results {
        Some(n) if !sizes.contains(&n) => {
            return Err(Refusal::invalid(format!(
                "Value ( {n} ) for parameter maxResults is invalid. Expecting a value between {} and {}.",
                sizes.start(),
                sizes.end()
            )));
        }
        Some(n) => usize::try_from(n).unwrap_or(1),
        None => usize::MAX,
    };
    items.sort_by(|a, b| a.0.cmp(&b.0));
    if let Some(token) = paging.next_token.as_deref().filter(|t| !t.is_empty()) {
        let after = read_token(token, scope)?;
        items.retain(|(key, _)| *key > after);
    }
    let more = items.len() > size;
    items.truncate(size);
    let token = items.last().filter(|_| more).map(|(key, _)| write_token(key, scope));
    Ok((items.into_iter().map(|(_, item)| item).collect(), token))
}

fn write_token(key: &str, scope: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{:016x}{key}", seal(key, scope)))
}

fn read_token(token: &str, scope: &str) -> Result<String, Refusal> {
    let invalid = || Refusal::new("InvalidNextToken", "The specified NextToken is not valid");
    let text = URL_SAFE_NO_PAD.decode(token).ok().and_then(|b| String::from_utf8(b).ok()).ok_or_else(invalid)?;
    let (sum, key) = text.split_at_checked(16).ok_or_else(invalid)?;
    if sum == format!("{:016x}", seal(key, scope)) { Ok(key.to_owned()) } else { Err(invalid()) }
}

/// Tells a token of another request from one of this; nothing secret.
fn seal(key: &str, scope: &str) -> u64 {
    super::id::hash(&[b"page", scope.as_bytes(), key.as_bytes()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_ec2s() {
        for (pattern, text, is) in [
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("?b", "ab", true),
            ("?b", "b", false),
            ("*-server-*", "x-server-1-server-", true),
            (r"a\*", "a*", true),
            (r"a\*", "ab", false),
            ("", "", true),
            ("é?", "éa", true),
        ] {
            assert_eq!(matches(pattern, text), is, "{pattern} {text}");
        }
    }

    #[test]
    fn pages_survive_what_comes_and_goes() {
        let items = |names: &[&str]| names.iter().map(|n| ((*n).to_owned(), (*n).to_owned())).collect::<Vec<_>>();
        let first = Paging { max_results: Some(2), next_token: None };
        let (page1, token) = page(items(&["c", "a", "d", "b"]), &first, 1..=5, "s").unwrap();
        assert_eq!(page1, ["a", "b"]);
        let next = Paging { max_results: Some(2), next_token: token };
        // `b` is gone and `bb` is new.
        assert_eq!(page(items(&["a", "bb", "c", "d"]), &next, 1..=5, "s").unwrap().0, ["bb", "c"]);
        assert_eq!(page(items(&["a"]), &next, 1..=5, "other").unwrap_err().code, "InvalidNextToken");
        let wrong = Paging { max_results: Some(6), next_token: None };
        assert_eq!(page(items(&[]), &wrong, 1..=5, "s").unwrap_err().code, "InvalidParameterValue");
        let exact = Paging { max_results: Some(2), next_token: None };
        assert_eq!(page(items(&["a", "b"]), &exact, 1..=5, "s").unwrap().1, None, "no empty last page");
    }
}
