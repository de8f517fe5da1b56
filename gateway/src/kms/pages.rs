//! Lists that are answered piece by piece: Limit, Marker, Truncated, NextMarker.

use super::failure::Failure;
use objseal_keys::kms::{KmsError, KmsErrorKind};
use serde::Serialize;

/// A piece of a list.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_marker: Option<String>,
}

/// The piece of a sorted list that a request asks for.
///
/// A marker is the name of the last entry that was given: what is added or removed meanwhile shifts nothing.
pub(super) fn page<T>(
    mut entries: Vec<T>,
    name: impl Fn(&T) -> &str,
    (limit, marker): (Option<usize>, Option<String>),
    (default, most): (usize, usize),
) -> Result<(Vec<T>, Page), Failure> {
    let limit = limit.unwrap_or(default);
    if !(1..=most).contains(&limit) {
        return Err(Failure::validation(format!("Limit is 1 to {most}")));
    }
    if let Some(marker) = marker {
        let Some(last) = marker.strip_prefix(PREFIX) else {
            return Err(KmsError::new(KmsErrorKind::InvalidMarker, "The marker is not one of this list.").into());
        };
        entries.retain(|entry| name(entry) > last);
    }
    let truncated = entries.len() > limit;
    entries.truncate(limit);
    let next_marker = entries.last().filter(|_| truncated).map(|last| format!("{PREFIX}{}", name(last)));
    Ok((entries, Page { truncated, next_marker }))
}

/// What every marker begins with.
const PREFIX: &str = "after:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_make_the_list() {
        let all: Vec<String> = (0..10).map(|n| format!("k{n}")).collect();
        let mut marker = None;
        let mut got = Vec::new();
        for expected in [4, 4, 2] {
            let (entries, page) = page(all.clone(), |name| name, (Some(4), marker), (100, 1_000)).expect("a page");
            assert_eq!(entries.len(), expected);
            assert_eq!(page.truncated, expected == 4);
            assert_eq!(page.next_marker.is_some(), page.truncated);
            marker = page.next_marker;
            got.extend(entries);
        }
        assert_eq!(got, all);
    }

    #[test]
    fn what_is_removed_meanwhile_shifts_nothing() {
        let all = |names: &[&str]| names.iter().map(|name| String::from(*name)).collect::<Vec<_>>();
        let (_, first) = page(all(&["a", "b", "c"]), |name| name, (Some(2), None), (100, 1_000)).expect("a page");
        let rest = page(all(&["a", "c", "d"]), |name| name, (None, first.next_marker), (100, 1_000)).expect("a page");
        assert_eq!(rest.0, ["c", "d"]);
    }

    #[test]
    fn bounds_and_markers_of_others_are_refused() {
        for (limit, marker, code) in [
            (Some(0), None, "ValidationException"),
            (Some(1_001), None, "ValidationException"),
            (None, Some("k3".into()), "InvalidMarkerException"),
        ] {
            let failure = page(vec![String::new()], |name| name, (limit, marker), (100, 1_000)).err().expect("refused");
            let body = String::from_utf8(failure.body().to_vec()).expect("text");
            assert!(body.contains(code), "{body}");
        }
    }
}
