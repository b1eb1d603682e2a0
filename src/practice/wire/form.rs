//! `application/x-www-form-urlencoded`, as AWS's query protocols send it.

use percent_encoding::percent_decode_str;

use super::Refusal;

/// More parameters than any real request has.
const MOST: usize = 20_000;

/// Names and values in the order in which they came. Bytes that are no UTF-8 are refused.
pub fn parse(body: &[u8]) -> Result<Vec<(String, String)>, Refusal> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
    let mut fields = Vec::new();
    for pair in text.split('&').filter(|p| !p.is_empty()) {
        if fields.len() == MOST {
            return Err(malformed("it has too many parameters"));
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        fields.push((decoded(name)?, decoded(value)?));
    }
    Ok(fields)
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().map(|t| t.into_owned()).map_err(|_| malformed("it is not UTF-8"))
}

fn malformed(why: &str) -> Refusal {
    Refusal::new("MalformedQueryString", format!("The request's form cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pluses_are_spaces_and_percent_is_decoded() {
        assert_eq!(
            parse(b"Action=A&Name=a+b%2Bc&&Empty=&Bare").unwrap(),
            [("Action", "A"), ("Name", "a b+c"), ("Empty", ""), ("Bare", "")].map(|(n, v)| (n.into(), v.into()))
        );
        assert_eq!(parse(b"a=%ff").unwrap_err().code, "MalformedQueryString");
    }
}
