//! A PKCS #11 token as a key service, on SoftHSM: what opens, what is refused and why, counts, PINs and lost sessions.
//!
//! SoftHSM reads its configuration when it is loaded, so that each test runs in a process of its own with a new token.

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::{AuthPin, Ulong};
use objseal::Key;
use objseal::envelope::{
    EncryptionContext, EnvelopeError, KeyKind, KeyRequest, KeyService, KeyServiceError, KeyServiceErrorKind,
    OpenOptions, SealOptions, ServiceContext, WrappingKey,
};
use objseal_keys::pkcs11::{KeyFault, LoginFault, MAX_WRAPS, Token, TokenError, TokenOptions};
use std::collections::BTreeSet;
use std::env;
use std::error::Error;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Barrier};
use std::thread;
use zeroize::Zeroizing;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "1234";
/// The folder of a test that was started again in a child.
const FOLDER: &str = "OBJSEAL_TEST_TOKEN_FOLDER";

/// Runs `body` in a process of its own, with a new token "vault". `name` is that of the test.
fn on_token(name: &str, body: impl FnOnce(&Path)) {
    if let Some(folder) = env::var_os(FOLDER) {
        return body(Path::new(&folder));
    }
    assert!(Path::new(MODULE).exists(), "{MODULE} is missing: apt-get install softhsm2");
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("tokens")).expect("made");
    let configuration = format!("directories.tokendir = {}\n", folder.path().join("tokens").display());
    fs::write(folder.path().join("conf"), configuration).expect("written");
    new_token(folder.path(), "vault");
    let mut again = Command::new(env::current_exe().expect("it has a path"));
    again.args(["--exact", name, "--nocapture"]).env(FOLDER, folder.path());
    let output = again.env("SOFTHSM2_CONF", folder.path().join("conf")).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

fn new_token(folder: &Path, label: &str) {
    let mut command = Command::new("softhsm2-util");
    command.args(["--init-token", "--free", "--label", label, "--so-pin", "87654321", "--pin", PIN]);
    let output = command.env("SOFTHSM2_CONF", folder.join("conf")).output();
    assert!(output.expect("softhsm2-util is there: apt-get install softhsm2").status.success());
}

fn options() -> TokenOptions {
    TokenOptions::new(MODULE).with_token("vault").with_pin(Zeroizing::new(PIN.into()))
}

/// The token with a key "photos".
fn with_key() -> Token {
    let token = Token::open(options()).expect("open");
    token.create_key("photos").expect("made");
    token
}

/// A session of the test's own, beside those of the library.
fn own_session() -> (Pkcs11, Session) {
    let module = Pkcs11::new(MODULE).expect("loaded");
    let _ = module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slots = module.get_slots_with_initialized_token().expect("slots");
    let slot = slots.into_iter().find(|&slot| module.get_token_info(slot).is_ok_and(|info| info.label() == "vault"));
    let session = module.open_rw_session(slot.expect("a slot")).expect("a session");
    let _ = session.login(UserType::User, Some(&AuthPin::from(PIN)));
    (module, session)
}

fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    EncryptionContext::from_pairs(pairs.iter().copied()).expect("pairs")
}

fn cat() -> EncryptionContext {
    context(&[("key", "2026/cat.jpg"), ("bucket", "photos")])
}

/// The token's error behind that of a key service, and its kind.
fn reason(error: KeyServiceError) -> (KeyServiceErrorKind, String) {
    let source = error.source().and_then(|source| source.downcast_ref::<TokenError>());
    (error.kind(), format!("{:?}", source.expect("an error of the token")))
}

fn wrap_fails(token: &Token, label: &str) -> (KeyServiceErrorKind, String) {
    reason(token.wrapping_key(label, &cat()).expect_err("refused"))
}

