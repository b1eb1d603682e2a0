//! Versions of Packer, as `min_packer_version` writes them.

use std::cmp::Ordering;

/// `1.2.3`, also with fewer or more numbers, a leading `v`, a pre-release (`-beta1`) and build data (`+x`), which is ignored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version {
    numbers: Vec<u64>,
    pre_release: Option<String>,
}

impl Version {
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let text = text.split_once('+').map_or(text, |(t, _)| t);
        let (numbers, pre_release) = text.split_once('-').map_or((text, None), |(n, p)| (n, Some(p)));
        let word =
            |p: &str| !p.is_empty() && p.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'~'));
        if pre_release.is_some_and(|p| !word(p)) {
            return None;
        }
        let mut numbers: Vec<u64> = numbers
            .split('.')
            .map(|n| n.bytes().all(|b| b.is_ascii_digit()).then(|| n.parse().ok())?)
            .collect::<Option<_>>()?;
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        Some(Self { numbers, pre_release: pre_release.map(str::to_owned) })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers.cmp(&other.numbers).then_with(|| match (&self.pre_release, &other.pre_release) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => a.cmp(b),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn versions_are_ordered_by_their_numbers() {
        let v = |t| Version::parse(t).unwrap();
        assert!(v("1.9.4") < v("1.16.0"));
        assert!(v("1.16.0") == v("v1.16") && v("1.16.0+x") == v("1.16"));
        assert!(v("1.16.0-dev") < v("1.16.0") && v("1.16.1-dev") > v("1.16.0"));
        assert!(v("2") > v("1.99.99.99"));
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "one", "1..2", "1.2.x", ">= 1.2", "1.2-", "99999999999999999999"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
