//! The program: servers of objseal.

mod command;

use clap::{Parser, Subcommand};
use objseal_gateway::tell;
use std::process::ExitCode;

/// Servers of objseal: a key management service that speaks the protocol of AWS KMS.
#[derive(Parser)]
#[command(name = "objseal-gateway", version, max_term_width = 100)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Kms(Box<command::kms::KmsArgs>),
    Credential(command::credential::CredentialArgs),
}

fn main() -> ExitCode {
    let done = match Args::parse().command {
        Command::Kms(args) => command::kms::run(&args),
        Command::Credential(args) => command::credential::run(args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            tell(format_args!("objseal-gateway: {message}"));
            ExitCode::FAILURE
        }
    }
}
