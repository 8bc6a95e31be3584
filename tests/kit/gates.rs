//! The gates of Argo Rollouts and Flagger: what their queries give over the recording rules, by promtool, and how the
//! controllers judge it.

use std::process::Command;

use serde_json::{Value, json};

use crate::gateway::documents;
use crate::tools::{at, output, read, script};

const ARGO: &str = "istio/argo-rollouts/analysis-template.yaml";
const FLAGGER: &str = "istio/flagger/metric-template.yaml";

/// What a controller says of one measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Bad,
    /// Argo's Inconclusive. Flagger has no such thing.
    Unknown,
}

/// The limit that a gate sets.
enum Limit {
    /// Argo's successCondition and failureCondition.
    Conditions(String, String),
    /// Flagger's thresholdRange.
    Most(f64),
}

pub(crate) struct Gate {
    /// The file and the metric.
    pub(crate) name: String,
    /// The query as the controller sends it.
    pub(crate) query: String,
    limit: Limit,
}

impl Gate {
    /// How the controller judges a row, or that there is none.
    fn judge(&self, row: Option<f64>) -> Verdict {
        match &self.limit {
            // Its utils/evaluate: success and failure as they are told, else inconclusive.
            Limit::Conditions(success, failure) => match (holds(success, row), holds(failure, row))
            {
                (_, true) => Verdict::Bad,
                (true, false) => Verdict::Good,
                (false, false) => Verdict::Unknown,
            },
            // Its pkg/controller/scheduler_metrics.go: no value is a failed check.
            Limit::Most(limit) if row.is_some_and(|row| row <= *limit) => Verdict::Good,
            Limit::Most(_) => Verdict::Bad,
        }
    }
}

/// Evaluates a condition of the one form that the gates have.
fn holds(condition: &str, row: Option<f64>) -> bool {
    let rest = condition.strip_prefix("len(result) > 0 && result[0] ");
    let (operator, limit) = rest.and_then(|rest| rest.split_once(' ')).expect(condition);
    let limit: f64 = limit.parse().expect(condition);
    row.is_some_and(|row| match operator {
        "<=" => row <= limit,
        ">" => row > limit,
        _ => panic!("{condition}"),
    })
}

fn list<'v>(value: &'v Value, pointer: &str) -> &'v [Value] {
    value.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer}: {value}"))
}

/// The example in the comment at the head of a file: what is indented there.
fn example(file: &str) -> Value {
    let text = read(file);
    let head = text.lines().take_while(|line| line.starts_with('#'));
    let lines: Vec<_> = head.filter_map(|line| line.strip_prefix("#   ")).collect();
    documents(file, &lines.join("\n")).remove(0)
}

/// The analysis of that name.
fn template(name: &str) -> Value {
    let all = documents(ARGO, &read(ARGO));
    all.into_iter().find(|template| template["metadata"]["name"] == name).expect(name)
}

/// The gates for a split and a variant, by recording rules.
pub(crate) fn gates(split: &str, variant: &str) -> Vec<Gate> {
    let mut gates = Vec::new();
    let mut add = |file: &str, name: &str, query: String, limit| {
        assert!(!query.contains("{{"), "an argument that nobody fills: {query}");
        gates.push(Gate { name: format!("{file}: {name}"), query, limit });
    };

    let template = template("traffic-split");
    let fill = |text: &str| {
        list(&template, "/spec/args").iter().fold(text.to_owned(), |text, arg| {
            let value = match arg["name"].as_str().unwrap() {
                "split" => split,
                "variant" => variant,
                _ => arg["value"].as_str().unwrap(),
            };
            text.replace(&format!("{{{{args.{}}}}}", arg["name"].as_str().unwrap()), value)
        })
    };
    for metric in list(&template, "/spec/metrics") {
        let [success, failure] =
            ["/successCondition", "/failureCondition"].map(|field| fill(text(metric, field)));
        let query = fill(text(metric, "/provider/prometheus/query"));
        add(ARGO, text(metric, "/name"), query, Limit::Conditions(success, failure));
    }

    let templates = documents(FLAGGER, &read(FLAGGER));
    for metric in list(&example(FLAGGER), "/analysis/metrics") {
        let wanted = &metric["templateRef"];
        let is_it = |template: &&Value| {
            ["name", "namespace"].iter().all(|field| template["metadata"][field] == wanted[field])
        };
        let template = templates.iter().find(is_it).unwrap_or_else(|| panic!("no {wanted}"));
        let mut query = text(template, "/spec/query").to_owned();
        for name in metric["templateVariables"].as_object().unwrap().keys() {
            let value = if name == "split" { split } else { variant };
            query = query.replace(&format!("{{{{ variables.{name} }}}}"), value);
        }
        let limit = metric["thresholdRange"]["max"].as_f64().unwrap();
        add(FLAGGER, text(metric, "/name"), query, Limit::Most(limit));
    }
    assert_eq!(gates.len(), 8, "four of each");
    gates
}

