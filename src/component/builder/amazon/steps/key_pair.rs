//! The key that opens the machine: the template's, or a temporary one that is made here and never leaves this host.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use aws_sdk_ec2::primitives::Blob;
use aws_sdk_ec2::types::ResourceType;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::ssh_key::{self, LineEnding};
use russh::keys::{Algorithm, PrivateKey};
use serde_json::json;

use crate::cloud::failure;
use crate::component::builder::amazon::learnt::{KeyPair, name};
use crate::component::builder::amazon::names;
use crate::component::builder::amazon::resource::KEY_PAIR;
use crate::component::builder::amazon::tags::{self, Tags};
use crate::component::builder::amazon::work::Work;
use crate::component::communicator::{CommunicatorConfig, Kind};
use crate::run::{Failure, FailureKind};

/// AWS takes RSA keys of 1024, 2048 and 4096 bits.
const RSA_BITS: usize = 2048;

/// Makes the temporary key pair, or notes the one that exists.
pub async fn provide(work: &Work<'_>, run_tags: &Tags) -> Result<(), Failure> {
    let cx = work.cx;
    let comm = &work.config.communicator;
    if comm.kind() == Kind::None || !needs_temporary(comm) {
        note_existing(work, comm);
        return cx.learn(name::KEY_PAIR, &KeyPair { name: comm.ssh_keypair_name.clone(), file: None }).await;
    }
    let key_name =
        if comm.temporary_key_pair_name.is_empty() { names::temporary() } else { comm.temporary_key_pair_name.clone() };
    cx.say(format!("Creating temporary keypair: {key_name}"));
    let bits = comm.temporary_key_pair_bits.and_then(|b| usize::try_from(b).ok()).filter(|b| *b >= RSA_BITS);
    let rsa = comm.temporary_key_pair_type == "rsa";
    let (comment, folder) = (key_name.clone(), cx.run_dir.join("keys"));
    let made = tokio::task::spawn_blocking(move || make(rsa.then_some(bits.unwrap_or(RSA_BITS)), &comment, &folder));
    let (file, public) = made.await.map_err(|e| Failure::other(format!("the temporary key was not made: {e}")))??;
    let file = file.to_string_lossy().into_owned();

    let given = !comm.temporary_key_pair_name.is_empty();
    let find = json!({ "name": key_name, "file": file, "given": given });
    let key = cx.intend(KEY_PAIR, &key_name, work.region_name(), find).await?;
    let specification = tags::specification(ResourceType::KeyPair, &tags::with(run_tags, tags::kiln(cx)));
    let imported = work
        .ec2()
        .import_key_pair()
        .key_name(&key_name)
        .public_key_material(Blob::new(public))
        .set_tag_specifications(specification.map(|s| vec![s]))
        .send()
        .await
        .map_err(|e| failure(&e, "cannot import the temporary key pair"));
    if given && matches!(&imported, Err(Failure { kind: FailureKind::Aws { .. }, .. })) {
        // AWS refused: a key pair that has the template's name already is somebody else's, and must not be cleaned up.
        cx.released(&key).await?;
        // It is of no use any more, and in a private folder.
        let _ = tokio::fs::remove_file(&file).await;
    }
    let imported = imported?;
    let id = imported.key_pair_id().filter(|id| !id.is_empty()).unwrap_or(&key_name);
    cx.created(&key, id).await?;
    cx.learn(name::KEY_PAIR, &KeyPair { name: key_name, file: Some(file) }).await
}

fn needs_temporary(comm: &CommunicatorConfig) -> bool {
    comm.needs_temporary_key()
        || (!comm.temporary_key_pair_name.is_empty() && comm.ssh_private_key_file.is_empty() && !comm.ssh_agent_auth)
}

