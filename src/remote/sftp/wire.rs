//! SFTP version 3 on the wire (draft-ietf-secsh-filexfer-02), as far as files and folders need it. Names are bytes: a
//! machine's file names need not be UTF-8.

use bytes::{Buf, BufMut, Bytes, BytesMut};

pub(super) const INIT: u8 = 1;
pub(super) const VERSION: u8 = 2;
pub(super) const OPEN: u8 = 3;
pub(super) const CLOSE: u8 = 4;
pub(super) const READ: u8 = 5;
pub(super) const WRITE: u8 = 6;
pub(super) const FSTAT: u8 = 8;
pub(super) const SETSTAT: u8 = 9;
pub(super) const FSETSTAT: u8 = 10;
pub(super) const OPENDIR: u8 = 11;
pub(super) const READDIR: u8 = 12;
pub(super) const REMOVE: u8 = 13;
pub(super) const MKDIR: u8 = 14;
pub(super) const STAT: u8 = 17;
pub(super) const EXTENDED: u8 = 200;

const STATUS: u8 = 101;
const HANDLE: u8 = 102;
const DATA: u8 = 103;
const NAME: u8 = 104;
const ATTRS: u8 = 105;
const EXTENDED_REPLY: u8 = 201;

pub(super) const READ_FLAG: u32 = 1;
pub(super) const WRITE_FLAG: u32 = 2;
pub(super) const CREATE_FLAG: u32 = 8;
pub(super) const TRUNCATE_FLAG: u32 = 16;

/// What a server knows about a file; what it did not say is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attrs {
    pub size: Option<u64>,
    /// File type and permission bits.
    pub mode: Option<u32>,
    /// Seconds since 1970.
    pub modified: Option<u32>,
}

impl Attrs {
    pub fn of_mode(mode: u32) -> Self {
        Self { mode: Some(mode), ..Self::default() }
    }

    pub fn is_dir(&self) -> bool {
        self.mode.is_some_and(|mode| mode & 0o170_000 == 0o040_000)
    }

    pub fn put(&self, to: &mut BytesMut) {
        to.put_u32(self.mode.map_or(0, |_| 4));
        if let Some(mode) = self.mode {
            to.put_u32(mode);
        }
    }

    fn take(from: &mut Bytes) -> Option<Self> {
        let flags = from.try_get_u32().ok()?;
        let mut attrs = Self::default();
        if flags & 1 != 0 {
            attrs.size = Some(from.try_get_u64().ok()?);
        }
        if flags & 2 != 0 {
            from.try_get_u64().ok()?;
        }
        if flags & 4 != 0 {
            attrs.mode = Some(from.try_get_u32().ok()?);
        }
        if flags & 8 != 0 {
            from.try_get_u32().ok()?;
            attrs.modified = Some(from.try_get_u32().ok()?);
        }
        if flags & 0x8000_0000 != 0 {
            for _ in 0..from.try_get_u32().ok()? {
                string(from)?;
                string(from)?;
            }
        }
        Some(attrs)
    }
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Status { code: u32, message: String },
    Handle(Bytes),
    Data(Bytes),
    Names(Vec<(Bytes, Attrs)>),
    Attrs(Attrs),
    Extended(Bytes),
}

/// Reads a packet's kind and body (without its length) that is not the version: the request's id, and the answer.
pub(super) fn reply(mut packet: Bytes) -> Option<(u32, Reply)> {
    let kind = packet.try_get_u8().ok()?;
    let id = packet.try_get_u32().ok()?;
    let reply = match kind {
        STATUS => {
            let code = packet.try_get_u32().ok()?;
            // Very old servers send no text.
            let message = string(&mut packet).map(|text| String::from_utf8_lossy(&text).into_owned());
            Reply::Status { code, message: message.unwrap_or_default() }
        }
        HANDLE => Reply::Handle(string(&mut packet)?),
        DATA => Reply::Data(string(&mut packet)?),
        NAME => {
            let count = packet.try_get_u32().ok()?;
            let mut names = Vec::new();
            for _ in 0..count {
                let name = string(&mut packet)?;
                string(&mut packet)?;
                names.push((name, Attrs::take(&mut packet)?));
            }
            Reply::Names(names)
        }
        ATTRS => Reply::Attrs(Attrs::take(&mut packet)?),
        EXTENDED_REPLY => Reply::Extended(packet),
        _ => return None,
    };
    Some((id, reply))
}

