//! The service against clients and operators who want more than they may have, or want others to have nothing.

#[path = "shared/credentials.rs"]
mod credentials;
#[path = "shared/server.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;
#[path = "shared/signer.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod signer;
#[path = "shared/wire.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod wire;

use objseal::Key;
use objseal::envelope::{OpenOptions, WrappingKey};
use objseal_gateway::credentials::{Credentials, CredentialsError};
use objseal_gateway::http::{Bounds, Server};
use objseal_gateway::kms::{KmsService, Options};
use objseal_keys::kms::{Call, Principal};
use objseal_keys::local::{self, LocalKms, NewKey, Owner, Wrapping};
use objseal_keys::policy::Policy;
use server::Running;
use signer::Signer;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::io::{AsyncWriteExt, duplex};
use tokio::net::TcpStream;
use tokio::sync::watch;
use wire::{Answer, Wire};

const SECRET: &str = "a secret of the tests";
const ROOT: &str = "KEYOFTHEROOTUSER";
const SERVICE: &str = "KEYOFTHESERVICE0";
const SESSION: &str = "KEYOFASESSION000";
const MALLORY: &str = "KEYOFUSERMALLORY";
const ROLE: &str = "arn:aws:iam::000000000000:role/team/admin";
const SESSION_ARN: &str = "arn:aws:sts::000000000000:assumed-role/admin/alice";
const CREDENTIALS: &str = r#"{
    "principals": [
        {"arn": "arn:aws:iam::000000000000:role/team/admin", "policies": [
            {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "kms:*", "Resource": "*"},
                {"Effect": "Deny", "Action": "kms:ScheduleKeyDeletion", "Resource": "*"}]}]}
    ],
    "credentials": [
        {"access_key_id": "KEYOFTHEROOTUSER", "secret_access_key": "a secret of the tests", "principal": "arn:aws:iam::000000000000:root"},
        {"access_key_id": "KEYOFTHESERVICE0", "secret_access_key": "a secret of the tests", "principal": "arn:aws:iam::000000000000:root", "service": true},
        {"access_key_id": "KEYOFASESSION000", "secret_access_key": "a secret of the tests", "principal": "arn:aws:sts::000000000000:assumed-role/admin/alice"},
        {"access_key_id": "KEYOFUSERMALLORY", "secret_access_key": "a secret of the tests", "principal": "arn:aws:iam::000000000000:user/mallory"}
    ]
}"#;

fn root() -> Call {
    Call::of(Arc::new(Principal::root_of("000000000000")))
}

fn in_memory() -> Arc<LocalKms> {
    Arc::new(LocalKms::in_memory(&Owner::default(), local::Options::default()).expect("made"))
}

/// A key with this statement in its policy, after the one that leaves all to the account.
fn key_with(kms: &LocalKms, statement: &str) -> String {
    let account = r#"{"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "kms:*", "Resource": "*"}"#;
    let text = format!(r#"{{"Version": "2012-10-17", "Statement": [{account}, {statement}]}}"#);
    let mut new = NewKey::default().with_policy(Arc::new(Policy::parse(&text).expect("a policy")));
    new.bypass_lockout_check = true;
    kms.create_key(&root(), new).expect("made").arn
}

async fn run(kms: &Arc<LocalKms>, options: Options) -> Running {
    let options = Options { tells_refusals: false, ..options };
    let service = Arc::new(KmsService::new(Arc::clone(kms), credentials::credentials(CREDENTIALS), options));
    Running::start(service, None, Bounds::default()).await
}

async fn ask(running: &Running, request: impl AsRef<[u8]>) -> Answer {
    Wire::of(TcpStream::connect(running.address).await.expect("connected")).ask(request).await
}

/// The code of an error; nothing if there is none.
fn code(answer: &Answer) -> String {
    if answer.status == 200 { String::new() } else { answer.code() }
}

/// A signed request, with more headers that are signed as well.
fn signed(who: &str, operation: &str, body: &str, more: &[(&str, &str)]) -> String {
    let request = Signer { access_key_id: who, secret: SECRET }.post_with(operation, body.as_bytes(), more);
    String::from_utf8(request).expect("text")
}

/// As in the policy of a key: of two members of one name two readers could take different ones.
#[test]
fn a_policy_of_a_principal_has_no_member_twice() {
    let twice = r#"{"principals": [{"arn": "arn:aws:iam::000000000000:user/alice", "policies": [
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*",
            "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.1"}},
            "Condition": {"StringLike": {"kms:ViaService": "*"}}}}]}]}"#;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("credentials");
    std::fs::write(&path, twice).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("private");
    let error = Credentials::read(&path).map(drop).expect_err("it is refused");
    assert!(matches!(error, CredentialsError::Policy { .. } | CredentialsError::Malformed(_)), "{error}");
}

