//! An SFTP server, version 3 with OpenSSH's extensions that its own client looks for.

use std::collections::HashMap;
use std::io::{self, Read, Write};

use super::wire::{self, Fields, Packet, Short};
use super::{Attributes, Files, LINK, Opening, Outcome, TYPE, Trouble};

/// A longer packet is none.
const LONGEST: u32 = 1 << 20;
/// In one answer; OpenSSH's server gives no more either.
const LONGEST_READ: u32 = 255 << 10;
const NAMES_AT_ONCE: usize = 100;
const MOST_HANDLES: usize = 1000;

enum Open<H> {
    File(H),
    Folder(std::vec::IntoIter<(Vec<u8>, Attributes)>),
}

/// Serves `files` until the input ends.
pub fn serve<F: Files>(files: &mut F, home: &str, mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    let mut server = Server { files, home: home.as_bytes().to_vec(), open: HashMap::new(), next: 0 };
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            other => other?,
        }
        let length = u32::from_be_bytes(length);
        if length == 0 || length > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an SFTP packet of a wrong length"));
        }
        let mut packet = vec![0; length as usize];
        input.read_exact(&mut packet)?;
        let answer =
            server.answer(&packet).map_err(|Short| io::Error::new(io::ErrorKind::InvalidData, "a short packet"))?;
        output.write_all(&answer)?;
        output.flush()?;
    }
}

struct Server<'a, F: Files> {
    files: &'a mut F,
    home: Vec<u8>,
    open: HashMap<u32, Open<F::Handle>>,
    next: u32,
}

