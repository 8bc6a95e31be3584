//! What the host's functions and the callbacks are called in the table of paths, and what each costs.

use std::fmt::Write as _;

use harness::wasm_host::Visit;

/// A function of the host: the word that the table below has for it, its name, and what a call costs in Envoy in
/// instructions, counted by callgrind as `scripts/bench-envoy` does (a plain route takes about 185,000).
const CALLS: [(&str, &str, &str); 15] = [
    ("headers", "proxy_get_header_map_pairs", "13,600 for 13 headers; 30 more are 18,000 more"),
    ("header", "proxy_get_header_map_value", "14,000: a call that returns bytes, however few"),
    ("property", "proxy_get_property", "14,100: a call that returns bytes, however few"),
    (
        "shared",
        "proxy_get_shared_data",
        "not counted alone; it returns bytes, as those of 14,000 do",
    ),
    (
        "set",
        "proxy_replace_header_map_value",
        "4,400; a request's first 11,500: its route is chosen again",
    ),
    (
        "add",
        "proxy_add_header_map_value",
        "not counted alone; `vary`, which adds one to the response, is 4,900 more",
    ),
    ("remove", "proxy_remove_header_map_value", "not counted alone; it edits as `set` does"),
    ("state", "proxy_set_property", "4,700"),
    ("share", "proxy_set_shared_data", "not counted alone; it takes a lock that all workers share"),
    ("reply", "proxy_send_local_response", "not counted alone; it takes the place of the upstream"),
    ("count", "proxy_increment_metric", "1,400"),
    ("record", "proxy_record_metric", "2,000 to 2,700 for a histogram"),
    ("clock", "clock_time_get", "some hundred"),
    ("time", "proxy_get_current_time_nanoseconds", "some hundred"),
    ("random", "random_get", "not counted alone"),
];

/// The same for the callbacks of a stream; each that is exported costs the host's way into the VM.
const CALLBACKS: [(&str, &str, &str); 5] = [
    ("create", "proxy_on_context_create", "6,400 with the end of the context"),
    ("request", "proxy_on_request_headers", "1,300 to 1,900"),
    ("response", "proxy_on_response_headers", "1,300 to 1,900"),
    ("trailers", "proxy_on_response_trailers", "1,300 to 1,900"),
    ("delete", "proxy_on_delete", "1,300 to 1,900"),
];

/// A callback and its calls; one for which there is no word is there by its own name.
pub(crate) fn words(visit: &Visit) -> String {
    let word = |tables: &[(&'static str, &'static str, &str)], name: &str| {
        let known = tables.iter().find(|(_, of, _)| *of == name).map(|(word, ..)| *word);
        known.map_or_else(|| name.to_owned(), str::to_owned)
    };
    let mut text = format!("{}:", word(&CALLBACKS, visit.callback));
    for call in &visit.calls {
        let _ = write!(text, " {}", word(&CALLS, call));
    }
    text
}

/// Tells what is found more or less often than pinned, with its price.
pub(crate) fn prices(told: &mut String, pinned: &str, found: &str) {
    let often = |text: &str, word: &str| {
        text.split_whitespace().filter(|of| of.trim_end_matches(':') == word).count() as i64
    };
    for (word, name, price) in CALLBACKS.iter().chain(&CALLS) {
        let more = often(found, word) - often(pinned, word);
        if more != 0 {
            let _ = writeln!(told, "  {more:+} {word} ({name}): each {price}");
        }
    }
}

#[test]
fn a_call_more_is_told_with_its_price() {
    let mut told = String::new();
    prices(
        &mut told,
        "request: headers set | delete: clock",
        "request: headers set header set | delete:",
    );
    let [header, set, clock] = told.lines().collect::<Vec<_>>()[..] else { panic!("{told}") };
    assert_eq!(
        header,
        "  +1 header (proxy_get_header_map_value): each 14,000: a call that returns bytes, however few"
    );
    assert!(set.starts_with("  +1 set (proxy_replace_header_map_value): each 4,400;"), "{set}");
    assert_eq!(clock, "  -1 clock (clock_time_get): each some hundred");
}