/// IAM User Guide, "Roles terms and concepts": a session has the permissions of the policies of its role, and no others.
#[tokio::test]
async fn a_session_has_the_policies_of_its_role() {
    let kms = in_memory();
    let by_name =
        format!(r#"{{"Effect": "Allow", "Principal": {{"AWS": "{ROLE}"}}, "Action": "kms:*", "Resource": "*"}}"#);
    let key = key_with(&kms, &by_name);
    let running = run(&kms, Options::default()).await;
    let body = format!(r#"{{"KeyId": "{key}"}}"#);
    for (operation, expected) in [("ScheduleKeyDeletion", "AccessDeniedException"), ("DescribeKey", "")] {
        let as_role = signed(SERVICE, operation, &body, &[("x-objseal-principal", ROLE)]);
        let as_session = signed(SERVICE, operation, &body, &[("x-objseal-principal", SESSION_ARN)]);
        let itself = signed(SESSION, operation, &body, &[]);
        for request in [as_role, as_session, itself] {
            assert_eq!(code(&ask(&running, &request).await), expected, "{operation}: {request}");
        }
    }
}

/// IAM User Guide, "aws:SecureTransport": always in the context of a request.
#[tokio::test]
async fn a_key_for_tls_only_is_not_used_without() {
    let kms = in_memory();
    let key = key_with(
        &kms,
        r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:Encrypt", "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}}"#,
    );
    let running = run(&kms, Options::default()).await;
    let body = format!(r#"{{"KeyId": "{key}", "Plaintext": "YQ=="}}"#);
    assert_eq!(code(&ask(&running, signed(ROOT, "Encrypt", &body, &[])).await), "AccessDeniedException");
}

/// Several spaces are signed as one: what is taken has to be what was signed.
#[tokio::test]
async fn no_header_that_decides_can_be_changed_in_its_spaces() {
    let kms = in_memory();
    let key = key_with(&kms, r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:TagResource", "Resource": "*"}"#);
    let running = run(&kms, Options::default()).await;
    let body = format!(r#"{{"KeyId": "{key}"}}"#);
    let request = signed(SERVICE, "DescribeKey", &body, &[("x-objseal-object", "photos/my cat.jpg")]);
    assert_eq!(code(&ask(&running, &request).await), "");
    let changed = request.replace("photos/my cat.jpg", "photos/my   cat.jpg");
    assert_ne!(ask(&running, &changed).await.status, 200);
}

/// Otherwise a line of audit could name the service itself, or nobody.
#[tokio::test]
async fn whom_a_service_acts_for_is_a_principal() {
    let kms = in_memory();
    let key = key_with(&kms, r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:TagResource", "Resource": "*"}"#);
    let running = run(&kms, Options::default()).await;
    let body = format!(r#"{{"KeyId": "{key}"}}"#);
    for strange in
        ["kms.amazonaws.com", "alice", "arn:aws:iam:::root", "arn:aws:iam::0:root", "arn:aws:iam::000000000000:a b"]
    {
        let request = signed(SERVICE, "DescribeKey", &body, &[("x-objseal-principal", strange)]);
        assert_eq!(code(&ask(&running, request).await), "ValidationException", "{strange:?}");
    }
    for header in ["x-objseal-principal", "x-objseal-via-service", "x-objseal-object"] {
        let request = signed(MALLORY, "DescribeKey", &body, &[(header, "arn:aws:iam::000000000000:root")]);
        let answer = ask(&running, request).await;
        assert!(code(&answer) == "AccessDeniedException" && answer.body.contains("for credentials of services"));
        let request = signed(SERVICE, "DescribeKey", &body, &[]);
        let unsigned = request.replacen("\r\n", &format!("\r\n{header}: arn:aws:iam::000000000000:root\r\n"), 1);
        assert_eq!(code(&ask(&running, unsigned).await), "InvalidSignatureException");
        let empty = signed(SERVICE, "DescribeKey", &body, &[(header, "")]);
        assert_eq!(code(&ask(&running, empty).await), "ValidationException");
    }
}

/// Nobody has signed anything, and nobody reads an answer.
#[tokio::test(start_paused = true)]
async fn who_reads_no_answer_does_not_keep_a_place() {
    let service = KmsService::new(
        in_memory(),
        credentials::credentials(CREDENTIALS),
        Options { tells_refusals: false, ..Options::default() },
    );
    let (mut ours, theirs) = duplex(4 << 10);
    let (_stop, stopped) = watch::channel(false);
    let bounds = Bounds::default();
    let from = ([127, 0, 0, 1], 1).into();
    let served = tokio::spawn(Server::serve_stream(theirs, from, Arc::new(service), bounds, stopped));
    let start = tokio::time::Instant::now();
    let request = "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n";
    let send = async { while ours.write_all(request.as_bytes()).await.is_ok() {} };
    tokio::join!(send, async { served.await.expect("no panic") });
    assert!(start.elapsed() <= 3 * bounds.patience, "{:?}", start.elapsed());
}

/// As the table of bounds has it: an operation takes no longer, however many wait for the same.
#[tokio::test]
async fn nobody_waits_longer_for_a_store_than_the_deadline() {
    const WAITING: u32 = 64;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kms");
    let holder = Arc::new(WrappingKey::from_key(Key::generate().expect("a key")));
    LocalKms::create(&path, &holder, &Owner::default()).expect("made");
    let open = || LocalKms::open(&path, &OpenOptions::new().with_key(Arc::clone(&holder)), local::Options::default());
    let (kms, other) = (Arc::new(open().expect("opened")), open().expect("opened"));
    let key = kms.create_key(&root(), NewKey::default().with_imported_material()).expect("made").arn;
    let how = Wrapping::new("none", "none");
    let token = kms.begin_import(&root(), &key, &how, || Ok(vec![1].into())).expect("begun").token;

    let deadline = Duration::from_millis(500);
    let running = run(&kms, Options { deadline, ..Options::default() }).await;
    // Another one is changing the store until it is told to end.
    let (end, ended) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let of = key.clone();
    let changing = std::thread::spawn(move || {
        let open = |_: &Wrapping, _: &[u8]| {
            begin.send(()).expect("somebody waits");
            let _ = ended.recv();
            Ok(Key::from_bytes(&[1; 32]))
        };
        other.import_wrapped(&root(), &of, &token, open, None).map(drop)
    });
    begun.recv().expect("begun");

    let start = Instant::now();
    let body = format!(r#"{{"KeyId": "{key}", "Description": "x"}}"#);
    let mut asked = Vec::new();
    for _ in 0..WAITING {
        let mut wire = Wire::of(TcpStream::connect(running.address).await.expect("connected"));
        wire.send(signed(MALLORY, "UpdateKeyDescription", &body, &[])).await;
        asked.push(wire);
    }
    for wire in &mut asked {
        assert_eq!(wire.answer().await.expect("an answer").status, 500);
    }
    let waited = start.elapsed();
    drop(end);
    changing.join().expect("no panic").expect("imported");
    assert!(waited < deadline * WAITING / 2, "{WAITING} requests that may take {deadline:?} took {waited:?}");
}

/// To make an RSA key takes a thousand times what others ask for. There are eight threads for the work of requests.
#[test]
fn who_imports_keeps_nobody_else_waiting() {
    const THREADS: usize = 8;
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(THREADS).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let kms = in_memory();
        let key = kms.create_key(&root(), NewKey::default().with_imported_material()).expect("made").arn;
        let running = run(&kms, Options::default()).await;
        let body = format!(
            r#"{{"KeyId": "{key}", "WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_3072"}}"#
        );
        let (done, mut waiting) = (Arc::new(AtomicUsize::new(0)), Vec::new());
        for _ in 0..2 * THREADS {
            let mut wire = Wire::of(TcpStream::connect(running.address).await.expect("connected"));
            wire.send(signed(ROOT, "GetParametersForImport", &body, &[])).await;
            let done = Arc::clone(&done);
            waiting.push(tokio::spawn(async move {
                let answer = wire.answer().await.expect("an answer");
                // One that has to come again later keeps nobody waiting.
                if answer.status == 200 {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        // By then all of them have been taken.
        while done.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let describe = signed(MALLORY, "DescribeKey", &format!(r#"{{"KeyId": "{key}"}}"#), &[]);
        assert_eq!(code(&ask(&running, describe).await), "AccessDeniedException");
        let before = done.load(Ordering::Relaxed);
        for wire in waiting {
            wire.await.expect("no panic");
        }
        assert!(before <= THREADS / 2, "{before} keys were made before somebody else had their turn");
    });
}

/// Each denial is a line of the audit log, on the disk of everybody.
#[tokio::test]
async fn who_is_denied_too_often_is_not_heard() {
    let kms = in_memory();
    let key = kms.create_key(&root(), NewKey::default()).expect("made").arn;
    let running = run(&kms, Options { denials: 1, ..Options::default() }).await;
    let body = format!(r#"{{"KeyId": "{key}"}}"#);
    let lines = kms.audit().head().sequence;
    let mut codes = Vec::new();
    for _ in 0..100 {
        codes.push(code(&ask(&running, signed(MALLORY, "DescribeKey", &body, &[])).await));
    }
    assert_eq!(codes[0], "AccessDeniedException");
    assert!(codes.iter().any(|code| code == "ThrottlingException"), "{codes:?}");
    let denied = codes.iter().filter(|code| *code == "AccessDeniedException").count();
    assert_eq!(kms.audit().head().sequence - lines, denied as u64);
    // A service is throttled for whom it acts for, and not for all.
    let act = |who| signed(SERVICE, "DescribeKey", &body, &[("x-objseal-principal", who)]);
    let mallory = "arn:aws:iam::000000000000:user/mallory";
    let mut codes = Vec::new();
    for _ in 0..100 {
        codes.push(code(&ask(&running, act(mallory)).await));
    }
    assert!(codes.iter().any(|code| code == "ThrottlingException"), "{codes:?}");
    assert_eq!(code(&ask(&running, act("arn:aws:iam::000000000000:root")).await), "");
    assert_eq!(code(&ask(&running, signed(ROOT, "DescribeKey", &body, &[])).await), "");
}

/// API Reference, "Making API requests": the body is a JSON object. What two readers could read otherwise is refused.
#[tokio::test]
async fn a_body_has_one_meaning() {
    let kms = in_memory();
    let key = key_with(&kms, r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:TagResource", "Resource": "*"}"#);
    let other = key_with(&kms, r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:TagResource", "Resource": "*"}"#);
    let running = run(&kms, Options::default()).await;
    let deep = "[".repeat(10_000);
    for (operation, body) in [
        ("EnableKey", format!(r#"{{"KeyId": "{key}", "KeyId": "{other}"}}"#)),
        ("EnableKey", format!(r#"{{"KeyId": "{key}", "Key\u0049d": "{other}"}}"#)),
        ("EnableKey", format!(r#"{{"KeyId": "{key}", "keyId": "{other}"}}"#)),
        ("EnableKey", format!(r#"{{"KeyId": "{key}"}} {{"KeyId": "{other}"}}"#)),
        ("EnableKey", format!("\u{feff}{{\"KeyId\": \"{key}\"}}")),
        ("EnableKey", format!(r#"{{"KeyId": ["{key}"]}}"#)),
        ("EnableKey", r#"{"KeyId": "\ud800"}"#.into()),
        ("EnableKey", format!(r#"{{"KeyId": "{key}\u0000"}}"#)),
        ("EnableKey", format!(r#"{{"KeyId": {deep}"#)),
        ("EnableKey", "null".into()),
        ("ListKeys", r#"{"Limit": 1.0}"#.into()),
        ("ListKeys", r#"{"Limit": 18446744073709551617}"#.into()),
        ("ListKeys", r#"{"Limit": -1}"#.into()),
        ("ListKeys", r#"{"Limit": "1"}"#.into()),
        ("ScheduleKeyDeletion", format!(r#"{{"KeyId": "{key}", "PendingWindowInDays": 4294967303}}"#)),
        ("Encrypt", format!(r#"{{"KeyId": "{key}", "Plaintext": "YQ==\n"}}"#)),
        ("Encrypt", format!(r#"{{"KeyId": "{key}", "Plaintext": "YQ"}}"#)),
        ("Encrypt", format!(r#"{{"KeyId": "{key}", "Plaintext": "YR=="}}"#)),
        (
            "Encrypt",
            format!(r#"{{"KeyId": "{key}", "Plaintext": "YQ==", "EncryptionContext": {{"a": "1", "a": "2"}}}}"#),
        ),
        (
            "Encrypt",
            format!(r#"{{"KeyId": "{key}", "Plaintext": "YQ==", "EncryptionContext": {{"a": "1", "\u0061": "1"}}}}"#),
        ),
        ("Encrypt", format!(r#"{{"KeyId": "{key}", "Plaintext": "YQ==", "EncryptionContext": {{"a": 1}}}}"#)),
        ("Encrypt", format!(r#"{{"KeyId": "{key}", "Plaintext": "YQ==", "EncryptionContext": [["a", "1"]]}}"#)),
        ("EnableKey", format!(r#"["{key}"]"#)),
    ] {
        let answer = ask(&running, signed(ROOT, operation, &body, &[])).await;
        assert_eq!(answer.status, 400, "{operation} {}: {answer:?}", &body[..body.len().min(100)]);
    }
    assert_eq!(ask(&running, signed(ROOT, "EnableKey", &format!(r#"{{"KeyId": "{key}"}}"#), &[])).await.status, 200);
}

/// API Reference, Tag and GrantConstraints: objects as well, whose members have names.
#[tokio::test]
async fn what_is_within_a_body_has_one_meaning() {
    let kms = in_memory();
    let key = kms.create_key(&root(), NewKey::default()).expect("made").arn;
    let running = run(&kms, Options::default()).await;
    let grant = r#""GranteePrincipal": "arn:aws:iam::000000000000:user/alice", "Operations": ["Decrypt"]"#;
    for (operation, body) in [
        ("TagResource", format!(r#"{{"KeyId": "{key}", "Tags": [{{"TagKey": "a", "TagKey": "b", "TagValue": ""}}]}}"#)),
        ("CreateGrant", format!(r#"{{"KeyId": "{key}", {grant}, "Constraints": [{{"a": "1"}}, null, null]}}"#)),
        ("TagResource", format!(r#"{{"KeyId": "{key}", "Tags": [["a", "b"]]}}"#)),
    ] {
        assert_eq!(ask(&running, signed(ROOT, operation, &body, &[])).await.status, 400, "{operation} {body}");
    }
}

/// Who has no right learns nothing of a grant, and nothing by its token.
#[tokio::test]
async fn a_token_of_a_grant_is_no_right() {
    let kms = in_memory();
    let key = key_with(&kms, r#"{"Effect": "Deny", "Principal": "*", "Action": "kms:TagResource", "Resource": "*"}"#);
    let new = local::NewGrant::to("arn:aws:iam::000000000000:user/alice", ["Decrypt", "RetireGrant"]);
    let grant = kms.create_grant(&root(), &key, new).expect("granted");
    let running = run(&kms, Options::default()).await;
    let none = "0".repeat(64);
    for (operation, body) in [
        ("RetireGrant", format!(r#"{{"GrantToken": "{grant}"}}"#)),
        ("RetireGrant", format!(r#"{{"KeyId": "{key}", "GrantId": "{grant}"}}"#)),
        ("RetireGrant", format!(r#"{{"KeyId": "{key}", "GrantId": "{none}"}}"#)),
        ("RevokeGrant", format!(r#"{{"KeyId": "{key}", "GrantId": "{grant}"}}"#)),
        ("RevokeGrant", format!(r#"{{"KeyId": "{key}", "GrantId": "{none}"}}"#)),
        ("ListGrants", format!(r#"{{"KeyId": "{key}", "GrantId": "{grant}"}}"#)),
        ("ListRetirableGrants", r#"{"RetiringPrincipal": "arn:aws:iam::000000000000:user/mallory"}"#.into()),
    ] {
        let answer = ask(&running, signed(MALLORY, operation, &body, &[])).await;
        assert_eq!(code(&answer), "AccessDeniedException", "{operation} {body}");
    }
    let with_token = format!(r#"{{"KeyId": "{key}", "GrantTokens": ["{grant}"], "Plaintext": "YQ=="}}"#);
    assert_eq!(code(&ask(&running, signed(MALLORY, "Encrypt", &with_token, &[])).await), "AccessDeniedException");
    assert_eq!(kms.grants(&root(), &key).expect("listed").len(), 1);
}
