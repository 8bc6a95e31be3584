//! The verdict over HTTP, for controllers and curl: each question is a look, and a run is kept from one to the next.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use lab::Stop;
use rollout::{Bounds, Counter, Verdict};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::{Instant, timeout};

use super::judged::Judged;
use super::{NOTHING, Part, Question};
use crate::console::Console;
use crate::counters::{Followed, Scrape, Source};
use crate::moment;
use crate::style;

/// So many connections at once; more wait.
const CONNECTIONS: usize = 64;
/// No question is longer, with all it takes from a webhook.
const LONGEST: usize = 64 * 1024;
/// A question that is not asked within this time is none, and an answer that is not there is none either.
const PATIENCE: Duration = Duration::from_secs(30);
/// So many runs are kept; the one that nobody asked for the longest time goes first.
const RUNS: usize = 200;
/// A run that nobody asks for so long is over.
const IDLE: Duration = Duration::from_hours(1);

/// Where to listen: `9898` is that port of this machine alone.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let here = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let read = text.parse::<u16>().map(here).or_else(|_| text.parse());
    read.map_err(|_| format!("`{text}` is no address with a port, such as `127.0.0.1:9898`"))
}

/// What is asked, and by which words runs are told apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Asked(BTreeMap<String, String>);

/// What a question may say.
const WORDS: [&str; 6] = ["split", "variant", "errors_ratio", "slo", "alpha", "run"];

/// A run: what was judged so far, and the counters as they stood.
#[derive(Debug)]
struct Run {
    judged: Option<Judged>,
    followed: Followed,
}

#[derive(Debug, Clone)]
struct Kept {
    /// When it was asked for last.
    asked: Instant,
    run: Arc<Mutex<Run>>,
}

struct Server {
    question: Question,
    source: Source,
    runs: Mutex<BTreeMap<Asked, Kept>>,
}

/// Answers until the program is told to end.
///
/// # Errors
/// When the address cannot be used.
pub(super) fn serve(
    address: SocketAddr,
    question: Question,
    source: Source,
    console: &mut Console<'_>,
) -> Result<()> {
    let stop = Stop::on_signals()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(address));
    let listener = listener.with_context(|| format!("cannot listen on `{address}`"))?;
    let address = listener.local_addr()?;
    writeln!(console.out, "{} on http://{address}/verdict", style::fine("listening"))?;
    console.out.flush()?;
    let server = Arc::new(Server { question, source, runs: Mutex::default() });
    runtime.spawn(accept(listener, server));
    while !stop.is_set() {
        stop.wait(Duration::from_secs(3_600));
    }
    runtime.shutdown_timeout(Duration::from_secs(1));
    Ok(())
}

