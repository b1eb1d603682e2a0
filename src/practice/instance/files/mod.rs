//! How files come into a machine and out of it: SFTP and scp as servers, over any file system.

#[cfg(target_os = "linux")]
pub mod disk;
pub mod memory;
pub mod scp;
pub mod sftp;
mod wire;

/// What is known or wanted of a file, as SFTP version 3 has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub size: Option<u64>,
    /// User and group.
    pub owner: Option<(u32, u32)>,
    /// With the bits of the file's type.
    pub mode: Option<u32>,
    /// Read and changed, seconds since 1970.
    pub times: Option<(u32, u32)>,
}

const TYPE: u32 = 0o170_000;
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

impl Attributes {
    pub fn is_folder(&self) -> bool {
        self.mode.is_some_and(|mode| mode & TYPE == FOLDER)
    }

    pub fn is_file(&self) -> bool {
        self.mode.is_some_and(|mode| mode & TYPE == FILE)
    }

    fn permissions(&self) -> u32 {
        self.mode.unwrap_or(0o644) & 0o7777
    }
}

/// Why a file system did not do something; the words are the error's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    Missing,
    Denied,
    Unsupported,
    Failed(String),
}

impl Trouble {
    pub fn words(&self) -> &str {
        match self {
            Self::Missing => "No such file or directory",
            Self::Denied => "Permission denied",
            Self::Unsupported => "Operation not supported",
            Self::Failed(words) => words,
        }
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::Missing,
            std::io::ErrorKind::PermissionDenied => Self::Denied,
            std::io::ErrorKind::Unsupported => Self::Unsupported,
            _ => {
                let words = error.to_string();
                // Without the number that std adds.
                Self::Failed(words.split(" (os error").next().unwrap_or_default().to_owned())
            }
        }
    }
}

pub type Outcome<T = ()> = Result<T, Trouble>;

/// How a file is opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    pub read: bool,
    pub write: bool,
    pub append: bool,
    pub create: bool,
    pub truncate: bool,
    /// It must not be there yet.
    pub exclusive: bool,
    /// Of a new file.
    pub mode: Option<u32>,
}

/// A file system as one user sees it. Relative paths begin at the user's home.
pub trait Files {
    type Handle;

    fn open(&mut self, path: &[u8], how: Opening) -> Outcome<Self::Handle>;
    /// At most `length` bytes from `at`; none at the end.
    fn read(&mut self, handle: &mut Self::Handle, at: u64, length: usize) -> Outcome<Vec<u8>>;
    fn write(&mut self, handle: &mut Self::Handle, at: u64, bytes: &[u8]) -> Outcome;
    fn sync(&mut self, handle: &mut Self::Handle) -> Outcome;
    fn handle_attributes(&mut self, handle: &mut Self::Handle) -> Outcome<Attributes>;
    fn set_handle_attributes(&mut self, handle: &mut Self::Handle, to: Attributes) -> Outcome;
    fn attributes(&mut self, path: &[u8], follow: bool) -> Outcome<Attributes>;
    fn set_attributes(&mut self, path: &[u8], to: Attributes) -> Outcome;
    /// Without `.` and `..`.
    fn list(&mut self, path: &[u8]) -> Outcome<Vec<(Vec<u8>, Attributes)>>;
    fn remove(&mut self, path: &[u8]) -> Outcome;
    fn make_folder(&mut self, path: &[u8], mode: u32) -> Outcome;
    fn remove_folder(&mut self, path: &[u8]) -> Outcome;
    /// `over`: what is at `to` is replaced.
    fn rename(&mut self, from: &[u8], to: &[u8], over: bool) -> Outcome;
    /// Absolute, without links; the last part need not exist.
    fn real_path(&mut self, path: &[u8]) -> Outcome<Vec<u8>>;
    fn read_link(&mut self, path: &[u8]) -> Outcome<Vec<u8>>;
    fn symlink(&mut self, target: &[u8], at: &[u8]) -> Outcome;
    fn hard_link(&mut self, from: &[u8], to: &[u8]) -> Outcome;
}

/// `folder/name`.
fn under(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = folder.to_vec();
    if !path.is_empty() && !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend(name);
    path
}
