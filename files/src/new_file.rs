//! The file that takes its name when it is whole.

use crate::names::{self, Names};
use crate::path::{in_its_folder, resolved, sync_folder_of};
use crate::reason::Reason;
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
    names: Names,
    remains: Remains,
    process: u32,
}

/// The names that an unfinished file has, for those who must remove them when its process ends in another way than by
/// dropping it.
#[derive(Clone, Debug, Default)]
pub struct Remains {
    /// Its name beside the target.
    name: Option<PathBuf>,
    /// The target, where a file without content keeps its place, and what tells that file from others.
    reserved: Option<(PathBuf, (u64, u64))>,
}

impl Remains {
    /// Removes the names.
    pub fn remove(&self) {
        if let Some(name) = &self.name {
            let _ = fs::remove_file(name);
        }
        if let Some((target, _)) = &self.reserved
            && self.is_reserved()
        {
            let _ = fs::remove_file(target);
        }
    }

    /// Whether what keeps the place is still there.
    fn is_reserved(&self) -> bool {
        self.reserved.as_ref().is_some_and(|(target, identity)| {
            let found = fs::symlink_metadata(target);
            found.is_ok_and(|found| found.is_file() && found.len() == 0 && system::identity(&found) == *identity)
        })
    }
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
    /// own; else what the operating system says.
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
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let names = Names::beside(&target);
        names.clean();
        let mut remains = Remains::default();
        let (file, mode) = match abilities.unnamed.then(|| unnamed(&names, mode)).flatten() {
            Some(made) => made,
            None => named(&names, mode, &mut remains)?,
        };
        let new = Self { file, target, existing, mode, names, remains, process: std::process::id() };
        new.with_its_place_kept(abilities)
    }

    /// Where no file can get a second name, an empty file keeps the place of one that must not replace another.
    fn with_its_place_kept(mut self, abilities: Abilities) -> io::Result<Self> {
        if let (Existing::Refuse, Some(name)) = (self.existing, &self.remains.name)
            && !(abilities.links && can_link(&self.names, name))
        {
            let empty = system::writable(0o600).create_new(true).open(&self.target)?;
            self.remains.reserved = Some((self.target.clone(), system::identity(&empty.metadata()?)));
        }
        Ok(self)
    }

    /// The file, to be written to.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
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
        system::settle(&self.file, replaced.as_ref(), self.mode);
        self.file.sync_all()?;
        let kept = ready();
        match self.existing {
            Existing::Refuse => self.take_free_name()?,
            Existing::Replace => self.take_any_name(replaced.is_none())?,
        }
        self.remains = Remains::default();
        drop(kept);
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
                fs::rename(name, &self.target)
            }
            Some(name) => {
                fs::hard_link(name, &self.target)?;
                let _ = fs::remove_file(name);
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
            self.remains.name = Some(name);
        }
        let name = self.remains.name.as_deref().unwrap_or(&self.target);
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
    remains.name = Some(name);
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
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use tempfile::TempDir;

    /// File systems of every kind.
    const ALL: [Abilities; 3] = [
        Abilities { unnamed: true, links: true },
        Abilities { unnamed: false, links: true },
        Abilities { unnamed: false, links: false },
    ];

    struct Folder(TempDir, Abilities);

    impl Folder {
        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn create(&self, name: &str, existing: Existing) -> io::Result<NewFile> {
            NewFile::create_with(&self.path(name), existing, 0o666, self.1)
        }

        /// A file with something in it, not committed.
        fn begin(&self, name: &str, existing: Existing) -> NewFile {
            let new = self.create(name, existing).expect("begun");
            new.file().write_all(b"new").expect("written");
            new
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(self.0.path()).expect("a folder");
            let mut names: Vec<_> =
                entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect();
            names.sort();
            names
        }

        fn is(&self, name: &str, content: &str) {
            assert_eq!(fs::read_to_string(self.path(name)).expect("there"), content, "{name} with {:?}", self.1);
        }

        fn mode(&self, name: &str) -> u32 {
            fs::metadata(self.path(name)).expect("there").permissions().mode() & 0o777
        }
    }

    fn everywhere(test: impl Fn(&Folder)) {
        for abilities in ALL {
            test(&Folder(tempfile::tempdir().expect("a folder"), abilities));
        }
    }

    #[test]
    fn it_is_there_when_it_is_committed_and_not_before() {
        for existing in [Existing::Refuse, Existing::Replace] {
            everywhere(|folder| {
                let new = folder.begin("target", existing);
                let keeps_place = existing == Existing::Refuse && !folder.1.links;
                assert_eq!(folder.path("target").exists(), keeps_place);
                assert_eq!(folder.names().is_empty(), folder.1.unnamed, "no name, where that is possible");
                new.commit().expect("committed");
                folder.is("target", "new");
                assert_eq!(folder.names(), ["target"]);
                let fresh = folder.path("fresh");
                File::create(&fresh).expect("made");
                assert_eq!(folder.mode("target"), folder.mode("fresh"), "within the umask");
            });
        }
    }

    #[test]
    fn until_then_it_is_private_and_dropped_it_was_never_there() {
        for existing in [Existing::Refuse, Existing::Replace] {
            everywhere(|folder| {
                let new = folder.begin("target", existing);
                assert_eq!(new.file().metadata().expect("open").permissions().mode() & 0o777, 0o600);
                for name in folder.names() {
                    assert_eq!(folder.mode(&name), 0o600, "{name}");
                }
                drop(new);
                assert!(folder.names().is_empty(), "{:?}", folder.names());
                // As a handler of signals does it.
                let new = folder.begin("target", existing);
                new.remains().remove();
                assert!(folder.names().is_empty(), "{:?}", folder.names());
            });
        }
    }

    #[test]
    fn what_is_there_stays_if_it_is_to() {
        everywhere(|folder| {
            fs::write(folder.path("target"), "old").expect("written");
            symlink("nowhere", folder.path("link")).expect("linked");
            for name in ["target", "link"] {
                let error = folder.create(name, Existing::Refuse).expect_err("refused");
                assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{name}");
            }
            folder.is("target", "old");
            assert_eq!(folder.names(), ["link", "target"]);
        });
    }

    #[test]
    fn what_came_meanwhile_stays_as_well() {
        everywhere(|folder| {
            let new = folder.begin("target", Existing::Refuse);
            let _ = fs::remove_file(folder.path("target"));
            fs::write(folder.path("target"), "faster").expect("written");
            let error = new.commit().expect_err("refused");
            assert_eq!(error.kind(), ErrorKind::AlreadyExists);
            folder.is("target", "faster");
            assert_eq!(folder.names(), ["target"], "with {:?}", folder.1);
        });
    }

    #[test]
    fn what_is_replaced_gives_its_permissions_and_links_stay() {
        everywhere(|folder| {
            fs::create_dir(folder.path("else")).expect("made");
            fs::write(folder.path("else/target"), "old").expect("written");
            fs::set_permissions(folder.path("else/target"), fs::Permissions::from_mode(0o640)).expect("set");
            symlink("else/target", folder.path("link")).expect("linked");
            symlink("link", folder.path("linked")).expect("linked");
            folder.begin("linked", Existing::Replace).commit().expect("committed");
            folder.is("else/target", "new");
            assert_eq!(folder.mode("else/target"), 0o640);
            assert!(folder.path("link").is_symlink() && folder.path("linked").is_symlink());
            // A link to nothing leads to where the file is to be.
            symlink("else/later", folder.path("dangling")).expect("linked");
            folder.begin("dangling", Existing::Replace).commit().expect("committed");
            folder.is("else/later", "new");
            assert!(folder.path("dangling").is_symlink());
            assert_eq!(folder.names(), ["dangling", "else", "link", "linked"]);
        });
    }

    #[test]
    fn what_comes_before_the_name_is_kept_until_it_is_there() {
        struct Kept<'f>(&'f Folder);
        impl Drop for Kept<'_> {
            fn drop(&mut self) {
                self.0.is("target", "new");
                fs::write(self.0.path("let go"), "").expect("written");
            }
        }
        everywhere(|folder| {
            let before = || fs::read(folder.path("target")).unwrap_or_default();
            for existing in [Existing::Refuse, Existing::Replace] {
                let new = folder.begin("target", existing);
                new.commit_after(|| {
                    assert_ne!(before(), b"new");
                    Kept(folder)
                })
                .expect("committed");
                fs::remove_file(folder.path("let go")).expect("let go of");
                fs::write(folder.path("target"), "old").expect("written");
            }
        });
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_others_write_is_not() {
        everywhere(|folder| {
            if folder.1.unnamed {
                // It leaves nothing of its own, but finds what another has left.
                let left = Folder(tempfile::tempdir_in(folder.0.path()).expect("a folder"), ALL[1]);
                let name = left.begin("target", Existing::Replace).remains().name.expect("a name");
                fs::write(folder.0.path().join(name.file_name().expect("a name")), "left").expect("written");
                fs::remove_dir_all(left.0.path()).expect("removed");
                let new = folder.begin("target", Existing::Replace);
                assert!(folder.names().is_empty(), "{:?}", folder.names());
                return new.commit().expect("committed");
            }
            let [one, two] = [(); 2].map(|()| folder.begin("target", Existing::Replace));
            assert_eq!(folder.names().len(), 2, "each has a name of its own");
            // As if it had been killed: the lock ends with the file, and the name stays.
            let mut killed = one;
            killed.remains = Remains::default();
            drop(killed);
            assert_eq!(folder.names().len(), 2);
            let three = folder.begin("target", Existing::Replace);
            assert_eq!(folder.names().len(), 2);
            two.commit().expect("committed");
            three.commit().expect("committed");
            assert_eq!(folder.names(), ["target"]);
        });
    }

    #[test]
    fn what_looks_like_left_and_is_none_stays() {
        let folder = Folder(tempfile::tempdir().expect("a folder"), ALL[1]);
        let name = folder.begin("target", Existing::Replace).remains().name.expect("a name");
        fs::write(folder.path("other"), "of others").expect("written");
        symlink("other", &name).expect("linked");
        folder.begin("target", Existing::Replace).commit().expect("committed");
        folder.is("other", "of others");
        assert!(name.is_symlink());
        fs::remove_file(&name).expect("removed");
        fs::create_dir(&name).expect("made");
        folder.begin("target", Existing::Replace).commit().expect("committed");
        folder.is("target", "new");
    }

    #[test]
    fn names_of_any_length_and_alphabet() {
        everywhere(|folder| {
            for name in ["\u{e4}".repeat(120), "x".repeat(255)] {
                folder.begin(&name, Existing::Refuse).commit().expect("committed");
                folder.begin(&name, Existing::Replace).commit().expect("committed");
                folder.is(&name, "new");
            }
        });
    }

    #[test]
    fn what_is_no_place_for_a_file_is_refused_before_the_work() {
        everywhere(|folder| {
            for (name, kind) in [
                ("none/target", ErrorKind::NotFound),
                ("target/", ErrorKind::NotFound),
                ("", ErrorKind::NotFound),
                ("..", ErrorKind::IsADirectory),
            ] {
                let error = folder.create(name, Existing::Replace).expect_err("refused");
                assert!([kind, ErrorKind::IsADirectory].contains(&error.kind()), "{name}: {error}");
            }
            assert!(folder.names().is_empty());
        });
    }
}
