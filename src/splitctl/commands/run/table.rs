//! A report as a table for people, and as JSON.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};
use engine::metrics::Class;
use serde_json::{Value, json};

use super::round::{Report, Row, SplitReport};
use crate::style;
use crate::text::{fixed_percent, thousands};

/// The columns, and whether they hold numbers.
const COLUMNS: [(&str, bool); 12] = [
    ("split", false),
    ("variant", false),
    ("configured", true),
    ("observed", true),
    ("difference", true),
    ("within 4 sigma", false),
    ("requests", true),
    ("2xx", true),
    ("4xx", true),
    ("5xx", true),
    ("p50", true),
    ("p95", true),
];

/// Writes the table, and under it what there is to say about the splits.
pub(super) fn show(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(COLUMNS.map(|(name, _)| name));
    let mut wrong = Vec::new();
    for split in &report.splits {
        for (index, row) in split.variants.iter().enumerate() {
            // The name of the split stands once, so that one sees where the next begins.
            let name = if index == 0 { split.name.as_str() } else { "" };
            table.add_row(cells(name, row));
            wrong.push(row.within == Some(false));
        }
    }
    for (column, (_, is_number)) in table.column_iter_mut().zip(COLUMNS) {
        column.set_padding((0, 2));
        if is_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    if !wrong.is_empty() {
        for (line, text) in table.lines().enumerate() {
            let text = text.trim_end();
            match line.checked_sub(1).and_then(|row| wrong.get(row)) {
                None => writeln!(out, "{}", style::strong(text))?,
                Some(true) => writeln!(out, "{}", style::error(text))?,
                Some(false) => writeln!(out, "{text}")?,
            }
        }
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
        let classes = Class::ALL.iter().zip(row.responses);
        let count =
            classes.filter(|((class, _), _)| *class == wanted).map(|(_, count)| count).sum();
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

/// The report for programs.
pub(super) fn to_json(report: &Report) -> Value {
    let splits: Vec<Value> = report.splits.iter().map(split_to_json).collect();
    json!({"ok": report.is_fine(), "splits": splits})
}

fn split_to_json(split: &SplitReport) -> Value {
    let variants: Vec<Value> = split
        .variants
        .iter()
        .map(|row| {
            let classes = Class::ALL.iter().zip(row.responses);
            let responses: serde_json::Map<String, Value> =
                classes.map(|((_, name), count)| ((*name).to_owned(), json!(count))).collect();
            json!({
                "variant": row.variant,
                "cluster": row.cluster,
                "configured": row.configured,
                "observed": row.observed,
                "difference": row.observed.map(|observed| observed - row.configured),
                "within_4_sigma": row.within,
                "requests": row.requests,
                "responses": responses,
                "p50_milliseconds": row.p50,
                "p95_milliseconds": row.p95,
            })
        })
        .collect();
    json!({"split": split.name, "note": split.note, "failed": split.failed, "variants": variants})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(variant: &str, configured: f64, requests: u64, within: bool) -> Row {
        Row {
            variant: variant.to_owned(),
            cluster: Some(format!("{variant}-cluster")),
            configured,
            observed: Some(requests as f64 / 10_000.0),
            within: Some(within),
            requests,
            responses: [0, requests, 0, 0, 0, 0],
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
        let json = to_json(&Report { splits: vec![split] });
        assert_eq!(json["ok"], false);
        assert_eq!(json["splits"][0]["variants"][1]["responses"]["2xx"], 1_000);
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
