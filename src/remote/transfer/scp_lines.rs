//! The lines of the SCP protocol: those that announce a file or a folder.

use crate::remote::communicator::RemoteError;

/// A `C` or `D` line.
pub(super) fn header(kind: char, mode: u32, size: u64, name: &[u8]) -> Result<Vec<u8>, RemoteError> {
    if name.contains(&b'\n') {
        let path = String::from_utf8_lossy(name).into_owned();
        return Err(RemoteError::Local { path, why: "SCP cannot send a name with a line break".to_owned() });
    }
    let mut line = format!("{kind}{:04o} {size} ", mode & 0o7777).into_bytes();
    line.extend_from_slice(name);
    line.push(b'\n');
    Ok(line)
}

/// The size and name of a `C` or `D` line. A name must not lead out of its folder.
pub(super) fn fields(line: &[u8]) -> Option<(u64, &[u8])> {
    let mut parts = line.splitn(3, |byte| *byte == b' ');
    let (_, size, name) = (parts.next()?, parts.next()?, parts.next()?);
    let size = std::str::from_utf8(size).ok()?.parse().ok()?;
    (!name.is_empty() && name != b"." && name != b".." && !name.contains(&b'/')).then_some((size, name))
}

/// The folder of a name, and its last part.
pub(super) fn split(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (&[], name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_out_of_its_folder_is_refused() {
        assert_eq!(fields(b"C0644 12 a b"), Some((12, b"a b".as_slice())));
        for bad in ["C0644 12 ..", "C0644 12 ../x", "C0644 12 /etc/passwd", "C0644 x a", "C0644 12", "C0644 12 "] {
            assert_eq!(fields(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn a_header_has_four_digits_of_mode() {
        assert_eq!(header('C', 0o100_644, 3, b"x y").unwrap(), b"C0644 3 x y\n");
        assert!(header('C', 0o644, 3, b"x\ny").is_err());
    }
}
