//! Where a transit engine is, and with which token it is asked.

use std::fmt;
use zeroize::Zeroizing;

/// Where a transit engine is. The environment says nothing about it: its proxies are not heeded.
pub struct BaoOptions {
    pub(super) url: String,
    pub(super) token: Zeroizing<String>,
    pub(super) mount: String,
    pub(super) namespace: Option<String>,
    pub(super) root_certificate: Option<Vec<u8>>,
}

impl BaoOptions {
    /// The engine `transit` of the server at `url`, such as `https://bao.example:8200`. Token and keys are in what is sent,
    /// so without TLS (`http`) the server must be on this machine: `localhost`, `127.0.0.1`, `[::1]`. Whoever has the token
    /// may do what it may; white space around it, as in a file, is cut off.
    #[must_use]
    pub fn new(url: impl Into<String>, token: Zeroizing<String>) -> Self {
        Self { url: url.into(), token, mount: "transit".into(), namespace: None, root_certificate: None }
    }

    /// The same for an engine that is mounted at this path.
    #[must_use]
    pub fn with_mount(self, mount: impl Into<String>) -> Self {
        Self { mount: mount.into(), ..self }
    }

    /// The same in this namespace.
    #[must_use]
    pub fn with_namespace(self, namespace: impl Into<String>) -> Self {
        Self { namespace: Some(namespace.into()), ..self }
    }

    /// The same with a server whose certificate one of these has signed, in PEM, and not one that the system trusts.
    #[must_use]
    pub fn with_root_certificate(self, pem: Vec<u8>) -> Self {
        Self { root_certificate: Some(pem), ..self }
    }
}

/// All but the token.
impl fmt::Debug for BaoOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BaoOptions")
            .field("url", &self.url)
            .field("mount", &self.mount)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}
