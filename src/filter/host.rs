//! The one file that calls the host.
//!
//! The SDK's own `hostcalls` panic on a status they do not expect and on header names that are not
//! UTF-8, and a panic ends the worker's VM. So the functions of the proxy-wasm ABI 0.2.1 are
//! imported here once more, with bytes for values and every status returned as a value.

#![expect(unsafe_code, reason = "the host is called through C functions")]

use std::ptr::{null_mut, slice_from_raw_parts_mut};

use engine::metrics::MetricKind;
use engine::units::Moment;
use log::{LevelFilter, Log, Metadata, Record};

/// A status that is not OK, as the ABI numbers it (1 = not found, 2 = bad argument, ...).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status(u32);

impl Status {
    const NOT_FOUND: u32 = 1;
    const CAS_MISMATCH: u32 = 8;
}

/// A map of headers, by the ABI's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Map {
    /// The request's headers; writable until the response begins.
    Request = 0,
    /// The response's headers.
    Response = 2,
    /// The response's trailers.
    Trailers = 3,
}

/// The ABI's number for the plugin configuration.
const PLUGIN_CONFIGURATION: u32 = 7;

#[cfg_attr(target_family = "wasm", link(wasm_import_module = "env"))]
unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_add_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        name: *const u8,
        name_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        arguments: *const u8,
        arguments_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}

#[cfg_attr(target_family = "wasm", link(wasm_import_module = "wasi_snapshot_preview1"))]
unsafe extern "C" {
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
}

fn check(status: u32) -> Result<(), Status> {
    if status == 0 { Ok(()) } else { Err(Status(status)) }
}

/// Calls a function that returns bytes. The host gets memory for them from the SDK's exported
/// allocator (a boxed slice) and hands it over to us.
fn bytes_from(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Box<[u8]>, Status> {
    let (mut data, mut size) = (null_mut(), 0);
    check(call(&raw mut data, &raw mut size))?;
    if data.is_null() || size == 0 {
        return Ok(Box::default());
    }
    // SAFETY: status OK and a pointer mean that the host allocated `size` bytes through
    // `proxy_on_memory_allocate`, which leaks a boxed slice of just that size, and filled it.
    Ok(unsafe { Box::from_raw(slice_from_raw_parts_mut(data, size)) })
}

/// `None` for what is not there, which is no error.
fn found(read: Result<Box<[u8]>, Status>) -> Result<Option<Box<[u8]>>, Status> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Status(Status::NOT_FOUND)) => Ok(None),
        Err(status) => Err(status),
    }
}

/// The plugin configuration; empty where there is none.
pub(crate) fn configuration() -> Result<Box<[u8]>, Status> {
    let read = bytes_from(|data, size| {
        // SAFETY: both pointers are to live locals.
        unsafe { proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, usize::MAX, data, size) }
    });
    found(read).map(Option::unwrap_or_default)
}

/// All request headers, as the host lays them out (see [`crate::header_map`]).
pub(crate) fn request_headers() -> Result<Box<[u8]>, Status> {
    // SAFETY: both pointers are to live locals.
    bytes_from(|data, size| unsafe { proxy_get_header_map_pairs(Map::Request as u32, data, size) })
}

/// A header's first line; `None` where there is none.
pub(crate) fn header(map: Map, name: &str) -> Result<Option<Box<[u8]>>, Status> {
    // SAFETY: pointer and size are those of a live text, the others point to live locals.
    found(bytes_from(|data, size| unsafe {
        proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), data, size)
    }))
}

/// Gives a header this value and no other.
pub(crate) fn set_header(map: Map, name: &str, value: &[u8]) -> Result<(), Status> {
    let (map, size) = (map as u32, value.len());
    // SAFETY: pointers and sizes are those of live texts.
    check(unsafe {
        proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), size)
    })
}

/// Adds a line of a header, and leaves those that are there.
pub(crate) fn add_header(map: Map, name: &str, value: &[u8]) -> Result<(), Status> {
    let (map, size) = (map as u32, value.len());
    // SAFETY: pointers and sizes are those of live texts.
    check(unsafe {
        proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), size)
    })
}

/// Removes every line of a header.
pub(crate) fn remove_header(map: Map, name: &str) -> Result<(), Status> {
    // SAFETY: pointer and size are those of a live text.
    check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// Answers the request; it does not go on to an upstream.
pub(crate) fn respond(status: u16, body: &str) -> Result<(), Status> {
    const DETAILS: &str = "traffic_split";
    // No headers of our own, in the host's layout: the number of pairs, 0.
    const NO_HEADERS: [u8; 4] = [0; 4];
    const NO_GRPC_STATUS: i32 = -1;
    // SAFETY: pointers and sizes are those of live texts.
    check(unsafe {
        proxy_send_local_response(
            u32::from(status),
            DETAILS.as_ptr(),
            DETAILS.len(),
            body.as_ptr(),
            body.len(),
            NO_HEADERS.as_ptr(),
            NO_HEADERS.len(),
            NO_GRPC_STATUS,
        )
    })
}

/// The time.
pub(crate) fn now() -> Result<Moment, Status> {
    Ok(Moment::new(now_in_nanoseconds()? / 1_000_000))
}

/// The time in nanoseconds since 1970.
pub(crate) fn now_in_nanoseconds() -> Result<u64, Status> {
    let mut nanoseconds = 0;
    // SAFETY: the pointer is to a live local.
    check(unsafe { proxy_get_current_time_nanoseconds(&raw mut nanoseconds) })?;
    Ok(nanoseconds)
}

/// A clock that only goes forward, in nanoseconds since some moment.
pub(crate) fn monotonic() -> Result<u64, Status> {
    const MONOTONIC: u32 = 1;
    const PRECISE: u64 = 0;
    let mut nanoseconds = 0;
    // SAFETY: the pointer is to a live local.
    check(unsafe { clock_time_get(MONOTONIC, PRECISE, &raw mut nanoseconds) })?;
    Ok(nanoseconds)
}

/// What all VMs of one `vm_id` share under a key; `None` where there is nothing.
pub(crate) fn shared(key: &[u8]) -> Result<Option<Box<[u8]>>, Status> {
    shared_to_change(key).map(|(value, _)| value)
}

/// What is shared, and the number by which [`share_if_same`] knows whether it is another by now.
type Shared = (Option<Box<[u8]>>, u32);

/// The same, to change it.
pub(crate) fn shared_to_change(key: &[u8]) -> Result<Shared, Status> {
    let mut cas = 0;
    // SAFETY: pointer and size are those of a live slice, the others point to live locals.
    let read = bytes_from(|data, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &raw mut cas)
    });
    Ok((found(read)?, cas))
}

