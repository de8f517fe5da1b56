//! Which versions of which root keys sealed objects still need.

use objseal::envelope::Head;
use std::collections::BTreeMap;

/// Counts which versions of which root keys objects are under, so that old ones can be given up when nothing needs them.
///
/// A version is needed until every object that has an entry of it was rewrapped. Only heads of objects that were opened prove
/// anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needed(BTreeMap<(String, String), BTreeMap<u32, u64>>);

impl Needed {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds an object.
    pub fn add(&mut self, head: &Head) {
        for entry in &head.wrapped_keys {
            let versions = self.0.entry((entry.service.clone(), entry.key_id.clone())).or_default();
            *versions.entry(entry.key_version).or_default() += 1;
        }
    }

    /// The versions of a key that are needed, sorted.
    pub fn versions(&self, service: &str, key_id: &str) -> impl Iterator<Item = u32> {
        let versions = self.0.get(&(service.into(), key_id.into()));
        versions.into_iter().flat_map(|versions| versions.keys().copied())
    }

    /// Service, key id, version, and how many wrapped keys are under it, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, u32, u64)> {
        self.0.iter().flat_map(|((service, key_id), versions)| {
            versions.iter().map(move |(&version, &count)| (service.as_str(), key_id.as_str(), version, count))
        })
    }
}
