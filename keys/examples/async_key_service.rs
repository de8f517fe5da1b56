//! A server that seals and opens a thousand objects at once on two threads, under keys of a service that answers over a
//! socket, 50 ms later. No thread ever waits for it.
//!
//! `cargo run --release -p objseal-keys --example async_key_service`

use objseal::Key;
use objseal::envelope::{
    EncryptionContext, EnvelopeError, KeyKind, KeyRequest, KeyServiceError, KeyServiceErrorKind, OpenOptions,
    SealOptions, ServiceContext, WrappingKey,
};
use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

const OBJECTS: u32 = 1_000;
const ANSWER_TIME: Duration = Duration::from_millis(50);

type Blob = [u8; 16];
type Secret = [u8; 32];
type AnyError = Box<dyn Error + Send + Sync>;

/// Who waits for an answer, by the number of the question.
type Askers = HashMap<u32, oneshot::Sender<(Blob, Secret)>>;

/// A client of the key service: one connection, and any number of questions under way on it.
struct Client {
    questions: mpsc::UnboundedSender<(u32, Blob)>,
    waiting: Arc<Mutex<Askers>>,
    next: AtomicU32,
    /// Every wrapping key that it gave, to see that none outlives its use.
    given: Mutex<Vec<Weak<WrappingKey>>>,
}

/// Forgets a question, whether it was answered or its future was dropped.
struct Waiting<'c>(&'c Client, u32);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.0.waiting).remove(&self.1);
    }
}

impl Client {
    const SERVICE: &str = "example-kms";

    fn new(stream: UnixStream) -> Arc<Self> {
        let (read, write) = stream.into_split();
        let (questions, asked) = mpsc::unbounded_channel();
        let waiting: Arc<Mutex<Askers>> = Arc::default();
        tokio::spawn(write_questions(write, asked));
        tokio::spawn(read_answers(read, Arc::clone(&waiting)));
        Arc::new(Self { questions, waiting, next: AtomicU32::new(0), given: Mutex::default() })
    }

    async fn ask(&self, key_id: &str, blob: Blob) -> Result<Arc<WrappingKey>, KeyServiceError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (asker, answer) = oneshot::channel();
        lock(&self.waiting).insert(number, asker);
        let _waiting = Waiting(self, number);
        let gone = KeyServiceErrorKind::Unreachable;
        self.questions.send((number, blob)).map_err(|_| gone)?;
        let (blob, secret) = answer.await.map_err(|_| gone)?;
        let key = WrappingKey::new(Self::SERVICE, key_id, 0, Key::from_bytes(&secret))
            .and_then(|key| key.with_blob(KeyKind::Object, ServiceContext::Object, &blob));
        let key = Arc::new(key.map_err(|error| KeyServiceError::new(KeyServiceErrorKind::Malformed, error))?);
        lock(&self.given).push(Arc::downgrade(&key));
        Ok(key)
    }

    /// A new wrapping key: what KMS calls GenerateDataKey.
    async fn wrapping_key(&self, key_id: &str) -> Result<Arc<WrappingKey>, KeyServiceError> {
        self.ask(key_id, Blob::default()).await
    }

    /// The wrapping key of an entry: what KMS calls Decrypt.
    async fn reopen(&self, request: &KeyRequest) -> Result<Arc<WrappingKey>, KeyServiceError> {
        if request.service() != Self::SERVICE {
            return Err(KeyServiceErrorKind::UnknownKey.into());
        }
        let blob = request.blob().try_into().map_err(|_| KeyServiceErrorKind::Refused)?;
        self.ask(request.key_id(), blob).await
    }
}

/// Writes whole questions: a future that is dropped leaves no half of one.
async fn write_questions(
    mut write: OwnedWriteHalf,
    mut asked: mpsc::UnboundedReceiver<(u32, Blob)>,
) -> Result<(), AnyError> {
    while let Some((number, blob)) = asked.recv().await {
        write.write_all(&[&number.to_be_bytes()[..], &blob].concat()).await?;
    }
    Ok(())
}

async fn read_answers(mut read: OwnedReadHalf, waiting: Arc<Mutex<Askers>>) -> Result<(), AnyError> {
    let (mut number, mut blob, mut secret) = ([0; 4], Blob::default(), Secret::default());
    loop {
        read.read_exact(&mut number).await?;
        read.read_exact(&mut blob).await?;
        read.read_exact(&mut secret).await?;
        if let Some(asker) = lock(&waiting).remove(&u32::from_be_bytes(number)) {
            // Whoever asked may have gone.
            let _ = asker.send((blob, secret));
        }
    }
}

