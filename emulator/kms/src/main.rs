//! KMS in memory, for tests.
//!
//! Listens on a free port of the loopback interface, prints the address as one line, and ends when its standard input
//! does: a test that is killed leaves nothing behind.

use std::{
    convert::Infallible,
    error::Error,
    io::{self, Write as _},
    sync::Arc,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response, StatusCode, body::Bytes, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncReadExt as _, stdin},
    net::{TcpListener, TcpStream},
};
use winterbaume_core::{MockRequest, MockService as _};
use winterbaume_kms::KmsService;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    writeln!(io::stdout(), "{}", listener.local_addr()?)?;
    let service = Arc::new(KmsService::new());
    let mut input = stdin();
    let mut ignored = [0; 64];
    tokio::select! {
        () = serve(listener, service) => Err("the server ended".into()),
        () = async { while input.read(&mut ignored).await.is_ok_and(|read| read > 0) {} } => Ok(()),
    }
}

async fn serve(listener: TcpListener, service: Arc<KmsService>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(stream, Arc::clone(&service)));
    }
}

async fn connection(stream: TcpStream, service: Arc<KmsService>) {
    let answer = service_fn(|request| {
        let service = Arc::clone(&service);
        async move { Ok::<_, Infallible>(answer(&service, request).await) }
    });
    // The other end hangs up when it has seen enough.
    http1::Builder::new().serve_connection(TokioIo::new(stream), answer).await.ok();
}

async fn answer(service: &KmsService, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|collected| collected.to_bytes()).unwrap_or_default();
    // It reads account and region from the host that AWS's clients would have asked.
    let uri = format!("https://kms.eu-central-1.amazonaws.com{}", head.uri);
    let asked = MockRequest { method: head.method.to_string(), uri, headers: head.headers, body };
    let given = service.handle(asked).await;
    let mut response = Response::new(Full::new(given.body));
    *response.status_mut() = StatusCode::from_u16(given.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    *response.headers_mut() = given.headers;
    response
}
