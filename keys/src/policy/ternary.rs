//! Three answers: yes, no, and one that cannot be had.

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ternary {
    No,
    /// Something in the policy, or in the request, is not understood.
    Maybe,
    Yes,
}

impl Ternary {
    /// The other answer.
    pub(super) fn negated_if(self, negated: bool) -> Self {
        match (self, negated) {
            (Self::No, true) => Self::Yes,
            (Self::Yes, true) => Self::No,
            (answer, _) => answer,
        }
    }

    /// All of them; yes without any.
    pub(super) fn all(answers: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::Yes;
        for answer in answers {
            match answer {
                Self::No => return Self::No,
                Self::Maybe => all = Self::Maybe,
                Self::Yes => {}
            }
        }
        all
    }

    /// One of them at least; no without any.
    pub(super) fn any(answers: impl IntoIterator<Item = Self>) -> Self {
        Self::all(answers.into_iter().map(|answer| answer.negated_if(true))).negated_if(true)
    }
}

impl From<bool> for Ternary {
    fn from(answer: bool) -> Self {
        if answer { Self::Yes } else { Self::No }
    }
}
