//! A report as a table for people, and as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;
use engine::outcome::Class;
use serde::Serialize;

use super::round::{Report, Row, SplitReport};
use crate::style;
use crate::table::{Table, numbers, words};
use crate::text::{fixed_percent, thousands};

/// Writes the table, and under it what there is to say about the splits.
pub(super) fn show(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new([
        words("split"),
        words("variant"),
        numbers("configured"),
        numbers("observed"),
        numbers("difference"),
        words("within 4 sigma"),
        numbers("requests"),
        numbers("2xx"),
        numbers("4xx"),
        numbers("5xx"),
        numbers("p50"),
        numbers("p95"),
    ]);
    for split in &report.splits {
        for (index, row) in split.variants.iter().enumerate() {
            // The name of the split stands once, so that one sees where the next begins.
            let name = if index == 0 { split.name.as_str() } else { "" };
            let style = if row.within == Some(false) { style::ERROR } else { Style::new() };
            table.styled_row(style, cells(name, row));
        }
    }
    if report.splits.iter().any(|split| !split.variants.is_empty()) {
        table.show(0, out)?;
    }
    for SplitReport { name, note, failed, .. } in &report.splits {
        match note {
            Some(note) if *failed => {
                writeln!(out, "{}: split `{name}`: {note}", style::error("failed"))?
            }
            Some(note) => writeln!(out, "{}: split `{name}`: {note}", style::warning("note"))?,
            None => {}
        }
    }
    if report.splits.is_empty() {
        writeln!(out, "the policy has no splits: every request takes the default route")?;
    }
    Ok(())
}

fn cells(split: &str, row: &Row) -> [String; 12] {
    let class = |wanted| {
        let Some(responses) = row.responses else { return none() };
        let classes = Class::ALL.iter().zip(responses);
        let count = classes.filter(|(class, _)| **class == wanted).map(|(_, count)| count).sum();
        thousands(count)
    };
    let difference = row.observed.map(|observed| observed - row.configured);
    [
        split.to_owned(),
        row.variant.clone(),
        fixed_percent(row.configured),
        row.observed.map_or_else(none, fixed_percent),
        difference.map_or_else(none, signed_percent),
        row.within.map_or_else(none, |within| if within { "yes" } else { "no" }.to_owned()),
        thousands(row.requests),
        class(Class::Success),
        class(Class::ClientError),
        class(Class::ServerError),
        row.p50.map_or_else(none, milliseconds),
        row.p95.map_or_else(none, milliseconds),
    ]
}

fn none() -> String {
    "-".to_owned()
}

fn signed_percent(difference: f64) -> String {
    let text = format!("{:+.2}%", difference * 100.0);
    // Less than half of the last digit is no difference, and has no sign.
    if text == "-0.00%" || text == "+0.00%" { "0.00%".to_owned() } else { text }
}

/// Envoy's histograms hold whole milliseconds.
fn milliseconds(value: f64) -> String {
    if value < 0.5 { "<1 ms".to_owned() } else { format!("{value:.0} ms") }
}

/// A split for programs.
#[derive(Debug, Serialize)]
pub(super) struct SplitJson<'r> {
    split: &'r str,
    note: Option<&'r str>,
    failed: bool,
    variants: Vec<VariantJson<'r>>,
}

#[derive(Debug, Serialize)]
struct VariantJson<'r> {
    variant: &'r str,
    cluster: Option<&'r str>,
    configured: f64,
    observed: Option<f64>,
    difference: Option<f64>,
    within_4_sigma: Option<bool>,
    requests: u64,
    /// By class.
    responses: Option<BTreeMap<&'static str, u64>>,
    p50_milliseconds: Option<f64>,
    p95_milliseconds: Option<f64>,
}

/// The report for programs.
pub(super) fn to_json(report: &Report) -> Vec<SplitJson<'_>> {
    report.splits.iter().map(SplitJson::new).collect()
}

impl<'r> SplitJson<'r> {
    fn new(split: &'r SplitReport) -> Self {
        Self {
            split: &split.name,
            note: split.note.as_deref(),
            failed: split.failed,
            variants: split.variants.iter().map(VariantJson::new).collect(),
        }
    }
}

