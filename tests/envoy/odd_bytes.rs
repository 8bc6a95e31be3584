//! Whatever bytes a client sends, Envoy lives, the request is decided as natively, and every later
//! request is served.

use lab::{Lab, Options, Request};

use crate::bench::{Bench, HOST_ERRORS, Shared, checkout, lab, user};
use crate::native::Native;
use crate::wire::{self, Wire};

static ENVOY: Shared = Shared::new(|| lab(&checkout(50.0).to_string(), Options::default()));

/// Checks that the module still runs on every worker, and never failed.
fn assert_unharmed(bench: &Bench<&'static Lab>) {
    let native = Native::new(&checkout(50.0));
    for number in 0..8 {
        // A new connection each time, so that both workers get some.
        let answer = bench.send(&user(number)).unwrap();
        assert_eq!(
            (answer.status, answer.cluster()),
            (200, Some(native.cluster(&user(number)).as_str()))
        );
    }
    let log = bench.log();
    for sign in ["panicked", "wasm_fail_stream", "Function: proxy_on"] {
        assert!(!log.contains(sign), "{sign}");
    }
    assert_eq!(bench.stats().unwrap().sum(HOST_ERRORS, &[]), 0);
}

/// Sends header lines as they are, and expects what the engine decides for the same lines.
fn assert_decided_as_natively(bench: &Lab, lines: &[(&str, &[u8])]) {
    let native = Native::new(&checkout(50.0));
    let request =
        lines.iter().fold(Request::get("/"), |request, (name, value)| request.header(name, value));
    let expected = native.expect(&request);
    let mut raw: Vec<Vec<u8>> = vec![b"GET / HTTP/1.1".to_vec(), b"host: localhost".to_vec()];
    raw.extend(lines.iter().map(|(name, value)| [name.as_bytes(), b": ", value].concat()));
    raw.push(b"x-lab-echo: 1".to_vec());
    let raw: Vec<&[u8]> = raw.iter().map(Vec::as_slice).collect();
    let response = wire::ask(bench, &raw);
    assert_eq!(response.status, 200, "{}", response.text());
    let echo = response.echo().unwrap();
    assert_eq!(Some(&echo.cluster), expected.cluster.as_ref(), "{:?}", expected.decisions);
    assert_eq!(echo.all("x-split-variant"), [expected.state.unwrap_or_default().as_bytes()]);
    for (name, _) in lines {
        let sent = lines.iter().filter(|(n, _)| n == name).map(|(_, value)| value.trim_ascii());
        assert_eq!(
            echo.all(name),
            sent.collect::<Vec<_>>(),
            "`{name}` reached the upstream changed"
        );
    }
}

#[test]
fn keys_that_are_not_text_decide_like_any_other() {
    let bench = ENVOY.bench();
    for key in
        [&b"\xff"[..], b"\xc3\x28", b"a\x80b", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"caf\xe9"]
    {
        assert_decided_as_natively(&bench, &[("x-user-id", key)]);
        assert_decided_as_natively(&bench, &[("cookie", &[b"uid=", key].concat())]);
        assert_decided_as_natively(
            &bench,
            &[("cookie", &[b"\xfe=\xff; uid=", key, b"; \xff"].concat())],
        );
        assert_decided_as_natively(&bench, &[("x-other", key), ("x-user-id", b"ada")]);
        let over_http_2 = Request::get("/").header("x-user-id", key).http2();
        let wanted = Native::new(&checkout(50.0)).cluster(&over_http_2);
        assert_eq!(bench.send(&over_http_2).unwrap().cluster(), Some(wanted.as_str()), "{key:?}");
    }
    assert_unharmed(&bench);
}

