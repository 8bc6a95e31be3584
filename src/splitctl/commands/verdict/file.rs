//! A file of counts, CSV or an object on each line -> what came between looks, or all that is wrong with it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use engine::policy::{nearest, time};
use engine::units;
use policy_text::source::Source;
use rollout::{Counter, Counts, CountsError, Delta, Reading, Scraped};
use serde_json::Value;

use super::problem::Problem;
use crate::counters::{Counted, Split};
use crate::moment::{self, Moment};

/// The columns: all of these, and one of the pairs.
const COLUMNS: [&str; 2] = ["time", "variant"];
const USERS: [&str; 2] = ["keys", "bad_keys"];
const REQUESTS: [&str; 2] = ["responses", "errors"];

/// What a file says.
#[derive(Debug, PartialEq)]
pub(super) struct Read {
    pub(super) counted: Counted,
    /// What came of each variant since the last look, the baseline first.
    pub(super) looks: Vec<(units::Moment, Vec<Delta>)>,
    pub(super) notes: Vec<String>,
}

/// A row as written.
#[derive(Debug)]
struct Row {
    line: u64,
    fields: Vec<(String, String)>,
}

impl Row {
    fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// Reads a file.
///
/// # Errors
/// When it cannot be read. What is wrong with what it says is the inner error.
pub(super) fn read(
    path: &Path,
    split: &Split,
    since: Option<Moment>,
) -> Result<Result<Read, Vec<Problem>>> {
    let source = Source::read(path)?;
    let mut reader = Reader { name: &source.name, split, problems: Vec::new() };
    let read = reader.read(&source.text, since);
    Ok(match read {
        Some(read) if reader.problems.is_empty() => Ok(read),
        _ => Err(reader.problems),
    })
}

struct Reader<'r> {
    name: &'r str,
    split: &'r Split,
    problems: Vec<Problem>,
}

/// All readings of one time, by variant, with the line of each.
type Readings = BTreeMap<String, (u64, Reading)>;