/// What the token says to a blob that stands in an object with these properties.
fn reopen(token: &Token, key: WrappingKey, context: &EncryptionContext) -> Result<Arc<WrappingKey>, KeyServiceError> {
    let (envelope, _) = SealOptions::new(Arc::new(key)).with_context(context.clone()).start().expect("sealed");
    token.reopen(&request(envelope.stored()))
}

fn request(stored: &[u8]) -> KeyRequest {
    let mut plan = OpenOptions::new().with_any_context().plan(stored).expect("a plan");
    plan.next_request().expect("a request")
}

fn with_blob(label: &str, blob: &[u8]) -> WrappingKey {
    let key = WrappingKey::new("pkcs11", label, 0, Key::from_bytes(&[7; 32])).expect("a name");
    key.with_blob(KeyKind::Object, ServiceContext::Object, blob).expect("it fits")
}

fn refused() -> (KeyServiceErrorKind, String) {
    (KeyServiceErrorKind::Refused, "Refused".into())
}

fn find(session: &Session, class: ObjectClass, label: &str) -> Vec<ObjectHandle> {
    session.find_objects(&[Attribute::Class(class), Attribute::Label(label.into())]).expect("found")
}

/// The number in the data object that counts a key's wraps.
fn counted(label: &str) -> u64 {
    let (_module, session) = own_session();
    let [counter] = find(&session, ObjectClass::DATA, label)[..] else { panic!("one counter") };
    let attributes = session.get_attributes(counter, &[AttributeType::Value]).expect("read");
    let [Attribute::Value(value)] = &attributes[..] else { panic!("a value") };
    u64::from_be_bytes(value[..].try_into().expect("eight bytes"))
}

#[test]
fn what_is_sealed_through_the_token_opens_in_another_process() {
    on_token("what_is_sealed_through_the_token_opens_in_another_process", |_| {
        let token = with_key();
        let key = token.wrapping_key("photos", &cat()).expect("a key");
        let (envelope, body) = SealOptions::new(key).with_context(cat()).start().expect("started");
        let stored = body.seal(b"the plaintext").expect("sealed");
        drop(token);
        let token = Token::open(options().with_key("photos")).expect("open");
        assert_eq!(token.key(), Some("photos"));
        let options = OpenOptions::new().with_service(Arc::new(token)).with_context(cat());
        let opened = options.open(envelope.stored()).expect("it opens");
        assert_eq!(opened.body().expect("a body").open(&stored).expect("authentic"), b"the plaintext");
    });
}

#[test]
fn every_object_has_a_secret_and_an_iv_of_its_own() {
    on_token("every_object_has_a_secret_and_an_iv_of_its_own", |_| {
        let token = with_key();
        let keys: Vec<_> = (0..50).map(|_| token.wrapping_key("photos", &cat()).expect("a key")).collect();
        assert_eq!(keys.iter().map(|key| *key.secret().expose_secret()).collect::<BTreeSet<_>>().len(), 50);
        assert_eq!(keys.iter().map(|key| key.blob()[1..13].to_vec()).collect::<BTreeSet<_>>().len(), 50);
    });
}

