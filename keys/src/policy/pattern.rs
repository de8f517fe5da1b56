//! Patterns: text with `*`, `?` and policy variables.

use super::known::{Known, known};
use super::request::{Facts, Found};
use super::ternary::Ternary;

/// What is special in a pattern besides its text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Syntax {
    /// `*` is any text, `?` any character.
    pub(super) wildcards: bool,
    /// `${key}` is a value of the request: from version 2012-10-17 on.
    pub(super) variables: bool,
}

/// Most `?` and variables between two `*`: what a policy costs each request is bounded, whoever wrote it.
const MAX_PIECES: usize = 64;

/// A pattern. Matching takes time linear in the text, and where `?` or variables stand between two `*`, as many times
/// that as there are of them.
#[derive(Debug)]
pub(super) struct Pattern {
    /// Between two of them is a `*`. At least one.
    segments: Box<[Segment]>,
    variables: bool,
}

/// What stands between two `*`.
#[derive(Debug, Default)]
struct Segment(Vec<Piece>);

#[derive(Debug)]
enum Piece {
    Text(String),
    /// Any one character.
    One,
    Variable {
        key: String,
        default: Option<String>,
    },
}

impl Pattern {
    /// Reads a pattern; says why it is none.
    pub(super) fn parse(text: &str, syntax: Syntax) -> Result<Self, String> {
        let mut segments = vec![Segment::default()];
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let mut after = rest.get(first.len_utf8()..).unwrap_or_default();
            let piece = match (first, after.strip_prefix('{')) {
                ('*', _) if syntax.wildcards => None,
                ('?', _) if syntax.wildcards => Some(Piece::One),
                ('$', Some(inside)) if syntax.variables => {
                    let (inside, behind) =
                        inside.split_once('}').ok_or_else(|| format!("close the variable in {text:?} with }}"))?;
                    after = behind;
                    Some(variable(inside)?)
                }
                _ => Some(Piece::Text(first.into())),
            };
            put(&mut segments, piece);
            rest = after;
        }
        let many = |segment: &Segment| segment.0.iter().filter(|piece| !matches!(piece, Piece::Text(_))).count();
        if segments.iter().any(|segment| many(segment) > MAX_PIECES) {
            return Err(format!("there are more than {MAX_PIECES} of ? and variables between two * of {text:?}"));
        }
        let variables = segments.iter().flat_map(|segment| &segment.0).any(|p| matches!(p, Piece::Variable { .. }));
        Ok(Self { segments: segments.into(), variables })
    }

    /// Whether the whole text matches. No text is like a variable without value; one of several values cannot be
    /// decided.
    pub(super) fn matches(&self, text: &str, facts: &Facts<'_>) -> Ternary {
        match self.resolvable(facts) {
            Ternary::Yes => self.find_in(text, facts).into(),
            unresolved => unresolved,
        }
    }

    /// The same of a pattern without wildcards, whatever the case of letters.
    pub(super) fn equals_ignoring_case(&self, text: &str, facts: &Facts<'_>) -> Ternary {
        let unresolved = self.resolvable(facts);
        if unresolved != Ternary::Yes {
            return unresolved;
        }
        let pieces = self.segments.iter().flat_map(|segment| &segment.0);
        let own = pieces.flat_map(|piece| piece.text(facts).unwrap_or_default().chars());
        own.flat_map(char::to_lowercase).eq(text.chars().flat_map(char::to_lowercase)).into()
    }

    /// The keys of its variables, in lower case.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().flat_map(|segment| &segment.0).filter_map(|piece| match piece {
            Piece::Variable { key, .. } => Some(key.as_str()),
            Piece::Text(_) | Piece::One => None,
        })
    }

    fn resolvable(&self, facts: &Facts<'_>) -> Ternary {
        if !self.variables {
            return Ternary::Yes;
        }
        let pieces = self.segments.iter().flat_map(|segment| &segment.0);
        Ternary::all(pieces.map(|piece| match piece {
            Piece::Variable { key, default } => match facts.find(key) {
                Found::Several => Ternary::Maybe,
                Found::Nothing if default.is_none() => Ternary::No,
                Found::Nothing | Found::One(_) => Ternary::Yes,
            },
            Piece::Text(_) | Piece::One => Ternary::Yes,
        }))
    }

    /// The first segment is at the start and the last at the end. Of those between, each may be taken where it comes
    /// first: that leaves most to the others.
    fn find_in(&self, text: &str, facts: &Facts<'_>) -> bool {
        let Some((first, others)) = self.segments.split_first() else { return false };
        let Some(mut rest) = first.strip_from_start(text, facts) else { return false };
        let Some((last, between)) = others.split_last() else { return rest.is_empty() };
        for segment in between {
            match segment.find_in(rest, facts) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        last.is_end_of(rest, facts)
    }
}

