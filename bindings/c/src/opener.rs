//! Opening piece by piece.

use crate::envelope::Envelope;
use crate::info::{self, Info};
use crate::key::Key;
use crate::memory::{Handle, apart, free, input, room, store, store_handle, value};
use crate::options::{OpenOptions, OpenOptionsValue};
use crate::status::{Failure, Status, Steps, on, on_mut, run};
use objseal::Push;
use objseal::cobblestone;
use objseal::envelope;
use objseal::file::{self, FileError, SLOTS_LEN};

/// Opens something piece by piece: an object that is one file, the body of an envelope, or a bare message. The plaintext is
/// all the output of `objseal_opener_update` and `objseal_opener_finish`, in order. One thread at a time uses it.
pub struct Opener(());

impl Handle for Opener {
    type Value = Value;
}

pub(crate) struct Value {
    steps: Steps<Work>,
    /// A file that is finished.
    file: Option<Box<file::Opener>>,
}

impl Value {
    fn of(work: Work) -> Self {
        Self { steps: Steps::new(work), file: None }
    }
}

enum Work {
    /// The slots of a file, as far as they have come.
    Slots(Box<OpenOptionsValue>, Vec<u8>),
    File(Box<file::Opener>),
    Body(Box<envelope::Opener>),
    Bare(Box<cobblestone::Opener<'static>>),
}

impl Work {
    /// How long an output is enough for so many bytes.
    fn update_len(&self, len: usize) -> usize {
        match self {
            // Plaintext is shorter than what is stored.
            Self::Slots(_, slots) => len.saturating_sub(SLOTS_LEN - slots.len()),
            Self::File(opener) => opener.update_len(len),
            Self::Body(opener) => opener.update_len(len).unwrap_or(0),
            Self::Bare(opener) => opener.update_len(len),
        }
    }

    fn update(self, data: &[u8], out: &mut [u8]) -> Result<(Self, usize), Failure> {
        match self {
            Self::Slots(options, mut slots) => {
                let (now, later) = data.split_at(data.len().min(SLOTS_LEN - slots.len()));
                slots.extend_from_slice(now);
                match slots.first_chunk() {
                    None => Ok((Self::Slots(options, slots), 0)),
                    Some(slots) => {
                        let opener =
                            file::Opener::new(&options.core, slots).map_err(|error| options.explained(error))?;
                        Self::File(Box::new(opener)).update(later, out)
                    }
                }
            }
            Self::File(mut opener) => {
                let written = opener.update(data, out)?;
                Ok((Self::File(opener), written))
            }
            Self::Body(mut opener) => {
                let written = opener.update(data, out)?;
                Ok((Self::Body(opener), written))
            }
            Self::Bare(mut opener) => {
                let written = opener.update(data, out)?;
                Ok((Self::Bare(opener), written))
            }
        }
    }

    fn finish_len(&self) -> usize {
        match self {
            Self::Slots(..) => 0,
            Self::File(opener) => opener.finish_len(),
            Self::Body(opener) => opener.finish_len().unwrap_or(0),
            Self::Bare(opener) => opener.finish_len(),
        }
    }

    /// A file comes back: there is more to know of it.
    fn finish(self, out: &mut [u8]) -> Result<Option<Box<file::Opener>>, Failure> {
        match self {
            Self::Slots(..) => return Err(FileError::NotSealed.into()),
            Self::File(mut opener) => {
                opener.finish(out)?;
                return Ok(Some(opener));
            }
            Self::Body(mut opener) => opener.finish(out)?,
            Self::Bare(opener) => opener.finish(out)?,
        };
        Ok(None)
    }
}

/// Begins to open an object that is one file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opener_new(options: *const OpenOptions, opener: *mut *mut Opener) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(options, |options| {
            let slots = Vec::with_capacity(SLOTS_LEN);
            store_handle(opener, || Ok(Value::of(Work::Slots(Box::new(options.clone()), slots))))
        })
    }
}

/// Begins to open the body of an envelope. It takes nothing of the envelope but what it needs.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_envelope_opener_new(envelope: *const Envelope, opener: *mut *mut Opener) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on(envelope, |envelope| store_handle(opener, || Ok(Value::of(Work::Body(Box::new(envelope.body()?.opener()))))))
    }
}

/// Begins to open a bare message. It keeps a copy of the key.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_cobblestone_opener_new(
    key: *const Key,
    context: *const u8,
    context_len: usize,
    opener: *mut *mut Opener,
) -> Status {
    let make = || {
        // SAFETY: the contract of the header.
        let (key, context) = unsafe { (value(key)?, input(context, context_len)?) };
        let key = objseal::Key::from_bytes(key.expose_secret());
        Ok(Value::of(Work::Bare(Box::new(cobblestone::Opener::owned(key, context.to_vec())))))
    };
    // SAFETY: the same.
    run(|| unsafe { store_handle(opener, make) })
}

/// Takes in `data` and writes the plaintext of all chunks that are whole to the start of `out`; `*out_len` is how many
/// bytes that are, or have to be there if the output is too small: never more than `data_len` and 65,536. What is
/// written is authentic. If something is not, all that this call would have written is zero, and nothing more comes
/// out: every later call says the same.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opener_update(
    opener: *mut Opener,
    data: *const u8,
    data_len: usize,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(opener, |Value { steps, .. }| {
            apart(data, data_len, out, out_capacity)?;
            let data = input(data, data_len)?;
            let needed = steps.work()?.update_len(data.len());
            let out = room(Some(needed as u64), out, out_capacity, out_len)?;
            let updated = steps.step(|work| {
                let (work, written) = work.update(data, out)?;
                Ok((Ok(work), written))
            });
            Ok(store(out_len, updated.inspect_err(|_| out.fill(0))?)?)
        })
    }
}

/// Writes the rest of the plaintext, at most 65,536 bytes. Only when it has worked is the plaintext whole. The handle is still
/// to be freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opener_finish(
    opener: *mut Opener,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(opener, |Value { steps, file }| {
            let needed = steps.work()?.finish_len();
            let out = room(Some(needed as u64), out, out_capacity, out_len)?;
            *file = steps.step(|work| Ok((Err(Status::Finished), work.finish(out)?)))?;
            Ok(())
        })
    }
}

/// What is known of an object that is one file, as soon as its head has been opened; its attributes are known at the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opener_info(opener: *mut Opener, info: *mut *mut Info) -> Status {
    // SAFETY: the contract of the header.
    unsafe {
        on_mut(opener, |Value { steps, file }| {
            store_handle(info, || {
                let file = match (&*file, steps.work()) {
                    (Some(file), _) | (None, Ok(Work::File(file))) => file,
                    _ => {
                        steps.check()?;
                        return Err(Failure::new(Status::Argument, "its head has not been opened, or it is no file"));
                    }
                };
                let info = info::Value::of_head(file.envelope().head()).with_attributes(file.attributes());
                Ok(info.with_slots(file.slots()).with_engines(file.envelope().engines()))
            })
        })
    }
}

/// Frees an opener, finished or not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn objseal_opener_free(opener: *mut Opener) {
    // SAFETY: the contract of the header.
    unsafe { free(opener) };
}
