//! What the host knows while the guest runs: the streams, which of them is being served, and the
//! world around them.

use super::headers::Headers;
use super::metrics::Metrics;
use super::{Level, Response, Status};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the filter left with the stream for access logs and other filters: `wasm.<name>` in Envoy,
/// here `<name>`.
pub type FilterState = BTreeMap<String, Vec<u8>>;

/// A reply that the filter sent instead of letting the request through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalReply {
    /// The HTTP status.
    pub status: u32,
    /// The body; may be empty.
    pub body: Vec<u8>,
    /// The headers the filter gave; Envoy adds `:status`, `content-length` and `content-type`.
    pub headers: Headers,
    /// The response code details for access logs.
    pub details: String,
}

/// Which callback the guest is in; it decides which headers can be read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Making a root context and giving it a configuration; only then the configuration can be
    /// read.
    Configure,
    RequestHeaders,
    ResponseHeaders,
    ResponseTrailers,
    Log,
    /// Everything else: making and ending a stream's context, and ticks.
    Other,
}

/// The lists of headers that a filter of ours can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Map {
    Request,
    Response,
    /// The response's.
    Trailers,
}

impl Map {
    /// By the ABI's number; a request's trailers and the maps of calls to other services do not exist here.
    pub(super) fn from_number(number: u32) -> Result<Option<Self>, Status> {
        match number {
            0 => Ok(Some(Self::Request)),
            2 => Ok(Some(Self::Response)),
            3 => Ok(Some(Self::Trailers)),
            1 | 4..=7 => Ok(None),
            _ => Err(Status::BadArgument),
        }
    }
}

/// By key, the value with its compare-and-swap number.
type Shared = BTreeMap<Vec<u8>, (Vec<u8>, u32)>;

/// What VMs have in common.
pub(super) type SharedData = Arc<Mutex<Shared>>;

/// One request with its response.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) root: u32,
    pub(super) request: Headers,
    /// There is none before a response came, or if none ever came.
    pub(super) response: Option<Headers>,
    /// The response's; most have none.
    pub(super) trailers: Option<Headers>,
    pub(super) filter_state: FilterState,
    pub(super) local_reply: Option<LocalReply>,
    pub(super) route_cleared: bool,
    /// The request is complete or given up: only the log and the end of the context are left.
    pub(super) ended: bool,
    pub(super) code: Option<u16>,
    pub(super) flags: u64,
    pub(super) duration_ns: u64,
}

impl Stream {
    /// The response came.
    pub(super) fn answer(&mut self, response: &Response) {
        self.response = Some(response.headers.clone());
        self.code = Some(response.code);
        self.flags = response.flags;
        self.duration_ns = response.duration_ns;
    }
}

/// One callback of the guest that the host called, and what the guest asked for in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The name of the export.
    pub callback: &'static str,
    /// The host functions that the guest called, by name and in order; those that were refused too.
    pub calls: Vec<String>,
    /// How often the guest asked its allocator for memory, also for what the host hands over; `None` where the
    /// module does not count: `scripts/build-wasm --count-allocations` makes one that does.
    pub allocations: Option<u64>,
}

