//! Folders, both ways, by all means there are.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use kiln::remote::{Communicator, ConnectOptions, RemoteError, TransferMethod};

use crate::sshd::{Sshd, connect_with, never};
use crate::transfers::bytes;

/// A folder with files, folders, an empty one, odd names, a link.
fn make(root: &Path) {
    std::fs::create_dir_all(root.join("sub dir/deep")).unwrap();
    std::fs::create_dir(root.join("empty")).unwrap();
    std::fs::write(root.join("a.txt"), b"a").unwrap();
    std::fs::write(root.join("zero"), b"").unwrap();
    std::fs::write(root.join("it's"), b"quoted").unwrap();
    std::fs::write(root.join("sub dir/run.sh"), bytes(70_000)).unwrap();
    std::fs::write(root.join("sub dir/deep/größe"), bytes(600_000)).unwrap();
    std::fs::write(root.join(format!("sub dir/deep/{}", "long".repeat(40))), b"long").unwrap();
    std::os::unix::fs::symlink("a.txt", root.join("link")).unwrap();
    std::os::unix::fs::symlink("deep", root.join("sub dir/way")).unwrap();
    std::fs::set_permissions(root.join("sub dir/run.sh"), PermissionsExt::from_mode(0o750)).unwrap();
    std::fs::set_permissions(root.join("sub dir"), PermissionsExt::from_mode(0o711)).unwrap();
}

/// Names, modes and contents below a folder, links followed.
fn content(root: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut found = Vec::new();
    let mut left = vec![root.to_path_buf()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::metadata(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let bytes = if metadata.is_dir() { Vec::new() } else { std::fs::read(&path).unwrap() };
            found.push((name, metadata.permissions().mode(), bytes));
            if metadata.is_dir() {
                left.push(path);
            }
        }
    }
    found.sort();
    found
}

async fn send(link: &dyn Communicator, local: &str, remote: &Path) -> Result<(), RemoteError> {
    link.upload_dir(local, remote.to_str().unwrap(), &|_, _| {}, &never()).await
}

/// A link for each way that folders can go: as a stream, over SFTP alone, over SCP.
async fn ways() -> Vec<(Sshd, std::sync::Arc<dyn Communicator>, &'static str)> {
    let (tar, sftp, scp) = (Sshd::start(), Sshd::with("ForceCommand internal-sftp"), Sshd::start());
    let by_tar = tar.connect().await;
    let by_sftp = sftp.connect().await;
    let by_scp = connect_with(ConnectOptions { transfer: TransferMethod::Scp, ..scp.options() }).await;
    vec![(tar, by_tar, "tar"), (sftp, by_sftp, "sftp"), (scp, by_scp, "scp")]
}

#[tokio::test]
async fn without_a_trailing_slash_the_folder_itself_goes_in() {
    for (sshd, link, way) in ways().await {
        let at = sshd.folder.path();
        make(&at.join("from"));
        std::fs::create_dir(at.join("to")).unwrap();
        let from = at.join("from").display().to_string();
        send(&*link, &from, &at.join("to")).await.unwrap_or_else(|error| panic!("{way}: {error}"));
        assert_eq!(content(&at.join("to/from")), content(&at.join("from")), "{way}");
        assert!(std::fs::symlink_metadata(at.join("to/from/link")).unwrap().is_file(), "links are followed");
        // Into what is not there: as `scp -r` and `cp -r` do.
        send(&*link, &from, &at.join("new")).await.unwrap_or_else(|error| panic!("{way}: {error}"));
        assert_eq!(content(&at.join("new")), content(&at.join("from")), "{way}");
    }
}

#[tokio::test]
async fn with_a_trailing_slash_its_contents_go_in() {
    for (sshd, link, way) in ways().await {
        let at = sshd.folder.path();
        make(&at.join("from"));
        std::fs::create_dir_all(at.join("to/sub dir")).unwrap();
        std::fs::write(at.join("to/a.txt"), b"something longer that was there before").unwrap();
        std::fs::set_permissions(at.join("to"), PermissionsExt::from_mode(0o700)).unwrap();
        let from = format!("{}/", at.join("from").display());
        send(&*link, &from, &at.join("to")).await.unwrap_or_else(|error| panic!("{way}: {error}"));
        let (mut there, mut here) = (content(&at.join("to")), content(&at.join("from")));
        // A folder that was there keeps its mode.
        for list in [&mut there, &mut here] {
            list.retain(|(name, ..)| name != "sub dir");
        }
        assert_eq!(there, here, "{way}");
        assert_eq!(std::fs::metadata(at.join("to")).unwrap().permissions().mode() & 0o777, 0o700, "{way}");
        assert_eq!(std::fs::metadata(at.join("to/sub dir")).unwrap().permissions().mode() & 0o777, 0o755, "{way}");
    }
}

