//! Who a request says that it is from. Signatures are asked for and not verified: nobody here knows the secrets.

use axum::http::{HeaderMap, header};

use crate::practice::wire::Refusal;

/// The scope of a request's signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub access_key: String,
    pub region: String,
    pub service: String,
}

/// From the `Authorization` header, or from a pre-signed query.
///
/// # Errors
/// `MissingAuthenticationToken`, `IncompleteSignature`.
pub fn caller(headers: &HeaderMap, form: &[(String, String)]) -> Result<Caller, Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|h| h.to_str().ok());
    let signed = form.iter().find(|(name, _)| name == "X-Amz-Credential").map(|(_, value)| value.as_str());
    let scope = match (header, signed) {
        (Some(header), _) => {
            let mut parts = header.strip_prefix("AWS4-HMAC-SHA256").unwrap_or_default().split(',').map(str::trim);
            let scope = parts.find_map(|p| p.strip_prefix("Credential="));
            let whole = header.contains("SignedHeaders=") && header.contains("Signature=");
            scope.filter(|_| whole).ok_or_else(incomplete)?
        }
        (None, Some(scope)) => scope,
        (None, None) => {
            let text = "Request is missing Authentication Token";
            return Err(Refusal::new("MissingAuthenticationToken", text).status(403));
        }
    };
    match scope.split('/').collect::<Vec<_>>()[..] {
        [key, date, region, service, "aws4_request"] if !key.is_empty() && date.len() == 8 => {
            Ok(Caller { access_key: key.to_owned(), region: region.to_owned(), service: service.to_owned() })
        }
        _ => Err(incomplete()),
    }
}

fn incomplete() -> Refusal {
    Refusal::new(
        "IncompleteSignature",
        "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scope_is_read() {
        let with = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, text.parse().unwrap());
            caller(&headers, &[]).map_err(|e| e.code.into_owned())
        };
        let right =
            "AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-west-1/ec2/aws4_request, SignedHeaders=host, Signature=ab";
        let expected = Caller { access_key: "AKIA".into(), region: "eu-west-1".into(), service: "ec2".into() };
        assert_eq!(with(right), Ok(expected));
        assert_eq!(
            with("AWS4-HMAC-SHA256 Credential=AKIA/x, SignedHeaders=a, Signature=b").unwrap_err(),
            "IncompleteSignature"
        );
        assert_eq!(with("Bearer x").unwrap_err(), "IncompleteSignature");
        assert_eq!(caller(&HeaderMap::new(), &[]).unwrap_err().code, "MissingAuthenticationToken");
    }
}
