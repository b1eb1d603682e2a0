//! Hashes, identifiers, and a little cryptography.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use sha2::Digest;

use super::{Call, Called, Function, FunctionError, Wish, function, takes};

const TEXT: &[super::Parameter] = &[takes("str", Wish::String)];

pub(super) const FUNCTIONS: &[Function] = &[
    function("bcrypt", TEXT, Wish::String, bcrypt).and(takes("cost", Wish::Number)),
    function("md5", TEXT, Wish::String, |c| Ok(hex(&md5::Md5::digest(c.text(0))).into())),
    function("rsadecrypt", &[takes("ciphertext", Wish::String), takes("privatekey", Wish::String)], Wish::String, rsa),
    function("sha1", TEXT, Wish::String, |c| Ok(hex(&sha1::Sha1::digest(c.text(0))).into())),
    function("sha256", TEXT, Wish::String, |c| Ok(hex(&sha2::Sha256::digest(c.text(0))).into())),
    function("sha512", TEXT, Wish::String, |c| Ok(hex(&sha2::Sha512::digest(c.text(0))).into())),
    function("uuidv4", &[], Wish::String, |c| {
        let [bytes, _] = halves(&c.world.random());
        Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string().into())
    }),
    function("uuidv5", &[takes("namespace", Wish::String), takes("name", Wish::String)], Wish::String, uuidv5),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn halves(bytes: &[u8; 32]) -> [[u8; 16]; 2] {
    let half = |from: usize| std::array::from_fn(|i| bytes[from + i]);
    [half(0), half(16)]
}

fn uuidv5(call: &Call<'_>) -> Called {
    let namespace = match call.text(0) {
        "dns" => uuid::Uuid::NAMESPACE_DNS,
        "url" => uuid::Uuid::NAMESPACE_URL,
        "oid" => uuid::Uuid::NAMESPACE_OID,
        "x500" => uuid::Uuid::NAMESPACE_X500,
        other => other.parse().ok().filter(|_| other.len() == 36).ok_or_else(|| {
            FunctionError::at(0, "the namespace must be `dns`, `url`, `oid`, `x500` or a UUID of 36 characters")
        })?,
    };
    let mut hash = sha1::Sha1::new();
    hash.update(namespace.as_bytes());
    hash.update(call.text(1));
    let hash = hash.finalize();
    let bytes = std::array::from_fn(|i| hash[i]);
    Ok(uuid::Builder::from_sha1_bytes(bytes).into_uuid().to_string().into())
}

/// Each step doubles the time; this one takes about a second.
const MAX_COST: u32 = 14;

const DEFAULT_COST: u32 = 10;

/// bcrypt's own alphabet.
const BCRYPT: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::BCRYPT, GeneralPurposeConfig::new().with_encode_padding(false));

/// Its salt is of the run's seed, so that the same run gives the same hash.
fn bcrypt(call: &Call<'_>) -> Called {
    let cost = match call.arguments.len() {
        1 => i64::from(DEFAULT_COST),
        2 => call.integer(1)?,
        _ => return Err(FunctionError::at(2, "it takes a string and at most a cost")),
    };
    // As Go: less than the least is the default.
    let cost = if cost < 4 { DEFAULT_COST } else { u32::try_from(cost).unwrap_or(u32::MAX) };
    if cost > MAX_COST {
        return Err(FunctionError::at(1, format!("the cost may be up to {MAX_COST}: each step doubles the time")));
    }
    let password = call.text(0).as_bytes();
    if password.len() > 72 {
        return Err(FunctionError::at(0, "bcrypt takes up to 72 bytes"));
    }
    let [salt, _] = halves(&call.world.random());
    Ok(bcrypt_of(password, cost, &salt).into())
}

fn bcrypt_of(password: &[u8], cost: u32, salt: &[u8; 16]) -> String {
    let key: Vec<u8> = password.iter().copied().chain([0]).collect();
    let mut state: blowfish::Blowfish = blowfish::Blowfish::bc_init_state();
    state.salted_expand_key(salt, &key);
    for _ in 0..1_u32 << cost {
        state.bc_expand_key(&key);
        state.bc_expand_key(salt);
    }
    // "OrpheanBeholderScryDoubt".
    let mut words = [0x4f72_7068, 0x6561_6e42, 0x6568_6f6c, 0x6465_7253, 0x6372_7944, 0x6f75_6274];
    for pair in words.chunks_exact_mut(2) {
        for _ in 0..64 {
            [pair[0], pair[1]] = state.bc_encrypt([pair[0], pair[1]]);
        }
    }
    let hash: Vec<u8> = words.iter().flat_map(|w: &u32| w.to_be_bytes()).take(23).collect();
    format!("$2a${cost:02}${}{}", BCRYPT.encode(salt), BCRYPT.encode(hash))
}

fn rsa(call: &Call<'_>) -> Called {
    use rsa::RsaPrivateKey;
    use rsa::pkcs1::DecodeRsaPrivateKey;
    use rsa::pkcs8::DecodePrivateKey;

    let ciphertext = STANDARD
        .decode(call.text(0).replace(['\r', '\n'], ""))
        .map_err(|_| FunctionError::at(0, "the ciphertext must be in base64"))?;
    let pem = call.text(1);
    if pem.contains("BEGIN OPENSSH PRIVATE KEY") {
        let message = "a key in PEM is required; `ssh-keygen -p -m PEM -f FILE` rewrites one of OpenSSH so";
        return Err(FunctionError::at(1, message));
    }
    let key = RsaPrivateKey::from_pkcs1_pem(pem.trim()).or_else(|_| RsaPrivateKey::from_pkcs8_pem(pem.trim()));
    let key = key.map_err(|_| FunctionError::at(1, "this is no RSA private key in PEM, or it has a passphrase"))?;
    let plain = key.decrypt(rsa::Pkcs1v15Encrypt, &ciphertext).map_err(|_| {
        FunctionError::at(0, "it could not be decrypted: is it encrypted for this key, with PKCS #1 1.5?")
    })?;
    let text = String::from_utf8(plain).map_err(|_| FunctionError::at(0, "what it decrypts to is no text"))?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::hcl::function::{World, call};
    use crate::template::inputs::Inputs;

    #[test]
    fn bcrypt_gives_the_hashes_of_others() {
        // Published with crypt_blowfish.
        let salt = std::array::from_fn(|i| [0x10, 0x41, 0x04][i % 3]);
        let expected = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        assert_eq!(bcrypt_of(b"U*U", 5, &salt), expected);
        let expected = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy";
        assert_eq!(bcrypt_of(b"", 5, &salt), expected);
    }

    #[test]
    fn rsa_decrypts_what_was_encrypted_for_the_key() {
        use rsa::pkcs1::EncodeRsaPrivateKey;

        let mut random = rand::rng();
        let key = rsa::RsaPrivateKey::new(&mut random, 1024).unwrap();
        let encrypted = key.to_public_key().encrypt(&mut random, rsa::Pkcs1v15Encrypt, b"hello").unwrap();
        let pem = key.to_pkcs1_pem(rsa::pkcs1::LineEnding::LF).unwrap();
        let inputs = Inputs::default();
        let world = World::new(&inputs, "test");
        let ciphertext = STANDARD.encode(encrypted);
        let decrypted = call("rsadecrypt", &[ciphertext.into(), pem.as_str().into()], &world);
        assert_eq!(decrypted, Ok("hello".into()));
        let wrong = call("rsadecrypt", &["aGVsbG8=".into(), pem.as_str().into()], &world).unwrap_err();
        assert_eq!(wrong.argument, Some(0));
    }
}
