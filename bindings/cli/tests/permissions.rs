//! Who can read what the command writes, and which secrets it takes: from the outside.

mod shared;

use rustix::process::geteuid;
use shared::{Ended, Folder, LEN, piped, plaintext, wait_for_part};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::process::Command;

/// Somebody without rights.
const NOBODY: u32 = 65_534;

/// The command under a umask.
fn under(folder: &Folder, umask: &str, args: &[&str]) -> Command {
    folder.command_behind("sh", &["-c", "umask $0; exec \"$@\"", umask], args)
}

fn run_under(folder: &Folder, umask: &str, args: &[&str]) {
    Ended(under(folder, umask, args).output().expect("it runs")).ok();
}

/// Both kinds of sealed files: how to seal, how to open.
fn kinds() -> [(Folder, &'static [&'static str], &'static [&'static str]); 2] {
    [
        (Folder::with_keyring(), &["seal", "-c", "name=plain"], &["open", "-c", "name=plain"]),
        (Folder::with_key(), &["seal", "-k", "key", "-c", "name"], &["open", "-k", "key", "-c", "name"]),
    ]
}

#[test]
fn an_output_has_the_mode_of_its_input_within_the_umask() {
    for (folder, seal, open) in kinds() {
        for (input, umask, output) in [
            (0o640, "022", 0o640),
            (0o666, "027", 0o640),
            (0o755, "022", 0o755),
            (0o644, "077", 0o600),
            (0o600, "0", 0o600),
        ] {
            folder.set_mode("plain", input);
            run_under(&folder, umask, &[seal, &["plain", "-o", "sealed"]].concat());
            assert_eq!(folder.mode("sealed"), output, "sealed: {input:o}, umask {umask}");
            folder.set_mode("sealed", input);
            run_under(&folder, umask, &[open, &["sealed", "-o", "opened"]].concat());
            run_under(&folder, umask, &[open, &["sealed", "-o", "piece", "--range", "0-9"]].concat());
            assert_eq!(
                (folder.mode("opened"), folder.mode("piece")),
                (output, output),
                "opened: {input:o}, umask {umask}"
            );
            for name in ["sealed", "opened", "piece"] {
                fs::remove_file(folder.path(name)).expect("removed");
            }
        }
    }
}

#[test]
fn an_output_keeps_the_mode_of_what_it_replaces() {
    for (folder, seal, open) in kinds() {
        folder.run(&[seal, &["plain", "-o", "sealed"]].concat()).ok();
        for (before, after) in [(0o604, 0o604), (0o666, 0o666), (0o4755, 0o755)] {
            for args in [[seal, &["plain"]].concat(), [open, &["sealed"]].concat()] {
                fs::write(folder.path("target"), "before").expect("written");
                folder.set_mode("target", before);
                run_under(&folder, "077", &[&args[..], &["-o", "target", "--force"]].concat());
                assert_eq!(folder.mode("target"), after, "{args:?}");
                assert_ne!(folder.read("target"), b"before");
            }
        }
        // A link stays, and what it leads to is replaced.
        fs::create_dir(folder.path("there")).expect("made");
        fs::write(folder.path("there/private"), "before").expect("written");
        folder.set_mode("there/private", 0o640);
        folder.set_mode("sealed", 0o644);
        symlink("there/private", folder.path("link")).expect("a link");
        folder.run(&[open, &["sealed", "-o", "link"]].concat()).failed(1, "link exists; --force replaces it");
        run_under(&folder, "0", &[open, &["sealed", "-o", "link", "--force"]].concat());
        assert!(folder.path("link").is_symlink() && folder.read("there/private") == plaintext(LEN));
        assert_eq!(folder.mode("there/private"), 0o640);
        // One that leads nowhere says where the file is to be.
        symlink("there/later", folder.path("loose")).expect("a link");
        run_under(&folder, "022", &[open, &["sealed", "-o", "loose", "--force"]].concat());
        assert!(folder.path("loose").is_symlink() && folder.read("there/later") == plaintext(LEN));
        assert_eq!(folder.mode("there/later"), 0o644);
    }
}

