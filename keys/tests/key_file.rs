//! Keys in files: what is a key, whose file it may be, and credentials of systemd.

use objseal_keys::key_file::{self, KeyFileError};
use objseal_keys::keyring::KeyringError;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The user that is nobody on every Linux.
const NOBODY: u32 = 65_534;
/// Set for a test that was started again, in a child.
const CHILD: &str = "OBJSEAL_TEST_CHILD";
/// 64 hexadecimal digits, and the bytes that they are (RFC 4648, section 10: BASE16("foobar") = "666F6F626172").
const DIGITS: &str = "666F6F626172666F6F626172666F6F626172666F6F626172666F6F626172666F";
const BYTES: &[u8; 32] = b"foobarfoobarfoobarfoobarfoobarfo";

fn write(folder: &TempDir, name: &str, content: impl AsRef<[u8]>, mode: u32) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(mode)).expect("set");
    path
}

fn read(content: impl AsRef<[u8]>) -> Result<[u8; 32], KeyFileError> {
    let folder = tempfile::tempdir().expect("a folder");
    key_file::read(&write(&folder, "key", content, 0o600)).map(|key| *key.expose_secret())
}

/// Starts the test `name` again in a child with these variables, as another user if one is given.
fn again(name: &str, user: Option<u32>, variables: &[(&str, &OsStr)]) {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("set");
    // Where everybody can run it.
    let program = folder.path().join("tests");
    fs::copy(env::current_exe().expect("it has a path"), &program).expect("copied");
    let mut command = match user {
        None => Command::new(&program),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={user}"), format!("--regid={user}"), "--clear-groups".into()]);
            command.arg(&program);
            command
        }
    };
    command.args(["--exact", name]).env(CHILD, name).envs(variables.iter().copied()).stdin(Stdio::null());
    let output = command.output().expect("setpriv is there: apt-get install util-linux");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

fn is_child() -> bool {
    env::var_os(CHILD).is_some()
}

#[test]
fn a_key_is_64_digits_or_32_bytes() {
    let ends = ["", "\n", "\r\n", "\r"].map(|end| format!("{DIGITS}{end}"));
    for content in ends.into_iter().chain([DIGITS.to_lowercase()]) {
        assert_eq!(&read(&content).expect("a key"), BYTES, "{content:?}");
    }
    assert_eq!(&read(BYTES).expect("a key"), BYTES);
    // Digits are digits only where there are 64 of them.
    assert_eq!(&read(&DIGITS[..32]).expect("a key"), &DIGITS.as_bytes()[..32]);
}

#[test]
fn every_byte_is_a_digit_or_not_as_the_standard_library_has_it() {
    for byte in 0..=u8::MAX {
        for place in [0, 1, 31, 62, 63] {
            let mut content = DIGITS.as_bytes().to_vec();
            content[place] = byte;
            let parsed = char::from(byte).to_digit(16).filter(|_| byte.is_ascii());
            let expected = parsed.and_then(|digit| u8::try_from(digit).ok()).map(|digit| {
                let mut bytes = *BYTES;
                let half = &mut bytes[place / 2];
                *half = if place % 2 == 0 { *half & 0x0f | digit << 4 } else { *half & 0xf0 | digit };
                bytes
            });
            assert_eq!(read(&content).ok(), expected, "{byte:#04x} at {place}");
        }
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let contents = [
        String::new(),
        "\n".into(),
        DIGITS[..63].into(),
        format!("{DIGITS}0"),
        format!("{DIGITS}\n\n"),
        format!("{DIGITS} \n"),
        format!("{DIGITS}\r\n0"),
        format!(" {}\n", &DIGITS[1..]),
        format!("0x{}", &DIGITS[2..]),
        DIGITS[..33].into(),
        DIGITS.repeat(1000),
    ];
    for content in contents {
        let refused = read(&content);
        assert!(matches!(refused, Err(KeyFileError::NotAKey)), "{content:?}: {refused:?}");
    }
}

#[test]
fn a_file_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    for mode in 0..=0o777 {
        let path = write(&folder, "key", DIGITS, mode);
        match key_file::read(&path) {
            Ok(_) => assert_eq!(mode & 0o077, 0, "{mode:03o}"),
            Err(KeyFileError::NotPrivate(KeyringError::Permissions { mode: found })) => {
                assert!(found == mode && mode & 0o077 != 0, "{mode:03o}");
            }
            // Without root's rights the owner may not read it, either.
            Err(KeyFileError::Io(error)) => {
                assert!(error.kind() == io::ErrorKind::PermissionDenied && mode & 0o400 == 0, "{mode:03o}");
            }
            Err(error) => panic!("{mode:03o}: {error}"),
        }
        fs::remove_file(path).expect("removed");
    }
}

