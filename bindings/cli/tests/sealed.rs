//! `objseal seal`, `open`, `verify`, `inspect`, `rewrap` and `key` from the outside.

mod shared;

use objseal::cobblestone::sealed_len;
use shared::{Ended, Folder, LEN, peak_memory, piped, plaintext, wait_for_part};
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};

/// What `open` says where no context was asked for.
const UNBOUND: &str = "was opened without --context: nothing says that it is the object you meant";
const CONTEXT: [&str; 2] = ["--context", "name=plain"];

fn with<'a>(args: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [args, more].concat()
}

#[test]
fn files_and_pipes_round_trip() {
    let folder = Folder::with_keyring();
    for len in [0, 1, 16_383, 16_384, 16_385, (1 << 20) + 3] {
        let plain = plaintext(len);
        fs::write(folder.path("plain"), &plain).expect("written");
        folder.run(&with(&["seal", "plain", "--force"], &CONTEXT)).ok();
        folder.run(&with(&["open", "plain.sealed", "-o", "opened", "--force"], &CONTEXT)).ok();
        assert!(folder.read("opened") == plain, "{len} bytes");
        for threads in ["1", "3"] {
            let sealed = folder.run_with_input(&["seal", "-", "-t", threads], &plain).ok();
            let opened = folder.run_with_input(&["open", "-", "-t", threads], &sealed).said(UNBOUND);
            assert!(opened == plain, "{len} bytes through pipes, {threads} threads");
        }
    }
    // Back to the first name.
    fs::remove_file(folder.path("plain")).expect("removed");
    folder.run(&with(&["open", "plain.sealed"], &CONTEXT)).ok();
    assert!(folder.read("plain") == plaintext((1 << 20) + 3));
    folder.run(&["open", "plain"]).failed(1, "say with -o where to");
}

#[test]
fn the_first_use_makes_a_keyring() {
    let folder = Folder::without_keyring();
    let run = |args: &[&str]| Ended(folder.by_default(args).output().expect("it runs"));
    for args in [&["open", "plain"][..], &["verify", "plain"], &["key", "list"], &["key", "rotate", "default"]] {
        run(args).failed(4, "there is no keyring");
    }
    // A name that the user gave is meant to be there.
    run(&["seal", "plain", "--key", "mine"]).failed(4, "there is no keyring");
    assert_eq!(folder.others(), Vec::<String>::new());
    let ended = run(&["seal", "plain"]);
    let said = String::from_utf8_lossy(&ended.0.stderr).into_owned();
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("data/objseal/keyring"), "{said}");
    ended.said("keep a copy of it");
    assert_eq!(folder.mode("data/objseal/keyring"), 0o600);
    assert_eq!((folder.mode("data"), folder.mode("data/objseal")), (0o700, 0o700));
    run(&["seal", "plain", "-o", "again"]).ok();
    assert_eq!(folder.others(), ["again", "data", "plain.sealed"]);
}