#[test]
fn what_is_not_whole_yet_is_private() {
    for (folder, seal, open) in kinds() {
        for args in [seal, open] {
            let mut child = piped(&mut under(&folder, "0", &[args, &["-", "-o", "target"]].concat()));
            let part = wait_for_part(&folder, &mut child);
            assert_eq!(fs::metadata(part).expect("open").mode() & 0o777, 0o600);
            let message = if args == seal { vec![] } else { folder.run_with_input(&[seal, &["-"]].concat(), b"").ok() };
            child.stdin.take().expect("a pipe").write_all(&message).expect("taken");
            child.wait().expect("it ends");
            // A pipe has no mode to go by.
            assert_eq!(folder.mode("target"), 0o600);
            fs::remove_file(folder.path("target")).expect("removed");
        }

        // The mode comes when everything is written, and is on disk before the name is there.
        folder.set_mode("plain", 0o644);
        let strace = ["-f", "-qqq", "-o", "trace", "-e", "trace=write,fsync,fchmod,linkat"];
        let ended = folder.command_behind("strace", &strace, &[seal, &["plain", "-o", "target"]].concat()).output();
        Ended(ended.expect("strace runs")).ok();
        let trace = String::from_utf8_lossy(&folder.read("trace")).into_owned();
        let at = |call: &str| trace.find(call).unwrap_or_else(|| panic!("no {call}: {trace}"));
        let last = |call: &str| trace.rfind(call).unwrap_or_else(|| panic!("no {call}: {trace}"));
        assert!(last("write(") < at("fchmod(") && at("fchmod(") < at("fsync("), "{trace}");
        assert!(at("fsync(") < at("/target\""), "{trace}");
    }
}

#[test]
fn an_output_keeps_the_owner_of_what_it_replaces() {
    if !geteuid().is_root() {
        return;
    }
    for (folder, seal, open) in kinds() {
        folder.run(&[seal, &["plain", "-o", "sealed"]].concat()).ok();
        let target = folder.path("target");
        let owner = || fs::metadata(&target).map(|target| (target.uid(), target.gid())).expect("there");
        for args in [[seal, &["plain"]].concat(), [open, &["sealed"]].concat()] {
            fs::write(&target, "before").expect("written");
            chown(&target, Some(NOBODY), Some(NOBODY)).expect("root may");
            folder.set_mode("target", 0o640);
            folder.run(&[&args[..], &["-o", "target", "--force"]].concat()).ok();
            assert_eq!((owner(), folder.mode("target")), ((NOBODY, NOBODY), 0o640));
        }
    }

    // Who may replace a file and not give it away owns what is there then; another group is not let in.
    let folder = Folder::with_key();
    folder.set_mode("", 0o777);
    chown(folder.path("key"), Some(NOBODY), None).expect("root may");
    fs::write(folder.path("target"), "before").expect("written");
    folder.set_mode("target", 0o664);
    let mut command = by_nobody(&folder, &["seal", "plain", "-k", "key", "-o", "target", "--force"]);
    Ended(command.output().expect("setpriv runs")).ok();
    let target = fs::metadata(folder.path("target")).expect("there");
    assert_eq!((target.uid(), target.gid(), folder.mode("target")), (NOBODY, NOBODY, 0o604));
}

/// `objseal cobblestone`, run by somebody without rights.
fn by_nobody(folder: &Folder, args: &[&str]) -> Command {
    // By another process: children that other tests start could hold a copy made here open, and it would not run.
    let copy = Command::new("cp").arg(env!("CARGO_BIN_EXE_objseal")).arg(folder.path("objseal")).status();
    assert!(copy.expect("cp runs").success());
    let mut command = Command::new("setpriv");
    command.args([&format!("--reuid={NOBODY}"), &format!("--regid={NOBODY}"), "--clear-groups"]);
    command.args(["./objseal", "cobblestone"]).args(args).current_dir(folder.root());
    command
}

#[test]
fn what_others_have_put_where_all_may_write_gets_nothing() {
    if !geteuid().is_root() {
        // Nobody else puts things of others there.
        return;
    }
    let folder = Folder::with_key();
    folder.run(&["seal", "plain", "-k", "key", "-o", "sealed"]).ok();
    fs::create_dir(folder.path("all")).expect("made");
    fs::set_permissions(folder.path("all"), fs::Permissions::from_mode(0o1777)).expect("set");
    fs::write(folder.path("own"), "before").expect("written");
    symlink("../own", folder.path("all/link")).expect("linked");
    fs::write(folder.path("all/file"), "before").expect("written");
    let pipe = Command::new("mkfifo").arg(folder.path("all/pipe")).status();
    assert!(pipe.expect("mkfifo runs").success());
    for name in ["link", "file", "pipe"] {
        lchown(folder.path("all").join(name), Some(NOBODY), Some(NOBODY)).expect("root may");
    }
    let words = "it belongs to another user, in a folder where everybody may write; choose another place";
    for name in ["all/link", "all/file", "all/pipe"] {
        let open = ["open", "sealed", "-k", "key", "-o", name, "--force"];
        folder.run(&open).failed(1, &format!("{name}: cannot write: {words}"));
    }
    folder.run(&["open", "sealed", "-k", "key", "-o", "all/pipe"]).failed(1, words);
    for name in ["own", "all/file"] {
        assert_eq!(folder.read(name), b"before", "{name}");
    }

    // A file of root is one that nobody else can replace there. That is told before the work.
    folder.set_mode("", 0o755);
    chown(folder.path("key"), Some(NOBODY), None).expect("root may");
    fs::write(folder.path("all/of root"), "before").expect("written");
    let mut child = piped(&mut by_nobody(&folder, &["seal", "-", "-k", "key", "-o", "all/of root", "--force"]));
    let stdin = child.stdin.take();
    Ended(child.wait_with_output().expect("it ends")).failed(1, "all/of root: cannot write: Operation not permitted");
    drop(stdin);
    assert_eq!(folder.read("all/of root"), b"before");
}

