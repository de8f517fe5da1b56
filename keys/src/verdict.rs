//! Where one bit about secrets becomes public.

use subtle::Choice;

/// What a comparison of secrets says: the one bit that may decide a branch, because the caller learns it anyway.
pub(crate) fn verdict(same: Choice) -> bool {
    #[cfg(objseal_hazmat)]
    let same = objseal::hazmat::public::choice(same);
    same.into()
}
