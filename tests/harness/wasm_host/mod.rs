//! A proxy-wasm host for tests: it runs the real `.wasm` inside `cargo test`, by interpretation,
//! and does to it what Envoy does: ABI 0.2.1, the same statuses for the same mistakes, the same
//! order of callbacks. Its answers were compared with Envoy 1.40, call by call and phase by phase.
//!
//! ```no_run
//! use harness::wasm_host::{Headers, Response, WasmHost};
//!
//! let wasm = std::fs::read("target/wasm32-wasip1/release/traffic_split.wasm")?;
//! let mut host = WasmHost::load(&wasm)?;
//! assert!(host.configure(br#"{"version": 1, "splits": []}"#)?);
//!
//! let request = Headers::get("shop.example.com", "/").with("x-user-id", "alice");
//! let (asked, _) = host.exchange(&request, &Response::status(200))?;
//! assert_eq!(asked.headers.text("x-user-id").as_deref(), Some("alice"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Tests look at values: headers, replies, filter state, metrics, logs. Which host functions the
//! filter called, and how often, is recorded only where a test asks ([`WasmHost::record`]), and one does: it
//! pins what a request costs, by what is exact where time is noisy. A test of what the filter does must not
//! look at calls; it would fail whenever the same is done another way.
//!
//! `README.md` beside this file says what of Envoy is here, where it is stricter, and what is not.

mod abi;
mod headers;
mod memory;
mod metrics;
mod program;
mod state;
#[cfg(test)]
mod tests;
mod types;
mod wasi;

pub use headers::Headers;
pub use metrics::MetricValue;
pub use program::Program;
pub use state::{FilterState, LocalReply, Visit};
pub use types::{Failure, Level, Outcome, Response, Status, StreamId};

use state::{Phase, Random, SharedData, State, Stream};
use std::collections::BTreeMap;
use std::time::Duration;
use wasmi::{AsContext, Extern, Instance, Memory, Store, WasmParams, WasmResults};

/// One VM with the filter in it, as one worker of Envoy has it.
pub struct WasmHost {
    store: Store<State>,
    instance: Instance,
    program: Program,
    last_context: u32,
    /// The root context that serves new streams.
    plugin: Option<u32>,
    /// What ended the VM; from then on every call fails.
    dead: Option<Failure>,
}

// Life of the VM.
impl WasmHost {
    /// Reads a module and starts it; use [`Program`] to start the same module often.
    pub fn load(wasm: &[u8]) -> Result<Self, Failure> {
        Program::compile(wasm)?.start()
    }

    fn begin(store: Store<State>, instance: Instance, program: Program) -> Result<Self, Failure> {
        let mut host = Self { store, instance, program, last_context: 0, plugin: None, dead: None };
        if host.enter::<(), ()>(0, Phase::Other, "_initialize", ())?.is_none() {
            host.enter::<(), ()>(0, Phase::Other, "_start", ())?;
        }
        Ok(host)
    }

    /// Gives the filter a configuration, as often as one likes: each time a new root context in the
    /// same VM. `false` means that the filter refused it; the configuration before then goes on
    /// serving. Streams that are under way keep the root context they began with, and it ends when
    /// the last of them has ended.
    pub fn configure(&mut self, configuration: &[u8]) -> Result<bool, Failure> {
        let root = self.next_context();
        self.store.data_mut().configuration = configuration.to_vec();
        self.store.data_mut().roots.insert(root);
        self.enter::<_, ()>(root, Phase::Configure, "proxy_on_context_create", (root, 0u32))?;
        let length = configuration.len() as u32;
        let accepted = self.asks(root, Phase::Configure, "proxy_on_vm_start", (root, 0u32))?
            && self.asks(root, Phase::Configure, "proxy_on_configure", (root, length))?;
        if !accepted {
            self.store.data_mut().tick_periods.remove(&root);
            return Ok(false);
        }
        if let Some(old) = self.plugin.replace(root) {
            self.end_if_idle(old)?;
        }
        Ok(true)
    }

