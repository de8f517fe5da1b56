//! The command `objseal`: arguments, and which part of the program they lead to.

mod bench;
mod cobblestone;
mod engine;
mod failure;
mod input;
mod inspect;
mod key;
mod key_file;
mod keyring;
mod keys;
mod kms;
mod lock;
mod manual;
mod output;
mod progress;
mod range;
mod rewrap;
mod sealed;
mod secret;
mod signals;
mod standard;
mod store_key;
mod text;
mod threads;
mod time;

use anstream::{AutoStream, ColorChoice};
use clap::{Args, Parser, Subcommand};
use failure::Failure;
use key::Key;
use keys::KeysArgs;
use objseal::checksums::Wanted;
use range::ByteRange;
use sealed::Pair;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use text::{finish_printing, print_text};
use threads::ThreadCount;

const AFTER_HELP: &str = "\
Exit codes:
  0              done
  1              a file could not be read or written, or something else went wrong
  2              the command line is wrong
  3              refused: wrong key, wrong context, not sealed, or changed
  4              the key is not there: no keyring, no such key, no passphrase; or it is not there
                 for this: disabled, to be deleted, not allowed
  129, 130, 143  ended by SIGHUP, SIGINT, SIGTERM; no unfinished file is left
  141            whoever read the output closed it

Environment:
  OBJSEAL_KEYRING          where the keyring is; `objseal key create` makes one there
  OBJSEAL_PASSPHRASE_FILE  a file whose first line is the passphrase of the keyring;
                           a keyring that is made then is protected by it
  OBJSEAL_KMS              the key management service that has the keys, as for --kms
  OBJSEAL_STORE_KEY        who holds the key of the store of local:FILE
  OBJSEAL_KMS_HEAD         a file with heads of its audit log that were kept elsewhere
  OBJSEAL_KMS_ANCHOR       a command that keeps new ones
  AWS_PROFILE, AWS_ACCESS_KEY_ID and others, AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL
                           for --kms aws:ARN, as AWS has them
  BAO_TOKEN, BAO_NAMESPACE, BAO_CACERT
                           for --kms bao:URL#KEY: who asks, in which namespace, and a file with the
                           certificate that the server's is under; or VAULT_TOKEN and so on. Without
                           a token ~/.vault-token has it
  OBJSEAL_BACKEND          use soft, aes-ni, vaes-256, vaes-512, armv8, armv8-sha3,
                           rustcrypto or aws-lc
  OBJSEAL_OUTER_BACKEND    the same for the outer one of two layers";

/// Encrypts stored objects.
#[derive(Parser)]
#[command(name = "objseal", version, after_help = AFTER_HELP, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Encrypt a file under a key of the keyring. The first time, that makes a keyring in its default place.
    Seal(SealArgs),
    /// Verify a sealed file and decrypt it, or a range of it.
    Open(OpenArgs),
    /// Verify sealed files, all of them, and write nothing.
    Verify(VerifyArgs),
    /// Show what a sealed file says about itself.
    Inspect(InspectArgs),
    /// Put sealed files under the latest versions of their keys, or under another key; only their heads are written.
    ///
    /// It is rotation, not revocation: a copy made before still opens under the old key.
    Rewrap(RewrapArgs),
    /// The keys of the keyring, or of a key management service.
    #[command(subcommand, arg_required_else_help = true)]
    Key(Key),
    /// Bare Cobblestone-256 messages, the published format C2SP chunked-encryption.
    #[command(subcommand, arg_required_else_help = true)]
    Cobblestone(Cobblestone),
    /// Measure this machine, for about ten seconds.
    Bench,
    /// Print what makes a shell complete the command line.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder.
    Manual {
        /// The folder.
        folder: PathBuf,
    },
}

#[derive(Subcommand)]
enum Cobblestone {
    /// Encrypt a file into a message.
    Seal(MessageArgs),
    /// Verify a message and decrypt it, or a range of it.
    Open(OpenMessageArgs),
    /// Make a key file.
    Keygen(KeygenArgs),
}

#[derive(Args)]
struct SealArgs {
    /// What to read; - for standard input.
    input: PathBuf,
    /// What to write; - for standard output [default: INPUT.sealed].
    #[arg(short, long)]
    output: Option<PathBuf>,
    #[command(flatten)]
    context: ContextArgs,
    /// The key to seal under [default: the one that --kms names, or else default].
    #[arg(short, long, value_name = "NAME")]
    key: Option<String>,
    /// Layers of encryption: with 2 everything is encrypted twice, under two data keys, by two implementations.
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    layers: u8,
    /// The key of the outer one of two layers [default: that of --key].
    #[arg(long, value_name = "NAME", requires = "layers")]
    outer_key: Option<String>,
    /// A digest of the plaintext to keep, encrypted, for `objseal inspect`: sha256, crc64nvme, crc32c, crc32, sha1,
    /// md5, sha512, xxhash64, xxhash3 or xxhash128. Can be given many times.
    #[arg(long = "digest", value_name = "NAME")]
    digests: Vec<Wanted>,
    /// Decrypt everything again with another implementation, and compare, before it is written.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    keys: KeysArgs,
}