#[tokio::test]
async fn names_with_line_breaks_and_without_meaning_as_text_arrive() {
    use std::os::unix::ffi::OsStrExt as _;
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    let at = sshd.folder.path();
    std::fs::create_dir_all(at.join("from/fol\nder")).unwrap();
    std::fs::write(at.join("from/fol\nder/fi\nle"), b"x").unwrap();
    send(&*link, &format!("{}/", at.join("from").display()), &at.join("to")).await.unwrap();
    assert_eq!(content(&at.join("to")), content(&at.join("from")));
    std::fs::remove_dir_all(at.join("from/fol\nder")).unwrap();
    std::fs::write(at.join("from").join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), b"y").unwrap();
    send(&*link, &format!("{}/", at.join("from").display()), &at.join("to2")).await.unwrap();
    assert_eq!(content(&at.join("to2")), content(&at.join("from")));
}

#[tokio::test]
async fn a_link_in_a_circle_and_a_folder_that_is_none_are_named() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    let at = sshd.folder.path();
    std::fs::create_dir(at.join("from")).unwrap();
    std::os::unix::fs::symlink("..", at.join("from/up")).unwrap();
    std::os::unix::fs::symlink(".", at.join("from/self")).unwrap();
    let error = send(&*link, at.join("from").to_str().unwrap(), &at.join("to")).await.unwrap_err();
    assert!(matches!(&error, RemoteError::Local { why, .. } if why.contains("leads back")), "{error}");
    let error = send(&*link, at.join("id").to_str().unwrap(), &at.join("to")).await.unwrap_err();
    assert!(
        matches!(&error, RemoteError::Local { why, .. } if why == "is a directory" || why.contains("not a directory"))
    );
}

#[tokio::test]
async fn a_destination_that_cannot_be_is_named() {
    for (sshd, link, way) in ways().await {
        let at = sshd.folder.path();
        make(&at.join("from"));
        let error = send(&*link, at.join("from").to_str().unwrap(), &at.join("no/such")).await.unwrap_err();
        let text = error.to_string();
        assert!(text.contains("no/such") && text.contains("no such file"), "{way}: {text}");
    }
}

#[tokio::test]
async fn folders_and_patterns_come_back() {
    let sshd = Sshd::start();
    let at = sshd.folder.path();
    make(&at.join("from"));
    for transfer in [TransferMethod::Sftp, TransferMethod::Scp] {
        let link = connect_with(ConnectOptions { transfer, ..sshd.options() }).await;
        let back = at.join(format!("back {transfer:?}"));
        let from = format!("{}/", at.join("from").display());
        link.download_dir(&from, &back, &|_, _| {}, &never())
            .await
            .unwrap_or_else(|error| panic!("{transfer:?}: {error}"));
        let names = |root: &Path| content(root).into_iter().map(|(name, _, bytes)| (name, bytes)).collect::<Vec<_>>();
        assert_eq!(names(&back.join("from")), names(&at.join("from")), "{transfer:?}");
        let some = at.join(format!("some {transfer:?}"));
        let pattern = format!("{}/[az]*", at.join("from").display());
        link.download_dir(&pattern, &some, &|_, _| {}, &never()).await.unwrap();
        assert_eq!(
            names(&some),
            [("a.txt".to_owned(), b"a".to_vec()), ("zero".to_owned(), Vec::new())],
            "{transfer:?}"
        );
        let nothing = format!("{}/nothing*", at.join("from").display());
        let error = link.download_dir(&nothing, &some, &|_, _| {}, &never()).await.unwrap_err();
        assert!(matches!(&error, RemoteError::Remote { .. }), "{transfer:?}: {error}");
    }
}
