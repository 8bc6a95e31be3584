//! The functions of proxy-wasm ABI 0.2.1 that a filter of ours can call, with the results Envoy
//! gives.

use super::headers::Headers;
use super::memory::{Answer, Args, Guest, HostFunction, Refusal};
use super::state::{LocalReply, Map, Phase};
use super::{Level, Status};

/// The name of the module that guests import these functions from.
pub(super) const MODULE: &str = "env";

pub(super) const FUNCTIONS: &[HostFunction] = &[
    HostFunction { name: "proxy_log", params: "iii", run: log },
    HostFunction { name: "proxy_get_log_level", params: "i", run: get_log_level },
    HostFunction { name: "proxy_get_current_time_nanoseconds", params: "i", run: get_current_time },
    HostFunction { name: "proxy_set_tick_period_milliseconds", params: "i", run: set_tick_period },
    HostFunction { name: "proxy_set_effective_context", params: "i", run: set_effective_context },
    HostFunction { name: "proxy_get_buffer_bytes", params: "iiiii", run: get_buffer_bytes },
    HostFunction { name: "proxy_get_buffer_status", params: "iii", run: get_buffer_status },
    HostFunction { name: "proxy_get_header_map_pairs", params: "iii", run: get_header_map_pairs },
    HostFunction { name: "proxy_set_header_map_pairs", params: "iii", run: set_header_map_pairs },
    HostFunction { name: "proxy_get_header_map_value", params: "iiiii", run: get_header_map_value },
    HostFunction { name: "proxy_add_header_map_value", params: "iiiii", run: add_header_map_value },
    HostFunction {
        name: "proxy_replace_header_map_value",
        params: "iiiii",
        run: replace_header_map_value,
    },
    HostFunction {
        name: "proxy_remove_header_map_value",
        params: "iii",
        run: remove_header_map_value,
    },
    HostFunction { name: "proxy_get_property", params: "iiii", run: get_property },
    HostFunction { name: "proxy_set_property", params: "iiii", run: set_property },
    HostFunction {
        name: "proxy_send_local_response",
        params: "iiiiiiii",
        run: send_local_response,
    },
    HostFunction {
        name: "proxy_call_foreign_function",
        params: "iiiiii",
        run: call_foreign_function,
    },
    HostFunction { name: "proxy_get_shared_data", params: "iiiii", run: get_shared_data },
    HostFunction { name: "proxy_set_shared_data", params: "iiiii", run: set_shared_data },
    HostFunction { name: "proxy_define_metric", params: "iiii", run: define_metric },
    HostFunction { name: "proxy_increment_metric", params: "il", run: increment_metric },
    HostFunction { name: "proxy_record_metric", params: "il", run: record_metric },
    HostFunction { name: "proxy_get_metric", params: "ii", run: get_metric },
];

// Logging, time and contexts.

fn log(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [level, at, length] = args.words();
    let level = Level::from_number(level).ok_or(Status::BadArgument)?;
    let message = guest.text(at, length)?;
    guest.state().logs.push((level, message));
    Ok(())
}

fn get_log_level(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [level_at] = args.words();
    let level = guest.state().log_level;
    guest.write_u32(level_at, level as u32)
}

fn get_current_time(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [time_at] = args.words();
    let now = guest.state().now;
    guest.write_u64(time_at, now)
}

fn set_tick_period(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [milliseconds] = args.words();
    let state = guest.state();
    let root = state.stream().map(|stream| stream.root).unwrap_or(state.context);
    state.tick_periods.insert(root, milliseconds);
    Ok(())
}

fn set_effective_context(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [context] = args.words();
    let state = guest.state();
    if !state.roots.contains(&context) && !state.streams.contains_key(&context) {
        return Err(Status::BadArgument.into());
    }
    state.context = context;
    Ok(())
}

// Buffers: streams have no bodies here, and a VM has no configuration of its own.

const PLUGIN_CONFIGURATION: u32 = 7;
const LAST_BUFFER: u32 = 8;

