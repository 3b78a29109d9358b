//! Webhooks: whether a request is signed, and the key of its delivery. Knows no workflows and no
//! store.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use workflow_core::definition::SignatureScheme;

/// How far the clocks of sender and server may differ.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The most signatures that a request may carry, while its sender changes secrets.
const MOST_SIGNATURES: usize = 8;

/// The longest ID of a delivery, in bytes.
const LONGEST_ID: usize = 128;

/// The shortest secret, in bytes.
const SHORTEST_SECRET: usize = 16;

/// Finds the secrets of webhooks by name.
#[derive(Clone)]
pub(crate) struct WebhookSecrets(Arc<Find>);

type Find = dyn Fn(&str) -> Option<String> + Send + Sync;

impl WebhookSecrets {
    pub(crate) fn new(find: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// Returns the secret with this name.
    ///
    /// # Errors
    ///
    /// Fails if there is none, or if it is not one for this scheme.
    pub(crate) fn find(&self, name: &str, scheme: SignatureScheme) -> Result<Secret, SecretError> {
        let text = (self.0)(name).ok_or(SecretError::Missing)?;
        let bytes = match scheme {
            SignatureScheme::Standard => {
                let encoded = text.strip_prefix("whsec_").ok_or(SecretError::Form)?;
                BASE64_STANDARD.decode(encoded).map_err(|_| SecretError::Form)?
            }
            _ => text.into_bytes(),
        };
        match bytes.len() >= SHORTEST_SECRET {
            true => Ok(Secret { key: bytes, is_decoy: false }),
            false => Err(SecretError::Short),
        }
    }
}

impl Default for WebhookSecrets {
    /// The secrets are in the environment.
    fn default() -> Self {
        Self::new(|name| std::env::var(format!("{VARIABLE}{name}")).ok())
    }
}

/// How the names of environment variables with secrets of webhooks begin.
const VARIABLE: &str = "WORKFLOW_WEBHOOK_";

impl fmt::Debug for WebhookSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecrets")
    }
}

/// A secret of a webhook.
pub(crate) struct Secret {
    key: Vec<u8>,
    is_decoy: bool,
}

impl Secret {
    /// Stands for the secret of a webhook that does not exist, so that its check takes roughly as
    /// long as that of another one. Nothing that it signs is accepted.
    pub(crate) fn decoy() -> Self {
        Self { key: vec![0; 32], is_decoy: true }
    }
}

/// Why there is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SecretError {
    #[error(
        "the secret is not set; set `WORKFLOW_WEBHOOK_<NAME>` in the environment of the server"
    )]
    Missing,
    #[error("the secret must be `whsec_` followed by base64")]
    Form,
    #[error("the secret is shorter than {SHORTEST_SECRET} bytes; choose a longer one")]
    Short,
}

/// A request to a webhook.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery<'a> {
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) now: SystemTime,
}

/// Why a request is not accepted: for the log, never for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Rejection {
    #[error("a header of the signature is missing or malformed")]
    Header,
    #[error("its timestamp differs by more than 5 minutes from the clock of the server")]
    Timestamp,
    #[error("its signature is wrong")]
    Signature,
}

impl Delivery<'_> {
    /// Verifies the signature, in a time that does not depend on where it differs. Returns the key
    /// of the delivery: the same if the same delivery is sent again.
    ///
    /// # Errors
    ///
    /// Fails if the request is not signed with the secret.
    pub(crate) fn verify(
        self,
        scheme: SignatureScheme,
        secret: &Secret,
    ) -> Result<String, Rejection> {
        let key = match scheme {
            SignatureScheme::Standard => self.verify_standard(secret),
            _ => self.verify_github(secret),
        };
        key.and_then(|key| if secret.is_decoy { Err(Rejection::Signature) } else { Ok(key) })
    }

    fn verify_github(self, secret: &Secret) -> Result<String, Rejection> {
        // First, so that the time does not depend on the headers.
        let mac = secret.mac([self.body]);
        let signature = self.header("x-hub-signature-256")?;
        let signature = signature.strip_prefix("sha256=").and_then(bytes_of_hex);
        mac.verify_slice(&signature.ok_or(Rejection::Header)?).map_err(|_| Rejection::Signature)?;
        // The headers are not signed: whoever repeats the request can change the ID in them.
        let digest = Sha256::digest(self.body);
        Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn verify_standard(self, secret: &Secret) -> Result<String, Rejection> {
        let headers = self.standard_headers();
        let (id, timestamp) =
            headers.as_ref().map_or(("", ""), |headers| (headers.id, headers.timestamp));
        // Also without headers, so that the time does not depend on them.
        let mac = secret.mac([id.as_bytes(), b".", timestamp.as_bytes(), b".", self.body]);
        let StandardHeaders { id, seconds, signatures, .. } = headers?;
        let given = signatures.split(' ').take(MOST_SIGNATURES);
        let given = given.filter_map(|one| BASE64_STANDARD.decode(one.strip_prefix("v1,")?).ok());
        if !given.into_iter().any(|signature| mac.clone().verify_slice(&signature).is_ok()) {
            return Err(Rejection::Signature);
        }
        let sent = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        let sent = sent.ok_or(Rejection::Timestamp)?;
        let apart = match self.now.duration_since(sent) {
            Ok(age) => age,
            Err(ahead) => ahead.duration(),
        };
        if apart > TOLERANCE {
            return Err(Rejection::Timestamp);
        }
        Ok(id.to_owned())
    }

    fn standard_headers(&self) -> Result<StandardHeaders<'_>, Rejection> {
        let id = self.header("webhook-id")?;
        let timestamp = self.header("webhook-timestamp")?;
        let signatures = self.header("webhook-signature")?;
        let is_id = (1..=LONGEST_ID).contains(&id.len());
        if !is_id || !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Rejection::Header);
        }
        let seconds = timestamp.parse().map_err(|_| Rejection::Header)?;
        Ok(StandardHeaders { id, timestamp, seconds, signatures })
    }

    /// The only value of a header, as text.
    fn header(&self, name: &str) -> Result<&str, Rejection> {
        let mut values = self.headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().map_err(|_| Rejection::Header),
            _ => Err(Rejection::Header),
        }
    }
}

