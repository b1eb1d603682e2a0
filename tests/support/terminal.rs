//! kiln on a real terminal: a pty, what it shows, and keys typed into it.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

use super::program::Kiln;
use super::until;

pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    shown: Arc<Mutex<String>>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Terminal {
    /// Starts kiln as a person at a terminal of 120 columns would.
    pub fn start(kiln: &Kiln, arguments: &[&str]) -> Self {
        let size = PtySize { rows: 40, cols: 120, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pty");
        let command = kiln.command(arguments);
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        builder.cwd(kiln.work());
        builder.env_clear();
        for (name, value) in command.get_envs() {
            builder.env(name, value.unwrap_or_default());
        }
        builder.env("TERM", "xterm-256color");
        let child = pair.slave.spawn_command(builder).expect("kiln starts");
        let keys = pair.master.take_writer().expect("a writer");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let shown = Arc::new(Mutex::new(String::new()));
        let screen = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                screen.lock().expect("not poisoned").push_str(&String::from_utf8_lossy(&buffer[..n]));
            }
        });
        Self { child, keys, shown, _master: pair.master }
    }

    /// All that was shown so far.
    pub fn shown(&self) -> String {
        self.shown.lock().expect("not poisoned").clone()
    }

    /// Waits until `text` is shown for the `count`-th time.
    pub fn wait_for(&self, text: &str, count: usize) {
        let what = format!("{text:?} on the terminal, which shows:");
        until_shown(&what, || self.shown(), |shown| shown.matches(text).count() >= count);
    }

    /// Types a line.
    pub fn type_line(&mut self, line: &str) {
        writeln!(self.keys, "{line}").expect("the terminal is there");
    }

    /// Waits for the end; gives the exit status.
    pub fn ended(&mut self) -> u32 {
        until("kiln to end", || self.child.try_wait().expect("waitable")).exit_code()
    }
}

fn until_shown(what: &str, shown: impl Fn() -> String, found: impl Fn(&str) -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while !found(&shown()) {
        assert!(std::time::Instant::now() < deadline, "waited a minute for {what}\n{}", shown());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}
