//! Where the keyring is, and how the command comes by it.

use crate::KeyringArgs;
use crate::failure::Failure;
use crate::text::{say, shown_path};
use objseal_keys::keyring::{Keyring, KeyringError, KeyringFile, Passphrase};
use std::env;
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The key that is made with the keyring, and used unless another one is named.
pub(crate) const DEFAULT_KEY: &str = "default";

const PASSPHRASE_FILE: &str = "OBJSEAL_PASSPHRASE_FILE";
/// No passphrase is longer, in bytes.
const MAX_PASSPHRASE_LEN: u64 = 4096;

/// The keyring file that is in use.
pub(crate) struct Place {
    file: KeyringFile,
    passphrase: Option<Passphrase>,
}

impl Place {
    /// Where the keyring is, by option, environment or custom.
    pub(crate) fn find(args: &KeyringArgs) -> Result<Self, Failure> {
        let path = match &args.keyring {
            Some(path) => path.clone(),
            None => default_path()?,
        };
        Ok(Self { file: KeyringFile::at(path), passphrase: None })
    }

    pub(crate) fn file(&self) -> &KeyringFile {
        &self.file
    }

    pub(crate) fn name(&self) -> String {
        format!("keyring {}", shown_path(self.file.path()))
    }

    /// The passphrase that [`read`](Self::read) needed.
    pub(crate) fn passphrase(&self) -> Option<&Passphrase> {
        self.passphrase.as_ref()
    }

    /// What tells the file from the others that a command uses.
    pub(crate) fn metadata(&self) -> Option<Metadata> {
        fs::metadata(self.file.path()).ok()
    }

    /// Reads the keyring. Asks for the passphrase if it has one.
    pub(crate) fn read(&mut self) -> Result<Keyring, Failure> {
        match self.file.read(None) {
            Err(KeyringError::PassphraseNeeded) => {}
            other => return other.map_err(|error| self.failure(&error)),
        }
        let passphrase = self.known_passphrase()?;
        let keyring = self.file.read(Some(&passphrase)).map_err(|error| self.failure(&error))?;
        self.passphrase = Some(passphrase);
        Ok(keyring)
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

    /// Makes a keyring with one key. If another process is faster, that is as well.
    pub(crate) fn create(&self, key: &str) -> Result<(), Failure> {
        match self.file.create(None, |keyring| keyring.create(key)) {
            Ok(_) => {
                say(format_args!("made the {} with the key \"{key}\"", self.name()));
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
            error => Failure::other(format!("{name}: {error}")),
        }
    }

    fn known_passphrase(&self) -> Result<Passphrase, Failure> {
        if let Some(path) = env::var_os(PASSPHRASE_FILE) {
            return read_passphrase(Path::new(&path));
        }
        let asked = rpassword::prompt_password(format!("Passphrase of the {}: ", self.name()));
        asked.map(Passphrase::new).map_err(|error| {
            Failure::NoKey(format!(
                "the {} has a passphrase, and there is no terminal to ask for it ({error}); {PASSPHRASE_FILE} can name a \
                 file that holds it",
                self.name()
            ))
        })
    }
}

/// The passphrase in the first line of a file.
pub(crate) fn read_passphrase(path: &Path) -> Result<Passphrase, Failure> {
    let fail = |what: String| Failure::other(format!("passphrase file {}: {what}", shown_path(path)));
    // With its final capacity: a string that grows leaves copies behind.
    let mut text = Zeroizing::new(String::with_capacity(4097));
    let read = File::open(path).and_then(|file| file.take(MAX_PASSPHRASE_LEN + 1).read_to_string(&mut text));
    let len = read.map_err(|error| fail(format!("cannot read: {error}")))?;
    let line = text.split('\n').next().unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() || len as u64 > MAX_PASSPHRASE_LEN {
        return Err(fail(format!("its first line is to be the passphrase, of at most {MAX_PASSPHRASE_LEN} bytes")));
    }
    Ok(Passphrase::new(line.into()))
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
    Ok(Passphrase::new(String::clone(&new)))
}

fn default_path() -> Result<PathBuf, Failure> {
    let folder = dirs::data_dir().ok_or_else(|| {
        Failure::other("there is no home folder to keep the keyring in; OBJSEAL_KEYRING can say where it is")
    })?;
    Ok(folder.join("objseal").join("keyring"))
}
