//! How the keys of something stored are come by: what is asked for and in which order, what the answers lead to, and that
//! nobody is asked about what the policy does not accept.

use objseal::envelope::{
    Attributes, Demand, DemandedContext, EncryptionContext, Envelope, EnvelopeError, FormatError, Head, KeyKind,
    KeyRequest, KeyService, KeyServiceError, KeyServiceErrorKind, NewBody, ObjectId, OpenOptions, PartSealer, Plan,
    Policy, SealOptions, ServiceContext, StoredBody, Upload, WrappingKey,
};
use objseal::file::{self, FileError, SLOTS_LEN};
use objseal::hazmat::encode_head;
use objseal::hazmat::refusals::{self, Refusal};
use objseal::limits::{INLINE_ENVELOPE_LEN, MAX_BLOB_LEN, MAX_KEY_ID_LEN};
use objseal::{Error, Key, RandomError, RandomSource, checksums};
use objseal_keys::keyring::{Keyring, SharedKeyring};
use objseal_tests::{context, pattern, seal_in_memory};
use std::error::Error as _;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Answer = Result<Arc<WrappingKey>, KeyServiceError>;
type Change = fn(&mut Policy);

const NOBODY: [&str; 0] = [];

/// The reason for a refusal is the last one of the process, so the tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// That `open` gives the one opaque error, for this reason.
fn refused<T>(what: &str, reason: Refusal, open: impl FnOnce() -> Result<T, EnvelopeError>) {
    refusals::take();
    let error = open().map(drop).expect_err(what);
    assert!(matches!(error, EnvelopeError::Authentication), "{what}: {error}");
    assert_eq!(refusals::take(), Some(reason), "{what}");
}

/// That the key at hand is another one of the name `key_id`.
fn another_key<T>(key_id: &str, result: Result<T, EnvelopeError>) {
    let error = result.map(drop).expect_err("another key");
    let EnvelopeError::OtherKey(found) = error else { panic!("{key_id}: {error}") };
    assert_eq!(found.key_id, key_id);
}

/// That nobody has any of the keys, which are these.
fn nobody_has<T>(keys: &[&str], result: Result<T, EnvelopeError>) {
    let error = result.map(drop).expect_err("nobody has a key");
    let EnvelopeError::NoAcceptedKey { wanted } = error else { panic!("{keys:?}: {error}") };
    assert_eq!(wanted.iter().map(|key| &key.key_id).collect::<Vec<_>>(), keys);
}

/// The wrapping key of this id, always the same.
fn key(id: &str) -> Arc<WrappingKey> {
    Arc::new(WrappingKey::new("kms", id, 1, secret(id)).expect("a name"))
}

/// What uploads are bound to.
fn place() -> EncryptionContext {
    context(&[("bucket", "photos"), ("upload id", "17")])
}

fn secret(id: &str) -> Key {
    Key::from_bytes(&[id.as_bytes()[0]; Key::LEN])
}

fn single(byte: u8) -> Arc<WrappingKey> {
    Arc::new(WrappingKey::from_key(Key::from_bytes(&[byte; Key::LEN])))
}

fn sealing(inner: &[&str], outer: &[&str]) -> SealOptions {
    let options = inner.iter().fold(SealOptions::default(), |options, id| options.with_key(key(id)));
    outer.iter().fold(options, |options, id| options.with_outer_key(key(id)))
}

/// The head of an object under these keys.
fn head(inner: &[&str], outer: &[&str]) -> Vec<u8> {
    sealing(inner, outer).start().expect("sealed").0.stored().to_vec()
}

fn plan(head: &[u8]) -> Plan<Envelope> {
    OpenOptions::new().plan(head).expect("accepted")
}

fn name(request: &KeyRequest) -> String {
    format!("{}/{}", request.layer(), request.key_id())
}

/// Follows a plan to its end; gives what was asked for.
fn follow<T>(mut plan: Plan<T>, answer: impl Fn(&str) -> Answer) -> (Vec<String>, Result<T, EnvelopeError>) {
    let mut asked = Vec::new();
    while let Some(request) = plan.next_request() {
        asked.push(name(&request));
        assert!(asked.len() < 20, "it has no end");
        plan.answer(answer(request.key_id()));
    }
    (asked, plan.finish())
}

fn unknown() -> Answer {
    Err(KeyServiceErrorKind::UnknownKey.into())
}

/// A key service that answers as it was told, and remembers what it was asked.
struct Told {
    name: &'static str,
    answer: Box<dyn Fn(&KeyRequest) -> Answer + Send + Sync>,
    asked: Mutex<Vec<String>>,
}

impl Told {
    fn new(answer: impl Fn(&KeyRequest) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Self::named("kms", answer)
    }

    fn named(name: &'static str, answer: impl Fn(&KeyRequest) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { name, answer: Box::new(answer), asked: Mutex::default() })
    }

