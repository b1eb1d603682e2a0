//! The bytes of SFTP version 3 (draft-ietf-secsh-filexfer-02).

use super::{Attributes, Trouble};

pub const INIT: u8 = 1;
pub const VERSION: u8 = 2;
pub const OPEN: u8 = 3;
pub const CLOSE: u8 = 4;
pub const READ: u8 = 5;
pub const WRITE: u8 = 6;
pub const LSTAT: u8 = 7;
pub const FSTAT: u8 = 8;
pub const SETSTAT: u8 = 9;
pub const FSETSTAT: u8 = 10;
pub const OPENDIR: u8 = 11;
pub const READDIR: u8 = 12;
pub const REMOVE: u8 = 13;
pub const MKDIR: u8 = 14;
pub const RMDIR: u8 = 15;
pub const REALPATH: u8 = 16;
pub const STAT: u8 = 17;
pub const RENAME: u8 = 18;
pub const READLINK: u8 = 19;
pub const SYMLINK: u8 = 20;
pub const STATUS: u8 = 101;
pub const HANDLE: u8 = 102;
pub const DATA: u8 = 103;
pub const NAME: u8 = 104;
pub const ATTRS: u8 = 105;
pub const EXTENDED: u8 = 200;

pub const FLAG_READ: u32 = 1;
pub const FLAG_WRITE: u32 = 2;
pub const FLAG_APPEND: u32 = 4;
pub const FLAG_CREATE: u32 = 8;
pub const FLAG_TRUNCATE: u32 = 16;
pub const FLAG_EXCLUSIVE: u32 = 32;

/// A packet that ends before its fields do.
pub struct Short;

/// Reads a packet's fields from its beginning on.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Short> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Short> {
        Ok(self.take(1)?[0])
    }

    pub fn number(&mut self) -> Result<u32, Short> {
        self.take(4)?.try_into().map(u32::from_be_bytes).map_err(|_| Short)
    }

    pub fn long(&mut self) -> Result<u64, Short> {
        self.take(8)?.try_into().map(u64::from_be_bytes).map_err(|_| Short)
    }

    pub fn string(&mut self) -> Result<&'a [u8], Short> {
        let length = self.number()?;
        self.take(length as usize)
    }

    pub fn attributes(&mut self) -> Result<Attributes, Short> {
        let flags = self.number()?;
        let mut read = Attributes::default();
        if flags & 1 != 0 {
            read.size = Some(self.long()?);
        }
        if flags & 2 != 0 {
            read.owner = Some((self.number()?, self.number()?));
        }
        if flags & 4 != 0 {
            read.mode = Some(self.number()?);
        }
        if flags & 8 != 0 {
            read.times = Some((self.number()?, self.number()?));
        }
        if flags & 0x8000_0000 != 0 {
            for _ in 0..self.number()? {
                self.string()?;
                self.string()?;
            }
        }
        Ok(read)
    }
}

/// Builds a packet; the length comes before it in [`Packet::done`].
pub struct Packet(Vec<u8>);

impl Packet {
    pub fn new(kind: u8, id: u32) -> Self {
        let mut packet = Self(vec![0, 0, 0, 0, kind]);
        packet.number(id);
        packet
    }

    pub fn number(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    pub fn string(&mut self, bytes: &[u8]) {
        self.number(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.extend(bytes);
    }

    pub fn attributes(&mut self, of: &Attributes) {
        let flag = |there: bool, bit: u32| if there { bit } else { 0 };
        self.number(
            flag(of.size.is_some(), 1)
                | flag(of.owner.is_some(), 2)
                | flag(of.mode.is_some(), 4)
                | flag(of.times.is_some(), 8),
        );
        if let Some(size) = of.size {
            self.0.extend(size.to_be_bytes());
        }
        if let Some((first, second)) = of.owner {
            self.number(first);
            self.number(second);
        }
        if let Some(mode) = of.mode {
            self.number(mode);
        }
        if let Some((read, changed)) = of.times {
            self.number(read);
            self.number(changed);
        }
    }

    pub fn done(mut self) -> Vec<u8> {
        let length = u32::try_from(self.0.len() - 4).unwrap_or(u32::MAX);
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        self.0
    }
}

/// An answer of code and words.
pub fn status(id: u32, code: u32, words: &str) -> Vec<u8> {
    let mut packet = Packet::new(STATUS, id);
    packet.number(code);
    packet.string(words.as_bytes());
    packet.string(b"en");
    packet.done()
}

pub fn trouble(id: u32, trouble: &Trouble) -> Vec<u8> {
    let code = match trouble {
        Trouble::Missing => 2,
        Trouble::Denied => 3,
        Trouble::Failed(_) => 4,
        Trouble::Unsupported => 8,
    };
    status(id, code, trouble.words())
}