/// Written by hand after the documentation of the format.
#[test]
fn blob_and_additional_data_are_as_documented() {
    on_token("blob_and_additional_data_are_as_documented", |_| {
        let token = with_key();
        let mut aad = b"objseal/v1/pkcs11/wrap\0\0\0\0\x06photos\0\x02".to_vec();
        aad.extend_from_slice(b"\0\0\0\x06bucket\0\0\0\x06photos\0\0\0\x03key\0\0\0\x0c2026/cat.jpg");
        let key = token.wrapping_key("photos", &cat()).expect("a key");
        assert_eq!(
            (key.service(), key.key_id(), key.key_version(), key.kind()),
            ("pkcs11", "photos", 0, KeyKind::Object)
        );
        let (module, session) = own_session();
        let [photos] = find(&session, ObjectClass::SECRET_KEY, "photos")[..] else { panic!("one key") };
        let blob = key.blob();
        assert_eq!((blob.len(), blob[0]), (1 + 12 + 32 + 16, 1));
        let mut iv: [u8; 12] = blob[1..13].try_into().expect("twelve bytes");
        let params = GcmParams::new(&mut iv, &aad, Ulong::new(128)).expect("lengths");
        let secret = session.decrypt(&Mechanism::AesGcm(params), photos, &blob[13..]).expect("it decrypts");
        assert_eq!(secret, key.secret().expose_secret());
        // And the other way.
        let mut iv = [9; 12];
        let params = GcmParams::new(&mut iv, &aad, Ulong::new(128)).expect("lengths");
        let sealed = session.encrypt(&Mechanism::AesGcm(params), photos, &[5; 32]).expect("encrypted");
        let blob = [&[1][..], &[9; 12], &sealed].concat();
        let reopened = reopen(&token, with_blob("photos", &blob), &cat()).expect("it opens");
        assert_eq!((reopened.secret().expose_secret(), reopened.blob()), (&[5; 32], &blob[..]));
        drop((session, module));
    });
}

#[test]
fn another_context_or_key_is_refused() {
    on_token("another_context_or_key_is_refused", |_| {
        let token = with_key();
        token.create_key("other").expect("made");
        let made_for = context(&[("ab", "c"), ("d", "ef")]);
        let key = token.wrapping_key("photos", &made_for).expect("a key");
        assert!(reopen(&token, with_blob("photos", key.blob()), &made_for).is_ok());
        let others: [&[(&str, &str)]; 7] = [
            &[],
            &[("ab", "c")],
            &[("ab", "c"), ("d", "eF")],
            &[("a", "bc"), ("d", "ef")],
            &[("ab", "cd"), ("e", "f")],
            &[("ab", "c"), ("d", "ef"), ("g", "")],
            &[("abcdef", "")],
        ];
        for pairs in others {
            let error = reopen(&token, with_blob("photos", key.blob()), &context(pairs)).expect_err("refused");
            assert_eq!(reason(error), refused(), "{pairs:?}");
        }
        let error = reopen(&token, with_blob("other", key.blob()), &made_for).expect_err("refused");
        assert_eq!(reason(error), refused());
        for label in ["missing", "photo", "photos2", "PHOTOS"] {
            let error = reopen(&token, with_blob(label, key.blob()), &made_for).expect_err("refused");
            assert_eq!(reason(error), (KeyServiceErrorKind::UnknownKey, "UnknownKey".into()), "{label}");
        }
    });
}

#[test]
fn a_change_of_any_byte_of_a_blob_is_refused() {
    on_token("a_change_of_any_byte_of_a_blob_is_refused", |_| {
        let token = with_key();
        let blob = token.wrapping_key("photos", &cat()).expect("a key").blob().to_vec();
        let said = |blob: &[u8]| reopen(&token, with_blob("photos", blob), &cat()).map(drop).map_err(reason);
        assert_eq!(said(&blob), Ok(()));
        for at in 0..blob.len() {
            for bit in [1, 0x80] {
                let mut changed = blob.clone();
                changed[at] ^= bit;
                assert_eq!(said(&changed), Err(refused()), "byte {at}");
            }
        }
        for len in 0..blob.len() {
            assert_eq!(said(&blob[..len]), Err(refused()), "{len} bytes");
        }
        assert_eq!(said(&[&blob[..], &[0]].concat()), Err(refused()));
        assert_eq!(said(&blob), Ok(()), "sessions are fit for use after refusals");
    });
}

