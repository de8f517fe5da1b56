//! Objects whose heads are open, and a few of them that are kept.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Attributes, Extensions, ObjectMeta};
use objseal::file::FileRanges;
use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// An object whose head is open.
pub(crate) struct Opened {
    /// As the inner store says; its size is the sealed one.
    pub(crate) meta: ObjectMeta,
    pub(crate) attributes: Attributes,
    pub(crate) extensions: Extensions,
    /// The version that was asked for.
    pub(crate) asked: Option<String>,
    pub(crate) file: FileRanges,
    /// Its last bytes, as they are stored: small objects, and the footers of files that end with one, are among them.
    pub(crate) end: Bytes,
}

impl Opened {
    /// The same with the size of the plaintext.
    pub(crate) fn plain_meta(&self) -> ObjectMeta {
        ObjectMeta { size: self.plaintext_len(), ..self.meta.clone() }
    }

    pub(crate) fn plaintext_len(&self) -> u64 {
        self.file.ranges().plaintext_len()
    }

    /// Whether `meta` says that this very object is still there. A store that lies about it is found out by the tags.
    pub(crate) fn is(&self, meta: &ObjectMeta) -> bool {
        same(&self.meta, meta)
    }

    /// Those stored bytes, if they are at hand.
    pub(crate) fn at_hand(&self, stored: &Range<u64>) -> Option<Bytes> {
        let start = self.meta.size.checked_sub(self.end.len() as u64)?;
        let from = usize::try_from(stored.start.checked_sub(start)?).ok()?;
        let to = usize::try_from(stored.end.checked_sub(start)?).ok()?;
        (from <= to && to <= self.end.len()).then(|| self.end.slice(from..to))
    }
}

/// Whether both are of the same object.
pub(crate) fn same(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    (&one.e_tag, one.last_modified, one.size, &one.version)
        == (&other.e_tag, other.last_modified, other.size, &other.version)
}

/// The objects that were opened last, the latest first. Only those with an `ETag`: a date is too coarse to tell one object
/// from the next.
pub(crate) struct Heads {
    limit: usize,
    kept: Mutex<VecDeque<Arc<Opened>>>,
}

impl Heads {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, kept: Mutex::default() }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// The object that was there when this version of it was last asked for.
    pub(crate) fn find(&self, location: &Path, version: Option<&str>) -> Option<Arc<Opened>> {
        let mut kept = self.lock();
        let is_it = |opened: &Arc<Opened>| opened.meta.location == *location && opened.asked.as_deref() == version;
        let index = kept.iter().position(is_it)?;
        let found = kept.remove(index)?;
        kept.push_front(Arc::clone(&found));
        Some(found)
    }

    pub(crate) fn keep(&self, opened: &Arc<Opened>) {
        if opened.meta.e_tag.is_none() {
            return;
        }
        let mut kept = self.lock();
        kept.retain(|other| other.meta.location != opened.meta.location || other.asked != opened.asked);
        kept.push_front(Arc::clone(opened));
        kept.truncate(self.limit);
    }

    pub(crate) fn forget(&self, opened: &Arc<Opened>) {
        self.lock().retain(|other| !Arc::ptr_eq(other, opened));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Opened>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Heads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heads").field("limit", &self.limit).finish_non_exhaustive()
    }
}
