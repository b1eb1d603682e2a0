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

/// Whether a version meets a constraint as Packer's HCL2 templates write it: `>= 1.2, < 2`, `~> 1.8`, `1.9.4`. `None`: it is none.
pub(in crate::template) fn satisfies(version: &str, constraint: &str) -> Option<bool> {
    let version = Version::parse(version)?;
    let mut all = true;
    for part in constraint.split(',') {
        let part = part.trim();
        let digits = part.find(|c: char| c.is_ascii_digit() || c == 'v')?;
        let (operator, wanted) = (part[..digits].trim(), &part[digits..]);
        let precise = wanted.split(['-', '+']).next().map_or(0, |n| n.split('.').count());
        let wanted = Version::parse(wanted)?;
        all &= match operator {
            "" | "=" => version == wanted,
            "!=" => version != wanted,
            ">" => version > wanted,
            ">=" => version >= wanted,
            "<" => version < wanted,
            "<=" => version <= wanted,
            "~>" => version >= wanted && version.starts_as(&wanted, precise.saturating_sub(1).max(1)),
            _ => return None,
        };
    }
    Some(all)
}

impl Version {
    /// Whether the first `count` numbers are the same.
    fn starts_as(&self, other: &Self, count: usize) -> bool {
        let number = |v: &Self, i: usize| v.numbers.get(i).copied().unwrap_or(0);
        (0..count).all(|i| number(self, i) == number(other, i))
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
    fn constraints_are_those_of_packer() {
        for (constraint, met) in [
            (">= 1.9.0", Some(true)),
            (">=1.9, < 2", Some(true)),
            ("~> 1.15", Some(true)),
            ("~> 1.15.0", Some(false)),
            ("~> 1", Some(true)),
            ("1.16.0", Some(true)),
            ("!= 1.16.0", Some(false)),
            ("> v1.16", Some(false)),
            ("=> 1", None),
            ("", None),
            ("latest", None),
        ] {
            assert_eq!(super::satisfies("1.16.0", constraint), met, "{constraint}");
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in ["", "one", "1..2", "1.2.x", ">= 1.2", "1.2-", "99999999999999999999"] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
