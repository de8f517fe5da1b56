//! `objseal inspect`: what a sealed file says about itself, and whether it is true.

use crate::failure::Failure;
use crate::input::Input;
use crate::keys::Keys;
use crate::text::{Size, print, say, shown};
use crate::{InspectArgs, engine, sealed};
use objseal::Engine;
use objseal::cobblestone::ReadAt;
use objseal::envelope::{self, DemandedContext, EnvelopeError, Head, KeyKind, OpenOptions};
use objseal::file::{self, FileError, Info, SealedFile, SlotState};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is shown. As JSON, with these names.
#[derive(Serialize)]
struct Report {
    format_version: u8,
    object_id: String,
    /// Whether head, attributes and length were verified under the data key. The body is not.
    verified: bool,
    plaintext_length: u64,
    generation: u64,
    head_copies: &'static str,
    context: BTreeMap<String, String>,
    /// The keys of pairs that the object is bound to and that are not stored in it.
    bound_keys: Vec<String>,
    /// Digests of the plaintext that were kept, in hexadecimal. There are none without the key.
    digests: BTreeMap<&'static str, String>,
    layers: Vec<Layer>,
    /// An object of one message has none.
    parts: [(); 0],
}

#[derive(Serialize)]
struct Layer {
    suite: &'static str,
    /// Which engine opened it. None did without the key.
    engine: Option<&'static str>,
    wrapped_keys: Vec<WrappedKey>,
}

#[derive(Serialize)]
struct WrappedKey {
    service: String,
    key_id: String,
    key_version: u32,
    kind: &'static str,
}

pub(crate) fn run(args: &InspectArgs) -> Result<(), Failure> {
    let input = Input::open(&args.file)?;
    let report = report(args, &input)?;
    if args.json {
        let json = serde_json::to_string_pretty(&report).map_err(Failure::other)?;
        return print(format_args!("{json}"));
    }
    show(args, input.name(), &report)
}

fn report(args: &InspectArgs, input: &Input) -> Result<Report, Failure> {
    let stored = input.stored("inspect")?;
    let mut options = engine::to_open(OpenOptions::new())?;
    options.policy_mut().context = sealed::demanded(&args.context)?;
    let refused = |error| Failure::of_opening(error, &options, input.name(), "what it says is not to be trusted");
    // First: nobody is asked for a passphrase for what is no sealed file.
    let facts = file::inspect(&stored).map_err(refused)?;
    let facts = facts.unverified();
    let enough = facts.head.bound_keys.is_empty() || options.policy().context != DemandedContext::Any;
    let opened = if enough { open(args, &options, &stored, input.name())? } else { None };
    Ok(match opened.transpose().map_err(refused)? {
        // What was verified, and not what was read before: the file may have changed since.
        Some(file) => {
            let info = file.info();
            Report::new(info.envelope.head(), info.attributes.plaintext_len, info.slots, Some(info))
        }
        None => Report::new(&facts.head, facts.plaintext_len, facts.slots, None),
    })
}

/// Opens the file. `None` if there is no keyring, or it does not have the key; the same of a key management service.
fn open<S: ReadAt>(
    args: &InspectArgs,
    options: &OpenOptions,
    stored: S,
    name: &str,
) -> Result<Option<Result<SealedFile<S>, FileError>>, Failure> {
    let keys = match Keys::open(&args.keys) {
        Err(Failure::NoKey(_)) => return Ok(None),
        other => other?,
    };
    Ok(match SealedFile::open(&keys.add_to(options.clone(), name), stored) {
        Err(FileError::Envelope(EnvelopeError::NoAcceptedKey { .. })) => None,
        Err(FileError::Envelope(EnvelopeError::KeyService(error))) => match Failure::of_key_service(&error, name) {
            Failure::NoKey(why) => {
                say(why);
                None
            }
            failure => return Err(failure),
        },
        opened => Some(opened),
    })
}

impl WrappedKey {
    fn new(key: &envelope::WrappedKey) -> Self {
        let kind = match key.kind {
            KeyKind::Local => "local",
            KeyKind::Object => "object",
            KeyKind::Shared => "shared",
            KeyKind::Customer => "customer",
            _ => "unknown",
        };
        Self { service: key.service.clone(), key_id: key.key_id.clone(), key_version: key.key_version, kind }
    }
}

impl Report {
    fn new(head: &Head, plaintext_length: u64, slots: SlotState, verified: Option<&Info>) -> Self {
        let layers = (1..).zip(&head.suites).map(|(number, suite)| Layer {
            suite: suite.name(),
            engine: verified.and_then(|verified| verified.engines.get(usize::from(number) - 1)).map(|engine| {
                match engine {
                    Engine::Native(_) => "native",
                    other => other.name(),
                }
            }),
            wrapped_keys: head.wrapped_keys.iter().filter(|key| key.layer == number).map(WrappedKey::new).collect(),
        });
        Self {
            format_version: 1,
            object_id: head.object_id.to_string(),
            verified: verified.is_some(),
            plaintext_length,
            generation: head.generation,
            head_copies: match slots {
                SlotState::Same => "same",
                SlotState::Older { .. } => "one is older",
                _ => "one is damaged",
            },
            context: head.context.stored().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            bound_keys: head.bound_keys.clone(),
            digests: verified
                .iter()
                .flat_map(|verified| verified.attributes.digests.iter())
                .map(|(algorithm, digest)| (algorithm.name(), hex(digest)))
                .collect(),
            layers: layers.collect(),
            parts: [],
        }
    }
}

fn show(args: &InspectArgs, name: &str, report: &Report) -> Result<(), Failure> {
    let state = if report.verified {
        "verified (head and length; `objseal verify` reads all)"
    } else if args.context.pairs.is_empty() && !report.bound_keys.is_empty() {
        "NOT VERIFIED (--context can give the pairs that are not stored)"
    } else {
        "NOT VERIFIED"
    };
    print(format_args!("{name}: sealed file, format {}, {state}", report.format_version))?;
    let row = |what: &str, value: &str| print(format_args!("  {what:<12} {value}"));
    row("object id", &report.object_id)?;
    row("plaintext", &format!("{} bytes ({})", report.plaintext_length, Size(report.plaintext_length)))?;
    row("generation", &format!("{}, the copies of the head: {}", report.generation, report.head_copies))?;
    for (key, value) in &report.context {
        row("context", &format!("{}={}", shown(key), shown(value)))?;
    }
    for key in &report.bound_keys {
        row("bound", &shown(key))?;
    }
    for (name, digest) in &report.digests {
        row(name, digest)?;
    }
    for (number, layer) in (1..).zip(&report.layers) {
        let engine = layer.engine.map_or_else(String::new, |engine| format!(", engine {engine}"));
        row(&format!("layer {number}"), &format!("{}{engine}", layer.suite))?;
        for key in &layer.wrapped_keys {
            let (service, id) = (shown(&key.service), shown(&key.key_id));
            row("", &format!("{service} \"{id}\", version {}", key.key_version))?;
        }
    }
    Ok(())
}

/// A digest, to be read.
fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
