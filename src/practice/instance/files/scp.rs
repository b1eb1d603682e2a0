//! `scp -t` and `scp -f`: the old protocol of rcp, as Packer and `scp -O` speak it. Served here, so that a machine need not
//! have the program.

use std::io::{self, BufRead, BufReader, Read, Write};

use serde::{Deserialize, Serialize};

use super::{Attributes, Files, Opening, Outcome, Trouble, under};

/// Data goes in pieces of this size.
const PIECE: usize = 64 << 10;
/// A longer line is no header.
const LONGEST_LINE: u64 = 64 << 10;
const DEEPEST: usize = 256;

/// One call of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// Files come (`-t`); else they go (`-f`).
    pub take: bool,
    pub recursive: bool,
    pub preserve: bool,
    /// What is named must be a folder.
    pub folder: bool,
    pub paths: Vec<String>,
}

impl Call {
    /// Reads a command line; `None`: it is no such call, or one for a shell.
    pub fn parse(line: &str) -> Option<Self> {
        let mut words = words(line)?.into_iter();
        let program = words.next()?;
        if program.rsplit('/').next()? != "scp" {
            return None;
        }
        let mut call = Self::default();
        let (mut mode, mut options) = (None, true);
        for word in words {
            match word.strip_prefix('-').filter(|flags| options && !flags.is_empty()) {
                Some("-") => options = false,
                Some(flags) => {
                    for flag in flags.chars() {
                        match flag {
                            't' => mode = Some(true),
                            'f' => mode = Some(false),
                            'r' => call.recursive = true,
                            'p' => call.preserve = true,
                            'd' => call.folder = true,
                            'v' | 'q' => {}
                            _ => return None,
                        }
                    }
                }
                None => call.paths.push(word),
            }
        }
        call.take = mode?;
        (!call.paths.is_empty()).then_some(call)
    }
}

/// The words of a line as a shell would split it; `None` where a shell would do more than that. A leading `~/` is the home,
/// where the server starts; patterns stay, for `-f` to match.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next()? {
                        '"' => break,
                        '\\' => word.push(chars.next()?),
                        '$' | '`' => return None,
                        c => word.push(c),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(chars.next()?),
            '$' | '`' | ';' | '&' | '|' | '<' | '>' | '(' | ')' | '#' | '\n' | '{' => return None,
            '~' if word.is_none() => match chars.next() {
                None | Some('/') => word = Some("./".to_owned()),
                Some(_) => return None,
            },
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// Plays the called program's part; gives its exit status.
pub fn serve<F: Files>(files: &mut F, call: &Call, input: impl Read, output: impl Write) -> io::Result<u8> {
    let mut talk = Talk { input: BufReader::with_capacity(PIECE, input), output, wrong: false };
    if call.take {
        take(files, call, &mut talk)?;
    } else {
        give(files, call, &mut talk)?;
    }
    Ok(u8::from(talk.wrong))
}

/// Read and changed, where they came.
type Times = Option<(u32, u32)>;

struct Talk<R: Read, W: Write> {
    input: BufReader<R>,
    output: W,
    wrong: bool,
}

impl<R: Read, W: Write> Talk<R, W> {
    fn fine(&mut self) -> io::Result<()> {
        self.output.write_all(&[0])?;
        self.output.flush()
    }

    /// An error that concerns one file; the talk goes on.
    fn say(&mut self, path: &[u8], trouble: &Trouble) -> io::Result<()> {
        self.wrong = true;
        let line = format!("\u{1}scp: {}: {}\n", String::from_utf8_lossy(path), trouble.words());
        self.output.write_all(line.as_bytes())?;
        self.output.flush()
    }

    /// A line without its end; `None` at the end of the input.
    fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if self.input.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        if line.pop() != Some(b'\n') {
            return Err(bad("a header without an end"));
        }
        Ok(Some(line))
    }

    /// The other side's word on what was sent; false: it did not take it.
    fn heard(&mut self) -> io::Result<bool> {
        let mut code = [0];
        self.input.read_exact(&mut code)?;
        match code[0] {
            0 => Ok(true),
            1 => {
                self.line()?;
                self.wrong = true;
                Ok(false)
            }
            _ => Err(bad("the other side gave up")),
        }
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("scp: {what}"))
}

