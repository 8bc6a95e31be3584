//! The client of the lab: single requests with any header bytes, and many requests over connections that
//! are kept open.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::upstream::{CLUSTER_HEADER, ECHO_HEADER};

/// Nothing in the lab takes that long; whatever does hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request as bytes: header values need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` and so on.
    pub method: String,
    /// The host, as in `Host` or `:authority`.
    pub host: String,
    /// The path with its query.
    pub path: String,
    /// Header fields in order; a name may come several times.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Speak HTTP/2 with prior knowledge, else HTTP/1.1.
    pub http2: bool,
}

impl Request {
    /// `GET path` for host `localhost`.
    pub fn get(path: &str) -> Self {
        Self {
            method: "GET".to_owned(),
            host: "localhost".to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            http2: false,
        }
    }

    /// The same with another method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    /// The same for another host.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    /// The same with one more header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// The same over HTTP/2.
    #[must_use]
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// The same, asking the upstream to answer with what reached it; see [`Response::echo`].
    #[must_use]
    pub fn echo(self) -> Self {
        self.header(ECHO_HEADER, "1")
    }

    fn to_hyper(&self) -> Result<hyper::Request<Empty<Bytes>>> {
        let uri = if self.http2 {
            format!("http://{}{}", self.host, self.path)
        } else {
            self.path.clone()
        };
        let mut request = hyper::Request::builder()
            .method(self.method.as_str())
            .uri(uri)
            .body(Empty::new())
            .with_context(|| format!("`{} {}` cannot be sent", self.method, self.path))?;
        let headers = request.headers_mut();
        if !self.http2 {
            headers.insert(HOST, HeaderValue::from_str(&self.host)?);
        }
        for (name, value) in &self.headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .with_context(|| format!("`{name}` cannot be sent as a header name"))?;
            let value = HeaderValue::from_bytes(value)
                .with_context(|| format!("the value of `{name}` cannot be sent in a header"))?;
            headers.append(name, value);
        }
        Ok(request)
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header fields in order, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header field of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_slice())
    }

    /// The cluster whose upstream answered, or nothing where Envoy itself did.
    pub fn cluster(&self) -> Option<&str> {
        self.header(CLUSTER_HEADER).and_then(|name| std::str::from_utf8(name).ok())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What reached the upstream, for a request made with [`Request::echo`].
    ///
    /// # Errors
    /// When the body is not such an answer.
    pub fn echo(&self) -> Result<Echo> {
        let wrong = || anyhow!("not an echo of a lab upstream: {} {}", self.status, self.text());
        let json: serde_json::Value = serde_json::from_slice(&self.body).map_err(|_| wrong())?;
        let text = |name: &str| {
            json.get(name).and_then(|v| v.as_str()).map(str::to_owned).ok_or_else(wrong)
        };
        let headers = json.get("headers").and_then(|h| h.as_array()).ok_or_else(wrong)?;
        let headers = headers
            .iter()
            .map(|pair| {
                let (name, value) = (pair.get(0)?.as_str()?, pair.get(1)?.as_str()?);
                let bytes: Option<Vec<u8>> = value.chars().map(|c| u8::try_from(c).ok()).collect();
                Some((name.to_owned(), bytes?))
            })
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        Ok(Echo {
            cluster: text("cluster")?,
            method: text("method")?,
            path: text("path")?,
            headers,
        })
    }
}

/// A request as it reached the upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    /// The cluster of the upstream.
    pub cluster: String,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Header fields in order, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Echo {
    /// The values of every header field of that name (in lower case).
    pub fn all(&self, name: &str) -> Vec<&[u8]> {
        self.headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_slice()).collect()
    }
}

/// Sends one request over a connection of its own.
///
/// # Errors
/// When there is no complete answer within 20 seconds, or the request cannot be put into HTTP.
pub async fn send(address: SocketAddr, request: &Request) -> Result<Response> {
    let mut connection = Connection::open(address, request.http2).await?;
    connection.send(request).await
}

/// Sends one request and closes the connection after a while, answered or not.
///
/// # Errors
/// When the request cannot be sent at all.
pub async fn abandon(address: SocketAddr, request: &Request, after: Duration) -> Result<()> {
    let mut connection = Connection::open(address, request.http2).await?;
    match tokio::time::timeout(after, connection.send(request)).await {
        Ok(answered) => answered.map(|_| ()),
        Err(_) => Ok(()),
    }
}

/// Sends every request over `connections` connections that are kept open, and returns the answers in the
/// order of the requests. `progress` is told how many are done and can end it early: the requests not sent
/// by then have no answer.
pub async fn load(
    address: SocketAddr,
    requests: Vec<Request>,
    connections: usize,
    progress: impl Fn(usize) -> ControlFlow<()> + Send + Sync + 'static,
) -> Vec<Option<Result<Response>>> {
    let mut answers: Vec<Option<Result<Response>>> = Vec::new();
    answers.resize_with(requests.len(), || None);

    let shared = Arc::new((requests, AtomicUsize::new(0), AtomicUsize::new(0), progress));
    let mut workers = JoinSet::new();
    for _ in 0..connections.clamp(1, answers.len().max(1)) {
        let shared = Arc::clone(&shared);
        workers.spawn(async move {
            let (requests, next, done, progress) = &*shared;
            let mut connection = None;
            let mut answered = Vec::new();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(request) = requests.get(index) else { break };
                answered.push((index, send_over(&mut connection, address, request).await));
                let done = done.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                if progress(done).is_break() {
                    break;
                }
            }
            answered
        });
    }
    while let Some(worker) = workers.join_next().await {
        for (index, answer) in worker.into_iter().flatten() {
            if let Some(place) = answers.get_mut(index) {
                *place = Some(answer);
            }
        }
    }
    answers
}