async fn accept(listener: TcpListener, server: Arc<Server>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files, perhaps: not at once again.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            connection(stream, server).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, server: Arc<Server>) {
    let service = service_fn(move |request| {
        let server = Arc::clone(&server);
        async move { Ok::<_, std::convert::Infallible>(server.respond(request).await) }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(LONGEST);
    // Who speaks no HTTP, or goes in the middle, has no answer.
    let _gone = http.serve_connection(TokioIo::new(stream), service).await;
}

/// A status, and what is said with it.
type Said = (StatusCode, Value);

impl Server {
    async fn respond(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let said = timeout(PATIENCE, self.answer(request)).await;
        let (status, said) = said.unwrap_or_else(|_| {
            error(StatusCode::GATEWAY_TIMEOUT, &anyhow!("no answer from where the counts are"))
        });
        let mut response = Response::new(Full::from(format!("{said:#}\n")));
        *response.status_mut() = status;
        let json = hyper::header::HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }

    async fn answer(&self, request: Request<Incoming>) -> Said {
        let (path, method) = (request.uri().path().to_owned(), request.method().clone());
        let allowed = match path.as_str() {
            "/" | "/healthz" => {
                return (StatusCode::OK, json!({"ask": "/verdict?split=NAME", "words": WORDS}));
            }
            "/verdict" => Method::GET,
            "/flagger"
            | "/flagger/rollout"
            | "/flagger/confirm-promotion"
            | "/flagger/rollback" => Method::POST,
            _ => {
                let why = anyhow!("nothing at `{path}`: ask `/verdict` or `/flagger`");
                return error(StatusCode::NOT_FOUND, &why);
            }
        };
        if method != allowed {
            let why = anyhow!("`{path}` takes {allowed}, not {method}");
            return error(StatusCode::METHOD_NOT_ALLOWED, &why);
        }
        let asked = if allowed == Method::GET {
            Asked::of_query(request.uri().query().unwrap_or_default())
        } else {
            let body = Limited::new(request.into_body(), LONGEST).collect().await;
            match body {
                Ok(body) => Asked::of_webhook(&body.to_bytes()),
                Err(why) => Err(anyhow!("the body cannot be read: {why}")),
            }
        };
        let asked = match asked {
            Ok(asked) => asked,
            Err(why) => return error(StatusCode::BAD_REQUEST, &why),
        };
        match self.look(asked).await {
            Ok((verdict, report)) => (status(&path, verdict), report),
            Err((status, why)) => error(status, &why),
        }
    }

    /// One look at a run: the first one is where it begins.
    async fn look(&self, asked: Asked) -> Result<(Verdict, Value), (StatusCode, anyhow::Error)> {
        let (split, bounds) = self.wanted(&asked).map_err(|why| (StatusCode::BAD_REQUEST, why))?;
        let run = self.run(asked).await;
        // One question after the other: counters that come late would look as if they had begun again.
        let mut run = run.lock().await;
        let unavailable = |why: anyhow::Error| (StatusCode::SERVICE_UNAVAILABLE, why);
        let series = self.source.now(&split.name).await.map_err(unavailable)?;
        let counted = run.judged.as_ref().map(|judged| judged.counted);
        let scrape = Scrape::new(&series, &split, counted);
        if scrape.proxies() == 0 {
            // A run that was there before is as it was.
            let known = run.judged.clone();
            let mut judged = known.unwrap_or_else(|| Judged::new(split, bounds, scrape.counted));
            judged.notes = vec![NOTHING.to_owned()];
            return Ok((judged.verdict(), report(&judged)));
        }
        let came = run.followed.came(&scrape);
        let begins = run.judged.is_none();
        let judged = run.judged.get_or_insert_with(|| Judged::new(split, bounds, scrape.counted));
        judged.see(&scrape);
        if !begins {
            judged.look_at_weights(moment::now(), &came);
        }
        Ok((judged.verdict(), report(judged)))
    }

    /// The run of a question, and its time.
    async fn run(&self, asked: Asked) -> Arc<Mutex<Run>> {
        let mut runs = self.runs.lock().await;
        let now = Instant::now();
        runs.retain(|_, kept| now.saturating_duration_since(kept.asked) < IDLE);
        if runs.len() >= RUNS && !runs.contains_key(&asked) {
            let oldest = runs.iter().min_by_key(|(_, kept)| kept.asked);
            let oldest = oldest.map(|(asked, _)| asked.clone());
            oldest.map(|oldest| runs.remove(&oldest));
        }
        let kept = runs.entry(asked).or_insert_with(|| {
            let run = Run { judged: None, followed: Followed::new(Counter::RUNNING) };
            Kept { asked: now, run: Arc::new(Mutex::new(run)) }
        });
        kept.asked = now;
        Arc::clone(&kept.run)
    }

    /// The split of a question, and its bounds: what it does not say is as on the command line.
    fn wanted(&self, asked: &Asked) -> Result<(super::Split, Bounds)> {
        let word = |name: &str| asked.0.get(name).map(String::as_str);
        let part = |name: &str| {
            let part = word(name).map(|text| {
                text.parse::<Part>().map_err(|why| anyhow!("`{name}` is `{text}`: {why}"))
            });
            part.transpose()
        };
        let question = &self.question;
        let ratio = match word("errors_ratio") {
            None => question.bounds.errors_ratio(),
            Some(text) => {
                text.parse().map_err(|_| anyhow!("`errors_ratio` is `{text}`: not a number"))?
            }
        };
        let slo = part("slo")?.map(|Part(slo)| slo).or(question.bounds.slo());
        let alpha = part("alpha")?.map_or(question.bounds.alpha(), |Part(alpha)| alpha);
        let variants: Vec<String> = match word("variant") {
            None => question.variants.clone(),
            Some(names) => names.split(',').map(str::to_owned).collect(),
        };
        let split = question.split(word("split"), &variants)?;
        Ok((split, Bounds::new(ratio, slo, alpha)?))
    }
}

/// What a webhook's status says: to Flagger, 200 is yes to what it asks at this moment.
fn status(path: &str, verdict: Verdict) -> StatusCode {
    let yes = match path {
        "/verdict" => true,
        // Roll back?
        "/flagger/rollback" => verdict == Verdict::Harm,
        // Promote?
        "/flagger/confirm-promotion" => verdict == Verdict::Safe,
        // Go on with the analysis?
        _ => verdict != Verdict::Harm,
    };
    if yes { StatusCode::OK } else { StatusCode::CONFLICT }
}

fn report(judged: &Judged) -> Value {
    serde_json::to_value(judged.report()).unwrap_or_default()
}

fn error(status: StatusCode, why: &anyhow::Error) -> Said {
    (status, json!({"error": format!("{why:#}")}))
}

impl Asked {
    /// Of `split=checkout&variant=canary`.
    fn of_query(query: &str) -> Result<Self> {
        let pairs = form_urlencoded::parse(query.as_bytes());
        Self::of(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())))
    }

    /// Of what Flagger sends: the words are in `metadata`, and a run is one revision of one canary.
    fn of_webhook(body: &[u8]) -> Result<Self> {
        let json: Value = serde_json::from_slice(body).context("the body is no JSON")?;
        let text = |name: &str| json.get(name).and_then(Value::as_str).unwrap_or_default();
        let metadata = json.get("metadata").and_then(Value::as_object);
        let metadata = metadata.context("the body has no `metadata`; write `split` into it")?;
        let mut pairs = Vec::new();
        for (name, value) in metadata {
            let value =
                value.as_str().with_context(|| format!("`{name}` in `metadata` is no text"))?;
            pairs.push((name.clone(), value.to_owned()));
        }
        let has_run = metadata.contains_key("run");
        let run = ["namespace", "name", "checksum"].map(text).join("/");
        pairs.extend((!has_run).then(|| ("run".to_owned(), run)));
        Self::of(pairs.into_iter())
    }

    fn of(pairs: impl Iterator<Item = (String, String)>) -> Result<Self> {
        let mut words = BTreeMap::new();
        for (name, value) in pairs {
            if !WORDS.contains(&name.as_str()) {
                let hint = engine::policy::nearest(&name, WORDS);
                let hint = hint.map_or_else(
                    || format!("known here: {}", WORDS.join(", ")),
                    |near| format!("did you mean `{near}`?"),
                );
                bail!("`{name}` means nothing here; {hint}");
            }
            let twice = words.insert(name.clone(), value).is_some();
            ensure!(!twice, "`{name}` is said twice");
        }
        Ok(Self(words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_is_of_this_machine() {
        assert_eq!(address("9898").unwrap().to_string(), "127.0.0.1:9898");
        assert_eq!(address("0.0.0.0:9898").unwrap().to_string(), "0.0.0.0:9898");
        assert!(address("here").unwrap_err().contains("such as `127.0.0.1:9898`"));
    }

    #[test]
    fn what_is_asked_has_words_that_are_known() {
        let asked = Asked::of_query("split=checkout&variant=canary%2Cother&run=a").unwrap();
        assert_eq!(asked.0["variant"], "canary,other");
        for (query, error) in [
            ("splt=a", "`splt` means nothing here; did you mean `split`?"),
            ("colour=a", "`colour` means nothing here; known here: split, variant"),
            ("split=a&split=b", "`split` is said twice"),
        ] {
            let why = Asked::of_query(query).unwrap_err().to_string();
            assert!(why.contains(error), "{why}");
        }
    }

    #[test]
    fn a_run_of_flagger_is_a_revision_of_a_canary() {
        let body = br#"{"name": "podinfo", "namespace": "test", "phase": "Progressing", "checksum": "85d557f47b", "metadata": {"split": "checkout"}}"#;
        let asked = Asked::of_webhook(body).unwrap();
        assert_eq!(
            (asked.0["split"].as_str(), asked.0["run"].as_str()),
            ("checkout", "test/podinfo/85d557f47b")
        );
        for (body, error) in [
            ("x", "no JSON"),
            ("{}", "no `metadata`"),
            (r#"{"metadata": {"split": 1}}"#, "`split` in `metadata` is no text"),
        ] {
            let why = format!("{:#}", Asked::of_webhook(body.as_bytes()).unwrap_err());
            assert!(why.contains(error), "{why}");
        }
    }

    #[test]
    fn a_webhooks_status_is_the_answer_to_what_flagger_asks() {
        use Verdict::{Early, Harm, Safe};
        for (path, yes) in [
            ("/verdict", &[Harm, Early, Safe][..]),
            ("/flagger", &[Early, Safe]),
            ("/flagger/rollout", &[Early, Safe]),
            ("/flagger/confirm-promotion", &[Safe]),
            ("/flagger/rollback", &[Harm]),
        ] {
            for verdict in [Harm, Early, Safe] {
                let expected = if yes.contains(&verdict) { 200 } else { 409 };
                assert_eq!(status(path, verdict), expected, "{path} {verdict:?}");
            }
        }
    }
}
