//! `splitctl demo upstream`: a service that answers with its name, as slowly and as wrongly as it is told.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use lab::Stop;
use lab::upstream::CLUSTER_HEADER;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::scatter;
use crate::console::Console;
use crate::outcome::Outcome;

/// Where `demo set` changes the behavior.
pub(super) const BEHAVIOR: &str = "/demo/behavior";

/// Answers every request with its name.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its name.
    #[arg(long)]
    name: String,

    /// Where it listens.
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,

    #[command(flatten)]
    wanted: Wanted,
}

/// How a service behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub(super) struct Wanted {
    /// How long an answer takes in the mean, in milliseconds: each takes between half and one and a half of it.
    #[arg(long, value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub(super) delay: u64,

    /// How many percent of the answers are 503.
    #[arg(long, value_name = "PERCENT", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=100))]
    pub(super) failing: u64,
}

struct Service {
    name: String,
    delay: AtomicU64,
    failing: AtomicU64,
    answered: AtomicU64,
}

pub(super) fn run(
    args: &Args,
    runtime: &Runtime,
    console: &mut Console<'_>,
) -> anyhow::Result<Outcome> {
    let stop = Stop::on_signals()?;
    let service = Arc::new(Service {
        name: args.name.clone(),
        delay: args.wanted.delay.into(),
        failing: args.wanted.failing.into(),
        answered: AtomicU64::new(0),
    });
    let listener = runtime
        .block_on(TcpListener::bind(args.listen))
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    writeln!(console.out, "{} listens on {}", args.name, listener.local_addr()?)?;
    console.out.flush()?;
    runtime.spawn(accept(listener, service));
    while !stop.wait(Duration::from_secs(3600)) {}
    Ok(Outcome::Fine)
}

async fn accept(listener: TcpListener, service: Arc<Service>) {
    loop {
        // An error here is a connection that ended before it was accepted.
        let Ok((stream, _)) = listener.accept().await else { continue };
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            let answering = service_fn(move |request| answer(request, Arc::clone(&service)));
            // A client that goes away in the middle is no matter of the service.
            let _ended = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), answering)
                .await;
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    service: Arc<Service>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // The body is read to its end so that the connection can be used again.
    let _unread = body.collect().await;
    if head.method == Method::PUT && head.uri.path() == BEHAVIOR {
        return Ok(change(head.uri.query().unwrap_or_default(), &service));
    }
    let number = service.answered.fetch_add(1, Ordering::Relaxed);
    // Between half and one and a half of the delay, in microseconds.
    let delay = service.delay.load(Ordering::Relaxed).saturating_mul(1000);
    let micros = (delay / 2).saturating_add(scatter(number, delay));
    tokio::time::sleep(Duration::from_micros(micros)).await;
    let failing = scatter(!number, 100) < service.failing.load(Ordering::Relaxed);
    let status = if failing { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let mut response = text(status, &service.name);
    if let Ok(name) = HeaderValue::from_str(&service.name) {
        response.headers_mut().insert(CLUSTER_HEADER, name);
    }
    Ok(response)
}

/// Takes `delay=300&failing=20`.
fn change(query: &str, service: &Service) -> Response<Full<Bytes>> {
    for pair in query.split('&') {
        let field = match pair.split_once('=') {
            Some(("delay", value)) => value.parse().map(|value| (&service.delay, value)),
            Some(("failing", value)) => value.parse().map(|value| (&service.failing, value)),
            _ => return text(StatusCode::BAD_REQUEST, "not a behavior"),
        };
        let Ok((field, value)) = field else {
            return text(StatusCode::BAD_REQUEST, "not a number");
        };
        field.store(value, Ordering::Relaxed);
    }
    text(StatusCode::OK, &service.name)
}

fn text(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(format!("{text}\n"))));
    *response.status_mut() = status;
    response
}
