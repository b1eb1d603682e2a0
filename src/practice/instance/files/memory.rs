//! Files that only seem to be on a machine: those that a scripted one was given, kept to be fetched again.
//!
//! Every folder is there and everybody may do everything. Contents are kept up to a limit; beyond it a file has its length
//! and reads as zeros.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Attributes, FILE, FOLDER, Files, LINK, Opening, Outcome, Trouble};

/// Of contents that one machine keeps.
const MOST: u64 = 64 << 20;

#[derive(Clone, Debug)]
struct Node {
    attributes: Attributes,
    content: Vec<u8>,
    target: Option<Vec<u8>>,
}

#[derive(Debug, Default)]
struct Tree {
    nodes: BTreeMap<Vec<u8>, Node>,
    kept: u64,
}

/// One machine's files; clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    tree: Arc<Mutex<Tree>>,
    /// Where relative paths begin.
    home: Vec<u8>,
}

pub struct Opened {
    path: Vec<u8>,
    append: bool,
}

fn now() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u32::try_from(since.as_secs()).unwrap_or(u32::MAX)
}

fn node(mode: u32) -> Node {
    let time = now();
    let attributes = Attributes { size: Some(0), owner: Some((0, 0)), mode: Some(mode), times: Some((time, time)) };
    Node { attributes, content: Vec::new(), target: None }
}

impl Memory {
    /// The same files, seen from another home.
    pub fn at_home(&self, home: &str) -> Self {
        Self { tree: Arc::clone(&self.tree), home: home.as_bytes().to_vec() }
    }

    /// A copy with a life of its own, as a captured layer has it.
    pub fn copy(&self) -> Self {
        let copy = self.with(|tree| Tree { nodes: tree.nodes.clone(), kept: tree.kept });
        Self { tree: Arc::new(Mutex::new(copy)), home: self.home.clone() }
    }

    /// Lays the files of `other` over these.
    pub fn lay(&self, other: &Self) {
        let above = other.with(|tree| (tree.nodes.clone(), tree.kept));
        self.with(|tree| {
            tree.nodes.extend(above.0);
            tree.kept += above.1;
        });
    }

    /// What is in a file, as far as it was kept.
    pub fn content(&self, path: &str) -> Option<Vec<u8>> {
        let path = self.absolute(path.as_bytes());
        self.with(|tree| {
            tree.nodes.get(&path).filter(|node| node.attributes.is_file()).map(|node| node.content.clone())
        })
    }

    /// Of all contents.
    pub fn size(&self) -> u64 {
        self.with(|tree| tree.kept)
    }

