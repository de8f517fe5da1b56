//! How many data keys a second `objseal-gateway kms` makes over connections, on one core and as it is started by
//! default: signed requests, a policy and a grant, the store in a file with its audit log; without TLS and with it.
//!
//! The program has one core, and what asks it another one. Time of the core is that which the process of the server
//! had, in programs and in the kernel; on a machine with other work the clock on the wall says less.
//!
//! `cargo build --release -p objseal-gateway && cargo run --release -p objseal-gateway --example kms_wire_speed`

#[path = "../tests/shared/signer.rs"]
mod signer;

use objseal_gateway::credentials;
use objseal_gateway::http::Tls;
use rustix::param::clock_ticks_per_second;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::{Value, json};
use signer::Signer;
use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

/// Connections at once.
const CONNECTIONS: [usize; 3] = [1, 8, 200];
/// How long each is measured.
const TIME: Duration = Duration::from_secs(6);
/// Access keys of the same principal: each has a bound on requests in a second.
const ACCESS_KEYS: usize = 8;
const SERVER: &str = "arn:aws:iam::000000000000:role/server";
const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Sid": "account", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:root"}, "Action": "kms:*",
     "Resource": "*"},
    {"Sid": "server", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:role/server"},
     "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*",
     "Condition": {"StringLike": {"kms:EncryptionContext:aws:s3:arn": "arn:aws:s3:::photos/*"}}},
    {"Sid": "not others", "Effect": "Deny", "NotPrincipal": {"AWS": ["arn:aws:iam::000000000000:root",
     "arn:aws:iam::000000000000:role/server"]}, "Action": "kms:Decrypt", "Resource": "*"}]}"#;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let folder = tempfile::tempdir_in(".")?;
    let world = World::new(folder.path())?;
    for tls in [false, true] {
        let program = world.start(tls)?;
        let body = program.prepare(&world).await?;
        for connections in CONNECTIONS {
            let measured = program.measure(&world, connections, &body).await?;
            println!("{} {connections:4} connections: {measured}", if tls { "TLS   " } else { "no TLS" });
        }
    }
    Ok(())
}

/// What the program is started with.
struct World {
    folder: PathBuf,
    program: PathBuf,
    root: (String, String),
    keys: Vec<(String, String)>,
    /// Ours, and that of the server.
    cores: (usize, usize),
}

impl World {
    fn new(folder: &Path) -> Outcome<Self> {
        let folder = folder.canonicalize()?;
        let examples = std::env::current_exe()?;
        let program = examples.ancestors().nth(2).ok_or("no folder of programs")?.join("objseal-gateway");
        if !program.exists() {
            return Err("build the program first: cargo build --release -p objseal-gateway".into());
        }
        let key = folder.join("key");
        fs::write(&key, "0123456789abcdef".repeat(4))?;
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600))?;
        let add = |arn: &str| -> Outcome<(String, String)> {
            let new = credentials::add(&folder.join("credentials"), arn, false, Vec::new())?;
            Ok((new.access_key_id, new.secret_access_key.to_string()))
        };
        let root = add("arn:aws:iam::000000000000:root")?;
        let keys = (0..ACCESS_KEYS).map(|_| add(SERVER)).collect::<Outcome<_>>()?;
        let cores = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| cores.is_set(*core));
        let cores = cores.next().zip(cores.next()).ok_or("this needs two cores")?;
        Ok(Self { folder, program, root, keys, cores })
    }

    /// Starts it on its core, and is itself on another one from then on.
    fn start(&self, tls: bool) -> Outcome<Program> {
        let path = |name: &str| self.folder.join(name);
        let mut command = Command::new(&self.program);
        command.args(["kms", "--listen", "127.0.0.1:0", "--store-key", &format!("file:{}", path("key").display())]);
        command.arg("--store").arg(path("kms")).arg("--credentials").arg(path("credentials"));
        match tls {
            true => command.arg("--tls").arg(path("tls")),
            false => command.arg("--no-tls"),
        };
        // A process has the cores of the one that starts it.
        let (ours, its) = self.cores;
        stay_on(its)?;
        let started = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        stay_on(ours)?;
        let mut child = started?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        let address = line.trim().rsplit_once("//").ok_or("it did not start")?.1.parse()?;
        let tls = tls.then(|| trusts(&Tls::ca_in(&path("tls")))).transpose()?;
        Ok(Program { child, address, tls })
    }
}

/// Threads that this one makes, and programs that it starts, stay there too.
fn stay_on(core: usize) -> rustix::io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set)
}

