//! The file of a keyring: read at once, replaced at once, changed by one process at a time.

use super::passphrase::{self, Passphrase, PassphraseCost};
use super::text::{self, FIRST_LINE};
use super::{Keyring, KeyringError};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// No keyring is larger, in bytes.
const MAX_FILE_LEN: u64 = 64 << 20;

/// Where a keyring is kept.
///
/// The file has permissions 600 and one that others can read is refused. A change is written beside it, synced and
/// renamed, so a crash leaves the old keyring or the new one. `NAME.lock` beside it keeps two processes from changing
/// it at the same time.
#[derive(Clone, Debug)]
pub struct KeyringFile {
    path: PathBuf,
}

/// How a keyring that was read is protected.
enum Protection {
    None,
    Passphrase(PassphraseCost),
}

impl KeyringFile {
    /// The keyring at `path`, which need not exist yet.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file, and the folders on the way to it, with what `fill` puts into the keyring.
    ///
    /// # Errors
    /// [`KeyringError::Io`] of kind [`AlreadyExists`](io::ErrorKind::AlreadyExists) if there is one; what `fill` says.
    pub fn create(
        &self,
        protection: Option<(&Passphrase, PassphraseCost)>,
        fill: impl FnOnce(&mut Keyring) -> Result<(), KeyringError>,
    ) -> Result<Keyring, KeyringError> {
        fs::create_dir_all(folder_of(&self.path))?;
        let _lock = self.lock()?;
        if self.path.try_exists()? {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        let mut keyring = Keyring::new();
        fill(&mut keyring)?;
        self.replace(&keyring, protection)?;
        Ok(keyring)
    }

    /// Reads the keyring.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn read(&self, passphrase: Option<&Passphrase>) -> Result<Keyring, KeyringError> {
        self.read_protected(passphrase).map(|(keyring, _)| keyring)
    }

    /// Changes the keyring; no other process changes it meanwhile. If `change` fails, the file stays as it is.
    ///
    /// # Errors
    /// [`KeyringError`]; what `change` says.
    pub fn update<T>(
        &self,
        passphrase: Option<&Passphrase>,
        change: impl FnOnce(&mut Keyring) -> Result<T, KeyringError>,
    ) -> Result<T, KeyringError> {
        let _lock = self.lock()?;
        let (mut keyring, protection) = self.read_protected(passphrase)?;
        let result = change(&mut keyring)?;
        let protection = match (protection, passphrase) {
            (Protection::Passphrase(cost), Some(passphrase)) => Some((passphrase, cost)),
            _ => None,
        };
        self.replace(&keyring, protection)?;
        Ok(result)
    }

    /// Puts the keyring under another passphrase, or under none; no other process changes it meanwhile.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn protect(
        &self,
        passphrase: Option<&Passphrase>,
        protection: Option<(&Passphrase, PassphraseCost)>,
    ) -> Result<(), KeyringError> {
        let _lock = self.lock()?;
        let keyring = self.read(passphrase)?;
        self.replace(&keyring, protection)
    }

    fn read_protected(&self, passphrase: Option<&Passphrase>) -> Result<(Keyring, Protection), KeyringError> {
        let text = self.read_text()?;
        let after_first_line = text::after_first_line(&text)?;
        if !passphrase::is_sealed(after_first_line) {
            return Ok((text::decode(after_first_line, 2)?, Protection::None));
        }
        let passphrase = passphrase.ok_or(KeyringError::PassphraseNeeded)?;
        let (keyring, cost) = passphrase::open(&text, passphrase)?;
        Ok((keyring, Protection::Passphrase(cost)))
    }

    fn read_text(&self) -> Result<Zeroizing<String>, KeyringError> {
        let file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        check_permissions(&metadata)?;
        // With its final capacity: a string that grows leaves copies of its keys behind.
        let len = metadata.len().min(MAX_FILE_LEN);
        let mut text = Zeroizing::new(String::with_capacity(usize::try_from(len).unwrap_or(0) + 1));
        file.take(MAX_FILE_LEN).read_to_string(&mut text).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => KeyringError::Malformed { line: 1 },
            _ => error.into(),
        })?;
        Ok(text)
    }

    /// Writes beside the file, syncs, renames, and syncs the folder.
    fn replace(
        &self,
        keyring: &Keyring,
        protection: Option<(&Passphrase, PassphraseCost)>,
    ) -> Result<(), KeyringError> {
        let text = if let Some((passphrase, cost)) = protection {
            passphrase::seal(keyring, passphrase, cost)?
        } else {
            let lines = text::encode(keyring);
            let mut text = Zeroizing::new(String::with_capacity(FIRST_LINE.len() + 1 + lines.len()));
            text.push_str(FIRST_LINE);
            text.push('\n');
            text.push_str(&lines);
            text
        };
        // A link stays one.
        let target = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        // Under the lock nobody else uses this name; one that is there is what a crash left.
        let beside = sibling(&target, ".new");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        let mut file = private(OpenOptions::new().write(true).create_new(true)).open(&beside)?;
        let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
        let renamed = written.and_then(|()| fs::rename(&beside, &target));
        if let Err(error) = renamed {
            // The error that counts is the first one.
            let _ = fs::remove_file(&beside);
            return Err(error.into());
        }
        File::open(folder_of(&target))?.sync_all()?;
        Ok(())
    }

    /// Waits until no other process changes the keyring. The lock ends with the file that is returned.
    fn lock(&self) -> Result<File, KeyringError> {
        let lock =
            private(OpenOptions::new().write(true).create(true).truncate(false)).open(sibling(&self.path, ".lock"))?;
        lock.lock()?;
        Ok(lock)
    }
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(suffix);
    name.into()
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// For the owner only.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn check_permissions(metadata: &fs::Metadata) -> Result<(), KeyringError> {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyringError::Permissions { mode });
        }
    }
    #[cfg(not(unix))]
    let _ = metadata;
    Ok(())
}
