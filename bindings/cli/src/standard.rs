//! Standard input and standard output, and the other descriptors that were open when the command began.

use crate::failure::Failure;
use crate::output::refuse_keys;
use objseal_files::{Source, Target, descriptor_of};
use rustix::io::{Errno, fcntl_getfd};
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Which of the three standard descriptors were closed.
static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

/// Rust's runtime opens `/dev/null` in the place of a standard descriptor that is closed, and what is written there is lost
/// without an error; so this looks before the runtime does.
// SAFETY: the section is a list of functions of this type, which the system calls before the runtime begins.
#[allow(unsafe_code, reason = "nothing in Rust comes before its runtime")]
#[used]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
static BEFORE_MAIN: extern "C" fn() = look;

extern "C" fn look() {
    for (descriptor, closed) in (0..).zip(&CLOSED) {
        closed.store(!is_open(descriptor), Ordering::Relaxed);
    }
}

fn is_open(descriptor: RawFd) -> bool {
    // SAFETY: it is not -1. Whether it is open is asked by this one call, which does nothing else with it.
    #[allow(unsafe_code, reason = "a descriptor that may not be open")]
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    fcntl_getfd(borrowed).is_ok()
}

/// The descriptors that the command was given, where the system tells. What it opens itself may get the number of another
/// that the user meant, and that is closed.
static GIVEN: OnceLock<Vec<RawFd>> = OnceLock::new();

/// To be called before any file is opened.
pub(crate) fn remember_descriptors() {
    let Ok(folder) = fs::read_dir("/dev/fd") else { return };
    let numbers: Vec<RawFd> = folder.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // Not that of the folder.
    GIVEN.get_or_init(|| numbers.into_iter().filter(|&number| is_open(number)).collect());
}

/// Whether `path` stands for standard input or output.
pub(crate) fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// Standard input without the buffer of [`io::stdin`], which would keep plaintext.
pub(crate) fn input() -> io::Result<Source> {
    refuse_closed(Some(0))?;
    Source::of(0)
}

/// Opens a path, which may stand for a descriptor.
pub(crate) fn open(path: &Path) -> io::Result<Source> {
    refuse_closed(descriptor_of(path))?;
    Source::open(path)
}

/// Standard output without the buffer of [`io::stdout`], which would keep plaintext and split large writes.
pub(crate) fn output() -> Result<Target, Failure> {
    let target = refuse_closed(Some(1)).and_then(|()| Target::of(1)).map_err(|error| Failure::of_stdout(&error))?;
    refuse_keys(Path::new("/dev/stdout"), "standard output")?;
    Ok(target)
}

/// Says so if it is a descriptor that was closed when the command began.
pub(crate) fn refuse_closed(descriptor: Option<RawFd>) -> io::Result<()> {
    let Some(descriptor) = descriptor else { return Ok(()) };
    let standard = usize::try_from(descriptor).ok().and_then(|index| CLOSED.get(index));
    let closed = match standard {
        Some(closed) => closed.load(Ordering::Relaxed),
        None => GIVEN.get().is_some_and(|given| !given.contains(&descriptor)),
    };
    if closed { Err(Errno::BADF.into()) } else { Ok(()) }
}
