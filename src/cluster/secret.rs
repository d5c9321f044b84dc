//! Who may talk to whom: a secret that coordinator and workers share, and the certificates that are made of it.
//!
//! The secret is the seed of a key (Ed25519) that signs certificates. Each side shows a fresh certificate that this key has signed, and takes no
//! other: TLS proves to both that the other knows the secret, and the secret itself is never sent.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ED25519, SerialNumber,
};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::fault::{Error, Result};

/// Bytes of a secret at least: somebody who connects can try passwords on what he is shown, as long as he likes.
const LEAST: usize = 32;
/// Bytes of a secret at most: a larger file is another one.
const MOST: usize = 1 << 16;
/// What keys that are made of a secret are for.
const CONTEXT: &str = "coldtrail 2026-11-29 authority of a cluster";
/// The name of each side in its certificate: who they are is told by the key alone.
const NAME: &str = "cluster.coldtrail.internal";
/// How a key of Ed25519 begins in PKCS #8 (RFC 8410, section 7); its seed follows.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// What coordinator and workers share.
pub struct Secret([u8; 32]);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A side's certificate, and who signed it.
struct Own {
    authority: rcgen::Certificate,
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Secret {
    /// Reads a secret: the bytes of a file, without white space around them.
    ///
    /// # Errors
    /// When the file cannot be read, or has less than 32 bytes or more than 64 KiB.
    pub fn read(path: &Path) -> Result<Secret> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        let secret = bytes.trim_ascii();
        let reason = match secret.len() {
            short @ 0..LEAST => format!(
                "a secret has at least {LEAST} bytes, and this one has {short}; `coldtrail worker --new-secret FILE` makes one"
            ),
            LEAST..=MOST => return Ok(Secret(blake3::derive_key(CONTEXT, secret))),
            long => format!("a secret has no {long} bytes; is it another file?"),
        };
        let path = path.into();
        Err(Error::Unusable { path, reason })
    }

    /// Makes a certificate.
    fn own(&self) -> std::result::Result<Own, rcgen::Error> {
        let seed = [&PKCS8[..], &self.0].concat();
        let seed = PrivatePkcs8KeyDer::from(seed);
        let signing = KeyPair::from_pkcs8_der_and_sign_algo(&seed, &PKCS_ED25519)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("coldtrail cluster");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        // The same on each machine.
        params.serial_number = Some(SerialNumber::from_slice(&[1]));
        let authority = params.self_signed(&signing)?;
        let issuer = Issuer::new(params, signing);
        let mut params = CertificateParams::new(vec![NAME.to_string()])?;
        params.distinguished_name = named(NAME);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let key = KeyPair::generate_for(&PKCS_ED25519)?;
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Own {
            authority,
            certificate,
            key,
        })
    }

    /// How a coordinator connects.
    pub(super) fn client(&self) -> Result<ClientTlsConfig> {
        let own = self.own().map_err(unmade)?;
        let identity = Identity::from_pem(own.certificate.pem(), own.key.serialize_pem());
        Ok(ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(own.authority.pem()))
            .identity(identity)
            .domain_name(NAME))
    }

    /// Whom a worker lets in.
    pub(super) fn server(&self) -> Result<ServerConfig> {
        let own = self.own().map_err(unmade)?;
        let mut roots = RootCertStore::empty();
        roots.add(own.authority.der().clone()).map_err(unmade)?;
        let provider = Arc::new(ring::default_provider());
        let known =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(unmade)?;
        let chain: Vec<CertificateDer<'static>> = vec![own.certificate.der().clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(own.key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unmade)?
            .with_client_cert_verifier(known)
            .with_single_cert(chain, key)
            .map_err(unmade)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut named = DistinguishedName::new();
    named.push(DnType::CommonName, name);
    named
}

fn unmade(e: impl fmt::Display) -> Error {
    Error::Unusable {
        path: "the secret".into(),
        reason: format!("no certificate can be made of it: {e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_long_enough_and_its_authority_is_the_same_everywhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("secret");
        let read = |text: &str| {
            std::fs::write(&file, text).expect("a file");
            Secret::read(&file)
        };
        let long = "0123456789abcdef0123456789abcdef";
        let one = read(long).and_then(|s| s.own().map_err(unmade));
        let other = read(&format!("{long}\r\n")).and_then(|s| s.own().map_err(unmade));
        let (one, other) = (one.expect("one"), other.expect("another"));
        assert_eq!(one.authority.der(), other.authority.der());
        assert_ne!(one.certificate.der(), other.certificate.der());
        let third = read(&format!("{long}.")).and_then(|s| s.own().map_err(unmade));
        let third = third.expect("a third");
        assert_ne!(third.authority.der(), other.authority.der());
        for (text, said) in [("", "has 0"), (&long[1..], "this one has 31")] {
            let told = read(text).map(|_| ()).expect_err("too short").to_string();
            assert!(
                told.contains(said) && told.contains("--new-secret"),
                "{told}"
            );
        }
        let told = read(&"x".repeat(MOST + 1))
            .map(|_| ())
            .expect_err("too long");
        assert!(told.to_string().contains("another file"), "{told}");
        assert_eq!(format!("{:?}", Secret([7; 32])), "Secret");
    }
}
