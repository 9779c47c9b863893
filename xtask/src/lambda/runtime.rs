//! The Runtime API, as little of it as a function needs: it starts a function and hands it one event at a time.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>. Segments leave at once (`TCP_NODELAY`): with Nagle's
//! algorithm every warm answer would seem to take 44 ms.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use crate::command::Result;

/// A function that says nothing for so long is broken.
const SILENCE: Duration = Duration::from_secs(20);

/// A function's process and the API that it polls. Dropped, it ends both.
pub(crate) struct Environment {
    child: Child,
    address: SocketAddr,
    closed: Arc<AtomicBool>,
    requests: mpsc::Receiver<Request>,
    /// The poll that waits for an event.
    poll: Request,
}

/// What the function answered, and how long after the event was sent the answer had arrived.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) took: Duration,
    pub(crate) body: Vec<u8>,
}

/// What arrived on a connection, and where the reply goes.
struct Request {
    at: Instant,
    path: String,
    body: Vec<u8>,
    reply: mpsc::Sender<Vec<u8>>,
}

impl Environment {
    /// Starts a function with these environment variables and no others, and returns how long it took from before the process
    /// was made until it asked for its first event.
    pub(crate) fn start(binary: &Path, variables: &[(String, String)]) -> Result<(Self, Duration)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let closed = Arc::new(AtomicBool::new(false));
        let (sender, requests) = mpsc::channel();
        let is_closed = Arc::clone(&closed);
        thread::spawn(move || accept(&listener, &is_closed, &sender));
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit());
        let begun = Instant::now();
        let mut child = command.spawn()?;
        match poll(&requests) {
            Ok(poll) => {
                let took = poll.at.duration_since(begun);
                Ok((Self { child, address, closed, requests, poll }, took))
            }
            Err(failure) => {
                end(&mut child, &closed, address);
                Err(format!("{}: {failure}", binary.display()).into())
            }
        }
    }

    /// Resident memory in KiB.
    pub(crate) fn resident(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| "the system does not say how much memory is resident".into())
    }

    /// Hands an event over and waits until the function has answered and polls again.
    pub(crate) fn invoke(&mut self, id: &str, event: &str) -> Result<Answer> {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Lambda-Runtime-Aws-Request-Id: {id}\r\nLambda-Runtime-Deadline-Ms: 9999999999999\r\n\
             Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:000000000000:function:bench\r\n\
             Lambda-Runtime-Trace-Id: Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=0\r\n\r\n",
            event.len()
        );
        let begun = Instant::now();
        self.poll.answer([head.as_bytes(), event.as_bytes()].concat())?;
        let answer = next(&self.requests)?;
        let took = answer.at.duration_since(begun);
        if answer.path != format!("/2018-06-01/runtime/invocation/{id}/response") {
            let said = String::from_utf8_lossy(&answer.body);
            return Err(format!("instead of an answer, {}: {said}", answer.path).into());
        }
        answer.answer(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_vec())?;
        self.poll = poll(&self.requests)?;
        Ok(Answer { took, body: answer.body })
    }
}

impl Drop for Environment {
    fn drop(&mut self) {
        end(&mut self.child, &self.closed, self.address);
    }
}

impl Request {
    fn answer(&self, reply: Vec<u8>) -> Result {
        self.reply.send(reply).map_err(|_| "the function hung up".into())
    }
}

fn end(child: &mut Child, closed: &AtomicBool, address: SocketAddr) {
    // An error means that it has ended already.
    let _ = child.kill();
    let _ = child.wait();
    closed.store(true, Ordering::Release);
    // Wakes the thread that accepts, so that it sees that it is over.
    let _ = TcpStream::connect(address);
}

fn next(requests: &mpsc::Receiver<Request>) -> Result<Request> {
    requests.recv_timeout(SILENCE).map_err(|_| "the function ended, or said nothing for too long".into())
}

fn poll(requests: &mpsc::Receiver<Request>) -> Result<Request> {
    let request = next(requests)?;
    if request.path == "/2018-06-01/runtime/invocation/next" {
        return Ok(request);
    }
    let said = String::from_utf8_lossy(&request.body);
    Err(format!("instead of a poll, {}: {said}", request.path).into())
}

fn accept(listener: &TcpListener, closed: &AtomicBool, sender: &mpsc::Sender<Request>) {
    for stream in listener.incoming() {
        if closed.load(Ordering::Acquire) {
            return;
        }
        let Ok(stream) = stream else { return };
        let sender = sender.clone();
        // Ends when the function hangs up; nothing is left to be done with an error.
        thread::spawn(move || serve(stream, &sender));
    }
}

/// Serves one connection until one side hangs up.
fn serve(stream: TcpStream, sender: &mpsc::Sender<Request>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if line.trim_end().is_empty() {
                break;
            }
            head.push(line.trim_end().to_owned());
        }
        let body = body(&mut reader, &head)?;
        let path = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
        let (reply, replies) = mpsc::channel();
        if sender.send(Request { at: Instant::now(), path, body, reply }).is_err() {
            return Ok(());
        }
        let Ok(reply) = replies.recv() else { return Ok(()) };
        writer.write_all(&reply)?;
    }
}

fn body(reader: &mut BufReader<TcpStream>, head: &[String]) -> std::io::Result<Vec<u8>> {
    let header = |wanted: &str| {
        head.iter().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let mut body = Vec::new();
    if header("transfer-encoding").is_some() {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let size = u64::from_str_radix(line.trim_end(), 16).map_err(std::io::Error::other)?;
            if size == 0 {
                break;
            }
            reader.take(size).read_to_end(&mut body)?;
            reader.read_line(&mut line)?;
        }
        // Trailers, up to the empty line.
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
    } else if let Some(length) = header("content-length").and_then(|value| value.parse().ok()) {
        reader.take(length).read_to_end(&mut body)?;
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function in the shell: it polls, and answers with what it was given.
    const ECHO: &str = r#"#!/usr/bin/env python3
import http.client, os
api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    api.request("GET", "/2018-06-01/runtime/invocation/next")
    event = api.getresponse()
    name, body = event.headers["Lambda-Runtime-Aws-Request-Id"], event.read()
    if b"fail" in body:
        api.request("POST", f"/2018-06-01/runtime/invocation/{name}/error", body)
    else:
        api.request("POST", f"/2018-06-01/runtime/invocation/{name}/response", iter([body, b"!"]), encode_chunked=True,
                    headers={"Transfer-Encoding": "chunked"})
    api.getresponse().read()
"#;

    fn echo() -> (std::path::PathBuf, Vec<(String, String)>) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = std::env::temp_dir().join(format!("alter-xtask-echo-{}", std::process::id()));
        std::fs::write(&path, ECHO).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (path, std::env::vars().filter(|(name, _)| name == "PATH").collect())
    }

    #[test]
    fn events_go_out_and_answers_come_back() {
        let (binary, variables) = echo();
        let (mut environment, took) = Environment::start(&binary, &variables).unwrap();
        assert!(took > Duration::ZERO && environment.resident().unwrap() > 0);
        for (id, event) in [("a", "{}"), ("b", r#"{"again":1}"#)] {
            let answer = environment.invoke(id, event).unwrap();
            assert_eq!(answer.body, format!("{event}!").into_bytes());
        }
        let failure = environment.invoke("c", r#""fail""#).unwrap_err();
        assert!(failure.to_string().contains("/error"), "{failure}");
        drop(environment);
        std::fs::remove_file(binary).unwrap();
    }

    #[test]
    fn a_function_that_ends_is_noticed_at_once() {
        assert!(Environment::start(Path::new("/no/such/function"), &[]).is_err());
    }
}
