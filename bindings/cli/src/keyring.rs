//! Where the keyring is, and how the command comes by it.

use crate::KeyringArgs;
use crate::failure::Failure;
use crate::secret;
use crate::text::{say, shown_path};
use objseal_files::{Existing, NewFile, folder_of, sync_folder_of};
use objseal_keys::keyring::{Keyring, KeyringError, KeyringFile, Passphrase, PassphraseCost};
use std::fs::{self, DirBuilder, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The key that is made with the keyring, and used unless another one is named.
pub(crate) const DEFAULT_KEY: &str = "default";

/// The environment variable that names a file with the passphrase.
pub(crate) const PASSPHRASE_FILE: &str = "OBJSEAL_PASSPHRASE_FILE";
/// No passphrase is longer, in bytes.
const MAX_PASSPHRASE_LEN: u64 = 4096;

/// The keyring file that is in use.
pub(crate) struct Place {
    file: KeyringFile,
    /// Nobody said where it is: only there it is made unasked, with its folders. A path that was mistyped, or that is not
    /// mounted, would get a keyring that nobody looks for later.
    by_default: bool,
    passphrase_file: Option<PathBuf>,
    passphrase: Option<Passphrase>,
}

impl Place {
    /// Where the keyring is, by option, environment or custom.
    pub(crate) fn find(args: &KeyringArgs) -> Result<Self, Failure> {
        let path = match &args.keyring {
            Some(path) => path.clone(),
            None => default_path()?,
        };
        Ok(Self {
            file: KeyringFile::at(path),
            by_default: args.keyring.is_none(),
            passphrase_file: args.passphrase_file.clone(),
            passphrase: None,
        })
    }

    pub(crate) fn file(&self) -> &KeyringFile {
        &self.file
    }

    pub(crate) fn name(&self) -> String {
        format!("keyring {}", shown_path(self.file.path()))
    }

    /// The passphrase that was given, or asked for.
    pub(crate) fn passphrase(&self) -> Option<&Passphrase> {
        self.passphrase.as_ref()
    }

    /// The files that a command reads from here.
    pub(crate) fn in_use(&self) -> Vec<Metadata> {
        let passphrase_file = self.passphrase_file.as_deref();
        [Some(self.file.path()), passphrase_file]
            .into_iter()
            .flatten()
            .filter_map(|path| fs::metadata(path).ok())
            .collect()
    }

    /// Reads the keyring. Asks for the passphrase if it has one and none was given.
    pub(crate) fn read(&mut self) -> Result<Keyring, Failure> {
        self.load_passphrase()?;
        let mut keyring = self.file.read(self.passphrase());
        if let Err(KeyringError::PassphraseNeeded) = keyring {
            self.passphrase = Some(self.ask_passphrase()?);
            keyring = self.file.read(self.passphrase());
        }
        keyring.map_err(|error| self.failure(&error))
    }

    /// Comes by the passphrase, if the keyring has one, for a change. Root changes keyrings that it does not read: those of
    /// other users.
    pub(crate) fn unlock(&mut self) -> Result<(), Failure> {
        self.load_passphrase()?;
        if self.passphrase.is_none() && self.is_protected()? {
            self.passphrase = Some(self.ask_passphrase()?);
        }
        Ok(())
    }

    /// The same where a passphrase that was given may be for a keyring without one. A wrong one is told before a new one is
    /// asked for.
    pub(crate) fn unlock_to_protect(&mut self) -> Result<(), Failure> {
        if self.is_protected()? {
            self.unlock()?;
        }
        match self.file.read(self.passphrase()) {
            Ok(_) | Err(KeyringError::Owner { .. }) => Ok(()),
            Err(error) => Err(self.failure(&error)),
        }
    }

    fn is_protected(&self) -> Result<bool, Failure> {
        self.file.is_protected().map_err(|error| self.failure(&error))
    }

    /// Reads the passphrase that was given, once: the file may be a pipe.
    fn load_passphrase(&mut self) -> Result<(), Failure> {
        if let (None, Some(path)) = (&self.passphrase, &self.passphrase_file) {
            self.passphrase = Some(read_passphrase(path)?);
        }
        Ok(())
    }

    /// Reads the keyring. The first time, that makes one with the default key, if that is the key to use.
    pub(crate) fn read_or_create(&mut self, key: &str) -> Result<Keyring, Failure> {
        if self.by_default && key == DEFAULT_KEY && !self.exists() {
            self.create(key)?;
        }
        self.read()
    }

    /// Whether there is a keyring, readable or not, or a link to one.
    pub(crate) fn exists(&self) -> bool {
        self.file.path().symlink_metadata().is_ok()
    }

    /// Makes a keyring with one key, under the passphrase that was given. `false` if another process was faster.
    pub(crate) fn create(&mut self, key: &str) -> Result<bool, Failure> {
        self.load_passphrase()?;
        self.prepare(key).map_err(|error| self.failure(&error))?;
        let protection = self.passphrase().map(|passphrase| (passphrase, PassphraseCost::DEFAULT));
        let protected = if protection.is_some() { ", protected by the passphrase" } else { "" };
        match self.file.create(protection, |keyring| keyring.create(key)) {
            Ok(_) => {
                say(format_args!("made the {} with the key \"{key}\"{protected}", self.name()));
                say("keep a copy of it: what is sealed under its keys does not open without them");
                Ok(true)
            }
            Err(KeyringError::Io(error)) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// What must be before there is a lock, which stays.
    fn prepare(&self, key: &str) -> Result<(), KeyringError> {
        let path = self.file.path();
        Keyring::new().create(key)?;
        if self.by_default {
            make_folders(folder_of(path))?;
        }
        secret::check_new(NewFile::create(path, Existing::Replace, 0o600)?.file())
    }

    /// An error of this keyring, with what to do.
    pub(crate) fn failure(&self, error: &KeyringError) -> Failure {
        let name = self.name();
        match error {
            KeyringError::Io(error) if error.kind() == ErrorKind::NotFound => self.not_there(),
            KeyringError::WrongPassphrase | KeyringError::UnknownKey => Failure::NoKey(format!("{name}: {error}")),
            KeyringError::NotProtected => {
                Failure::other(format!("{name}: {error}; `objseal key passphrase` protects it"))
            }
            error => Failure::other(format!("{name}: {error}")),
        }
    }

    fn not_there(&self) -> Failure {
        let (name, path) = (self.name(), self.file.path());
        let folder = folder_of(path);
        Failure::NoKey(if let Ok(to) = fs::read_link(path) {
            format!("{name} is a link that leads nowhere: there is no {}", shown_path(&to))
        } else if !folder.exists() {
            format!("there is no {name}, nor the folder {}", shown_path(folder))
        } else {
            format!(
                "there is no {name}; `objseal key create {DEFAULT_KEY}` makes it, OBJSEAL_KEYRING says where another one is"
            )
        })
    }

    fn ask_passphrase(&self) -> Result<Passphrase, Failure> {
        let asked = rpassword::prompt_password(format!("Passphrase of the {}: ", self.name()));
        let asked = asked.map_err(|error| {
            Failure::NoKey(format!(
                "the {} has a passphrase, and there is no terminal to ask for it ({error}); {PASSPHRASE_FILE} can name a \
                 file that holds it",
                self.name()
            ))
        })?;
        Passphrase::new(asked).map_err(|error| self.failure(&error))
    }
}

/// The passphrase in the first line of a file.
pub(crate) fn read_passphrase(path: &Path) -> Result<Passphrase, Failure> {
    let fail = |what: String| Failure::other(format!("passphrase file {}: {what}", shown_path(path)));
    // With its final capacity: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(4097));
    let file = secret::open(path).map_err(|error| match error {
        KeyringError::Io(error) => fail(format!("cannot read: {error}")),
        error => fail(error.to_string()),
    })?;
    let read = file.take(MAX_PASSPHRASE_LEN + 1).read_to_string(&mut text);
    let len = read.map_err(|error| fail(format!("cannot read: {error}")))?;
    if len as u64 > MAX_PASSPHRASE_LEN {
        return Err(fail(format!("its first line is to be the passphrase, of at most {MAX_PASSPHRASE_LEN} bytes")));
    }
    Passphrase::from_first_line(&text).map_err(|error| fail(format!("first line: {error}")))
}

/// Asks for a new passphrase, twice.
pub(crate) fn ask_new_passphrase() -> Result<Passphrase, Failure> {
    let ask = |prompt| {
        let answer = rpassword::prompt_password(prompt).map(Zeroizing::new);
        answer.map_err(|error| {
            Failure::other(format!("no terminal to ask for a passphrase ({error}); --file names a file"))
        })
    };
    let new = ask("New passphrase: ")?;
    if new.is_empty() {
        return Err(Failure::other("an empty passphrase protects nothing; --remove takes it away"));
    }
    if *ask("The same again: ")? != *new {
        return Err(Failure::other("the two are not the same; nothing was changed"));
    }
    Passphrase::new(String::clone(&new)).map_err(Failure::other)
}

/// Makes the folders that are not there yet, which nobody else can look into.
fn make_folders(folder: &Path) -> io::Result<()> {
    let missing: Vec<_> = folder.ancestors().take_while(|folder| !folder.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    missing.into_iter().for_each(sync_folder_of);
    Ok(())
}

fn default_path() -> Result<PathBuf, Failure> {
    let folder = dirs::data_dir().ok_or_else(|| {
        Failure::other("there is no home folder to keep the keyring in; OBJSEAL_KEYRING can say where it is")
    })?;
    Ok(folder.join("objseal").join("keyring"))
}
