#![allow(clippy::needless_pass_by_value, reason = "`json!` reads best in the call")]

use std::io::Read;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::component::testing::context;
use crate::run::Image;

/// 200,000 bytes that do not compress to nothing: several blocks of every method.
fn content() -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..200_000).map(|_| next()).collect()
}

async fn pack(folder: &Path, config: Json, files: &[&str]) -> Result<PostProcessed, Failure> {
    let (cx, _) = context(folder);
    let input = Artifact { files: listed(files.iter().map(|f| (*f).to_owned()), folder), ..Artifact::default() };
    Compress.run(&config, &input, &cx).await
}

fn unpacked(folder: &Path, name: &str) -> Vec<u8> {
    let bytes = std::fs::read(folder.join(name)).unwrap();
    let mut out = Vec::new();
    match name.rsplit('.').next().unwrap() {
        "gz" | "bgzf" => flate2::read::MultiGzDecoder::new(&*bytes).read_to_end(&mut out).unwrap(),
        "bzip2" => bzip2::read::BzDecoder::new(&*bytes).read_to_end(&mut out).unwrap(),
        "xz" => xz2::read::XzDecoder::new(&*bytes).read_to_end(&mut out).unwrap(),
        "lz4" => lz4_flex::frame::FrameDecoder::new(&*bytes).read_to_end(&mut out).unwrap(),
        _ => return bytes,
    };
    out
}

#[test]
fn the_name_says_how() {
    let method = |name: &str| {
        let method = Method::of(name);
        (method.archive, method.algorithm)
    };
    assert_eq!(method("a.tar"), (Some(Archive::Tar), None));
    assert_eq!(method("a.tar.gz"), (Some(Archive::Tar), Some(Algorithm::Gzip)));
    assert_eq!(method("a.tar.xz"), (Some(Archive::Tar), Some(Algorithm::Xz)));
    assert_eq!(method("a.zip"), (Some(Archive::Zip), None));
    assert_eq!(method("d.tar/a.lz4"), (None, Some(Algorithm::Lz4)));
    assert_eq!(method("a.bgzf"), (None, Some(Algorithm::Bgzf)));
    assert_eq!(method("packer_web_null"), (Some(Archive::Tar), Some(Algorithm::Gzip)));
    assert_eq!(method("a.img"), (Some(Archive::Tar), Some(Algorithm::Gzip)));
}

#[tokio::test]
async fn one_file_comes_back_from_every_method_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("in"), content()).unwrap();
    for name in ["o.gz", "o.bgzf", "o.bzip2", "o.xz", "o.lz4"] {
        let done = pack(folder.path(), json!({"output": name, "compression_level": 12}), &["in"]).await.unwrap();
        assert!(unpacked(folder.path(), name) == content(), "{name}");
        let artifact = done.artifact.unwrap();
        assert_eq!(artifact.description, format!("compressed artifacts in: {name}"));
        assert_eq!(artifact.files[0].size, std::fs::metadata(folder.path().join(name)).unwrap().len());
        assert!(!done.keep && !done.force_keep);
    }
}

#[tokio::test]
async fn archives_hold_the_files_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("d")).unwrap();
    for (name, text) in [("d/one", "1"), ("two", "22")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    for (name, format) in [("o.tar", ""), ("o.tar.gz", ""), ("o", ""), ("p", "tar.xz"), ("o.tar.bgzf", "")] {
        let config = json!({"output": name, "format": format});
        pack(folder.path(), config, &["d/one", "two"]).await.unwrap();
        let whole = match name {
            "o" => {
                std::fs::rename(folder.path().join("o"), folder.path().join("q.gz")).unwrap();
                unpacked(folder.path(), "q.gz")
            }
            "p" => {
                std::fs::rename(folder.path().join("p"), folder.path().join("q.xz")).unwrap();
                unpacked(folder.path(), "q.xz")
            }
            name => unpacked(folder.path(), name),
        };
        let mut archive = tar::Archive::new(&*whole);
        let held: Vec<(String, String)> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let mut entry = entry.unwrap();
                let mut text = String::new();
                entry.read_to_string(&mut text).unwrap();
                (entry.path().unwrap().display().to_string(), text)
            })
            .collect();
        assert_eq!(held, [("one".into(), "1".into()), ("two".into(), "22".into())], "{name}");
    }
    pack(folder.path(), json!({"output": "o.zip"}), &["d/one", "two"]).await.unwrap();
    let mut archive = zip::ZipArchive::new(std::fs::File::open(folder.path().join("o.zip")).unwrap()).unwrap();
    let mut text = String::new();
    archive.by_name("two").unwrap().read_to_string(&mut text).unwrap();
    assert_eq!((archive.len(), text.as_str()), (2, "22"));
}

#[tokio::test]
async fn files_of_one_name_go_in_by_their_paths() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("f"), name).unwrap();
    }
    pack(folder.path(), json!({"output": "o.tar"}), &["a/f", "./b/f"]).await.unwrap();
    let whole = unpacked(folder.path(), "o.tar");
    let mut archive = tar::Archive::new(&*whole);
    let names: Vec<_> = archive.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
    assert_eq!(names, ["a/f", "b/f"]);
}

#[tokio::test]
async fn two_files_need_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        std::fs::write(folder.path().join(name), name).unwrap();
    }
    let failure = pack(folder.path(), json!({"output": "o.gz"}), &["a", "b"]).await.err().unwrap();
    assert_eq!(failure.message, "`o.gz` can hold only one file, and there are 2");
    assert!(!folder.path().join("o.gz").exists());
}

#[tokio::test]
async fn a_missing_input_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let failure = pack(folder.path(), json!({"output": "o.tar.gz"}), &["nope"]).await.err().unwrap();
    assert!(failure.message.starts_with("o.tar.gz cannot be packed: nope:"), "{}", failure.message);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn an_image_is_not_given_up_for_an_archive_of_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut cx, _) = context(folder.path());
    let image = Image { region: "r".into(), id: "ami-1".into(), name: "n".into(), snapshots: Vec::new() };
    let input = Artifact { images: vec![image], ..Artifact::default() };
    let failure = Compress.run(&json!({}), &input, &cx).await.err().unwrap();
    assert!(failure.message.contains("would deregister the images"));
    assert!(Compress.destroys_input(&json!({}), None) && !Compress.destroys_input(&json!({}), Some(true)));
    cx.step.meta.keep_input_artifact = Some(true);
    let done = Compress.run(&json!({}), &input, &cx).await.unwrap();
    assert_eq!((done.artifact, done.keep), (Some(input), true));
}
