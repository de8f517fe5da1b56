//! The file that takes its name when it is whole.

use crate::names::{self, Names};
use crate::path::{folder_of, in_its_folder, resolved, sync_folder_of};
use crate::reason::Reason;
use crate::remains::{Entry, Remains};
use crate::system;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What to do with a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays; a link counts as one, wherever it leads.
    Refuse,
    /// It is replaced once the new one is whole, and gives it its owner and permissions; a link stays, and what it leads to
    /// is replaced.
    Replace,
}

/// A file that takes its name when it is whole. Until then only its owner can read it, and where the file system knows how
/// (`O_TMPFILE`) it has no name at all: whatever ends the process, nothing of it is left. Elsewhere it has a short name
/// beside its target, and whoever writes that target next removes it.
///
/// Dropped without [`commit`](Self::commit) it was never there. In a process that was forked from the one that made it, it
/// is neither committed nor removed.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    target: PathBuf,
    existing: Existing,
    /// Permissions of a new file, within the umask.
    mode: u32,
    /// Whether owner and permissions stay as they are.
    kept: bool,
    names: Names,
    remains: Remains,
    process: u32,
}

/// What may be tried of a file system.
#[derive(Clone, Copy, Debug)]
struct Abilities {
    /// Files without a name.
    unnamed: bool,
    /// Second names.
    links: bool,
}

impl NewFile {
    /// Begins a file that is to be at `path`. What would not work at the end is refused here, before the work.
    ///
    /// A file that is new gets the permissions `mode` within the umask, or what else its folder gives new files.
    ///
    /// # Errors
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) if there is a file that is to stay; a [`Reason`] if it is a mount of its
    /// own, or if it or a link to it is somebody else's in a folder where everybody may write; else what the operating system
    /// says.
    pub fn create(path: &Path, existing: Existing, mode: u32) -> io::Result<Self> {
        Self::create_with(path, existing, mode, Abilities { unnamed: true, links: true })
    }

    fn create_with(path: &Path, existing: Existing, mode: u32, abilities: Abilities) -> io::Result<Self> {
        let target = match existing {
            Existing::Refuse => in_its_folder(path)?,
            Existing::Replace => resolved(path)?,
        };
        match fs::symlink_metadata(&target) {
            Ok(_) if existing == Existing::Refuse => return Err(ErrorKind::AlreadyExists.into()),
            Ok(there) if there.is_dir() => return Err(ErrorKind::IsADirectory.into()),
            Ok(_) if system::is_mount(&target) => return Err(mounted()),
            Ok(there) => system::refuse_irreplaceable(&there, folder_of(&target))?,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            Err(_) => {}
        }
        let names = Names::beside(&target);
        names.clean();
        let mut remains = Remains::default();
        let (file, mode) = match abilities.unnamed.then(|| unnamed(&names, mode)).flatten() {
            Some(made) => made,
            None => named(&names, mode, &mut remains)?,
        };
        let new = Self { file, target, existing, mode, kept: false, names, remains, process: std::process::id() };
        new.with_its_place_kept(abilities)
    }

    /// Where no file can get a second name, an empty file keeps the place of one that must not replace another.
    fn with_its_place_kept(mut self, abilities: Abilities) -> io::Result<Self> {
        if let (Existing::Refuse, Some(name)) = (self.existing, &self.remains.name)
            && !(abilities.links && can_link(&self.names, &name.path))
        {
            let empty = system::writable(0o600).create_new(true).open(&self.target)?;
            self.remains.reserved = Some(Entry::of(self.target.clone(), &empty)?);
        }
        Ok(self)
    }

    /// The file, to be written to.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The same file, of which [`commit`](Self::commit) leaves owner and permissions as they are: private, unless they were
    /// changed. What stands at the target by then may be somebody else's, and is no example for a file with secrets.
    #[must_use]
    pub fn with_its_permissions_kept(mut self) -> Self {
        self.kept = true;
        self
    }

    /// What is to be removed if the process ends before this is dropped.
    #[must_use]
    pub fn remains(&self) -> Remains {
        self.remains.clone()
    }

    /// Syncs the file and gives it its name. From then on it is there, whatever the system says about its folder.
    ///
    /// # Errors
    /// What the operating system says; what was there before is there then.
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) if there is a file by now that is to stay. A [`Reason`] in a process that
    /// was forked from the one that made the file.
    pub fn commit(self) -> io::Result<()> {
        self.commit_after(|| ())
    }

    /// The same. `ready` is called when everything is on disk; what it returns is kept until the file has its name.
    ///
    /// # Errors
    /// Those of [`commit`](Self::commit).
    pub fn commit_after<T>(mut self, ready: impl FnOnce() -> T) -> io::Result<()> {
        if !self.is_of_this_process() {
            return Err(Reason::error(
                system::NOT_PERMITTED,
                "this file is written by the process that this one was forked from",
            ));
        }
        let replaced = self.replaced();
        if let Some(there) = &replaced {
            // It may have come meanwhile.
            system::refuse_irreplaceable(there, self.names.folder())?;
        }
        if !self.kept {
            let replaced = replaced.as_ref().map(|replaced| (self.target.as_path(), replaced));
            system::settle(&self.file, replaced, self.mode);
        }
        self.file.sync_all()?;
        let kept = ready();
        match self.existing {
            Existing::Refuse => self.take_free_name()?,
            Existing::Replace => self.take_any_name(replaced.is_none())?,
        }
        self.remains = Remains::default();
        drop(kept);
        // A process that was forked meanwhile would hold the lock for as long as it lives.
        let _ = self.file.unlock();
        sync_folder_of(&self.target);
        Ok(())
    }

    /// The file that this one replaces.
    fn replaced(&self) -> Option<Metadata> {
        let there = fs::symlink_metadata(&self.target).ok();
        there.filter(|there| self.existing == Existing::Replace && there.is_file())
    }

    fn take_free_name(&mut self) -> io::Result<()> {
        match &self.remains.name {
            None => system::name(&self.file, &self.target),
            Some(name) if self.remains.reserved.is_some() => {
                if !self.remains.is_reserved() {
                    return Err(ErrorKind::AlreadyExists.into());
                }
                fs::rename(&name.path, &self.target)
            }
            Some(name) => {
                fs::hard_link(&name.path, &self.target)?;
                let _ = fs::remove_file(&name.path);
                Ok(())
            }
        }
    }

    fn take_any_name(&mut self, free: bool) -> io::Result<()> {
        if self.remains.name.is_none() {
            if free {
                match system::name(&self.file, &self.target) {
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    named => return named,
                }
            }
            let (name, ()) = self.names.claim(|name| system::name(&self.file, name))?;
            self.remains.name = Some(Entry::of(name, &self.file)?);
        }
        let name = self.remains.name.as_ref().map_or(&self.target, |name| &name.path);
        fs::rename(name, &self.target).map_err(|error| match error.kind() {
            ErrorKind::ResourceBusy => mounted(),
            _ => error,
        })
    }

    fn is_of_this_process(&self) -> bool {
        self.process == std::process::id()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.is_of_this_process() {
            self.remains.remove();
        }
    }
}