#[test]
fn a_place_that_was_named_gets_no_keyring_unasked() {
    let folder = Folder::without_keyring();
    fs::create_dir(folder.path("there")).expect("made");
    symlink("unmounted/keyring", folder.path("link")).expect("a link");
    symlink("there/later", folder.path("loose")).expect("a link");
    let before = folder.others();
    for (place, create, said) in [
        ("there/keyring", true, "there is no keyring there/keyring; `objseal key create default` makes it"),
        ("gone/keyring", false, "there is no keyring gone/keyring, nor the folder gone"),
        ("link", false, "keyring link is a link that leads nowhere: there is no unmounted/keyring"),
        ("loose", false, "keyring loose is a link that leads nowhere: there is no there/later"),
    ] {
        let by_variable =
            |args: &[&str]| Ended(folder.command(args).env("OBJSEAL_KEYRING", place).output().expect("it runs"));
        let by_option = |args: &[&str]| folder.run(&with(args, &["--keyring", place]));
        for run in [&by_variable as &dyn Fn(&[&str]) -> Ended, &by_option] {
            for args in [
                &["seal", "plain"][..],
                &["seal", "plain", "-k", "mine"],
                &["open", "plain"],
                &["key", "list"],
                &["key", "rotate", "default"],
                &["key", "passphrase", "--remove"],
            ] {
                run(args).failed(4, said);
            }
            if !create {
                run(&["key", "create", "default"]).failed(4, said);
            }
            assert_eq!(folder.others(), before);
            assert_eq!(fs::read_dir(folder.path("there")).expect("a folder").count(), 0, "no keyring and no lock");
            assert!(!folder.path("keyring.lock").exists() && !folder.path("gone").exists());
        }
    }
    // A name that is none makes nothing either.
    folder.run(&["key", "create", "a b", "--keyring", "there/keyring"]).failed(1, "a key's name is");
    assert_eq!(fs::read_dir(folder.path("there")).expect("a folder").count(), 0, "no keyring and no lock");
    folder.run(&["key", "create", "default", "--keyring", "there/keyring"]).said("made the keyring");
    folder.run(&["seal", "plain", "--keyring", "there/keyring"]).ok();
    // In the user's own folder it is the same.
    fs::create_dir_all(folder.path("data/objseal")).expect("made");
    symlink("nowhere", folder.default_keyring()).expect("a link");
    let ended = Ended(folder.by_default(&["seal", "plain", "-o", "x"]).output().expect("it runs"));
    ended.failed(4, "is a link that leads nowhere: there is no nowhere");
}

#[test]
fn keys_are_made_listed_and_rotated() {
    let folder = Folder::with_keyring();
    folder.run(&["key", "create", "backup"]).ok();
    folder.run(&["key", "create", "backup"]).failed(1, "there is a key \"backup\" already");
    folder.run(&["key", "create", "a b"]).failed(1, "a key's name is");
    folder.run(&with(&["seal", "plain", "-k", "backup"], &CONTEXT)).ok();
    assert_eq!(
        folder.run(&["key", "rotate", "backup"]).ok(),
        b"key \"backup\" is at version 2; `objseal rewrap` puts older files under it\n"
    );
    folder.run(&["key", "rotate", "none"]).failed(4, "there is no key of this name");
    assert_eq!(folder.run(&["key", "list"]).ok(), b"backup  version 2\ndefault  version 1\n");
    let json: serde_json::Value = serde_json::from_slice(&folder.run(&["key", "list", "--json"]).ok()).expect("JSON");
    assert_eq!(json, serde_json::json!([{"name": "backup", "version": 2}, {"name": "default", "version": 1}]));
    folder.run(&with(&["open", "plain.sealed", "-o", "opened"], &CONTEXT)).ok();
    let rewrap = |more: &[&str]| folder.run(&[&["rewrap", "plain.sealed"], &CONTEXT[..], more].concat()).ok();
    assert_eq!(rewrap(&[]), b"plain.sealed: under key \"backup\", version 2\n");
    assert_eq!(rewrap(&["--key", "default"]), b"plain.sealed: under key \"default\", version 1\n");
    folder.run(&["rewrap", "plain.sealed", "--key", "none"]).failed(4, "the keyring has no key \"none\"");
    folder.run(&["rewrap", "plain"]).failed(3, "not a sealed file");
    folder.run(&["rewrap", "nothing"]).failed(1, "nothing: cannot rewrap: No such file");
    folder.run(&with(&["open", "plain.sealed", "-o", "opened", "-f"], &CONTEXT)).ok();
    assert!(folder.read("opened") == plaintext(LEN));
    folder.run(&["seal", "plain", "-o", "x", "-k", "none"]).failed(4, "the keyring has no key \"none\"");
    assert_eq!(folder.others(), ["opened", "plain.sealed"]);
}

