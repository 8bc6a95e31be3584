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
        /// No response came, because the client left before.
        Abort = "abort",
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

    /// The class of a request that ended. A client that leaves while the response comes had its answer; of a gRPC call
    /// the answer is the status at its end, and one that was cut off is `UNKNOWN`, as it is to its client.
    pub fn of(ending: &impl Ending) -> Self {
        const CUT_OFF: u32 = 2;
        let without_an_answer = |class| if ending.client_left() { Self::Abort } else { class };
        if !ending.answered() {
            return without_an_answer(Self::None);
        }
        let of_grpc = |code| Self::from_status(status_of_grpc(code));
        if let Some(code) = ending.grpc_status() {
            return of_grpc(code);
        }
        match ending.status().map_or(Self::None, Self::from_status) {
            Self::Success if ending.is_grpc() => without_an_answer(of_grpc(CUT_OFF)),
            class => class,
        }
    }

    /// Whether it is a bad event: the variant, or the way to it, failed its user. That a client leaves is none.
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::ServerError | Self::None)
    }
}

/// How a request ended. What is asked may cost a call of the host; only what the answer depends on is.
pub trait Ending {
    /// Whether a response went by, be it the proxy's own.
    fn answered(&self) -> bool;
    /// Its status; `None` where it is not known.
    fn status(&self) -> Option<u16>;
    /// Whether it was a gRPC call.
    fn is_grpc(&self) -> bool;
    /// The status of a gRPC call; `None` where none came.
    fn grpc_status(&self) -> Option<u32>;
    /// Whether it was the client that ended it.
    fn client_left(&self) -> bool;
}

/// Whether a request is a gRPC call, by its `content-type`: `application/grpc`, alone or with `+proto` and the like.
/// gRPC-Web is none: its outcome is in the body.
/// (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>)
pub fn is_grpc(content_type: &[u8]) -> bool {
    const GRPC: &[u8] = b"application/grpc";
    let (start, rest) = content_type.split_at_checked(GRPC.len()).unwrap_or_default();
    start.eq_ignore_ascii_case(GRPC) && matches!(rest.first(), None | Some(b'+' | b';'))
}

/// The HTTP status that tells the same as a gRPC status, so that its class is that of the call. Codes that are not
/// known count as `UNKNOWN`, as they do to every client.
/// (`google.rpc.Code`, <https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto>)
pub const fn status_of_grpc(code: u32) -> u16 {
    match code {
        // OK
        0 => 200,
        // CANCELLED
        1 => 499,
        // INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE
        3 | 9 | 11 => 400,
        // DEADLINE_EXCEEDED
        4 => 504,
        // NOT_FOUND
        5 => 404,
        // ALREADY_EXISTS, ABORTED
        6 | 10 => 409,
        // PERMISSION_DENIED
        7 => 403,
        // RESOURCE_EXHAUSTED
        8 => 429,
        // UNIMPLEMENTED
        12 => 501,
        // UNAVAILABLE
        14 => 503,
        // UNAUTHENTICATED
        16 => 401,
        // UNKNOWN, INTERNAL, DATA_LOSS
        _ => 500,
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
    fn a_client_that_left_before_any_response_is_no_failure() {
        let class = |status, left| Class::of(&Ended { status, left, grpc: None }).as_str();
        assert_eq!([class(None, true), class(None, false)], ["abort", "none"]);
        assert_eq!([class(Some(200), true), class(Some(503), true)], ["2xx", "5xx"]);
        let bad: Vec<_> = Class::ALL.into_iter().filter(|class| class.is_bad()).collect();
        assert_eq!(bad, [Class::ServerError, Class::None]);
    }

    /// A request that ended.
    struct Ended {
        status: Option<u16>,
        left: bool,
        /// Of a gRPC call the status, where one came.
        grpc: Option<Option<u32>>,
    }

    impl Ending for Ended {
        fn answered(&self) -> bool {
            self.status.is_some()
        }
        fn status(&self) -> Option<u16> {
            self.status
        }
        fn is_grpc(&self) -> bool {
            self.grpc.is_some()
        }
        fn grpc_status(&self) -> Option<u32> {
            self.grpc.flatten()
        }
        fn client_left(&self) -> bool {
            self.left
        }
    }

    #[test]
    fn a_grpc_call_has_the_class_of_its_own_status() {
        let class = |status, code, left| {
            Class::of(&Ended { status: Some(status), left, grpc: Some(code) }).as_str()
        };
        let with = |code| class(200, Some(code), false);
        assert_eq!([with(0), with(5), with(14)], ["2xx", "4xx", "5xx"]);
        // Its client may leave after that.
        assert_eq!([class(200, Some(0), true), class(200, Some(14), true)], ["2xx", "5xx"]);
        // It was cut off, by its client or by somebody else.
        assert_eq!([class(200, None, true), class(200, None, false)], ["abort", "5xx"]);
        // Somebody answered who knows no gRPC.
        assert_eq!([class(404, None, false), class(503, None, false)], ["4xx", "5xx"]);
    }

    #[test]
    fn grpc_is_known_by_its_content_type() {
        for (content_type, is) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/gRPC;charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpcx", false),
            ("application/json", false),
            ("application/grp", false),
            ("", false),
        ] {
            assert_eq!(is_grpc(content_type.as_bytes()), is, "{content_type}");
        }
    }

    #[test]
    fn a_grpc_status_has_the_class_of_what_it_tells() {
        let class = |code| Class::from_status(status_of_grpc(code)).as_str();
        let by_class = |wanted| (0..=17).filter(|code| class(*code) == wanted).collect::<Vec<_>>();
        assert_eq!(by_class("2xx"), [0]);
        assert_eq!(by_class("4xx"), [1, 3, 5, 6, 7, 8, 9, 10, 11, 16]);
        assert_eq!(by_class("5xx"), [2, 4, 12, 13, 14, 15, 17]);
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