/// A client of the server with this certificate.
fn trusts(ca: &Path) -> Outcome<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

/// The server, which ends when this does.
struct Program {
    child: Child,
    address: SocketAddr,
    tls: Option<TlsConnector>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// A key with a policy and a grant; the body of a request for a data key under it.
    async fn prepare(&self, world: &World) -> Outcome<String> {
        let root = Signer { access_key_id: &world.root.0, secret: &world.root.1 };
        let mut connection = self.connect().await?;
        let answer = connection.ask(&root.post("CreateKey", json!({"Policy": POLICY}).to_string().as_bytes())).await?;
        let created: Value = serde_json::from_str(&answer)?;
        let key = created["KeyMetadata"]["Arn"].as_str().ok_or("no key")?;
        let other = "arn:aws:iam::000000000000:user/other";
        let grant = json!({"KeyId": key, "GranteePrincipal": other, "Operations": ["Decrypt"]});
        connection.ask(&root.post("CreateGrant", grant.to_string().as_bytes())).await?;
        let context = json!({"aws:s3:arn": "arn:aws:s3:::photos/2026/cat.jpg", "tenant": "17"});
        Ok(json!({"KeyId": key, "KeySpec": "AES_256", "EncryptionContext": context}).to_string())
    }

    async fn measure(&self, world: &World, connections: usize, body: &str) -> Outcome<Measured> {
        let mut open = Vec::new();
        for at in 0..connections {
            let (access_key_id, secret) = world.keys[at % ACCESS_KEYS].clone();
            let mut connection = self.connect().await?;
            let signer = Signer { access_key_id: &access_key_id, secret: &secret };
            connection.ask(&signer.post("GenerateDataKey", body.as_bytes())).await?;
            open.push((connection, access_key_id, secret));
        }
        let (core, start) = (self.time_of_core()?, Instant::now());
        let clients: Vec<_> = open
            .into_iter()
            .map(|(mut connection, access_key_id, secret)| {
                let body = body.to_owned();
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while start.elapsed() < TIME {
                        let signer = Signer { access_key_id: &access_key_id, secret: &secret };
                        let request = signer.post("GenerateDataKey", body.as_bytes());
                        let sent = Instant::now();
                        connection.ask(&request).await.map_err(|error| error.to_string())?;
                        times.push(sent.elapsed());
                    }
                    Ok::<_, String>(times)
                })
            })
            .collect();
        let mut times = Vec::new();
        for client in clients {
            times.extend(client.await??);
        }
        times.sort();
        Ok(Measured { clock: start.elapsed(), core: self.time_of_core()? - core, times })
    }

    async fn connect(&self) -> Outcome<Connection> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match &self.tls {
            Some(tls) => Box::new(tls.connect(ServerName::try_from("localhost")?, stream).await?),
            None => Box::new(stream),
        };
        Ok(Connection { stream, read: Vec::new() })
    }

    /// What all threads of the server had of its core (proc(5): utime and stime).
    fn time_of_core(&self) -> Outcome<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // Behind its name, which can have spaces.
        let fields: Vec<_> = stat.rsplit_once(')').ok_or("no name")?.1.split_whitespace().collect();
        let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
        Ok(Duration::from_millis(ticks * 1_000 / clock_ticks_per_second()))
    }
}

struct Measured {
    clock: Duration,
    core: Duration,
    /// Of each request, sorted.
    times: Vec<Duration>,
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = f64::from(u32::try_from(self.times.len()).unwrap_or(u32::MAX));
        let (clock, core) = (self.clock.as_secs_f64(), self.core.as_secs_f64());
        let at = |percent: usize| self.times[(self.times.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        write!(f, "{:6.0} data keys a second of the core, {:6.0} a second of the clock", count / core, count / clock)?;
        write!(f, " (the core was {:3.0} % busy); p50 {:.2} ms, p99 {:.2} ms", 100.0 * core / clock, at(50), at(99))
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

struct Connection {
    stream: Box<dyn Stream>,
    read: Vec<u8>,
}

impl Connection {
    /// The body of a good answer.
    async fn ask(&mut self, request: &[u8]) -> Outcome<String> {
        self.stream.write_all(request).await?;
        self.stream.flush().await?;
        self.read.clear();
        loop {
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err("the server has closed".into());
            }
            let text = std::str::from_utf8(&self.read)?;
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let len = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(Ok(0), str::parse)?;
            if body.len() < len {
                continue;
            }
            return if head.starts_with("HTTP/1.1 200 ") { Ok(body.into()) } else { Err(text.into()) };
        }
    }
}
