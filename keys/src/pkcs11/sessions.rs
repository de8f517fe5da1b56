//! Sessions with a token: logged in once, a few at a time, and opened anew after the token was lost.

use super::error::{LoginFault, TokenError};
use super::module;
use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::AuthPin;
use std::mem;
use std::path::PathBuf;
use std::process;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock};

/// Most sessions in use at a time; further calls wait. Some tokens have no more than sixteen in all.
const MAX_SESSIONS: usize = 8;

/// Which token is meant: the one that is like this in all that is given.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    pub(super) label: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) slot: Option<u64>,
}

/// What a session is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    /// Objects of the token change, and no other session of these is in use meanwhile: SoftHSM 2.6 fails to make an
    /// object now and then while another thread looks for one. Such a session is not kept, so that tokens which are
    /// write-protected can be read.
    Write,
}

/// The sessions with one token.
pub(super) struct Sessions {
    module: PathBuf,
    selection: Selection,
    pin: Option<AuthPin>,
    /// Held alone while objects change.
    objects: RwLock<()>,
    state: Mutex<State>,
    /// A session is no longer in use.
    freed: Condvar,
}

struct State {
    /// The process that the sessions belong to.
    process: u32,
    live: Option<Live>,
    /// How often sessions have been lost: those from before are not used again.
    generation: u64,
    in_use: usize,
    /// The PIN did not let the user in. Every further try could be the one that locks the token.
    refused: Option<LoginFault>,
}

struct Live {
    module: Pkcs11,
    slot: Slot,
    /// Whoever closes the last session logs out, and so this one stays open.
    _login: Session,
    logged_in: bool,
    idle: Vec<Session>,
}

/// A session in use.
struct Taken {
    session: Session,
    generation: u64,
    logged_in: bool,
}

impl Sessions {
    pub(super) fn new(module: PathBuf, selection: Selection, pin: Option<AuthPin>) -> Self {
        let state = State { process: process::id(), live: None, generation: 0, in_use: 0, refused: None };
        let (objects, state) = (RwLock::new(()), Mutex::new(state));
        Self { module, selection, pin, objects, state, freed: Condvar::new() }
    }

    /// Does some work in a session.
    pub(super) fn with<T>(
        &self,
        access: Access,
        work: impl FnOnce(&Session) -> Result<T, TokenError>,
    ) -> Result<T, TokenError> {
        match access {
            Access::Read => {
                let _shared = self.objects.read().unwrap_or_else(PoisonError::into_inner);
                self.within(access, work)
            }
            Access::Write => {
                let _alone = self.objects.write().unwrap_or_else(PoisonError::into_inner);
                self.within(access, work)
            }
        }
    }

    fn within<T>(&self, access: Access, work: impl FnOnce(&Session) -> Result<T, TokenError>) -> Result<T, TokenError> {
        let taken = self.take(access)?;
        let result = work(&taken.session).map_err(|error| match error {
            // Private keys are invisible once somebody else in the process has logged the user out.
            TokenError::UnknownKey if taken.logged_in && !is_logged_in(&taken.session) => {
                TokenError::Lost { reason: "the user is no longer logged in".into() }
            }
            error => error,
        });
        self.give_back(taken, access, result.as_ref().err());
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, access: Access) -> Result<Taken, TokenError> {
        let mut guard = self.lock();
        guard.forget_if_forked();
        while guard.in_use >= MAX_SESSIONS {
            guard = self.freed.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        let state = &mut *guard;
        let live = match &mut state.live {
            Some(live) => live,
            none => none.insert(self.connect(&mut state.refused)?),
        };
        let (module, slot, logged_in, generation) = (live.module.clone(), live.slot, live.logged_in, state.generation);
        let idle = if access == Access::Read { live.idle.pop() } else { None };
        state.in_use += 1;
        drop(guard);
        let opened = match (idle, access) {
            (Some(session), _) => Ok(session),
            (None, Access::Read) => module.open_ro_session(slot),
            (None, Access::Write) => module.open_rw_session(slot),
        };
        let opened = opened.map_err(TokenError::of_module);
        if let Err(error) = &opened {
            self.lock().freed(generation, Some(error));
            self.freed.notify_one();
        }
        Ok(Taken { session: opened?, generation, logged_in })
    }

    fn give_back(&self, taken: Taken, access: Access, error: Option<&TokenError>) {
        let Taken { session, generation, .. } = taken;
        let mut guard = self.lock();
        let state = &mut *guard;
        if generation != state.generation {
            // Its number may be that of another session by now, which is not to be closed.
            mem::forget(session);
        } else if error.is_none()
            && access == Access::Read
            && let Some(live) = &mut state.live
        {
            live.idle.push(session);
        }
        // Otherwise it is closed: what failed may still be active in it.
        state.freed(generation, error);
        drop(guard);
        self.freed.notify_one();
    }

    /// Finds the token and logs in. A PIN that is refused is refused from then on.
    fn connect(&self, refused: &mut Option<LoginFault>) -> Result<Live, TokenError> {
        if let Some(fault) = *refused {
            return Err(TokenError::Login(fault));
        }
        let module = module::initialised(&self.module)?;
        let (slot, info) = self.selection.find(&module)?;
        let gcm = module.get_mechanism_info(slot, MechanismType::AES_GCM);
        if !gcm.is_ok_and(|gcm| gcm.encrypt() && gcm.decrypt()) {
            return Err(TokenError::NoGcm);
        }
        let login = module.open_ro_session(slot).map_err(TokenError::of_module)?;
        let logged_in = info.login_required();
        if logged_in {
            if self.pin.is_none() && !info.protected_authentication_path() {
                return Err(TokenError::NoPin);
            }
            if let Err(error) = login.login(UserType::User, self.pin.as_ref()) {
                let error = of_login(error, &module, slot);
                if let Some(TokenError::Login(fault)) = error {
                    *refused = Some(fault);
                }
                error.map_or(Ok(()), Err)?;
            }
        }
        Ok(Live { module, slot, _login: login, logged_in, idle: Vec::new() })
    }
}

/// A child that only ends must not close sessions of its parent.
impl Drop for Sessions {
    fn drop(&mut self) {
        self.lock().forget_if_forked();
    }
}

impl State {
    /// Sessions from before a fork belong to the parent: not used, and not closed either.
    fn forget_if_forked(&mut self) {
        let process = process::id();
        if self.process != process {
            mem::forget(self.live.take());
            self.process = process;
            self.generation += 1;
            self.in_use = 0;
        }
    }

