//! The file of a keyring: read at once, replaced at once, changed by one process at a time.

use super::passphrase::{self, Passphrase, PassphraseCost};
use super::text::{self, FIRST_LINE};
use super::{Keyring, KeyringError};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// No keyring is larger, in bytes.
const MAX_FILE_LEN: u64 = 64 << 20;

/// Where a keyring is kept.
///
/// The file has permissions 600; one that others can read, or that belongs to another user than this one or root, is
/// refused, but root may change the keyring of somebody, who stays its owner. A change is written beside it, synced and renamed,
/// so a crash leaves the old keyring or the new one. `NAME.lock` beside it keeps two processes from changing it at the same
/// time. Links are followed: whatever path leads to the file, it is the same keyring.
#[derive(Clone, Debug)]
pub struct KeyringFile {
    path: PathBuf,
}

/// Whose file may be read: who wrote it knows the keys in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    UserOrRoot,
    AnyForRoot,
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
        self.read_protected(passphrase, Owner::UserOrRoot).map(|(keyring, _)| keyring)
    }

    /// Whether the keyring is under a passphrase. Of its keys nothing is read.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn is_protected(&self) -> Result<bool, KeyringError> {
        let text = self.read_text(Owner::AnyForRoot)?;
        Ok(passphrase::is_sealed(text::after_first_line(&text)?))
    }

    /// Changes the keyring; no other process changes it meanwhile. If `change` fails, the file stays as it is. A passphrase
    /// that is given for a keyring without one is refused, so that no key is stored in clear by mistake.
    ///
    /// # Errors
    /// [`KeyringError`]; what `change` says.
    pub fn update<T>(
        &self,
        passphrase: Option<&Passphrase>,
        change: impl FnOnce(&mut Keyring) -> Result<T, KeyringError>,
    ) -> Result<T, KeyringError> {
        let _lock = self.lock()?;
        let (mut keyring, protection) = self.read_protected(passphrase, Owner::AnyForRoot)?;
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
        let (keyring, _) = self.read_protected(passphrase, Owner::AnyForRoot)?;
        self.replace(&keyring, protection)
    }

    fn read_protected(
        &self,
        passphrase: Option<&Passphrase>,
        owner: Owner,
    ) -> Result<(Keyring, Protection), KeyringError> {
        let text = self.read_text(owner)?;
        let after_first_line = text::after_first_line(&text)?;
        if !passphrase::is_sealed(after_first_line) {
            if passphrase.is_some() {
                return Err(KeyringError::NotProtected);
            }
            return Ok((text::decode(after_first_line, 2)?, Protection::None));
        }
        let passphrase = passphrase.ok_or(KeyringError::PassphraseNeeded)?;
        let (keyring, cost) = passphrase::open(&text, passphrase)?;
        Ok((keyring, Protection::Passphrase(cost)))
    }

    fn read_text(&self, owner: Owner) -> Result<Zeroizing<String>, KeyringError> {
        let file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        check_private(&metadata, owner)?;
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
        let target = resolved(&self.path)?;
        let folder = folder_of(&target);
        let prefix = temporary_prefix(&target);
        remove_leftovers(folder, &prefix);
        // Readable by its owner alone from the start.
        let mut file = tempfile::Builder::new().prefix(&prefix).tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        keep_owner(file.as_file(), &target)?;
        file.as_file().sync_all()?;
        file.persist(&target).map_err(|error| match error.error.kind() {
            io::ErrorKind::ResourceBusy => {
                io::Error::other("the file is a mount of its own and cannot be replaced: mount its folder")
            }
            _ => error.error,
        })?;
        // The change has happened. Should the system crash now and the folder not have been written, the old keyring is there.
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
        Ok(())
    }

    /// Waits until no other process changes the keyring. The lock ends with the file that is returned.
    fn lock(&self) -> Result<File, KeyringError> {
        let target = resolved(&self.path)?;
        let path = sibling(&target, ".lock");
        let lock = match private(OpenOptions::new().write(true).create_new(true)).open(&path) {
            Ok(made) => {
                keep_owner(&made, &target)?;
                made
            }
            // Not given to anybody: in a folder of somebody else a name may be a link to any file.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => OpenOptions::new().write(true).open(&path)?,
            Err(error) => return Err(error.into()),
        };
        lock.lock()?;
        Ok(lock)
    }
}

/// Where the file is, or is to be, behind all links.
fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    // As many links as Linux follows.
    for _ in 0..40 {
        match fs::canonicalize(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            other => return other,
        }
        let folder = folder_of(&path).to_owned();
        match fs::read_link(&path) {
            Ok(link) => path = folder.join(link),
            Err(_) => return Ok(fs::canonicalize(folder)?.join(path.file_name().unwrap_or_default())),
        }
    }
    Err(io::Error::other("too many links lead to the keyring"))
}

/// What the names of temporary files for this keyring begin with: short, whatever its own name.
fn temporary_prefix(target: &Path) -> String {
    let mut hasher = DefaultHasher::new();
    target.file_name().hash(&mut hasher);
    format!(".objseal-{:08x}-", hasher.finish() >> 32)
}

/// Removes what runs that were killed have left. Under the lock nobody else uses such a name.
fn remove_leftovers(folder: &Path, prefix: &str) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let leftovers = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
    leftovers.for_each(|entry| drop(fs::remove_file(entry.path())));
}

/// Gives `file` to the owner of `target`: root, who changes the keyring of somebody, leaves it to them.
fn keep_owner(file: &File, target: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let Ok(old) = fs::metadata(target) else { return Ok(()) };
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) && rustix::process::geteuid().is_root() {
            std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()))?;
        }
    }
    #[cfg(not(unix))]
    let _ = (file, target);
    Ok(())
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

/// That nobody but the user, or root, has written or can read the file.
fn check_private(metadata: &fs::Metadata, owner: Owner) -> Result<(), KeyringError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (uid, mode) = (metadata.uid(), metadata.mode() & 0o777);
        let user = rustix::process::geteuid();
        let of_root = user.is_root() && owner == Owner::AnyForRoot;
        if ![0, user.as_raw()].contains(&uid) && !of_root {
            return Err(KeyringError::Owner { uid });
        }
        if mode & 0o077 != 0 {
            return Err(KeyringError::Permissions { mode });
        }
    }
    #[cfg(not(unix))]
    let _ = (metadata, owner);
    Ok(())
}
