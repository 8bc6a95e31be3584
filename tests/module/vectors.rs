//! The conformance vectors through the real module.

use harness::vectors;
use harness::wasm_host::Response;

#[test]
fn every_vector_holds_in_the_module() {
    for vector in vectors::all() {
        for case in &vector.cases {
            let place = format!("{}: {}", vector.file, case.about);
            let mut host = super::running(&vector.policy);
            let (asked, _) = host
                .exchange(&super::headers(&case.request), &Response::status(200))
                .unwrap_or_else(|failure| panic!("{place}: {failure}"));
            for (name, wanted) in &case.upstream {
                let found: Vec<&[u8]> = asked.headers.all(name).collect();
                let wanted: Vec<&[u8]> = wanted.iter().map(Vec::as_slice).collect();
                assert_eq!(found, wanted, "{name}, {place}");
            }
            let counted: Vec<String> = host
                .metrics()
                .iter()
                .filter(|(name, value)| {
                    name.ends_with("traffic_split_requests_total") && value.count() > 0
                })
                .map(|(name, _)| name.clone())
                .collect();
            for decision in &case.decisions {
                let (tag, reason) = decision.split_once(' ').expect("`split=variant reason`");
                let (split, variant) = tag.split_once('=').expect("`split=variant`");
                let name = format!(
                    "split=.={split};.;variant=.={variant};.;reason=.={reason};.;traffic_split_requests_total"
                );
                assert!(counted.contains(&name), "{name} of {counted:?}, {place}");
            }
            assert_eq!(counted.len(), case.decisions.len(), "{counted:?}, {place}");
        }
    }
}