/// Shares a value under a key, whatever was there.
pub(crate) fn share(key: &[u8], value: &[u8]) -> Result<(), Status> {
    share_if_same(key, value, 0).map(drop)
}

/// Shares a value under a key, if what was there is what was read with this number (0: in any case). `false` = it is not.
pub(crate) fn share_if_same(key: &[u8], value: &[u8], cas: u32) -> Result<bool, Status> {
    // SAFETY: pointers and sizes are those of live slices.
    let status =
        unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) };
    match status {
        Status::CAS_MISMATCH => Ok(false),
        status => check(status).map(|()| true),
    }
}

/// Asks for a tick each time this many milliseconds have passed; 0 = none any more.
pub(crate) fn tick_every(milliseconds: u32) -> Result<(), Status> {
    // SAFETY: a plain number.
    check(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
}

/// A property as bytes; `None` where there is none. `path` has its parts joined by NUL.
pub(crate) fn property(path: &str) -> Result<Option<Box<[u8]>>, Status> {
    // SAFETY: pointer and size are those of a live text, the others point to live locals.
    let read = bytes_from(|data, size| unsafe {
        proxy_get_property(path.as_ptr(), path.len(), data, size)
    });
    found(read)
}

/// Sets the filter state `wasm.<name>` of the stream.
pub(crate) fn set_state(name: &str, value: &[u8]) -> Result<(), Status> {
    // SAFETY: pointers and sizes are those of a live text and a live slice.
    check(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Has the filter state of this name live as long as the request of the client, whatever number of
/// times it runs through the filters. (By itself it lives for one.) Asked of each root context once.
pub(crate) fn keep_state(name: &str) -> Result<(), Status> {
    const FUNCTION: &str = "declare_property";
    // A `DeclarePropertyArguments`: name = 1, and span = 5, where 1 is the request of downstream.
    let size = u8::try_from(name.len()).unwrap_or_default();
    let arguments = [&[0x0a, size], name.as_bytes(), &[0x28, 1]].concat();
    // SAFETY: pointers and sizes are those of a live text and a live slice, the others point to live locals.
    bytes_from(|data, size| unsafe {
        let (call, at) = (FUNCTION.as_ptr(), arguments.as_ptr());
        proxy_call_foreign_function(call, FUNCTION.len(), at, arguments.len(), data, size)
    })
    .map(drop)
}

/// Defines a metric; the host gives a new id on each call, also for a known name.
pub(crate) fn define_metric(kind: MetricKind, name: &str) -> Result<u32, Status> {
    let kind = match kind {
        MetricKind::Counter => 0,
        MetricKind::Gauge => 1,
        MetricKind::Histogram => 2,
    };
    let mut id = 0;
    // SAFETY: pointer and size are those of a live text, `id` is a live local.
    check(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &raw mut id) })?;
    Ok(id)
}

/// Adds 1 to a counter.
pub(crate) fn increment(id: u32) -> Result<(), Status> {
    // SAFETY: plain numbers.
    check(unsafe { proxy_increment_metric(id, 1) })
}

/// Sets a gauge, or adds a value to a histogram.
pub(crate) fn record(id: u32, value: u64) -> Result<(), Status> {
    // SAFETY: plain numbers.
    check(unsafe { proxy_record_metric(id, value) })
}

/// Sends what is logged to the proxy's log, which filters by its own level.
pub(crate) fn log_to_host() {
    static HOST: HostLog = HostLog;
    // Fails where a logger is set already: then this VM was started twice, and all is well.
    if log::set_logger(&HOST).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

struct HostLog;

impl Log for HostLog {
    fn enabled(&self, _: &Metadata) -> bool {
        true
    }

    fn log(&self, record: &Record) {
        let message = format!("traffic-split: {}", record.args());
        let level = match record.level() {
            log::Level::Trace => 0,
            log::Level::Debug => 1,
            log::Level::Info => 2,
            log::Level::Warn => 3,
            log::Level::Error => 4,
        };
        // SAFETY: pointer and size are those of a live text. A host that cannot log cannot be
        // told so either.
        let _ = unsafe { proxy_log(level, message.as_ptr(), message.len()) };
    }

    fn flush(&self) {}
}
