//! Where the keyring is, and how the command comes by it.

use crate::KeyringArgs;
use crate::failure::Failure;
use crate::input::open_secret;
use crate::text::{say, shown_path};
use objseal_keys::keyring::{Keyring, KeyringError, KeyringFile, Passphrase, PassphraseCost};
use std::fs::{self, Metadata};
use std::io::{ErrorKind, Read};
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
        Ok(Self { file: KeyringFile::at(path), passphrase_file: args.passphrase_file.clone(), passphrase: None })
    }

    pub(crate) fn file(&self) -> &KeyringFile {
        &self.file
    }

    pub(crate) fn name(&self) -> String {
        format!("keyring {}", shown_path(self.file.path()))
    }

    /// The passphrase that was given, or that [`read`](Self::read) asked for.
    pub(crate) fn passphrase(&self) -> Option<&Passphrase> {
        self.passphrase.as_ref()
    }

    /// What tells the file from the others that a command uses.
    pub(crate) fn metadata(&self) -> Option<Metadata> {
        fs::metadata(self.file.path()).ok()
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

    /// Reads the keyring, with or without a passphrase, whatever was given: it is to be changed.
    pub(crate) fn read_to_protect(&mut self) -> Result<Keyring, Failure> {
        match self.file.read(None) {
            Err(KeyringError::PassphraseNeeded) => self.read(),
            keyring => keyring.map_err(|error| self.failure(&error)),
        }
    }

    /// Reads the passphrase that was given, once: the file may be a pipe.
    fn load_passphrase(&mut self) -> Result<(), Failure> {
        if let (None, Some(path)) = (&self.passphrase, &self.passphrase_file) {
            self.passphrase = Some(read_passphrase(path)?);
        }
        Ok(())
    }

    /// Reads the keyring, or makes one with the default key if that is the key to use and there is none.
    pub(crate) fn read_or_create(&mut self, key: &str) -> Result<Keyring, Failure> {
        if key == DEFAULT_KEY && !self.exists() {
            self.create(key)?;
        }
        self.read()
    }

    /// Whether there is a keyring, readable or not.
    pub(crate) fn exists(&self) -> bool {
        self.file.path().symlink_metadata().is_ok()
    }

    /// Makes a keyring with one key, under the passphrase that was given. If another process is faster, so be it.
    pub(crate) fn create(&mut self, key: &str) -> Result<(), Failure> {
        self.load_passphrase()?;
        let protection = self.passphrase().map(|passphrase| (passphrase, PassphraseCost::DEFAULT));
        let protected = if protection.is_some() { ", protected by the passphrase" } else { "" };
        match self.file.create(protection, |keyring| keyring.create(key)) {
            Ok(_) => {
                say(format_args!("made the {} with the key \"{key}\"{protected}", self.name()));
                say("keep a copy of it: what is sealed under its keys does not open without them");
                Ok(())
            }
            Err(KeyringError::Io(error)) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(self.failure(&error)),
        }
    }

    /// An error of this keyring, with what to do.
    pub(crate) fn failure(&self, error: &KeyringError) -> Failure {
        let name = self.name();
        match error {
            KeyringError::Io(error) if error.kind() == ErrorKind::NotFound => Failure::NoKey(format!(
                "there is no {name}; `objseal key create {DEFAULT_KEY}` makes it, OBJSEAL_KEYRING says where another one is"
            )),
            KeyringError::WrongPassphrase | KeyringError::UnknownKey => Failure::NoKey(format!("{name}: {error}")),
            KeyringError::NotProtected => {
                Failure::other(format!("{name}: {error}; `objseal key passphrase` protects it"))
            }
            error => Failure::other(format!("{name}: {error}")),
        }
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
    let file = open_secret(path).map_err(|error| match error {
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

fn default_path() -> Result<PathBuf, Failure> {
    let folder = dirs::data_dir().ok_or_else(|| {
        Failure::other("there is no home folder to keep the keyring in; OBJSEAL_KEYRING can say where it is")
    })?;
    Ok(folder.join("objseal").join("keyring"))
}