impl Segment {
    fn strip_from_start<'t>(&self, text: &'t str, facts: &Facts<'_>) -> Option<&'t str> {
        strip(text, self.0.iter().map(|piece| piece.text(facts)))
    }

    fn is_end_of(&self, text: &str, facts: &Facts<'_>) -> bool {
        let stripped = self.0.iter().rev().try_fold(text, |rest, piece| match piece.text(facts) {
            Some(own) => rest.strip_suffix(own),
            None => rest.char_indices().next_back().and_then(|(last, _)| rest.get(..last)),
        });
        stripped.is_some()
    }

    /// What follows its first place in the text.
    fn find_in<'t>(&self, text: &'t str, facts: &Facts<'_>) -> Option<&'t str> {
        if let [Piece::Text(own)] = self.0.as_slice() {
            return text.split_once(own.as_str()).map(|(_, after)| after);
        }
        // Variables are looked up once, and not at each place.
        let own: Vec<Option<&str>> = self.0.iter().map(|piece| piece.text(facts)).collect();
        let ends = std::iter::once(text.len());
        let mut starts = text.char_indices().map(|(start, _)| start).chain(ends);
        starts.find_map(|start| strip(text.get(start..)?, own.iter().copied()))
    }
}

impl Piece {
    /// Its text; none for any one character.
    fn text<'t>(&'t self, facts: &'t Facts<'_>) -> Option<&'t str> {
        match self {
            Self::Text(text) => Some(text),
            Self::One => None,
            Self::Variable { key, default } => Some(match facts.find(key) {
                Found::One(value) => value,
                Found::Nothing | Found::Several => default.as_deref().unwrap_or_default(),
            }),
        }
    }
}

/// What follows these pieces, of which `None` is any one character.
fn strip<'t, 'p>(text: &'t str, mut pieces: impl Iterator<Item = Option<&'p str>>) -> Option<&'t str> {
    pieces.try_fold(text, |rest, piece| match piece {
        Some(own) => rest.strip_prefix(own),
        None => rest.chars().next().and_then(|first| rest.get(first.len_utf8()..)),
    })
}

/// Adds a piece, or the `*` that `None` stands for. Several `*` in a row are one.
fn put(segments: &mut Vec<Segment>, piece: Option<Piece>) {
    let many = segments.len() > 1;
    let Some(Segment(pieces)) = segments.last_mut() else { return };
    match (piece, pieces.last_mut()) {
        (Some(Piece::Text(more)), Some(Piece::Text(text))) => text.push_str(&more),
        (Some(piece), _) => pieces.push(piece),
        (None, None) if many => {}
        (None, _) => segments.push(Segment::default()),
    }
}

/// What stands in `${...}`: a special character, or a key with perhaps a default, `${aws:username, 'nobody'}`.
fn variable(inside: &str) -> Result<Piece, String> {
    if let "*" | "?" | "$" = inside {
        return Ok(Piece::Text(inside.into()));
    }
    let (key, default) = match inside.split_once(',') {
        None => (inside, None),
        Some((key, default)) => {
            let quoted = default.trim().strip_prefix('\'').and_then(|default| default.strip_suffix('\''));
            (key, Some(quoted.ok_or_else(|| format!("put the default in ${{{inside}}} in single quotes"))?.into()))
        }
    };
    let key = key.trim().to_lowercase();
    match known(&key) {
        Some(Known { many: false, .. }) => Ok(Piece::Variable { key, default }),
        Some(_) => Err(format!("${{{inside}}} has several values: use another variable")),
        None => Err(format!("the variable ${{{inside}}} is not known here: write the value itself")),
    }
}
