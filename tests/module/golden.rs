//! The golden rows through the real module.

use harness::golden;
use harness::wasm_host::{Headers, Response};

#[test]
fn every_golden_row_is_met_by_the_module() {
    let mut host = super::running(&golden::policy());
    let splits = golden::splits();
    for row in golden::rows() {
        let request = Headers::get(&splits[&row.split].host, "/").with("x-key", &row.key);
        let (asked, _) = host
            .exchange(&request, &Response::status(200))
            .unwrap_or_else(|failure| panic!("{failure}"));
        let wanted = format!("{}={}", row.split, row.variant);
        assert_eq!(asked.headers.text("x-split-variant"), Some(wanted), "{row:x?}");
    }
}
