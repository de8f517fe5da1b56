//! The command `objseal`: arguments, and which part of the program they lead to.

mod backend;
mod bench;
mod cobblestone;
mod failure;
mod input;
mod key_file;
mod output;
mod progress;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

const EXIT_CODES: &str = "\
Exit codes:
  0              done
  1              a file could not be read or written, or something else went wrong
  2              the command line is wrong
  3              wrong key, wrong context, or the message was changed
  129, 130, 143  ended by SIGHUP, SIGINT, SIGTERM; no unfinished file is left
  141            whoever read the output closed it

OBJSEAL_BACKEND=soft|aes-ni|vaes-256|vaes-512 chooses a slower backend than the best one of this CPU.";

/// Encrypts stored objects.
#[derive(Parser)]
#[command(name = "objseal", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bare Cobblestone-256 messages, the published format C2SP chunked-encryption.
    #[command(subcommand, arg_required_else_help = true)]
    Cobblestone(Cobblestone),
    /// Measure this machine, for about ten seconds.
    Bench,
}

#[derive(Subcommand)]
enum Cobblestone {
    /// Encrypt a file into a message.
    Seal(SealArgs),
    /// Verify a message and decrypt it, or a range of it.
    Open(OpenArgs),
    /// Make a key file.
    Keygen(KeygenArgs),
}

#[derive(Args)]
struct SealArgs {
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Args)]
struct OpenArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// Bytes of the plaintext to open, as in HTTP: A-B (both included), A- (from A on) or -N (the last N). Without -o
    /// they go to standard output.
    #[arg(long, value_name = "A-B", allow_hyphen_values = true)]
    range: Option<cobblestone::ByteRange>,
}

#[derive(Args)]
struct CommonArgs {
    /// What to read; - for standard input.
    input: PathBuf,
    /// What to write; - for standard output [default: INPUT.cobblestone, and back].
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// The key: 64 hexadecimal digits, or 32 bytes as they are.
    #[arg(short, long, value_name = "KEY")]
    key_file: PathBuf,
    /// Public text that the message is bound to: it opens only with the same.
    #[arg(short, long, value_name = "TEXT", default_value = "")]
    context: String,
    /// Threads to work on, up to 1000 [default: as many as this machine can run at once].
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(cobblestone::MAX_THREADS)))]
    threads: Option<u16>,
    /// Replace OUTPUT if it exists.
    #[arg(short, long)]
    force: bool,
}

#[derive(Args)]
struct KeygenArgs {
    /// The file to make, readable by you alone; - for standard output.
    #[arg(short, long, value_name = "KEY", default_value = "-")]
    output: PathBuf,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Cobblestone(Cobblestone::Seal(args)) => cobblestone::seal(&args.common),
        Command::Cobblestone(Cobblestone::Open(args)) => cobblestone::open(&args.common, args.range),
        Command::Cobblestone(Cobblestone::Keygen(args)) => key_file::generate(&args.output),
        Command::Bench => bench::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