#[test]
fn many_processes_at_once() {
    let folder = Folder::without_keyring();
    let all = |args: &dyn Fn(usize) -> Vec<String>| {
        let children: Vec<_> = (0..8)
            .map(|number| {
                let args = args(number);
                piped(&mut folder.by_default(&args.iter().map(String::as_str).collect::<Vec<_>>()))
            })
            .collect();
        for child in children {
            let ended = child.wait_with_output().expect("it ends");
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        }
    };
    // The first use, eight times: one keyring comes of it.
    all(&|number| ["seal", "plain", "-o", &format!("sealed-{number}")].map(String::from).into());
    let names: Vec<_> = (0..8).map(|number| format!("sealed-{number}")).collect();
    let verify: Vec<_> = ["verify"].into_iter().chain(names.iter().map(String::as_str)).collect();
    let run = |args: &[&str]| Ended(folder.by_default(args).output().expect("it runs")).ok();
    run(&verify);
    all(&|_| ["key", "rotate", "default"].map(String::from).into());
    assert_eq!(run(&["key", "list"]), b"default  version 9\n");
    // Keys that are made together with their keyring, each by a process of its own.
    all(&|number| ["key", "create", &format!("key-{number}"), "--keyring", "other"].map(String::from).into());
    assert_eq!(
        folder.run(&["key", "list", "--keyring", "other"]).ok().iter().filter(|&&byte| byte == b'\n').count(),
        8
    );
    // Rewraps of one file wait for each other.
    all(&|_| ["rewrap", "sealed-0"].map(String::from).into());
    let json: serde_json::Value = serde_json::from_slice(&run(&["inspect", "--json", "sealed-0"])).expect("JSON");
    assert_eq!((&json["generation"], &json["head_copies"]), (&9.into(), &"same".into()));
}

#[test]
fn a_passphrase() {
    let folder = Folder::with_keyring();
    folder.run(&["seal", "plain"]).ok();
    folder.write_secret("words", "correct horse\nbattery\n");
    folder.write_secret("empty", "\n");
    folder.write_secret("bytes", plaintext(1000));
    let passphrase = |file: &str, args: &[&str]| {
        let mut command = folder.command(args);
        Ended(command.env("OBJSEAL_PASSPHRASE_FILE", file).output().expect("it runs"))
    };
    folder.run(&["key", "passphrase", "--file", "empty"]).failed(1, "first line: a passphrase is not empty");
    folder.run(&["key", "passphrase", "--file", "nothing"]).failed(1, "cannot read: No such file");
    folder.run(&["key", "passphrase", "--file", "words"]).ok();
    passphrase("bytes", &["verify", "plain.sealed"]).failed(1, "passphrase file bytes: cannot read: stream did not");
    folder.write_secret("wrong", "wrong");
    passphrase("wrong", &["verify", "plain.sealed"]).failed(4, "wrong passphrase");
    passphrase("words", &["verify", "plain.sealed"]).ok();
    passphrase("words", &["seal", "plain", "-o", "more"]).ok();
    passphrase("words", &["key", "create", "more"]).ok();
    File::create(folder.path("big")).and_then(|file| file.set_len(10 << 20)).expect("made");
    let mut seal = folder.command(&["seal", "big", "-o", "-"]);
    let memory = peak_memory(seal.env("OBJSEAL_PASSPHRASE_FILE", "words"), sealed_len(10 << 20).expect("short") + 8280);
    assert!(memory <= 64 << 20, "{memory} bytes");
    passphrase("words", &["key", "passphrase", "--remove"]).ok();
    folder.run(&["verify", "plain.sealed", "more"]).ok();
}

