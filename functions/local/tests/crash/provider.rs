//! The far side: answers with the version of the credential that it was sent, and remembers which calls reached it.

use std::{
    collections::HashSet,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

pub(crate) struct Provider {
    pub(crate) address: SocketAddr,
    paths: Arc<Mutex<HashSet<String>>>,
}

/// A credential that says which version it is.
pub(crate) fn credential(version: u64) -> String {
    format!("version-{version:08}-of-the-credential")
}

impl Provider {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let paths: Arc<Mutex<HashSet<String>>> = Arc::default();
        let known = Arc::clone(&paths);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let known = Arc::clone(&known);
                // The vault is killed all the time: an error here is the end of its connection.
                thread::spawn(move || serve(stream, &known));
            }
        });
        Self { address, paths }
    }

    /// The paths of the calls that arrived.
    pub(crate) fn reached(&self) -> HashSet<String> {
        self.paths.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.paths.lock().unwrap().clear();
    }
}

fn serve(stream: TcpStream, paths: &Mutex<HashSet<String>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let path = line.split(' ').nth(1)?.to_owned();
        let (mut version, mut length) = (None, 0);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            let Some((name, value)) = header.trim().split_once(": ") else { break };
            match name.to_ascii_lowercase().as_str() {
                "authorization" => version = value.split('-').nth(1).and_then(|text| text.parse().ok()),
                "content-length" => length = value.parse().ok()?,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        paths.lock().unwrap().insert(path);
        let version: u64 = version?;
        let body = format!("{{\"version\":{version}}}");
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        reader.get_mut().write_all(answer.as_bytes()).ok()?;
    }
}
