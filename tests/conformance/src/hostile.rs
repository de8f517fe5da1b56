//! What who owns the storage can do to a stored file.

use objseal::cobblestone::SEALED_CHUNK_LEN;
use objseal::file::BODY_OFFSET;

/// Versions of `stored` that no face may open, each with what was done to it. `other` is another file of the same plaintext under
/// the same keys.
pub(crate) fn changed(stored: &[u8], other: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let body = usize::try_from(BODY_OFFSET).unwrap_or(0);
    let len = stored.len();
    let mut put = |what: String, bytes: Vec<u8>| {
        if bytes != stored {
            all.push((what, bytes));
        }
    };
    // Places in both slots at once, in the header, in chunks and tags, and at the end.
    for at in [0, 12, 13, 40, 100, 200] {
        let mut bytes = stored.to_vec();
        bytes[at] ^= 1;
        bytes[at + 4096] ^= 1;
        put(format!("byte {at} of both heads changed"), bytes);
    }
    let places =
        [body, body + 24, body + 56, body + 56 + 100, body + 56 + SEALED_CHUNK_LEN - 1, len - 90, len - 5, len - 1];
    for at in places.into_iter().filter(|&at| at < len) {
        let mut bytes = stored.to_vec();
        bytes[at] ^= 0x80;
        put(format!("byte {at} of {len} changed"), bytes);
    }
    let cuts = [0, 1, 4096, body - 1, body, body + 56, body + 71, body + 56 + SEALED_CHUNK_LEN, len - 4, len - 1];
    for to in cuts.into_iter().filter(|&to| to < len) {
        put(format!("cut to {to} of {len}"), stored[..to].to_vec());
    }
    for more in [1, 16, SEALED_CHUNK_LEN] {
        put(format!("{more} bytes more at the end"), [stored, &vec![0; more]].concat());
        let (before, after) = stored.split_at(len - 4);
        put(format!("{more} bytes more before the end"), [before, &vec![0; more], after].concat());
    }
    let chunk = |index: usize| body + 56 + index * SEALED_CHUNK_LEN;
    if chunk(2) <= len - 200 {
        let mut bytes = stored.to_vec();
        bytes.copy_within(chunk(1)..chunk(2), chunk(0));
        put("a chunk twice".into(), bytes);
        let mut bytes = stored.to_vec();
        bytes.drain(chunk(0)..chunk(1));
        put("a chunk left out".into(), bytes);
        let mut bytes = stored.to_vec();
        let second = bytes[chunk(1)..chunk(2)].to_vec();
        bytes.splice(chunk(2)..chunk(2), second);
        put("a chunk put in".into(), bytes);
    }
    put("the heads of another file".into(), [&other[..body], &stored[body..]].concat());
    put("the body of another file".into(), [&stored[..body], &other[body..]].concat());
    put("the end of another file".into(), [&stored[..len - 60], &other[len - 60..]].concat());
    all
}