#[test]
fn the_key_is_found_in_any_of_several_cookie_lines() {
    let bench = ENVOY.bench();
    for number in 0..12 {
        let uid = format!("b=2; uid=user-{number}");
        let lines: [(&str, &[u8]); 3] =
            [("cookie", b"a=1"), ("cookie", uid.as_bytes()), ("cookie", b"c=3")];
        assert_decided_as_natively(&bench, &lines);
        assert_decided_as_natively(&bench, &[("cookie", b"uid"), ("cookie", uid.as_bytes())]);
        assert_decided_as_natively(&bench, &[("cookie", b"uid="), ("cookie", uid.as_bytes())]);
        // HTTP/2 splits cookies into lines as it likes; Envoy joins them.
        let mut over_http_2 = Request::get("/").http2();
        over_http_2.headers = lines.map(|(name, value)| (name.to_owned(), value.to_vec())).into();
        let wanted = Native::new(&checkout(50.0)).cluster(&over_http_2);
        assert_eq!(bench.send(&over_http_2).unwrap().cluster(), Some(wanted.as_str()));
    }
    assert_unharmed(&bench);
}

#[test]
fn cookies_of_odd_forms_do_no_harm() {
    let bench = ENVOY.bench();
    let forms: [&[u8]; 12] = [
        b"",
        b"uid",
        b"=",
        b";",
        b";;;uid=ada;;;",
        b"uid=\"ada\"",
        b"uid=\"",
        b"uid=a=b==",
        b" uid = ada ",
        b"=uid=ada",
        b"uid\t=\tada",
        b"uid=; uid=; uid=ada",
    ];
    for form in forms {
        assert_decided_as_natively(&bench, &[("cookie", form)]);
    }
    assert_unharmed(&bench);
}

#[test]
fn keys_of_many_kilobytes_decide_like_any_other() {
    let bench = ENVOY.bench();
    let native = Native::new(&checkout(50.0));
    for kilobytes in [4, 50] {
        for letter in *b"abc\xff" {
            let key = vec![letter; kilobytes * 1024];
            assert_decided_as_natively(&bench, &[("x-user-id", &key)]);
            assert_decided_as_natively(&bench, &[("cookie", &[b"uid=".as_slice(), &key].concat())]);
            // HTTP/2 writes this byte with 26 bits, and Envoy closes a connection with so large a head.
            if letter == 0xff && kilobytes == 50 {
                continue;
            }
            let over_http_2 = Request::get("/").header("x-user-id", &key).http2();
            let answer = bench.send(&over_http_2).unwrap();
            assert_eq!(answer.cluster(), Some(native.cluster(&over_http_2).as_str()));
        }
    }
    let many = vec![("cookie", b"a=1".as_slice()); 90];
    assert_decided_as_natively(&bench, &[many.as_slice(), &[("cookie", b"uid=ada")]].concat());
    assert_unharmed(&bench);
}

#[test]
fn requests_that_envoy_refuses_do_no_harm_either() {
    let bench = ENVOY.bench();
    let huge = vec![b'a'; 90 * 1024];
    let refused: [&[&[u8]]; 7] = [
        &[b"GET /\xff\xfe HTTP/1.1", b"host: localhost"],
        &[b"GET / HTTP/1.1", b"host: \xff\xff"],
        &[b"GET / HTTP/1.1", b"host: localhost", b"x-\xff: 1"],
        &[b"GET / HTTP/1.1", b"host: localhost", b"x-user-id: a\x00b"],
        &[b"GET / HTTP/1.1"],
        &[b"G\xffT / HTTP/1.1", b"host: localhost"],
        &[b"GET / HTTP/1.1", b"host: localhost", b"x-user-id:", &huge],
    ];
    for lines in refused {
        let response = wire::ask(&bench, lines);
        assert!(
            [200, 400, 431].contains(&response.status),
            "{} for {:?}",
            response.status,
            lines[0]
        );
    }
    assert_unharmed(&bench);
}

#[test]
fn odd_requests_and_good_ones_share_a_connection() {
    let bench = ENVOY.bench();
    let native = Native::new(&checkout(50.0));
    let mut wire = Wire::open(&bench);
    for number in 0..50 {
        let odd = wire.ask(&[
            b"GET / HTTP/1.1",
            b"host: localhost",
            b"cookie: \xff",
            b"cookie: uid=\xff\xfe",
            b"cookie: x",
        ]);
        assert_eq!(odd.status, 200);
        let good = format!("x-user-id: user-{number}");
        let good = wire.ask(&[b"GET / HTTP/1.1", b"host: localhost", good.as_bytes()]);
        assert_eq!(good.cluster(), Some(native.cluster(&user(number)).as_str()));
    }
    assert_unharmed(&bench);
}
