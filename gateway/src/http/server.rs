//! Connections, and how many, how large and how long they may be.

use super::Tls;
use super::patient::Patient;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use zeroize::Zeroizing;

/// Longest head of a request, in bytes.
const MAX_HEAD_LEN: usize = 32 << 10;
/// Most header fields.
const MAX_HEADERS: usize = 100;
/// Pause after the operating system could give no connection, such as without file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// How many connections there are, and how large and how long they may be.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Connections at once; more wait until one ends.
    pub connections: usize,
    /// Longest body, in bytes.
    pub body_len: usize,
    /// How long a head, a body, or a handshake of TLS may take, how long a connection may be idle, and how long an answer
    /// waits to be read.
    pub patience: Duration,
    /// How long a connection is used, at most.
    pub lifetime: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        let (patience, lifetime) = (Duration::from_secs(20), Duration::from_secs(60 * 60));
        Self { connections: 1_000, body_len: 256 << 10, patience, lifetime }
    }
}

/// A request that has arrived whole.
#[derive(Debug)]
pub struct Request {
    /// Its head.
    pub parts: Parts,
    /// Its body, which may be secret.
    pub body: Body,
    /// Who sent it.
    pub from: SocketAddr,
    /// Whether it came under TLS.
    pub under_tls: bool,
}

/// Bytes that are wiped when dropped.
pub struct Body(Zeroizing<Vec<u8>>);

impl Body {
    /// These bytes.
    #[must_use]
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The length alone.
impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} bytes)", self.0.len())
    }
}

/// An answer.
pub type Response = hyper::Response<Full<Bytes>>;

impl From<Body> for Full<Bytes> {
    fn from(body: Body) -> Self {
        Self::new(Bytes::from_owner(body))
    }
}

/// What answers requests.
pub trait Service: Send + Sync + 'static {
    /// Answers a request.
    fn answer(&self, request: Request) -> impl Future<Output = Response> + Send;

    /// Answers one that did not arrive whole, or is too long.
    fn refuse(&self, status: StatusCode, why: &str) -> Response;
}

/// A socket that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    bounds: Bounds,
}

impl Server {
    /// Listens on `address`, under TLS if it is given.
    ///
    /// # Errors
    /// [`io::Error`] of the operating system.
    pub async fn bind(address: SocketAddr, tls: Option<Arc<Tls>>, bounds: Bounds) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, tls, bounds })
    }

    /// Where it listens: the port that it was given, if it asked for any.
    ///
    /// # Errors
    /// [`io::Error`] of the operating system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop` is true, then ends what was begun.
    pub async fn run<S: Service>(self, service: Arc<S>, mut stop: watch::Receiver<bool>) {
        let Self { listener, tls, bounds } = self;
        let places = Arc::new(Semaphore::new(bounds.connections));
        let mut open = JoinSet::new();
        loop {
            while open.try_join_next().is_some() {}
            let next = async {
                // A place first: whoever is too much waits in the queue of the operating system.
                let place = Arc::clone(&places).acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                next = next => next,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            let Ok((stream, from)) = accepted else {
                sleep(PAUSE).await;
                continue;
            };
            let connection =
                Connection { service: Arc::clone(&service), tls: tls.clone(), bounds, from, stop: stop.clone() };
            open.spawn(async move {
                connection.serve(stream).await;
                drop(place);
            });
        }
        drop(listener);
        let _ = timeout(bounds.patience, open.join_all()).await;
    }

    /// Answers whoever is at the other end of `stream`, as [`run`](Self::run) does with those it accepts, until the
    /// stream ends or `stop` is true. There is no TLS: it is for a stream that came by other means than a port.
    pub async fn serve_stream<S, T>(
        stream: T,
        from: SocketAddr,
        service: Arc<S>,
        bounds: Bounds,
        stop: watch::Receiver<bool>,
    ) where
        S: Service,
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        Connection { service, tls: None, bounds, from, stop }.talk(stream).await;
    }
}

/// Somebody who is connected.
struct Connection<S> {
    service: Arc<S>,
    tls: Option<Arc<Tls>>,
    bounds: Bounds,
    from: SocketAddr,
    stop: watch::Receiver<bool>,
}

impl<S: Service> Connection<S> {
    async fn serve(self, stream: TcpStream) {
        // Answers are short, and somebody waits for each.
        let _ = stream.set_nodelay(true);
        match &self.tls {
            Some(tls) => {
                let handshake = timeout(self.bounds.patience, tls.acceptor().accept(stream)).await;
                // Whoever is no client of TLS is let go without a word.
                if let Ok(Ok(stream)) = handshake {
                    self.talk(stream).await;
                }
            }
            None => self.talk(stream).await,
        }
    }

    async fn talk<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(self, stream: T) {
        let mut stop = self.stop.clone();
        let (connection, bounds) = (&self, self.bounds);
        let answer = service_fn(move |request| async move { Ok::<_, Infallible>(connection.answer(request).await) });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(bounds.patience).max_buf_size(MAX_HEAD_LEN);
        http.max_headers(MAX_HEADERS).keep_alive(true).half_close(true);
        let mut connection = pin!(http.serve_connection(TokioIo::new(Patient::new(stream, bounds.patience)), answer));
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stop.wait_for(|stop| *stop) => {}
            () = sleep(bounds.lifetime) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(bounds.patience, connection).await;
    }

    async fn answer(&self, request: hyper::Request<Incoming>) -> Response {
        let Self { service, bounds, from, .. } = self;
        let under_tls = self.tls.is_some();
        let (parts, body) = request.into_parts();
        match timeout(bounds.patience, collect(body, bounds.body_len)).await {
            Ok(Ok(body)) => service.answer(Request { parts, body, from: *from, under_tls }).await,
            Ok(Err(error)) if error.is::<LengthLimitError>() => {
                closing(service.refuse(StatusCode::PAYLOAD_TOO_LARGE, "The body is too long."))
            }
            Ok(Err(_)) => closing(service.refuse(StatusCode::BAD_REQUEST, "The body did not arrive whole.")),
            Err(_) => closing(service.refuse(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time.")),
        }
    }
}

async fn collect(body: Incoming, most: usize) -> Result<Body, Box<dyn std::error::Error + Send + Sync>> {
    let mut body = Limited::new(body, most);
    // With its final capacity: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(most.min(16 << 10)));
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            push(&mut bytes, &data);
        }
    }
    Ok(Body(bytes))
}

/// Appends, and wipes what was there if it has to move.
fn push(bytes: &mut Zeroizing<Vec<u8>>, data: &[u8]) {
    if bytes.capacity() - bytes.len() < data.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity(2 * (bytes.len() + data.len())));
        larger.extend_from_slice(bytes);
        *bytes = larger;
    }
    bytes.extend_from_slice(data);
}

/// What is left of the request is not read.
fn closing(mut response: Response) -> Response {
    response.headers_mut().insert("connection", hyper::header::HeaderValue::from_static("close"));
    response
}
