//! What the store does not do for a while, told once and not at every look.

use crate::store::StoreError;

/// What failed last.
#[derive(Debug, Default)]
pub(super) struct Outage(Option<String>);

impl Outage {
    /// Tells why something is not done, unless it was not done before for the same reason.
    pub(super) fn note(&mut self, what: &'static str, error: &StoreError) {
        let reason = error.to_string();
        if self.0.as_ref() != Some(&reason) {
            tracing::warn!(%error, "{what}; trying again");
            self.0 = Some(reason);
        }
    }

    /// Tells that it is done again.
    pub(super) fn end(&mut self, what: &'static str) {
        if self.0.take().is_some() {
            tracing::info!("{what} again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_told_once_until_it_is_over() {
        let mut outage = Outage::default();
        let mut note = |text: &str| {
            let before = outage.0.clone();
            outage.note("nothing is done", &StoreError::Unavailable(text.into()));
            outage.0 != before
        };
        assert_eq!(
            ["full", "full", "gone", "gone", "full"].map(&mut note),
            [true, false, true, false, true]
        );
        outage.end("all is done");
        assert_eq!(outage.0, None);
    }
}