fn take<F: Files, R: Read, W: Write>(files: &mut F, call: &Call, talk: &mut Talk<R, W>) -> io::Result<()> {
    let target = call.paths[0].as_bytes().to_vec();
    let is_folder = files.attributes(&target, true).is_ok_and(|found| found.is_folder());
    if call.folder && !is_folder {
        let trouble = if files.attributes(&target, true).is_ok() {
            Trouble::Failed("Not a directory".to_owned())
        } else {
            Trouble::Missing
        };
        return talk.say(&target, &trouble);
    }
    talk.fine()?;
    // Folders that are being filled, each with the times that it gets at its end.
    let mut inside: Vec<(Vec<u8>, Times)> = Vec::new();
    let mut times = None;
    while let Some(line) = talk.line()? {
        match line.first() {
            Some(b'T') => {
                times = Some(read_times(&line[1..]).ok_or_else(|| bad("times that are none"))?);
                talk.fine()?;
            }
            Some(b'E') => {
                let (path, times) = inside.pop().ok_or_else(|| bad("an end without a beginning"))?;
                if times.is_some() {
                    let _ = files.set_attributes(&path, Attributes { times, ..Attributes::default() });
                }
                talk.fine()?;
            }
            Some(kind @ (b'C' | b'D')) => {
                let (mode, size, name) = read_header(&line[1..]).ok_or_else(|| bad("a header that is none"))?;
                let path = match inside.last() {
                    Some((folder, _)) => under(folder, &name),
                    None if is_folder => under(&target, &name),
                    None => target.clone(),
                };
                let times = times.take();
                if *kind == b'C' {
                    take_file(files, talk, &path, mode, size, times)?;
                } else if inside.len() >= DEEPEST {
                    return Err(bad("folders too deep"));
                } else {
                    match take_folder(files, &path, mode) {
                        Ok(()) => talk.fine()?,
                        // What comes for it finds no place and says so, file by file.
                        Err(trouble) => talk.say(&path, &trouble)?,
                    }
                    inside.push((path, times));
                }
            }
            Some(1) => talk.wrong = true,
            Some(2) => return Err(bad("the other side gave up")),
            _ => return Err(bad("a header that is none")),
        }
    }
    Ok(())
}

fn take_folder<F: Files>(files: &mut F, path: &[u8], mode: u32) -> Outcome {
    match files.attributes(path, true) {
        Ok(there) if there.is_folder() => Ok(()),
        Ok(_) => Err(Trouble::Failed("Not a directory".to_owned())),
        Err(_) => files.make_folder(path, mode | 0o700),
    }
}

fn take_file<F: Files, R: Read, W: Write>(
    files: &mut F,
    talk: &mut Talk<R, W>,
    path: &[u8],
    mode: u32,
    size: u64,
    times: Option<(u32, u32)>,
) -> io::Result<()> {
    let how = Opening { write: true, create: true, truncate: true, mode: Some(mode | 0o200), ..Opening::default() };
    let mut opened = match files.open(path, how) {
        Ok(file) => file,
        // The other side does not send what could not be opened.
        Err(trouble) => return talk.say(path, &trouble),
    };
    talk.fine()?;
    let mut trouble = None;
    let mut at = 0;
    let mut piece = vec![0; PIECE];
    while at < size {
        let length = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
        talk.input.read_exact(&mut piece[..length])?;
        if trouble.is_none() {
            trouble = files.write(&mut opened, at, &piece[..length]).err();
        }
        at += length as u64;
    }
    let sent = talk.heard()?;
    let last = Attributes { mode: Some(mode), times, ..Attributes::default() };
    if let Err(error) = files.set_handle_attributes(&mut opened, last) {
        trouble.get_or_insert(error);
    }
    match trouble {
        Some(trouble) => talk.say(path, &trouble),
        None if sent => talk.fine(),
        None => Ok(()),
    }
}

fn give<F: Files, R: Read, W: Write>(files: &mut F, call: &Call, talk: &mut Talk<R, W>) -> io::Result<()> {
    if !talk.heard()? {
        return Ok(());
    }
    for path in &call.paths {
        for path in matching(files, path.as_bytes()) {
            give_one(files, call, talk, &path, 0)?;
        }
    }
    Ok(())
}