#[test]
fn what_this_service_never_makes_is_refused() {
    on_token("what_this_service_never_makes_is_refused", |_| {
        let token = with_key();
        let blob = token.wrapping_key("photos", &cat()).expect("a key").blob().to_vec();
        let key = |version| WrappingKey::new("pkcs11", "photos", version, Key::from_bytes(&[7; 32])).expect("a name");
        for (version, kind, service_context, fits) in [
            (0, KeyKind::Object, ServiceContext::Object, true),
            (1, KeyKind::Object, ServiceContext::Object, false),
            (0, KeyKind::Shared, ServiceContext::Object, false),
            (0, KeyKind::Customer, ServiceContext::Object, false),
            (0, KeyKind::Object, ServiceContext::None, false),
            (0, KeyKind::Object, ServiceContext::Bucket, false),
        ] {
            let key = key(version).with_blob(kind, service_context, &blob).expect("it fits");
            let said = reopen(&token, key, &cat()).map(drop).map_err(reason);
            assert_eq!(said, if fits { Ok(()) } else { Err(refused()) }, "{version} {kind:?} {service_context:?}");
        }
    });
}

#[test]
fn a_changed_object_is_not_authentic_and_a_missing_key_is_missing() {
    on_token("a_changed_object_is_not_authentic_and_a_missing_key_is_missing", |_| {
        let token = Arc::new(with_key());
        let key = token.wrapping_key("photos", &cat()).expect("a key");
        let (envelope, _) = SealOptions::new(key.clone()).with_context(cat()).start().expect("started");
        let options = OpenOptions::new().with_service(token.clone()).with_context(cat());
        assert!(options.open(envelope.stored()).is_ok());
        let mut changed = envelope.stored().to_vec();
        let at = changed.windows(key.blob().len()).position(|bytes| bytes == key.blob()).expect("in clear");
        changed[at + 20] ^= 1;
        assert!(matches!(options.open(&changed), Err(EnvelopeError::Authentication)));

        let (_module, session) = own_session();
        let [photos] = find(&session, ObjectClass::SECRET_KEY, "photos")[..] else { panic!("one key") };
        session.destroy_object(photos).expect("destroyed");
        let unknown = (KeyServiceErrorKind::UnknownKey, "UnknownKey".to_owned());
        assert_eq!(wrap_fails(&token, "photos"), unknown);
        assert_eq!(reason(token.reopen(&request(envelope.stored())).expect_err("gone")), unknown);
        assert!(matches!(options.open(envelope.stored()), Err(EnvelopeError::NoAcceptedKey { .. })));
        let opened = Token::open(self::options().with_key("photos"));
        assert!(matches!(opened, Err(TokenError::UnknownKey)), "{opened:?}");
    });
}

/// A key as it should be, but for what `change` puts in the place of other attributes.
fn key_with(session: &Session, label: &str, change: &[Attribute]) {
    let usual = [
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Label(label.into()),
        Attribute::Value(vec![3; 32]),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(true),
        Attribute::Decrypt(true),
    ];
    let changed = |of: &Attribute| change.iter().find(|new| new.attribute_type() == of.attribute_type()).cloned();
    let template: Vec<_> = usual.iter().map(|of| changed(of).unwrap_or_else(|| of.clone())).collect();
    session.create_object(&template).expect("made");
}

