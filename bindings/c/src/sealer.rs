//! Sealing piece by piece.

use crate::envelope::Envelope;
use crate::info::{self, Info};
use crate::key::Key;
use crate::memory::{Handle, apart, free, input, optional_text, put, room, store_handle, value};
use crate::options::{self, SealOptions};
use crate::parts::Upload;
use crate::status::{Failure, Status, Steps, on, on_mut, run};
use objseal::checksums::Digester;
use objseal::cobblestone::{self, Cobblestone};
use objseal::envelope::{self, Attributes, PartAttempt};
use objseal::{Error, Push, file};
use objseal_bindings::SameProcess;
use std::ffi::c_char;
use std::sync::Arc;

/// Seals something piece by piece: an object that is one file, the body of an envelope, a part, or a bare message. What is
/// sealed is all the output of `objseal_sealer_update` and `objseal_sealer_finish`, in order. One thread at a time uses it, and
/// only in the process that made it: in a forked child both give `OBJSEAL_STATUS_ARGUMENT`.
pub struct Sealer(());

impl Handle for Sealer {
    type Value = Value;
}

/// What is being sealed, and what it came to.
pub(crate) struct Value {
    steps: Steps<Work>,
    made_in: SameProcess,
    done: Option<Done>,
}

enum Work {
    File(Box<file::Sealer>),
    Body(Box<Body>),
    Bare(Box<cobblestone::Sealer>),
}

/// The body of an envelope, or a part.
struct Body {
    sealer: envelope::Sealer,
    digester: Digester,
    of: Of,
}

enum Of {
    Envelope(Box<envelope::Envelope>),
    Part(Arc<envelope::Upload>, PartAttempt),
}

enum Done {
    File(Box<file::Info>),
    Envelope(Arc<envelope::Envelope>),
    Part(Arc<envelope::Upload>, PartAttempt, Box<Attributes>),
    Receipt(Vec<u8>),
}

impl Value {
    fn of(work: Work) -> Self {
        Self { steps: Steps::new(work), made_in: SameProcess::here(), done: None }
    }

    fn body(sealer: envelope::Sealer, digester: Digester, of: Of) -> Self {
        Self::of(Work::Body(Box::new(Body { sealer, digester, of })))
    }

    /// What goes on, in the process that began it.
    fn work(&self) -> Result<&Work, Failure> {
        self.made_in.check()?;
        self.steps.work()
    }

    /// Why something that there is at the end is not there.
    fn missing<T>(&self) -> Result<T, Failure> {
        self.steps.check()?;
        Err(Failure::new(Status::Argument, "it is not finished, or not of this kind"))
    }
}

impl Work {
    fn update_len(&self, len: usize) -> Result<usize, Error> {
        match self {
            Self::File(sealer) => sealer.update_len(len),
            Self::Body(body) => body.sealer.update_len(len),
            Self::Bare(sealer) => sealer.update_len(len),
        }
    }

    fn update(&mut self, data: &[u8], out: &mut [u8]) -> Result<usize, Error> {
        match self {
            Self::File(sealer) => sealer.update(data, out),
            Self::Body(body) => {
                let written = body.sealer.update(data, out)?;
                body.digester.update(data);
                Ok(written)
            }
            Self::Bare(sealer) => sealer.update(data, out),
        }
    }

    fn finish_len(&self) -> Result<usize, Error> {
        match self {
            Self::File(sealer) => sealer.finish_len(),
            Self::Body(body) => body.sealer.finish_len(),
            Self::Bare(sealer) => Ok(sealer.finish_len()),
        }
    }

    fn finish(self, out: &mut [u8]) -> Result<Option<Done>, Failure> {
        match self {
            Self::File(sealer) => Ok(Some(Done::File(Box::new(sealer.finish(out)?.1)))),
            Self::Body(mut body) => {
                body.sealer.finish(out)?;
                let attributes = body.digester.finish();
                Ok(Some(match body.of {
                    Of::Envelope(envelope) => Done::Envelope(Arc::new(envelope.with_attributes(&attributes)?)),
                    Of::Part(upload, attempt) => Done::Part(upload, attempt, Box::new(attributes)),
                }))
            }
            Self::Bare(sealer) => {
                sealer.finish(out)?;
                Ok(None)
            }
        }
    }
}

/// Begins an object that is one file, which `objseal_open`, the command and the other bindings open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealer_new(options: *const SealOptions, sealer: *mut *mut Sealer) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(options, |options| {
            store_handle(sealer, || Ok(Value::of(Work::File(Box::new(file::Sealer::new(&options.core)?)))))
        })
    }
}

