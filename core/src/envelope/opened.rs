//! The envelope of an object, opened or made here.

use super::attributes::Attributes;
use super::body::StoredBody;
use super::derive::{Role, Subkey};
use super::error::EnvelopeError;
use super::head::{Content, Head, TableFacts, WrappedKey};
use super::layers::{Layers, head_mac};
use super::parts::Part;
use crate::engine::Engine;
use crate::error::{Error, Refusal};
use crate::random::Source;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// An envelope whose MAC holds, and its data keys.
pub struct Envelope {
    head: Arc<Head>,
    stored: Vec<u8>,
    layers: Layers,
    /// Which of the wrapped keys gave the data key of each layer.
    opened_by: Vec<usize>,
    random: Source,
}

impl Envelope {
    /// The envelope of a stored head whose MAC was found to hold.
    pub(super) fn opened(
        head: Arc<Head>,
        stored: Vec<u8>,
        layers: Layers,
        opened_by: Vec<usize>,
        random: Source,
    ) -> Self {
        Self { head, stored, layers, opened_by, random }
    }

    /// The envelope of `head`, which gets its MAC.
    pub(super) fn make(head: Head, layers: Layers, random: Source) -> Result<Self, EnvelopeError> {
        let mut stored = head.encode()?;
        stored.extend_from_slice(&head_mac(&layers.subkey(Subkey::Mac), &stored, &head.context.digest()));
        let first_of = |layer| head.wrapped_keys.iter().position(|key| key.layer == layer);
        let opened_by = (1..=head.layers()).filter_map(first_of).collect();
        Ok(Self { head: Arc::new(head), stored, layers, opened_by, random })
    }

    /// The head. It is authentic.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The head as it is to be stored.
    #[must_use]
    pub fn stored(&self) -> &[u8] {
        &self.stored
    }

    /// For each layer, the innermost first, the wrapped key that opened it, or the first one of an envelope that was made
    /// here.
    pub fn opened_by(&self) -> impl Iterator<Item = &WrappedKey> {
        self.opened_by.iter().map(|&entry| &self.head.wrapped_keys[entry])
    }

    /// The engines that seal and open what belongs to it: for each layer one, the innermost first.
    #[must_use]
    pub fn engines(&self) -> Vec<Engine> {
        let frame = self.layers.frame();
        (1..=frame.layers).map(|layer| frame.engines.engine(layer)).collect()
    }

    pub(super) fn layers(&self) -> &Layers {
        &self.layers
    }

    /// What opens the body.
    ///
    /// # Errors
    /// [`EnvelopeError::OtherContent`] if the object is in parts.
    pub fn body(&self) -> Result<StoredBody, EnvelopeError> {
        match &self.head.content {
            Content::Body { salts } => Ok(self.layers.open(Role::Body, 0, salts)),
            _ => Err(EnvelopeError::OtherContent),
        }
    }

    /// What opens the body of a part, which a part table of this object said is one.
    #[must_use]
    pub fn part(&self, part: &Part) -> StoredBody {
        self.layers.open(Role::Body, part.number, &part.salts)
    }

    /// All parts. `detached` is the stored part table, if it is not in the envelope.
    ///
    /// # Errors
    /// [`EnvelopeError::OtherContent`] if the object is not in parts, or its table is stored apart and was not given;
    /// [`EnvelopeError::Authentication`] if it is not the table of this object.
    pub fn parts(&self, detached: Option<&[u8]>) -> Result<Vec<Part>, EnvelopeError> {
        let Content::Parts { table, sealed } = &self.head.content else { return Err(EnvelopeError::OtherContent) };
        let sealed = sealed.as_deref().or(detached).ok_or(EnvelopeError::OtherContent)?;
        let entries = Zeroizing::new(self.table_opener(table).open(sealed)?);
        table.check_len(self.head.layers(), entries.len() as u64)?;
        table.decode(self.head.layers(), &entries, None, true)
    }

    pub(super) fn table_opener(&self, table: &TableFacts) -> StoredBody {
        self.layers.frame().record_opener(Role::Table, &self.layers.subkey(Subkey::Table), &table.salts)
    }

    /// Seals the attributes, under salts of their own.
    ///
    /// # Errors
    /// [`EnvelopeError::Seal`] if there are no random bytes to be had; [`EnvelopeError::Format`] if an ETag is out of its
    /// bounds.
    pub fn seal_attributes(&self, attributes: &Attributes) -> Result<Vec<u8>, EnvelopeError> {
        let key = self.layers.subkey(Subkey::Attributes);
        self.layers.frame().seal_attributes(&key, attributes, &self.random)
    }

    /// Opens attributes that are stored outside of the head.
    ///
    /// # Errors
    /// [`EnvelopeError::Authentication`] if they do not belong to this object or were changed; [`EnvelopeError::Format`]
    /// if this library does not know what they say.
    pub fn open_attributes(&self, sealed: &[u8]) -> Result<Attributes, EnvelopeError> {
        self.layers.open_attributes(sealed)
    }

    /// The same object with these attributes in its head, for stores that write the head after the body.
    ///
    /// # Errors
    /// Those of [`seal_attributes`](Self::seal_attributes).
    pub fn with_attributes(self, attributes: &Attributes) -> Result<Self, EnvelopeError> {
        let sealed = self.seal_attributes(attributes)?;
        let head = Head { attributes: Some(sealed), ..Arc::unwrap_or_clone(self.head) };
        let made = Self::make(head, self.layers, self.random)?;
        Ok(Self { opened_by: self.opened_by, ..made })
    }

    /// The attributes that are in the head, if they are.
    ///
    /// # Errors
    /// [`EnvelopeError::Authentication`] and [`EnvelopeError::Format`] as for [`open_attributes`](Self::open_attributes).
    pub fn attributes(&self) -> Result<Option<Attributes>, EnvelopeError> {
        let opened = self.head.attributes.as_ref().map(|sealed| self.open_attributes(sealed)).transpose()?;
        // How long a body is shows when it is opened; how long parts are the head says.
        if let (Some(attributes), Content::Parts { table, .. }) = (&opened, &self.head.content)
            && attributes.plaintext_len != table.plaintext_len
        {
            return Err(Error::refused(Refusal::Length).into());
        }
        Ok(opened)
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope").field("head", &*self.head).finish_non_exhaustive()
    }
}