    fn has_all() -> Arc<Self> {
        Self::new(|request| Ok(key(request.key_id())))
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl KeyService for Told {
    fn name(&self) -> &str {
        self.name
    }

    fn wrapping_key(&self, _: &str, _: &EncryptionContext) -> Answer {
        panic!("it is asked for keys to open with")
    }

    fn reopen(&self, request: &KeyRequest) -> Answer {
        self.asked.lock().expect("no panic").push(name(request));
        (self.answer)(request)
    }
}

impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.asked.fmt(f)
    }
}

#[test]
fn the_policy_refuses_before_anybody_is_asked() {
    fn only(name: &str) -> Option<Vec<String>> {
        Some(vec![name.into()])
    }
    let _turn = turn();
    let bound = context(&[("name", "cat.jpg")]);
    let (envelope, _) = sealing(&["a"], &["b"]).with_context(bound.clone()).start().expect("sealed");
    let service = Told::has_all();
    let mut options = OpenOptions::new().with_service(service.clone()).with_context(bound);
    let with = |change: Change| {
        let mut options = options.clone();
        change(options.policy_mut());
        [options.plan(envelope.stored()).map(drop), options.open(envelope.stored()).map(drop)]
    };
    let demands: [(Demand, Change); 6] = [
        (Demand::Context, |policy| *policy = Policy::default()),
        (Demand::Context, |policy| policy.context = DemandedContext::Exactly(context(&[("name", "Cat.jpg")]))),
        (Demand::ObjectId, |policy| policy.object_id = Some(ObjectId::from_bytes([7; ObjectId::LEN]))),
        (Demand::Generation, |policy| policy.minimum_generation = 2),
        (Demand::Layers, |policy| policy.minimum_layers = 3),
        (Demand::Suites, |policy| policy.suites = Some(Vec::new())),
    ];
    for (demand, change) in demands {
        for error in with(change).map(|result| result.expect_err("refused")) {
            assert!(matches!(error, EnvelopeError::Policy(found) if found == demand), "{demand:?}: {error}");
        }
    }
    let not_accepted: [(&str, Change); 7] = [
        ("a", |policy| policy.keys.services = only("another")),
        ("a", |policy| policy.keys.key_ids = only("b")),
        ("b", |policy| policy.keys.key_ids = only("a")),
        ("a", |policy| policy.layer_keys[0].services = only("another")),
        ("a", |policy| policy.layer_keys[0].key_ids = only("b")),
        ("b", |policy| policy.layer_keys[1].services = only("another")),
        ("b", |policy| policy.layer_keys[1].key_ids = only("a")),
    ];
    for (missing, change) in not_accepted {
        with(change).into_iter().for_each(|result| nobody_has(&[missing], result));
    }
    assert_eq!(service.asked(), NOBODY);

    let policy = options.policy_mut();
    policy.object_id = Some(envelope.head().object_id);
    (policy.minimum_generation, policy.minimum_layers) = (1, 2);
    policy.suites = Some(envelope.head().suites.clone());
    policy.keys.services = only("kms");
    policy.layer_keys[0].key_ids = only("a");
    policy.layer_keys[1].key_ids = only("b");
    // Whoever follows a plan asks, not the service among the options.
    let (asked, opened) = follow(options.plan(envelope.stored()).expect("accepted"), |id| Ok(key(id)));
    assert_eq!((asked, service.asked().len()), (vec!["1/a".into(), "2/b".into()], 0));
    assert_eq!(opened.expect("authentic").head(), envelope.head());
    options.open(envelope.stored()).expect("accepted");
    assert_eq!(service.asked(), ["1/a", "2/b"]);
}

#[test]
fn entries_are_asked_for_in_the_stored_order_until_one_opens() {
    let _turn = turn();
    let head = head(&["cc", "d", "a", "b"], &[]);
    let mut options = OpenOptions::new();
    options.policy_mut().keys.key_ids = Some(["a", "cc", "d"].map(String::from).to_vec());
    let plan = || options.plan(&head).expect("accepted");
    let (asked, opened) = follow(plan(), |id| if id == "a" { unknown() } else { Ok(key(id)) });
    assert_eq!(asked, ["1/a", "1/d"]);
    assert_eq!(opened.expect("authentic").opened_by().next().expect("a layer").key_id, "d");
    // Each once, whether it is answered or not. Shorter ids go first, and b is not accepted.
    let all = ["1/a", "1/d", "1/cc"];
    let (asked, result) = follow(plan(), |_| unknown());
    assert_eq!(asked, all);
    nobody_has(&["a", "b", "d", "cc"], result);
    let mut plan = plan();
    assert_eq!([(); 3].map(|()| plan.next_request().as_ref().map(name)), all.map(|name| Some(name.into())));
    assert!(plan.next_request().is_none() && plan.next_request().is_none(), "it stays at the end");
}