#[derive(Args)]
struct OpenArgs {
    /// What to read; - for standard input.
    input: PathBuf,
    /// What to write; - for standard output [default: INPUT without .sealed].
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Bytes of the plaintext to open, as in HTTP: A-B (both included), A- (from A on) or -N (the last N). Without -o
    /// they go to standard output.
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    range: Option<ByteRange>,
    #[command(flatten)]
    demands: DemandArgs,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    keys: KeysArgs,
}

#[derive(Args)]
struct VerifyArgs {
    /// Sealed files; - for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    demands: DemandArgs,
    #[arg(short, long, value_name = "N", help = threads::HELP)]
    threads: Option<ThreadCount>,
    #[command(flatten)]
    keys: KeysArgs,
}

#[derive(Args)]
struct InspectArgs {
    /// A sealed file.
    file: PathBuf,
    /// As JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    context: ContextArgs,
    #[command(flatten)]
    keys: KeysArgs,
}

#[derive(Args)]
struct RewrapArgs {
    /// Sealed files.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The key to put them under, and no other [default: all of their keys].
    #[arg(short, long, value_name = "NAME")]
    key: Option<String>,
    /// The same for the outer one of two layers.
    #[arg(long, value_name = "NAME")]
    outer_key: Option<String>,
    #[command(flatten)]
    demands: DemandArgs,
    #[command(flatten)]
    keys: KeysArgs,
}

#[derive(Args)]
struct KeyringArgs {
    /// The keyring [default: objseal/keyring in the user's data folder].
    #[arg(long, value_name = "FILE", env = "OBJSEAL_KEYRING", hide_env = true)]
    keyring: Option<PathBuf>,
    /// A file with the passphrase of the keyring in its first line.
    #[arg(long, value_name = "FILE", env = keyring::PASSPHRASE_FILE, hide_env = true)]
    passphrase_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct ContextArgs {
    /// A public pair that the object is bound to; it opens only when all pairs are the same. Can be given many times.
    #[arg(short = 'c', long = "context", value_name = "KEY=VALUE")]
    pairs: Vec<Pair>,
}

#[derive(Args)]
struct DemandArgs {
    #[command(flatten)]
    context: ContextArgs,
    /// Refuse what has fewer layers.
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    layers: u8,
}

#[derive(Args)]
struct WorkArgs {
    #[arg(short, long, value_name = "N", help = threads::HELP)]
    threads: Option<ThreadCount>,
    /// Replace OUTPUT if it exists, or what it links to.
    #[arg(short, long)]
    force: bool,
}

#[derive(Args)]
struct MessageArgs {
    /// What to read; - for standard input.
    input: PathBuf,
    /// What to write; - for standard output [default: INPUT.cobblestone, and back].
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// The key, in a file that nobody else can read: 64 hexadecimal digits, or 32 bytes as they are.
    #[arg(short, long, value_name = "KEY")]
    key_file: PathBuf,
    /// Public text that the message is bound to: it opens only with the same.
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    context: String,
    #[command(flatten)]
    work: WorkArgs,
}

#[derive(Args)]
struct OpenMessageArgs {
    #[command(flatten)]
    message: MessageArgs,
    /// Bytes of the plaintext to open, as in HTTP: A-B (both included), A- (from A on) or -N (the last N). Without -o
    /// they go to standard output.
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    range: Option<ByteRange>,
}

#[derive(Args)]
struct KeygenArgs {
    /// The file to make, readable by you alone; - for standard output.
    #[arg(short, long, value_name = "KEY", default_value = "-")]
    output: PathBuf,
}

impl Command {
    /// Whether what it does ends with a line to standard output. One that is closed is found out before.
    fn prints(&self) -> bool {
        !matches!(self, Self::Seal(_) | Self::Open(_) | Self::Cobblestone(_) | Self::Manual { .. })
    }

    fn run(self) -> Result<(), Failure> {
        if self.prints() {
            standard::output()?;
        }
        match self {
            Self::Seal(args) => sealed::seal(args),
            Self::Open(args) => sealed::open(args),
            Self::Verify(args) => sealed::verify(args),
            Self::Inspect(args) => inspect::run(&args),
            Self::Rewrap(args) => rewrap::run(args),
            Self::Key(command) => command.run(),
            Self::Cobblestone(Cobblestone::Seal(args)) => cobblestone::seal(&args),
            Self::Cobblestone(Cobblestone::Open(args)) => cobblestone::open(&args.message, args.range),
            Self::Cobblestone(Cobblestone::Keygen(args)) => key_file::generate(&args.output),
            Self::Bench => bench::run(),
            Self::Completions { shell } => manual::completions(shell),
            Self::Manual { folder } => manual::pages(&folder),
        }
    }
}

/// Help and the version, for terminals with their colours.
fn print_help(help: &clap::Error) -> Result<(), Failure> {
    let text = help.render();
    match AutoStream::choice(&io::stdout()) {
        ColorChoice::Never => print_text(&text.to_string()),
        _ => print_text(&text.ansi().to_string()),
    }
}

fn main() -> ExitCode {
    standard::remember_descriptors();
    let done = match Cli::try_parse() {
        Ok(cli) => cli.command.run(),
        Err(error) if error.use_stderr() => {
            // If nobody hears it, the exit code is all there is.
            let _ = error.print();
            return ExitCode::from(2);
        }
        Err(help) => print_help(&help),
    };
    match done.and_then(|()| finish_printing()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