#[test]
fn the_context_must_be_the_same() {
    let folder = Folder::with_keyring();
    folder.run(&["seal", "plain", "-c", "a=1", "-c", "b=x=y"]).ok();
    let open = |context: &[&str]| folder.run(&with(&["open", "plain.sealed", "-o", "-"], context));
    assert!(open(&["-c", "b=x=y", "--context", "a=1"]).ok() == plaintext(LEN), "in any order");
    assert!(open(&[]).said(UNBOUND) == plaintext(LEN));
    for other in
        [&["-c", "a=1"][..], &["-c", "a=1", "-c", "b=x"], &["-c", "a=1", "-c", "b=x=y", "-c", "c="], &["-c", "A=1"]]
    {
        open(other).failed(3, "is not bound to the context that was asked for");
        folder.run(&with(&["verify", "plain.sealed"], other)).failed(3, "is not bound to the context");
        folder.run(&with(&["rewrap", "plain.sealed"], other)).failed(3, "is not bound to the context");
    }
    for wrong in ["a", "=1", ""] {
        open(&["-c", wrong]).failed(2, "a pair is KEY=VALUE");
    }
    open(&["-c", "a=1", "-c", "a=2"]).failed(1, "a key is given twice");
    let long = format!("a={}", "x".repeat(5000));
    folder.run(&["seal", "plain", "-o", "x", "-c", &long]).failed(1, "the head has no room for it");
    assert_eq!(folder.others(), ["plain.sealed"]);
}

#[test]
fn ranges() {
    let folder = Folder::with_keyring();
    folder.run(&with(&["seal", "plain", "-o", "sealed"], &CONTEXT)).ok();
    let plain = plaintext(LEN);
    let range = |range: &str| folder.run(&with(&["open", "sealed", "--range", range], &CONTEXT));
    assert!(range("0-0").ok() == plain[..1]);
    assert!(range("16383-16384").ok() == plain[16_383..16_385]);
    assert!(range("20000-").ok() == plain[20_000..]);
    assert!(range("-100").ok() == plain[LEN - 100..]);
    range(&format!("{LEN}-")).failed(1, &format!("{LEN} bytes"));
    let sealed = folder.read("sealed");
    folder.run_with_input(&["open", "-", "--range", "0-1"], &sealed).failed(1, "--range needs a file");
    folder.run(&["open", "sealed", "--range", "0-1", "-c", "a=b"]).failed(3, "is not bound to the context");
    folder.run(&["open", "sealed", "--range", "0-1", "-o", "piece"]).said(UNBOUND);
    assert_eq!(folder.read("piece"), [0, 1]);
    assert_eq!(folder.others(), ["piece", "sealed"]);
}

#[test]
fn what_was_changed_is_refused_and_leaves_nothing() {
    let folder = Folder::with_keyring();
    folder.run(&with(&["seal", "plain", "-o", "sealed"], &CONTEXT)).ok();
    let sealed = folder.read("sealed");
    let refused = "sealed does not open: wrong key, wrong context, or the file was changed; nothing was written";
    let open = |extra: &[&str]| {
        let ended = folder.run(&[&["open", "sealed", "-o", "opened"], &CONTEXT[..], extra].concat());
        assert_eq!(folder.others(), ["sealed"], "nothing is left");
        ended
    };
    for at in [8192, 8220, 8248, 30_000, sealed.len() - 89, sealed.len() - 60, sealed.len() - 1] {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        fs::write(folder.path("sealed"), &changed).expect("written");
        open(&[]).failed(3, refused);
        folder.run(&["verify", "sealed"]).failed(3, "it is not to be trusted");
        let ended = folder.run_with_input(&with(&["open", "-"], &CONTEXT), &changed);
        ended.failed(3, "what was written before is the authentic beginning");
        assert!(plaintext(LEN).starts_with(&ended.0.stdout));
    }
    for len in [8192, 8352, 30_000, sealed.len() - 1] {
        fs::write(folder.path("sealed"), &sealed[..len]).expect("written");
        open(&[]).failed(3, refused);
        open(&["--range", "0-5"]).failed(3, refused);
    }
    for other in [&sealed[..8191], b"", b"plain text"] {
        fs::write(folder.path("sealed"), other).expect("written");
        open(&[]).failed(3, "this is not a sealed file");
        folder.run(&["inspect", "sealed"]).failed(3, "this is not a sealed file");
    }
    // A damaged slot is no loss, and is said and mended.
    let mut changed = sealed.clone();
    changed[50] ^= 1;
    fs::write(folder.path("sealed"), &changed).expect("written");
    let open = with(&["open", "sealed", "-o", "opened", "--force"], &CONTEXT);
    folder.run(&open).said("one of the two copies of its head is damaged; `objseal rewrap` mends it");
    folder.run(&["verify", "sealed"]).said("is damaged");
    folder.run(&with(&["rewrap", "sealed"], &CONTEXT)).ok();
    folder.run(&open).ok();
    // A key of the same name in another keyring.
    let other = folder.path("other");
    let other = ["--keyring", other.to_str().expect("text")];
    folder.run(&with(&["key", "create", "default"], &other)).said("made the keyring");
    folder.run(&with(&["seal", "plain", "-o", "theirs"], &other)).ok();
    let other_key = "theirs was sealed under another key of that name, \"default\", version 1; ";
    for args in
        [&["open", "theirs", "-o", "x"][..], &["verify", "theirs"], &["inspect", "theirs"], &["rewrap", "theirs"]]
    {
        folder.run(args).failed(3, other_key);
    }
}