fn note_existing(work: &Work<'_>, comm: &CommunicatorConfig) {
    let cx = work.cx;
    if comm.kind() != Kind::Ssh {
        return;
    }
    if !comm.ssh_private_key_file.is_empty() {
        cx.say("Using existing SSH private key");
    } else if comm.ssh_agent_auth && comm.ssh_keypair_name.is_empty() {
        cx.say("Using SSH Agent with key pair in Source AMI");
    } else if comm.ssh_agent_auth {
        cx.say(format!("Using SSH Agent for existing key pair {}", comm.ssh_keypair_name));
    } else {
        cx.say("Not using temporary keypair");
    }
}

/// The private key of the temporary pair, in OpenSSH form.
pub async fn private_key(pair: &KeyPair) -> Result<Option<String>, Failure> {
    let Some(file) = &pair.file else { return Ok(None) };
    tokio::fs::read_to_string(file).await.map(Some).map_err(|e| {
        Failure::other(format!("the temporary private key {file} cannot be read: {e}"))
            .help("it is deleted with its key pair; start the build over")
    })
}

/// Makes a key, writes the private half to a file in `folder` that is on disk when this returns, and gives the file and the
/// public half as an `authorized_keys` line whose comment is the key's name. `rsa`: bits; `None`: ed25519.
fn make(rsa: Option<usize>, name: &str, folder: &Path) -> Result<(PathBuf, Vec<u8>), Failure> {
    let broken = |e: ssh_key::Error| Failure::other(format!("cannot make the temporary key: {e}"));
    let mut random = rand::rng();
    let mut key = match rsa {
        Some(bits) => PrivateKey::new(KeypairData::Rsa(RsaKeypair::random(&mut random, bits).map_err(broken)?), name)
            .map_err(broken)?,
        None => PrivateKey::random(&mut random, Algorithm::Ed25519).map_err(broken)?,
    };
    key.set_comment(name);
    let public = key.public_key().to_openssh().map_err(broken)?;
    let private = key.to_openssh(LineEnding::LF).map_err(broken)?;
    let file = folder.join(file_name(name));
    write_durably(folder, &file, private.as_bytes())
        .map_err(|e| Failure::other(format!("cannot write the temporary private key to {}: {e}", file.display())))?;
    Ok((file, public.into_bytes()))
}

/// A name that a template gave may hold anything; a file's may not.
fn file_name(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let mut file: String = name.chars().map(|c| if safe(c) { c } else { '_' }).take(64).collect();
    if file != name {
        // Two names that differ only in what was replaced must not share a file.
        file.push('-');
        file.push_str(&name.bytes().fold(0u32, |hash, b| hash.rotate_left(5) ^ u32::from(b)).to_string());
    }
    file
}

fn write_durably(folder: &Path, file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut temporary = tempfile::Builder::new().prefix(".key").tempfile_in(folder)?; // made with mode 0600
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file).map_err(|e| e.error)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ed25519_key_is_written_privately_and_can_be_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let (file, public) = make(None, "packer_x", &folder.path().join("keys")).unwrap();
        let private = PrivateKey::from_openssh(std::fs::read(&file).unwrap()).unwrap();
        let line = String::from_utf8(public).unwrap();
        assert!(line.starts_with("ssh-ed25519 ") && line.ends_with(" packer_x"), "{line}");
        assert_eq!(private.public_key().to_openssh().unwrap(), line);
        assert_eq!(crate::os::file_mode::of(&std::fs::metadata(&file).unwrap()) & 0o777, 0o600);
    }

    #[test]
    fn an_rsa_key_is_made_where_the_template_asks_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let (_, public) = make(Some(2048), "packer_x", folder.path()).unwrap();
        assert!(public.starts_with(b"ssh-rsa "));
    }

    #[test]
    fn a_key_name_never_leaves_the_folder() {
        assert_eq!(file_name("packer_6b-0"), "packer_6b-0");
        assert!(!file_name("../x").contains(['/', '.']));
        assert_ne!(file_name("a/b"), file_name("a.b"));
    }
}