#[test]
fn the_second_layer_is_asked_for_when_the_first_is_open() {
    let _turn = turn();
    let head = head(&["a", "b"], &["c", "d"]);
    let has = |ids: &'static [&str]| move |id: &str| if ids.contains(&id) { Ok(key(id)) } else { unknown() };
    let (asked, opened) = follow(plan(&head), has(&["b", "d"]));
    assert_eq!(asked, ["1/a", "1/b", "2/c", "2/d"]);
    let by: Vec<_> = opened.as_ref().expect("authentic").opened_by().map(|entry| entry.key_id.as_str()).collect();
    assert_eq!(by, ["b", "d"]);
    // What is left of a layer that is open is not asked for.
    let (asked, opened) = follow(plan(&head), has(&["a", "c"]));
    assert_eq!(asked, ["1/a", "2/c"]);
    opened.expect("authentic");
    let (asked, result) = follow(plan(&head), has(&["c", "d"]));
    assert_eq!(asked, ["1/a", "1/b"]);
    nobody_has(&["a", "b"], result);
    let (asked, result) = follow(plan(&head), has(&["a", "b"]));
    assert_eq!(asked, ["1/a", "2/c", "2/d"]);
    nobody_has(&["c", "d"], result);

    // One layer that nobody can open is enough to ask nobody.
    let mut options = OpenOptions::new();
    options.policy_mut().layer_keys[1].key_ids = Some(vec!["a".into()]);
    nobody_has(&["c", "d"], options.plan(&head));
    let elsewhere = Arc::new(WrappingKey::new("elsewhere", "c", 1, secret("c")).expect("names"));
    let (envelope, _) = sealing(&["a"], &[]).with_outer_key(elsewhere).start().expect("sealed");
    let service = Told::has_all();
    nobody_has(&["c"], OpenOptions::new().with_service(service.clone()).open(envelope.stored()));
    assert_eq!(service.asked(), NOBODY);
}

#[test]
fn a_failure_counts_more_than_a_refusal_and_a_refusal_more_than_no_key() {
    use KeyServiceErrorKind::{
        Denied, Disabled, Malformed, PendingDeletion, Refused, Throttled, TimedOut, UnknownKey, Unreachable, WrongUsage,
    };
    let _turn = turn();
    let head = head(&["a", "b"], &[]);
    let answers = |a: KeyServiceErrorKind, b: KeyServiceErrorKind| {
        let error = move |id: &str| KeyServiceError::new(if id == "a" { a } else { b }, format!("{id} says"));
        let (asked, result) = follow(plan(&head), |id| Err(error(id)));
        assert_eq!(asked, ["1/a", "1/b"]);
        result
    };
    let transient = [Throttled, TimedOut, Unreachable];
    for failure in [Denied, Disabled, PendingDeletion, WrongUsage, Malformed].into_iter().chain(transient) {
        for other in [Refused, UnknownKey] {
            for (a, b, says) in [(failure, other, "a says"), (other, failure, "b says")] {
                let error = answers(a, b).expect_err("it failed");
                assert_eq!(error.source().map(ToString::to_string).as_deref(), Some(says));
                let EnvelopeError::KeyService(error) = error else { panic!("{a:?}, {b:?}: {error}") };
                assert_eq!((error.kind(), error.is_transient()), (failure, transient.contains(&failure)));
            }
        }
        // Another entry opens.
        let (_, opened) = follow(plan(&head), |id| if id == "a" { Err(failure.into()) } else { Ok(key(id)) });
        opened.expect("authentic");
    }
    for (a, b) in [(Refused, Refused), (Refused, UnknownKey), (UnknownKey, Refused)] {
        refused(&format!("{a:?}, {b:?}"), Refusal::Wrap, || answers(a, b));
    }
    nobody_has(&["a", "b"], answers(UnknownKey, UnknownKey));
}

#[test]
fn what_went_wrong_with_an_open_layer_is_forgotten() {
    let _turn = turn();
    let head = head(&["a", "b"], &["c"]);
    for failure in [KeyServiceErrorKind::Unreachable, KeyServiceErrorKind::Refused] {
        let (asked, result) = follow(plan(&head), |id| match id {
            "a" => Err(failure.into()),
            "b" => Ok(key("b")),
            _ => unknown(),
        });
        assert_eq!(asked, ["1/a", "1/b", "2/c"]);
        nobody_has(&["c"], result);
    }
}