    /// Lets the timer of every root context that asked for one go off once.
    pub fn tick(&mut self) -> Result<(), Failure> {
        let due: Vec<u32> = self
            .store
            .data()
            .tick_periods
            .iter()
            .filter(|(_, p)| **p > 0)
            .map(|(r, _)| *r)
            .collect();
        for root in due {
            self.enter::<_, ()>(root, Phase::Other, "proxy_on_tick", root)?;
        }
        Ok(())
    }
}

// Life of a stream.
impl WasmHost {
    /// A request arrives. The stream stays open until [`finish`](Self::finish).
    pub fn request(&mut self, headers: &Headers) -> Result<Outcome, Failure> {
        let id =
            self.open(Stream { request: headers.clone().with_authority(), ..Stream::default() })?;
        let count = headers.pairs().len() as u32;
        let action =
            self.enter(id, Phase::RequestHeaders, "proxy_on_request_headers", (id, count, 1u32))?;
        self.outcome(StreamId(id), action, |stream| stream.request.clone())
    }

    /// The response to it arrives, or the local reply of Envoy or of the filter itself.
    pub fn respond(&mut self, stream: StreamId, response: &Response) -> Result<Outcome, Failure> {
        self.stream(stream)?.answer(response);
        let count = response.headers.pairs().len() as u32;
        let has_body =
            response.headers.first("content-length").is_some_and(|length| length != b"0");
        let args = (stream.0, count, u32::from(!has_body));
        let action =
            self.enter(stream.0, Phase::ResponseHeaders, "proxy_on_response_headers", args)?;
        self.outcome(stream, action, |stream| stream.response.clone().unwrap_or_default())
    }

    /// The response ends with trailers, as those of gRPC do. Yields what the filter made of them.
    pub fn trailers(&mut self, stream: StreamId, trailers: &Headers) -> Result<Headers, Failure> {
        self.stream(stream)?.trailers = Some(trailers.clone());
        let args = (stream.0, trailers.pairs().len() as u32);
        let export = "proxy_on_response_trailers";
        self.enter::<_, u32>(stream.0, Phase::ResponseTrailers, export, args)?;
        Ok(self.stream(stream)?.trailers.clone().unwrap_or_default())
    }

    /// The stream ends: it is logged and deleted. If there was no response, the client went away
    /// before it. Yields the filter state as the access log sees it.
    pub fn finish(&mut self, stream: StreamId) -> Result<FilterState, Failure> {
        const DOWNSTREAM_CONNECTION_TERMINATION: u64 = 0x4000;
        let open = self.stream(stream)?;
        if open.response.is_none() && open.flags == 0 {
            open.flags = DOWNSTREAM_CONNECTION_TERMINATION;
        }
        open.ended = true;
        let id = stream.0;
        self.enter::<_, ()>(id, Phase::Log, "proxy_on_log", id)?;
        self.asks(id, Phase::Other, "proxy_on_done", id)?;
        self.enter::<_, ()>(id, Phase::Other, "proxy_on_delete", id)?;
        let Some(ended) = self.store.data_mut().streams.remove(&id) else {
            return Err(Failure::misuse(format!("stream {id} is gone")));
        };
        self.end_if_idle(ended.root)?;
        Ok(ended.filter_state)
    }

    /// A whole stream: request, response, end. Yields what the filter made of the request and of
    /// the response; where it replied by itself, that reply is the response.
    pub fn exchange(
        &mut self,
        request: &Headers,
        response: &Response,
    ) -> Result<(Outcome, Outcome), Failure> {
        let asked = self.request(request)?;
        let own = asked.local_reply.as_ref().map(Response::from);
        let answered = self.respond(asked.stream, own.as_ref().unwrap_or(response))?;
        self.finish(asked.stream)?;
        Ok((asked, answered))
    }

    /// A stream that is only logged: Envoy refused the request before any filter saw it. The
    /// headers are those that Envoy could read: often none.
    pub fn refused_request(
        &mut self,
        headers: &Headers,
        response: &Response,
    ) -> Result<FilterState, Failure> {
        let request = headers.clone().with_authority();
        let mut stream = Stream { request, ended: true, ..Stream::default() };
        stream.answer(response);
        let id = self.open(stream)?;
        self.finish(StreamId(id))
    }

