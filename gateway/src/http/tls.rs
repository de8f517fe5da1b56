//! Certificates: given, or made the first time.

use objseal_files::{Existing, NewFile};
use objseal_keys::key_file::check_private;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer};
use rcgen::{KeyPair, KeyUsagePurpose, date_time_ymd};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use zeroize::Zeroizing;

/// The certificate that clients are to trust.
const CA: &str = "ca.pem";
/// The certificate of the server.
const CERTIFICATE: &str = "certificate.pem";
/// Its private key.
const PRIVATE_KEY: &str = "private-key.pem";

/// Why there is no TLS.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read or written.
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A file is not in PEM, or has something else.
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Certificate and private key do not belong together, or are of a kind that is not there.
    Certificate(String),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
            Self::Pem { path, why } => write!(f, "{}: {why}", path.display()),
            Self::Certificate(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for TlsError {}

/// A certificate with its private key, which can be read again while the server runs.
pub struct Tls {
    certificate: PathBuf,
    private_key: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

/// The paths.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads a chain of certificates and the private key of the first one, in PEM.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn read(certificate: &Path, private_key: &Path) -> Result<Self, TlsError> {
        let config = RwLock::new(config(certificate, private_key)?);
        Ok(Self { certificate: certificate.into(), private_key: private_key.into(), config })
    }

    /// Reads them from `folder`. If it is not there they are made, for these host names and addresses: `ca.pem` for clients to trust,
    /// which never signs anything else, and `certificate.pem` with `private-key.pem`.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn read_or_make(folder: &Path, names: &[String]) -> Result<Self, TlsError> {
        let (certificate, private_key) = (folder.join(CERTIFICATE), folder.join(PRIVATE_KEY));
        // The last one that is written.
        if !certificate.exists() {
            make(folder, names)?;
        }
        Self::read(&certificate, &private_key)
    }

    /// The file of the certificate that clients trust, in a folder of certificates that were made.
    #[must_use]
    pub fn ca_in(folder: &Path) -> PathBuf {
        folder.join(CA)
    }

    /// Reads certificate and key again, for connections from now on. If that fails, the old ones stay.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let config = config(&self.certificate, &self.private_key)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner)).into()
    }
}

fn config(certificate: &Path, private_key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let read = |path: &Path| fs::read(path).map_err(|error| TlsError::Io { path: path.into(), error });
    let pem = |path: &Path, why: String| TlsError::Pem { path: path.into(), why };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(certificate)?).collect();
    let chain = chain.map_err(|error| pem(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(pem(certificate, "there is no certificate in it".into()));
    }
    let key = PrivateKeyDer::from_pem_slice(&read_private(private_key)?)
        .map_err(|error| pem(private_key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| TlsError::Certificate(error.to_string()))?;
    Ok(Arc::new(config))
}

/// A file that nobody else can read.
fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let fail = |error| TlsError::Io { path: path.into(), error };
    let mut file = File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    check_private(&metadata).map_err(|error| TlsError::Pem { path: path.into(), why: error.to_string() })?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(64 << 10));
    file.read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// Makes a certificate, and one that signed it and whose key is forgotten.
fn make(folder: &Path, names: &[String]) -> Result<(), TlsError> {
    let wrong = |error: rcgen::Error| TlsError::Certificate(error.to_string());
    fs::create_dir_all(folder).map_err(|error| TlsError::Io { path: folder.into(), error })?;

    let mut ca = parameters(Vec::new(), "objseal, made for this server")?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let ca_key = KeyPair::generate().map_err(wrong)?;
    let ca_pem = ca.self_signed(&ca_key).map_err(wrong)?.pem();

    let mut leaf = parameters(names.to_vec(), "objseal")?;
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().map_err(wrong)?;
    let leaf_pem = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).map_err(wrong)?.pem();

    write(&folder.join(CA), ca_pem.as_bytes(), 0o644)?;
    write(&folder.join(PRIVATE_KEY), Zeroizing::new(key.serialize_pem()).as_bytes(), 0o600)?;
    write(&folder.join(CERTIFICATE), leaf_pem.as_bytes(), 0o644)
}

fn parameters(names: Vec<String>, name: &str) -> Result<CertificateParams, TlsError> {
    let mut parameters = CertificateParams::new(names).map_err(|error| TlsError::Certificate(error.to_string()))?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(2026, 1, 1);
    parameters.not_after = date_time_ymd(2046, 1, 1);
    Ok(parameters)
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<(), TlsError> {
    let written = NewFile::create(path, Existing::Replace, mode).and_then(|new| {
        new.file().write_all(bytes)?;
        new.commit()
    });
    written.map_err(|error| TlsError::Io { path: path.into(), error })
}
