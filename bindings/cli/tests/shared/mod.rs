//! What the tests of the command share: a folder to run it in, and what came of it.

// Each test program uses some of it.
#![allow(dead_code)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

/// A folder with a file of three chunks and a bit, `plain`, and with what the commands under test need.
pub(crate) struct Folder {
    folder: TempDir,
    /// The words that go before those of a test.
    command: &'static [&'static str],
    /// Names that were there before the test.
    before: Vec<String>,
}

pub(crate) const LEN: usize = 3 * 16_384 + 777;

impl Folder {
    fn new(command: &'static [&'static str]) -> Self {
        let folder = Self { folder: tempfile::tempdir().expect("a folder"), command, before: Vec::new() };
        fs::write(folder.path("plain"), plaintext(LEN)).expect("written");
        folder
    }

    fn known(mut self) -> Self {
        self.before = self.others();
        self
    }

    /// For `objseal cobblestone`: with a key, `key`.
    pub(crate) fn with_key() -> Self {
        let folder = Self::new(&["cobblestone"]);
        folder.run(&["keygen", "-o", "key"]).ok();
        folder.known()
    }

    /// For sealed files: with a keyring, `keyring`.
    pub(crate) fn with_keyring() -> Self {
        let folder = Self::new(&[]);
        Ended(folder.command(&["key", "create", "default"]).output().expect("it runs")).said("made the keyring");
        folder.known()
    }

    /// For sealed files, with a keyring as well, and with a key management service under it, `kms`, that has the key
    /// `default`.
    pub(crate) fn with_kms() -> Self {
        let folder = Self::with_keyring();
        folder.kms(&["key", "create", "default"]).said("made the store kms, under key \"default\" of the keyring");
        folder.known()
    }

    /// The command with that service.
    pub(crate) fn kms(&self, args: &[&str]) -> Ended {
        self.run(&[args, &["--kms", "local:kms"]].concat())
    }

    /// What a command with that service prints, without its last end of line.
    pub(crate) fn printed(&self, args: &[&str]) -> String {
        text(self.kms(args).ok()).trim_end().into()
    }

    /// The ARN of a key of that service.
    pub(crate) fn arn(&self, key: &str) -> String {
        json(&self.kms(&["key", "describe", key, "--json"]).ok())["Arn"].as_str().expect("text").into()
    }

    /// For sealed files, before the first one.
    pub(crate) fn without_keyring() -> Self {
        Self::new(&[]).known()
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// The command, as this folder's tests call it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.prepared(Command::new(env!("CARGO_BIN_EXE_objseal")), args)
    }

    /// The command behind another one, such as `env`.
    pub(crate) fn command_behind(&self, program: &str, program_args: &[&str], args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(program_args).arg(env!("CARGO_BIN_EXE_objseal"));
        self.prepared(command, args)
    }

    fn prepared(&self, mut command: Command, args: &[&str]) -> Command {
        command.args(self.command).args(args).current_dir(self.root()).stdin(Stdio::null());
        command.env("OBJSEAL_KEYRING", self.path("keyring")).env_remove("OBJSEAL_PASSPHRASE_FILE");
        for name in ["OBJSEAL_KMS", "OBJSEAL_STORE_KEY", "OBJSEAL_KMS_HEAD", "OBJSEAL_KMS_ANCHOR"] {
            command.env_remove(name);
        }
        command
    }

    /// The command where nobody says where the keyring is.
    pub(crate) fn by_default(&self, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.env_remove("OBJSEAL_KEYRING").env("XDG_DATA_HOME", self.path("data"));
        command
    }

    /// Where it is then.
    pub(crate) fn default_keyring(&self) -> PathBuf {
        self.path("data/objseal/keyring")
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ended {
        Ended(self.command(args).output().expect("it runs"))
    }

    pub(crate) fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ended {
        let mut child = piped(&mut self.command(args));
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_vec();
        // It may end before it has read everything.
        let feeding = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().expect("it ends");
        let _ = feeding.join().expect("no panic");
        Ended(output)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).expect("read")
    }

    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path(name)).expect("there").permissions().mode() & 0o7777
    }

    pub(crate) fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).expect("set");
    }

    /// Writes a file that nobody else can read.
    pub(crate) fn write_secret(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).expect("written");
        self.set_mode(name, 0o600);
    }

    /// What `inspect` says of a sealed file.
    pub(crate) fn inspect(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_slice(&self.run(&[&["inspect", "--json"], args].concat()).ok()).expect("JSON")
    }

    /// Names in the folder that were not there before the test, without locks.
    pub(crate) fn others(&self) -> Vec<String> {
        let names = fs::read_dir(self.root()).expect("read").map(|entry| entry.expect("read").file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().expect("plain")).collect();
        names.retain(|name| !self.before.contains(name) && !name.ends_with(".lock"));
        names.sort();
        names
    }
}