#[test]
fn keys_that_do_not_fit_are_refused_each_for_its_own_reason() {
    on_token("keys_that_do_not_fit_are_refused_each_for_its_own_reason", |_| {
        let token = Token::open(options()).expect("open");
        let (_module, session) = own_session();
        key_with(&session, "fit", &[]);
        let fit = token.wrapping_key("fit", &cat()).expect("the control fits");
        let unfit = [
            (Attribute::KeyType(KeyType::GENERIC_SECRET), KeyFault::NotAes),
            (Attribute::Value(vec![3; 16]), KeyFault::NotOf32Bytes),
            (Attribute::Value(vec![3; 24]), KeyFault::NotOf32Bytes),
            (Attribute::Sensitive(false), KeyFault::NotSensitive),
            (Attribute::Extractable(true), KeyFault::Extractable),
            (Attribute::Encrypt(false), KeyFault::NoEncrypt),
            (Attribute::Decrypt(false), KeyFault::NoDecrypt),
        ];
        for (number, (change, fault)) in unfit.into_iter().enumerate() {
            let label = format!("unfit {number}");
            key_with(&session, &label, &[change]);
            let wrong = (KeyServiceErrorKind::WrongUsage, format!("UnfitKey({fault:?})"));
            assert_eq!(wrap_fails(&token, &label), wrong);
            let said = reopen(&token, with_blob(&label, fit.blob()), &cat()).map(drop).map_err(reason);
            // What was wrapped opens for as long as the key decrypts; this blob is of another label.
            let retired = fault == KeyFault::NoEncrypt;
            assert_eq!(said, Err(if retired { refused() } else { wrong }), "{fault:?}");
            assert!(find(&session, ObjectClass::DATA, &label).is_empty(), "nothing is counted for it");
        }
        // A key that is retired opens what it wrapped.
        let [handle] = find(&session, ObjectClass::SECRET_KEY, "fit")[..] else { panic!("one key") };
        session.update_attributes(handle, &[Attribute::Encrypt(false)]).expect("changed");
        assert!(reopen(&token, with_blob("fit", fit.blob()), &cat()).is_ok());
        assert_eq!(wrap_fails(&token, "fit").1, "UnfitKey(NoEncrypt)");
    });
}

#[test]
fn two_keys_of_one_label_are_ambiguous_and_a_second_one_is_not_made() {
    on_token("two_keys_of_one_label_are_ambiguous_and_a_second_one_is_not_made", |_| {
        let token = with_key();
        assert!(matches!(token.create_key("photos"), Err(TokenError::KeyExists)));
        let blob = token.wrapping_key("photos", &cat()).expect("a key").blob().to_vec();
        let (_module, session) = own_session();
        key_with(&session, "photos", &[]);
        let several = (KeyServiceErrorKind::Malformed, "SeveralKeys".to_owned());
        assert_eq!(wrap_fails(&token, "photos"), several);
        assert_eq!(reason(reopen(&token, with_blob("photos", &blob), &cat()).expect_err("refused")), several);
        assert!(matches!(Token::open(options().with_key("photos")), Err(TokenError::SeveralKeys)));
    });
}

#[test]
fn a_key_that_is_made_stays_in_the_token() {
    on_token("a_key_that_is_made_stays_in_the_token", |_| {
        let token = with_key();
        let (_module, session) = own_session();
        let [key] = find(&session, ObjectClass::SECRET_KEY, "photos")[..] else { panic!("one key") };
        let wanted = [
            Attribute::KeyType(KeyType::AES),
            Attribute::ValueLen(Ulong::new(32)),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::AlwaysSensitive(true),
            Attribute::Extractable(false),
            Attribute::NeverExtractable(true),
            Attribute::Local(true),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
        ];
        let types: Vec<_> = wanted.iter().map(Attribute::attribute_type).collect();
        assert_eq!(session.get_attributes(key, &types).expect("read"), wanted);
        assert_eq!(session.get_attributes(key, &[AttributeType::Value]).expect("asked"), [], "it is not given out");
        for label in ["", "a\nb", "a\0", &"n".repeat(2_049)] {
            assert!(matches!(token.create_key(label), Err(TokenError::BadLabel)), "{label:?}");
            assert_eq!(wrap_fails(&token, label), (KeyServiceErrorKind::Malformed, "BadLabel".into()), "{label:?}");
        }
        let long = "n".repeat(2_048);
        token.create_key(&long).expect("made");
        assert!(token.wrapping_key(&long, &cat()).is_ok());
    });
}