impl Reader<'_> {
    fn problem(&mut self, line: u64, code: &'static str, message: String, help: impl Into<String>) {
        let file = self.name.to_owned();
        self.problems.push(Problem { code, file, line, message, help: help.into() });
    }

    fn read(&mut self, text: &str, since: Option<Moment>) -> Option<Read> {
        let text = text.trim_start_matches('\u{feff}');
        let rows =
            if text.trim_start().starts_with('{') { self.objects(text) } else { self.csv(text) };
        let Some(first) = rows.first() else {
            if self.problems.is_empty() {
                let help = "a line for each variant and time is expected: `time,variant,keys,bad_keys` is the first one of a CSV";
                self.problem(1, "no_rows", "no counts".to_owned(), help);
            }
            return None;
        };
        let has = |columns: &[&str]| columns.iter().all(|name| first.field(name).is_some());
        let (counted, [total, bad]) =
            if has(&USERS) { (Counted::Users, USERS) } else { (Counted::Requests, REQUESTS) };
        let missing =
            COLUMNS.into_iter().chain([total, bad]).find(|name| first.field(name).is_none());
        if let Some(missing) = missing {
            let known = || first.fields.iter().map(|(name, _)| name.as_str());
            let help = match nearest(missing, known()) {
                Some(near) => format!("is `{near}` that? write `{missing}`"),
                None => "columns are `time`, `variant`, and `keys` and `bad_keys` (users) or `responses` and `errors`, in any order".to_owned(),
            };
            self.problem(1, "missing_column", format!("no column `{missing}`"), help);
            return None;
        }
        let mut times: Vec<(u64, Readings)> = Vec::new();
        for row in &rows {
            self.row(row, total, bad, &mut times);
        }
        self.looks(times, since).map(|(looks, notes)| Read { counted, looks, notes })
    }

    /// The rows of a CSV with a head.
    fn csv(&mut self, text: &str) -> Vec<Row> {
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let head = match reader.headers() {
            Ok(head) => head.clone(),
            Err(error) => {
                self.problem(
                    1,
                    "not_csv",
                    error.to_string(),
                    "a CSV begins with the names of its columns",
                );
                return Vec::new();
            }
        };
        let mut rows = Vec::new();
        for record in reader.records() {
            match record {
                Ok(record) => {
                    let line = record.position().map_or(0, csv::Position::line);
                    let pairs = head.iter().zip(record.iter());
                    let fields = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
                    rows.push(Row { line, fields: fields.collect() });
                }
                Err(error) => {
                    let line = error.position().map_or(0, csv::Position::line);
                    let message = match error.kind() {
                        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                            format!("`{len}` fields, and the head has `{expected_len}`")
                        }
                        _ => error.to_string(),
                    };
                    self.problem(line, "not_csv", message, "each line has a field for each column");
                }
            }
        }
        rows
    }

    /// An object on each line.
    fn objects(&mut self, text: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
            match serde_json::from_str::<serde_json::Map<String, Value>>(text) {
                Ok(object) => {
                    let plain = |value: Value| match value {
                        Value::String(text) => text,
                        other => other.to_string(),
                    };
                    let fields = object.into_iter().map(|(name, value)| (name, plain(value)));
                    rows.push(Row { line, fields: fields.collect() });
                }
                Err(error) => {
                    let help = r#"each line is an object, as `{"time": "2026-11-20T12:00:00Z", "variant": "canary", "keys": 500, "bad_keys": 6}`"#;
                    self.problem(line, "not_json", error.to_string(), help);
                }
            }
        }
        rows
    }

    /// Takes in a row: its time has to be that of the row before, or later.
    fn row(&mut self, row: &Row, total: &str, bad: &str, times: &mut Vec<(u64, Readings)>) {
        let line = row.line;
        let text = |name| row.field(name).unwrap_or_default();
        let time = parse_time(text("time"));
        if let Err(why) = &time {
            let help = "a time is `2026-11-20T12:00:00Z`, or seconds since 1970";
            self.problem(line, "not_a_time", format!("`{}` {why}", text("time")), help);
        }
        let [total, bad] = [total, bad].map(|name| {
            let number = text(name).parse::<u64>();
            if number.is_err() {
                let help = "counts are whole numbers, of all events since the run began";
                self.problem(
                    line,
                    "not_a_number",
                    format!("`{}` in `{name}` is no count", text(name)),
                    help,
                );
            }
            number
        });
        let variant = text("variant");
        let split = self.split;
        let is_judged = split.variants().any(|known| known == variant);
        if !is_judged && !split.others.iter().any(|known| known == variant) {
            let known = split.variants().chain(split.others.iter().map(String::as_str));
            let help = match nearest(variant, known.clone()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => {
                    format!("split `{}` has {}", split.name, known.collect::<Vec<_>>().join(", "))
                }
            };
            let message = format!("`{variant}` is no variant of split `{}`", split.name);
            self.problem(line, "unknown_variant", message, help);
            return;
        }
        let (Ok(time), Ok(total), Ok(bad)) = (time, total, bad) else { return };
        if bad > total {
            let help = "both are counted since the run began, and a bad one is one of all";
            let message = format!("`{bad}` of `{total}` are bad");
            self.problem(line, "more_errors_than_events", message, help);
        }
        if let Some((last, _)) = times.last()
            && *last > time
        {
            let message = format!("`{}` is before the time of the line before", text("time"));
            self.problem(
                line,
                "out_of_order",
                message,
                "sort the lines by time: each time is a look",
            );
            return;
        }
        if times.last().is_none_or(|(last, _)| *last < time) {
            times.push((time, Readings::new()));
        }
        let Some((_, readings)) = times.last_mut().filter(|_| is_judged) else { return };
        let known = readings.insert(variant.to_owned(), (line, Reading { total, bad }));
        if let Some((earlier, _)) = known {
            let message = format!("`{variant}` has two lines of `{}`", text("time"));
            self.problem(
                line,
                "twice",
                message,
                format!("the other one is line {earlier}; keep one"),
            );
        }
    }

    /// What came between the times.
    #[expect(clippy::type_complexity, reason = "it is taken apart where it is made")]
    fn looks(
        &mut self,
        mut times: Vec<(u64, Readings)>,
        since: Option<Moment>,
    ) -> Option<(Vec<(units::Moment, Vec<Delta>)>, Vec<String>)> {
        let (split, mut notes) = (self.split, Vec::new());
        let before = since.map_or(0, |Moment(since)| {
            times.iter().filter(|(time, _)| *time <= since.get()).count()
        });
        // Of the times before the run, the last one is where its counts begin.
        times.drain(..before.saturating_sub(1));
        let begin = if before > 0 { Counter::RUNNING } else { Counter::ZERO };
        let mut counts = Counts::new(split.variants().count(), begin, Scraped::Together);
        let absent: Vec<&str> = split
            .variants()
            .filter(|name| !times.iter().any(|(_, readings)| readings.contains_key(*name)))
            .collect();
        if absent.contains(&split.baseline.as_str()) && self.problems.is_empty() {
            let message =
                format!("no line of `{}`, the baseline of split `{}`", split.baseline, split.name);
            self.problem(
                1,
                "no_baseline",
                message,
                "the others are compared with it: add its counts",
            );
        }
        let mut last: Vec<Reading> = vec![Reading::default(); split.variants().count()];
        let mut looks = Vec::new();
        for (time, of_time) in times {
            let line = of_time.values().map(|(line, _)| *line).max().unwrap_or_default();
            let mut readings = Vec::new();
            for name in split.variants() {
                match of_time.get(name) {
                    Some((_, reading)) => readings.push(*reading),
                    None if absent.contains(&name) => readings.push(Reading::default()),
                    None => {
                        let at = moment::write(units::Moment::new(time));
                        let help = "each time has a line for each variant: counters that did not change have one, too";
                        self.problem(
                            line,
                            "missing_row",
                            format!("no line of `{name}` at {at}"),
                            help,
                        );
                    }
                }
            }
            if !self.problems.is_empty() {
                continue;
            }
            for ((name, last), new) in split.variants().zip(&mut last).zip(&readings) {
                if new.total < last.total || new.bad < last.bad {
                    notes.push(format!(
                        "the counters of `{name}` fall at line {line}: they count as begun again"
                    ));
                }
                *last = *new;
            }
            match counts.look(time, &readings) {
                Ok(deltas) => looks.extend(deltas.map(|deltas| (units::Moment::new(time), deltas))),
                Err(error) => {
                    let name = match error {
                        CountsError::MoreBadOf { variant, .. } => split.variants().nth(variant),
                        _ => None,
                    };
                    let message =
                        format!("{error} of `{}` since the time before", name.unwrap_or_default());
                    let help = "both are counted since the run began, and a bad one is one of all";
                    self.problem(line, "more_errors_than_events", message, help);
                }
            }
        }
        // Where the run begins is no look.
        if before > 0 && !looks.is_empty() {
            looks.remove(0);
        }
        self.problems.is_empty().then_some((looks, notes))
    }
}

/// Milliseconds since 1970.
fn parse_time(text: &str) -> Result<u64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..1e11).contains(&seconds) => Ok((seconds * 1_000.0).round() as u64),
        Ok(_) => Err("is no time".to_owned()),
        Err(_) => time::parse(text).map(|moment| moment.get()).map_err(|why| why.to_string()),
    }
}