/// Uses the connection that is open, or opens one. A kept connection may have been closed by the other side
/// just now, which says nothing about the request: it is sent again, once, over a new one.
async fn send_over(
    kept: &mut Option<Connection>,
    address: SocketAddr,
    request: &Request,
) -> Result<Response> {
    if let Some(mut connection) =
        kept.take().filter(|c| c.is_http2() == request.http2 && !c.is_closed())
        && let Ok(response) = connection.send(request).await
    {
        *kept = Some(connection);
        return Ok(response);
    }
    let mut connection = Connection::open(address, request.http2).await?;
    let response = connection.send(request).await?;
    *kept = Some(connection);
    Ok(response)
}

enum Connection {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    async fn open(address: SocketAddr, http2: bool) -> Result<Self> {
        let stream = tokio::time::timeout(PATIENCE, TcpStream::connect(address))
            .await
            .map_err(|_| anyhow!("no connection to {address} within {PATIENCE:?}"))?
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        // The task that drives a connection ends when its sender is dropped; its errors are those of the
        // requests, which are told there.
        if http2 {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            tokio::spawn(connection);
            Ok(Self::Http2(sender))
        } else {
            let (sender, connection) = http1::handshake(io).await?;
            tokio::spawn(connection);
            Ok(Self::Http1(sender))
        }
    }

    fn is_http2(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    async fn send(&mut self, request: &Request) -> Result<Response> {
        let message = request.to_hyper()?;
        let exchange = async {
            let response = match self {
                Self::Http1(sender) => {
                    sender.ready().await?;
                    sender.send_request(message).await?
                }
                Self::Http2(sender) => {
                    sender.ready().await?;
                    sender.send_request(message).await?
                }
            };
            read(response).await
        };
        tokio::time::timeout(PATIENCE, exchange).await.map_err(|_| {
            anyhow!("no answer to `{} {}` within {PATIENCE:?}", request.method, request.path)
        })?
    }
}

async fn read(response: hyper::Response<Incoming>) -> Result<Response> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.context("the answer ended in the middle")?.to_bytes().to_vec();
    let headers = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
        .collect();
    Ok(Response { status: head.status.as_u16(), headers, body })
}

/// Gets a path of a plain HTTP server, such as Envoy's admin, as text.
///
/// # Errors
/// When there is no answer, or its status is not 200.
pub async fn fetch(address: SocketAddr, path: &str) -> Result<String> {
    let response = send(address, &Request::get(path)).await?;
    ensure!(
        response.status == 200,
        "`{path}` answered {}: {}",
        response.status,
        response.text().trim()
    );
    Ok(response.text())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::{Behavior, Upstream};

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    }

    fn numbered(count: usize) -> Vec<Request> {
        (0..count).map(|n| Request::get(&format!("/{n}")).echo()).collect()
    }

    #[test]
    fn answers_come_in_the_order_of_the_requests() {
        let runtime = runtime();
        let upstream = Upstream::start("a", runtime.handle()).unwrap();
        let loading = load(upstream.address(), numbered(200), 7, |_| ControlFlow::Continue(()));
        for (n, answer) in runtime.block_on(loading).into_iter().enumerate() {
            assert_eq!(answer.unwrap().unwrap().echo().unwrap().path, format!("/{n}"));
        }
    }

    #[test]
    fn a_load_of_no_requests_ends() {
        let runtime = runtime();
        let upstream = Upstream::start("a", runtime.handle()).unwrap();
        let loading = load(upstream.address(), Vec::new(), 4, |_| ControlFlow::Continue(()));
        assert!(runtime.block_on(loading).is_empty());
    }

    #[test]
    fn a_load_can_be_ended_early() {
        let runtime = runtime();
        let upstream = Upstream::start("a", runtime.handle()).unwrap();
        let until_ten =
            |done| if done < 10 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let answers = runtime.block_on(load(upstream.address(), numbered(1000), 2, until_ten));
        let sent = answers.iter().flatten().count();
        assert!((10..=12).contains(&sent), "{sent}");
    }

    #[test]
    fn nobody_there_is_an_error_for_each_request() {
        let runtime = runtime();
        let upstream = Upstream::start("a", runtime.handle()).unwrap();
        upstream.set(Behavior { refuse: true, ..Behavior::default() }).unwrap();
        let loading = load(upstream.address(), numbered(3), 2, |_| ControlFlow::Continue(()));
        let answers = runtime.block_on(loading);
        assert!(answers.iter().all(|answer| matches!(answer, Some(Err(_)))));
    }

    #[test]
    fn what_http_cannot_carry_is_an_error_with_words() {
        let wrong = Request::get("/").header("x-a", b"a\nb").to_hyper().unwrap_err();
        assert_eq!(wrong.to_string(), "the value of `x-a` cannot be sent in a header");
    }
}
