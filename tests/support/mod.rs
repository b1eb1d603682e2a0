//! The peers that whole-program tests run against, and the program itself as a user would call it.
//!
//! Each test has a cloud, a home and a working folder of its own; all end with it.

#![allow(dead_code)] // each test file uses a part of it

pub mod cloud;
pub mod program;
pub mod terminal;

pub use cloud::Cloud;
pub use program::{Ended, Kiln};
pub use terminal::Terminal;

/// Waits until `probe` gives something, at most a minute; a test that waits in vain says for what.
///
/// # Panics
/// When the minute is over.
pub fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "waited a minute for {what}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}