impl<F: Files> Server<'_, F> {
    fn answer(&mut self, packet: &[u8]) -> Result<Vec<u8>, Short> {
        let mut fields = Fields(packet);
        let kind = fields.byte()?;
        if kind == wire::INIT {
            let mut hello = Packet::new(wire::VERSION, 3);
            for (name, version) in [
                ("posix-rename@openssh.com", "1"),
                ("hardlink@openssh.com", "1"),
                ("fsync@openssh.com", "1"),
                ("lsetstat@openssh.com", "1"),
            ] {
                hello.string(name.as_bytes());
                hello.string(version.as_bytes());
            }
            return Ok(hello.done());
        }
        let id = fields.number()?;
        Ok(match self.one(kind, id, &mut fields)? {
            Ok(answer) => answer,
            Err(trouble) => wire::trouble(id, &trouble),
        })
    }

    fn one(&mut self, kind: u8, id: u32, fields: &mut Fields<'_>) -> Result<Outcome<Vec<u8>>, Short> {
        let fine = move |()| wire::status(id, 0, "Success");
        Ok(match kind {
            wire::OPEN => {
                let (path, flags, wanted) = (fields.string()?, fields.number()?, fields.attributes()?);
                self.open(id, path, flags, wanted)
            }
            wire::CLOSE => self.take(fields.string()?).map(|_| fine(())),
            wire::READ => {
                let (handle, at, length) = (fields.string()?, fields.long()?, fields.number()?);
                self.read(id, handle, at, length)
            }
            wire::WRITE => {
                let (handle, at, bytes) = (fields.string()?, fields.long()?, fields.string()?);
                self.file(handle, |files, file| files.write(file, at, bytes)).map(fine)
            }
            wire::LSTAT => self.files.attributes(fields.string()?, false).map(|found| attributes(id, &found)),
            wire::STAT => self.files.attributes(fields.string()?, true).map(|found| attributes(id, &found)),
            wire::FSTAT => self
                .file(fields.string()?, |files, file| files.handle_attributes(file))
                .map(|found| attributes(id, &found)),
            wire::SETSTAT => self.files.set_attributes(fields.string()?, fields.attributes()?).map(fine),
            wire::FSETSTAT => {
                let (handle, to) = (fields.string()?, fields.attributes()?);
                self.file(handle, |files, file| files.set_handle_attributes(file, to)).map(fine)
            }
            wire::OPENDIR => self.list(id, fields.string()?),
            wire::READDIR => self.names(id, fields.string()?),
            wire::REMOVE => self.files.remove(fields.string()?).map(fine),
            wire::MKDIR => {
                let (path, wanted) = (fields.string()?, fields.attributes()?);
                self.files.make_folder(path, wanted.mode.unwrap_or(0o777)).map(fine)
            }
            wire::RMDIR => self.files.remove_folder(fields.string()?).map(fine),
            wire::REALPATH => {
                let path = fields.string()?;
                let path = if path.is_empty() { b"." } else { path };
                let home = self.home.clone();
                // A home that is missing is said all the same, as a shell's working folder would be.
                self.files
                    .real_path(path)
                    .or_else(|trouble| if path == b"." { Ok(home) } else { Err(trouble) })
                    .map(|path| one_name(id, &path))
            }
            wire::RENAME => {
                let (from, to) = (fields.string()?, fields.string()?);
                self.files.rename(from, to, false).map(fine)
            }
            wire::READLINK => self.files.read_link(fields.string()?).map(|target| one_name(id, &target)),
            // OpenSSH has the target first, and all follow it.
            wire::SYMLINK => {
                let (target, at) = (fields.string()?, fields.string()?);
                self.files.symlink(target, at).map(fine)
            }
            wire::EXTENDED => match fields.string()? {
                b"posix-rename@openssh.com" => {
                    let (from, to) = (fields.string()?, fields.string()?);
                    self.files.rename(from, to, true).map(fine)
                }
                b"hardlink@openssh.com" => {
                    let (from, to) = (fields.string()?, fields.string()?);
                    self.files.hard_link(from, to).map(fine)
                }
                b"fsync@openssh.com" => self.file(fields.string()?, |files, file| files.sync(file)).map(fine),
                b"lsetstat@openssh.com" => {
                    let (path, mut to) = (fields.string()?, fields.attributes()?);
                    match self.files.attributes(path, false) {
                        // A link has neither size nor permissions of its own to set.
                        Ok(there) if there.mode.is_some_and(|mode| mode & TYPE == LINK) => {
                            to.mode = None;
                            to.size = None;
                            if to == Attributes::default() { Ok(fine(())) } else { Err(Trouble::Unsupported) }
                        }
                        _ => self.files.set_attributes(path, to).map(fine),
                    }
                }
                _ => Err(Trouble::Unsupported),
            },
            _ => Err(Trouble::Unsupported),
        })
    }

    fn open(&mut self, id: u32, path: &[u8], flags: u32, wanted: Attributes) -> Outcome<Vec<u8>> {
        let has = |flag: u32| flags & flag != 0;
        let how = Opening {
            read: has(wire::FLAG_READ),
            write: has(wire::FLAG_WRITE) || has(wire::FLAG_APPEND),
            append: has(wire::FLAG_APPEND),
            create: has(wire::FLAG_CREATE),
            truncate: has(wire::FLAG_TRUNCATE),
            exclusive: has(wire::FLAG_EXCLUSIVE),
            mode: wanted.mode,
        };
        let file = self.files.open(path, how)?;
        self.keep(id, Open::File(file))
    }

    fn list(&mut self, id: u32, path: &[u8]) -> Outcome<Vec<u8>> {
        let mut names = self.files.list(path)?;
        let own = self.files.attributes(path, true)?;
        names.insert(0, (b".".to_vec(), own));
        names.insert(1, (b"..".to_vec(), own));
        self.keep(id, Open::Folder(names.into_iter()))
    }

    fn keep(&mut self, id: u32, what: Open<F::Handle>) -> Outcome<Vec<u8>> {
        if self.open.len() >= MOST_HANDLES {
            return Err(Trouble::Failed("Too many open files".to_owned()));
        }
        self.next = self.next.wrapping_add(1);
        self.open.insert(self.next, what);
        let mut packet = Packet::new(wire::HANDLE, id);
        packet.string(&self.next.to_be_bytes());
        Ok(packet.done())
    }

    fn take(&mut self, handle: &[u8]) -> Outcome<Open<F::Handle>> {
        number(handle).and_then(|number| self.open.remove(&number)).ok_or_else(unknown)
    }

    fn file<T>(&mut self, handle: &[u8], act: impl FnOnce(&mut F, &mut F::Handle) -> Outcome<T>) -> Outcome<T> {
        match number(handle).and_then(|number| self.open.get_mut(&number)) {
            Some(Open::File(file)) => act(self.files, file),
            _ => Err(unknown()),
        }
    }

    fn read(&mut self, id: u32, handle: &[u8], at: u64, length: u32) -> Outcome<Vec<u8>> {
        let length = length.min(LONGEST_READ) as usize;
        let bytes = self.file(handle, |files, file| files.read(file, at, length))?;
        if bytes.is_empty() && length > 0 {
            return Ok(end(id));
        }
        let mut packet = Packet::new(wire::DATA, id);
        packet.string(&bytes);
        Ok(packet.done())
    }

    fn names(&mut self, id: u32, handle: &[u8]) -> Outcome<Vec<u8>> {
        let Some(Open::Folder(rest)) = number(handle).and_then(|number| self.open.get_mut(&number)) else {
            return Err(unknown());
        };
        let some: Vec<_> = rest.by_ref().take(NAMES_AT_ONCE).collect();
        if some.is_empty() {
            return Ok(end(id));
        }
        let mut packet = Packet::new(wire::NAME, id);
        packet.number(u32::try_from(some.len()).unwrap_or_default());
        for (name, found) in some {
            packet.string(&name);
            packet.string(&long_name(&name, &found));
            packet.attributes(&found);
        }
        Ok(packet.done())
    }
}

fn number(handle: &[u8]) -> Option<u32> {
    handle.try_into().ok().map(u32::from_be_bytes)
}

fn unknown() -> Trouble {
    Trouble::Failed("Invalid handle".to_owned())
}

fn end(id: u32) -> Vec<u8> {
    wire::status(id, 1, "End of file")
}

fn attributes(id: u32, found: &Attributes) -> Vec<u8> {
    let mut packet = Packet::new(wire::ATTRS, id);
    packet.attributes(found);
    packet.done()
}

fn one_name(id: u32, name: &[u8]) -> Vec<u8> {
    let mut packet = Packet::new(wire::NAME, id);
    packet.number(1);
    packet.string(name);
    packet.string(name);
    packet.attributes(&Attributes::default());
    packet.done()
}

/// As `ls -l` shows it, without names and the time, which are the client's to know.
fn long_name(name: &[u8], found: &Attributes) -> Vec<u8> {
    let mode = found.mode.unwrap_or_default();
    let kind = match mode & TYPE {
        super::FOLDER => 'd',
        LINK => 'l',
        _ => '-',
    };
    let bits: String = (0..9).map(|at| if mode & (0o400 >> at) == 0 { '-' } else { ['r', 'w', 'x'][at % 3] }).collect();
    let (uid, gid) = found.owner.unwrap_or_default();
    let mut line = format!("{kind}{bits}    1 {uid:<8} {gid:<8} {:>8} ", found.size.unwrap_or_default()).into_bytes();
    line.extend(name);
    line
}
