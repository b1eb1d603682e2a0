//! JSON, CSV, base64, URLs, and texts in other encodings.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::Encoding;

use super::{Call, Called, Function, FunctionError, Wish, function, takes, takes_null, within_limit};
use crate::template::hcl::value::{Value, json};

mod csv;

const TEXT: &[super::Parameter] = &[takes("str", Wish::String)];

pub(super) const FUNCTIONS: &[Function] = &[
    function("base64decode", TEXT, Wish::String, |c| {
        String::from_utf8(base64(c.text(0))?).map(Value::from).map_err(|_| {
            FunctionError::at(0, "what it holds is no UTF-8 text; `textdecodebase64` reads other encodings")
        })
    }),
    function("base64encode", TEXT, Wish::String, |c| Ok(STANDARD.encode(c.text(0)).into())),
    function("base64gzip", TEXT, Wish::String, base64gzip),
    function("csvdecode", TEXT, Wish::Any, |c| csv::decode(c.text(0)).map_err(|why| FunctionError::at(0, why))),
    function("jsondecode", TEXT, Wish::Any, |c| {
        json::decode(c.text(0)).map_err(|e| FunctionError::at(0, format!("this is no JSON: {e}")))
    }),
    function("jsonencode", &[takes_null("val", Wish::Any)], Wish::String, |c| {
        let text = json::encode(c.value(0));
        text.map(Value::from).ok_or_else(|| FunctionError::at(0, "this is too large to write as JSON"))
    }),
    function(
        "textdecodebase64",
        &[takes("source", Wish::String), takes("encoding", Wish::String)],
        Wish::String,
        |c| {
            let bytes = base64(c.text(0))?;
            let text = Coding::find(c.text(1))?.decode(&bytes);
            text.map(Value::from)
                .ok_or_else(|| FunctionError::at(0, format!("what it holds is no text in {}", c.text(1))))
        },
    ),
    function(
        "textencodebase64",
        &[takes("string", Wish::String), takes("encoding", Wish::String)],
        Wish::String,
        |c| {
            let bytes = Coding::find(c.text(1))?.encode(c.text(0));
            let bytes = bytes
                .ok_or_else(|| FunctionError::at(0, format!("it holds characters that {} does not have", c.text(1))))?;
            Ok(STANDARD.encode(bytes).into())
        },
    ),
    function("urlencode", TEXT, Wish::String, |c| Ok(urlencode(c.text(0)).into())),
];

/// Line ends do not count, as in Go.
fn base64(text: &str) -> Result<Vec<u8>, FunctionError> {
    STANDARD
        .decode(text.replace(['\r', '\n'], ""))
        .map_err(|e| FunctionError::at(0, format!("this is no base64: {}", e.to_string().to_lowercase())))
}

fn base64gzip(call: &Call<'_>) -> Called {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let bytes = gzip.write_all(call.text(0).as_bytes()).and_then(|()| gzip.finish());
    let bytes = bytes.map_err(|e| FunctionError::new(format!("it cannot be compressed: {e}")))?;
    Ok(STANDARD.encode(bytes).into())
}

/// As a part of a query: a space is `+`.
fn urlencode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

/// An encoding, by the names of IANA's list.
enum Coding {
    Ascii,
    Latin1,
    /// Little-endian, with a byte order mark.
    Utf16 {
        little: bool,
        mark: bool,
    },
    Other(&'static Encoding),
}

impl Coding {
    fn find(name: &str) -> Result<Self, FunctionError> {
        Ok(match name.to_ascii_lowercase().as_str() {
            "us-ascii" | "ascii" | "iso646-us" | "ansi_x3.4-1968" => Self::Ascii,
            "iso-8859-1" | "iso_8859-1" | "latin1" | "l1" | "iso_8859-1:1987" | "csisolatin1" => Self::Latin1,
            "utf-16le" => Self::Utf16 { little: true, mark: false },
            "utf-16be" => Self::Utf16 { little: false, mark: false },
            "utf-16" => Self::Utf16 { little: false, mark: true },
            name => Encoding::for_label_no_replacement(name.as_bytes()).map(Self::Other).ok_or_else(|| {
                FunctionError::at(1, "no encoding of this name is known; such as `UTF-16LE` and `windows-1252` are")
            })?,
        })
    }

    /// `None` where a character cannot be written in it.
    fn encode(&self, text: &str) -> Option<Vec<u8>> {
        match self {
            Self::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec()),
            Self::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
            Self::Utf16 { little, mark } => {
                let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
                Some(units.flat_map(|u| if *little { u.to_le_bytes() } else { u.to_be_bytes() }).collect())
            }
            Self::Other(encoding) => {
                let (bytes, _, replaced) = encoding.encode(text);
                (!replaced).then(|| bytes.into_owned())
            }
        }
    }

    /// `None` where the bytes mean nothing in it.
    fn decode(&self, bytes: &[u8]) -> Option<String> {
        match self {
            Self::Ascii => bytes.is_ascii().then(|| bytes.iter().copied().map(char::from).collect()),
            Self::Latin1 => Some(bytes.iter().copied().map(char::from).collect()),
            Self::Utf16 { little, mark } => {
                let (mut little, mut bytes) = (*little, bytes);
                if *mark {
                    little = bytes.starts_with(&[0xff, 0xfe]);
                    bytes = bytes.strip_prefix(&[0xff, 0xfe]).or(bytes.strip_prefix(&[0xfe, 0xff])).unwrap_or(bytes);
                }
                let units = bytes.chunks(2).map(|pair| <[u8; 2]>::try_from(pair).ok());
                let units: Option<Vec<u16>> = units
                    .map(|p| p.map(|p| if little { u16::from_le_bytes(p) } else { u16::from_be_bytes(p) }))
                    .collect();
                String::from_utf16(&units?).ok()
            }
            Self::Other(encoding) => {
                let (text, wrong) = encoding.decode_without_bom_handling(bytes);
                (!wrong && within_limit(text.len()).is_ok()).then(|| text.into_owned())
            }
        }
    }
}
