//! The two ends of `scripts/bench-envoy`: an upstream that answers at once, and a client that counts and times. A
//! thread per connection, blocking, with the standard library alone: what they cost is little and always the same.
//!
//! ```text
//! bench-load serve NAME...             prints `NAME ADDRESS` for each; serves until its standard input ends
//! bench-load send ADDRESS OPTION...    prints one object of JSON
//!     --connections N   --requests N (0: until the time is over)   --seconds S   --rate R (0: as fast as it goes)
//!     --users N         the header `x-user-id` counts through that many users
//!     --head FILE       the request without that header and without the empty line
//! bench-load steps ADDRESS OPTION...   sends as many requests as a line of its standard input says, over one connection,
//!                                      and prints a line; then as many as the next one says
//! ```
#![cfg_attr(target_family = "wasm", allow(dead_code, reason = "nothing here is for wasm"))]

use std::io::{Error, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than any answer takes, under valgrind too.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((command, names)) if command == "serve" => serve(names),
        Some((command, options)) if command == "send" => send(options),
        Some((command, options)) if command == "steps" => steps(options),
        _ => Err(Error::other("serve NAME..., send ADDRESS OPTION..., or steps ADDRESS OPTION...")),
    }
}

fn serve(names: &[String]) -> Result<()> {
    for name in names {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        println!("{name} {}", listener.local_addr()?);
        let name = Arc::new(name.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let name = Arc::clone(&name);
                // A connection that ends is no error.
                thread::spawn(move || answer(stream, &name));
            }
        });
    }
    std::io::stdout().flush()?;
    // Whoever started this may be killed: its end of the pipe closes all the same.
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Answers each request of a connection with the same bytes; one with the header `x-bench-echo` with what it was.
fn answer(mut stream: TcpStream, name: &str) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut read = Head::default();
    while let Some(head) = read.next(&mut stream)? {
        let head = String::from_utf8_lossy(&head);
        let echo = value(&head, "x-bench-echo").map(|_| {
            let variant = value(&head, "x-split-variant").unwrap_or("-");
            format!("x-upstream: {name}\r\nx-got-variant: {variant}\r\n")
        });
        let echo = echo.unwrap_or_default();
        let text = format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{echo}\r\nok");
        stream.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// The value of a header.
fn value<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Reads heads of messages off a stream.
#[derive(Default)]
struct Head {
    rest: Vec<u8>,
}

impl Head {
    /// The next head, with its empty line; none at the end of the stream.
    fn next(&mut self, stream: &mut TcpStream) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.rest.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.rest.split_off(end + 4);
                return Ok(Some(std::mem::replace(&mut self.rest, rest)));
            }
            if self.more(stream)? == 0 {
                return Ok(None);
            }
        }
    }

    /// Drops the body that follows.
    fn skip(&mut self, stream: &mut TcpStream, length: usize) -> Result<()> {
        while self.rest.len() < length {
            if self.more(stream)? == 0 {
                return Err(Error::other("the answer ended in its body"));
            }
        }
        self.rest.drain(..length);
        Ok(())
    }

    fn more(&mut self, stream: &mut TcpStream) -> Result<usize> {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer)?;
        self.rest.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

/// What to send.
#[derive(Clone)]
struct Load {
    address: String,
    connections: u64,
    requests: u64,
    seconds: f64,
    rate: f64,
    users: u64,
    head: String,
}

impl Load {
    fn read(options: &[String]) -> Result<Self> {
        let wrong = |what: &str| Error::other(format!("send: {what}"));
        let (address, options) = options.split_first().ok_or_else(|| wrong("no address"))?;
        let mut load = Self {
            address: address.clone(),
            connections: 1,
            requests: 0,
            seconds: 3600.0,
            rate: 0.0,
            users: 1000,
            head: String::new(),
        };
        for pair in options.chunks(2) {
            let [name, text] = pair else { return Err(wrong("an option without a value")) };
            let number = || text.parse::<f64>().map_err(|_| wrong(name));
            match name.as_str() {
                "--connections" => load.connections = number()? as u64,
                "--requests" => load.requests = number()? as u64,
                "--seconds" => load.seconds = number()?,
                "--rate" => load.rate = number()?,
                "--users" => load.users = number()? as u64,
                "--head" => load.head = std::fs::read_to_string(text)?,
                _ => return Err(wrong(name)),
            }
        }
        Ok(load)
    }
}

