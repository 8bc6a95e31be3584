//! What is told of a variant that fails: a line per second, and JSON.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use super::failing::{Event, Failing, Out, STATUS, Second, Story};
use crate::style;
use crate::text::{fixed_percent, plural, thousands};

/// The widths of the columns of numbers.
const WIDTHS: [usize; 4] = [6, 10, 10, 8];

/// The head of the lines.
pub(super) fn head(failing: &Failing, out: &mut dyn Write) -> io::Result<()> {
    let [_, variant] = failing.names();
    let head = line([&"time", &"requests", &variant, &"errors"], &format!("{variant} is"));
    writeln!(out, "{}", style::faint(head))
}

/// One line for what was seen.
pub(super) fn show(event: &Event, failing: &Failing, out: &mut dyn Write) -> io::Result<()> {
    let [_, variant] = failing.names();
    match event {
        Event::Second(second) => {
            let share = second.share.map_or_else(|| "-".to_owned(), fixed_percent);
            let time = format!("{:.0} s", second.at.as_secs_f64());
            let state = if second.out { style::error("out").to_string() } else { "in".to_owned() };
            let [requests, errors] = [second.requests, second.errors].map(thousands);
            writeln!(out, "{}", line([&time, &requests, &share, &errors], &state))?;
        }
        Event::Fails => {
            let fails = format!("{} answers {STATUS} from here on", failing.cluster);
            writeln!(out, "{}", style::warning(fails))?;
        }
        Event::Out(Out { after, users, log }) => {
            let users = plural(*users, "user");
            let told = format!(
                "{variant} is out of service after {:.1} s: {users} met a failure",
                after.as_secs_f64()
            );
            writeln!(out, "{}", style::error(told))?;
            if let Some(log) = log {
                writeln!(out, "{}", style::faint(format!("# envoy's log: {log}")))?;
            }
        }
    }
    out.flush()
}

/// The last line.
pub(super) fn conclude(story: &Story, failing: &Failing, out: &mut dyn Write) -> io::Result<()> {
    let [_, variant] = failing.names();
    let errors = plural(story.errors, "request");
    let time = failing.lasts.as_secs_f64();
    let verdict = match &story.out {
        Some(_) => style::fine("out of service").to_string(),
        None => style::error("in service all the time").to_string(),
    };
    writeln!(
        out,
        "\n{variant}: {verdict}; {errors} failed in the {time:.0} s in which it was broken"
    )
}

fn line(numbers: [&dyn std::fmt::Display; 4], last: &str) -> String {
    let cells =
        numbers.iter().zip(WIDTHS).map(|(cell, width)| format!("{:>width$}", cell.to_string()));
    format!("{}  {last}", cells.collect::<String>())
}

/// The story for programs.
#[derive(Debug, Serialize)]
pub(super) struct StoryJson<'s> {
    split: &'s str,
    variant: &'s str,
    cluster: &'s str,
    /// When the upstream began to fail, since the beginning.
    fails_after_milliseconds: u64,
    /// Nothing where it stayed in service.
    out: Option<OutJson<'s>>,
    /// Of all variants, since it began to fail.
    errors: u64,
    seconds: Vec<SecondJson>,
}

#[derive(Debug, Serialize)]
struct OutJson<'s> {
    after_milliseconds: u64,
    users: u64,
    log: Option<&'s str>,
}

#[derive(Debug, Serialize)]
struct SecondJson {
    milliseconds: u64,
    requests: u64,
    share: Option<f64>,
    errors: u64,
    out: bool,
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The story for programs.
pub(super) fn to_json<'s>(story: &'s Story, failing: &'s Failing) -> StoryJson<'s> {
    let [split, variant] = failing.names();
    let out = story.out.as_ref().map(|Out { after, users, log }| OutJson {
        after_milliseconds: milliseconds(*after),
        users: *users,
        log: log.as_deref(),
    });
    let second = |&Second { at, requests, share, errors, out }: &Second| SecondJson {
        milliseconds: milliseconds(at),
        requests,
        share,
        errors,
        out,
    };
    StoryJson {
        split,
        variant,
        cluster: &failing.cluster,
        fails_after_milliseconds: milliseconds(failing.after),
        out,
        errors: story.errors,
        seconds: story.seconds.iter().map(second).collect(),
    }
}

#[cfg(test)]
mod tests {
    use engine::policy::from_json;

    use super::*;

    #[test]
    fn lines_are_aligned_and_say_who_is_out_since_when_and_after_how_many_users() {
        let policy = br#"{"version": 1, "splits": [{"name": "s", "key": [{"header": "u"}], "baseline": "a",
            "variants": [{"name": "a", "cluster": "v1", "weight": 95}, {"name": "b", "cluster": "v2", "weight": 5}]}]}"#;
        let policy = from_json(policy).policy.unwrap();
        let seconds = |number| Duration::from_secs(number);
        let failing = Failing::find(&policy, "b", seconds(1), seconds(2)).unwrap();
        let second = |at, share, errors, out| Second {
            at: seconds(at),
            requests: 1_000,
            share,
            errors,
            out,
        };
        let out = Out { after: Duration::from_millis(312), users: 8, log: Some("why".to_owned()) };
        let events = [
            Event::Second(second(1, Some(0.051), 0, false)),
            Event::Fails,
            Event::Out(out.clone()),
            Event::Second(second(2, Some(0.0), 9, true)),
            Event::Second(second(100, None, 0, true)),
        ];
        let mut text = Vec::new();
        head(&failing, &mut text).unwrap();
        events.iter().for_each(|event| show(event, &failing, &mut text).unwrap());
        let story = Story { seconds: Vec::new(), out: Some(out), errors: 9 };
        conclude(&story, &failing, &mut text).unwrap();
        conclude(&Story { out: None, ..story }, &failing, &mut text).unwrap();
        let text = anstream::adapter::strip_str(&String::from_utf8(text).unwrap()).to_string();
        let expected = "  time  requests         b  errors  b is
   1 s     1,000     5.10%       0  in
v2 answers 500 from here on
b is out of service after 0.3 s: 8 users met a failure
# envoy's log: why
   2 s     1,000     0.00%       9  out
 100 s     1,000         -       0  out

b: out of service; 9 requests failed in the 2 s in which it was broken

b: in service all the time; 9 requests failed in the 2 s in which it was broken
";
        assert_eq!(text, expected, "\n{text}");
    }
}