/// Seals an object and opens it again.
async fn seal_and_open(client: &Client, number: u32) -> Result<(), AnyError> {
    let name = format!("objects/{number}");
    let context = EncryptionContext::from_pairs([("name", name.as_str())])?;
    let plaintext = number.to_be_bytes().repeat(4 * 1024);

    let key = client.wrapping_key("photos").await?;
    let (envelope, body) = SealOptions::new(key).with_context(context.clone()).start()?;
    let (stored_head, stored_body) = (envelope.stored().to_vec(), body.seal(&plaintext)?);
    drop(envelope);

    let mut plan = OpenOptions::new().with_context(context).plan(&stored_head)?;
    while let Some(request) = plan.next_request() {
        plan.answer(client.reopen(&request).await);
    }
    let opened = plan.finish()?.body()?.open(&stored_body)?;
    if opened == plaintext { Ok(()) } else { Err(EnvelopeError::Authentication.into()) }
}

/// The service: a secret for each blob, and a new blob where none is given. A real one does not keep secrets in the clear,
/// and its socket is encrypted.
async fn serve(listener: UnixListener, most_at_once: Arc<AtomicUsize>) -> Result<(), AnyError> {
    let (stream, _) = listener.accept().await?;
    let (mut read, mut write) = stream.into_split();
    let (answers, mut answered) = mpsc::unbounded_channel::<Vec<u8>>();
    tokio::spawn(async move {
        while let Some(answer) = answered.recv().await {
            write.write_all(&answer).await?;
        }
        Ok::<_, std::io::Error>(())
    });
    let (secrets, at_once) = (Arc::new(Mutex::new(HashMap::<Blob, Secret>::new())), Arc::new(AtomicUsize::new(0)));
    loop {
        let mut question = [0; 20];
        read.read_exact(&mut question).await?;
        most_at_once.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let (secrets, answers, at_once) = (Arc::clone(&secrets), answers.clone(), Arc::clone(&at_once));
        tokio::spawn(async move {
            tokio::time::sleep(ANSWER_TIME).await;
            let (number, blob) = question.split_at(4);
            let mut blob = Blob::try_from(blob)?;
            if blob == Blob::default() {
                getrandom::fill(&mut blob)?;
                let mut secret = Secret::default();
                getrandom::fill(&mut secret)?;
                lock(&secrets).insert(blob, secret);
            }
            let secret = *lock(&secrets).get(&blob).ok_or("no such blob")?;
            at_once.fetch_sub(1, Ordering::SeqCst);
            answers.send([number, &blob, &secret].concat())?;
            Ok::<_, AnyError>(())
        });
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<(), AnyError> {
    let path = std::env::temp_dir().join(format!("objseal-example-{}", std::process::id()));
    let listener = UnixListener::bind(&path)?;
    let most_at_once = Arc::new(AtomicUsize::new(0));
    tokio::spawn(serve(listener, Arc::clone(&most_at_once)));
    let client = Client::new(UnixStream::connect(&path).await?);
    std::fs::remove_file(&path)?;
    println!("ready");

    let start = Instant::now();
    let mut objects = JoinSet::new();
    for number in 0..OBJECTS {
        let client = Arc::clone(&client);
        objects.spawn(async move { seal_and_open(&client, number).await });
    }
    while let Some(done) = objects.join_next().await {
        done??;
    }
    let took = start.elapsed().as_millis();
    println!("{OBJECTS} objects sealed and opened in {took} ms on two threads");
    println!("most questions at once: {}", most_at_once.load(Ordering::SeqCst));

    // Dropped before, between and after the answers.
    for number in 0..OBJECTS {
        let client = Arc::clone(&client);
        objects.spawn(async move {
            let limit = ANSWER_TIME.mul_f64(f64::from(number) * 2.5 / f64::from(OBJECTS));
            // Some come in time, most do not.
            let _ = tokio::time::timeout(limit, seal_and_open(&client, number)).await;
            Ok(())
        });
    }
    while let Some(done) = objects.join_next().await {
        done??;
    }
    let alive = lock(&client.given).iter().filter(|key| key.strong_count() > 0).count();
    let (given, waiting) = (lock(&client.given).len(), lock(&client.waiting).len());
    println!("{OBJECTS} more dropped on the way: {given} keys given, {alive} alive, {waiting} questions waiting");
    println!("done");
    Ok(())
}