    fn open(&mut self, stream: Stream) -> Result<u32, Failure> {
        let root = self
            .plugin
            .ok_or_else(|| Failure::misuse("no configuration was accepted yet".into()))?;
        let id = self.next_context();
        self.store.data_mut().streams.insert(id, Stream { root, ..stream });
        self.enter::<_, ()>(id, Phase::Other, "proxy_on_context_create", (id, root))?;
        Ok(id)
    }

    fn stream(&mut self, stream: StreamId) -> Result<&mut Stream, Failure> {
        let open = self.store.data_mut().streams.get_mut(&stream.0);
        open.ok_or_else(|| Failure::misuse(format!("stream {} is not open", stream.0)))
    }

    fn outcome(
        &mut self,
        stream: StreamId,
        action: Option<u32>,
        headers: fn(&Stream) -> Headers,
    ) -> Result<Outcome, Failure> {
        let open = self.stream(stream)?;
        Ok(Outcome {
            stream,
            headers: headers(open),
            local_reply: open.local_reply.clone(),
            filter_state: open.filter_state.clone(),
            paused: action.unwrap_or(0) != 0 || open.local_reply.is_some(),
            route_cleared: open.route_cleared,
        })
    }
}

// The world around the VM.
impl WasmHost {
    /// All metrics by their full names.
    pub fn metrics(&self) -> &BTreeMap<String, MetricValue> {
        self.store.data().metrics.values()
    }

    /// What the filter logged, in order.
    pub fn logs(&self) -> &[(Level, String)] {
        &self.store.data().logs
    }

    /// What the filter wrote to its standard output and error: std prints panics there.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.store.data().output).into_owned()
    }

    /// The value that `proxy_get_property` finds at a path.
    pub fn set_property(&mut self, path: &[&str], value: impl AsRef<[u8]>) {
        let path = path.join("\0").into_bytes();
        self.store.data_mut().properties.insert(path, value.as_ref().to_vec());
    }

    /// Takes a property away again.
    pub fn remove_property(&mut self, path: &[&str]) {
        self.store.data_mut().properties.remove(path.join("\0").as_bytes());
    }

    /// Sets a variable of the environment; the guest's standard library reads all of them at its first use.
    pub fn set_environment(&mut self, name: &str, value: &str) {
        self.store.data_mut().environment.push(format!("{name}={value}"));
    }

    /// The data that VMs share, by key.
    pub fn shared(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let shared = self.store.data().shared_data();
        shared.iter().map(|(key, (value, _))| (key.clone(), value.clone())).collect()
    }

    /// Shares data as another VM does.
    pub fn share(&mut self, key: &[u8], value: &[u8]) {
        let mut shared = self.store.data().shared_data();
        let (data, number) = shared.entry(key.to_vec()).or_default();
        (*data, *number) = (value.to_vec(), number.saturating_add(1));
    }

    fn shared_data(&self) -> SharedData {
        self.store.data().shared_data.clone()
    }

    /// Takes a foreign function away, as an older Envoy has fewer; `clear_route_cache` is the only
    /// one here.
    pub fn remove_foreign_function(&mut self, name: &str) {
        self.store.data_mut().foreign_functions.remove(name);
    }

    /// Sets the clock, as time since 1970. It stands still until it is set again.
    pub fn set_time(&mut self, since_1970: Duration) {
        self.store.data_mut().now = since_1970.as_nanos() as u64;
    }

    /// Lets time pass.
    pub fn advance(&mut self, time: Duration) {
        self.store.data_mut().now += time.as_nanos() as u64;
    }

    /// Where the guest's random numbers start.
    pub fn set_seed(&mut self, seed: u64) {
        self.store.data_mut().random = Random(seed);
    }

    /// The level that the filter is told is logged; all levels are kept all the same.
    pub fn set_log_level(&mut self, level: Level) {
        self.store.data_mut().log_level = level;
    }

    /// From now on a host function only returns this status; `Status::Ok` lets it work again.
    ///
    /// # Panics
    /// If the module imports no such function: the test would prove nothing.
    pub fn fail(&mut self, call: &str, status: Status) {
        let imported = self.program.host_calls();
        assert!(
            imported.iter().any(|name| name == call),
            "the module imports no `{call}`, only {imported:?}"
        );
        let failing = &mut self.store.data_mut().failing;
        match status {
            Status::Ok => failing.remove(call),
            status => failing.insert(call.to_owned(), status),
        };
    }

    /// From now on the callbacks and the host functions that the guest calls in them are recorded. For the test of
    /// what a request costs, not for those of what the filter does.
    pub fn record(&mut self) {
        self.store.data_mut().record = Some(Vec::new());
    }

    /// What was recorded since [`record`](Self::record) or since this was last called; callbacks that the module
    /// does not export are not there.
    pub fn recorded(&mut self) -> Vec<Visit> {
        self.store.data_mut().record.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The size of the guest's memory in bytes; it only grows.
    pub fn memory_size(&self) -> usize {
        self.memory().map_or(0, |memory| memory.data_size(&self.store))
    }

    /// How many contexts of streams and of configurations are alive.
    pub fn contexts(&self) -> usize {
        self.store.data().streams.len() + self.store.data().roots.len()
    }

    fn memory(&self) -> Option<Memory> {
        self.instance.get_export(self.store.as_context(), "memory").and_then(Extern::into_memory)
    }
}

