//! Another head for a file that stays where it is, and a crash at every step of it.

use objseal::cobblestone::ReadAt;
use objseal::envelope::{Demand, EncryptionContext, EnvelopeError, SealOptions};
use objseal::file::{self, FileError, SealedFile, SlotState, WriteAt};
use objseal_keys::keyring::{Keyring, KeyringError};
use objseal_tests::{context, open_file, open_options, pattern, seal_file, seal_options};
use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io;
use std::sync::Arc;

fn keyring() -> Arc<Keyring> {
    objseal_tests::keyring(&["main", "other"])
}

/// A disk that stops working after some steps: a write of a sector of 512 bytes is a step, and so is a sync.
struct Disk {
    bytes: RefCell<Vec<u8>>,
    steps: Cell<usize>,
}

impl Disk {
    fn new(bytes: &[u8], steps: usize) -> Self {
        Self { bytes: RefCell::new(bytes.to_vec()), steps: steps.into() }
    }

    fn step(&self) -> io::Result<()> {
        let left = self.steps.get().checked_sub(1).ok_or(io::ErrorKind::Other)?;
        self.steps.set(left);
        Ok(())
    }
}

impl ReadAt for Disk {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.bytes.borrow()[..].read_exact_at(buffer, offset)
    }

    fn size(&self) -> io::Result<u64> {
        self.bytes.borrow()[..].size()
    }
}

impl WriteAt for Disk {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let start = usize::try_from(offset).expect("small");
        for (index, sector) in bytes.chunks(512).enumerate() {
            self.step()?;
            self.bytes.borrow_mut()[start + 512 * index..][..sector.len()].copy_from_slice(sector);
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.step()
    }
}

fn rewrap(keyring: &Arc<Keyring>, key: &str, pairs: EncryptionContext, disk: &Disk) -> Result<(), FileError> {
    let sealing = seal_options(keyring, &[key]).with_context(pairs);
    file::rewrap(&open_options(keyring).with_any_context(), disk, |_| Ok(sealing)).map(drop)
}

#[test]
fn only_the_head_changes() {
    let keyring = keyring();
    let plain = pattern(40_000);
    let old = seal_file(&keyring, "main", context(&[("name", "a")]), &plain);
    let disk = Disk::new(&old, usize::MAX);
    rewrap(&keyring, "other", context(&[("name", "b")]), &disk).expect("rewrapped");
    let new = disk.bytes.into_inner();
    assert!(new[8192..] == old[8192..]);
    assert!(new[..4096] == new[4096..8192]);
    let (opened, plaintext) = open_file(&keyring, &new);
    let opened = opened.expect("authentic");
    assert!(plaintext == plain);
    assert_eq!(opened.slots, SlotState::Same);
    assert_eq!(opened.envelope.head().generation, 2);
    assert_eq!(opened.envelope.head().context, context(&[("name", "b")]));
    assert_eq!(opened.envelope.opened_by().next().expect("a layer").key_id, "other");
    // An old head is a valid one; a policy tells.
    let mut opening = open_options(&keyring).with_any_context();
    opening.policy_mut().minimum_generation = 2;
    SealedFile::open(&opening, &new[..]).expect("new enough");
    let error = SealedFile::open(&opening, &old[..]).expect_err("refused");
    assert!(matches!(error, FileError::Envelope(EnvelopeError::Policy(Demand::Generation))), "{error}");
}

#[test]
fn a_crash_at_any_step_leaves_a_file_that_opens() {
    let keyring = keyring();
    let plain = pattern(20_000);
    let fresh = seal_file(&keyring, "main", context(&[("name", "a")]), &plain);
    let disk = Disk::new(&fresh, usize::MAX);
    rewrap(&keyring, "main", context(&[("name", "b")]), &disk).expect("rewrapped");
    let rewrapped = disk.bytes.into_inner();
    let mut slot_a_damaged = fresh.clone();
    slot_a_damaged[1000] ^= 1;
    let mut slot_b_older = rewrapped.clone();
    slot_b_older[4096..8192].copy_from_slice(&fresh[4096..8192]);
    for start in [&fresh, &rewrapped, &slot_a_damaged, &slot_b_older] {
        let (before, _) = open_file(&keyring, start);
        let before = before.expect("authentic").envelope.head().generation;
        let (mut old, mut new) = (0, 0);
        for steps in 0..=18 {
            let disk = Disk::new(start, steps);
            let done = rewrap(&keyring, "other", context(&[("name", "c")]), &disk);
            assert_eq!(done.is_ok(), steps == 18, "{steps} steps");
            let (opened, plaintext) = open_file(&keyring, &disk.bytes.borrow());
            let opened = opened.unwrap_or_else(|error| panic!("{steps} steps: {error}"));
            assert!(plaintext == plain, "{steps} steps");
            match opened.envelope.head().generation {
                generation if generation == before => old += 1,
                generation if generation == before + 1 => new += 1,
                generation => panic!("generation {generation}"),
            }
            // Whatever was left behind, the next rewrap ends it.
            disk.steps.set(usize::MAX);
            rewrap(&keyring, "main", EncryptionContext::new(), &disk).expect("rewrapped");
            let (opened, _) = open_file(&keyring, &disk.bytes.borrow());
            assert_eq!(opened.expect("authentic").slots, SlotState::Same, "{steps} steps");
        }
        assert!(old >= 8 && new >= 9, "{old} old, {new} new");
        println!("rewrap: {old} crashes left the old head, {new} the new one");
    }
}