pub(crate) fn piped(command: &mut Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs")
}

pub(crate) fn plaintext(len: usize) -> Vec<u8> {
    (0..len).map(|i| u8::try_from(i % 251).expect("below 251")).collect()
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}

pub(crate) fn json(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[must_use]
pub(crate) struct Ended(pub(crate) Output);

impl Ended {
    /// It succeeded and, as no terminal is there, said nothing.
    pub(crate) fn ok(self) -> Vec<u8> {
        assert_eq!(String::from_utf8_lossy(&self.0.stderr), "");
        assert_eq!(self.0.status.code(), Some(0));
        self.0.stdout
    }

    /// It succeeded and said these words to standard error.
    pub(crate) fn said(self, words: &str) -> Vec<u8> {
        let said = String::from_utf8_lossy(&self.0.stderr);
        assert_eq!(self.0.status.code(), Some(0), "{said}");
        assert!(said.contains(words), "{said:?} lacks {words:?}");
        self.0.stdout
    }

    /// It failed with this code and one line that has these words.
    pub(crate) fn failed(&self, code: i32, words: &str) {
        let said = String::from_utf8_lossy(&self.0.stderr);
        assert_eq!(self.0.status.code(), Some(code), "{said}");
        assert!(said.contains(words), "{said:?} lacks {words:?}");
        assert!(code == 2 || (said.starts_with("objseal: ") && said.lines().count() == 1), "{said}");
    }
}

/// Waits until the command writes a new file and listens to signals; another thread does that. Returns a path to the file,
/// which need not have a name.
pub(crate) fn wait_for_part(folder: &Folder, child: &mut Child) -> PathBuf {
    let process = format!("/proc/{}", child.id());
    let names = |what: &str| {
        fs::read_dir(format!("{process}/{what}")).into_iter().flatten().flatten().map(|entry| entry.path())
    };
    loop {
        let mut parts = names("fd").filter(|descriptor| {
            fs::read_link(descriptor).is_ok_and(|part| {
                let unnamed = part.to_string_lossy().ends_with(" (deleted)");
                part.starts_with(folder.root()) && (unnamed || part.to_string_lossy().contains("/.objseal-"))
            })
        });
        if names("task").count() > 1
            && let Some(part) = parts.next()
        {
            return part;
        }
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it began to write");
        std::thread::yield_now();
    }
}

/// Runs `command`, which writes `output_len` bytes, and says how many bytes were resident at most.
///
/// The kernel tells it of a process that lives: this one does, because it cannot write its last bytes yet.
pub(crate) fn peak_memory(command: &mut Command, output_len: u64) -> u64 {
    let mut child = piped(command);
    let mut stdout = child.stdout.take().expect("a pipe");
    let most = output_len - (1 << 20);
    let read = std::io::copy(&mut (&mut stdout).take(most), &mut std::io::sink()).expect("read");
    assert_eq!(read, most);
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it lives");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    let kibibytes: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    let rest = std::io::copy(&mut stdout, &mut std::io::sink()).expect("read");
    assert_eq!(read + rest, output_len);
    Ended(child.wait_with_output().expect("it ends")).ok();
    kibibytes << 10
}