/// A file without a name, and the permissions that `mode` comes to. `None` where there is no such thing, or where it could
/// not get a name in the end.
fn unnamed(names: &Names, mode: u32) -> Option<(File, u32)> {
    // To ask for the umask would change it for all threads, so an empty file shows what it leaves.
    let trial = system::unnamed(names.folder(), mode)?;
    let mode = system::mode(&trial.metadata().ok()?);
    names::lock(&trial);
    let (name, ()) = names.claim(|name| system::name(&trial, name)).ok()?;
    let _ = fs::remove_file(name);
    // Nobody can have opened this one.
    let file = system::unnamed(names.folder(), 0o600)?;
    names::lock(&file);
    Some((file, mode))
}

/// The same with a name.
fn named(names: &Names, mode: u32, remains: &mut Remains) -> io::Result<(File, u32)> {
    let (name, trial) = names.create(mode)?;
    let found = trial.metadata();
    let _ = fs::remove_file(name);
    let mode = system::mode(&found?);
    let (name, file) = names.create(0o600)?;
    remains.name = Some(Entry::of(name, &file)?);
    Ok((file, mode))
}

/// Whether a file in this folder can get a second name.
fn can_link(names: &Names, name: &Path) -> bool {
    match names.claim(|second| fs::hard_link(name, second)) {
        Ok((second, ())) => fs::remove_file(second).is_ok(),
        Err(_) => false,
    }
}

fn mounted() -> io::Error {
    Reason::error(system::BUSY, "it is a mount of its own, which no file can replace; mount its folder instead")
}

#[cfg(test)]
mod tests;
