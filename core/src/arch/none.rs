//! No kernels of our own for this architecture: everything runs on the portable backend.

use super::{Backend, KEY_LEN, Nonce, Tag};
use inout::InOutBuf;

/// No value: there is nothing to choose.
#[derive(Clone, Copy)]
pub(crate) enum Choice {}

impl Choice {
    pub(crate) fn of(_: Backend) -> Option<Self> {
        None
    }

    pub(crate) fn backend(self) -> Backend {
        match self {}
    }
}

/// No value: there is no way to make one.
pub(crate) enum GcmKey {}

impl GcmKey {
    pub(crate) fn new(choice: Choice, _: &[u8; KEY_LEN], _long: bool) -> Self {
        match choice {}
    }

    pub(crate) fn backend(&self) -> Backend {
        match *self {}
    }

    pub(crate) fn seal(
        &self,
        _: Option<&mut CounterTable<'_>>,
        _: &Nonce,
        _aad: &[u8],
        _data: InOutBuf<'_, '_, u8>,
    ) -> Tag {
        match *self {}
    }

    pub(crate) fn open(
        &self,
        _: Option<&mut CounterTable<'_>>,
        _: &Nonce,
        _aad: &[u8],
        _data: InOutBuf<'_, '_, u8>,
    ) -> Tag {
        match *self {}
    }
}

/// The portable backend has no use for one.
pub(crate) struct CounterRoom;

impl CounterRoom {
    pub(crate) fn new() -> Self {
        Self
    }
}

/// The portable backend has no use for one.
pub(crate) struct CounterTable<'r>(core::marker::PhantomData<&'r mut CounterRoom>);

impl<'r> CounterTable<'r> {
    pub(crate) fn new(_: &'r mut CounterRoom) -> Self {
        Self(core::marker::PhantomData)
    }
}
