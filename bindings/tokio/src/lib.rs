//! Sealed objects for tokio.
//!
//! Written to a file and read from it, or whatever else is [`AsyncWrite`](tokio::io::AsyncWrite) and
//! [`AsyncRead`](tokio::io::AsyncRead):
//!
//! ```
//! use objseal::envelope::{EncryptionContext, OpenOptions, SealOptions, WrappingKey};
//! use objseal_tokio::{OpenReader, SealWriter};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let path = std::env::temp_dir().join(format!("objseal-tokio-doc-{}", std::process::id()));
//! # let key = std::sync::Arc::new(WrappingKey::from_key(objseal::Key::generate()?));
//! let context = EncryptionContext::from_pairs([("name", "cat.jpg")])?;
//!
//! let options = SealOptions::new(key.clone()).with_context(context.clone());
//! let mut writer = SealWriter::new(&options, tokio::fs::File::create(&path).await?)?;
//! writer.write_all(b"the plaintext").await?;
//! let (file, info) = writer.finish().await?; // without it the file does not open
//! assert_eq!(info.attributes.plaintext_len, 13);
//! # drop(file);
//!
//! let options = OpenOptions::new().with_key(key).with_context(context);
//! let mut reader = OpenReader::open(&options, tokio::fs::File::open(&path).await?).await?;
//! let mut plaintext = Vec::new();
//! reader.read_to_end(&mut plaintext).await?;
//! assert_eq!(plaintext, b"the plaintext");
//! # std::fs::remove_file(&path)?;
//! # Ok(())
//! # }
//! ```
//!
//! As streams of [`Bytes`](bytes::Bytes), which are what HTTP bodies are made of:
//!
//! ```
//! use bytes::Bytes;
//! use futures_util::{TryStreamExt, stream};
//! use objseal_tokio::{OpenStream, SealStream};
//! # use objseal::envelope::{OpenOptions, SealOptions, WrappingKey};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let key = std::sync::Arc::new(WrappingKey::from_key(objseal::Key::generate()?));
//! # let (seal_options, open_options) = (SealOptions::new(key.clone()), OpenOptions::new().with_key(key));
//! let request_body = stream::iter([Ok(Bytes::from("the plain")), Ok(Bytes::from("text"))]);
//! let to_store = SealStream::new(&seal_options, request_body)?;
//!
//! let response_body = OpenStream::open(&open_options, to_store).await?;
//! assert_eq!(response_body.try_collect::<Vec<Bytes>>().await?.concat(), b"the plaintext");
//! # Ok(())
//! # }
//! ```
//!
//! Ranges of what is somewhere else, which a [`Fetch`] fetches:
//!
//! ```
//! use bytes::Bytes;
//! use objseal_tokio::{Fetch, RangeReader};
//! use std::io;
//! use std::ops::Range;
//! # use objseal::envelope::{OpenOptions, SealOptions, WrappingKey};
//! # use objseal::cobblestone::Threads;
//! # struct Client(Bytes);
//! # impl Client {
//! #     async fn head(&self, _: &str) -> io::Result<u64> { self.0.size().await }
//! #     async fn get(&self, _: &str, range: Range<u64>) -> io::Result<Bytes> { self.0.fetch(range).await }
//! # }
//!
//! struct Object {
//!     client: Client,
//!     name: String,
//! }
//!
//! impl Fetch for Object {
//!     async fn size(&self) -> io::Result<u64> {
//!         self.client.head(&self.name).await
//!     }
//!
//!     async fn fetch(&self, range: Range<u64>) -> io::Result<Bytes> {
//!         self.client.get(&self.name, range).await
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let key = std::sync::Arc::new(WrappingKey::from_key(objseal::Key::generate()?));
//! # let (sealing, options) = (SealOptions::new(key.clone()), OpenOptions::new().with_key(key));
//! # let mut stored = Vec::new();
//! # objseal::file::seal(&sealing, &[7; 5_000_000][..], &mut stored, &Threads::available())?;
//! # let client = Client(stored.into());
//! let object = Object { client, name: "cat.jpg".to_owned() };
//! let file = RangeReader::open(&options, object).await?;
//! assert_eq!(file.read_range(1_000_000..1_000_003).await?, [7; 3][..]);
//! let pieces = file.read_ranges(&[0..10, 20..30, 4_000_000..4_000_010]).await?; // two fetches
//! # assert!(pieces.iter().all(|piece| *piece == [7; 10][..]));
//! let mut reader = file.reader(); // AsyncRead and AsyncSeek, reads ahead
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! Opening says why in a [`FileError`](objseal::file::FileError). Behind that everything is a [`std::io::Error`], as of the
//! blocking faces in [`objseal::file`]: [`InvalidData`](std::io::ErrorKind::InvalidData) for what was changed, cut short or
//! extended, and what the other side says as it said it. `get_ref` and `downcast_ref` lead to the [`objseal::Error`].
//!
//! Writers and readers say their first error again. Streams end with it. What was sealed up to an error never opens as a whole.
//!
//! # Cancelling
//!
//! Every future and every poll can be dropped at any time. A write takes in all that it says, or nothing if it was dropped; a
//! read that was dropped loses nothing. Whatever was sealed does not open before its end was written, and that is done by
//! shutting down a writer, or by the end of a stream.
//!
//! # Memory and threads
//!
//! Lengths and positions are in bytes. Each writer, reader and stream has at most one piece under way, of at most 256 KiB, and
//! no queue. What is longer than [`Pool::INLINE_LEN`], ranges for the most part, is opened on tokio's blocking pool within the
//! bounds of a [`Pool`], the rest where the task runs. A pool that is given to all bounds all, and can keep shorter pieces off
//! the tasks: [`Writer::with_pool`] and its likes.
//!
//! | file | what |
//! |---|---|
//! | `writer` | something to write to |
//! | `reader` | something to read from |
//! | `stream` | streams in, streams out |
//! | `fetch` | where ranges come from, and how what was fetched is opened |
//! | `ranges` | ranges of a file |
//! | `parts` | ranges of an object in parts |
//! | `seek` | something to read from and to seek in, over ranges |
//! | `work` | a transform, and the one piece that is under way in it |
//! | `pool` | where the work is done: inline, or on a bounded part of tokio's blocking pool |
//! | `keys` | how to come by keys without blocking a task |

mod fetch;
mod keys;
mod parts;
mod pool;
mod ranges;
mod reader;
mod seek;
mod stream;
mod work;
mod writer;

pub use fetch::{Fetch, FetchParts};
pub use parts::PartsReader;
pub use pool::Pool;
pub use ranges::RangeReader;
pub use reader::{OpenReader, Reader};
pub use seek::{ReadRange, SeekReader};
pub use stream::{OpenStream, SealStream, Transformed};
pub use writer::{SealWriter, Writer};
