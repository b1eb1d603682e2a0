//! Key pairs. The private half of one that is made here is told once and not kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use russh::keys::ssh_key::private::{KeypairData, RsaKeypair};
use russh::keys::ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey};
use serde::{Deserialize, Serialize};
use sha1::{Digest, Sha1};

use super::filter::{self, Filter};
use super::tag::{self, TagSpecification, done};
use super::{Cx, Time, stamp};
use crate::practice::wire::refusal::not_found;
use crate::practice::wire::{Refusal, Xml};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    pub id: String,
    pub name: String,
    pub kind: String,
    pub fingerprint: String,
    /// In OpenSSH's form, without a comment.
    pub public: String,
    pub made: Time,
}

/// A key pair's two halves: made beforehand, since that takes time and chance.
#[derive(Clone)]
pub struct Material {
    /// As `CreateKeyPair` tells it.
    pub private: String,
    public: String,
    fingerprint: String,
}

impl Material {
    /// `kind`: `ed25519`, or `rsa` of 2048 bits as a PKCS#1 PEM.
    ///
    /// # Errors
    /// When no key can be made; in words.
    pub fn generate(kind: &str) -> Result<Self, String> {
        let broken = |e: russh::keys::ssh_key::Error| format!("cannot make a key: {e}");
        let mut random = rand::rng();
        if kind == "ed25519" {
            let key = PrivateKey::random(&mut random, Algorithm::Ed25519).map_err(broken)?;
            let private = key.to_openssh(LineEnding::LF).map_err(broken)?.to_string();
            let public = key.public_key().to_openssh().map_err(broken)?;
            return Ok(Self { private, fingerprint: sha256_of(key.public_key()), public });
        }
        let key = RsaKeypair::random(&mut random, 2048).map_err(broken)?;
        let key = PrivateKey::new(KeypairData::Rsa(key), "").map_err(broken)?;
        let mut pem = Vec::new();
        russh::keys::encode_pkcs8_pem(&key, &mut pem).map_err(|e| format!("cannot write a key: {e}"))?;
        let pem = String::from_utf8_lossy(&pem);
        let body: String = pem.lines().filter(|l| !l.starts_with("-----")).collect();
        let pkcs8 = STANDARD.decode(body).map_err(|e| format!("cannot read a key: {e}"))?;
        // PKCS#8 ends with the PKCS#1 key: SEQUENCE { INTEGER, SEQUENCE, OCTET STRING { … } }, the latter two lengths long.
        let start = pkcs8.windows(2).skip(20).position(|w| w == [0x30, 0x82]).map(|i| i + 20);
        let pkcs1 = start.map(|i| &pkcs8[i..]).ok_or("cannot read a key")?;
        let text = STANDARD.encode(pkcs1);
        let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|c| std::str::from_utf8(c).ok()).collect();
        Ok(Self {
            private: format!("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----", lines.join("\n")),
            public: key.public_key().to_openssh().map_err(broken)?,
            fingerprint: colons(&Sha1::digest(&pkcs8)),
        })
    }
}

fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}

