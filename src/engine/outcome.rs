//! How a request ended: what the statistics of a variant tell apart.

crate::words::words! {
    /// The class of a response; the label `class` of the metrics.
    #[expect(missing_docs, reason = "1xx to 5xx, the names say it")]
    Class {
        Informational = "1xx",
        Success = "2xx",
        Redirection = "3xx",
        ClientError = "4xx",
        ServerError = "5xx",
        /// No response came.
        None = "none",
    }
}

impl Class {
    /// The class of a status code; 0 or anything else odd is `None`.
    pub const fn from_status(status: u16) -> Self {
        match status {
            100..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            _ => Self::None,
        }
    }
}

/// The duration of a request for its histogram: whole milliseconds, rounded to the nearest.
pub const fn milliseconds(nanoseconds: u64) -> u64 {
    nanoseconds.saturating_add(500_000) / 1_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_codes_fall_into_classes() {
        for (status, class) in [
            (100, "1xx"),
            (204, "2xx"),
            (301, "3xx"),
            (404, "4xx"),
            (503, "5xx"),
            (0, "none"),
            (600, "none"),
        ] {
            assert_eq!(Class::from_status(status).as_str(), class, "{status}");
        }
        assert!(Class::ALL.into_iter().enumerate().all(|(place, class)| class as usize == place));
    }

    #[test]
    fn durations_round_to_the_nearest_millisecond() {
        for (nanoseconds, wanted) in
            [(0, 0), (499_999, 0), (500_000, 1), (1_499_999, 1), (u64::MAX, 18_446_744_073_709)]
        {
            assert_eq!(milliseconds(nanoseconds), wanted);
        }
    }
}