/// Whether the version packet's body names an extension.
pub(super) fn has_extension(mut packet: Bytes, wanted: &str) -> bool {
    packet.advance(packet.len().min(5));
    while let (Some(name), Some(_)) = (string(&mut packet), string(&mut packet)) {
        if name == wanted.as_bytes() {
            return true;
        }
    }
    false
}

/// A whole packet, its length first. `body` writes what follows the id.
pub(super) fn packet(kind: u8, id: u32, body: impl FnOnce(&mut BytesMut)) -> BytesMut {
    let mut packet = BytesMut::with_capacity(256);
    packet.put_u32(0);
    packet.put_u8(kind);
    packet.put_u32(id);
    body(&mut packet);
    set_length(&mut packet, 0);
    packet
}

/// Writes the length of a packet of which `more` bytes are sent apart.
#[expect(clippy::cast_possible_truncation, reason = "packets are at most some hundred KiB")]
pub(super) fn set_length(packet: &mut BytesMut, more: usize) {
    let length = (packet.len() - 4 + more) as u32;
    packet[..4].copy_from_slice(&length.to_be_bytes());
}

#[expect(clippy::cast_possible_truncation, reason = "names and handles are short")]
pub(super) fn put_string(to: &mut BytesMut, text: &[u8]) {
    to.put_u32(text.len() as u32);
    to.put_slice(text);
}

fn string(from: &mut Bytes) -> Option<Bytes> {
    let length = from.try_get_u32().ok()? as usize;
    if from.len() < length {
        return None;
    }
    Some(from.split_to(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(packet: &[u8]) -> Bytes {
        Bytes::copy_from_slice(packet)
    }

    #[test]
    fn answers_are_read() {
        let status = body(b"\x65\0\0\0\x07\0\0\0\x03\0\0\0\x06denied\0\0\0\0");
        assert_eq!(reply(status), Some((7, Reply::Status { code: 3, message: "denied".to_owned() })));
        let bare = body(b"\x65\0\0\0\x07\0\0\0\x02");
        assert_eq!(reply(bare), Some((7, Reply::Status { code: 2, message: String::new() })));
        let attrs = body(b"\x69\0\0\0\x01\0\0\0\x0d\0\0\0\0\0\0\0\x09\0\0\x41\xed\0\0\0\x01\0\0\0\x02");
        let expected = Attrs { size: Some(9), mode: Some(0o40_755), modified: Some(2) };
        assert!(expected.is_dir());
        assert_eq!(reply(attrs), Some((1, Reply::Attrs(expected))));
        let names = body(b"\x68\0\0\0\x01\0\0\0\x01\0\0\0\x01\xff\0\0\0\0\0\0\0\0");
        assert_eq!(reply(names), Some((1, Reply::Names(vec![(Bytes::from_static(b"\xff"), Attrs::default())]))));
    }

    #[test]
    fn what_is_cut_off_is_no_answer() {
        let whole = b"\x68\0\0\0\x01\0\0\0\x01\0\0\0\x01a\0\0\0\0\0\0\0\x04\0\0\0\x01";
        assert!(reply(body(whole)).is_some());
        for end in 0..whole.len() {
            assert_eq!(reply(body(&whole[..end])), None, "{end}");
        }
    }

    #[test]
    fn extensions_are_found_by_name() {
        let version = b"\x02\0\0\0\x03\0\0\0\x01a\0\0\0\x011\0\0\0\x01b\0\0\0\x012";
        assert!(has_extension(body(version), "b"));
        assert!(!has_extension(body(version), "c"));
        assert!(!has_extension(body(b"\x02"), "c"));
    }
}