#[test]
fn what_a_killed_run_left_is_removed_though_nobody_may_write_it() {
    if !geteuid().is_root() {
        // Who is nobody cannot become nobody; root may write whatever it likes.
        return;
    }
    let folder = Folder::with_key();
    folder.set_mode("", 0o777);
    chown(folder.path("key"), Some(NOBODY), None).expect("root may");
    fs::write(folder.path("target"), "before").expect("written");
    chown(folder.path("target"), Some(NOBODY), Some(NOBODY)).expect("root may");
    folder.set_mode("target", 0o444);
    let seal = ["seal", "plain", "-k", "key", "-o", "target", "--force"];
    let mut command = by_nobody(&folder, &seal);
    let mut killed = Command::new("strace");
    killed.args(["-f", "-qqq", "-o", "/dev/null", "-e", "trace=rename", "-e", "inject=rename:signal=KILL"]);
    killed.arg(command.get_program()).args(command.get_args()).current_dir(folder.root());
    assert_eq!(killed.status().expect("strace runs").code(), None);
    let left = || folder.others().into_iter().filter(|name| name.starts_with(".objseal-")).collect::<Vec<_>>();
    let [name] = &left()[..] else { panic!("{:?}", left()) };
    assert_eq!(folder.mode(name), 0o444);
    Ended(command.output().expect("setpriv runs")).ok();
    assert_eq!(left(), Vec::<String>::new());
}

/// A way to use a file with a secret, and what is said before its name.
type Use<'f> = (&'static str, Box<dyn Fn(&str) -> Ended + 'f>);

/// All ways.
fn uses<'f>(bare: &'f Folder, sealed: &'f Folder) -> [Use<'f>; 5] {
    let with_passphrase = |file: &str| {
        let mut command = sealed.command(&["verify", "plain.sealed"]);
        Ended(command.env("OBJSEAL_PASSPHRASE_FILE", file).output().expect("it runs"))
    };
    [
        ("key file", Box::new(|file| bare.run(&["seal", "-k", file, "plain", "-o", "/dev/null"]))),
        ("key file", Box::new(|file| bare.run(&["open", "-k", file, "plain.cobblestone", "-o", "-", "--range", "0-"]))),
        ("passphrase file", Box::new(with_passphrase)),
        ("passphrase file", Box::new(|file| sealed.run(&["verify", "plain.sealed", "--passphrase-file", file]))),
        (
            "passphrase file",
            Box::new(|file| sealed.run(&["key", "passphrase", "--passphrase-file", "words", "--file", file])),
        ),
    ]
}

/// A folder for bare messages with a key, one for sealed files with a keyring under a passphrase, and both secrets in
/// `secret`, too.
fn with_secrets() -> (Folder, Folder) {
    let (bare, sealed) = (Folder::with_key(), Folder::with_keyring());
    bare.run(&["seal", "-k", "key", "plain"]).ok();
    bare.write_secret("secret", bare.read("key"));
    sealed.run(&["seal", "plain"]).ok();
    sealed.write_secret("words", "correct horse\n");
    sealed.run(&["key", "passphrase", "--file", "words"]).ok();
    sealed.write_secret("secret", "correct horse\n");
    (bare, sealed)
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let (bare, sealed) = with_secrets();
    for (what, run) in uses(&bare, &sealed) {
        for mode in [0o644, 0o640, 0o604, 0o666, 0o610] {
            bare.set_mode("secret", mode);
            sealed.set_mode("secret", mode);
            let words =
                format!("{what} secret: its permissions are {mode:03o}, so other users can read it; make them 600");
            run("secret").failed(1, &words);
        }
        for mode in [0o600, 0o400, 0o700] {
            bare.set_mode("secret", mode);
            sealed.set_mode("secret", mode);
            run("secret").ok();
        }
    }
}