/// Begins the body of an object whose head is stored apart: `objseal_sealer_envelope` gives it at the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_envelope_sealer_new(options: *const SealOptions, sealer: *mut *mut Sealer) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(options, |options| {
            store_handle(sealer, || {
                let (envelope, body) = options.core.start()?;
                Ok(Value::body(body.sealer(), Digester::new(options.core.digests()), Of::Envelope(Box::new(envelope))))
            })
        })
    }
}

/// Begins an attempt at part `number` of an upload, from 1 to 10,000: `objseal_sealer_receipt` gives its receipt at the
/// end. Every attempt has salts of its own, so a part can be sealed again and again, by many threads and processes at
/// the same time. `digests` are those of the part: `OBJSEAL_MD5` and so on. `OBJSEAL_STATUS_KEY_NOT_FOUND` for an
/// upload that was resumed and not unlocked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_part_sealer_new(
    upload: *const Upload,
    number: u32,
    digests: u32,
    sealer: *mut *mut Sealer,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(upload, |upload| {
            store_handle(sealer, || {
                let digester = Digester::new(options::digests(digests)?);
                let (attempt, body) = upload.part_sealer()?.part(number)?;
                Ok(Value::body(body.sealer(), digester, Of::Part(Arc::clone(&upload.core), attempt)))
            })
        })
    }
}

/// Begins a bare message under `key`, bound to `context`: what the C2SP describes, and nothing around it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_cobblestone_sealer_new(
    key: *const Key,
    context: *const u8,
    context_len: usize,
    sealer: *mut *mut Sealer,
) -> Status {
    let make = || {
        // SAFETY: the contract of the header.
        let (key, context) = unsafe { (value(key)?, input(context, context_len)?) };
        Ok(Value::of(Work::Bare(Box::new(Cobblestone::new(key, context).sealer()?))))
    };
    // SAFETY: the same.
    run(|| unsafe { store_handle(sealer, make) })
}

/// Takes in `data` and writes all that is ready to the start of `out`; `*out_len` is how many bytes that are, or have to be
/// there if the output is too small. 1.01 times `data_len` and 49,152 bytes are always enough.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealer_update(
    sealer: *mut Sealer,
    data: *const u8,
    data_len: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(sealer, |sealer| {
            apart(data, data_len, out, out_capacity)?;
            let data = input(data, data_len)?;
            let needed = sealer.work()?.update_len(data.len())?;
            let out = room(Some(needed as u64), out, out_capacity, out_len)?;
            sealer.steps.step(|mut work| {
                work.update(data, out)?;
                Ok((Ok(work), ()))
            })
        })
    }
}

/// Writes the rest, at most 57,344 bytes. Without it what was sealed does not open. The handle is still to be freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealer_finish(
    sealer: *mut Sealer,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(sealer, |sealer| {
            let needed = sealer.work()?.finish_len()?;
            let out = room(Some(needed as u64), out, out_capacity, out_len)?;
            sealer.done = sealer.steps.step(|work| Ok((Err(Status::Finished), work.finish(out)?)))?;
            Ok(())
        })
    }
}

/// What is known of an object that is one file, when it is finished.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealer_info(sealer: *mut Sealer, info: *mut *mut Info) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(sealer, |sealer| {
            store_handle(info, || match &sealer.done {
                Some(Done::File(opened)) => Ok(info::Value::of_file(opened)),
                _ => sealer.missing(),
            })
        })
    }
}

/// The envelope of a body, when it is finished.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealer_envelope(sealer: *mut Sealer, envelope: *mut *mut Envelope) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(sealer, |sealer| {
            store_handle(envelope, || match &sealer.done {
                Some(Done::Envelope(envelope)) => Ok(Arc::clone(envelope)),
                _ => sealer.missing(),
            })
        })
    }
}

/// The receipt of a part, when it is finished: to be stored with it, at most 16,384 bytes. The client names the part by its
/// number and `etag` later; NULL lets one be made up, which `objseal_upload_receipt_info` shows. The first call decides.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealer_receipt(
    sealer: *mut Sealer,
    etag: *const c_char,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(sealer, |sealer| {
            let etag = optional_text(etag)?;
            let receipt = match sealer.done.take() {
                Some(Done::Receipt(receipt)) => receipt,
                Some(Done::Part(upload, attempt, mut attributes)) => {
                    attributes.etag = etag.map(str::to_owned);
                    upload.receipt(attempt, *attributes).map_err(|error| sealer.steps.fail(error.into()))?.1
                }
                other => {
                    sealer.done = other;
                    return sealer.missing();
                }
            };
            let stored = put(&receipt, out, out_capacity, out_len);
            sealer.done = Some(Done::Receipt(receipt));
            Ok(stored?)
        })
    }
}

/// Frees a sealer, finished or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_sealer_free(sealer: *mut Sealer) {
    // SAFETY: the contract of the header.
    unsafe { free(sealer) };
}