#[test]
fn verifying_many_goes_on_after_a_failure() {
    let folder = Folder::with_keyring();
    folder.run(&["seal", "plain", "-o", "one"]).ok();
    folder.run(&["seal", "plain", "-o", "two"]).ok();
    assert_eq!(folder.run(&["verify", "one", "two"]).ok(), b"one: verified, 48.76 KiB\ntwo: verified, 48.76 KiB\n");
    let mut changed = folder.read("one");
    changed[9000] ^= 1;
    fs::write(folder.path("changed"), changed).expect("written");
    let ended = folder.run(&["verify", "nothing", "changed", "plain", "two"]).0;
    assert_eq!(ended.status.code(), Some(3));
    assert_eq!(ended.stdout, b"two: verified, 48.76 KiB\n");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(
        said.contains("nothing: cannot read")
            && said.contains("changed does not open")
            && said.contains("plain: this is not"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 3, "{said}");
    let sealed = folder.read("two");
    folder.run_with_input(&["verify", "-"], &sealed).ok();
    assert_eq!(folder.others(), ["changed", "one", "two"]);
}

#[test]
fn inspecting_as_json() {
    let folder = Folder::with_keyring();
    folder.run(&["seal", "plain", "-c", "name=a\u{1b}[31m"]).ok();
    let mut json = folder.inspect(&["plain.sealed"]);
    let object_id = json["object_id"].take();
    assert_eq!(object_id.as_str().expect("a string").len(), 64);
    let expected = serde_json::json!({
        "format_version": 1,
        "object_id": null,
        "verified": true,
        "plaintext_length": LEN,
        "generation": 1,
        "head_copies": "same",
        "context": {"name": "a\u{1b}[31m"},
        "bound_keys": [],
        "digests": {},
        "layers": [{
            "suite": "Cobblestone-256",
            "engine": "native",
            "wrapped_keys": [{"service": "keyring", "key_id": "default", "key_version": 1, "kind": "local"}],
        }],
        "parts": [],
    });
    assert_eq!(json, expected);
    // Without the key the same, and nothing proves it.
    fs::create_dir(folder.path("empty")).expect("made");
    let json = folder.inspect(&["plain.sealed", "--keyring", "empty/keyring"]);
    assert_eq!((&json["verified"], &json["plaintext_length"]), (&false.into(), &LEN.into()));
    assert!(json["layers"][0]["engine"].is_null(), "no engine opened it");
    // The engine is the one that did it.
    let mut other = folder.command(&["inspect", "--json", "plain.sealed"]);
    let json = Ended(other.env("OBJSEAL_BACKEND", "aws-lc").output().expect("it runs")).ok();
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert_eq!(json["layers"][0]["engine"], "aws-lc");
    // A terminal obeys nothing of what is shown.
    let text = folder.run(&["inspect", "plain.sealed"]).ok();
    let text = String::from_utf8(text).expect("text");
    assert!(text.contains("name=a\\u{1b}[31m") && !text.contains('\u{1b}'), "{text}");
    // With the key, what is not true is refused.
    let mut changed = folder.read("plain.sealed");
    let len = changed.len();
    changed[len - 50] ^= 1;
    fs::write(folder.path("plain.sealed"), changed).expect("written");
    folder.run(&["inspect", "plain.sealed"]).failed(3, "what it says is not to be trusted");
    folder.run_with_input(&["inspect", "-"], b"").failed(1, "inspect needs a file");
}

#[test]
fn all_digests() {
    let folder = Folder::with_keyring();
    let known = serde_json::json!({
        "sha256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
        "crc64nvme": "ae8b14860a799888",
        "crc32c": "e3069283",
        "crc32": "cbf43926",
        "sha1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
        "md5": "25f9e794323b453885f5181f1b624d0b",
        "sha512": "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274ad27fcd5811b313d681f7e55ec02d73d4\
                   99c95455b6b5bb503acf574fba8ffe85",
        "xxhash64": "8cb841db40e6ae83",
        "xxhash3": "72dcb18b67a17dff",
        "xxhash128": "33119477ede5dcd5e9716427681d5860",
    });
    let help = String::from_utf8(folder.run(&["seal", "--help"]).ok()).expect("text");
    let mut args = vec!["seal", "-", "-o", "sealed"];
    for name in known.as_object().expect("an object").keys() {
        assert!(help.contains(name.as_str()), "{name}");
        args.extend(["--digest", name]);
    }
    folder.run_with_input(&args, b"123456789").ok();
    assert_eq!(folder.inspect(&["sealed"])["digests"], known);
}

#[test]
fn nothing_is_overwritten_unasked() {
    let folder = Folder::with_keyring();
    fs::write(folder.path("target"), "precious").expect("written");
    folder.run(&["seal", "plain", "-o", "target"]).failed(1, "target exists; --force replaces it");
    folder.run(&["seal", "plain", "-o", "plain", "--force"]).failed(1, "what this reads from");
    folder.run(&["seal", "plain", "-o", "keyring", "--force"]).failed(1, "what this reads from");
    folder.run(&["open", "plain", "-o", "target", "--force"]).failed(3, "not a sealed file");
    assert_eq!(folder.read("target"), b"precious");
    fs::create_dir(folder.path("folder")).expect("made");
    folder.run(&["seal", "folder"]).failed(1, "folder is a directory");
    folder.run(&["seal", "plain", "-o", "folder"]).failed(1, "folder is a directory");
    folder.run(&["seal", "nothing"]).failed(1, "nothing: cannot read: No such file");
    assert_eq!(folder.others(), ["folder", "target"]);
}

#[test]
fn keyrings_that_cannot_be_used() {
    let folder = Folder::with_keyring();
    let keyring = folder.path("keyring");
    fs::set_permissions(&keyring, fs::Permissions::from_mode(0o644)).expect("set");
    folder.run(&["seal", "plain"]).failed(1, "its permissions are 644, so other users can read it; make them 600");
    fs::set_permissions(&keyring, fs::Permissions::from_mode(0o600)).expect("set");
    fs::write(&keyring, "nonsense\n").expect("written");
    folder.run(&["seal", "plain"]).failed(1, "not a keyring, or damaged at line 1");
    fs::write(&keyring, "").expect("written");
    folder.run(&["seal", "plain"]).failed(1, "not a keyring, or damaged at line 1");
    folder.run(&["key", "create", "default"]).failed(1, "not a keyring, or damaged at line 1");
    fs::remove_file(&keyring).expect("removed");
    fs::create_dir(&keyring).expect("made");
    folder.run(&["seal", "plain"]).failed(1, "is a directory");
    assert_eq!(folder.others(), Vec::<String>::new());
}

#[test]
fn a_full_disk_and_a_closed_pipe() {
    let folder = Folder::with_keyring();
    folder.run(&["seal", "plain", "-o", "/dev/full"]).failed(1, "/dev/full: cannot write: No space left");
    let full = || File::options().write(true).open("/dev/full").expect("opened");
    folder.run(&["seal", "plain"]).ok();
    let to_full = |args: &[&str]| Ended(folder.command(args).stdout(full()).output().expect("it runs"));
    to_full(&with(&["open", "plain.sealed", "-o", "-"], &CONTEXT)).failed(3, "is not bound to the context");
    to_full(&["open", "plain.sealed", "-o", "-"]).failed(1, "standard output: cannot write: No space left");
    to_full(&["inspect", "plain.sealed"]).failed(1, "standard output: cannot write: No space left");
    to_full(&["key", "list"]).failed(1, "standard output: cannot write: No space left");
    to_full(&["completions", "bash"]).failed(1, "standard output: cannot write: No space left");

    fs::write(folder.path("plain"), plaintext(10 << 20)).expect("written");
    let mut child = piped(&mut folder.command(&["seal", "plain", "-o", "-"]));
    let mut stdout = child.stdout.take().expect("a pipe");
    stdout.read_exact(&mut [0; 10]).expect("some bytes");
    drop(stdout);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(141), &b""[..]));
}

