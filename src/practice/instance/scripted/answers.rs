//! What a scripted machine answers to a command.

use std::sync::{Mutex, PoisonError};

use super::super::super::machine::ScriptedAnswer;
use super::super::files::memory::Memory;

/// The scenario's answers, as far as they are used up.
pub struct Answers {
    rules: Vec<ScriptedAnswer>,
    used: Mutex<Vec<u32>>,
}

/// One answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub stdout: String,
    pub stderr: String,
    pub status: u8,
    pub ms: u64,
}

/// What a shell says of itself where programs ask.
const KNOWN: [(&str, &str); 7] = [
    ("uname -s", "Linux\n"),
    ("uname -m", "x86_64\n"),
    ("uname", "Linux\n"),
    ("whoami", "root\n"),
    ("id -u", "0\n"),
    ("pwd", "/root\n"),
    ("cloud-init status --wait", "status: done\n"),
];
/// Of a script, so much is shown.
const SHOWN: usize = 40;

impl Answers {
    pub fn new(rules: Vec<ScriptedAnswer>) -> Self {
        let used = Mutex::new(vec![0; rules.len()]);
        Self { rules, used }
    }

    /// The answer to a command; rules are asked in order.
    pub fn to(&self, command: &str, files: &Memory) -> Answer {
        let scripts = scripts(command, files);
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        for (rule, used) in self.rules.iter().zip(used.iter_mut()) {
            let fits =
                contains(&rule.command, command) || scripts.iter().any(|(_, text)| contains(&rule.command, text));
            if !fits || (rule.times > 0 && *used >= rule.times) {
                continue;
            }
            *used += 1;
            let stdout = if rule.stdout.is_empty() { shown(command, &scripts) } else { rule.stdout.clone() };
            return Answer { stdout, stderr: rule.stderr.clone(), status: rule.status, ms: rule.ms };
        }
        drop(used);
        let bare = command.trim().trim_start_matches("sudo ").trim();
        if let Some((_, answer)) = KNOWN.iter().find(|(known, _)| *known == bare) {
            return Answer { stdout: (*answer).to_owned(), ..Answer::default() };
        }
        if let Some(words) = bare.strip_prefix("echo ").filter(|words| !words.contains(['$', '`', ';', '|', '>', '&']))
        {
            return Answer { stdout: format!("{}\n", words.trim_matches(['\'', '"'])), ..Answer::default() };
        }
        // Whoever asks which tools there are is to find none, and to go by what the transfer itself proved.
        if command.contains("command -v") || command.contains("sha256sum") {
            return Answer { status: 97, ..Answer::default() };
        }
        // What only prepares or tidies is not worth a line.
        let quiet = ["chmod ", "rm ", "mkdir ", "true", "exit 0", ":"].iter().any(|word| bare.starts_with(word));
        let stdout = if quiet { String::new() } else { shown(command, &scripts) };
        Answer { stdout, ..Answer::default() }
    }
}

/// The files that a command names, with their texts.
fn scripts(command: &str, files: &Memory) -> Vec<(String, String)> {
    let words = command.split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ';' | '&' | '|' | '(' | ')'));
    let texts = words.filter(|word| word.contains('/')).filter_map(|word| {
        let content = files.content(word)?;
        Some((word.to_owned(), String::from_utf8(content).ok()?))
    });
    texts.collect()
}

/// The command, or the lines of the scripts that it runs, marked as not run.
fn shown(command: &str, scripts: &[(String, String)]) -> String {
    if scripts.is_empty() {
        return format!("[not run] {command}\n");
    }
    let mut text = String::new();
    for (path, script) in scripts {
        let lines: Vec<&str> =
            script.lines().map(str::trim_end).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        text += &format!("[not run] {path}\n");
        for line in lines.iter().take(SHOWN) {
            text += &format!("[not run]   {line}\n");
        }
        if lines.len() > SHOWN {
            text += &format!("[not run]   … {} more lines\n", lines.len() - SHOWN);
        }
    }
    text
}

/// Whether `text` contains `pattern`, in which `*` stands for anything.
fn contains(pattern: &str, text: &str) -> bool {
    let mut rest = text;
    pattern.split('*').all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::files::{Files, Opening};
    use super::*;

    fn with_script() -> Memory {
        let mut files = Memory::default();
        let how = Opening { write: true, create: true, ..Opening::default() };
        let mut file = files.open(b"/tmp/script_1.sh", how).unwrap();
        files.write(&mut file, 0, b"#!/bin/sh\napt-get install -y nginx\ncp app.conf /etc/app/\n").unwrap();
        files
    }

    #[test]
    fn a_rule_looks_into_the_script_that_is_run_and_is_used_up() {
        let rule = ScriptedAnswer {
            command: "cp * /etc/app".into(),
            stdout: String::new(),
            stderr: "cp: no such folder\n".into(),
            status: 1,
            ms: 0,
            times: 1,
        };
        let (answers, files) = (Answers::new(vec![rule]), with_script());
        let command = "chmod +x /tmp/script_1.sh; PACKER=1 /tmp/script_1.sh";
        let first = answers.to(command, &files);
        assert_eq!((first.status, first.stderr.as_str()), (1, "cp: no such folder\n"));
        assert!(first.stdout.contains("[not run]   apt-get install -y nginx"));
        assert_eq!(answers.to("ls", &files).status, 0);
        assert_eq!(answers.to(command, &files).status, 0);
    }

    #[test]
    fn patterns() {
        assert!(contains("a*c", "xabcx") && contains("", "x") && !contains("a*c", "ca"));
    }
}
