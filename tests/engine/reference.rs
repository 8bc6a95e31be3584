//! What the reference page says of limits and defaults is what the code has.

use engine::policy::{Weight, limits};
use engine::units::Ratio;
use policy_text::canonical::defaults::default_of;
use splitctl::text::thousands;

fn page() -> String {
    std::fs::read_to_string(harness::root().join("docs/policy.md")).unwrap()
}

#[test]
fn every_limit_stands_on_the_page_as_it_is() {
    let [layers, variants] = [limits::LAYERS, limits::VARIANTS];
    let [splits, in_all] =
        [limits::SPLITS, limits::VARIANTS_IN_ALL].map(|limit| thousands(limit as u64));
    let [conditions, cohort] =
        [limits::CONDITIONS, limits::COHORT].map(|limit| thousands(limit as u64));
    let [overrides, requirements] =
        [limits::OVERRIDES, limits::REQUIREMENTS].map(|limit| thousands(limit as u64));
    let [sources, edits] =
        [limits::KEY_SOURCES, limits::HEADER_EDITS].map(|limit| thousands(limit as u64));
    let [value, header] =
        [limits::VALUE, limits::HEADER_VALUE].map(|limit| thousands(limit as u64));
    let [regex, body] = [limits::COMPILED_REGEX, limits::BODY].map(|bytes| bytes / 1_024);
    let weight = thousands(Weight::MAX.units() / Weight::UNITS_PER_ONE);
    let (metrics, text, name) = (limits::METRICS_OF_A_VARIANT, limits::TEXT, limits::NAME - 1);
    let (least, secret, steps) = (limits::SECRET_MIN, limits::SECRET, limits::RAMP_STEPS);
    let (lowest, highest) = limits::STATUS.into_inner();
    let encodings = limits::ENCODINGS;
    let ratio = thousands(Ratio::MAX.into());
    let (fewest, most) = limits::FALSE_TRIPS.into_inner();
    let [fewest, most] = [fewest, most].map(|limit| thousands(limit.cast_unsigned()));
    let said = [
        format!("up to {encodings} encodings"),
        format!("Names are `[a-z0-9][a-z0-9._-]{{0,{name}}}`."),
        format!("Secrets are {least} to {secret} visible ASCII characters"),
        format!("decision points in order, at most {splits};"),
        format!("`[{{name, salt}}]`, at most {layers}:"),
        format!("| 1 to {variants}; see [Variants]"),
        format!("never for values over {value} bytes"),
        format!("one of a list of up to {cohort} values"),
        format!("({lowest} to {highest}; up to {body} KiB)"),
        format!("Each of the 1 to {steps} steps"),
        format!("| splits; layers; variants of a split | {splits}; {layers}; {variants} |"),
        format!("| variants of all enabled splits | {in_all}: each has up to {metrics} metrics"),
        format!("conditions in each of its fields | {conditions} |"),
        format!("| {overrides}; {requirements}; {sources} |"),
        format!("| headers in each list of a variant's edits | {edits} |"),
        format!("| values of one `in` list | {cohort} |"),
        format!("| one value, or one regex | {value} bytes; a compiled regex {regex} KiB |"),
        format!("| cluster names, salts, header and cookie names | {text} bytes |"),
        format!("a variant sets; a body | {header} bytes; {body} KiB |"),
        format!("| a weight | 0 to {weight} in steps of 0.0001 |"),
        format!("| above 1, up to {ratio} |"),
        format!("| {fewest} to {most}; a small one trips"),
    ];
    let page = page();
    let missing: Vec<_> = said.iter().filter(|line| !page.contains(*line)).collect();
    assert!(missing.is_empty(), "docs/policy.md does not say {missing:#?}");
}

#[test]
fn every_default_stands_on_the_page_as_it_is() {
    let shown = |name| default_of(name).unwrap().to_string();
    let page = page();
    let mut rows = 0;
    for line in page.lines() {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        if let ["", name, default, _, ""] = cells.as_slice()
            && let Some(known) = default_of(name)
        {
            assert_eq!(*default, known.to_string(), "`{name}` in docs/policy.md");
            rows += 1;
        }
    }
    assert_eq!(rows, 16, "rows of fields with a default");
    let said = [
        format!(
            "users who are served the baseline of every split; `salt` defaults to `{}`",
            shown("holdout.salt")
        ),
        format!(
            "(default `{}` for generate, `{}` for sticky;",
            shown("generate.ttl"),
            shown("sticky.ttl")
        ),
        format!(
            "`secure` (`{}`), `http_only` (`{}`), `same_site` (`{}`,",
            shown("secure"),
            shown("http_only"),
            shown("same_site")
        ),
        format!("`partitioned` (`{}`)", shown("partitioned")),
        format!("epoch: {}, secret", shown("epoch")),
        format!("# default {}: from step to step", shown("linear")),
        format!("`by: {}` (default)", shown("by")),
        format!("force: {{header: {},", shown("force.header")),
    ];
    let missing: Vec<_> = said.iter().filter(|line| !page.contains(*line)).collect();
    assert!(missing.is_empty(), "docs/policy.md does not say {missing:#?}");
}
