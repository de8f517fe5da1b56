//! Sealing what is put in one go.

use object_store::PutPayload;
use objseal::envelope::SealOptions;
use objseal::file::{FileError, Sealer, sealed_len};
use objseal::{Error, Push};

/// The sealed file of `payload`.
pub(crate) fn seal_payload(options: &SealOptions, payload: PutPayload) -> Result<Vec<u8>, FileError> {
    let len = sealed_len(options, payload.content_length() as u64).and_then(|len| usize::try_from(len).ok());
    let mut sealed = Vec::with_capacity(len.ok_or(Error::TooLong)?);
    let mut sealer = Sealer::new(options)?;
    for piece in payload {
        sealer.update_vec(&piece, &mut sealed)?;
    }
    sealer.finish_vec(&mut sealed)?;
    Ok(sealed)
}
