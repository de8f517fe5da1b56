//! The file of a keyring: read at once, replaced at once, changed by one process at a time.

use super::passphrase::{self, Passphrase, PassphraseCost};
use super::text::{self, FIRST_LINE, FIRST_WORD};
use super::{Keyring, KeyringError};
use objseal_files::{Existing, NewFile, resolved};
use std::ffi::OsString;
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What the name of a keyring's lock ends in, behind a dot.
const LOCK: &str = "lock";
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

/// A keyring that was read, and its file.
struct Stored {
    keyring: Keyring,
    /// Of the passphrase that it is under.
    cost: Option<PassphraseCost>,
    file: Metadata,
}

/// Held while the keyring is changed.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that was forked meanwhile would hold it for as long as it lives.
        let _ = self.0.unlock();
    }
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

    /// Makes the file with what `fill` puts into the keyring. Its folder must be there: a path that was mistyped, or that is
    /// not mounted, is no place for keys.
    ///
    /// # Errors
    /// [`KeyringError::Io`] of kind [`AlreadyExists`](io::ErrorKind::AlreadyExists) if there is one; what `fill` says.
    pub fn create(
        &self,
        protection: Option<(&Passphrase, PassphraseCost)>,
        fill: impl FnOnce(&mut Keyring) -> Result<(), KeyringError>,
    ) -> Result<Keyring, KeyringError> {
        let _lock = self.lock()?;
        if self.path.try_exists()? {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        let mut keyring = Keyring::new();
        fill(&mut keyring)?;
        self.write(&keyring, protection, None)?;
        Ok(keyring)
    }

    /// Whether a keyring is at `path`, or the lock of one: nothing else is to be written there.
    #[must_use]
    pub fn is_at(path: &Path) -> bool {
        let Ok(path) = resolved(path) else { return false };
        let is_lock = path.extension().is_some_and(|extension| extension == LOCK);
        begins_as_keyring(&path) || is_lock && begins_as_keyring(&path.with_extension(""))
    }

    /// Reads the keyring.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn read(&self, passphrase: Option<&Passphrase>) -> Result<Keyring, KeyringError> {
        self.read_protected(passphrase, Owner::UserOrRoot).map(|stored| stored.keyring)
    }

    /// Whether the keyring is under a passphrase. Of its keys nothing is read.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn is_protected(&self) -> Result<bool, KeyringError> {
        let (text, _) = self.read_text(Owner::AnyForRoot)?;
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
        let _lock = self.lock_existing()?;
        let Stored { mut keyring, cost, file } = self.read_protected(passphrase, Owner::AnyForRoot)?;
        let result = change(&mut keyring)?;
        self.write(&keyring, passphrase.zip(cost), Some(&file))?;
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
        let _lock = self.lock_existing()?;
        let Stored { keyring, file, .. } = self.read_protected(passphrase, Owner::AnyForRoot)?;
        self.write(&keyring, protection, Some(&file))
    }

    fn read_protected(&self, passphrase: Option<&Passphrase>, owner: Owner) -> Result<Stored, KeyringError> {
        let (text, file) = self.read_text(owner)?;
        let after_first_line = text::after_first_line(&text)?;
        if !passphrase::is_sealed(after_first_line) {
            if passphrase.is_some() {
                return Err(KeyringError::NotProtected);
            }
            return Ok(Stored { keyring: text::decode(after_first_line, 2)?, cost: None, file });
        }
        let passphrase = passphrase.ok_or(KeyringError::PassphraseNeeded)?;
        let (keyring, cost) = passphrase::open(&text, passphrase)?;
        Ok(Stored { keyring, cost: Some(cost), file })
    }

    fn read_text(&self, owner: Owner) -> Result<(Zeroizing<String>, Metadata), KeyringError> {
        let file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory).into());
        }
        check_private(&metadata, owner)?;
        // With its final capacity: a string that grows leaves copies of its keys behind.
        let len = metadata.len().min(MAX_FILE_LEN);
        let mut text = Zeroizing::new(String::with_capacity(usize::try_from(len).unwrap_or(0) + 1));
        file.take(MAX_FILE_LEN + 1).read_to_string(&mut text).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => KeyringError::Malformed { line: 1 },
            _ => error.into(),
        })?;
        if text.len() as u64 > MAX_FILE_LEN {
            // Not the part of it that ends with a line: a change would lose the others.
            return Err(KeyringError::Malformed { line: 1 });
        }
        Ok((text, metadata))
    }

    /// Writes a new file, which takes the place of the old one when it is whole, and is for the same owner. What stands there
    /// by then may be somebody else's.
    fn write(
        &self,
        keyring: &Keyring,
        protection: Option<(&Passphrase, PassphraseCost)>,
        old: Option<&Metadata>,
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
        let existing = if old.is_some() { Existing::Replace } else { Existing::Refuse };
        let new = NewFile::create(&target, existing, 0o600)?.with_its_permissions_kept();
        new.file().write_all(text.as_bytes())?;
        if let Some(old) = old {
            keep_owner(new.file(), old)?;
        }
        if others_can_read(&new.file().metadata()?).is_some() {
            return Err(KeyringError::NoPermissions);
        }
        Ok(new.commit()?)
    }

    /// The same for a keyring that must be there: beside one that is not nothing is to be left.
    fn lock_existing(&self) -> Result<Lock, KeyringError> {
        fs::metadata(&self.path)?;
        self.lock()
    }

    /// Waits until no other process changes the keyring.
    fn lock(&self) -> Result<Lock, KeyringError> {
        let target = resolved(&self.path)?;
        let path = lock_of(&target);
        let lock = match private(OpenOptions::new().write(true).create_new(true)).open(&path) {
            Ok(made) => {
                if let Ok(keyring) = fs::metadata(&target) {
                    keep_owner(&made, &keyring)?;
                }
                made
            }
            // Not given to anybody: in a folder of somebody else a name may be a link to any file.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => OpenOptions::new().write(true).open(&path)?,
            Err(error) => return Err(error.into()),
        };
        lock.lock()?;
        Ok(Lock(lock))
    }
}

