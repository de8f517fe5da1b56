//! How to come by the keys of a file without blocking a task.

use crate::pool::blocking;
use objseal::envelope::{EnvelopeError, KeyRequest, KeyServiceError, OpenOptions, Plan, WrappingKey};
use objseal::file::FileError;
use std::sync::Arc;

/// Opens by the keys and services among `options`: keys at hand are tried here; services, which block, are asked on a thread.
///
/// `open` opens what `plan` is for.
pub(crate) async fn open<T: Send + 'static>(
    options: &OpenOptions,
    mut plan: Plan<T>,
    open: impl FnOnce(&OpenOptions) -> Result<T, FileError> + Send + 'static,
) -> Result<T, FileError> {
    if plan.next_request().is_none() {
        return Ok(plan.finish()?);
    }
    let options = options.clone();
    blocking(move || open(&options)).await?
}

/// Opens by the keys at hand and those that `answer` gives.
pub(crate) async fn open_with<T, A>(
    mut plan: Plan<T>,
    mut answer: impl FnMut(KeyRequest) -> A,
) -> Result<T, EnvelopeError>
where
    A: Future<Output = Result<Arc<WrappingKey>, KeyServiceError>>,
{
    while let Some(request) = plan.next_request() {
        let answered = answer(request).await;
        plan.answer(answered);
    }
    plan.finish()
}
