//! `#cloud-config`: what of it a machine does. Keys that it does not know are left out, as cloud-init does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use yaml_rust2::{Yaml, YamlLoader};

use super::accounts::Wanted;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CloudConfig {
    pub users: Vec<Wanted>,
    /// For the image's own login.
    pub keys: Vec<String>,
    pub hostname: Option<String>,
    pub files: Vec<WriteFile>,
    pub packages: Vec<String>,
    pub update: bool,
    /// As shell scripts.
    pub boot_commands: Option<String>,
    pub run_commands: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteFile {
    pub path: String,
    pub content: Vec<u8>,
    pub mode: u32,
    pub owner: String,
    pub append: bool,
}

/// Reads the text; the error is for the console.
pub fn parse(text: &str) -> Result<CloudConfig, String> {
    let documents = YamlLoader::load_from_str(text).map_err(|error| format!("user data is no YAML: {error}"))?;
    let Some(root) = documents.first() else { return Ok(CloudConfig::default()) };
    let list = |key: &str| root[key].as_vec().cloned().unwrap_or_default();
    Ok(CloudConfig {
        users: list("users").iter().filter_map(user).collect(),
        keys: strings(&root["ssh_authorized_keys"]),
        hostname: root["hostname"].as_str().map(str::to_owned),
        files: list("write_files").iter().map(file).collect::<Result<_, _>>()?,
        packages: list("packages").iter().filter_map(package).collect(),
        update: ["package_update", "package_upgrade"].iter().any(|key| root[*key].as_bool() == Some(true)),
        boot_commands: commands(&root["bootcmd"]),
        run_commands: commands(&root["runcmd"]),
    })
}

fn text(value: &Yaml) -> Option<String> {
    match value {
        Yaml::String(text) | Yaml::Real(text) => Some(text.clone()),
        Yaml::Integer(number) => Some(number.to_string()),
        Yaml::Boolean(yes) => Some(yes.to_string()),
        _ => None,
    }
}

/// A list of strings, or several in one with commas between.
fn strings(value: &Yaml) -> Vec<String> {
    match value {
        Yaml::Array(items) => items.iter().filter_map(text).collect(),
        Yaml::String(text) => text.split(',').map(|part| part.trim().to_owned()).collect(),
        _ => Vec::new(),
    }
}

fn user(value: &Yaml) -> Option<Wanted> {
    let name = match value {
        Yaml::String(name) if name == "default" => return None,
        Yaml::String(name) => return Some(Wanted { name: name.clone(), ..Wanted::default() }),
        _ => text(&value["name"])?,
    };
    let mut groups = strings(&value["groups"]);
    groups.extend(text(&value["primary_group"]));
    let sudo = match &value["sudo"] {
        Yaml::BadValue | Yaml::Null | Yaml::Boolean(false) => false,
        Yaml::String(rule) => rule != "False",
        _ => true,
    };
    Some(Wanted {
        name,
        comment: text(&value["gecos"]).unwrap_or_default().replace(':', " "),
        shell: text(&value["shell"]),
        home: text(&value["homedir"]),
        groups,
        sudo,
        keys: strings_only(&value["ssh_authorized_keys"]),
    })
}

/// Keys have commas in them.
fn strings_only(value: &Yaml) -> Vec<String> {
    match value {
        Yaml::Array(items) => items.iter().filter_map(text).collect(),
        other => text(other).into_iter().collect(),
    }
}

fn package(value: &Yaml) -> Option<String> {
    match value {
        // A name and a version.
        Yaml::Array(pair) => {
            let words: Vec<String> = pair.iter().filter_map(text).collect();
            Some(words.join("="))
        }
        other => text(other),
    }
}

fn file(value: &Yaml) -> Result<WriteFile, String> {
    let path = text(&value["path"]).ok_or("write_files: an entry has no path")?;
    let content = text(&value["content"]).unwrap_or_default();
    let encoding = text(&value["encoding"]).unwrap_or_default();
    let content = match encoding.as_str() {
        "b64" | "base64" => STANDARD
            .decode(content.split_whitespace().collect::<String>())
            .map_err(|_| format!("write_files: {path} is no base64"))?,
        "" | "text/plain" => content.into_bytes(),
        other => return Err(format!("write_files: {path}: the practice cloud does not read the encoding {other}")),
    };
    let mode = match &value["permissions"] {
        Yaml::String(octal) => u32::from_str_radix(octal.trim_start_matches("0o"), 8).ok(),
        Yaml::Integer(number) => u32::try_from(*number).ok(),
        _ => None,
    };
    Ok(WriteFile {
        content,
        mode: mode.unwrap_or(0o644),
        owner: text(&value["owner"]).unwrap_or_else(|| "root:root".to_owned()),
        append: value["append"].as_bool() == Some(true),
        path,
    })
}

/// As cloud-init's `shellify`: a string is a line, a list is a command with its arguments.
fn commands(value: &Yaml) -> Option<String> {
    let items = value.as_vec()?;
    let mut script = "#!/bin/sh\n".to_owned();
    for item in items {
        match item {
            Yaml::Array(words) => {
                let words: Vec<String> = words.iter().filter_map(text).map(|word| quoted(&word)).collect();
                script += &words.join(" ");
            }
            other => script += &text(other)?,
        }
        script.push('\n');
    }
    Some(script)
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The script that installs what is asked for, with what the image has for it.
pub fn install(config: &CloudConfig) -> String {
    let names: Vec<String> = config.packages.iter().map(|name| quoted(name)).collect();
    let names = names.join(" ");
    let install = |manager: &str| if names.is_empty() { ":".to_owned() } else { format!("{manager} {names}") };
    format!(
        "#!/bin/sh\nset -e\nexport DEBIAN_FRONTEND=noninteractive\n\
         if command -v apt-get >/dev/null; then apt-get -q update; {}\n\
         elif command -v dnf >/dev/null; then {}\n\
         elif command -v yum >/dev/null; then {}\n\
         elif command -v apk >/dev/null; then {}\n\
         elif command -v zypper >/dev/null; then {}\n\
         else echo 'no package manager here' >&2; exit 1; fi\n",
        install("apt-get -q -y install"),
        install("dnf -y install"),
        install("yum -y install"),
        install("apk add"),
        install("zypper -n install"),
    )
}

/// The bodies of a multipart message's plain parts, in order.
pub fn mime_parts(message: &str) -> Option<Vec<String>> {
    let message = message.replace("\r\n", "\n");
    let start = message.find("boundary=")? + "boundary=".len();
    let boundary = message[start..].trim_start_matches('"').split(['"', '\n', ';', ' ']).next()?;
    let line = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut current: Option<String> = None;
    for text in message.lines() {
        if text == line || text == format!("{line}--") {
            parts.extend(current.take());
            current = (text == line).then(String::new);
        } else if let Some(part) = &mut current {
            part.push_str(text);
            part.push('\n');
        }
    }
    let body = |part: &String| {
        let (head, body) = part.split_once("\n\n")?;
        let coded = head.to_ascii_lowercase().contains("content-transfer-encoding: base64");
        if !coded {
            return Some(body.to_owned());
        }
        let bytes = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
        String::from_utf8(bytes).ok()
    };
    Some(parts.iter().filter_map(body).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_one() {
        let text = "#cloud-config
hostname: web-1
users:
  - default
  - name: deploy
    groups: [docker, adm]
    sudo: 'ALL=(ALL) NOPASSWD:ALL'
    shell: /bin/sh
    ssh_authorized_keys: [ssh-ed25519 AAAA me]
ssh_authorized_keys:
  - ssh-rsa BBBB
write_files:
  - {path: /etc/a, content: \"one\\n\", permissions: '0600'}
  - {path: /etc/b, content: aGk=, encoding: b64, owner: 'deploy:adm'}
packages: [jq, [nginx, 1.2]]
runcmd:
  - echo $HOME > /tmp/x
  - [touch, \"a b\"]
";
        let read = parse(text).unwrap();
        assert_eq!(read.hostname.as_deref(), Some("web-1"));
        assert_eq!(read.users.len(), 1);
        let user = &read.users[0];
        assert_eq!(
            (user.name.as_str(), user.sudo, user.groups.as_slice()),
            ("deploy", true, &["docker".into(), "adm".into()][..])
        );
        assert_eq!(user.keys, ["ssh-ed25519 AAAA me"]);
        assert_eq!(read.keys, ["ssh-rsa BBBB"]);
        assert_eq!((read.files[0].mode, read.files[0].content.as_slice()), (0o600, &b"one\n"[..]));
        assert_eq!((read.files[1].owner.as_str(), read.files[1].content.as_slice()), ("deploy:adm", &b"hi"[..]));
        assert_eq!(read.packages, ["jq", "nginx=1.2"]);
        assert_eq!(read.run_commands.as_deref(), Some("#!/bin/sh\necho $HOME > /tmp/x\n'touch' 'a b'\n"));
    }

    #[test]
    fn several_parts() {
        let message = "Content-Type: multipart/mixed; boundary=\"XX\"\nMIME-Version: 1.0\n\n--XX\nContent-Type: text/x-shellscript\n\n#!/bin/sh\nid\n--XX\nContent-Type: text/cloud-config\nContent-Transfer-Encoding: base64\n\nI2Nsb3VkLWNvbmZpZwo=\n--XX--\n";
        assert_eq!(mime_parts(message).unwrap(), ["#!/bin/sh\nid\n", "#cloud-config\n"]);
    }
}