#[test]
fn a_key_makes_no_more_wraps_than_it_may_and_the_token_remembers() {
    on_token("a_key_makes_no_more_wraps_than_it_may_and_the_token_remembers", |_| {
        let open = || Token::open(options().with_max_wraps(7)).expect("open");
        let token = open();
        token.create_key("photos").expect("made");
        let first = token.wrapping_key("photos", &cat()).expect("a key");
        // Written before each block: blocks of 1, 1, 2, and the three that are left.
        for (wraps, written) in [(2, 2), (3, 4), (4, 4), (5, 7)] {
            token.wrapping_key("photos", &cat()).expect("a key");
            assert_eq!(counted("photos"), written, "after {wraps} wraps");
        }
        token.wrapping_key("photos", &cat()).expect("the sixth");
        token.wrapping_key("photos", &cat()).expect("the seventh");
        let limit = (KeyServiceErrorKind::Denied, "WrapLimit { limit: 7 }".to_owned());
        for token in [&token, &open()] {
            assert_eq!(wrap_fails(token, "photos"), limit);
            assert_eq!(counted("photos"), 7);
            assert!(reopen(token, with_blob("photos", first.blob()), &cat()).is_ok(), "opening has no limit");
        }
        let said = token.wrapping_key("photos", &cat()).expect_err("refused").to_string();
        assert!(said.contains("make a new key with another label"), "{said}");
        token.create_key("photos 2").expect("made");
        assert!(token.wrapping_key("photos 2", &cat()).is_ok());
        // A key of the same label goes on with the count.
        let (_module, session) = own_session();
        let [photos] = find(&session, ObjectClass::SECRET_KEY, "photos")[..] else { panic!("one key") };
        session.destroy_object(photos).expect("destroyed");
        token.create_key("photos").expect("made");
        assert_eq!(wrap_fails(&token, "photos"), limit);
    });
}

#[test]
fn no_option_raises_the_limit_and_blocks_do_not_grow_without_end() {
    on_token("no_option_raises_the_limit_and_blocks_do_not_grow_without_end", |_| {
        let token = Token::open(options().with_max_wraps(u32::MAX)).expect("open");
        token.create_key("photos").expect("made");
        // 1, 1, 2, 4 and so on to 512 are 1,024, and then there are 1,024 each time.
        for _ in 0..2_049 {
            token.wrapping_key("photos", &cat()).expect("a key");
        }
        assert_eq!(counted("photos"), 3_072);
        let (_module, session) = own_session();
        let put = |values: &[&[u8]]| {
            for old in find(&session, ObjectClass::DATA, "photos") {
                session.destroy_object(old).expect("destroyed");
            }
            for value in values {
                let attributes = [
                    Attribute::Class(ObjectClass::DATA),
                    Attribute::Token(true),
                    Attribute::Application("objseal wraps".into()),
                    Attribute::Label("photos".into()),
                    Attribute::Value(value.to_vec()),
                ];
                session.create_object(&attributes).expect("made");
            }
        };
        let open = || Token::open(options().with_max_wraps(u32::MAX)).expect("open");
        let limit = "WrapLimit { limit: 1048576 }";
        let number = |number: u32| u64::from(number).to_be_bytes();
        put(&[&number(MAX_WRAPS - 1)]);
        let last = open();
        assert!(last.wrapping_key("photos", &cat()).is_ok());
        assert_eq!(wrap_fails(&last, "photos").1, limit);
        // A crash may leave more than one: the largest number is the count, in whatever order they are found.
        for numbers in [[1, MAX_WRAPS], [MAX_WRAPS, 1]] {
            put(&numbers.map(number).each_ref().map(|value| &value[..]));
            assert_eq!(wrap_fails(&open(), "photos").1, limit);
        }
        put(&[&number(3), &number(9), &number(4)]);
        assert!(open().wrapping_key("photos", &cat()).is_ok());
        assert_eq!(counted("photos"), 10, "and the others are gone");
        for value in [&[][..], &[0; 7], &[0; 9]] {
            put(&[value]);
            assert_eq!(wrap_fails(&open(), "photos"), (KeyServiceErrorKind::Malformed, "BadCounter".into()));
        }
    });
}

