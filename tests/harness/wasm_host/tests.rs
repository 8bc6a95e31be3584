//! The host against guests written by hand, each a few lines of WebAssembly text: what real filters
//! rely on, and what they would get wrong. A guest notes the status of a host call as a line of the
//! log, by its name.

use super::*;

/// What all guests have: imports with short names, an allocator, and `$note`, which logs a status.
const PRELUDE: &str = r#"
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
    (import "env" "proxy_set_header_map_pairs" (func $set_pairs (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_replace_header_map_value"
        (func $replace (param i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
    (import "env" "proxy_get_property" (func $get_property (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_set_property" (func $set_property (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_send_local_response"
        (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_call_foreign_function"
        (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
    (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
    (import "env" "proxy_set_tick_period_milliseconds" (func $tick_period (param i32) (result i32)))
    (import "env" "proxy_get_current_time_nanoseconds" (func $now (param i32) (result i32)))
    (import "env" "proxy_of_the_future" (func $unknown (param i32 i64) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $fd_write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
    (memory (export "memory") 2)
    (global $free (mut i32) #65536)
    (func (export "proxy_on_memory_allocate") (param i32) (result i32)
        (global.get $free)
        (global.set $free (i32.add (global.get $free) (local.get 0))))
    (func (export "proxy_abi_version_0_2_1"))
    (func $say (param $at i32) (param $length i32)
        (drop (call $log #2 (local.get $at) (local.get $length))))
    (func $note (param $status i32) ;; as one letter: A is 0, B is 1, ...
        (i32.store8 #0 (i32.add (local.get $status) #65))
        (call $say #0 #1))
    (func $given ;; what the last call handed over: its place at 16, its length at 20
        (call $say (i32.load #16) (i32.load #20)))
"#;

/// A host with a guest of these functions and data, configured.
fn host(guest: &str) -> WasmHost {
    let mut host = unconfigured(guest);
    assert!(host.configure(b"").unwrap());
    host
}

fn unconfigured(guest: &str) -> WasmHost {
    WasmHost::load(module(guest).as_bytes()).unwrap_or_else(|failure| panic!("{failure}"))
}

/// The text of a module with such a guest; `#7` is short for `(i32.const 7)`.
fn module(guest: &str) -> String {
    let text = format!("(module {PRELUDE} {guest})");
    let mut parts = text.split('#');
    let mut module = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(part.len());
        let (number, rest) = part.split_at(end);
        module.push_str(&format!("(i32.const {number}){rest}"));
    }
    module
}

/// The lines of the log, with the letters of `$note` as the names of statuses.
fn notes(host: &WasmHost) -> Vec<String> {
    let name = |message: &str| match message.as_bytes() {
        [letter @ b'A'..=b'M'] => match letter - b'A' {
            0 => "Ok".to_owned(),
            n => format!("{:?}", Status::FAILURES[usize::from(n) - 1]),
        },
        _ => message.to_owned(),
    };
    host.logs().iter().map(|(_, message)| name(message)).collect()
}

fn request() -> Headers {
    Headers::get("shop.example.com", "/")
}

#[test]
fn a_filter_reads_and_changes_the_headers_of_a_request() {
    let mut host = host(
        r#"(data #100 "Host")
        (data #110 "x-user")
        (data #120 "x-new")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $note (call $get #0 #100 #4 #16 #20))
            (call $given)
            (call $note (call $get #0 #120 #5 #16 #20))
            (call $note (call $remove #0 #110 #6))
            (call $note (call $add #0 #120 #5 #110 #6))
            (call $note (call $add #0 #120 #5 #100 #4))
            #0)"#,
    );
    let asked = host.request(&request().with("X-User", b"\xff").with("x-user", "2")).unwrap();
    assert_eq!(notes(&host), ["Ok", "shop.example.com", "NotFound", "Ok", "Ok", "Ok"]);
    assert_eq!(asked.headers, request().with("x-new", "x-user").with("x-new", "Host"));
    assert!(asked.route_cleared && !asked.paused && asked.local_reply.is_none());
}

#[test]
fn headers_are_there_in_their_own_phase_and_readable_in_the_log() {
    // In each phase: read a request header, change one, read a response header, change one.
    let look = r#"(call $note (call $get #0 #100 #5 #16 #20))
        (call $note (call $remove #0 #110 #6))
        (call $note (call $get #2 #120 #7 #16 #20))
        (call $note (call $remove #2 #110 #6))"#;
    let mut host = host(&format!(
        r#"(data #100 ":path") (data #110 "x-none") (data #120 ":status")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {look} #0)
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) {look} #0)
        (func (export "proxy_on_log") (param i32) {look})
        (func (export "proxy_on_done") (param i32) (result i32) {look} #1)"#
    ));
    host.exchange(&request(), &Response::status(200)).unwrap();
    let notes = notes(&host);
    let phases: Vec<&[String]> = notes.chunks(4).collect();
    assert_eq!(phases[0], ["Ok", "Ok", "BadArgument", "BadArgument"], "request");
    assert_eq!(phases[1], ["BadArgument", "BadArgument", "Ok", "Ok"], "response");
    assert_eq!(phases[2], ["Ok", "BadArgument", "Ok", "BadArgument"], "log");
    assert_eq!(phases[3], ["BadArgument"; 4], "done");
}

#[test]
fn the_trailers_of_a_response_are_there_in_their_own_phase_and_in_the_log() {
    // In each phase: read a trailer, change one, read a response header.
    let look = r#"(call $note (call $get #3 #100 #11 #16 #20))
        (call $note (call $add #3 #120 #5 #100 #1))
        (call $note (call $get #2 #130 #7 #16 #20))"#;
    let mut host = host(&format!(
        r#"(data #100 "grpc-status") (data #120 "x-new") (data #130 ":status")
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) {look} #0)
        (func (export "proxy_on_response_trailers") (param i32 i32) (result i32) {look} #0)
        (func (export "proxy_on_log") (param i32) {look})"#
    ));
    let asked = host.request(&request()).unwrap();
    host.respond(asked.stream, &Response::status(200)).unwrap();
    let sent = Headers::new().with("grpc-status", "0");
    let trailers = host.trailers(asked.stream, &sent).unwrap();
    host.finish(asked.stream).unwrap();
    assert_eq!(trailers, sent.with("x-new", "g"));
    let notes = notes(&host);
    let phases: Vec<&[String]> = notes.chunks(3).collect();
    assert_eq!(phases[0], ["BadArgument", "BadArgument", "Ok"], "response");
    assert_eq!(phases[1], ["Ok", "Ok", "BadArgument"], "trailers");
    assert_eq!(phases[2], ["Ok", "BadArgument", "Ok"], "log");
}

#[test]
fn callbacks_and_calls_are_recorded_from_when_a_test_asks() {
    let mut host = host(
        r#"(data #100 ":path") (data #110 "bytes")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (drop (call $get #0 #100 #5 #16 #20))
            (drop (call $unknown #1 (i64.const 2)))
            (drop (call $random #16 #4))
            #0)
        (func (export "proxy_on_log") (param i32))
        (global $asked (mut i64) (i64.const 7))
        (func (export "allocations") (result i64)
            (global.set $asked (i64.mul (global.get $asked) (i64.const 2)))
            (global.get $asked))"#,
    );
    assert_eq!(host.recorded(), []);
    host.exchange(&request(), &Response::status(200)).unwrap();
    assert_eq!(host.recorded(), [], "nobody asked");
    host.record();
    host.exchange(&request(), &Response::status(200)).unwrap();
    let visit = |callback, calls: &[&str], allocations| Visit {
        callback,
        calls: calls.iter().map(|call| (*call).to_owned()).collect(),
        allocations: Some(allocations),
    };
    let calls = ["proxy_get_header_map_value", "proxy_of_the_future", "random_get"];
    // The guest says 14, 28, 56, 112.
    let wanted = [visit("proxy_on_request_headers", &calls, 14), visit("proxy_on_log", &[], 56)];
    assert_eq!(host.recorded(), wanted);
    assert_eq!(host.recorded(), [], "since the last time");
}

#[test]
fn all_headers_at_once_are_none_where_there_is_no_map() {
    let mut host = host(
        r#"(func $all (call $note (call $pairs #0 #16 #20))
            (call $note (i32.ne (i32.load #20) #0)))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $all)
            (call $note (call $set_pairs #0 (i32.load #16) (i32.load #20)))
            #0)
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
            (call $all) #0)"#,
    );
    let sent = request().with("cookie", "a=1").with("cookie", b"b=\xfe");
    let (asked, _) = host.exchange(&sent, &Response::status(200)).unwrap();
    assert_eq!(asked.headers, sent);
    assert_eq!(notes(&host), ["Ok", "NotFound", "Ok", "Ok", "Ok"]); // 1, that is some, and then 0
}

#[test]
fn a_stream_is_logged_then_done_then_deleted_and_knows_its_outcome_in_the_log() {
    let mut host = host(
        r#"(data #100 "response\00code") (data #120 "request\00duration")
        (data #140 "log") (data #144 "done") (data #150 "delete")
        (func $look
            (call $note (call $get_property #100 #13 #16 #20))
            (call $note (call $get_property #120 #16 #16 #20)))
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $look) #0)
        (func (export "proxy_on_log") (param i32) (call $look) (call $say #140 #3))
        (func (export "proxy_on_done") (param i32) (result i32)
            (call $say #144 #4) #1)
        (func (export "proxy_on_delete") (param i32) (call $say #150 #6))"#,
    );
    host.exchange(&request(), &Response::status(200)).unwrap();
    assert_eq!(notes(&host), ["NotFound", "NotFound", "Ok", "Ok", "log", "done", "delete"]);
    let stream = host.request(&request()).unwrap().stream;
    host.finish(stream).unwrap();
    assert_eq!(
        notes(&host)[7..],
        ["NotFound", "NotFound", "NotFound", "Ok", "log", "done", "delete"]
    );
    host.refused_request(&Headers::new(), &Response::status(400)).unwrap();
    assert_eq!(notes(&host)[14..], ["Ok", "Ok", "log", "done", "delete"]);
    assert!(host.finish(stream).is_err(), "it has ended");
}

#[test]
fn properties_are_what_the_test_set_and_filter_state_belongs_to_the_stream() {
    let mut host = host(
        r#"(data #100 "source\00address") (data #120 "decision") (data #130 "a=b")
        (func $look (call $note (call $get_property #100 #14 #16 #20)))
        (func (export "proxy_on_configure") (param i32 i32) (result i32)
            (call $look)
            (call $note (call $set_property #120 #8 #130 #3))
            #1)
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $look) (call $given)
            (call $note (call $set_property #120 #8 #130 #3))
            #0)
        (func (export "proxy_on_log") (param i32)
            (call $note (call $get_property #120 #8 #16 #20))
            (call $given))"#,
    );
    host.set_property(&["source", "address"], "10.0.0.1:5000");
    assert!(host.configure(b"").unwrap());
    assert_eq!(notes(&host), ["NotFound"; 4], "a root context has neither");
    let asked = host.request(&request()).unwrap();
    let expected = FilterState::from([("decision".to_owned(), b"a=b".to_vec())]);
    assert_eq!(asked.filter_state, expected);
    assert_eq!(host.finish(asked.stream).unwrap(), expected);
    assert_eq!(notes(&host)[4..], ["Ok", "10.0.0.1:5000", "Ok", "Ok", "a=b"]);
}

#[test]
fn a_local_reply_stops_the_request_and_is_its_response() {
    let mut host = host(
        r#"(data #100 "gone") (data #110 "x")
        (data #200 "\01\00\00\00\03\00\00\00\01\00\00\00x-a\00b\00")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $note (call $reply #410 #110 #1 #100 #4
                #200 #18 #-1))
            #0)"#,
    );
    let (asked, answered) = host.exchange(&request(), &Response::status(200)).unwrap();
    let reply = asked.local_reply.unwrap();
    assert!(asked.paused);
    assert_eq!(
        (reply.status, reply.body.as_slice(), reply.details.as_str()),
        (410, &b"gone"[..], "x")
    );
    assert_eq!(reply.headers, Headers::from([("x-a", "b")]));
    let expected = Headers::status(410)
        .with("x-a", "b")
        .with("content-length", "4")
        .with("content-type", "text/plain");
    assert_eq!(answered.headers, expected);
}

#[test]
fn a_refused_configuration_leaves_the_old_one_serving_and_an_old_one_ends_with_its_last_stream() {
    // The guest says its root context's id when a stream begins and ends; it refuses a
    // configuration with a `!`.
    let mut host = unconfigured(
        r#"(global $root (mut i32) #0)
        (func (export "proxy_on_context_create") (param $id i32) (param $root i32)
            (if (local.get $root) (then (call $note (local.get $root)))))
        (func (export "proxy_on_configure") (param i32) (param $length i32) (result i32)
            (drop (call $buffer #7 #0 #9 #16 #20))
            (call $given)
            (i32.ne (i32.load8_u (i32.load #16)) #33))
        (func (export "proxy_on_delete") (param i32) (call $note (local.get 0)))"#,
    );
    assert!(host.request(&request()).is_err(), "nothing is configured");
    assert!(host.configure(b"good").unwrap()); // root context 1
    assert!(!host.configure(b"!bad").unwrap()); // 2
    let old = host.request(&request()).unwrap().stream; // 3, of 1
    assert!(host.configure(b"better and longer").unwrap()); // 4
    let new = host.request(&request()).unwrap().stream; // 5, of 4
    host.finish(new).unwrap();
    host.finish(old).unwrap();
    let noted: Vec<&str> = host.logs().iter().map(|(_, message)| message.as_str()).collect();
    let (one, three, four, five) = ("B", "D", "E", "F");
    assert_eq!(noted, ["good", "!bad", one, "better an", four, five, three, one]);
}

#[test]
fn a_trap_says_where_and_why_and_ends_the_vm() {
    let mut host = host(
        r#"(data #100 "thread panicked\n") (data #200 "\64\00\00\00\10\00\00\00")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (drop (call $fd_write #2 #200 #1 #16))
            unreachable)"#,
    );
    let failure = host.request(&request()).unwrap_err().to_string();
    assert!(
        failure.contains("proxy_on_request_headers") && failure.contains("thread panicked"),
        "{failure}"
    );
    assert_eq!(host.output(), "thread panicked\n");
    let after = host.configure(b"").unwrap_err().to_string();
    assert!(after.contains("has ended before"), "{after}");
}

#[test]
fn the_route_of_a_stream_that_has_ended_cannot_be_chosen_again() {
    let mut host = host(
        r#"(data #100 "clear_route_cache")
        (func (export "proxy_on_log") (param i32)
            (call $note (call $foreign #100 #17 #0 #0 #0 #0)))"#,
    );
    let failure = host.exchange(&request(), &Response::status(200)).unwrap_err().to_string();
    assert!(failure.contains("the stream has ended"), "{failure}");
}

#[test]
fn a_header_that_would_split_the_response_ends_the_vm() {
    let mut host = host(
        r#"(data #100 "x-a") (data #110 "b\r\nset-cookie: c")
        (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
            (drop (call $replace #2 #100 #3 #110 #16))
            #0)"#,
    );
    let failure = host.exchange(&request(), &Response::status(200)).unwrap_err().to_string();
    assert!(failure.contains("line break"), "{failure}");
}

#[test]
fn any_host_call_can_be_made_to_fail_and_to_work_again() {
    let mut host = host(
        r#"(data #100 "requests")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $note (call $define #0 #100 #8 #16))
            (call $note (call $increment (i32.load #16) (i64.const 2)))
            (call $note (call $increment (i32.load #16) (i64.const 0)))
            #0)"#,
    );
    host.request(&request()).unwrap();
    assert_eq!(notes(&host), ["Ok", "Ok", "BadArgument"]);
    host.fail("proxy_define_metric", Status::InternalFailure);
    host.request(&request()).unwrap();
    assert_eq!(notes(&host)[3..], ["InternalFailure", "Ok", "BadArgument"]);
    host.fail("proxy_define_metric", Status::Ok);
    host.request(&request()).unwrap();
    assert_eq!(notes(&host)[6..], ["Ok", "Ok", "BadArgument"]);
    assert_eq!(host.metrics()["requests"], MetricValue::Counter(6));
}

#[test]
fn what_the_host_does_not_have_is_unimplemented_and_can_be_asked_for() {
    let guest = r#"(data #100 "clear_route_cache")
        (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
            (call $note (call $unknown #1 (i64.const 2)))
            (call $note (call $foreign #100 #17 #0 #0 #0
                #0))
            #0)"#;
    let mut host = host(guest);
    assert!(host.request(&request()).unwrap().route_cleared);
    host.remove_foreign_function("clear_route_cache");
    assert!(!host.request(&request()).unwrap().route_cleared);
    assert_eq!(notes(&host), ["Unimplemented", "Ok", "Unimplemented", "NotFound"]);
    let program = Program::compile(module("").as_bytes()).unwrap();
    assert_eq!(program.unimplemented_imports(), ["env.proxy_of_the_future"]);
    assert!(program.host_calls().iter().any(|name| name == "proxy_log"));
}

#[test]
fn modules_that_envoy_could_not_load_are_refused() {
    let load = |module: &str| WasmHost::load(module.as_bytes()).err().unwrap().to_string();
    assert!(load("(module)").contains("proxy_abi_version_0_2_1"));
    let other_parameters = r#"(import "env" "proxy_log" (func (param i32) (result i32)))
        (func (export "proxy_abi_version_0_2_1"))"#;
    assert!(load(&format!("(module {other_parameters})")).contains("proxy_log"));
    assert!(load("no module").contains("loading"));
}

#[test]
fn time_stands_still_ticks_come_when_asked_for_and_random_numbers_repeat() {
    let guest = r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
            (call $note (call $tick_period #1000)) #1)
        (func (export "proxy_on_tick") (param i32)
            (drop (call $now #16))
            (call $note (i32.wrap_i64 (i64.div_u (i64.load #16) (i64.const 1000000000))))
            (drop (call $random #16 #1))
            (call $note (i32.and (i32.load8_u #16) #7)))"#;
    let run = |seed| {
        let mut host = host(guest);
        host.set_time(Duration::from_secs(3));
        host.set_seed(seed);
        host.tick().unwrap();
        host.advance(Duration::from_secs(1));
        (0..5).for_each(|_| host.tick().unwrap());
        notes(&host)
    };
    assert_eq!(run(1)[1], "SerializationFailure", "3 s");
    assert_eq!(run(1)[3], "ParseFailure", "4 s");
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
