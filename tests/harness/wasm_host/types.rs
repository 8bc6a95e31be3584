//! The values that tests give to the host and get from it.

use super::headers::Headers;
use super::state::{FilterState, LocalReply, State};
use std::fmt;

/// The results of host functions, as the ABI numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[expect(missing_docs, reason = "the names are those of the ABI")]
pub enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    SerializationFailure = 3,
    ParseFailure = 4,
    BadExpression = 5,
    InvalidMemoryAccess = 6,
    Empty = 7,
    CasMismatch = 8,
    ResultMismatch = 9,
    InternalFailure = 10,
    BrokenConnection = 11,
    Unimplemented = 12,
}

impl Status {
    /// Every status that says that a host function did not work.
    pub const FAILURES: [Self; 12] = [
        Self::NotFound,
        Self::BadArgument,
        Self::SerializationFailure,
        Self::ParseFailure,
        Self::BadExpression,
        Self::InvalidMemoryAccess,
        Self::Empty,
        Self::CasMismatch,
        Self::ResultMismatch,
        Self::InternalFailure,
        Self::BrokenConnection,
        Self::Unimplemented,
    ];
}

/// How important a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of the ABI")]
pub enum Level {
    Trace = 0,
    Debug = 1,
    Info = 2,
    Warn = 3,
    Error = 4,
    Critical = 5,
}

impl Level {
    pub(super) fn from_number(number: u32) -> Option<Self> {
        let all = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Critical];
        all.get(number as usize).copied()
    }
}

/// One stream of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamId(pub(super) u32);

/// What the filter made of a request or of a response.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The stream, to go on with.
    pub stream: StreamId,
    /// The headers after the filter.
    pub headers: Headers,
    /// The reply the filter sent itself.
    pub local_reply: Option<LocalReply>,
    /// What it left with the stream.
    pub filter_state: FilterState,
    /// Whether the filter stopped the stream; a local reply always does.
    pub paused: bool,
    /// Whether Envoy will choose the route again: after any change of a request header, or when
    /// asked to.
    pub route_cleared: bool,
}

/// A response as it arrives, and what is known of it when the stream is logged.
#[derive(Clone, Debug)]
pub struct Response {
    /// The headers, `:status` among them.
    pub headers: Headers,
    /// The property `response.code`.
    pub code: u16,
    /// The property `response.flags`: Envoy's response flags as a number.
    pub flags: u64,
    /// The property `request.duration` in nanoseconds.
    pub duration_ns: u64,
}

impl Response {
    /// A response with this status and no other header, after 10 ms.
    pub fn status(code: u16) -> Self {
        Self { headers: Headers::status(code), code, flags: 0, duration_ns: 10_000_000 }
    }

    /// The same response with one more header.
    pub fn with(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        Self { headers: self.headers.with(name, value), ..self }
    }
}

/// The filter's own reply, as Envoy completes it.
impl From<&LocalReply> for Response {
    fn from(reply: &LocalReply) -> Self {
        let mut response = Self::status(reply.status as u16);
        for (name, value) in reply.headers.pairs() {
            response = response.with(name, value);
        }
        if !reply.body.is_empty() {
            response = response.with("content-length", reply.body.len().to_string());
            if response.headers.first("content-type").is_none() {
                response = response.with("content-type", "text/plain");
            }
        }
        response
    }
}

/// Why the VM ended, or why it could not do what the test asked.
#[derive(Clone, Debug)]
pub struct Failure {
    during: String,
    reason: String,
    output: String,
}

impl Failure {
    pub(super) fn while_loading(reason: String) -> Self {
        Self { during: "loading the module".into(), reason, output: String::new() }
    }

    pub(super) fn misuse(reason: String) -> Self {
        Self { during: "a test".into(), reason, output: String::new() }
    }

    /// A trap: with it goes what the guest printed, and what it logged as critical, where the SDK
    /// reports panics.
    pub(super) fn new(export: &str, reason: String, state: &State) -> Self {
        let critical = state.logs.iter().filter(|(level, _)| *level == Level::Critical);
        let mut output = String::from_utf8_lossy(&state.output).into_owned();
        critical.for_each(|(_, message)| output.push_str(&format!("{message}\n")));
        Self { during: export.into(), reason, output }
    }

    /// What every call fails with once the VM has ended.
    pub(super) fn after_the_end(&self) -> Self {
        Self { reason: format!("the VM has ended before: {}", self.reason), ..self.clone() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in {}: {}", self.during, self.reason)?;
        if !self.output.is_empty() {
            write!(f, "\n{}", self.output.trim_end())?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
