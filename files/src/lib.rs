//! How objseal reads and writes files: outputs that take their name when they are whole, and paths that stand for
//! descriptors.
//!
//! ```
//! use objseal_files::{Existing, NewFile};
//! use std::io::Write;
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("report");
//! let new = NewFile::create(&path, Existing::Refuse, 0o666)?;
//! new.file().write_all(b"all of it")?;
//! assert!(!path.exists());
//! new.commit()?;
//! assert_eq!(std::fs::read(&path)?, b"all of it");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | what |
//! |---|---|
//! | `new_file` | the file that takes its name when it is whole |
//! | `names` | the names that it has before, and what killed processes have left of them |
//! | `remains` | what is to be removed of a file that does not become whole |
//! | `system` | what operating systems do each in their own way |
//! | `path` | links and folders |
//! | `reason` | errors with a number and words of their own |
//! | `target` | what is written: a new file, or straight into what is there |
//! | `direct` | descriptors, devices and pipes: every byte delivered, or an error |
//! | `source` | what is read |
//! | `descriptor` | paths that stand for descriptors |

#[cfg(unix)]
mod descriptor;
#[cfg(unix)]
mod direct;
mod names;
mod new_file;
mod path;
mod reason;
mod remains;
#[cfg(unix)]
mod source;
mod system;
#[cfg(unix)]
mod target;

#[cfg(unix)]
pub use descriptor::descriptor_of;
#[cfg(unix)]
pub use direct::Direct;
pub use new_file::{Existing, NewFile};
pub use path::{folder_of, resolved, sync_folder_of};
pub use reason::{Reason, errno_of};
pub use remains::Remains;
#[cfg(unix)]
pub use source::Source;
#[cfg(unix)]
pub use target::Target;