#[test]
fn many_threads_share_few_sessions() {
    on_token("many_threads_share_few_sessions", |_| {
        let token = with_key();
        let together = Barrier::new(24);
        let work = |thread: usize| {
            together.wait();
            let of_thread = context(&[("thread", &thread.to_string())]);
            let wrap = || {
                let key = token.wrapping_key("photos", &of_thread).expect("a key");
                let again = reopen(&token, with_blob("photos", key.blob()), &of_thread).expect("it opens");
                assert_eq!(again.secret().expose_secret(), key.secret().expose_secret());
                *key.secret().expose_secret()
            };
            (0..20).map(|_| wrap()).collect::<Vec<_>>()
        };
        let work = &work;
        let secrets: BTreeSet<[u8; 32]> = thread::scope(|scope| {
            let threads: Vec<_> = (0..24).map(|thread| scope.spawn(move || work(thread))).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!(secrets.len(), 24 * 20);
        assert!((480..=960).contains(&counted("photos")));
    });
}

#[test]
fn a_wrong_pin_is_refused_and_said_to_be_dangerous() {
    on_token("a_wrong_pin_is_refused_and_said_to_be_dangerous", |_| {
        let with_pin = |pin: &str| Token::open(options().with_pin(Zeroizing::new(pin.into())));
        let wrong = with_pin("4321").expect_err("wrong");
        assert!(matches!(wrong, TokenError::Login(LoginFault::WrongFewLeft)), "SoftHSM says so: {wrong:?}");
        assert!(wrong.to_string().contains("few tries are left"), "{wrong}");
        assert_eq!(KeyServiceError::from(wrong).kind(), KeyServiceErrorKind::Denied);
        assert!(matches!(with_pin(""), Err(TokenError::BadPin)));
        assert!(matches!(with_pin(&"1".repeat(257)), Err(TokenError::BadPin)));
        let none = Token::open(TokenOptions::new(MODULE).with_token("vault"));
        assert!(matches!(none, Err(TokenError::NoPin)), "{none:?}");
        assert!(with_pin(PIN).is_ok());
    });
}

#[test]
fn a_pin_that_was_refused_is_not_tried_again() {
    on_token("a_pin_that_was_refused_is_not_tried_again", |_| {
        let token = with_key();
        let change = |old: &str, new: &str| {
            let (_module, session) = own_session();
            let _ = session.login(UserType::User, Some(&AuthPin::from(old)));
            session.set_pin(&AuthPin::from(old), &AuthPin::from(new)).expect("changed");
        };
        change(PIN, "98765");
        finalise();
        assert_eq!(wrap_fails(&token, "photos").0, KeyServiceErrorKind::Unreachable);
        let denied = wrap_fails(&token, "photos");
        assert_eq!(denied, (KeyServiceErrorKind::Denied, "Login(WrongFewLeft)".into()));
        // By now it would be right, and nobody asks.
        change("98765", PIN);
        finalise();
        assert_eq!(wrap_fails(&token, "photos"), denied);
        assert!(Token::open(options().with_key("photos")).is_ok(), "anew it is tried");
    });
}

/// Ends the module for the whole process, as other code in it could do.
fn finalise() {
    Pkcs11::new(MODULE).expect("loaded").finalize().expect("ended");
}

#[test]
fn lost_sessions_fail_one_call_and_are_opened_anew() {
    on_token("lost_sessions_fail_one_call_and_are_opened_anew", |_| {
        let token = with_key();
        let key = token.wrapping_key("photos", &cat()).expect("a key");
        for _ in 0..3 {
            finalise();
            let error = token.wrapping_key("photos", &cat()).expect_err("lost");
            assert!(error.is_transient());
            let (kind, said) = reason(error);
            assert_eq!(kind, KeyServiceErrorKind::Unreachable);
            assert!(said.starts_with("Lost") && said.contains("CryptokiNotInitialized"), "{said}");
            assert!(reopen(&token, with_blob("photos", key.blob()), &cat()).is_ok());
            assert!(token.wrapping_key("photos", &cat()).is_ok());
        }
    });
}

#[test]
fn a_key_that_is_only_invisible_is_not_unknown() {
    on_token("a_key_that_is_only_invisible_is_not_unknown", |_| {
        let token = with_key();
        let key = token.wrapping_key("photos", &cat()).expect("a key");
        let (_module, session) = own_session();
        session.logout().expect("the whole process is");
        let error = reopen(&token, with_blob("photos", key.blob()), &cat()).expect_err("lost");
        assert_eq!(
            reason(error),
            (KeyServiceErrorKind::Unreachable, "Lost { reason: \"the user is no longer logged in\" }".into())
        );
        assert!(reopen(&token, with_blob("photos", key.blob()), &cat()).is_ok());
        assert_eq!(wrap_fails(&token, "missing").0, KeyServiceErrorKind::UnknownKey);
    });
}

#[test]
fn a_token_is_found_by_what_is_said_of_it() {
    on_token("a_token_is_found_by_what_is_said_of_it", |folder| {
        new_token(folder, "second");
        let (module, session) = own_session();
        let slot = session.get_session_info().expect("read").slot_id();
        let info = module.get_token_info(slot).expect("read");
        let (serial, slot) = (info.serial_number().to_owned(), slot.id());
        drop(session);
        let pin = || Zeroizing::new(PIN.to_owned());
        let opened = |options: TokenOptions| Token::open(options.with_pin(pin())).map(drop);
        let any = || TokenOptions::new(MODULE);
        assert!(matches!(opened(any()), Err(TokenError::SeveralTokens)));
        assert!(matches!(opened(any().with_token("third")), Err(TokenError::NoToken)));
        assert!(matches!(opened(any().with_token("vault").with_serial("0000")), Err(TokenError::NoToken)));
        assert!(matches!(opened(any().with_token("second").with_slot(slot)), Err(TokenError::NoToken)));
        for fits in [any().with_token("vault"), any().with_serial(&serial), any().with_slot(slot)] {
            assert!(opened(fits).is_ok());
        }
        for (path, what) in [("/usr/lib/missing.so", "missing.so"), ("libsofthsm2.so", "not an absolute path")] {
            let error = opened(TokenOptions::new(path)).expect_err("no module");
            assert!(matches!(error, TokenError::Module { .. }) && error.to_string().contains(what), "{error}");
        }
        by_uri(folder, &serial);
    });
}

/// The same by URI, with the PIN in a file.
fn by_uri(folder: &Path, serial: &str) {
    let pin_file: PathBuf = folder.join("pin");
    let write = |content: &[u8], mode| {
        fs::write(&pin_file, content).expect("written");
        fs::set_permissions(&pin_file, Permissions::from_mode(mode)).expect("set");
    };
    let uri = format!(
        "pkcs11:model=SoftHSM%20v2;manufacturer=SoftHSM%20project;serial={serial};token=vault\
         ?module-path={MODULE}&pin-source=file:{}",
        pin_file.display()
    );
    let opened = || Token::open(TokenOptions::from_uri(&uri).expect("a URI")).map(drop);
    for content in ["1234", "1234\n", "1234\r\n", "1234\nand more\n"] {
        write(content.as_bytes(), 0o600);
        assert!(opened().is_ok(), "{content:?}");
    }
    for content in [&b""[..], b"\n1234", b"\xff\xfe", &[b'1'; 257]] {
        write(content, 0o600);
        assert!(matches!(opened(), Err(TokenError::BadPin)), "{content:?}");
    }
    write(PIN.as_bytes(), 0o640);
    let error = opened().expect_err("others can read it");
    assert!(matches!(error, TokenError::PinFile(_)) && error.to_string().contains("permissions are 640"), "{error}");
    fs::remove_file(&pin_file).expect("removed");
    assert!(matches!(opened(), Err(TokenError::PinFile(_))));
}
