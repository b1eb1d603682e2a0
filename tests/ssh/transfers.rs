//! Single files, both ways, by SFTP and SCP.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use kiln::remote::{Communicator, ConnectOptions, Exit, RemoteError, TransferMethod};
use tokio_util::sync::CancellationToken;

use crate::sshd::{Sshd, connect_with, exec, never};

/// Bytes that a shifted or repeated piece would change.
pub fn bytes(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        })
        .collect()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn methods(sshd: &Sshd) -> [ConnectOptions; 2] {
    [TransferMethod::Sftp, TransferMethod::Scp].map(|transfer| ConnectOptions { transfer, ..sshd.options() })
}

async fn send(link: &dyn Communicator, local: &Path, remote: &str) -> Result<(), RemoteError> {
    link.upload(local, remote, None, &|_, _| {}, &never()).await
}

async fn fetch(link: &dyn Communicator, remote: &str, local: &Path) -> Result<(), RemoteError> {
    link.download(remote, local, &|_, _| {}, &never()).await
}

#[tokio::test]
async fn files_of_all_sizes_arrive_whole_and_come_back() {
    let sshd = Sshd::start();
    let at = sshd.folder.path();
    for options in methods(&sshd) {
        let method = options.transfer;
        let link = connect_with(options).await;
        for size in [0, 1, 40_000, 131_073, 1_048_576, 20_000_001] {
            let (local, there, back) = (at.join("local"), at.join("there"), at.join("back"));
            std::fs::write(&local, bytes(size)).unwrap();
            std::fs::set_permissions(&local, std::fs::Permissions::from_mode(0o751)).unwrap();
            send(&*link, &local, there.to_str().unwrap()).await.unwrap_or_else(|e| panic!("{method:?} {size}: {e}"));
            assert!(std::fs::read(&there).unwrap() == bytes(size), "{method:?} {size}");
            assert_eq!(mode(&there), 0o751, "{method:?} {size}");
            fetch(&*link, there.to_str().unwrap(), &back).await.unwrap_or_else(|e| panic!("{method:?} {size}: {e}"));
            assert!(std::fs::read(&back).unwrap() == bytes(size), "{method:?} {size}");
            for path in [there, back] {
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn names_of_all_kinds_survive() {
    let sshd = Sshd::start();
    let at = sshd.folder.path();
    for options in methods(&sshd) {
        let method = options.transfer;
        let link = connect_with(options).await;
        for name in ["two words", "it's \"quoted\"", "$HOME `id` \\ *", "größe-名前", "-rf", "~", "line\nbreak"] {
            for size in [3, 200_000] {
                if method == TransferMethod::Scp && name.contains('\n') {
                    continue;
                }
                let local = at.join("local");
                std::fs::write(&local, bytes(size)).unwrap();
                let there = at.join(name);
                send(&*link, &local, there.to_str().unwrap())
                    .await
                    .unwrap_or_else(|e| panic!("{method:?} {name:?}: {e}"));
                assert!(std::fs::read(&there).unwrap() == bytes(size), "{name:?}");
                if name.contains(['*', '\\']) && method == TransferMethod::Scp {
                    continue;
                }
                let back = at.join("back");
                fetch(&*link, there.to_str().unwrap(), &back)
                    .await
                    .unwrap_or_else(|e| panic!("{method:?} {name:?}: {e}"));
                assert!(std::fs::read(&back).unwrap() == bytes(size), "{name:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_tilde_is_the_home_folder() {
    let sshd = Sshd::start();
    let home = PathBuf::from(std::env::var_os("HOME").unwrap());
    let name = format!(".kiln test {}", std::process::id());
    let local = sshd.folder.path().join("local");
    for options in methods(&sshd) {
        let link = connect_with(options).await;
        for size in [5, 300_000] {
            std::fs::write(&local, bytes(size)).unwrap();
            send(&*link, &local, &format!("~/{name}")).await.unwrap();
            let arrived = std::fs::read(home.join(&name)).unwrap();
            fetch(&*link, &format!("~/{name}"), &local).await.unwrap();
            std::fs::remove_file(home.join(&name)).unwrap();
            assert!(arrived == bytes(size));
        }
    }
}

#[tokio::test]
async fn a_script_has_its_mode_and_is_never_open_to_others_before() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    let there = sshd.folder.path().join("script.sh");
    for (size, wanted) in [(0, 0o600), (2000, 0o755), (3_000_000, 0o700)] {
        link.upload_bytes(&bytes(size), there.to_str().unwrap(), wanted, &never()).await.unwrap();
        assert!(std::fs::read(&there).unwrap() == bytes(size));
        assert_eq!(mode(&there), wanted);
    }
}

#[tokio::test]
async fn a_script_is_sent_run_and_removed_also_where_one_channel_is_all_there_is() {
    for more in ["", "MaxSessions 1"] {
        let sshd = Sshd::with(more);
        let link = sshd.connect().await;
        let there = sshd.folder.path().join("script.sh");
        let path = there.to_str().unwrap();
        for word in ["one", "two", "three"] {
            link.upload_bytes(format!("echo {word}").as_bytes(), path, 0o755, &never()).await.unwrap();
            let (exit, printed) = exec(&*link, path).await;
            assert_eq!((exit, &*printed.out), (Ok(Exit::Status(0)), format!("{word}\n").as_bytes()), "{more}");
            assert_eq!(link.remove(path, &never()).await, Ok(true));
            assert!(!there.exists());
            // What is gone already is no error.
            assert_eq!(link.remove(path, &never()).await, Ok(true));
        }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_removed_is_left_to_a_command() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    assert_eq!(link.remove("/proc/self/stat", &never()).await, Ok(false));
    assert_eq!(link.remove("relative", &never()).await, Ok(false));
}

#[tokio::test]
async fn an_error_names_the_path_and_the_reason() {
    let sshd = Sshd::start();
    let at = sshd.folder.path();
    std::fs::create_dir(at.join("folder")).unwrap();
    for options in methods(&sshd) {
        let method = options.transfer;
        let link = connect_with(options).await;
        for size in [3, 200_000] {
            let local = at.join("local");
            std::fs::write(&local, bytes(size)).unwrap();
            let missing = at.join("no/such").display().to_string();
            let error = send(&*link, &local, &missing).await.unwrap_err().to_string();
            assert!(error.contains("no/such") || error.contains("/no"), "{method:?} {error}");
            assert!(error.to_lowercase().contains("no such file or directory"), "{method:?} {size} {error}");
            let folder = at.join("folder").display().to_string();
            let error = send(&*link, &local, &folder).await.unwrap_err().to_string();
            assert!(error.contains("folder") && error.contains("is a directory"), "{method:?} {size} {error}");
        }
        let error = fetch(&*link, "/no/such/file", &at.join("x")).await.unwrap_err().to_string();
        assert!(error.contains("/no/such/file") && error.contains("no such file"), "{method:?} {error}");
        let gone = at.join("gone");
        let error = send(&*link, &gone, "/tmp/x").await.unwrap_err();
        assert!(matches!(&error, RemoteError::Local { path, .. } if path.ends_with("gone")), "{error}");
        std::fs::write(at.join("here"), bytes(300_000)).unwrap();
        let error = fetch(&*link, at.join("here").to_str().unwrap(), &at.join("not/there")).await.unwrap_err();
        assert!(matches!(&error, RemoteError::Local { path, .. } if path.ends_with("not/there")), "{method:?} {error}");
    }
}

#[tokio::test]
async fn a_full_disk_is_named() {
    let sshd = Sshd::start();
    let local = sshd.folder.path().join("local");
    for options in methods(&sshd) {
        let method = options.transfer;
        let link = connect_with(options).await;
        for size in [100, 400_000] {
            std::fs::write(&local, bytes(size)).unwrap();
            let error = link.upload(&local, "/dev/full", Some(0o666), &|_, _| {}, &never()).await.unwrap_err();
            assert!(error.to_string().contains("/dev/full"), "{method:?} {size} {error}");
        }
    }
}

#[tokio::test]
async fn progress_only_grows_and_ends_with_all() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    let local = sshd.folder.path().join("local");
    std::fs::write(&local, bytes(30_000_000)).unwrap();
    let told = Mutex::new(Vec::new());
    let there = sshd.folder.path().join("there");
    let progress = |done, total| told.lock().unwrap().push((done, total));
    link.upload(&local, there.to_str().unwrap(), None, &progress, &never()).await.unwrap();
    let told = told.into_inner().unwrap();
    assert!(told.is_sorted_by_key(|(done, _)| *done) && told.len() > 1 && told.len() < 100, "{}", told.len());
    assert_eq!(told.last(), Some(&(30_000_000, 30_000_000)));
}

#[tokio::test]
async fn a_link_that_breaks_under_a_transfer_is_no_success() {
    let sshd = Sshd::start();
    let at = sshd.folder.path();
    std::fs::write(at.join("local"), bytes(30_000_000)).unwrap();
    for options in methods(&sshd) {
        let link = connect_with(options).await;
        let there = at.join("there").display().to_string();
        let breaks = |done, _| {
            if done > 0 {
                sshd.kill_sessions();
            }
        };
        let result = link.upload(&at.join("local"), &there, None, &breaks, &never()).await;
        assert!(matches!(result, Err(RemoteError::LinkLost(_))), "{result:?}");
        let result = link.download(at.join("local").to_str().unwrap(), &at.join("back"), &breaks, &never()).await;
        assert!(matches!(result, Err(RemoteError::LinkLost(_))), "{result:?}");
        assert_eq!(send(&*link, &at.join("local"), &there).await, Ok(()));
    }
}

#[tokio::test]
async fn a_cancelled_transfer_leaves_a_link_that_works() {
    let sshd = Sshd::start();
    let at = sshd.folder.path();
    std::fs::write(at.join("local"), bytes(30_000_000)).unwrap();
    for options in methods(&sshd) {
        let link = connect_with(options).await;
        let there = at.join("there").display().to_string();
        // More often than a session may have channels, so that one left open would show.
        for _ in 0..12 {
            let cancel = CancellationToken::new();
            let stop = |done, _| {
                if done > 0 {
                    cancel.cancel();
                }
            };
            let result = link.upload(&at.join("local"), &there, None, &stop, &cancel).await;
            assert_eq!(result, Err(RemoteError::Cancelled));
        }
        assert_eq!(send(&*link, &at.join("local"), &there).await, Ok(()));
    }
}

#[tokio::test]
async fn a_machine_without_sftp_is_served_by_scp() {
    let sshd = Sshd::with("Subsystem sftp /no/such/server");
    let at = sshd.folder.path();
    let link = sshd.connect().await;
    std::fs::write(at.join("local"), bytes(700_000)).unwrap();
    let there = at.join("there").display().to_string();
    assert_eq!(send(&*link, &at.join("local"), &there).await, Ok(()));
    assert_eq!(fetch(&*link, &there, &at.join("back")).await, Ok(()));
    assert!(std::fs::read(at.join("back")).unwrap() == bytes(700_000));
}

#[tokio::test]
async fn a_machine_without_a_shell_is_served_by_sftp() {
    let sshd = Sshd::with("ForceCommand internal-sftp");
    let at = sshd.folder.path();
    let link = sshd.connect().await;
    for size in [0, 10, 700_000, 20_000_000] {
        std::fs::write(at.join("local"), bytes(size)).unwrap();
        let there = at.join("there").display().to_string();
        assert_eq!(send(&*link, &at.join("local"), &there).await, Ok(()), "{size}");
        assert_eq!(fetch(&*link, &there, &at.join("back")).await, Ok(()), "{size}");
        assert!(std::fs::read(at.join("back")).unwrap() == bytes(size));
    }
    link.upload_bytes(b"text", at.join("small").to_str().unwrap(), 0o640, &never()).await.unwrap();
    assert_eq!(mode(&at.join("small")), 0o640);
}

#[tokio::test]
async fn a_file_without_a_size_is_read_to_its_end() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    let back = sshd.folder.path().join("back");
    fetch(&*link, "/proc/version", &back).await.unwrap();
    assert_eq!(std::fs::read(&back).unwrap(), std::fs::read("/proc/version").unwrap());
}
