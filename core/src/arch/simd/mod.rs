//! AES-256-GCM kernels of our own.
//!
//! [`kernel`] is the one text of the algorithm, generic over the register, and [`counters`] the first rounds of the
//! counter blocks. [`vector`] says what a register must be able to do. Each architecture has a folder: its registers,
//! what its CPU is asked, and the list of its backends.

mod counters;
mod kernel;
mod vector;

use super::{Backend, Home, KEY_LEN, Nonce, Tag, home};
pub(crate) use counters::{CounterRoom, CounterTable};
use inout::InOutBuf;
use kernel::Keys;
pub(crate) use target::Choice;

/// Defines the backends of an architecture, and the choice of one of them. For each: its token, its name, its register
/// and its features. The one list of features is both what the CPU is asked for and what the code is compiled for. Of
/// two with the same name the later one is the better one.
macro_rules! backends {
    ($($(#[$doc:meta])* $token:ident: $backend:ident, $register:ty, [$($feature:tt),+ $(,)?];)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy)]
            pub(crate) struct $token(());

            impl $token {
                const FEATURES: u32 = 0 $(| cpu::bit($feature))+;

                fn detect() -> Option<Self> {
                    cpu::has_all(Self::FEATURES).then_some(Self(()))
                }

                fn set_up(self, room: &mut MaybeUninit<Keys>, key: &[u8; KEY_LEN], long: bool) {
                    #[target_feature($(enable = $feature),+)]
                    #[inline(never)]
                    fn set_up(token: $token, room: &mut MaybeUninit<Keys>, key: &[u8; KEY_LEN], long: bool) {
                        Keys::set_up::<$register>(room, token.into(), key, long);
                    }
                    // SAFETY: the token exists only if the CPU has the features.
                    unsafe { set_up(self, room, key, long) }
                }

                fn seal(
                    self,
                    keys: &Keys,
                    table: Option<&mut CounterTable<'_>>,
                    nonce: &Nonce,
                    aad: &[u8],
                    data: InOutBuf<'_, '_, u8>,
                ) -> Tag {
                    #[target_feature($(enable = $feature),+)]
                    #[inline(never)]
                    fn seal(
                        token: $token,
                        keys: &Keys,
                        table: Option<&mut CounterTable<'_>>,
                        nonce: &Nonce,
                        aad: &[u8],
                        data: InOutBuf<'_, '_, u8>,
                    ) -> Tag {
                        kernel::message::<$register, true>(token.into(), keys, table, nonce, aad, data)
                    }
                    // SAFETY: the token exists only if the CPU has the features.
                    unsafe { seal(self, keys, table, nonce, aad, data) }
                }

                fn open(
                    self,
                    keys: &Keys,
                    table: Option<&mut CounterTable<'_>>,
                    nonce: &Nonce,
                    aad: &[u8],
                    data: InOutBuf<'_, '_, u8>,
                ) -> Tag {
                    #[target_feature($(enable = $feature),+)]
                    #[inline(never)]
                    fn open(
                        token: $token,
                        keys: &Keys,
                        table: Option<&mut CounterTable<'_>>,
                        nonce: &Nonce,
                        aad: &[u8],
                        data: InOutBuf<'_, '_, u8>,
                    ) -> Tag {
                        kernel::message::<$register, false>(token.into(), keys, table, nonce, aad, data)
                    }
                    // SAFETY: the token exists only if the CPU has the features.
                    unsafe { open(self, keys, table, nonce, aad, data) }
                }
            }
        )+

        /// A backend of this architecture, with the proof that this machine can run it.
        #[derive(Clone, Copy)]
        pub(crate) enum Choice {
            $($token($token),)+
        }

        impl Choice {
            pub(crate) fn of(backend: Backend) -> Option<Self> {
                let mut best = None;
                $(
                    if backend == Backend::$backend {
                        best = $token::detect().map(Self::$token).or(best);
                    }
                )+
                best
            }

            pub(crate) fn backend(self) -> Backend {
                match self {
                    $(Self::$token(_) => Backend::$backend,)+
                }
            }

            /// Writes all of `room` that must be there.
            pub(super) fn set_up(self, room: &mut MaybeUninit<Keys>, key: &[u8; KEY_LEN], long: bool) {
                match self {
                    $(Self::$token(token) => token.set_up(room, key, long),)+
                }
            }

            pub(super) fn seal(
                self,
                keys: &Keys,
                table: Option<&mut CounterTable<'_>>,
                nonce: &Nonce,
                aad: &[u8],
                data: InOutBuf<'_, '_, u8>,
            ) -> Tag {
                match self {
                    $(Self::$token(token) => token.seal(keys, table, nonce, aad, data),)+
                }
            }

            pub(super) fn open(
                self,
                keys: &Keys,
                table: Option<&mut CounterTable<'_>>,
                nonce: &Nonce,
                aad: &[u8],
                data: InOutBuf<'_, '_, u8>,
            ) -> Tag {
                match self {
                    $(Self::$token(token) => token.open(keys, table, nonce, aad, data),)+
                }
            }
        }
    };
}

#[cfg(target_arch = "aarch64")]
#[path = "arm/mod.rs"]
mod target;
#[cfg(target_arch = "x86_64")]
#[path = "x86/mod.rs"]
mod target;

/// Round keys and hash key powers, together with the backend that they were laid out for.
pub(crate) struct GcmKey {
    choice: Choice,
    keys: Home<Keys>,
}

impl GcmKey {
    pub(crate) fn new(choice: Choice, key: &[u8; KEY_LEN], long: bool) -> Self {
        // SAFETY: it writes all that must be there.
        let keys = unsafe { home(|room| choice.set_up(room, key, long)) };
        Self { choice, keys }
    }

    pub(crate) fn backend(&self) -> Backend {
        self.choice.backend()
    }

    pub(crate) fn seal(
        &self,
        table: Option<&mut CounterTable<'_>>,
        nonce: &Nonce,
        aad: &[u8],
        data: InOutBuf<'_, '_, u8>,
    ) -> Tag {
        self.choice.seal(&self.keys, table, nonce, aad, data)
    }

    pub(crate) fn open(
        &self,
        table: Option<&mut CounterTable<'_>>,
        nonce: &Nonce,
        aad: &[u8],
        data: InOutBuf<'_, '_, u8>,
    ) -> Tag {
        self.choice.open(&self.keys, table, nonce, aad, data)
    }
}
