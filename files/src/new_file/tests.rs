//! On file systems of every kind.

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
            let name = left.begin("target", Existing::Replace).remains().name.expect("a name").path;
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
fn a_name_that_others_have_taken_since_is_theirs() {
    everywhere(|folder| {
        for existing in [Existing::Refuse, Existing::Replace] {
            let mut names = Vec::new();
            let one = folder.begin("target", existing);
            let remains = one.remains();
            names.extend(remains.name.as_ref().map(|name| name.path.clone()));
            names.extend(remains.reserved.as_ref().map(|name| name.path.clone()));
            one.commit().expect("committed");
            for name in &names {
                fs::write(folder.path("other"), "theirs").expect("written");
                fs::rename(folder.path("other"), name).expect("renamed");
            }
            remains.remove();
            assert!(names.iter().all(|name| name.exists()), "{existing:?} with {:?}", folder.1);
            for name in folder.names() {
                fs::remove_file(folder.path(&name)).expect("removed");
            }
        }
    });
}

#[test]
fn once_it_is_there_nobody_has_locked_it() {
    for existing in [Existing::Refuse, Existing::Replace] {
        everywhere(|folder| {
            let new = folder.begin("target", existing);
            // As a forked process has it.
            let forked = new.file().try_clone().expect("another descriptor");
            new.commit().expect("committed");
            File::open(folder.path("target")).expect("there").try_lock().expect("not locked");
            drop(forked);
        });
    }
}

#[test]
fn permissions_that_are_kept_are_not_those_of_what_is_there() {
    everywhere(|folder| {
        fs::write(folder.path("target"), "theirs").expect("written");
        fs::set_permissions(folder.path("target"), fs::Permissions::from_mode(0o666)).expect("set");
        let new = folder.begin("target", Existing::Replace).with_its_permissions_kept();
        new.commit().expect("committed");
        folder.is("target", "new");
        assert_eq!(folder.mode("target"), 0o600);
    });
}

#[test]
fn what_looks_like_left_and_is_none_stays() {
    let folder = Folder(tempfile::tempdir().expect("a folder"), ALL[1]);
    let name = folder.begin("target", Existing::Replace).remains().name.expect("a name").path;
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
            ("target/.", ErrorKind::NotFound),
            ("", ErrorKind::NotFound),
            ("..", ErrorKind::IsADirectory),
        ] {
            let error = folder.create(name, Existing::Replace).expect_err("refused");
            assert!([kind, ErrorKind::IsADirectory].contains(&error.kind()), "{name}: {error}");
        }
        assert!(folder.names().is_empty());
    });
}
