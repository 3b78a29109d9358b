//! Histograms of durations. Their buckets grow by an eighth of a power of two, so percentiles are
//! upper bounds, accurate to 9.1 %.

/// The number of buckets for each power of two.
const PER_DOUBLING: f64 = 8.0;

/// The bucket of a duration in microseconds. Bucket 0 is for a microsecond or less.
pub(crate) fn bucket(micros: i64) -> i32 {
    if micros <= 1 {
        return 0;
    }
    (micros as f64).log2().mul_add(PER_DOUBLING, -1e-9).ceil() as i32
}

/// The longest duration in a bucket, in microseconds.
pub(crate) fn upper(bucket: i32) -> i64 {
    (f64::from(bucket) / PER_DOUBLING).exp2() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_holds_its_value_within_nine_percent() {
        for micros in (0..40).flat_map(|power| [1i64 << power, (1 << power) + 1, (3 << power) / 2])
        {
            let upper = upper(bucket(micros));
            assert!(upper + 1 >= micros, "{micros} in a bucket up to {upper}");
            assert!(upper as f64 <= micros as f64 * 1.091 + 1.0, "{micros}: {upper}");
        }
    }
}