#[test]
fn what_was_not_asked_for_is_no_answer_and_half_a_plan_opens_nothing() {
    let _turn = turn();
    let head = head(&["a"], &["b"]);
    nobody_has(&["a"], plan(&head).finish());
    let mut early = plan(&head);
    assert!(!early.answer(Ok(key("a"))), "nothing was asked for");
    assert!(!early.answer(Err(KeyServiceErrorKind::Unreachable.into())));
    nobody_has(&["a"], early.finish());

    let mut half = plan(&head);
    half.next_request().expect("layer 1");
    assert!(half.answer(Ok(key("a"))));
    assert!(!half.answer(Ok(key("b"))), "it was not asked for yet");
    assert!(!half.answer(Err(KeyServiceErrorKind::Unreachable.into())));
    nobody_has(&["b"], half.finish());

    let mut late = plan(&head);
    late.next_request().expect("layer 1");
    assert!(late.next_request().is_none(), "layer 1 was not opened");
    assert!(!late.answer(Ok(key("a"))), "there is nothing to answer any more");
    nobody_has(&["a"], late.finish());
}

#[test]
fn a_key_of_something_else_is_refused() {
    let _turn = turn();
    let local = |service, id, version, letter| WrappingKey::new(service, id, version, secret(letter)).expect("names");
    let right = |service, id, version, blob: &[u8]| {
        local(service, id, version, "a").with_blob(KeyKind::Shared, ServiceContext::Object, blob).expect("it fits")
    };
    let of = |kind, service_context| local("kms", "a", 2, "a").with_blob(kind, service_context, b"blob");
    let sealed_under = Arc::new(right("kms", "a", 2, b"blob"));
    let (envelope, _) = SealOptions::new(sealed_under.clone()).start().expect("sealed");
    let wrong = [
        ("another service", right("kmss", "a", 2, b"blob")),
        ("another id", right("kms", "b", 2, b"blob")),
        ("another version", right("kms", "a", 1, b"blob")),
        ("no version", right("kms", "a", 0, b"blob")),
        ("another blob", right("kms", "a", 2, b"blub")),
        ("no blob", right("kms", "a", 2, b"")),
        ("a longer blob", right("kms", "a", 2, b"blob1")),
        ("another kind", of(KeyKind::Object, ServiceContext::Object).expect("it fits")),
        ("a kind without fingerprint", of(KeyKind::Customer, ServiceContext::Object).expect("it fits")),
        ("no kind to speak of", local("kms", "a", 2, "a")),
        ("another service context", of(KeyKind::Shared, ServiceContext::Bucket).expect("it fits")),
        ("no service context", of(KeyKind::Shared, ServiceContext::None).expect("it fits")),
    ];
    for (what, wrong) in wrong {
        let wrong = Arc::new(wrong);
        refused(what, Refusal::Wrap, || follow(plan(envelope.stored()), |_| Ok(wrong.clone())).1);
        let answer = wrong.clone();
        let service = Told::new(move |_| Ok(answer.clone()));
        let options = OpenOptions::new().with_service(service.clone());
        refused(what, Refusal::Wrap, || options.open(envelope.stored()));
        assert_eq!(service.asked(), ["1/a"], "{what}");
        // The same question can have another answer, from another service of the name.
        let mut plan = plan(envelope.stored());
        plan.next_request().expect("one entry");
        assert!(!plan.answer(Ok(wrong)) && plan.answer(Ok(sealed_under.clone())), "{what}");
        plan.finish().expect("authentic");
    }
    // All the same, and another secret: the words are others.
    let another = local("kms", "a", 2, "b").with_blob(KeyKind::Shared, ServiceContext::Object, b"blob");
    let another = Arc::new(another.expect("it fits"));
    another_key("a", follow(plan(envelope.stored()), |_| Ok(another.clone())).1);
    let mut plan = plan(envelope.stored());
    plan.next_request().expect("one entry");
    assert!(!plan.answer(Ok(another)) && plan.answer(Ok(sealed_under)));
    plan.finish().expect("authentic");
    // The right key of another recipient.
    let head = head(&["a", "b"], &[]);
    refused("each the key of the other", Refusal::Wrap, || {
        follow(self::plan(&head), |id| Ok(key(if id == "a" { "b" } else { "a" }))).1
    });
}

#[test]
fn the_right_keys_do_not_open_a_changed_head() {
    let _turn = turn();
    let stored = head(&["a"], &[]);
    let mut head = Head::parse(&stored).expect("a head").unverified().clone();
    head.generation += 1;
    let changed = [&encode_head(&head).expect("it fits")[..], &stored[stored.len() - 32..]].concat();
    refused("a newer head", Refusal::Mac, || {
        let mut plan = plan(&changed);
        plan.next_request().expect("one entry");
        assert!(plan.answer(Ok(key("a"))), "the wrap itself is the same");
        plan.finish()
    });
}