    /// A session of this generation is no longer in use, perhaps because of an error.
    fn freed(&mut self, generation: u64, error: Option<&TokenError>) {
        self.in_use = self.in_use.saturating_sub(1);
        if generation == self.generation && matches!(error, Some(TokenError::Lost { .. })) {
            self.live = None;
            self.generation += 1;
        }
    }
}

impl Selection {
    fn find(&self, module: &Pkcs11) -> Result<(Slot, TokenInfo), TokenError> {
        let slots = module.get_slots_with_token().map_err(TokenError::of_module)?;
        // A token that does not say what it is, is not the one that was named.
        let tokens = slots.into_iter().filter_map(|slot| Some((slot, module.get_token_info(slot).ok()?)));
        let mut fitting = tokens.filter(|(slot, info)| info.token_initialized() && self.fits(*slot, info));
        let first = fitting.next().ok_or(TokenError::NoToken)?;
        if fitting.next().is_some() { Err(TokenError::SeveralTokens) } else { Ok(first) }
    }

    fn fits(&self, slot: Slot, info: &TokenInfo) -> bool {
        let same = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        same(&self.label, info.label())
            && same(&self.serial, info.serial_number())
            && same(&self.manufacturer, info.manufacturer_id())
            && same(&self.model, info.model())
            && self.slot.is_none_or(|wanted| wanted == slot.id())
    }
}

/// Why the user is not logged in; nothing if the user is.
fn of_login(error: CryptokiError, module: &Pkcs11, slot: Slot) -> Option<TokenError> {
    let fault = match error {
        // Of the whole process: another session with the token has done it.
        CryptokiError::Pkcs11(RvError::UserAlreadyLoggedIn, _) => return None,
        CryptokiError::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
            match module.get_token_info(slot) {
                Ok(info) if info.user_pin_locked() => LoginFault::Locked,
                Ok(info) if info.user_pin_final_try() => LoginFault::WrongOneLeft,
                Ok(info) if info.user_pin_count_low() => LoginFault::WrongFewLeft,
                _ => LoginFault::Wrong,
            }
        }
        CryptokiError::Pkcs11(RvError::PinLocked, _) => LoginFault::Locked,
        CryptokiError::Pkcs11(RvError::PinExpired, _) => LoginFault::Expired,
        CryptokiError::Pkcs11(RvError::UserPinNotInitialized, _) => LoginFault::NotSet,
        error => return Some(TokenError::of_module(error)),
    };
    Some(TokenError::Login(fault))
}

fn is_logged_in(session: &Session) -> bool {
    let state = session.get_session_info().map(|info| info.session_state());
    matches!(state, Ok(SessionState::RoUser | SessionState::RwUser))
}
