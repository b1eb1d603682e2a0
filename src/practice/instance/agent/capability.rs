//! What a machine's root may do: less than a user namespace would let it, so that it can undo none of what hides the host.

use std::io;

use rustix::thread::{CapabilitySet, capability_is_in_bounding_set, remove_capability_from_bounding_set};

/// As containers have it, and: the machine's own network, and `reboot(2)`, which in a PID namespace ends that namespace only.
///
/// Not among them: `SYS_ADMIN` (mounts could be taken away), `SYS_PTRACE` and `SYS_MODULE`, `MKNOD`, `DAC_READ_SEARCH`
/// (files by handle).
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::NET_ADMIN)
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::SYS_CHROOT)
    .union(CapabilitySet::SYS_BOOT)
    .union(CapabilitySet::SYS_NICE)
    .union(CapabilitySet::IPC_OWNER)
    .union(CapabilitySet::AUDIT_WRITE);

/// Programs started from here on, setuid ones too, can have no more than a machine's root may. What this process itself holds
/// stays: a process with fewer capabilities can neither trace it nor open its files.
pub fn bound() -> io::Result<()> {
    for bit in 0..64 {
        let one = CapabilitySet::from_bits_retain(1 << bit);
        if KEPT.contains(one) {
            continue;
        }
        match capability_is_in_bounding_set(one) {
            Ok(true) => remove_capability_from_bounding_set(one)?,
            Ok(false) => {}
            // The kernel knows no more of them.
            Err(rustix::io::Errno::INVAL) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