fn buffer(guest: &mut Guest<'_>, number: u32) -> Answer<Vec<u8>> {
    let state = guest.state();
    match number {
        PLUGIN_CONFIGURATION if state.phase == Phase::Configure => Ok(state.configuration.clone()),
        PLUGIN_CONFIGURATION => Err(Status::NotFound.into()),
        0..=LAST_BUFFER => Ok(Vec::new()),
        _ => Err(Status::BadArgument.into()),
    }
}

fn get_buffer_bytes(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [number, start, length, place_at, length_at] = args.words();
    let bytes = buffer(guest, number)?;
    let rest = bytes.get(start as usize..).unwrap_or_default();
    let part = rest.get(..length as usize).unwrap_or(rest);
    guest.give(part, place_at, length_at)
}

fn get_buffer_status(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [number, length_at, flags_at] = args.words();
    let length = buffer(guest, number)?.len();
    guest.write_u32(length_at, length as u32)?;
    guest.write_u32(flags_at, 0)
}

// Headers. Reading the whole of a map that is not there yields no headers; everything else is
// refused.

fn get_header_map_pairs(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [map, place_at, length_at] = args.words();
    let map = Map::from_number(map)?;
    let headers = guest.state().readable(map).filter(|headers| !headers.pairs().is_empty());
    let wire = headers.map(Headers::to_wire).unwrap_or_default();
    guest.give(&wire, place_at, length_at)
}

fn set_header_map_pairs(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [map, at, length] = args.words();
    let map = Map::from_number(map)?;
    let headers = header_list(guest, at, length)?;
    *guest.state().writable(map).ok_or(Status::BadArgument)? = headers;
    Ok(())
}

fn get_header_map_value(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [map, name_at, name_length, place_at, length_at] = args.words();
    let map = Map::from_number(map)?;
    let name = header_name(guest, map, name_at, name_length)?;
    let state = guest.state();
    let missing = if state.phase == Phase::Log { Status::NotFound } else { Status::BadArgument };
    let headers = state.readable(map).ok_or(missing)?;
    let value = headers.lookup(&name).ok_or(Status::NotFound)?.to_vec();
    guest.give(&value, place_at, length_at)
}

fn add_header_map_value(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    change_header(guest, args, Headers::add)
}

fn replace_header_map_value(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    change_header(guest, args, Headers::replace)
}

fn change_header(
    guest: &mut Guest<'_>,
    args: &Args<'_>,
    change: fn(&mut Headers, &[u8], &[u8]),
) -> Answer {
    let [map, name_at, name_length, value_at, value_length] = args.words();
    let map = Map::from_number(map)?;
    let name = header_name(guest, map, name_at, name_length)?;
    let value = guest.bytes(value_at, value_length)?;
    sendable(&Headers::new().with(&name, &value))?;
    let headers = guest.state().writable(map).ok_or(Status::BadArgument)?;
    change(headers, &name, &value);
    Ok(())
}

fn remove_header_map_value(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [map, name_at, name_length] = args.words();
    let map = Map::from_number(map)?;
    let name = header_name(guest, map, name_at, name_length)?;
    guest.state().writable(map).ok_or(Status::BadArgument)?.remove(&name);
    Ok(())
}

/// Envoy knows the request header `host` as `:authority`.
fn header_name(guest: &Guest<'_>, map: Option<Map>, at: u32, length: u32) -> Answer<Vec<u8>> {
    let name = guest.bytes(at, length)?.to_ascii_lowercase();
    let is_host = map == Some(Map::Request) && name == b"host";
    Ok(if is_host { b":authority".to_vec() } else { name })
}

fn header_list(guest: &Guest<'_>, at: u32, length: u32) -> Answer<Headers> {
    let headers = Headers::from_wire(&guest.bytes(at, length)?);
    let headers =
        headers.ok_or_else(|| Refusal::Trap("a list of headers that is cut short".into()))?;
    sendable(&headers)?;
    Ok(headers)
}

