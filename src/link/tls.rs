//! Encryption: a certificate authority made for the purpose, a certificate for the loopback signed by it,
//! and the settings of both ends (TLS 1.3, RFC 8446; ALPN, RFC 7301). The client trusts only that
//! authority; no certificate is accepted unchecked.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use tokio_rustls::rustls::{
    self, ClientConfig, ClientConnection, KeyLog, RootCertStore, ServerConfig, ServerConnection,
    SignatureAlgorithm, SignatureScheme,
};

use super::ledger::Ledger;
use crate::clock;
use crate::lang::t;
use crate::outcome::HttpVersion;

/// The bytes of the alert that ends a direction, in a record of its own (RFC 8446, sections 5.2 and 6.1).
pub const CLOSE_NOTIFY: u64 = 2 + 5 + 1 + 16;

/// Bytes of a handshake, session tickets included (RFC 8446, section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    /// From the client.
    pub up: u64,
    /// From the server.
    pub down: u64,
}

/// How long a certificate is valid: longer than any run, shorter than browsers object to.
const VALID: Duration = Duration::from_secs(90 * 24 * 3_600);

/// How long before now a certificate becomes valid, because clocks differ.
const BEFORE: Duration = Duration::from_secs(24 * 3_600);

/// A server's certificate and key, and the authority that its clients have to trust.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Identity {
    /// The authority's certificate, PEM (RFC 7468).
    pub authority: String,
    certificate: String,
    key: String,
}

impl Identity {
    /// Makes an authority and a certificate for `localhost`, the loopback addresses and `also`. The keys
    /// are P-256, which every browser accepts.
    ///
    /// # Errors
    /// If the system provides no random numbers.
    pub fn make(also: impl IntoIterator<Item = String>) -> anyhow::Result<Identity> {
        let now = SystemTime::now();
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        authority
            .distinguished_name
            .push(DnType::CommonName, "mailcall, made on the spot");
        authority.not_before = (now - BEFORE).into();
        authority.not_after = (now + VALID).into();
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
        let also: Vec<String> = also.into_iter().filter(|name| !names.contains(name)).collect();
        let mut leaf = CertificateParams::new(names.into_iter().chain(also).collect::<Vec<_>>())?;
        leaf.distinguished_name.push(DnType::CommonName, "localhost");
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
        leaf.not_before = (now - BEFORE).into();
        leaf.not_after = (now + VALID).into();
        let key = KeyPair::generate()?;
        Ok(Identity {
            authority: authority.pem(),
            certificate: leaf.signed_by(&key, &authority)?.pem(),
            key: key.serialize_pem(),
        })
    }

    /// An identity whose certificate has the median length: the length varies by some bytes with the signature.
    ///
    /// # Errors
    /// As for [`Identity::make`].
    pub fn typical() -> anyhow::Result<Identity> {
        const TIMES: usize = 65;
        let made: anyhow::Result<Vec<Identity>> = (0..TIMES).map(|_| Identity::make(None)).collect();
        let mut made = made?;
        let length = |i: &Identity| CertificateDer::from_pem_slice(i.certificate.as_bytes()).map(|c| c.len());
        made.sort_by_key(|identity| length(identity).unwrap_or_default());
        Ok(made.swap_remove(TIMES / 2))
    }

    /// The server's settings; the secrets that decrypt a recorded connection go to `ledger`'s recording. In
    /// a simulated run all signatures have the same length.
    ///
    /// # Errors
    /// If the identity is not one that [`Identity::make`] made.
    pub fn server(&self, alpn: Vec<Vec<u8>>, ledger: &Arc<Ledger>) -> anyhow::Result<Arc<ServerConfig>> {
        let mut config = self.signing(alpn, clock::is_simulated())?;
        if ledger.recording().is_some() {
            config.key_log = Arc::new(Secrets(ledger.clone()));
        }
        Ok(Arc::new(config))
    }

    fn signing(&self, alpn: Vec<Vec<u8>>, evenly: bool) -> anyhow::Result<ServerConfig> {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes())?;
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes())?;
        let mut key = ring::sign::any_supported_type(&key)?;
        if evenly {
            key = Arc::new(Even(key));
        }
        let certified = CertifiedKey::new(vec![certificate], key);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        config.alpn_protocols = alpn;
        Ok(config)
    }
}

/// A key whose signatures all have the most frequent length: ECDSA's vary by some bytes (RFC 3279, section
/// 2.2.3). It signs again until the length is right.
#[derive(Debug)]
struct Even(Arc<dyn SigningKey>);

#[derive(Debug)]
struct EvenSigner(Box<dyn Signer>);