impl<'r> VariantJson<'r> {
    fn new(row: &'r Row) -> Self {
        let by_class = |responses: [u64; Class::ALL.len()]| {
            Class::ALL.iter().map(|class| class.as_str()).zip(responses).collect()
        };
        Self {
            variant: &row.variant,
            cluster: row.cluster.as_deref(),
            configured: row.configured,
            observed: row.observed,
            difference: row.observed.map(|observed| observed - row.configured),
            within_4_sigma: row.within,
            requests: row.requests,
            responses: row.responses.map(by_class),
            p50_milliseconds: row.p50,
            p95_milliseconds: row.p95,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::write_json;

    fn row(variant: &str, configured: f64, requests: u64, within: bool) -> Row {
        Row {
            variant: variant.to_owned(),
            cluster: Some(format!("{variant}-cluster")),
            configured,
            observed: Some(requests as f64 / 10_000.0),
            within: Some(within),
            requests,
            responses: Some([0, requests, 0, 0, 0, 0, 0]),
            p50: Some(0.0),
            p95: Some(3.2),
        }
    }

    fn shown(report: &Report) -> String {
        let mut out = Vec::new();
        show(report, &mut out).unwrap();
        anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
    }

    #[test]
    fn the_table_is_aligned_and_names_each_split_once() {
        let split = SplitReport {
            name: "checkout".to_owned(),
            note: None,
            failed: false,
            variants: vec![row("stable", 0.95, 9_487, true), row("canary", 0.05, 513, true)],
        };
        let expected = "\
split     variant  configured  observed  difference  within 4 sigma  requests    2xx  4xx  5xx    p50   p95
checkout  stable       95.00%    94.87%      -0.13%  yes                9,487  9,487    0    0  <1 ms  3 ms
          canary        5.00%     5.13%      +0.13%  yes                  513    513    0    0  <1 ms  3 ms
";
        let shown = shown(&Report { splits: vec![split] });
        assert_eq!(shown, expected, "\n{shown}");
    }

    #[test]
    fn a_split_without_requests_says_why() {
        let split = SplitReport {
            name: "off".to_owned(),
            note: Some("it is not enabled".to_owned()),
            failed: false,
            variants: Vec::new(),
        };
        let report = Report { splits: vec![split] };
        assert_eq!(shown(&report), "note: split `off`: it is not enabled\n");
        assert!(report.is_fine());
    }

    #[test]
    fn one_share_that_is_off_makes_the_report_not_fine() {
        let split = SplitReport {
            name: "s".to_owned(),
            note: None,
            failed: false,
            variants: vec![row("a", 0.5, 9_000, false), row("b", 0.5, 1_000, false)],
        };
        let report = Report { splits: vec![split] };
        assert!(!report.is_fine());
        let mut json = Vec::new();
        write_json(&mut json, &to_json(&report)).unwrap();
        insta::assert_snapshot!(String::from_utf8(json).unwrap(), @r#"
        [
          {
            "failed": false,
            "note": null,
            "split": "s",
            "variants": [
              {
                "cluster": "a-cluster",
                "configured": 0.5,
                "difference": 0.4,
                "observed": 0.9,
                "p50_milliseconds": 0.0,
                "p95_milliseconds": 3.2,
                "requests": 9000,
                "responses": {
                  "1xx": 0,
                  "2xx": 9000,
                  "3xx": 0,
                  "4xx": 0,
                  "5xx": 0,
                  "abort": 0,
                  "none": 0
                },
                "variant": "a",
                "within_4_sigma": false
              },
              {
                "cluster": "b-cluster",
                "configured": 0.5,
                "difference": -0.4,
                "observed": 0.1,
                "p50_milliseconds": 0.0,
                "p95_milliseconds": 3.2,
                "requests": 1000,
                "responses": {
                  "1xx": 0,
                  "2xx": 1000,
                  "3xx": 0,
                  "4xx": 0,
                  "5xx": 0,
                  "abort": 0,
                  "none": 0
                },
                "variant": "b",
                "within_4_sigma": false
              }
            ]
          }
        ]
        "#);
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(
            [0.0, -0.000_01, 0.001, -0.02].map(signed_percent),
            ["0.00%", "0.00%", "+0.10%", "-2.00%"]
        );
        assert_eq!([0.0, 1.0, 12.4].map(milliseconds), ["<1 ms", "1 ms", "12 ms"]);
    }
}
