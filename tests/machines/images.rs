//! Layers: captured, stacked, brought from outside, written out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kiln::practice::machine::MachineError;

use super::bench::{Bench, Wish, layer, text};

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_an_image_has_what_both_did() {
    let bench = Bench::real().await;
    let address = bench.launch("i-1", Wish::default()).await;
    bench.says(("root", address), "mkdir -p /srv/one/deep && echo 1 > /srv/one/deep/file; ln /srv/one/deep/file /srv/one/hard; ln -s file /srv/one/deep/link; \
        rm /usr/bin/yes; echo '# mine' >> /etc/profile; mkdir /usr/local/mine; touch /usr/local/mine/x; chmod 1741 /srv/one; mkfifo /srv/one/pipe; \
        rm -rf /usr/local/games; mkdir /usr/local/games; touch -d 2001-01-01 /srv/one/hard; sync").await;
    let size = bench.machines.capture("i-1", &layer("one"), true).await.unwrap();
    assert!(size > 0);
    // It was stopped for it and is up again, its disk untouched.
    bench.told.booted("i-1", 2).await;
    assert_eq!(bench.says(("root", address), "cat /srv/one/deep/file").await, "1");
    let address = bench.launch("i-2", Wish { layers: vec![layer("one")], ..Wish::default() }).await;
    let look = "cat /srv/one/hard; stat -c '%h %a %Y' /srv/one/hard; readlink /srv/one/deep/link; ls /usr/bin/yes 2>&1 | grep -c cannot; tail -n 1 /etc/profile; \
                stat -c '%a %F' /srv/one /srv/one/pipe; ls -A /usr/local/mine /usr/local/games";
    let seen =
        "1\n2 644 978307200\nfile\n1\n# mine\n1741 directory\n644 fifo\n/usr/local/games:\n\n/usr/local/mine:\nx";
    assert_eq!(bench.says(("root", address), look).await, seen);
    // A new instance from an old one's disk: user data and keys are its own.
    assert_eq!(bench.says(("root", address), "cat /var/lib/cloud/data/instance-id").await, "i-2");
    bench.says(("root", address), "echo 2 > /srv/two; rm -r /srv/one/deep; cp /usr/bin/env /usr/bin/yes").await;
    bench.machines.capture("i-2", &layer("two"), false).await.unwrap();
    let address = bench.launch("i-3", Wish { layers: vec![layer("one"), layer("two")], ..Wish::default() }).await;
    assert_eq!(
        bench.says(("root", address), "cat /srv/two; ls /srv/one; yes ls /usr/local/mine").await,
        "2\nhard\npipe\nx"
    );
    assert!(matches!(bench.machines.capture("i-9", &layer("x"), false).await, Err(MachineError::NoMachine(_))));
    for id in ["i-1", "i-2", "i-3"] {
        bench.machines.terminate(id).await.unwrap();
    }
    bench.machines.drop_layer(&layer("two")).await.unwrap();
    let spec = bench.spec("i-4", Wish { layers: vec![layer("one"), layer("two")], ..Wish::default() });
    assert!(matches!(bench.machines.launch(spec, bench.told.clone()).await, Err(MachineError::NoLayer(_))));
    let bad = bench.machines.capture("i-1", &layer("../x"), false).await;
    assert!(bad.is_err());
    bench.machines.close().await;
}

/// Programs with the libraries that they need, as a root file system.
fn small_root(at: &Path) {
    let mut files = BTreeSet::new();
    for program in [
        "bash", "sh", "cat", "id", "ls", "sleep", "echo", "env", "touch", "stat", "mkdir", "uname", "rm", "grep",
        "head", "cut", "setpriv",
    ] {
        let path = PathBuf::from("/usr/bin").join(program);
        let output = std::process::Command::new("ldd").arg(&path).output().unwrap();
        for word in text(&output.stdout).split_whitespace().filter(|word| word.starts_with('/')) {
            files.insert(PathBuf::from(word));
        }
        files.insert(path);
    }
    for file in files {
        // Where a system has one folder for both, so does the image.
        let real = file.parent().unwrap().canonicalize().unwrap();
        for folder in [file.parent().unwrap(), &real] {
            let to = at.join(folder.strip_prefix("/").unwrap());
            std::fs::create_dir_all(&to).unwrap();
            std::fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
        }
    }
    std::fs::create_dir_all(at.join("bin")).unwrap();
    std::fs::copy("/usr/bin/sh", at.join("bin/sh")).unwrap();
    std::fs::copy("/usr/bin/bash", at.join("bin/bash")).unwrap();
    std::fs::create_dir_all(at.join("etc")).unwrap();
    std::fs::write(at.join("etc/os-release"), "ID=tiny\n").unwrap();
    std::fs::write(at.join("etc/passwd"), "root:x:0:0:root:/root:/bin/bash\n").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_system_is_brought_and_written_out_again() {
    let bench = Bench::real().await;
    let tree = bench.folder.path().join("tree");
    small_root(&tree);
    let archive = bench.folder.path().join("tiny.tar.gz");
    let packer = flate2::write::GzEncoder::new(std::fs::File::create(&archive).unwrap(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(packer);
    tar.append_dir_all(".", &tree).unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    let size = bench.machines.import(&archive, &layer("tiny")).await.unwrap();
    assert!(size > 100_000);
    let address = bench.launch("i-1", Wish { layers: vec![layer("tiny")], ..Wish::default() }).await;
    let said = bench
        .says(
            ("ubuntu", address),
            "cat /etc/os-release; sudo touch /made; cloud-init status; test -e /usr/share && echo host; true",
        )
        .await;
    assert_eq!(said, "ID=tiny\nstatus: done");
    bench.machines.capture("i-1", &layer("more"), false).await.unwrap();
    let out = bench.folder.path().join("out.tar");
    bench.machines.export(&[layer("tiny"), layer("more")], &out).await.unwrap();
    let mut archive = tar::Archive::new(std::fs::File::open(&out).unwrap());
    let names: BTreeSet<String> =
        archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect();
    let has = |name: &str| names.contains(name) || names.contains(&format!("./{name}"));
    assert!(has("made") && has("etc/os-release") && has("bin/sh"), "{names:?}");
    // What stands in for programs of a system is in no image.
    assert!(!has("usr/bin/cloud-init") && !has("usr/sbin/reboot"));
    // What was written out can be brought again.
    bench.machines.import(&out, &layer("again")).await.unwrap();
    let address = bench.launch("i-2", Wish { layers: vec![layer("again")], ..Wish::default() }).await;
    assert_eq!(bench.says(("root", address), "ls /made").await, "/made");
    // What is no file system is refused, and nothing of it stays.
    let junk = bench.folder.path().join("junk");
    std::fs::write(&junk, vec![7; 5000]).unwrap();
    assert!(bench.machines.import(&junk, &layer("junk")).await.is_err());
    assert!(
        !bench.folder.path().join("store/layers/junk").exists()
            && !bench.folder.path().join("store/layers/junk.new").exists()
    );
    bench.machines.close().await;
}