/// The headers of Standard Webhooks.
struct StandardHeaders<'a> {
    id: &'a str,
    /// As it is signed.
    timestamp: &'a str,
    /// The timestamp, in seconds since 1970.
    seconds: u64,
    signatures: &'a str,
}

impl Secret {
    fn mac<const N: usize>(&self, parts: [&[u8]; N]) -> Hmac<Sha256> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

/// Reads 64 hexadecimal digits.
fn bytes_of_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 2 * bytes.len() || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).ok()?;
        *byte = u8::from_str_radix(digits, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers<const N: usize>(of: [(&'static str, &str); N]) -> HeaderMap {
        of.into_iter()
            .map(|(name, value)| {
                let name = axum::http::HeaderName::from_static(name);
                (name, value.parse().expect("a header"))
            })
            .collect()
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// The example in GitHub's documentation.
    #[test]
    fn the_example_of_github_is_accepted() {
        let secrets = WebhookSecrets::new(|_| Some("It's a Secret to Everybody".to_owned()));
        let secret = secrets.find("A", SignatureScheme::Github).expect("a secret");
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let headers = headers([("x-hub-signature-256", signature)]);
        let now = SystemTime::UNIX_EPOCH;
        let verify = |body: &[u8]| {
            Delivery { headers: &headers, body, now }.verify(SignatureScheme::Github, &secret)
        };
        let key = verify(b"Hello, World!").expect("accepted");
        assert_eq!(key, "dffd6021bb2bd5b0af676290809ec3a53191dd81c7f70a4b28688a362182986f");
        assert_eq!(verify(b"Hello, World?"), Err(Rejection::Signature));
    }

    /// The example in the specification of Standard Webhooks.
    #[test]
    fn the_example_of_standard_webhooks_is_accepted() {
        let secrets =
            WebhookSecrets::new(|_| Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()));
        let secret = secrets.find("A", SignatureScheme::Standard).expect("a secret");
        let right = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let verify = |id: &str, timestamp: &str, signature: &str, now: u64| {
            let headers = headers([
                ("webhook-id", id),
                ("webhook-timestamp", timestamp),
                ("webhook-signature", signature),
            ]);
            let body = br#"{"test": 2432232314}"#;
            Delivery { headers: &headers, body, now: at(now) }
                .verify(SignatureScheme::Standard, &secret)
        };
        let (id, sent) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330");
        assert_eq!(verify(id, sent, right, 1_614_265_330).as_deref(), Ok(id));
        let rotated = format!("v1,AAAA v2,x {right}");
        assert_eq!(verify(id, sent, &rotated, 1_614_265_630).as_deref(), Ok(id));
        assert_eq!(verify(id, sent, right, 1_614_265_631), Err(Rejection::Timestamp));
        assert_eq!(verify(id, sent, right, 1_614_265_029), Err(Rejection::Timestamp));
        assert_eq!(verify("msg_other", sent, right, 1_614_265_330), Err(Rejection::Signature));
        assert_eq!(verify(id, "1614265331", right, 1_614_265_330), Err(Rejection::Signature));
        assert_eq!(verify(id, "soon", right, 1_614_265_330), Err(Rejection::Header));
        assert_eq!(verify(id, sent, "", 1_614_265_330), Err(Rejection::Signature));
        assert_eq!(verify(&"x".repeat(129), sent, right, 1_614_265_330), Err(Rejection::Header));
    }

    #[test]
    fn nothing_is_accepted_without_a_secret() {
        let signature: String = {
            let mac = Secret::decoy().mac([b"{}"]).finalize().into_bytes();
            mac.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let headers = headers([("x-hub-signature-256", &*format!("sha256={signature}"))]);
        let delivery = Delivery { headers: &headers, body: b"{}", now: SystemTime::now() };
        let verified = delivery.verify(SignatureScheme::Github, &Secret::decoy());
        assert_eq!(verified, Err(Rejection::Signature));
    }

    #[test]
    fn weak_secrets_are_refused() {
        let find = |text: &'static str, scheme| {
            WebhookSecrets::new(move |_| Some(text.to_owned())).find("A", scheme).map(drop)
        };
        assert_eq!(find("short", SignatureScheme::Github), Err(SecretError::Short));
        assert_eq!(find("whsec_c2hvcnQ=", SignatureScheme::Standard), Err(SecretError::Short));
        assert_eq!(
            find("a text without prefix", SignatureScheme::Standard),
            Err(SecretError::Form)
        );
        assert_eq!(find("whsec_%", SignatureScheme::Standard), Err(SecretError::Form));
        let none = WebhookSecrets::new(|_| None).find("A", SignatureScheme::Github);
        assert_eq!(none.map(drop), Err(SecretError::Missing));
    }
}