#[test]
fn services_of_the_same_name_are_asked_until_one_opens() {
    let _turn = turn();
    let head = head(&["a", "b"], &[]);
    let wrong = |id: &str| WrappingKey::new("kms", id, 1, secret("x")).expect("a name");
    let services = [
        Told::named("elsewhere", |_| panic!("its name is another one")),
        Told::new(|_| unknown()),
        Told::new(|_| Err(KeyServiceErrorKind::Unreachable.into())),
        Told::new(move |request| Ok(Arc::new(wrong(request.key_id())))),
        Told::new(|request| if request.key_id() == "b" { Ok(key("b")) } else { unknown() }),
        Told::has_all(),
        Told::new(|_| panic!("it is open")),
    ];
    let open = |services: &[Arc<Told>]| {
        services.iter().fold(OpenOptions::new(), |options, service| options.with_service(service.clone())).open(&head)
    };
    let opened = open(&services).expect("authentic");
    assert_eq!(opened.opened_by().next().expect("a layer").key_id, "a");
    assert_eq!(services.each_ref().map(|service| service.asked().len()), [0, 1, 1, 1, 1, 1, 0]);

    let opened = open(&services[..5]).expect("authentic");
    assert_eq!(opened.opened_by().next().expect("a layer").key_id, "b");
    for service in &services[1..5] {
        assert_eq!(service.asked(), ["1/a", "1/a", "1/b"], "for each entry once, and once before");
    }
    let error = open(&services[..4]).expect_err("none has it");
    assert!(matches!(&error, EnvelopeError::KeyService(error) if error.is_transient()), "{error}");
    nobody_has(&["a", "b"], open(&services[..2]));
}

#[test]
fn keys_at_hand_are_tried_before_anybody_is_asked() {
    let _turn = turn();
    let (envelope, _) = SealOptions::new(single(1)).start().expect("sealed");
    for keys in [[1, 2], [2, 1]] {
        let options = OpenOptions::new().with_key(single(keys[0])).with_key(single(keys[1]));
        options.open(envelope.stored()).expect("authentic");
        let mut plan = options.plan(envelope.stored()).expect("accepted");
        assert!(plan.next_request().is_none());
        plan.finish().expect("authentic");
    }
    let options = OpenOptions::new().with_key(single(2)).with_key(single(3));
    another_key(WrappingKey::SINGLE_KEY_ID, options.open(envelope.stored()));

    // In the place of a service, or beside it.
    let service = Told::has_all();
    let head = head(&["a", "b"], &[]);
    OpenOptions::new().with_service(service.clone()).with_key(key("b")).open(&head).expect("authentic");
    assert_eq!(service.asked(), NOBODY);
    let wrong = Arc::new(WrappingKey::new("kms", "b", 1, secret("x")).expect("a name"));
    OpenOptions::new().with_service(service.clone()).with_key(wrong).open(&head).expect("authentic");
    assert_eq!(service.asked(), ["1/a"]);
}

#[test]
fn a_key_at_hand_opens_its_layer_and_a_service_the_other() {
    let _turn = turn();
    for (inner, outer, asked) in [(single(1), key("b"), "2/b"), (key("a"), single(1), "1/a")] {
        let (envelope, _) = SealOptions::new(inner).with_outer_key(outer).start().expect("sealed");
        let service = Told::has_all();
        // It takes the right one of two.
        let options = OpenOptions::new().with_key(single(2)).with_key(single(1));
        let (named, opened) = follow(options.plan(envelope.stored()).expect("accepted"), |id| Ok(key(id)));
        assert_eq!(named, [asked]);
        opened.expect("authentic");
        options.with_service(service.clone()).open(envelope.stored()).expect("authentic");
        assert_eq!(service.asked(), [asked]);
    }
}