    /// Every file with its content, for a tar.
    pub fn files(&self) -> Vec<(String, u32, Vec<u8>)> {
        self.with(|tree| {
            let files = tree.nodes.iter().filter(|(_, node)| node.attributes.is_file());
            files
                .map(|(path, node)| {
                    (String::from_utf8_lossy(path).into_owned(), node.attributes.permissions(), node.content.clone())
                })
                .collect()
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Tree) -> T) -> T {
        act(&mut self.tree.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn absolute(&self, path: &[u8]) -> Vec<u8> {
        let mut parts: Vec<&[u8]> = Vec::new();
        let whole = if path.starts_with(b"/") { path.to_vec() } else { [&self.home, &b"/"[..], path].concat() };
        for part in whole.split(|byte| *byte == b'/') {
            match part {
                b"" | b"." => {}
                b".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        [&b"/"[..], &parts.join(&b'/')].concat()
    }
}

/// A path of which nothing is known is a folder if it could have been there before, or if something lies below it.
fn folder_without_a_node(tree: &Tree, path: &[u8]) -> bool {
    const USUAL: [&[u8]; 14] = [
        b"/", b"/bin", b"/dev", b"/etc", b"/home", b"/lib", b"/mnt", b"/opt", b"/root", b"/run", b"/srv", b"/tmp",
        b"/usr", b"/var",
    ];
    let below = [path, b"/"].concat();
    USUAL.contains(&path)
        || path.strip_prefix(b"/home/").is_some_and(|name| !name.contains(&b'/'))
        || path == b"/usr/local"
        || path == b"/usr/local/bin"
        || path == b"/var/tmp"
        || path == b"/var/lib"
        || tree.nodes.range(below.clone()..).next().is_some_and(|(other, _)| other.starts_with(&below))
}

fn change(attributes: &mut Attributes, to: Attributes) {
    if let Some(mode) = to.mode {
        let kind = attributes.mode.unwrap_or(FILE) & super::TYPE;
        attributes.mode = Some(kind | (mode & 0o7777));
    }
    attributes.owner = to.owner.or(attributes.owner);
    attributes.times = to.times.or(attributes.times);
}

impl Files for Memory {
    type Handle = Opened;

    fn open(&mut self, path: &[u8], how: Opening) -> Outcome<Opened> {
        let path = self.absolute(path);
        self.with(|tree| {
            match tree.nodes.get_mut(&path) {
                Some(node) if node.attributes.is_folder() => return Err(Trouble::Failed("Is a directory".to_owned())),
                Some(_) if how.write && how.create && how.exclusive => {
                    return Err(Trouble::Failed("File exists".to_owned()));
                }
                Some(node) if how.write && how.truncate => {
                    tree.kept -= node.content.len() as u64;
                    node.content = Vec::new();
                    node.attributes.size = Some(0);
                }
                Some(_) => {}
                None if how.write && how.create => {
                    tree.nodes.insert(path.clone(), node(FILE | (how.mode.unwrap_or(0o644) & 0o7777)));
                }
                None => return Err(Trouble::Missing),
            }
            Ok(Opened { path: path.clone(), append: how.append })
        })
    }

    fn read(&mut self, handle: &mut Opened, at: u64, length: usize) -> Outcome<Vec<u8>> {
        self.with(|tree| {
            let node = tree.nodes.get(&handle.path).ok_or(Trouble::Missing)?;
            let left =
                usize::try_from(node.attributes.size.unwrap_or_default().saturating_sub(at)).unwrap_or(usize::MAX);
            let at = usize::try_from(at).unwrap_or(usize::MAX);
            let mut bytes: Vec<u8> = node.content.iter().skip(at).take(length).copied().collect();
            bytes.resize(length.min(left), 0);
            Ok(bytes)
        })
    }

    fn write(&mut self, handle: &mut Opened, at: u64, bytes: &[u8]) -> Outcome {
        self.with(|tree| {
            let kept = tree.kept;
            let node = tree.nodes.get_mut(&handle.path).ok_or(Trouble::Missing)?;
            let size = node.attributes.size.unwrap_or_default();
            let at = if handle.append { size } else { at };
            let end = at.checked_add(bytes.len() as u64).ok_or_else(|| Trouble::Failed("File too large".to_owned()))?;
            node.attributes.size = Some(size.max(end));
            let more = end.saturating_sub(node.content.len() as u64);
            if let (true, Ok(at), Ok(end)) = (kept + more <= MOST, usize::try_from(at), usize::try_from(end)) {
                if node.content.len() < end {
                    node.content.resize(end, 0);
                }
                node.content[at..end].copy_from_slice(bytes);
                tree.kept += more;
            }
            Ok(())
        })
    }

    fn sync(&mut self, _: &mut Opened) -> Outcome {
        Ok(())
    }

    fn handle_attributes(&mut self, handle: &mut Opened) -> Outcome<Attributes> {
        self.with(|tree| tree.nodes.get(&handle.path).map(|node| node.attributes).ok_or(Trouble::Missing))
    }

    fn set_handle_attributes(&mut self, handle: &mut Opened, to: Attributes) -> Outcome {
        let path = handle.path.clone();
        self.set_attributes(&path, to)
    }

    fn attributes(&mut self, path: &[u8], _: bool) -> Outcome<Attributes> {
        let path = self.absolute(path);
        self.with(|tree| match tree.nodes.get(&path) {
            Some(node) => Ok(node.attributes),
            None if folder_without_a_node(tree, &path) => Ok(node(FOLDER | 0o755).attributes),
            None => Err(Trouble::Missing),
        })
    }

    fn set_attributes(&mut self, path: &[u8], to: Attributes) -> Outcome {
        let path = self.absolute(path);
        self.with(|tree| {
            let Some(node) = tree.nodes.get_mut(&path) else {
                return if folder_without_a_node(tree, &path) { Ok(()) } else { Err(Trouble::Missing) };
            };
            if let Some(size) = to.size {
                let before = node.content.len() as u64;
                if size < before {
                    node.content.truncate(usize::try_from(size).unwrap_or(usize::MAX));
                    tree.kept -= before - size;
                }
                node.attributes.size = Some(size);
            }
            change(&mut node.attributes, to);
            Ok(())
        })
    }

    fn list(&mut self, path: &[u8]) -> Outcome<Vec<(Vec<u8>, Attributes)>> {
        if !self.attributes(path, true)?.is_folder() {
            return Err(Trouble::Failed("Not a directory".to_owned()));
        }
        let path = self.absolute(path);
        let below = if path == b"/" { path } else { [&path[..], b"/"].concat() };
        self.with(|tree| {
            let mut found: BTreeMap<Vec<u8>, Attributes> = BTreeMap::new();
            for (other, there) in tree.nodes.range(below.clone()..).take_while(|(other, _)| other.starts_with(&below)) {
                let rest = &other[below.len()..];
                match rest.iter().position(|byte| *byte == b'/') {
                    Some(end) => {
                        found.entry(rest[..end].to_vec()).or_insert_with(|| node(FOLDER | 0o755).attributes);
                    }
                    None if !rest.is_empty() => {
                        found.insert(rest.to_vec(), there.attributes);
                    }
                    None => {}
                }
            }
            Ok(found.into_iter().collect())
        })
    }

    fn remove(&mut self, path: &[u8]) -> Outcome {
        let path = self.absolute(path);
        self.with(|tree| {
            let node = tree.nodes.get(&path).ok_or(Trouble::Missing)?;
            if node.attributes.is_folder() {
                return Err(Trouble::Failed("Is a directory".to_owned()));
            }
            tree.kept -= node.content.len() as u64;
            tree.nodes.remove(&path);
            Ok(())
        })
    }

    fn make_folder(&mut self, path: &[u8], mode: u32) -> Outcome {
        let path = self.absolute(path);
        self.with(|tree| {
            if tree.nodes.contains_key(&path) || folder_without_a_node(tree, &path) {
                return Err(Trouble::Failed("File exists".to_owned()));
            }
            tree.nodes.insert(path, node(FOLDER | (mode & 0o7777)));
            Ok(())
        })
    }

    fn remove_folder(&mut self, path: &[u8]) -> Outcome {
        if !self.list(path)?.is_empty() {
            return Err(Trouble::Failed("Directory not empty".to_owned()));
        }
        let path = self.absolute(path);
        self.with(|tree| tree.nodes.remove(&path));
        Ok(())
    }

    fn rename(&mut self, from: &[u8], to: &[u8], over: bool) -> Outcome {
        let (from, to) = (self.absolute(from), self.absolute(to));
        self.with(|tree| {
            if !over && tree.nodes.contains_key(&to) {
                return Err(Trouble::Failed("File exists".to_owned()));
            }
            let below = [&from[..], b"/"].concat();
            let moved: Vec<Vec<u8>> =
                tree.nodes.keys().filter(|path| **path == from || path.starts_with(&below)).cloned().collect();
            if moved.is_empty() {
                return Err(Trouble::Missing);
            }
            for path in moved {
                if let Some(node) = tree.nodes.remove(&path) {
                    tree.nodes.insert([&to[..], &path[from.len()..]].concat(), node);
                }
            }
            Ok(())
        })
    }

    fn real_path(&mut self, path: &[u8]) -> Outcome<Vec<u8>> {
        Ok(self.absolute(path))
    }

    fn read_link(&mut self, path: &[u8]) -> Outcome<Vec<u8>> {
        let path = self.absolute(path);
        self.with(|tree| tree.nodes.get(&path).and_then(|node| node.target.clone()).ok_or(Trouble::Missing))
    }

    fn symlink(&mut self, target: &[u8], at: &[u8]) -> Outcome {
        let path = self.absolute(at);
        self.with(|tree| {
            let link = Node { target: Some(target.to_vec()), ..node(LINK | 0o777) };
            tree.nodes.insert(path, link);
            Ok(())
        })
    }

    fn hard_link(&mut self, from: &[u8], to: &[u8]) -> Outcome {
        let (from, to) = (self.absolute(from), self.absolute(to));
        self.with(|tree| {
            let copy = tree.nodes.get(&from).cloned().ok_or(Trouble::Missing)?;
            tree.kept += copy.content.len() as u64;
            tree.nodes.insert(to, copy);
            Ok(())
        })
    }
}
