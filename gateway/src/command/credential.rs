//! `objseal-gateway credential`: who may send requests.

use clap::{Args, Subcommand};
use objseal_gateway::credentials::{self, Credentials};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Access keys: who may send requests, and whom they stand for.
///
/// A server that runs takes changes after a SIGHUP.
#[derive(Args)]
pub(crate) struct CredentialArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes an access key, adds it to the file, and prints it as ~/.aws/credentials has it. Its secret is shown once.
    Add {
        #[command(flatten)]
        file: FileArgs,
        /// Whom it stands for: an ARN, such as arn:aws:iam::000000000000:user/alice.
        #[arg(long, value_name = "ARN")]
        principal: String,
        /// It is of a service that acts for others, and says for whom in signed headers.
        #[arg(long)]
        service: bool,
        /// A file with a policy that the account attaches to the principal.
        #[arg(long, value_name = "FILE")]
        policy: Vec<PathBuf>,
        /// The name of the profile that is printed.
        #[arg(long, default_value = "default")]
        profile: String,
    },
    /// Lists access keys, and whom they stand for.
    List {
        #[command(flatten)]
        file: FileArgs,
    },
    /// Removes an access key.
    Remove {
        #[command(flatten)]
        file: FileArgs,
        /// Its id.
        access_key_id: String,
    },
}

#[derive(Args)]
struct FileArgs {
    /// The file that has them, which only its owner can read.
    #[arg(long, value_name = "FILE", env = "OBJSEAL_GATEWAY_CREDENTIALS", hide_env = true)]
    credentials: PathBuf,
}

pub(crate) fn run(args: CredentialArgs) -> Result<(), String> {
    match args.command {
        Command::Add { file, principal, service, policy, profile } => {
            let path = &file.credentials;
            let policies = policy.iter().map(|path| read_policy(path)).collect::<Result<_, _>>()?;
            let new = credentials::add(path, &principal, service, policies).map_err(|error| of(path, error))?;
            let id = &new.access_key_id;
            let secret = &*new.secret_access_key;
            print(&format!("[{profile}]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n"))
        }
        Command::List { file } => {
            let path = &file.credentials;
            let all = Credentials::read(path).map_err(|error| of(path, error))?;
            let lines = all.iter().map(|one| {
                let service = if one.is_service { "  service" } else { "" };
                format!("{}  {}{service}\n", one.access_key_id, one.principal.arn())
            });
            print(&lines.collect::<String>())
        }
        Command::Remove { file, access_key_id } => {
            let path = &file.credentials;
            match credentials::remove(path, &access_key_id).map_err(|error| of(path, error))? {
                true => Ok(()),
                false => Err(format!("{}: there is no access key {access_key_id:?}", path.display())),
            }
        }
    }
}

fn read_policy(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| of(path, error))
}

/// What fails with a file.
pub(super) fn of(path: &Path, error: impl std::fmt::Display) -> String {
    format!("{}: {error}", path.display())
}

fn print(text: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| format!("standard output: {error}"))
}