/// The length of a signature with a P-256 key, in bytes: half of all signatures have it.
const SIGNATURE: usize = 71;

impl SigningKey for Even {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = self.0.choose_scheme(offered)?;
        Some(Box::new(EvenSigner(signer)))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

impl Signer for EvenSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        loop {
            let signature = self.0.sign(message)?;
            if signature.len() == SIGNATURE {
                return Ok(signature);
            }
        }
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}

/// A client's settings, which trust only the authorities in `pem`. Each call gives settings with a session
/// memory of their own, as each user's browser has.
///
/// # Errors
/// If there is no certificate in `pem`.
pub fn client(pem: &str, alpn: Vec<Vec<u8>>) -> anyhow::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.context(t!("not a certificate in PEM"))?)?;
    }
    anyhow::ensure!(
        !roots.is_empty(),
        t!("no certificate in PEM form (-----BEGIN CERTIFICATE-----)")
    );
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn;
    Ok(config)
}

/// The ALPN name of a version of HTTP (RFC 7301, section 6; RFC 9113, section 3.1).
pub fn alpn(version: HttpVersion) -> Vec<u8> {
    match version {
        HttpVersion::Http10 => b"http/1.0".to_vec(),
        HttpVersion::Http11 => b"http/1.1".to_vec(),
        HttpVersion::Http2 => b"h2".to_vec(),
    }
}

/// The bytes of one client's handshakes: its first with a server, and one that resumes a session (RFC 8446,
/// section 2.2), as in a simulated run. Both ends run in memory, with the code that is used on the wire.
///
/// # Errors
/// If the two ends don't agree, which would be a bug.
pub fn rehearse(identity: &Identity, version: HttpVersion) -> anyhow::Result<[Handshake; 2]> {
    let server = Arc::new(identity.signing(vec![alpn(version)], true)?);
    let client = Arc::new(client(&identity.authority, vec![alpn(version)])?);
    let first = shake_hands(client.clone(), server.clone())?;
    Ok([first, shake_hands(client, server)?])
}

fn shake_hands(client: Arc<ClientConfig>, server: Arc<ServerConfig>) -> anyhow::Result<Handshake> {
    let name = ServerName::IpAddress(IpAddr::from([127, 0, 0, 1]).into());
    let (mut client, mut server) = (
        ClientConnection::new(client, name)?,
        ServerConnection::new(server)?,
    );
    let mut bytes = Handshake::default();
    while client.wants_write() || server.wants_write() {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight)?;
        }
        bytes.up += flight.len() as u64;
        feed(&mut server, &flight)?;
        flight.clear();
        while server.wants_write() {
            server.write_tls(&mut flight)?;
        }
        bytes.down += flight.len() as u64;
        feed(&mut client, &flight)?;
    }
    Ok(bytes)
}

fn feed<D>(end: &mut rustls::ConnectionCommon<D>, mut flight: &[u8]) -> anyhow::Result<()>
where
    D: rustls::SideData,
{
    while !flight.is_empty() {
        end.read_tls(&mut flight)?;
        end.process_new_packets()?;
    }
    Ok(())
}

/// Writes the session's secrets into the recording, in the NSS key log format.
#[derive(Debug)]
struct Secrets(Arc<Ledger>);

impl KeyLog for Secrets {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::new(), |mut hex, byte| {
                // Writing to a String cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        };
        if let Some(recording) = self.0.recording() {
            recording.secret(format!("{label} {} {}", hex(client_random), hex(secret)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_handshake_resumes_the_first() {
        let identity = Identity::make(None).unwrap();
        for version in [HttpVersion::Http10, HttpVersion::Http11, HttpVersion::Http2] {
            let [first, again] = rehearse(&identity, version).unwrap();
            let repeated = (0..8).map(|_| rehearse(&identity, version).unwrap());
            assert!(repeated.into_iter().all(|lengths| lengths == [first, again]));
            // The second time, no certificate comes down, and a ticket goes up.
            assert!(first.down > again.down + 300, "{first:?} {again:?}");
            assert!(first.up < again.up, "{first:?} {again:?}");
        }
    }

    #[test]
    fn another_authority_is_not_trusted() {
        let (ours, theirs) = (Identity::make(None).unwrap(), Identity::make(None).unwrap());
        let ledger = Arc::new(Ledger::new(Vec::new()));
        let version = vec![alpn(HttpVersion::Http11)];
        let server = ours.server(version.clone(), &ledger).unwrap();
        let trusting = |authority: &str| Arc::new(client(authority, version.clone()).unwrap());
        assert!(shake_hands(trusting(&ours.authority), server.clone()).is_ok());
        assert!(shake_hands(trusting(&theirs.authority), server).is_err());
    }
}
