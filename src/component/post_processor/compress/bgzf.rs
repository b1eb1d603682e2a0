//! Blocked gzip: gzip in members of at most 64 KiB, each of which says how long it is, so that a reader can jump to any.
//!
//! The form is that of the SAM specification, section 4.1.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;

/// Of the input, in one member: even stored uncompressed it stays below 64 KiB.
const BLOCK: usize = 0xff00;

/// The empty member that ends every file.
const END: [u8; 28] = [
    0x1f, 0x8b, 0x08, 0x04, 0, 0, 0, 0, 0, 0xff, 0x06, 0, b'B', b'C', 0x02, 0, 0x1b, 0, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

pub(super) struct Bgzf<W> {
    out: W,
    level: Compression,
    block: Vec<u8>,
}

impl<W: Write> Bgzf<W> {
    pub(super) fn new(out: W, level: Compression) -> Self {
        Self { out, level, block: Vec::with_capacity(BLOCK) }
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_block()?;
        self.out.write_all(&END)?;
        Ok(self.out)
    }

    fn write_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let mut packed = deflated(&self.block, self.level)?;
        // 18 bytes of header, 8 of trailer; the member's length less one must fit in 16 bits.
        if packed.len() + 26 > 0x1_0000 {
            packed = deflated(&self.block, Compression::none())?;
        }
        let length = u16::try_from(packed.len() + 25).map_err(io::Error::other)?;
        let size = u32::try_from(self.block.len()).map_err(io::Error::other)?;
        let mut sum = flate2::Crc::new();
        sum.update(&self.block);
        self.out.write_all(&END[..16])?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&packed)?;
        self.out.write_all(&sum.sum().to_le_bytes())?;
        self.out.write_all(&size.to_le_bytes())?;
        self.block.clear();
        Ok(())
    }
}

fn deflated(bytes: &[u8], level: Compression) -> io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), level);
    encoder.write_all(bytes)?;
    encoder.finish()
}

impl<W: Write> Write for Bgzf<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(BLOCK - self.block.len());
        self.block.extend_from_slice(&bytes[..n]);
        if self.block.len() == BLOCK {
            self.write_block()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
