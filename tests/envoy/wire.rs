//! A client that sends just the bytes it is given, over one connection of HTTP/1.1 that stays open:
//! what ordinary clients refuse to send, and what happens on a connection that is kept.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lab::{Lab, Response};

const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Wire {
    stream: TcpStream,
    /// Read, but not used yet.
    rest: Vec<u8>,
}

impl Wire {
    pub(crate) fn open(lab: &Lab) -> Self {
        let stream = TcpStream::connect(lab.listener()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, rest: Vec::new() }
    }

    /// Sends a request made of these lines (the first is the request line) and reads the answer.
    pub(crate) fn ask(&mut self, lines: &[&[u8]]) -> Response {
        let mut bytes = lines.join(b"\r\n".as_slice());
        bytes.extend(b"\r\n\r\n");
        self.stream.write_all(&bytes).unwrap();
        let head = self.read_until(b"\r\n\r\n");
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.lines();
        let status =
            lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers: Vec<(String, Vec<u8>)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().as_bytes().to_vec()))
            .collect();
        let mut response =
            Response { status: status.expect("a status line"), headers, body: Vec::new() };
        let length = response
            .header("content-length")
            .map(|value| String::from_utf8_lossy(value).into_owned());
        let length = length.unwrap_or_default().parse().expect("an answer with a length");
        while self.rest.len() < length {
            self.read_more();
        }
        response.body = self.rest.drain(..length).collect();
        response
    }

    fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        loop {
            if let Some(at) = self.rest.windows(end.len()).position(|window| window == end) {
                return self.rest.drain(..at + end.len()).collect();
            }
            self.read_more();
        }
    }

    fn read_more(&mut self) {
        let mut buffer = [0; 16 * 1024];
        let size = self.stream.read(&mut buffer).expect("an answer in time");
        assert!(size > 0, "the connection was closed before the answer");
        self.rest.extend(buffer.iter().take(size));
    }
}

/// Sends one request over a connection of its own.
pub(crate) fn ask(lab: &Lab, lines: &[&[u8]]) -> Response {
    Wire::open(lab).ask(lines)
}
