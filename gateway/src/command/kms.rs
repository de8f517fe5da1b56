//! `objseal-gateway kms`: the key management service over the network.

use super::credential::of;
use super::store::StoreArgs;
use clap::Args;
use objseal_gateway::credentials::{Credentials, CredentialsError};
use objseal_gateway::http::{Bounds, Server, Tls};
use objseal_gateway::kms::{KmsService, Options};
use objseal_gateway::tell;
use objseal_keys::local::LocalKms;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

/// How often what is due is done: rotation, deletion.
const MAINTENANCE: Duration = Duration::from_secs(60 * 60);

/// Answers the protocol of AWS KMS over a store of keys in a file.
///
/// SIGHUP reads credentials and certificate again; SIGTERM and SIGINT end it when the requests that were begun are answered.
#[derive(Args)]
pub(crate) struct KmsArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// The file with access keys, from `objseal-gateway credential add`.
    #[arg(long, value_name = "FILE", env = "OBJSEAL_GATEWAY_CREDENTIALS", hide_env = true)]
    #[arg(help_heading = "Network")]
    credentials: PathBuf,
    /// Where to listen. Port 0 is any that is free.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9443", help_heading = "Network")]
    listen: SocketAddr,
    /// The folder of a certificate; the first time it is made there, for localhost and the names of --name. Clients trust
    /// its ca.pem.
    #[arg(long, value_name = "FOLDER", help_heading = "Network", conflicts_with = "certificate")]
    #[arg(required_unless_present_any = ["certificate", "no_tls"])]
    tls: Option<PathBuf>,
    /// A host name or address of the certificate that is made.
    #[arg(long, value_name = "HOST", help_heading = "Network", requires = "tls")]
    name: Vec<String>,
    /// A certificate, and those that lead to the one that clients trust, in PEM.
    #[arg(long, value_name = "FILE", help_heading = "Network", requires = "private_key")]
    certificate: Option<PathBuf>,
    /// Its private key, in PEM.
    #[arg(long, value_name = "FILE", help_heading = "Network", requires = "certificate")]
    private_key: Option<PathBuf>,
    /// Listen without TLS. Keys travel in clear: only on a loopback address.
    #[arg(long, help_heading = "Network", conflicts_with_all = ["tls", "certificate"])]
    no_tls: bool,
    /// Requests in a second of each access key.
    #[arg(long, value_name = "REQUESTS", default_value_t = Options::default().rate, help_heading = "Network")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Denied requests in a second of each principal, before all its requests are throttled.
    #[arg(long, value_name = "REQUESTS", default_value_t = Options::default().denials, help_heading = "Network")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    denials: u32,
    /// Connections at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, help_heading = "Network")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
}

/// Serves until a signal ends it.
pub(crate) fn run(args: &KmsArgs) -> Result<(), String> {
    if args.no_tls && !args.listen.ip().is_loopback() {
        return Err("without TLS keys would travel in clear: listen on a loopback address, or use --tls FOLDER".into());
    }
    let credentials = args.credentials()?;
    let tls = args.tls()?.map(Arc::new);
    let kms = Arc::new(args.store.open()?);
    let options = Options { rate: args.rate, denials: args.denials, ..Options::default() };
    let service = Arc::new(KmsService::new(Arc::clone(&kms), credentials, options));
    let runtime = Builder::new_multi_thread().enable_all().build().map_err(|error| error.to_string())?;
    runtime.block_on(serve(args, tls, &kms, service))?;
    // The last lines of the log.
    kms.audit().flush().map_err(|error| format!("audit: {error}"))
}

impl KmsArgs {
    fn credentials(&self) -> Result<Credentials, String> {
        Credentials::read(&self.credentials).map_err(|error| match error {
            CredentialsError::Io(error) if error.kind() == ErrorKind::NotFound => {
                of(&self.credentials, "there is no such file; `objseal-gateway credential add` makes it")
            }
            error => of(&self.credentials, error),
        })
    }

    fn tls(&self) -> Result<Option<Tls>, String> {
        let tls = match (&self.tls, &self.certificate, &self.private_key) {
            (Some(folder), ..) => {
                let mut names = vec!["localhost".into(), "127.0.0.1".into(), "::1".into()];
                if !self.listen.ip().is_loopback() && !self.listen.ip().is_unspecified() {
                    names.push(self.listen.ip().to_string());
                }
                names.extend(self.name.iter().cloned());
                Tls::read_or_make(folder, &names).map(Some)
            }
            (None, Some(certificate), Some(private_key)) => Tls::read(certificate, private_key).map(Some),
            _ => Ok(None),
        };
        tls.map_err(|error| error.to_string())
    }

    /// Reads credentials and certificate again. What cannot be read stays as it was.
    fn reload(&self, tls: Option<&Tls>, service: &KmsService) {
        match self.credentials() {
            Ok(credentials) => {
                service.set_credentials(credentials);
                tell(format_args!("took the credentials of {}", self.credentials.display()));
            }
            Err(error) => tell(format_args!("kept the old credentials: {error}")),
        }
        match tls.map(Tls::reload) {
            Some(Ok(())) => tell(format_args!("took the certificate")),
            Some(Err(error)) => tell(format_args!("kept the old certificate: {error}")),
            None => {}
        }
    }
}

async fn serve(
    args: &KmsArgs,
    tls: Option<Arc<Tls>>,
    kms: &Arc<LocalKms>,
    service: Arc<KmsService>,
) -> Result<(), String> {
    let bounds = Bounds { connections: args.connections as usize, ..Bounds::default() };
    let fail = |error: std::io::Error| format!("{}: {error}", args.listen);
    let server = Server::bind(args.listen, tls.clone(), bounds).await.map_err(fail)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let address = server.address().map_err(fail)?;
    let on = |kind: SignalKind| signal(kind).map_err(|error| error.to_string());
    let (mut hangup, mut terminate, mut interrupt) =
        (on(SignalKind::hangup())?, on(SignalKind::terminate())?, on(SignalKind::interrupt())?);
    let mut maintenance = interval(MAINTENANCE);
    maintenance.set_missed_tick_behavior(MissedTickBehavior::Delay);

    // For whoever started it: from now on it answers.
    let mut out = std::io::stdout().lock();
    let told = writeln!(out, "listening on {scheme}://{address}").and_then(|()| out.flush());
    drop(out);
    told.map_err(|error| format!("standard output: {error}"))?;

    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(server.run(Arc::clone(&service), stopped));
    loop {
        tokio::select! {
            _ = hangup.recv() => args.reload(tls.as_deref(), &service),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = maintenance.tick() => {
                let kms = Arc::clone(kms);
                let done = tokio::task::spawn_blocking(move || kms.maintain()).await;
                if let Ok(Err(error)) = done {
                    tell(format_args!("maintenance: {error}"));
                }
            }
        }
    }
    let _ = stop.send(true);
    running.await.map_err(|error| error.to_string())
}