// Calls into the VM.
impl WasmHost {
    fn next_context(&mut self) -> u32 {
        self.last_context += 1;
        self.last_context
    }

    /// Ends a root context that serves neither new streams nor old ones.
    fn end_if_idle(&mut self, root: u32) -> Result<(), Failure> {
        let busy = self.store.data().streams.values().any(|stream| stream.root == root);
        if self.plugin == Some(root) || busy {
            return Ok(());
        }
        self.store.data_mut().tick_periods.remove(&root);
        if self.asks(root, Phase::Other, "proxy_on_done", root)? {
            self.enter::<_, ()>(root, Phase::Other, "proxy_on_delete", root)?;
            self.store.data_mut().roots.remove(&root);
        }
        Ok(())
    }

    /// Calls an export that answers yes or no; one that is missing says yes.
    fn asks<P: WasmParams>(
        &mut self,
        context: u32,
        phase: Phase,
        export: &'static str,
        params: P,
    ) -> Result<bool, Failure> {
        Ok(self.enter::<P, u32>(context, phase, export, params)?.is_none_or(|answer| answer != 0))
    }

    /// Calls an export in the name of a context; `None` if the module has no such export. A trap is
    /// the end of the VM.
    fn enter<P: WasmParams, R: WasmResults>(
        &mut self,
        context: u32,
        phase: Phase,
        export: &'static str,
        params: P,
    ) -> Result<Option<R>, Failure> {
        if let Some(failure) = &self.dead {
            return Err(failure.after_the_end());
        }
        let Some(function) = self.instance.get_func(self.store.as_context(), export) else {
            return Ok(None);
        };
        let before = self.allocations();
        let state = self.store.data_mut();
        (state.context, state.phase) = (context, phase);
        if let Some(record) = &mut state.record {
            record.push(Visit { callback: export, calls: Vec::new(), allocations: None });
        }
        let function = function.typed::<P, R>(&self.store);
        let result = function.and_then(|function| function.call(&mut self.store, params));
        let state = self.store.data_mut();
        (state.context, state.phase) = (0, Phase::Other);
        let allocations = before.and_then(|before| self.allocations()?.checked_sub(before));
        if let Some(visit) = self.store.data_mut().record.as_mut().and_then(|r| r.last_mut()) {
            visit.allocations = allocations;
        }
        result.map(Some).map_err(|error| {
            let failure = Failure::new(export, error.to_string(), self.store.data());
            self.dead = Some(failure.clone());
            failure
        })
    }

    /// How often the guest has asked for memory, where that is recorded and the module counts it.
    fn allocations(&mut self) -> Option<u64> {
        self.store.data().record.as_ref()?;
        let count = self.instance.get_func(self.store.as_context(), "allocations")?;
        count.typed::<(), u64>(&self.store).ok()?.call(&mut self.store, ()).ok()
    }
}
