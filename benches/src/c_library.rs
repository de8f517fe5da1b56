//! The C library, loaded when the program runs, as a server has it.

// The other side is C.
#![allow(unsafe_code)]

use libloading::Library;
use std::ffi::c_void;
use std::path::Path;

type Handle = *mut c_void;
type OneShot = unsafe extern "C" fn(Handle, *const u8, usize, *const u8, usize, *mut u8, usize, *mut usize, u32) -> i32;

/// Bare messages through C.
pub struct CLibrary {
    key: Handle,
    seal: OneShot,
    open: OneShot,
    key_len: unsafe extern "C" fn() -> usize,
    free: unsafe extern "C" fn(Handle),
    // Last, so that it is unloaded last.
    _library: Library,
}

impl CLibrary {
    /// Loads the library and makes a handle of `key`.
    ///
    /// # Panics
    /// If it is not there, with the command that builds it.
    #[must_use]
    pub fn new(path: &Path, key: &[u8; 32]) -> Self {
        // SAFETY: the types are those of objseal.h.
        unsafe {
            let library = Library::new(path).expect("the C library is missing: make -C bindings/c");
            macro_rules! function {
                ($name:literal) => {
                    *library.get(concat!($name, "\0").as_bytes()).expect($name)
                };
            }
            let new: unsafe extern "C" fn(*const u8, usize, *mut Handle) -> i32 = function!("objseal_key_new");
            let mut handle = std::ptr::null_mut();
            assert_eq!(new(key.as_ptr(), key.len(), &raw mut handle), 0);
            Self {
                key: handle,
                seal: function!("objseal_cobblestone_seal"),
                open: function!("objseal_cobblestone_open"),
                key_len: function!("objseal_key_len"),
                free: function!("objseal_key_free"),
                _library: library,
            }
        }
    }

    /// Seals.
    ///
    /// # Panics
    /// If it does not work.
    pub fn seal(&self, plaintext: &[u8], out: &mut [u8], threads: u32) {
        self.run(self.seal, plaintext, out, threads);
    }

    /// Opens.
    ///
    /// # Panics
    /// If it does not work.
    pub fn open(&self, message: &[u8], out: &mut [u8], threads: u32) {
        self.run(self.open, message, out, threads);
    }

    fn run(&self, act: OneShot, input: &[u8], out: &mut [u8], threads: u32) {
        let mut len = 0;
        // SAFETY: handle and lengths are right, and the slices do not overlap.
        let status = unsafe {
            act(
                self.key,
                std::ptr::null(),
                0,
                input.as_ptr(),
                input.len(),
                out.as_mut_ptr(),
                out.len(),
                &raw mut len,
                threads,
            )
        };
        assert_eq!((status, len), (0, out.len()));
    }

    /// A call that does nothing.
    #[must_use]
    pub fn nothing(&self) -> usize {
        // SAFETY: it takes nothing.
        unsafe { (self.key_len)() }
    }
}

impl Drop for CLibrary {
    fn drop(&mut self) {
        // SAFETY: nobody uses the handle any more.
        unsafe { (self.free)(self.key) };
    }
}
