//! Practice machines, with OpenSSH's own clients as the proof: real starts, what stays out of reach, lives, images, limits,
//! and the scripted form. They pass as root and as an ordinary user; root runs all of them a second time as `nobody`.

#[cfg(target_os = "linux")]
mod bench;
#[cfg(target_os = "linux")]
mod images;
#[cfg(target_os = "linux")]
mod isolation;
#[cfg(target_os = "linux")]
mod life;
#[cfg(target_os = "linux")]
mod scripted;
#[cfg(target_os = "linux")]
mod sessions;

/// A copy of this program and of kiln's is run as a user that owns nothing.
#[cfg(target_os = "linux")]
#[test]
fn all_of_it_again_as_an_ordinary_user() {
    use std::os::unix::fs::{PermissionsExt, chown};
    use std::path::Path;
    use std::process::Command;

    const NOBODY: u32 = 65_534;
    if !bench::is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let place = |from: &Path, name: &str| {
        let to = folder.path().join(name);
        std::fs::copy(from, &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o755)).unwrap();
        to
    };
    let tests = place(&std::env::current_exe().unwrap(), "tests");
    let program = place(&bench::program(), "kiln");
    let home = folder.path().join("home");
    std::fs::create_dir(&home).unwrap();
    chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"])
        .arg(&tests)
        .args(["--test-threads=2", "--skip", "again_as_an_ordinary_user"])
        .env("KILN_TEST_PROGRAM", program)
        .env("TMPDIR", &home)
        .env("HOME", &home)
        .current_dir(&home)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(" passed; 0 failed") && !text.contains("running 0 tests"), "{text}");
}