#[test]
fn a_file_of_another_user_is_refused_and_one_of_root_is_not() {
    if is_child() {
        let path = |name| PathBuf::from(env::var_os(name).expect("set"));
        let refused = key_file::read(&path("OF_OTHER"));
        assert!(
            matches!(refused, Err(KeyFileError::NotPrivate(KeyringError::Owner { uid: 65_533 }))),
            "not a key, and not its mode: {refused:?}"
        );
        // Nobody but root can read this, so that it is the operating system which says no.
        let unreadable = key_file::read(&path("OF_ROOT"));
        assert!(
            matches!(&unreadable, Err(KeyFileError::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied),
            "{unreadable:?}"
        );
        assert!(key_file::read(&path("OF_USER")).is_ok());
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("set");
    let of = |name, uid, mode| {
        let path = write(&folder, name, DIGITS, mode);
        chown(&path, Some(uid), Some(NOBODY)).expect("this test gives files away: run it as root");
        path
    };
    let refused = key_file::read(&of("nobody", NOBODY, 0o600));
    assert!(matches!(refused, Err(KeyFileError::NotPrivate(KeyringError::Owner { uid: NOBODY }))), "{refused:?}");
    let (other, root, user) = (of("other", 65_533, 0o644), of("root", 0, 0o600), of("user", NOBODY, 0o600));
    let variables = [("OF_OTHER", other.as_os_str()), ("OF_ROOT", root.as_os_str()), ("OF_USER", user.as_os_str())];
    again("a_file_of_another_user_is_refused_and_one_of_root_is_not", Some(NOBODY), &variables);
}

#[test]
fn pipes_and_descriptors_are_read_whatever_their_mode() {
    let folder = tempfile::tempdir().expect("a folder");
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").args(["-m", "666"]).arg(&pipe).status();
    assert!(made.expect("mkfifo is there: apt-get install coreutils").success());
    let key = std::thread::scope(|scope| {
        // Each of the two ends waits for the other.
        scope.spawn(|| fs::write(&pipe, DIGITS).expect("written"));
        key_file::read(&pipe)
    });
    assert_eq!(key.expect("a key").expose_secret(), BYTES);
    assert!(matches!(key_file::read(Path::new("/dev/null")), Err(KeyFileError::NotAKey)));
    let missing = key_file::read(&folder.path().join("missing"));
    assert!(matches!(missing, Err(KeyFileError::Io(error)) if error.kind() == io::ErrorKind::NotFound));
    assert!(matches!(key_file::read(folder.path()), Err(KeyFileError::Io(_))));
}

#[test]
fn a_credential_is_a_file_in_the_folder_that_systemd_names() {
    const NAME: &str = "a_credential_is_a_file_in_the_folder_that_systemd_names";
    if is_child() {
        assert_eq!(key_file::credential("objseal.key").expect("a key").expose_secret(), BYTES);
        // Of root, with the group's bit that an access control list shows: the same through its path.
        let folder = PathBuf::from(env::var_os("CREDENTIALS_DIRECTORY").expect("set"));
        assert!(key_file::read(&folder.join("objseal.key")).is_ok());
        let missing = key_file::credential("missing");
        assert!(matches!(missing, Err(KeyFileError::Io(error)) if error.kind() == io::ErrorKind::NotFound));
        for (name, mode) in [("everybody", 0o444), ("writable", 0o460), ("executable", 0o450)] {
            let refused = key_file::credential(name);
            let found = match &refused {
                Err(KeyFileError::NotPrivate(KeyringError::Permissions { mode })) => Some(*mode),
                _ => None,
            };
            assert_eq!(found, Some(mode), "{name}: {refused:?}");
        }
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let files = [("objseal.key", 0o440), ("everybody", 0o444), ("writable", 0o460), ("executable", 0o450)];
    for (name, mode) in files {
        let path = write(&folder, name, DIGITS, mode);
        chown(path, Some(0), Some(0)).expect("systemd's files are root's: run it as root");
    }
    // A file with the same mode that is no credential.
    let refused = key_file::read(&folder.path().join("objseal.key"));
    assert!(matches!(refused, Err(KeyFileError::NotPrivate(KeyringError::Permissions { mode: 0o440 }))), "{refused:?}");
    again(NAME, None, &[("CREDENTIALS_DIRECTORY", folder.path().as_os_str())]);
}

/// As systemd's `write_credential` does it: mode 400, then a right for the user in the access control list.
#[test]
fn a_credential_with_an_access_control_list_is_read_by_its_user_only_as_far_as_the_list_says() {
    const NAME: &str = "a_credential_with_an_access_control_list_is_read_by_its_user_only_as_far_as_the_list_says";
    if is_child() {
        assert_eq!(key_file::credential("key").expect("a key").expose_secret(), BYTES);
        assert!(
            matches!(
                key_file::credential("own"),
                Err(KeyFileError::NotPrivate(KeyringError::Permissions { mode: 0o440 }))
            ),
            "a file of the user's own is held to the rule of all files"
        );
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("set");
    let path = write(&folder, "key", DIGITS, 0o400);
    chown(write(&folder, "own", DIGITS, 0o440), Some(NOBODY), Some(NOBODY)).expect("run it as root");
    // The list as the kernel keeps it (linux/posix_acl_xattr.h): version 2, and tag, rights and id of each entry:
    // owner, user, group, mask, others.
    let list = "import os, struct, sys
entries = [(1, 4, -1), (2, 4, int(sys.argv[2])), (4, 0, -1), (16, 4, -1), (32, 0, -1)]
packed = b''.join(struct.pack('<HHi', *entry) for entry in entries)
os.setxattr(sys.argv[1], 'system.posix_acl_access', struct.pack('<I', 2) + packed)";
    let set = Command::new("python3").args(["-c", list]).arg(&path).arg(NOBODY.to_string()).status();
    assert!(set.expect("python3 is there: apt-get install python3").success());
    assert_eq!(
        fs::metadata(&path).expect("there").permissions().mode() & 0o777,
        0o440,
        "the mask in the group's place"
    );
    again(NAME, Some(NOBODY), &[("CREDENTIALS_DIRECTORY", folder.path().as_os_str())]);
}

#[test]
fn without_a_folder_there_are_no_credentials() {
    const NAME: &str = "without_a_folder_there_are_no_credentials";
    if is_child() {
        assert!(matches!(key_file::credential("key"), Err(KeyFileError::NoCredentials)));
        return;
    }
    again(NAME, None, &[("CREDENTIALS_DIRECTORY", OsStr::new(""))]);
    again(NAME, None, &[("CREDENTIALS_DIRECTORY", OsStr::new("relative/path"))]);
}

#[test]
fn no_name_of_a_credential_leads_out_of_the_folder() {
    let long = "n".repeat(256);
    for name in ["", ".", "..", "/etc/key", "a/b", "../key", "a:b", "a\0b", "a\nb", "schlüssel", "a\u{7f}", &long] {
        let refused = key_file::credential(name);
        assert!(matches!(refused, Err(KeyFileError::BadName)), "{name:?}: {refused:?}");
    }
}