/// Counters of one variant: per minute so many good responses and errors, and so many of them within each bucket.
fn variant(
    split: &str,
    variant: &str,
    good: u32,
    errors: u32,
    buckets: [(&str, u32); 3],
) -> Vec<Value> {
    let series = |metric: &str, label: &str, value: &str, each: u32| {
        let series =
            format!("{metric}{{split=\"{split}\", variant=\"{variant}\", {label}=\"{value}\"}}");
        json!({"series": series, "values": format!("0+{each}x30")})
    };
    let responses = |class, each| series("traffic_split_responses_total", "class", class, each);
    let bucket = "traffic_split_request_duration_milliseconds_bucket";
    let mut all = vec![responses("2xx", good), responses("5xx", errors)];
    all.extend(buckets.map(|(le, each)| series(bucket, "le", le, each)));
    all
}

/// What happened, the canary's and the baseline's counters, what the gates must see, and what they must say of it.
struct Case {
    name: &'static str,
    canary: Vec<Value>,
    baseline: Vec<Value>,
    errors: (Option<f64>, Verdict),
    p95: (Option<f64>, Verdict),
    /// Of Argo and of Flagger, which looks five minutes back.
    tripped: [(Option<f64>, Verdict); 2],
    stand_in: (Option<f64>, Verdict),
}

impl Case {
    fn of(&self, gate: &Gate) -> (Option<f64>, Verdict) {
        let (file, metric) = gate.name.split_once(": ").expect(&gate.name);
        match metric {
            "error-ratio-above-baseline" => self.errors,
            "p95-to-baseline" => self.p95,
            "tripped-proxies" => self.tripped[usize::from(file == FLAGGER)],
            "stand-in-ratio" => self.stand_in,
            _ => panic!("no case is about {}", gate.name),
        }
    }
}

/// A series of the canary that has these values, one in a minute.
fn of_canary(series: &str, more: &str, values: &str) -> Value {
    let labels = format!("split=\"checkout\", variant=\"canary\"{more}");
    json!({"series": format!("{series}{{{labels}}}"), "values": values})
}

fn cases() -> Vec<Case> {
    use Verdict::{Bad, Good, Unknown};
    let none = [("50", 0), ("100", 0), ("+Inf", 0)];
    // 1 % of errors, p95 is 95 ms.
    let usual =
        || variant("checkout", "stable", 990, 10, [("50", 500), ("100", 1000), ("+Inf", 1000)]);
    let canary = |good, errors, buckets| variant("checkout", "canary", good, errors, buckets);
    let alike = [("50", 50), ("100", 100), ("+Inf", 100)];
    let slow = [("100", 50), ("200", 100), ("+Inf", 100)];
    let nothing = (None, Unknown);
    let zero = (Some(0.0), Good);
    // What a part of errors is above the baseline's 1 %, of so many responses a minute, less two standard errors.
    let errors = |part: f64, responses: f64, verdict| {
        let of = |part: f64, responses: f64| part * (1.0 - part) / (5.0 * responses);
        let chance = 2.0 * (of(part, responses) + of(0.01, 1_000.0)).sqrt();
        (Some(((part - 0.01 - chance) * 1_000.0).round() / 1_000.0), verdict)
    };
    let usual_errors = errors(0.01, 100.0, Good);
    let case = |name, canary, errors, p95| Case {
        name,
        canary,
        baseline: usual(),
        errors,
        p95,
        tripped: [zero; 2],
        stand_in: zero,
    };
    let well = |name, more| {
        let canary = [canary(99, 1, alike), more].concat();
        case(name, canary, usual_errors, (Some(1.0), Good))
    };
    let tripped = |instance: &str, values| {
        of_canary("traffic_split_tripped", &format!(", instance=\"{instance}\""), values)
    };
    let stand_in = |values| vec![of_canary("traffic_split:stand_in:rate5m", "", values)];
    vec![
        case("as good", canary(99, 1, alike), usual_errors, (Some(1.0), Good)),
        case("better", canary(100, 0, alike), errors(0.0, 100.0, Good), (Some(1.0), Good)),
        case(
            "within the limits",
            canary(197, 3, [("50", 70), ("110", 200), ("+Inf", 200)]),
            errors(0.015, 200.0, Good),
            (Some(1.109), Good),
        ),
        case("6 % of errors", canary(94, 6, alike), errors(0.06, 100.0, Bad), (Some(1.0), Good)),
        case(
            "3 % of errors, of too few to exclude chance",
            canary(97, 3, alike),
            errors(0.03, 100.0, Good),
            (Some(1.0), Good),
        ),
        case(
            "3 % of errors, of many",
            canary(970, 30, [("50", 500), ("100", 1000), ("+Inf", 1000)]),
            errors(0.03, 1_000.0, Bad),
            (Some(1.0), Good),
        ),
        case("twice as slow", canary(99, 1, slow), usual_errors, (Some(2.0), Bad)),
        case("failing, but a handful of responses", canary(0, 5, slow), nothing, nothing),
        case("no request of the canary", canary(0, 0, none), nothing, nothing),
        case("no canary at all", Vec::new(), nothing, nothing),
        Case {
            baseline: variant("checkout", "stable", 0, 0, none),
            ..case("no request of the baseline", canary(99, 1, alike), nothing, nothing)
        },
        Case {
            baseline: variant(
                "checkout",
                "stable",
                990,
                10,
                [("1", 1000), ("5", 1000), ("+Inf", 1000)],
            ),
            ..case(
                "so fast that buckets decide",
                canary(99, 1, [("1", 0), ("5", 100), ("+Inf", 100)]),
                usual_errors,
                (Some(1.0), Good),
            )
        },
        well("its guard has not tripped", vec![tripped("a", "0x30"), tripped("b", "0x30")]),
        Case {
            tripped: [(Some(2.0), Bad); 2],
            ..well(
                "out of service on two proxies, and good while it was in",
                vec![tripped("a", "0x15 1x15"), tripped("b", "1x30"), tripped("c", "0x30")],
            )
        },
        Case {
            tripped: [zero, (Some(1.0), Bad)],
            ..well("let in again two minutes ago", vec![tripped("a", "0x15 1x2 0x13")])
        },
        // 100 in a minute are 1.667 in a second.
        Case {
            stand_in: (Some(0.6), Bad),
            ..well("the baseline serves most of its requests", stand_in("1x30"))
        },
        Case {
            stand_in: (Some(0.006), Good),
            ..well("the baseline serves one request in 167", stand_in("0.01x30"))
        },
        Case {
            canary: [canary(5, 0, alike), stand_in("1x30")].concat(),
            ..case("dead, but a handful of responses", Vec::new(), nothing, nothing)
        },
    ]
}