#[test]
fn secrets_that_belong_to_somebody_else_are_refused() {
    if !geteuid().is_root() {
        return;
    }
    let (bare, sealed) = with_secrets();
    for folder in [&bare, &sealed] {
        chown(folder.path("secret"), Some(NOBODY), None).expect("root may");
    }
    let theirs = format!("it belongs to user {NOBODY}: neither you nor root");
    for (what, run) in uses(&bare, &sealed) {
        run("secret").failed(1, &format!("{what} secret: {theirs}"));
    }
    let folder = Folder::with_keyring();
    chown(folder.path("keyring"), Some(NOBODY), None).expect("root may");
    for args in [&["seal", "plain"][..], &["key", "list"]] {
        folder.run(args).failed(1, &theirs);
    }
}

#[test]
fn secrets_can_come_through_pipes_and_devices() {
    let (bare, sealed) = with_secrets();
    let piped = |folder: &Folder, args: &[&str]| {
        let script = ["-c", "cat secret | \"$@\"", "sh"];
        Ended(folder.command_behind("sh", &script, args).output().expect("it runs")).ok()
    };
    for standard in ["/dev/stdin", "/dev/fd/0"] {
        assert!(piped(&bare, &["open", "-k", standard, "plain.cobblestone", "-o", "-"]) == plaintext(LEN));
        piped(&sealed, &["verify", "plain.sealed", "--passphrase-file", standard]);
    }
    // What everybody could read and write, were it a file.
    for (folder, args) in [
        (&bare, &["open", "-k", "pipe", "plain.cobblestone", "-o", "x"][..]),
        (&sealed, &["key", "rotate", "default", "--passphrase-file", "pipe"]),
    ] {
        let script = ["-c", "mkfifo -m 666 pipe; cat secret >pipe & exec \"$@\"", "sh"];
        let ended = folder.command_behind("sh", &script, args).output();
        assert_eq!(ended.map(|ended| ended.status.code()).expect("it runs"), Some(0), "{args:?}");
        fs::remove_file(folder.path("pipe")).expect("removed");
    }
    bare.run(&["seal", "-k", "/dev/null", "plain"]).failed(1, "key file /dev/null: not a key");
    sealed
        .run(&["verify", "plain.sealed", "--passphrase-file", "/dev/null"])
        .failed(1, "first line: a passphrase is not empty");
}

#[test]
fn a_passphrase_that_was_given_protects() {
    let folder = Folder::without_keyring();
    folder.write_secret("words", "correct horse\n");
    let with_variable =
        |args: &[&str]| Ended(folder.command(args).env("OBJSEAL_PASSPHRASE_FILE", "words").output().expect("it runs"));
    let protected = || String::from_utf8_lossy(&folder.read("keyring")).contains("argon2id");
    let with_option = ["--passphrase-file", "words"];
    let first_seal = || {
        let mut command = folder.by_default(&["seal", "plain", "--force"]);
        let ended = command.env("OBJSEAL_PASSPHRASE_FILE", "words").output().expect("it runs");
        fs::rename(folder.default_keyring(), folder.path("keyring")).expect("made");
        Ended(ended)
    };
    let makers: [&dyn Fn() -> Ended; 3] = [&first_seal, &|| with_variable(&["key", "create", "default"]), &|| {
        folder.run(&[&["key", "create", "default"], &with_option[..]].concat())
    }];
    for make in makers {
        make().said("with the key \"default\", protected by the passphrase");
        assert!(protected());
        assert_eq!(with_variable(&["key", "list"]).ok(), b"default  version 1\n");
        folder.run(&["key", "list"]).failed(4, "has a passphrase, and there is no terminal to ask for it");
        fs::remove_file(folder.path("keyring")).expect("removed");
    }

    // A keyring without a passphrase gets no key that one was given for.
    folder.run(&["key", "create", "default"]).said("made the keyring");
    let before = folder.read("keyring");
    assert!(!protected());
    folder.run(&["seal", "plain", "-o", "sealed"]).ok();
    let words =
        "a passphrase was given, and this keyring is not protected by one; `objseal key passphrase` protects it";
    for args in [
        &["key", "create", "more"][..],
        &["key", "rotate", "default"],
        &["key", "list"],
        &["seal", "plain", "-o", "x"],
        &["verify", "sealed"],
        &["inspect", "sealed"],
        &["rewrap", "sealed"],
    ] {
        with_variable(args).failed(1, words);
        folder.run(&[args, &with_option].concat()).failed(1, words);
    }
    assert!(folder.read("keyring") == before);
    // It does as it says, with the passphrase that was given.
    with_variable(&["key", "passphrase"]).ok();
    assert!(protected());
    with_variable(&["verify", "sealed"]).ok();
}