fn sendable(headers: &Headers) -> Answer {
    headers.problem().map_or(Ok(()), |problem| Err(Refusal::Trap(problem)))
}

// Properties, local replies and calls by name.

fn get_property(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [path_at, path_length, place_at, length_at] = args.words();
    let path = guest.bytes(path_at, path_length)?;
    let path = path.strip_suffix(b"\0").unwrap_or(&path);
    if path.is_empty() {
        return Err(Status::SerializationFailure.into());
    }
    let value = guest.state().property(path).ok_or(Status::NotFound)?;
    guest.give(&value, place_at, length_at)
}

/// Becomes filter state of the stream; a root context has none.
fn set_property(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [path_at, path_length, value_at, value_length] = args.words();
    let path = guest.text(path_at, path_length)?;
    let value = guest.bytes(value_at, value_length)?;
    let stream = guest.state().stream().ok_or(Status::NotFound)?;
    stream.filter_state.insert(path, value);
    Ok(())
}

/// The first reply of a stream is the one that counts.
fn send_local_response(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [
        status,
        details_at,
        details_length,
        body_at,
        body_length,
        headers_at,
        headers_length,
        _grpc,
    ] = args.words();
    let reply = LocalReply {
        status,
        body: guest.bytes(body_at, body_length)?,
        headers: header_list(guest, headers_at, headers_length)?,
        details: guest.text(details_at, details_length)?,
    };
    if !(200..=599).contains(&status) {
        return Err(Refusal::Trap(format!("a local reply with status {status}")));
    }
    if let Some(stream) = guest.state().stream() {
        stream.local_reply.get_or_insert(reply);
    }
    Ok(())
}

fn call_foreign_function(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [name_at, name_length, _, _, place_at, length_at] = args.words();
    let name = guest.text(name_at, name_length)?;
    let state = guest.state();
    if !state.foreign_functions.contains(&name) {
        return Err(Status::NotFound.into());
    }
    if name == "clear_route_cache" {
        match state.stream() {
            Some(stream) if stream.ended => {
                let bug = "the stream has ended: Envoy reports a bug of its own and a stack trace";
                return Err(Refusal::Trap(bug.into()));
            }
            Some(stream) => stream.route_cleared = true,
            None => {}
        }
    }
    for at in [place_at, length_at].into_iter().filter(|at| *at != 0) {
        guest.write_u32(at, 0)?;
    }
    Ok(())
}

// Data shared between the VMs of all workers.

fn get_shared_data(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [key_at, key_length, place_at, length_at, cas_at] = args.words();
    let key = guest.bytes(key_at, key_length)?;
    let (value, cas) = guest.state().shared_data().get(&key).cloned().ok_or(Status::NotFound)?;
    guest.give(&value, place_at, length_at)?;
    guest.write_u32(cas_at, cas)
}

/// A compare-and-swap number of 0 always writes.
fn set_shared_data(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [key_at, key_length, value_at, value_length, cas] = args.words();
    let key = guest.bytes(key_at, key_length)?;
    let value = guest.bytes(value_at, value_length)?;
    let mut shared = guest.state().shared_data();
    let current = shared.get(&key).map_or(0, |(_, cas)| *cas);
    if cas != 0 && cas != current {
        return Err(Status::CasMismatch.into());
    }
    shared.insert(key, (value, current + 1));
    Ok(())
}

// Metrics.

fn define_metric(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [kind, name_at, name_length, id_at] = args.words();
    let name = guest.text(name_at, name_length)?;
    let id = guest.state().metrics.define(kind, name)?;
    guest.write_u32(id_at, id)
}

fn increment_metric(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [id] = args.words();
    Ok(guest.state().metrics.increment(id, args.wide(1) as i64)?)
}

fn record_metric(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [id] = args.words();
    Ok(guest.state().metrics.record(id, args.wide(1))?)
}

fn get_metric(guest: &mut Guest<'_>, args: &Args<'_>) -> Answer {
    let [id, value_at] = args.words();
    let value = guest.state().metrics.read(id)?;
    guest.write_u64(value_at, value)
}