fn sha256_of(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string().trim_start_matches("SHA256:").to_owned() + "="
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct CreateKeyPair {
    key_name: String,
    key_type: Option<String>,
    key_format: Option<String>,
    tag_specification: Vec<TagSpecification>,
}

fn checked_name(cx: &mut Cx<'_>, name: &str) -> Result<(), Refusal> {
    if name.len() > 255 || !name.is_ascii() {
        return Err(Refusal::new("InvalidKeyPair.Format", "Key names have up to 255 ASCII characters."));
    }
    if cx.here().key_pairs.contains_key(name) {
        return Err(Refusal::new("InvalidKeyPair.Duplicate", format!("The keypair '{name}' already exists.")));
    }
    if cx.here().key_pairs.len() >= 5000 {
        return Err(Refusal::limit("KeyPairLimitExceeded", "The maximum number of key pairs has been reached."));
    }
    Ok(())
}

pub fn create_key_pair(cx: &mut Cx<'_>, input: CreateKeyPair) -> Result<Xml, Refusal> {
    let tags = tag::specified(&input.tag_specification, "key-pair", &["key-pair"])?;
    checked_name(cx, &input.key_name)?;
    if input.key_format.as_deref() == Some("ppk") {
        return Err(Refusal::invalid("The practice cloud gives keys as `pem`, not as `ppk`"));
    }
    let material = cx.outside.key.cloned().ok_or_else(|| Refusal::internal("no key was made for this call"))?;
    let pair = KeyPair {
        id: cx.mint("key"),
        name: input.key_name,
        kind: input.key_type.unwrap_or_else(|| "rsa".to_owned()),
        fingerprint: material.fingerprint,
        public: material.public,
        made: cx.now,
    };
    let mut x = Xml::new();
    x.text("keyName", &pair.name).text("keyFingerprint", &pair.fingerprint).text("keyMaterial", &material.private);
    x.text("keyPairId", &pair.id);
    tag::write(&mut x, Some(&tags));
    let here = cx.here();
    here.tag(&pair.id, &tags);
    here.key_pairs.insert(pair.name.clone(), pair);
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ImportKeyPair {
    key_name: String,
    public_key_material: String,
    tag_specification: Vec<TagSpecification>,
}

pub fn import_key_pair(cx: &mut Cx<'_>, input: ImportKeyPair) -> Result<Xml, Refusal> {
    let tags = tag::specified(&input.tag_specification, "key-pair", &["key-pair"])?;
    checked_name(cx, &input.key_name)?;
    let bad = || Refusal::new("InvalidKey.Format", "Key is not in valid OpenSSH public key format");
    let text =
        STANDARD.decode(&input.public_key_material).ok().and_then(|b| String::from_utf8(b).ok()).ok_or_else(bad)?;
    let key = PublicKey::from_openssh(text.trim()).map_err(|_| bad())?;
    let (kind, fingerprint) = match key.algorithm() {
        Algorithm::Ed25519 => ("ed25519", sha256_of(&key)),
        Algorithm::Rsa { .. } => ("rsa", colons(&Md5::digest(key.to_bytes().map_err(|_| bad())?))),
        _ => return Err(bad()),
    };
    let pair = KeyPair {
        id: cx.mint("key"),
        name: input.key_name,
        kind: kind.to_owned(),
        fingerprint,
        public: PublicKey::new(key.key_data().clone(), "").to_openssh().map_err(|_| bad())?,
        made: cx.now,
    };
    let mut x = Xml::new();
    x.text("keyName", &pair.name).text("keyFingerprint", &pair.fingerprint).text("keyPairId", &pair.id);
    tag::write(&mut x, Some(&tags));
    let here = cx.here();
    here.tag(&pair.id, &tags);
    here.key_pairs.insert(pair.name.clone(), pair);
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct OneKeyPair {
    key_name: Option<String>,
    key_pair_id: Option<String>,
}

/// That it is gone already is a success, as in EC2.
pub fn delete_key_pair(cx: &mut Cx<'_>, input: OneKeyPair) -> Result<Xml, Refusal> {
    let here = cx.here();
    let (name, id) = (input.key_name.unwrap_or_default(), input.key_pair_id.unwrap_or_default());
    if name.is_empty() && id.is_empty() {
        return Err(Refusal::missing("KeyName"));
    }
    let found = here.key_pairs.values().find(|k| k.name == name || k.id == id).cloned();
    let mut x = done();
    if let Some(pair) = found {
        here.key_pairs.remove(&pair.name);
        here.untag(&pair.id);
        x.text("keyPairId", pair.id);
    }
    Ok(x)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DescribeKeyPairs {
    key_name: Vec<String>,
    key_pair_id: Vec<String>,
    include_public_key: bool,
    filter: Vec<Filter>,
}

pub fn describe_key_pairs(cx: &mut Cx<'_>, input: DescribeKeyPairs) -> Result<Xml, Refusal> {
    filter::check(&input.filter, &["fingerprint", "key-name", "key-pair-id"])?;
    let here = cx.here();
    for name in &input.key_name {
        if !here.key_pairs.contains_key(name) {
            return Err(not_found_by_name(name));
        }
    }
    for id in &input.key_pair_id {
        here.key_pairs.values().find(|k| k.id == *id).ok_or_else(|| not_found(id))?;
    }
    let found = here.key_pairs.values().filter(|k| {
        let attribute = |name: &str| match name {
            "fingerprint" => vec![k.fingerprint.clone()],
            "key-name" => vec![k.name.clone()],
            "key-pair-id" => vec![k.id.clone()],
            _ => Vec::new(),
        };
        (input.key_name.is_empty() || input.key_name.contains(&k.name))
            && (input.key_pair_id.is_empty() || input.key_pair_id.contains(&k.id))
            && filter::all_hold(&input.filter, here.tags(&k.id), &attribute)
    });
    let mut x = Xml::new();
    x.list("keySet", found, |x, k| {
        x.text("keyPairId", &k.id)
            .text("keyName", &k.name)
            .text("keyFingerprint", &k.fingerprint)
            .text("keyType", &k.kind);
        x.text("createTime", stamp(k.made)).opt("publicKey", input.include_public_key.then_some(&k.public));
        tag::write(x, here.tags(&k.id));
    });
    Ok(x)
}

pub fn not_found_by_name(name: &str) -> Refusal {
    Refusal::new("InvalidKeyPair.NotFound", format!("The key pair '{name}' does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_can_be_read_by_others() {
        let rsa = Material::generate("rsa").unwrap();
        let read = russh::keys::decode_secret_key(&rsa.private, None).unwrap();
        assert_eq!(read.public_key().to_openssh().unwrap(), rsa.public);
        assert_eq!(rsa.fingerprint.len(), 59);
        let ed = Material::generate("ed25519").unwrap();
        let read = russh::keys::decode_secret_key(&ed.private, None).unwrap();
        assert_eq!(read.public_key().to_openssh().unwrap(), ed.public);
    }
}
