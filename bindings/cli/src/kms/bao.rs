//! The transit engine of OpenBao or Vault.

use super::location::Remote;
use super::remote;
use super::service::{Names, Service};
use crate::failure::Failure;
use crate::secret;
use crate::text::shown_path;
use objseal_keys::bao::{BaoOptions, BaoTransit};
use objseal_keys::keyring::KeyringError;
use std::env;
use std::fmt::Display;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// No token is longer, in bytes.
const MAX_TOKEN_LEN: usize = 16 << 10;

/// Where a key is: `https://HOST:PORT/MOUNT#NAME`.
pub(super) struct Key {
    server: String,
    mount: String,
    name: String,
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('#').and_then(|(url, name)| {
            let (scheme, rest) = url.split_once("://")?;
            let (host, mount) = rest.split_once('/').unwrap_or((rest, ""));
            Some((scheme, host, mount.trim_end_matches('/'), name))
        });
        match parts {
            // A name and a password there would be seen in lists of processes.
            Some((_, host, ..)) if host.contains('@') => {
                Err("a token is not for the command line: BAO_TOKEN has it".into())
            }
            Some((scheme @ ("http" | "https"), host, mount, name)) if !host.is_empty() && !name.is_empty() => {
                Ok(Self {
                    server: format!("{scheme}://{host}"),
                    mount: if mount.is_empty() { "transit".into() } else { mount.into() },
                    name: name.into(),
                })
            }
            _ => Err("bao: is followed by https://HOST:PORT#KEY, or by https://HOST:PORT/MOUNT#KEY".into()),
        }
    }
}

impl Remote for Key {
    fn key(&self) -> &str {
        &self.name
    }

    fn own_tools(&self) -> String {
        "keys of the transit engine are managed with the server's own tools, such as `bao` or `vault`; here `objseal key \
         describe` shows them"
            .into()
    }

    fn connect(&self) -> Result<Service, Failure> {
        let mut options = BaoOptions::new(self.server.clone(), token()?).with_mount(self.mount.clone());
        if let Some(namespace) = variable("NAMESPACE") {
            options = options.with_namespace(namespace);
        }
        if let Some(path) = variable("CACERT").map(PathBuf::from) {
            let read = fs::read(&path);
            let pem = read.map_err(|error| Failure::other(format!("{}: cannot read: {error}", shown_path(&path))))?;
            options = options.with_root_certificate(pem);
        }
        let kms = BaoTransit::new(options, remote::runtime()?);
        Ok(Service {
            kms: Arc::new(kms.map_err(|error| Failure::of_kms(&error, &self.server))?),
            call: remote::call(),
            names: Box::new(OfMount),
            keyring: None,
            in_use: Vec::new(),
        })
    }
}

/// The service itself refuses keys of other mounts.
struct OfMount;

impl Names for OfMount {
    fn whole(&self, name: &str) -> String {
        name.into()
    }

    fn has(&self, _: &str) -> bool {
        true
    }
}

/// The token of the user: by the environment, or where `bao login` and `vault login` put it.
fn token() -> Result<Zeroizing<String>, Failure> {
    if let Some(token) = variable("TOKEN") {
        return Ok(Zeroizing::new(token));
    }
    let no_token = |why: &dyn Display| {
        Failure::NoKey(format!(
            "no token{why}; `bao login` gets one, and BAO_TOKEN or VAULT_TOKEN can hold another one"
        ))
    };
    let path = dirs::home_dir().ok_or_else(|| no_token(&""))?.join(".vault-token");
    match read_token(&path) {
        Err(KeyringError::Io(error)) if error.kind() == ErrorKind::NotFound => Err(no_token(&"")),
        token => token.map_err(|error| no_token(&format_args!(" in {}: {error}", shown_path(&path)))),
    }
}

fn read_token(path: &Path) -> Result<Zeroizing<String>, KeyringError> {
    // With its final capacity: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * MAX_TOKEN_LEN));
    secret::open(path)?.take(MAX_TOKEN_LEN as u64).read_to_string(&mut text)?;
    Ok(text)
}

/// A variable of OpenBao's, or else the one of Vault's; an empty one is none.
fn variable(name: &str) -> Option<String> {
    ["BAO", "VAULT"]
        .iter()
        .find_map(|program| env::var(format!("{program}_{name}")).ok().filter(|text| !text.is_empty()))
}
