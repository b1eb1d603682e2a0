//! Filters of look-ups, as templates write them.

use aws_sdk_ec2::types::Filter;

/// EC2 filters from a template's map. As Packer does, each value is read as one CSV record: `a,"b,c"` are two values.
pub fn filters<'a>(map: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<Filter> {
    let mut filters: Vec<Filter> = map
        .into_iter()
        .map(|(name, value)| Filter::builder().name(name).set_values(Some(csv(value))).build())
        .collect();
    // Equal filters in another order are the same look-up.
    filters.sort_by(|a, b| a.name.cmp(&b.name));
    filters
}

pub fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// One CSV record: commas part, double quotes hold together (two of them are one), spaces before a value are dropped. A quote in
/// the middle of a bare value is an ordinary character.
fn csv(record: &str) -> Vec<String> {
    let mut values = Vec::new();
    let mut rest = record.lines().next().unwrap_or("");
    loop {
        rest = rest.trim_start();
        let (value, after) =
            if let Some(quoted) = rest.strip_prefix('"') { quoted_value(quoted) } else { bare_value(rest) };
        values.push(value);
        match after {
            Some(next) => rest = next,
            None => return values,
        }
    }
}

fn bare_value(text: &str) -> (String, Option<&str>) {
    match text.split_once(',') {
        Some((value, after)) => (value.to_owned(), Some(after)),
        None => (text.to_owned(), None),
    }
}

fn quoted_value(text: &str) -> (String, Option<&str>) {
    let mut value = String::new();
    let mut rest = text;
    while let Some((part, after)) = rest.split_once('"') {
        value.push_str(part);
        if let Some(after) = after.strip_prefix('"') {
            value.push('"');
            rest = after;
        } else if let Some(after) = after.strip_prefix(',') {
            return (value, Some(after));
        } else if after.is_empty() {
            return (value, None);
        } else {
            // A lone quote inside: kept as it stands.
            value.push('"');
            rest = after;
        }
    }
    value.push_str(rest);
    (value, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_parted_at_commas_outside_of_quotes() {
        assert_eq!(csv("hvm"), ["hvm"]);
        assert_eq!(csv("gp2, gp3"), ["gp2", "gp3"]);
        assert_eq!(csv(r#""a,b",c"#), ["a,b", "c"]);
        assert_eq!(csv(r#""say ""hi""""#), [r#"say "hi""#]);
        assert_eq!(csv(r#"a"b"#), [r#"a"b"#]);
        assert_eq!(csv(r#""a"b","c""#), [r#"a"b"#, "c"]);
        assert_eq!(csv("ä, ö"), ["ä", "ö"]);
        assert_eq!(csv(""), [""]);
    }

    #[test]
    fn filters_come_in_one_order_whatever_the_template_writes() {
        let map = [("name".to_owned(), "x*".to_owned()), ("architecture".to_owned(), "arm64,x86_64".to_owned())];
        let filters = filters(map.iter().map(|(k, v)| (k, v)));
        assert_eq!(filters[0].name(), Some("architecture"));
        assert_eq!(filters[0].values(), ["arm64", "x86_64"]);
        assert_eq!(filters[1].values(), ["x*"]);
    }
}