/// The row that a query must have, or that it has none that is a number.
fn expectation(query: &str, row: Option<f64>) -> Value {
    // promtool wants numbers to be equal, so they are rounded. Controllers see one row, whatever its labels.
    let (expr, rows) = match row {
        Some(value) => {
            (format!("round(sum({query}), 0.001)"), json!([{"labels": "{}", "value": value}]))
        }
        None => (format!("({query}) > -Inf"), json!([])),
    };
    json!({"expr": expr, "eval_time": "20m", "exp_samples": rows})
}

#[test]
fn the_gates_let_good_canaries_pass_stop_bad_ones_and_do_not_judge_without_responses() {
    let mut tests = Vec::new();
    for case in cases() {
        let name = case.name;
        let mut series = [case.canary.as_slice(), &case.baseline].concat();
        // A split that must not matter, though its variants have the same names.
        let buckets = [("50", 0), ("500", 1000), ("+Inf", 1000)];
        series.extend(variant("search", "canary", 0, 1000, buckets));
        series.extend(variant("search", "stable", 1000, 0, buckets));
        series.extend(["traffic_split_tripped", "traffic_split:stand_in:rate5m"].map(|metric| {
            let series = format!("{metric}{{split=\"search\", variant=\"canary\"}}");
            json!({"series": series, "values": "1x30"})
        }));
        let mut expectations = Vec::new();
        for gate in gates("checkout", "canary") {
            let (row, verdict) = case.of(&gate);
            let verdict = match (&gate.limit, verdict) {
                (Limit::Most(_), Verdict::Unknown) => Verdict::Bad,
                _ => verdict,
            };
            assert_eq!(gate.judge(row), verdict, "{name}: {}", gate.name);
            // A quotient of nothing is no number, and must be judged as no row is.
            if row.is_none() {
                assert_eq!(gate.judge(Some(f64::NAN)), verdict, "{name}: {}", gate.name);
            }
            expectations.push(expectation(&gate.query, row));
        }
        tests.push(json!({
            "name": name, "interval": "1m", "input_series": series, "promql_expr_test": expectations,
        }));
    }
    let file = json!({
        "rule_files": [at("envoy/prometheus/rules.yml")],
        "evaluation_interval": "1m",
        "tests": tests,
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gates.yml");
    std::fs::write(&path, file.to_string()).unwrap();
    let promtool = script("get/prometheus", &["promtool"]);
    let told = output(Command::new(promtool).args(["test", "rules"]).arg(&path));
    assert!(told.contains("SUCCESS"), "{told}");
}

#[test]
fn the_step_in_the_comment_names_the_template_and_its_arguments() {
    let template = template("traffic-split");
    let example = example(ARGO);
    let steps = list(&example, "/strategy/canary/steps");
    let judged = steps.iter().position(|step| step.get("analysis").is_some()).unwrap();
    let analysis = &steps[judged]["analysis"];
    assert_eq!(analysis["templates"][0]["templateName"], template["metadata"]["name"]);
    let open = list(&template, "/spec/args").iter().filter(|arg| arg.get("value").is_none());
    let open: Vec<_> = open.map(|arg| &arg["name"]).collect();
    let given: Vec<_> = list(analysis, "/args").iter().map(|arg| &arg["name"]).collect();
    assert_eq!(given, open);
}

#[test]
fn the_steps_in_the_comment_run_new_pods_behind_the_policys_clusters_before_they_judge() {
    let example = example(ARGO);
    let canary = &example["strategy"]["canary"];
    // Without trafficRouting it is setWeight alone that scales, and the two Services tell old pods from new ones.
    let steps = list(&example, "/strategy/canary/steps");
    let at = |field: &str| steps.iter().position(|step| step.get(field).is_some()).unwrap();
    assert!(at("setWeight") < at("pause") && at("pause") < at("analysis"), "{steps:?}");
    assert!(steps[at("setWeight")]["setWeight"].as_u64().unwrap() > 0);
    assert!(canary.get("trafficRouting").is_none());
    let policy = documents("policy", &read("envoy/policies/canary.yaml")).remove(0);
    let clusters: Vec<_> =
        list(&policy, "/splits/0/variants").iter().map(|variant| &variant["cluster"]).collect();
    assert_eq!(clusters, [&canary["stableService"], &canary["canaryService"]]);
}

#[test]
fn flagger_waits_for_the_policys_weight_on_both_sides_of_its_analysis() {
    let example = example(FLAGGER);
    let kinds: Vec<_> =
        list(&example, "/analysis/webhooks").iter().map(|hook| &hook["type"]).collect();
    assert_eq!(
        kinds,
        ["pre-rollout", "rollout", "confirm-promotion", "rollback", "confirm-promotion"]
    );
}

#[test]
fn no_request_is_in_two_measurements() {
    let template = template("traffic-split");
    for metric in list(&template, "/spec/metrics") {
        let query = text(metric, "/provider/prometheus/query");
        let interval = text(metric, "/interval");
        let is_of_five = query.contains("5m");
        assert!(!is_of_five || interval == "5m", "{metric}");
        // A restart of Prometheus: asked again each ten seconds.
        assert!(metric["consecutiveErrorLimit"].as_u64().unwrap() >= 30, "{metric}");
    }
    assert_eq!(example(FLAGGER)["analysis"]["interval"], "5m");
}

#[test]
fn the_questions_of_the_gates_are_understood_by_the_verdict() {
    let (server, _folder) = crate::verdict::nowhere();
    // Nothing is behind it: what is understood has no answer (503), what is not is refused (400).
    let template = template("traffic-split-verdict");
    let metric = &list(&template, "/spec/metrics")[0];
    let mut url = text(metric, "/provider/web/url").to_owned();
    for arg in list(&template, "/spec/args") {
        let name = arg["name"].as_str().unwrap();
        let value = match name {
            "split" => "checkout",
            "variant" => "canary",
            "run" => "6f7b8c",
            "verdict" => "",
            _ => arg["value"].as_str().unwrap(),
        };
        url = url.replace(&format!("{{{{args.{name}}}}}"), value);
    }
    let answer = crate::tools::get(server.address, &url, &[]).unwrap();
    assert_eq!(answer.status, 503, "{url}: {}", answer.body);
    assert_eq!(text(metric, "/provider/web/jsonPath"), "{$.value}");
    let example = example(FLAGGER);
    let hooks =
        list(&example, "/analysis/webhooks").iter().filter(|hook| hook.get("metadata").is_some());
    let mut asked = 0;
    for hook in hooks {
        let url = text(hook, "/url");
        let (_, path) = url.split_once(":9898").expect(url);
        assert!(path.ends_with(text(hook, "/type")), "{hook}");
        let body = json!({"name": "shop", "namespace": "test", "phase": "Progressing", "checksum": "1", "metadata": hook["metadata"]});
        assert_eq!(crate::verdict::post(server.address, path, &body.to_string()), 503, "{hook}");
        asked += 1;
    }
    assert_eq!(asked, 3);
}