#[test]
fn what_does_not_open_is_not_rewrapped() {
    let keyring = keyring();
    let stored = seal_file(&keyring, "main", EncryptionContext::new(), b"text");
    let unchanged = |disk: &Disk, bytes: &[u8]| assert!(disk.bytes.borrow()[..] == *bytes);
    // Another key of the same name.
    let disk = Disk::new(&stored, usize::MAX);
    let error = rewrap(&self::keyring(), "main", EncryptionContext::new(), &disk).expect_err("refused");
    assert!(matches!(error, FileError::Envelope(EnvelopeError::OtherKey(_))), "{error}");
    unchanged(&disk, &stored);
    // Nobody is asked to decide about it.
    let error = file::rewrap(&open_options(&self::keyring()), &disk, |_| -> Result<_, FileError> { panic!("asked") });
    assert!(matches!(error.expect_err("refused"), FileError::Envelope(EnvelopeError::OtherKey(_))));
    unchanged(&disk, &stored);
    // A head, attributes or an end of the body that were changed.
    for at in [8_192, 8_220, stored.len() - 90, stored.len() - 30] {
        let mut changed = stored.clone();
        changed[at] ^= 1;
        let disk = Disk::new(&changed, usize::MAX);
        let error = rewrap(&keyring, "main", EncryptionContext::new(), &disk).expect_err("refused");
        assert!(matches!(error, FileError::Envelope(EnvelopeError::Authentication)), "byte {at}: {error}");
        unchanged(&disk, &changed);
    }
    // A head that does not fit.
    let error = rewrap(&keyring, "main", context(&[("k", &"x".repeat(5000))]), &disk).expect_err("refused");
    assert!(matches!(error, FileError::Envelope(EnvelopeError::Format(_))), "{error}");
    unchanged(&disk, &stored);
    for other in [&b""[..], &[0; 100], &[0; 10_000]] {
        let disk = Disk::new(other, usize::MAX);
        let error = rewrap(&keyring, "main", EncryptionContext::new(), &disk).expect_err("refused");
        assert!(matches!(error, FileError::NotSealed), "{error}");
    }
}

#[test]
fn a_head_that_was_changed_meanwhile_is_not_replaced() {
    let keyring = keyring();
    let stored = seal_file(&keyring, "main", EncryptionContext::new(), b"text");
    let disk = Disk::new(&stored, usize::MAX);
    // Somebody else is faster, between the decision and the writing.
    let result = file::rewrap(&open_options(&keyring), &disk, |_| {
        rewrap(&keyring, "main", context(&[("name", "theirs")]), &disk)?;
        Ok::<_, FileError>(seal_options(&keyring, &["other"]))
    });
    let error = result.expect_err("another head is there");
    assert_eq!(error.to_string(), "its head was changed meanwhile; nothing was written");
    assert!(matches!(error, FileError::Io(_)));
    let (opened, _) = open_file(&keyring, &disk.bytes.borrow());
    let head = opened.expect("authentic").envelope.head().clone();
    assert_eq!((head.generation, head.context), (2, context(&[("name", "theirs")])));
    // A slot that was damaged meanwhile is no other head.
    file::rewrap(&open_options(&keyring).with_any_context(), &disk, |_| {
        disk.bytes.borrow_mut()[5_000] ^= 1;
        Ok::<_, FileError>(seal_options(&keyring, &["other"]))
    })
    .expect("rewrapped");
    let (opened, _) = open_file(&keyring, &disk.bytes.borrow());
    let opened = opened.expect("authentic");
    assert_eq!((opened.slots, opened.envelope.head().generation), (SlotState::Same, 3));
}

#[test]
fn who_decides_sees_what_was_opened() {
    let keyring = keyring();
    let bound = context(&[("name", "a")]);
    let stored = seal_file(&keyring, "main", bound.clone(), b"text");
    let disk = Disk::new(&stored, usize::MAX);
    let opening = open_options(&keyring).with_context(bound.clone());
    // No such key to go to: that is for whoever decides to say.
    let nowhere = |_: &_| Ok::<_, Box<dyn Error>>(SealOptions::new(keyring.latest("nowhere")?));
    let error = file::rewrap(&opening, &disk, nowhere).expect_err("refused");
    assert!(matches!(error.downcast_ref(), Some(KeyringError::UnknownKey)), "{error}");
    assert!(disk.bytes.borrow()[..] == stored);
    // To the other key, with one pair more.
    let new = file::rewrap(&opening, &disk, |old| {
        assert_eq!(old.opened_by().next().expect("a layer").key_id, "main");
        let mut context = old.head().context.clone();
        context.insert("generation", &old.head().generation.to_string())?;
        Ok::<_, FileError>(seal_options(&keyring, &["other"]).with_context(context))
    });
    let new = new.expect("rewrapped");
    let opening = open_options(&keyring).with_context(context(&[("name", "a"), ("generation", "1")]));
    let file = SealedFile::open(&opening, &disk).expect("authentic");
    assert_eq!(file.info().envelope.stored(), new.stored());
    assert_eq!(new.opened_by().next().expect("a layer").key_id, "other");
    assert_eq!(file.body().open_range(0..4).expect("authentic"), b"text");
}
