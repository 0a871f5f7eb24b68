//! Summaries kept as their canonical bytes: a tenth of the memory where few cells are filled.

use driftline_sketch::{OutcomeProfile, OutcomeSummary, PredictedSummary, ShapeMismatch};

/// What can be kept packed.
pub(crate) trait Summary: Sized {
    fn nothing(profile: &OutcomeProfile) -> Self;
    fn write(&self, out: &mut Vec<u8>);
    fn read(input: &mut &[u8], profile: &OutcomeProfile) -> Option<Self>;
    fn join(&mut self, other: &Self) -> Result<(), ShapeMismatch>;
    /// How many predictions it is of.
    fn count(&self) -> u64;
}

impl Summary for OutcomeSummary {
    fn nothing(profile: &OutcomeProfile) -> Self {
        Self::empty(profile)
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }

    fn read(input: &mut &[u8], profile: &OutcomeProfile) -> Option<Self> {
        Self::decode(input, profile).ok()
    }

    fn join(&mut self, other: &Self) -> Result<(), ShapeMismatch> {
        self.merge(other)
    }

    fn count(&self) -> u64 {
        self.labelled()
    }
}

impl Summary for PredictedSummary {
    fn nothing(profile: &OutcomeProfile) -> Self {
        Self::empty(profile)
    }

    fn write(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }

    fn read(input: &mut &[u8], profile: &OutcomeProfile) -> Option<Self> {
        Self::decode(input, profile).ok()
    }

    fn join(&mut self, other: &Self) -> Result<(), ShapeMismatch> {
        self.merge(other)
    }

    fn count(&self) -> u64 {
        self.predicted()
    }
}

/// The bytes of a summary of the profile that it is unpacked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed(Box<[u8]>);

impl Packed {
    pub(crate) fn of<S: Summary>(summary: &S) -> Self {
        let mut bytes = Vec::new();
        summary.write(&mut bytes);
        Self(bytes.into())
    }

    /// The summary. Bytes that were packed here can always be read; whatever else they are counts as nothing.
    pub(crate) fn unpack<S: Summary>(&self, profile: &OutcomeProfile) -> S {
        S::read(&mut &*self.0, profile).unwrap_or_else(|| S::nothing(profile))
    }

    /// Adds a summary.
    ///
    /// # Errors
    /// When it is of another profile or a count would overflow; nothing changes then.
    pub(crate) fn merge<S: Summary>(
        &mut self,
        other: &S,
        profile: &OutcomeProfile,
    ) -> Result<(), ShapeMismatch> {
        let mut all: S = self.unpack(profile);
        all.join(other)?;
        *self = Self::of(&all);
        Ok(())
    }
}