#[test]
fn a_blob_comes_back_and_is_bound_to_the_wrap() {
    let _turn = turn();
    let bound = context(&[("name", "cat.jpg")]);
    let with_blob = |blob: &[u8]| {
        let key = WrappingKey::new("kms", "a", 0, secret("a")).expect("names");
        Arc::new(key.with_blob(KeyKind::Object, ServiceContext::Object, blob).expect("it fits"))
    };
    let blob = b"what the service wrapped";
    let (envelope, _) = SealOptions::new(with_blob(blob)).with_context(bound.clone()).start().expect("sealed");
    let options = OpenOptions::new().with_context(bound.clone());
    let mut plan = options.plan(envelope.stored()).expect("accepted");
    let request = plan.next_request().expect("one entry");
    assert_eq!((request.service(), request.key_id(), request.key_version()), ("kms", "a", 0));
    assert_eq!((request.layer(), request.context(), request.object_id()), (1, &bound, envelope.head().object_id));
    assert_eq!(request.blob(), blob);
    assert_eq!((request.kind(), request.service_context()), (KeyKind::Object, ServiceContext::Object));
    assert!(plan.answer(Ok(with_blob(request.blob()))));
    plan.finish().expect("authentic");

    let at = envelope.stored().windows(blob.len()).position(|window| window == blob).expect("it stands in clear");
    for changed_byte in at..at + blob.len() {
        let mut changed = envelope.stored().to_vec();
        changed[changed_byte] ^= 1;
        // Whether the service takes the blob as it is, or has the right one.
        let believes = Told::new(move |request| Ok(with_blob(request.blob())));
        let knows = Told::new(move |_| Ok(with_blob(blob)));
        for service in [believes, knows] {
            refused("a changed blob", Refusal::Wrap, || options.clone().with_service(service).open(&changed));
        }
    }

    let longest = with_blob(&pattern(MAX_BLOB_LEN));
    let (envelope, _) = SealOptions::new(longest.clone()).start().expect("it fits");
    let (_, opened) = follow(self::plan(envelope.stored()), |_| Ok(longest.clone()));
    opened.expect("authentic");
    let three = ["b", "c"].into_iter().fold(SealOptions::new(longest), |options, id| {
        let key = WrappingKey::new("kms", id, 0, secret(id)).expect("names");
        let key = key.with_blob(KeyKind::Shared, ServiceContext::None, &pattern(MAX_BLOB_LEN));
        options.with_key(Arc::new(key.expect("it fits")))
    });
    assert!(matches!(three.start().map(drop), Err(EnvelopeError::Format(FormatError::TooLong))), "it fits no head");
    let a = || WrappingKey::new("kms", "a", 1, secret("a")).expect("names");
    for (kind, len, expected) in [
        (KeyKind::Object, MAX_BLOB_LEN + 1, FormatError::TooLong),
        (KeyKind::Local, 1, FormatError::Malformed),
        (KeyKind::Local, 0, FormatError::Malformed),
    ] {
        assert_eq!(a().with_blob(kind, ServiceContext::None, &pattern(len)).err(), Some(expected), "{kind:?}");
    }
    let refusal = |service: &str, id: &str| WrappingKey::new(service, id, 1, secret("a")).err();
    let longest = "x".repeat(MAX_KEY_ID_LEN);
    assert_eq!(refusal(&longest, &longest), None);
    for (wrong, expected) in [
        ("", FormatError::Malformed),
        ("a\n", FormatError::Malformed),
        (&"x".repeat(MAX_KEY_ID_LEN + 1), FormatError::TooLong),
    ] {
        assert_eq!((refusal(wrong, "a"), refusal("kms", wrong)), (Some(expected), Some(expected)), "{wrong}");
    }
}

#[test]
fn an_upload_state_has_a_plan_too() {
    let _turn = turn();
    let bound = context(&[("name", "cat.jpg")]);
    let server = WrappingKey::new("kms", "server", 3, secret("s")).expect("names");
    let server = Arc::new(server.with_blob(KeyKind::Shared, ServiceContext::Bucket, b"blob").expect("it fits"));
    let sealing = sealing(&["a"], &["b"]).with_context(bound.clone());
    let (upload, _) = sealing.start_upload(&server, &place()).expect("started");
    let service = Told::has_all();
    let mut options = OpenOptions::new().with_service(service.clone()).with_context(bound.clone());
    let answer = |_: &str| Ok(server.clone());

    let mut plan = options.plan_upload(upload.stored(), &place()).expect("accepted");
    let request = plan.next_request().expect("one entry");
    assert_eq!((name(&request).as_str(), request.service(), request.key_version()), ("0/server", "kms", 3));
    assert_eq!((request.kind(), request.service_context()), (KeyKind::Shared, ServiceContext::Bucket));
    assert_eq!((request.blob(), request.object_id()), (&b"blob"[..], upload.object_id()));
    assert_eq!(request.context(), &place());
    assert!(plan.answer(answer("server")));
    assert!(plan.next_request().is_none());
    let resumed = plan.finish().expect("authentic");
    assert_eq!(service.asked(), NOBODY, "the state is none of its business");

    // Sealing parts takes the object's own keys, by a plan or at once.
    let (asked, parts) = follow(resumed.plan_parts(&options).expect("accepted"), |id| Ok(key(id)));
    assert_eq!((asked, service.asked().len()), (vec!["1/a".into(), "2/b".into()], 0));
    let (attempt, body) = parts.expect("the right keys").part(1).expect("a salt");
    let stored_part = body.seal(b"plain").expect("sealed");
    let (receipt, proof) = resumed.receipt(attempt, Attributes::new(5)).expect("a receipt");
    resumed.unlock(&options).expect("the right keys");
    assert_eq!(service.asked(), ["1/a", "2/b"]);
    let etag = receipt.attributes.etag.expect("there is one");
    let selection = upload.select(&[(1, &etag)], &[&proof]).expect("it is there");
    let attributes = checksums::of_parts(&selection.attributes());
    let completed = upload.complete(&selection, &attributes, INLINE_ENVELOPE_LEN).expect("completed");
    let opened = options.open(&completed.head).expect("authentic");
    assert_eq!(service.asked(), ["1/a", "2/b", "1/a", "2/b"]);
    let parts = opened.parts(None).expect("authentic");
    assert_eq!(opened.part(&parts[0]).open(&stored_part).expect("authentic"), b"plain");

    // Keys of layers are not those of the state; what the object has to be like is seen when its own keys are wanted.
    let service = Told::new(|_| panic!("asked"));
    options.policy_mut().layer_keys.iter_mut().for_each(|keys| keys.key_ids = Some(Vec::new()));
    options.policy_mut().context = DemandedContext::default();
    let (asked, resumed) = follow(options.plan_upload(upload.stored(), &place()).expect("accepted"), answer);
    assert_eq!(asked, ["0/server"]);
    let resumed = resumed.expect("authentic");
    let demands = OpenOptions::new().with_service(service.clone());
    for error in [resumed.plan_parts(&demands).map(drop), resumed.unlock(&demands).map(drop)] {
        assert!(matches!(error, Err(EnvelopeError::Policy(Demand::Context))));
    }
    let mut demands = demands.with_context(bound);
    demands.policy_mut().layer_keys[1].key_ids = Some(vec!["a".into()]);
    nobody_has(&["b"], resumed.plan_parts(&demands));
    nobody_has(&["b"], resumed.unlock(&demands));
    let not_accepted: [Change; 2] = [
        |policy| policy.keys.key_ids = Some(vec!["a".into()]),
        |policy| policy.keys.services = Some(vec!["another".into()]),
    ];
    for change in not_accepted {
        let mut options = OpenOptions::new().with_service(service.clone()).with_key(server.clone());
        change(options.policy_mut());
        nobody_has(&["server"], options.plan_upload(upload.stored(), &place()));
        nobody_has(&["server"], options.resume_upload(upload.stored(), &place()));
    }
    assert_eq!(service.asked(), NOBODY);
    let plan = || OpenOptions::new().plan_upload(upload.stored(), &place()).expect("accepted");
    refused("the id of the key, and nothing else of it", Refusal::Wrap, || follow(plan(), |_| Ok(key("server"))).1);
    let another = WrappingKey::new("kms", "server", 3, secret("x")).expect("names");
    let another = Arc::new(another.with_blob(KeyKind::Shared, ServiceContext::Bucket, b"blob").expect("it fits"));
    another_key("server", follow(plan(), |_| Ok(another.clone())).1);
}

