//! What the tests share: backends, patterns, keyrings, sealed files in memory.

pub mod format;
pub mod golden;

use objseal::cobblestone::{ReadAt, Threads};
use objseal::envelope::{EncryptionContext, OpenOptions, SealOptions};
use objseal::file::{self, FileError, Info, WriteAt};
use objseal::{Backend, Engine};
use objseal_keys::keyring::Keyring;
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// The engines under test: all that this machine has, or the one that `OBJSEAL_BACKEND` names.
///
/// # Panics
/// If this machine does not have the one that was named, or a build for tests lacks one.
#[must_use]
pub fn engines() -> Vec<Engine> {
    if let Ok(name) = std::env::var("OBJSEAL_BACKEND") {
        let engine: Engine = name.parse().expect("OBJSEAL_BACKEND names an engine");
        assert!(engine.is_available(), "OBJSEAL_BACKEND asks for {engine}, and this CPU does not have it");
        return vec![engine];
    }
    // AWS-LC has no build for big-endian CPUs.
    let little_endian = cfg!(target_endian = "little");
    for (engine, compiled_in) in [(Engine::RustCrypto, true), (Engine::AwsLc, little_endian)] {
        assert_eq!(engine.is_available(), compiled_in, "{engine}");
        if !compiled_in {
            println!("{engine} is not among the engines under test: it knows no big-endian CPU");
        }
    }
    Engine::all().filter(|engine| engine.is_available()).collect()
}

/// Those of them that are objseal's own.
#[must_use]
pub fn backends() -> Vec<Backend> {
    let native = |engine| if let Engine::Native(backend) = engine { Some(backend) } else { None };
    engines().into_iter().filter_map(native).collect()
}

/// Prints what ran, for those who read the log (`--nocapture`).
pub fn report(suite: &str, engine: impl Into<Engine>, what: impl std::fmt::Display) {
    println!("{suite}: {what} on {}", engine.into());
}

/// Bytes that repeat with a prime period, so that no two blocks of a message look the same to a kernel.
#[must_use]
pub fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i % 251).expect("below 251") ^ u8::try_from(i >> 8 & 0xff).expect("a byte")).collect()
}

/// An encryption context of these pairs.
///
/// # Panics
/// If they are not one.
#[must_use]
pub fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    EncryptionContext::from_pairs(pairs.iter().copied()).expect("a context")
}

/// A keyring with these keys.
///
/// # Panics
/// If there are no random bytes.
#[must_use]
pub fn keyring(names: &[&str]) -> Arc<Keyring> {
    let mut keyring = Keyring::new();
    names.iter().for_each(|name| keyring.create(name).expect("random bytes"));
    Arc::new(keyring)
}

/// Seals in one layer for each of these keys, the innermost first.
///
/// # Panics
/// If a key is not there.
#[must_use]
pub fn seal_options(keyring: &Keyring, layers: &[&str]) -> SealOptions {
    let mut keys = layers.iter().map(|name| keyring.latest(name).expect("it is there"));
    let options = SealOptions::new(keys.next().expect("a layer"));
    keys.fold(options, SealOptions::with_outer_key)
}

/// Opens what is sealed under these keys and bound to no context.
#[must_use]
pub fn open_options(keyring: &Arc<Keyring>) -> OpenOptions {
    OpenOptions::new().with_service(keyring.clone())
}

/// A sealed file in memory.
///
/// # Panics
/// If it cannot be sealed.
#[must_use]
pub fn seal_in_memory(options: &SealOptions, plaintext: &[u8]) -> Vec<u8> {
    let mut stored = Vec::new();
    file::seal(options, plaintext, &mut stored, &Threads::available()).expect("sealed");
    stored
}

/// The same under a key of a keyring.
///
/// # Panics
/// If it cannot be sealed.
#[must_use]
pub fn seal_file(keyring: &Keyring, key: &str, context: EncryptionContext, plaintext: &[u8]) -> Vec<u8> {
    seal_in_memory(&seal_options(keyring, &[key]).with_context(context), plaintext)
}

/// Opens a sealed file in memory, whatever its context; the plaintext is what was released.
pub fn open_file(keyring: &Arc<Keyring>, stored: &[u8]) -> (Result<Info, FileError>, Vec<u8>) {
    let mut plaintext = Vec::new();
    let options = open_options(keyring).with_any_context();
    let opened = file::open(&options, stored, &mut plaintext, &Threads::available());
    (opened, plaintext)
}

/// A file in memory that can be rewritten.
pub struct Disk(pub RefCell<Vec<u8>>);

impl ReadAt for Disk {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.borrow()[..].read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.0.borrow()[..].size()
    }
}

impl WriteAt for Disk {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).expect("small");
        self.0.borrow_mut()[start..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A path in `vectors`.
#[must_use]
pub fn vectors(path: &str) -> PathBuf {
    root("vectors").join(path)
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// A Python that has PyCA's `cryptography`.
pub struct Python(PathBuf);

impl Python {
    /// The one that `tests/pyca/install` makes, or that `OBJSEAL_PYCA_PYTHON` names.
    #[must_use]
    pub fn find() -> Self {
        Self(std::env::var_os("OBJSEAL_PYCA_PYTHON").map_or_else(|| root("target/pyca/bin/python"), PathBuf::from))
    }

    /// Runs a script of this repository; gives its status and what it printed.
    #[must_use]
    pub fn run(&self, script: &str, args: &[&str]) -> (Option<i32>, String) {
        self.run_with(script, args, &[])
    }

    /// The same with variables in its environment.
    ///
    /// # Panics
    /// If there is no such Python; the message says how to make it.
    #[must_use]
    pub fn run_with(&self, script: &str, args: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let install = "tests/pyca/install makes it: cryptography 50 or later";
        let output = Command::new(&self.0).arg(root(script)).args(args).envs(variables.iter().copied()).output();
        let output = output.unwrap_or_else(|error| panic!("{} does not run ({error}); {install}", self.0.display()));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("ImportError") && !errors.contains("ModuleNotFoundError"), "{errors}\n{install}");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).trim().to_owned() + &errors)
    }
}
