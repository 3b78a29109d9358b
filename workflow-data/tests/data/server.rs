//! An HTTP server with a script: it answers each connection with the next response, and keeps what
//! it was asked.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub(crate) struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Starts a server. `${SERVER}` in a response is its own URL.
    pub(crate) fn start(responses: Vec<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::default();
        let server = Self { address, requests: Arc::clone(&requests) };
        let own = server.address.clone();
        std::thread::spawn(move || {
            for response in responses {
                let Ok((mut stream, _)) = listener.accept() else { return };
                requests.lock().unwrap().push(request(&mut stream));
                // A client that has seen enough closes the connection.
                let _ = stream.write_all(&replaced(&response, &own));
            }
        });
        server
    }

    pub(crate) fn url(&self) -> &str {
        &self.address
    }

    /// All requests, with their headers in lower case.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The targets of all requests, such as `/items?page=1`.
    pub(crate) fn targets(&self) -> Vec<String> {
        let target = |request: String| request.split(' ').nth(1).unwrap_or_default().to_owned();
        self.requests().into_iter().map(target).collect()
    }
}

fn replaced(response: &[u8], own: &str) -> Vec<u8> {
    match std::str::from_utf8(response) {
        Ok(text) => text.replace("${SERVER}", own).into_bytes(),
        Err(_) => response.to_vec(),
    }
}

/// Reads the head of a request.
fn request(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        bytes.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (line, headers) = text.split_once("\r\n").unwrap_or((&text, ""));
    let headers: Vec<_> = headers
        .lines()
        .filter_map(|header| header.split_once(": "))
        .map(|(name, value)| format!("{}: {value}", name.to_ascii_lowercase()))
        .collect();
    format!("{line}\n{}", headers.join("\n"))
}

/// A response without a length, which ends with its connection.
pub(crate) fn response(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let headers: String = headers
        .split('\n')
        .filter(|line| !line.is_empty())
        .map(|line| format!("{line}\r\n"))
        .collect();
    format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n{body}").into_bytes()
}

/// A response with JSON.
pub(crate) fn page(body: &str) -> Vec<u8> {
    let length = body.len();
    let headers = format!("Content-Type: application/json\nContent-Length: {length}");
    response("200 OK", &headers, body)
}