#[test]
fn a_file_in_pieces_has_a_plan_too() {
    let _turn = turn();
    let bound = context(&[("name", "cat.jpg")]);
    let plain = pattern(100_000);
    let stored = seal_in_memory(&sealing(&["a", "b"], &["c"]).with_context(bound.clone()), &plain);
    let (slots, rest) = stored.split_first_chunk().expect("slots");
    let options = OpenOptions::new().with_context(bound);
    let plan = file::Opener::plan(&options, slots).expect("accepted");
    let (asked, opener) = follow(plan, |id| if id == "a" { unknown() } else { Ok(key(id)) });
    assert_eq!(asked, ["1/a", "1/b", "2/c"]);
    let (mut opener, mut opened) = (opener.expect("authentic"), Vec::new());
    for piece in rest.chunks(9_999) {
        let mut out = vec![0; opener.update_len(piece.len())];
        opener.update(piece, &mut out).expect("authentic");
        opened.extend(out);
    }
    let mut out = vec![0; opener.finish_len()];
    opener.finish(&mut out).expect("authentic");
    opened.extend(out);
    assert!(opened == plain);

    let plan = file::Opener::plan(&options, slots).expect("accepted");
    refused("other keys", Refusal::Wrap, || follow(plan, |_| Ok(key("x"))).1);
    let error = file::Opener::plan(&OpenOptions::new(), slots).expect_err("a policy");
    assert!(matches!(error, FileError::Envelope(EnvelopeError::Policy(Demand::Context))), "{error}");
    let error = file::Opener::plan(&options, &[0; SLOTS_LEN]).expect_err("no file");
    assert!(matches!(error, FileError::NotSealed), "{error}");
}

#[test]
fn a_server_can_share_and_keep_them() {
    fn sent<T: Send + Sync + 'static>() {}
    fn shared<T: Clone + Send + Sync + 'static>() {}
    shared::<SealOptions>();
    shared::<OpenOptions>();
    shared::<Policy>();
    shared::<EncryptionContext>();
    shared::<KeyRequest>();
    shared::<Arc<dyn KeyService>>();
    sent::<WrappingKey>();
    sent::<Envelope>();
    sent::<Upload>();
    sent::<PartSealer>();
    sent::<Plan<Envelope>>();
    sent::<Plan<Upload>>();
    sent::<Plan<PartSealer>>();
    sent::<Plan<file::Opener>>();
    sent::<NewBody>();
    sent::<StoredBody>();
    sent::<file::Sealer>();
    sent::<file::Opener>();
    sent::<Keyring>();
    sent::<SharedKeyring>();
    sent::<KeyServiceError>();
    sent::<EnvelopeError>();
    sent::<FileError>();
}

