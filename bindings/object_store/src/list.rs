//! Listings with the sizes of plaintexts.

use crate::store::SealedStore;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, ListResult, ObjectMeta, ObjectStore, Result};
use objseal::envelope;
use objseal::file::sealed_len;

/// Objects of a listing that are opened at the same time.
const PARALLEL: usize = 10;

/// The sizes in a listing. Those of `head` and `get` are authentic always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListSizes {
    /// By the sealed size, for objects with as many layers and the digests that this store seals with. Nothing proves them, and
    /// for other objects they are wrong. What is too short to be sealed is listed with the size that it has.
    #[default]
    Computed,
    /// Each object is opened, in two fetches unless its head is kept: authentic, whatever it was sealed with. An object that
    /// does not open is an error in the listing.
    Opened,
}

impl<S: ObjectStore> SealedStore<S> {
    pub(crate) fn with_plain_sizes(
        &self,
        listing: BoxStream<'static, Result<ObjectMeta>>,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        let store = self.clone();
        match self.sizes {
            ListSizes::Computed => listing.map_ok(move |meta| store.computed(meta)).boxed(),
            ListSizes::Opened => listing
                .map_ok(move |meta| {
                    let store = store.clone();
                    async move { store.listed(meta).await }
                })
                .try_buffered(PARALLEL)
                .boxed(),
        }
    }

    pub(crate) async fn list_plain(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let ListResult { common_prefixes, objects, extensions } = self.inner.list_with_delimiter(prefix).await?;
        let objects = futures::stream::iter(objects).map(Ok).boxed();
        let objects = self.with_plain_sizes(objects).try_collect().await?;
        Ok(ListResult { common_prefixes, objects, extensions })
    }

    fn computed(&self, meta: ObjectMeta) -> ObjectMeta {
        let layers = self.seal.layers();
        // What slots and attributes take does not depend on the plaintext.
        let around = sealed_len(&self.seal, 0).zip(envelope::sealed_len(layers, 0)).map(|(file, body)| file - body);
        let body = around.and_then(|around| meta.size.checked_sub(around));
        let size = body.and_then(|body| envelope::plaintext_len(layers, body)).unwrap_or(meta.size);
        ObjectMeta { size, ..meta }
    }

    async fn listed(&self, meta: ObjectMeta) -> Result<ObjectMeta> {
        let kept = self.heads.find(&meta.location, None).filter(|opened| opened.is(&meta));
        let opened = match kept {
            Some(opened) => opened,
            None => self.open_head(&meta.location, &GetOptions::default()).await?,
        };
        Ok(opened.plain_meta())
    }
}