#[test]
fn a_sparse_file_comes_back() {
    let folder = Folder::with_keyring();
    let file = File::create(folder.path("sparse")).expect("made");
    file.set_len(40 << 20).expect("set");
    folder.run(&with(&["seal", "sparse"], &CONTEXT)).ok();
    folder.run(&with(&["open", "sparse.sealed", "-o", "opened"], &CONTEXT)).ok();
    assert!(folder.read("opened") == vec![0; 40 << 20]);
}

#[test]
fn memory_does_not_grow_with_the_size() {
    const BIG: u64 = 300 << 20;
    let folder = Folder::with_keyring();
    File::create(folder.path("plain")).and_then(|file| file.set_len(BIG)).expect("made");
    folder.run(&with(&["seal", "plain", "-o", "sealed"], &CONTEXT)).ok();
    let sealed_len = fs::metadata(folder.path("sealed")).expect("there").len();
    for threads in ["1", "64"] {
        for (what, input, len) in [("seal", "plain", sealed_len), ("open", "sealed", BIG)] {
            let peak = peak_memory(
                &mut folder.command(&[&[what, input, "-o", "-", "-t", threads], &CONTEXT[..]].concat()),
                len,
            );
            println!("{what} 300 MiB, {threads} threads: peak RSS {} MiB", peak >> 20);
            assert!(peak <= 64 << 20, "{what}, {threads} threads: {peak} bytes");
        }
    }
}

#[test]
fn completions_and_manual() {
    let folder = Folder::without_keyring();
    for shell in ["bash", "zsh", "fish"] {
        let script = String::from_utf8(folder.run(&["completions", shell]).ok()).expect("text");
        assert!(script.contains("rewrap"), "{shell}");
    }
    folder.run(&["manual", "man"]).ok();
    let page = fs::read_to_string(folder.path("man/objseal-seal.1")).expect("a page");
    assert!(page.contains(".TH objseal") && page.contains("context"), "{page}");
    fs::write(folder.path("file"), "").expect("written");
    folder.run(&["manual", "file"]).failed(1, "file: cannot write");
}

#[test]
fn a_signal_leaves_neither_target_nor_part() {
    use rustix::process::{Pid, Signal, kill_process};
    let folder = Folder::with_keyring();
    let mut child =
        piped(&mut folder.command_behind("env", &["--default-signal=TERM"], &["seal", "-", "-o", "sealed"]));
    wait_for_part(&folder, &mut child);
    kill_process(Pid::from_child(&child), Signal::TERM).expect("sent");
    // As when the signal ends a whole pipeline: what came so far must not pass for all of it.
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(143));
    assert_eq!(folder.others(), Vec::<String>::new());
}