/// Gives `file` to the owner of `old`: root, who changes the keyring of somebody, leaves it to them.
fn keep_owner(file: &File, old: &Metadata) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let new = file.metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) && rustix::process::geteuid().is_root() {
            std::os::unix::fs::fchown(file, Some(old.uid()), Some(old.gid()))?;
        }
    }
    #[cfg(not(unix))]
    let _ = (file, old);
    Ok(())
}

/// Whether a file is a keyring by its first words.
fn begins_as_keyring(path: &Path) -> bool {
    let mut start = [0; FIRST_WORD.len()];
    // Not of pipes, which would keep this waiting.
    let is_file = fs::metadata(path).is_ok_and(|found| found.is_file());
    let read = is_file && File::open(path).and_then(|mut file| file.read_exact(&mut start)).is_ok();
    read && start == *FIRST_WORD.as_bytes()
}

fn lock_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path.as_os_str());
    name.push(".");
    name.push(LOCK);
    name.into()
}

/// For the owner only.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// That nobody but the user, or root, has written or can read the file.
fn check_private(metadata: &Metadata, owner: Owner) -> Result<(), KeyringError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let uid = metadata.uid();
        let user = rustix::process::geteuid();
        let of_root = user.is_root() && owner == Owner::AnyForRoot;
        if ![0, user.as_raw()].contains(&uid) && !of_root {
            return Err(KeyringError::Owner { uid });
        }
    }
    #[cfg(not(unix))]
    let _ = owner;
    match others_can_read(metadata) {
        Some(mode) => Err(KeyringError::Permissions { mode }),
        None => Ok(()),
    }
}

/// The permissions of a file that is not private.
fn others_can_read(metadata: &Metadata) -> Option<u32> {
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(metadata) & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        None
    }
}