/// Bytes that follow from a seed and from how many were drawn before.
struct Seeded {
    seed: u64,
    drawn: AtomicU64,
}

impl RandomSource for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomError> {
        for byte in bytes {
            let at = self.seed + self.drawn.fetch_add(1, Ordering::Relaxed);
            *byte = at.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes()[2];
        }
        Ok(())
    }
}

/// Everything that is stored of objects whose random bytes follow from a seed, and how many bytes were drawn.
fn stored_with(seed: u64) -> (Vec<Vec<u8>>, u64) {
    let random = Arc::new(Seeded { seed, drawn: AtomicU64::new(0) });
    let sealing = sealing(&["a", "b"], &["c"]).with_random(random.clone());
    let opening = ["a", "c", "server"].into_iter().fold(OpenOptions::new(), |options, id| options.with_key(key(id)));
    let opening = opening.with_random(random.clone());
    let attributes = Attributes::new(5);

    let (envelope, body) = sealing.start().expect("sealed");
    let mut stored = vec![envelope.stored().to_vec(), body.seal(b"plain").expect("sealed")];
    let opened = opening.open(envelope.stored()).expect("authentic");
    stored.push(sealing.rewrap(&opened).expect("rewrapped").stored().to_vec());
    for envelope in [envelope, opened] {
        stored.push(envelope.seal_attributes(&attributes).expect("sealed"));
        stored.push(envelope.with_attributes(&attributes).expect("sealed").stored().to_vec());
    }
    stored.push(seal_in_memory(&sealing, b"plain"));

    let (upload, parts) = sealing.start_upload(&key("server"), &place()).expect("started");
    stored.push(upload.stored().to_vec());
    let resumed = opening.resume_upload(upload.stored(), &place()).expect("authentic");
    let resumed_parts = resumed.unlock(&opening).expect("the right keys");
    for (upload, parts) in [(upload, parts), (resumed, resumed_parts)] {
        let (attempt, body) = parts.part(1).expect("a salt");
        stored.push(body.seal(b"plain").expect("sealed"));
        let (receipt, proof) = upload.receipt(attempt, attributes.clone()).expect("a receipt");
        let etag = receipt.attributes.etag.expect("there is one");
        let selection = upload.select(&[(1, &etag)], &[&proof]).expect("it is there");
        stored.push(proof);
        let attributes = checksums::of_parts(&selection.attributes());
        for inline_len in [INLINE_ENVELOPE_LEN, 0] {
            let completed = upload.complete(&selection, &attributes, inline_len).expect("completed");
            stored.push(completed.head);
            stored.extend(completed.table);
        }
    }
    (stored, random.drawn.load(Ordering::Relaxed))
}

#[test]
fn a_given_source_of_random_bytes_is_the_only_one() {
    let _turn = turn();
    let (once, drawn) = stored_with(1);
    assert_eq!((once.clone(), drawn), stored_with(1));
    // And all that is stored depends on it.
    let (other, _) = stored_with(1_000_000);
    assert!(once.len() == 19 && once.iter().zip(&other).all(|(one, other)| one != other));
}

#[test]
fn without_random_bytes_nothing_is_sealed() {
    struct Broken;
    impl RandomSource for Broken {
        fn fill(&self, _: &mut [u8]) -> Result<(), RandomError> {
            Err(RandomError::new())
        }
    }
    fn failed<T>(result: Result<T, EnvelopeError>) {
        let error = result.map(drop).expect_err("no random bytes");
        assert!(matches!(error, EnvelopeError::Seal(Error::Random)), "{error}");
    }
    let _turn = turn();
    let working = sealing(&["a"], &[]);
    let broken = working.clone().with_random(Arc::new(Broken));
    let opening = OpenOptions::new().with_key(key("a")).with_random(Arc::new(Broken));
    failed(broken.start());
    failed(broken.start_upload(&key("a"), &place()));
    let opened = opening.open(&head(&["a"], &[])).expect("authentic");
    failed(broken.rewrap(&opened));
    failed(opened.seal_attributes(&Attributes::new(5)));
    failed(opened.with_attributes(&Attributes::new(5)));

    let (upload, parts) = working.start_upload(&key("a"), &place()).expect("started");
    let (attempt, _) = parts.part(1).expect("a salt");
    let (receipt, proof) = upload.receipt(attempt, Attributes::new(5)).expect("a receipt");
    let etag = receipt.attributes.etag.expect("there is one");
    let resumed = opening.resume_upload(upload.stored(), &place()).expect("authentic");
    failed(resumed.unlock(&opening).expect("the right keys").part(2));
    let (attempt, _) = parts.part(2).expect("a salt");
    failed(resumed.receipt(attempt, Attributes::new(5)));
    let selection = resumed.select(&[(1, &etag)], &[&proof]).expect("it is there");
    failed(resumed.complete(&selection, &checksums::of_parts(&selection.attributes()), 0));
}
