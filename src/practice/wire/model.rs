//! What requests may look like: AWS's service models in a few lines each, for the actions that are served.
//!
//! `model.txt` is made by `scripts/practice-model`. Its lines, each a few words:
//!
//! - `service NAME NAMESPACE`, followed by all that belongs to it;
//! - `action NAME STRUCT` (`-`: it takes no parameters);
//! - `struct NAME`, followed by its members, indented: `NAME KIND`, the name as the form has it, `!` after it when it is
//!   required;
//! - `enum NAME VALUE…` (`\s` is a space).
//!
//! Kinds: `s` text, `i` integer, `d` number, `b` boolean, `t` time, `B` bytes in base64, `e:ENUM`, `S:STRUCT`, `L:KIND` a list
//! whose entries are `NAME.1`, `M:KIND` one whose entries are `NAME.member.1`.

use std::collections::HashMap;
use std::sync::LazyLock;

static TEXT: &str = include_str!("model.txt");
static SERVICES: LazyLock<HashMap<&'static str, Service>> = LazyLock::new(|| read(TEXT));

/// A parameter's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Integer,
    Number,
    Boolean,
    Time,
    Bytes,
    Enum(&'static str),
    Struct(&'static str),
    /// The kind's letters of its entries; `member`: entries stand under `member`.
    List {
        of: &'static str,
        member: bool,
    },
}

#[derive(Clone, Copy, Debug)]
pub struct Member {
    pub name: &'static str,
    pub required: bool,
    pub kind: Kind,
}

/// One AWS service's actions that are served.
#[derive(Debug, Default)]
pub struct Service {
    pub name: &'static str,
    pub namespace: &'static str,
    /// Each action's struct of parameters.
    pub actions: HashMap<&'static str, Option<&'static str>>,
    structs: HashMap<&'static str, Vec<Member>>,
    enums: HashMap<&'static str, Vec<String>>,
}

impl Service {
    pub fn members(&self, name: &str) -> &[Member] {
        self.structs.get(name).map_or(&[], Vec::as_slice)
    }

    pub fn values(&self, name: &str) -> &[String] {
        self.enums.get(name).map_or(&[], Vec::as_slice)
    }
}

/// `ec2`, `sts`, `iam`.
pub fn service(name: &str) -> Option<&'static Service> {
    SERVICES.get(name)
}

/// The service that has this action.
pub fn serving(action: &str) -> Option<&'static Service> {
    SERVICES.values().find(|s| s.actions.contains_key(action))
}

/// Every action of every service.
pub fn actions() -> impl Iterator<Item = &'static str> {
    SERVICES.values().flat_map(|s| s.actions.keys().copied())
}

pub fn kind(word: &'static str) -> Kind {
    match word.split_once(':') {
        Some(("e", name)) => Kind::Enum(name),
        Some(("S", name)) => Kind::Struct(name),
        Some(("L", of)) => Kind::List { of, member: false },
        Some(("M", of)) => Kind::List { of, member: true },
        _ => match word {
            "i" => Kind::Integer,
            "d" => Kind::Number,
            "b" => Kind::Boolean,
            "t" => Kind::Time,
            "B" => Kind::Bytes,
            _ => Kind::Text,
        },
    }
}

fn read(text: &'static str) -> HashMap<&'static str, Service> {
    let mut services: HashMap<&str, Service> = HashMap::new();
    let (mut service, mut structure) = ("", "");
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let mut words = line.split_whitespace();
        let (Some(first), second) = (words.next(), words.next().unwrap_or_default()) else { continue };
        let here = services.entry(if first == "service" { second } else { service }).or_default();
        match first {
            _ if line.starts_with(' ') => {
                let name = first.trim_end_matches('!');
                let member = Member { name, required: name != first, kind: kind(second) };
                here.structs.entry(structure).or_default().push(member);
            }
            "service" => {
                service = second;
                here.name = second;
                here.namespace = words.next().unwrap_or_default();
            }
            "action" => {
                let of = words.next().filter(|w| *w != "-");
                here.actions.insert(second, of);
            }
            "struct" => {
                structure = second;
                here.structs.entry(structure).or_default();
            }
            "enum" => _ = here.enums.insert(second, words.map(|w| w.replace("\\s", " ")).collect()),
            _ => {}
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_table_leads_somewhere() {
        for service in SERVICES.values() {
            assert!(service.namespace.starts_with("http") && !service.actions.is_empty());
            for of in service.actions.values().flatten() {
                assert!(service.structs.contains_key(of), "{of}");
            }
            for member in service.structs.values().flatten() {
                let mut of = member.kind;
                while let Kind::List { of: inner, .. } = of {
                    of = kind(inner);
                }
                match of {
                    Kind::Struct(name) => assert!(service.structs.contains_key(name), "{name}"),
                    Kind::Enum(name) => assert!(!service.values(name).is_empty(), "{name}"),
                    _ => {}
                }
            }
        }
    }
}
