//! Upstreams: small HTTP servers that answer in the name of their cluster. One of the lab can be told to fail.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HOST, HeaderName, HeaderValue, LOCATION};
pub use hyper::http::request::Parts as Head;
use hyper::http::uri::Authority;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

/// The response header in which an upstream tells its cluster.
pub const CLUSTER_HEADER: &str = "x-lab-cluster";

/// A request with this header gets, as JSON, what reached the upstream.
pub const ECHO_HEADER: &str = "x-lab-echo";

/// How an upstream behaves; it can change while the lab runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behavior {
    /// The status of every answer.
    pub status: u16,
    /// How long an answer takes.
    pub delay: Duration,
    /// Refuse connections, and drop those that are open.
    pub refuse: bool,
}

impl Default for Behavior {
    fn default() -> Self {
        Self { status: 200, delay: Duration::ZERO, refuse: false }
    }
}

/// What an upstream says to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How long it waits before.
    pub delay: Duration,
    /// The status code.
    pub status: u16,
    /// The body, a text or JSON.
    pub body: String,
    /// Where a redirect leads.
    pub location: Option<String>,
}

/// A running upstream. Dropping it ends it.
#[derive(Debug)]
pub struct Upstream {
    cluster: Arc<str>,
    address: SocketAddr,
    behavior: Arc<Mutex<Behavior>>,
    server: Mutex<Option<Server>>,
    runtime: Handle,
}

#[derive(Debug)]
enum Server {
    Serving(JoinHandle<()>),
    /// The port stays ours, bound and not listening, so that nobody else answers there.
    Refusing(TcpSocket),
}

impl Upstream {
    /// Starts an upstream for a cluster on a free port of the loopback.
    ///
    /// # Errors
    /// When no port can be bound.
    pub fn start(cluster: &str, runtime: &Handle) -> io::Result<Self> {
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), runtime)?;
        let upstream = Self {
            cluster: cluster.into(),
            address: socket.local_addr()?,
            behavior: Arc::default(),
            server: Mutex::new(None),
            runtime: runtime.clone(),
        };
        let serving = upstream.serve(socket)?;
        *upstream.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(serving);
        Ok(upstream)
    }

    /// The cluster it stands for.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes how it behaves, for every request that arrives after this call.
    ///
    /// # Errors
    /// When the port cannot be bound again.
    ///
    /// # Panics
    /// When called inside an async task.
    pub fn set(&self, behavior: Behavior) -> io::Result<()> {
        *self.behavior.lock().unwrap_or_else(PoisonError::into_inner) = behavior;
        let mut server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
        *server = match (server.take(), behavior.refuse) {
            (Some(Server::Refusing(socket)), false) => Some(self.serve(socket)?),
            (Some(Server::Serving(task)), true) => {
                // First, so that the port is ours all the time: nobody may take it for a connection.
                let holding = bind(self.address, &self.runtime)?;
                task.abort();
                // Only when the task is gone is its listener closed. It ends as cancelled.
                let _cancelled = self.runtime.block_on(task);
                Some(Server::Refusing(holding))
            }
            (unchanged, _) => unchanged,
        };
        Ok(())
    }

    fn serve(&self, socket: TcpSocket) -> io::Result<Server> {
        let _inside = self.runtime.enter();
        let listener = socket.listen(1024)?;
        let (cluster, behavior) = (Arc::clone(&self.cluster), Arc::clone(&self.behavior));
        let serving = serve(listener, Arc::clone(&self.cluster), move |head| {
            let Behavior { status, delay, .. } =
                *behavior.lock().unwrap_or_else(PoisonError::into_inner);
            let body = match head.headers.contains_key(ECHO_HEADER) {
                true => echo(&cluster, head),
                false => cluster.to_string(),
            };
            let location = redirect(&cluster, head);
            let status = if location.is_some() { 302 } else { status };
            Answer { delay, status, body, location }
        });
        Ok(Server::Serving(self.runtime.spawn(serving)))
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        if let Ok(Some(Server::Serving(task))) = self.server.get_mut() {
            task.abort();
        }
    }
}