/// Sends, and prints what came of it. Any answer but 200 is an error: what fails costs something else.
fn send(options: &[String]) -> Result<()> {
    let load = Load::read(options)?;
    let next = Arc::new(AtomicU64::new(0));
    let times = Arc::new(Mutex::new(Vec::new()));
    let begin = Instant::now();
    let threads: Vec<_> = (0..load.connections)
        .map(|number| {
            let (load, next, times) = (load.clone(), Arc::clone(&next), Arc::clone(&times));
            thread::spawn(move || -> Result<()> {
                let own = connection(&load, number, &next, begin)?;
                times.lock().map_err(|_| Error::other("a thread panicked"))?.extend(own);
                Ok(())
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| Error::other("a thread panicked"))??;
    }
    let seconds = begin.elapsed().as_secs_f64();
    let mut times = times.lock().map_err(|_| Error::other("a thread panicked"))?;
    times.sort_unstable();
    let at = |share: f64| {
        let place = (times.len() as f64 * share) as usize;
        times.get(place).or(times.last()).map_or(0.0, |time| time.as_secs_f64() * 1e6)
    };
    println!(
        r#"{{"requests": {}, "seconds": {seconds:.6}, "p50_us": {:.1}, "p99_us": {:.1}}}"#,
        times.len(),
        at(0.5),
        at(0.99)
    );
    Ok(())
}

/// Sends on demand.
fn steps(options: &[String]) -> Result<()> {
    let load = Load::read(options)?;
    let mut connection = Connection::open(&load)?;
    let mut turn = 0;
    for line in std::io::stdin().lines() {
        let count: u64 = line?.trim().parse().map_err(|_| Error::other("steps: a number"))?;
        for _ in 0..count {
            connection.request(turn)?;
            turn += 1;
        }
        println!("done");
    }
    Ok(())
}

/// One connection's part of a load; how long each answer took.
fn connection(load: &Load, number: u64, next: &AtomicU64, begin: Instant) -> Result<Vec<Duration>> {
    let mut connection = Connection::open(load)?;
    let mut times = Vec::new();
    let end = begin + Duration::from_secs_f64(load.seconds);
    loop {
        let turn = next.fetch_add(1, Ordering::Relaxed);
        if load.requests > 0 && turn >= load.requests {
            return Ok(times);
        }
        let mut from = Instant::now();
        if load.rate > 0.0 {
            // Connections take turns. Who is late because of the answer before has waited since its time came; who
            // overslept has not.
            let own = times.len() as u64 * load.connections + number;
            let due = begin + Duration::from_secs_f64(own as f64 / load.rate);
            if due > from {
                thread::sleep(due - from);
                from = Instant::now();
            } else {
                from = due;
            }
        }
        if Instant::now() > end {
            return Ok(times);
        }
        connection.request(turn)?;
        times.push(from.elapsed());
    }
}

/// A connection that is kept.
struct Connection<'a> {
    load: &'a Load,
    stream: TcpStream,
    read: Head,
}

impl<'a> Connection<'a> {
    fn open(load: &'a Load) -> Result<Self> {
        let stream = TcpStream::connect(&load.address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { load, stream, read: Head::default() })
    }

    /// Sends one request and reads its answer.
    fn request(&mut self, turn: u64) -> Result<()> {
        let user = turn % self.load.users;
        let request = format!("{}x-user-id: user-{user}\r\n\r\n", self.load.head);
        self.stream.write_all(request.as_bytes())?;
        let head = self.read.next(&mut self.stream)?.ok_or_else(|| Error::other("no answer"))?;
        let head = String::from_utf8_lossy(&head);
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(Error::other(format!("answered: {}", head.lines().next().unwrap_or(""))));
        }
        let length = value(&head, "content-length").and_then(|length| length.parse().ok());
        self.read.skip(&mut self.stream, length.unwrap_or(0))
    }
}