fn give_one<F: Files, R: Read, W: Write>(
    files: &mut F,
    call: &Call,
    talk: &mut Talk<R, W>,
    path: &[u8],
    depth: usize,
) -> io::Result<()> {
    let found = match files.attributes(path, true) {
        Ok(found) => found,
        Err(trouble) => return talk.say(path, &trouble),
    };
    if depth >= DEEPEST {
        return talk.say(path, &Trouble::Failed("too deep".to_owned()));
    }
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    let name = path[..end].rsplit(|byte| *byte == b'/').next().unwrap_or(path).to_vec();
    let header = |kind: char, size: u64| {
        let mut line = format!("{kind}{:04o} {size} ", found.permissions()).into_bytes();
        line.extend(&name);
        line.push(b'\n');
        line
    };
    if let Some((read, changed)) = found.times.filter(|_| call.preserve) {
        talk.output.write_all(format!("T{changed} 0 {read} 0\n").as_bytes())?;
        talk.output.flush()?;
        talk.heard()?;
    }
    if found.is_folder() {
        if !call.recursive {
            return talk.say(path, &Trouble::Failed("not a regular file".to_owned()));
        }
        let names = match files.list(path) {
            Ok(names) => names,
            Err(trouble) => return talk.say(path, &trouble),
        };
        talk.output.write_all(&header('D', 0))?;
        talk.output.flush()?;
        if !talk.heard()? {
            return Ok(());
        }
        for (name, _) in names {
            give_one(files, call, talk, &under(path, &name), depth + 1)?;
        }
        talk.output.write_all(b"E\n")?;
        talk.output.flush()?;
        talk.heard()?;
        return Ok(());
    }
    let mut file = match files.open(path, Opening { read: true, ..Opening::default() }) {
        Ok(file) => file,
        Err(trouble) => return talk.say(path, &trouble),
    };
    let size = found.size.unwrap_or_default();
    talk.output.write_all(&header('C', size))?;
    talk.output.flush()?;
    if !talk.heard()? {
        return Ok(());
    }
    let (mut at, mut trouble) = (0, None);
    while at < size {
        let length = usize::try_from(size - at).unwrap_or(PIECE).min(PIECE);
        let mut piece = if trouble.is_some() {
            Vec::new()
        } else {
            files.read(&mut file, at, length).unwrap_or_else(|error| {
                trouble = Some(error);
                Vec::new()
            })
        };
        if piece.is_empty() {
            trouble.get_or_insert_with(|| Trouble::Failed("the file became shorter".to_owned()));
            // So many bytes were promised.
            piece.resize(length, 0);
        }
        talk.output.write_all(&piece)?;
        at += piece.len() as u64;
    }
    match trouble {
        Some(trouble) => talk.say(path, &trouble)?,
        None => talk.fine()?,
    }
    talk.heard()?;
    Ok(())
}

/// The paths that `pattern` stands for: `*` and `?` in its last part; itself if nothing matches.
fn matching<F: Files>(files: &mut F, pattern: &[u8]) -> Vec<Vec<u8>> {
    if files.attributes(pattern, false).is_ok() || !pattern.iter().any(|byte| matches!(byte, b'*' | b'?')) {
        return vec![pattern.to_vec()];
    }
    let cut = pattern.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
    let (folder, last) = pattern.split_at(cut);
    let names = files.list(if folder.is_empty() { b"." } else { folder }).unwrap_or_default();
    let fits = |name: &[u8]| (last.starts_with(b".") || !name.starts_with(b".")) && like(last, name);
    let mut found: Vec<Vec<u8>> =
        names.iter().filter(|(name, _)| fits(name)).map(|(name, _)| [folder, name].concat()).collect();
    found.sort();
    if found.is_empty() { vec![pattern.to_vec()] } else { found }
}

fn like(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|skip| like(rest, &name[skip..])),
        Some((b'?', rest)) => !name.is_empty() && like(rest, &name[1..]),
        Some((byte, rest)) => name.first() == Some(byte) && like(rest, &name[1..]),
    }
}

/// `0644 12 name`. A name that leads elsewhere is none.
fn read_header(line: &[u8]) -> Option<(u32, u64, Vec<u8>)> {
    let mut parts = line.splitn(3, |byte| *byte == b' ');
    let mode = u32::from_str_radix(std::str::from_utf8(parts.next()?).ok()?, 8).ok()?;
    let size = std::str::from_utf8(parts.next()?).ok()?.parse().ok()?;
    let name = parts.next()?;
    if name.is_empty() || name.contains(&b'/') || name == b"." || name == b".." {
        return None;
    }
    Some((mode & 0o7777, size, name.to_vec()))
}

/// `changed 0 read 0`.
fn read_times(line: &[u8]) -> Option<(u32, u32)> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let changed = words.next()?.parse().ok()?;
    let read = words.nth(1)?.parse().ok()?;
    Some((read, changed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_read_as_clients_write_them() {
        let call = Call::parse("scp -vt /tmp").unwrap();
        assert_eq!(call, Call { take: true, paths: vec!["/tmp".into()], ..Call::default() });
        let call = Call::parse("/usr/bin/scp -r -p -d -t -- '/srv/a b'").unwrap();
        assert!(call.take && call.recursive && call.preserve && call.folder);
        assert_eq!(call.paths, ["/srv/a b"]);
        assert_eq!(Call::parse("scp -f ~/x").unwrap().paths, ["./x"]);
        for other in
            ["scp a b", "sudo scp -t /tmp", "scp -t $HOME", "scp -t /tmp; id", "scp -t", "scp -X -t /tmp", "ls"]
        {
            assert_eq!(Call::parse(other), None, "{other}");
        }
    }

    #[test]
    fn headers_that_lead_elsewhere_are_refused() {
        assert_eq!(read_header(b"0644 5 a b"), Some((0o644, 5, b"a b".to_vec())));
        for wrong in [&b"0644 5 ../x"[..], b"0644 5 ..", b"0644 -1 x", b"9 5 x", b"0644 5 "] {
            assert_eq!(read_header(wrong), None);
        }
    }

    #[test]
    fn patterns() {
        assert!(like(b"*.log", b"a.log") && like(b"a?c*", b"abc") && !like(b"*.log", b"a.txt"));
    }
}