fn bind(address: SocketAddr, runtime: &Handle) -> io::Result<TcpSocket> {
    let _inside = runtime.enter();
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Two sockets of one upstream may hold its port for a moment.
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Serves a listener in the name of a cluster, until this is dropped: then every connection is closed.
pub async fn serve(
    listener: TcpListener,
    cluster: Arc<str>,
    answer: impl Fn(&Head) -> Answer + Clone + Send + Sync + 'static,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // An error here is a connection that ended before it was accepted.
                let Ok((stream, _)) = accepted else { continue };
                let _unneeded = stream.set_nodelay(true);
                let (cluster, answer) = (Arc::clone(&cluster), answer.clone());
                connections.spawn(async move {
                    let service =
                        service_fn(|request| respond(request, Arc::clone(&cluster), answer.clone()));
                    // A client that goes away in the middle is no matter of the upstream.
                    let _ended = auto::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    cluster: Arc<str>,
    answer: impl Fn(&Head) -> Answer,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // The body is read to its end so that the connection can be used again.
    let _unread = body.collect().await;
    let Answer { delay, status, body, location } = answer(&head);
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let mut response = Response::new(Full::new(Bytes::from(body + "\n")));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Ok(name) = HeaderValue::from_str(&cluster) {
        response.headers_mut().insert(CLUSTER_HEADER, name);
    }
    if let Some(place) = location.and_then(|place| HeaderValue::from_str(&place).ok()) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

/// A request for `/redirect/PATH` is sent on to `/PATH?from=CLUSTER`.
fn redirect(cluster: &str, head: &Head) -> Option<String> {
    let path = head.uri.path().strip_prefix("/redirect")?;
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or(head.uri.authority().map(Authority::as_str))?;
    Some(format!("http://{host}{path}?from={cluster}"))
}

/// What reached an upstream, as JSON.
fn echo(cluster: &str, head: &Head) -> String {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        json!([name.as_str(), latin1(value.as_bytes())])
    };
    json!({
        "cluster": cluster,
        "method": head.method.as_str(),
        "path": head.uri.path_and_query().map_or("", |path| path.as_str()),
        "headers": head.headers.iter().map(header).collect::<Vec<_>>(),
    })
    .to_string()
}

/// Each byte as the character of that number: the way to carry any bytes in JSON and get them back.
fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;
    use crate::client::{self, Request};

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
    }

    #[test]
    fn an_upstream_answers_with_the_name_of_its_cluster() {
        let runtime = runtime();
        let upstream = Upstream::start("outbound|8080|v1|reviews", runtime.handle()).unwrap();
        let response =
            runtime.block_on(client::send(upstream.address(), &Request::get("/a"))).unwrap();
        assert_eq!(response.status, 200);
        assert_eq!(response.text(), "outbound|8080|v1|reviews\n");
        assert_eq!(response.cluster(), Some("outbound|8080|v1|reviews"));
    }

    #[test]
    fn an_upstream_speaks_http_2_too() {
        let runtime = runtime();
        let upstream = Upstream::start("a", runtime.handle()).unwrap();
        let request = Request::get("/").http2();
        assert_eq!(
            runtime.block_on(client::send(upstream.address(), &request)).unwrap().status,
            200
        );
    }

    #[test]
    fn the_echo_shows_every_header_with_its_bytes() {
        let runtime = runtime();
        let upstream = Upstream::start("a", runtime.handle()).unwrap();
        let request =
            Request::get("/p?q=1").header("cookie", "a=1").header("cookie", b"uid=\xff\xfe").echo();
        let echo =
            runtime.block_on(client::send(upstream.address(), &request)).unwrap().echo().unwrap();
        assert_eq!((echo.method.as_str(), echo.path.as_str()), ("GET", "/p?q=1"));
        assert_eq!(echo.all("cookie"), [&b"a=1"[..], b"uid=\xff\xfe"]);
    }

    #[test]
    fn status_and_delay_change_while_it_runs() {
        let runtime = runtime();
        let upstream = Upstream::start("a", runtime.handle()).unwrap();
        upstream
            .set(Behavior { status: 503, delay: Duration::from_millis(30), ..Behavior::default() })
            .unwrap();
        let before = std::time::Instant::now();
        let response =
            runtime.block_on(client::send(upstream.address(), &Request::get("/"))).unwrap();
        assert_eq!(response.status, 503);
        assert!(before.elapsed() >= Duration::from_millis(30));
    }

    #[test]
    fn an_upstream_that_refuses_comes_back_at_the_same_port() {
        let runtime = runtime();
        let upstream = Upstream::start("a", runtime.handle()).unwrap();
        for _ in 0..3 {
            upstream.set(Behavior { refuse: true, ..Behavior::default() }).unwrap();
            assert!(TcpStream::connect(upstream.address()).is_err());
            upstream.set(Behavior::default()).unwrap();
            let response =
                runtime.block_on(client::send(upstream.address(), &Request::get("/"))).unwrap();
            assert_eq!(response.status, 200);
        }
    }
}
