//! The IDs of activities: a job, and what makes one of its activities differ from the others.

/// The ID of the activity of an attempt that has received this many signals.
///
/// The number of the attempt is left out of the first one, unless the name of the job could be read
/// as one with a number.
pub(crate) fn activity_id(job: &str, attempt: u32, signals: usize) -> String {
    match (attempt, signals) {
        (1, 0) if !job.contains(SEPARATOR) => job.to_owned(),
        (attempt, 0) => format!("{job}{SEPARATOR}{attempt}"),
        (attempt, signals) => format!("{job}{SEPARATOR}{attempt}.{signals}"),
    }
}

/// The job and the attempt of an activity with this ID.
pub(crate) fn attempt_of(activity_id: &str) -> (String, u32) {
    let parts = activity_id.rsplit_once(SEPARATOR).and_then(|(job, attempt)| {
        let attempt = attempt.split('.').next()?.parse().ok()?;
        Some((job.to_owned(), attempt))
    });
    parts.unwrap_or_else(|| (activity_id.to_owned(), 1))
}

/// What stands between the job and the number of the attempt.
const SEPARATOR: char = '#';

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_of_recorded_histories_stay() {
        assert_eq!(activity_id("load", 1, 0), "load");
        assert_eq!(activity_id("load", 2, 0), "load#2");
        assert_eq!(activity_id("price[2]", 1, 3), "price[2]#1.3");
        assert_eq!(activity_id("load#2", 1, 0), "load#2#1");
    }

    proptest! {
        #[test]
        fn an_attempt_is_read_as_written(
            job in "[a-z#.0-9+ ]{1,6}", attempt in 1..20_u32, signals in 0..3_usize,
        ) {
            let id = activity_id(&job, attempt, signals);
            prop_assert_eq!(attempt_of(&id), (job, attempt), "{}", id);
        }
    }
}