/// The host's side of the VM.
#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    /// The context in whose name the guest calls; 0 while there is none.
    pub(super) context: u32,
    pub(super) streams: BTreeMap<u32, Stream>,
    pub(super) roots: BTreeSet<u32>,
    pub(super) configuration: Vec<u8>,
    /// By path, the parts joined with NUL.
    pub(super) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(super) foreign_functions: BTreeSet<String>,
    /// With those VMs that were started beside this one.
    pub(super) shared_data: SharedData,
    /// `NAME=value`.
    pub(super) environment: Vec<String>,
    pub(super) tick_periods: BTreeMap<u32, u32>,
    pub(super) metrics: Metrics,
    pub(super) logs: Vec<(Level, String)>,
    pub(super) log_level: Level,
    /// What the guest wrote to its standard output and error.
    pub(super) output: Vec<u8>,
    /// Nanoseconds since 1970.
    pub(super) now: u64,
    pub(super) random: Random,
    pub(super) failing: BTreeMap<String, Status>,
    /// What the guest did since a test asked for a record; `None` where none did.
    pub(super) record: Option<Vec<Visit>>,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            phase: Phase::Other,
            context: 0,
            streams: BTreeMap::new(),
            roots: BTreeSet::new(),
            configuration: Vec::new(),
            properties: BTreeMap::new(),
            foreign_functions: BTreeSet::from(
                ["clear_route_cache", "declare_property"].map(str::to_owned),
            ),
            shared_data: SharedData::default(),
            environment: Vec::new(),
            tick_periods: BTreeMap::new(),
            metrics: Metrics::default(),
            logs: Vec::new(),
            log_level: Level::Trace,
            output: Vec::new(),
            now: 1_700_000_000_000_000_000,
            random: Random(0),
            failing: BTreeMap::new(),
            record: None,
        }
    }

    pub(super) fn shared_data(&self) -> MutexGuard<'_, Shared> {
        self.shared_data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream in whose name the guest calls; none in a root context.
    pub(super) fn stream(&mut self) -> Option<&mut Stream> {
        self.streams.get_mut(&self.context)
    }

    /// The headers the guest may read now: those of the phase it is in, and in the log phase all.
    pub(super) fn readable(&self, map: Option<Map>) -> Option<&Headers> {
        let stream = self.streams.get(&self.context)?;
        match (map?, self.phase) {
            (Map::Request, Phase::RequestHeaders | Phase::Log) => Some(&stream.request),
            (Map::Response, Phase::ResponseHeaders | Phase::Log) => stream.response.as_ref(),
            (Map::Trailers, Phase::ResponseTrailers | Phase::Log) => stream.trailers.as_ref(),
            _ => None,
        }
    }

    /// The headers the guest may change now: only those of the phase it is in.
    pub(super) fn writable(&mut self, map: Option<Map>) -> Option<&mut Headers> {
        let phase = self.phase;
        let stream = self.stream()?;
        match (map?, phase) {
            (Map::Request, Phase::RequestHeaders) => {
                stream.route_cleared = true; // as Envoy does for ABI 0.2.1, whatever the header
                Some(&mut stream.request)
            }
            (Map::Response, Phase::ResponseHeaders) => stream.response.as_mut(),
            (Map::Trailers, Phase::ResponseTrailers) => stream.trailers.as_mut(),
            _ => None,
        }
    }

    /// The property at a path: what a test set, what the stream knows of itself, or filter state.
    pub(super) fn property(&self, path: &[u8]) -> Option<Vec<u8>> {
        const OF_A_STREAM: [&[u8]; 9] = [
            b"request",
            b"response",
            b"source",
            b"destination",
            b"connection",
            b"upstream",
            b"metadata",
            b"filter_state",
            b"connection_id",
        ];
        let first = path.split(|b| *b == 0).next()?;
        let stream = self.streams.get(&self.context);
        if stream.is_none() && OF_A_STREAM.contains(&first) {
            return None;
        }
        if let Some(value) = stream.and_then(|stream| self.property_of(stream, path)) {
            return Some(value);
        }
        self.properties.get(path).cloned()
    }

    fn property_of(&self, stream: &Stream, path: &[u8]) -> Option<Vec<u8>> {
        match path {
            b"response\0code" => stream.code.map(|code| u64::from(code).to_le_bytes().to_vec()),
            b"response\0flags" => Some(stream.flags.to_le_bytes().to_vec()),
            b"request\0duration" if stream.ended => Some(stream.duration_ns.to_le_bytes().to_vec()),
            _ => stream.filter_state.get(&String::from_utf8_lossy(path).into_owned()).cloned(),
        }
    }
}

/// SplitMix64: the guest's random numbers, the same in every run.
#[derive(Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}
