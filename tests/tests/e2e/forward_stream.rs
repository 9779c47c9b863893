//! `/v1/forward` as a stream: piece by piece in both directions, and what becomes of calls that break off.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use alter_domain::{api::GrantId, model::OutcomeKind};
use alter_proxy::Timeouts;
use alter_tests::{Setup, TestApp, TestVault, Upstream, channel_body, reply};
use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderValue, Request, header};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

use crate::TOKEN;

/// Far longer than anything here takes; a test that waits for what never comes ends.
const PATIENCE: Duration = Duration::from_secs(10);

async fn calling(upstream: &Upstream) -> (TestApp, GrantId) {
    let app = TestVault::new().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    (app, grant)
}

/// A provider whose next answer has this body.
async fn answering(body: Body) -> Upstream {
    let body = Arc::new(Mutex::new(Some(body)));
    Upstream::streaming(move |_| {
        let body = body.lock().unwrap().take().expect("one call");
        async move {
            let mut response = reply(200, body);
            response
                .headers_mut()
                .insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
            response
        }
    })
    .await
}

async fn next(stream: &mut BodyDataStream) -> Option<Result<Bytes, axum::Error>> {
    timeout(PATIENCE, stream.next()).await.expect("the next piece never came")
}

#[tokio::test]
async fn events_arrive_one_by_one_while_the_provider_goes_on() {
    let (provider, body) = channel_body();
    let upstream = answering(body).await;
    let (app, grant) = calling(&upstream).await;
    let answer =
        timeout(PATIENCE, app.client().forward("GET", &upstream.url("/"), grant).open()).await.unwrap();
    // The head is here before the first event.
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = answer.into_body().into_data_stream();
    for number in 0..5 {
        let event = format!("data: {{\"number\":{number}}}\n\n");
        provider.send(Ok(event.clone().into())).unwrap();
        // The provider sends no further byte until this one has come.
        let mut got = Vec::new();
        while got.len() < event.len() {
            got.extend(next(&mut events).await.expect("the stream goes on").unwrap());
        }
        assert_eq!(String::from_utf8(got).unwrap(), event);
    }
    assert!(app.vault.audit.calls()[0].outcome.is_none(), "the row is final before the answer has ended");
    drop(provider);
    assert!(next(&mut events).await.is_none());
    let outcome =
        app.vault.audit.calls()[0].outcome.clone().expect("the row is final when the end is passed on");
    assert_eq!((outcome.kind, outcome.status), (OutcomeKind::Success, Some(200)));
    assert_eq!(outcome.response_bytes, Some(5 * "data: {\"number\":0}\n\n".len() as u64));
}

#[tokio::test]
async fn a_body_goes_up_piece_by_piece() {
    let (seen, mut pieces) = mpsc::unbounded_channel();
    let upstream = Upstream::streaming(move |request: Request<Body>| {
        let seen = seen.clone();
        async move {
            let chunked = request.headers().get("transfer-encoding").is_some();
            let mut body = request.into_body().into_data_stream();
            let mut length = 0;
            while let Some(piece) = body.next().await {
                let piece = piece.unwrap();
                length += piece.len();
                seen.send(piece).unwrap();
            }
            reply(200, format!("{length} {chunked}"))
        }
    })
    .await;
    let (app, grant) = calling(&upstream).await;
    let (caller, body) = channel_body();
    let request = app.client().forward("POST", &upstream.url("/"), grant).stream(body);
    let answer = tokio::spawn(request.send());
    for piece in ["one", "two", "three"] {
        caller.send(Ok(Bytes::from_static(piece.as_bytes()))).unwrap();
        // The caller sends nothing more until the provider has this.
        let got = timeout(PATIENCE, pieces.recv()).await.expect("the piece never arrived").unwrap();
        assert_eq!(got, piece);
    }
    drop(caller);
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.text(), "11 true");
}

#[tokio::test]
async fn an_unsigned_body_needs_no_stream() {
    let upstream = Upstream::echo().await;
    let (app, grant) = calling(&upstream).await;
    let answer =
        app.client().forward("POST", &upstream.url("/"), grant).unsigned_bytes("anything").send().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(upstream.last().body, "anything");
    let other = app.client().forward("POST", &upstream.url("/"), grant).unsigned_bytes("anything");
    other.tamper(|request| *request.body_mut() = "else".into()).send().await;
    assert_eq!(upstream.last().body, "else");
}

#[tokio::test]
async fn a_caller_who_drops_the_answer_leaves_an_aborted_row() {
    let (provider, body) = channel_body();
    let upstream = answering(body).await;
    let (app, grant) = calling(&upstream).await;
    let answer = app.client().forward("GET", &upstream.url("/"), grant).open().await;
    provider.send(Ok(Bytes::from_static(b"12345"))).unwrap();
    let mut body = answer.into_body().into_data_stream();
    assert_eq!(next(&mut body).await.unwrap().unwrap(), "12345");
    drop(body);
    let outcome = app.vault.audit.final_call().await.outcome.unwrap();
    assert_eq!((outcome.kind, outcome.status), (OutcomeKind::Aborted, Some(200)));
    assert_eq!(outcome.response_bytes, Some(5));
    // The provider learns of it too.
    timeout(PATIENCE, provider.closed()).await.expect("the provider is left streaming to nobody");
}

#[tokio::test]
async fn a_caller_who_closes_the_connection_leaves_an_aborted_row() {
    let (provider, body) = channel_body();
    let upstream = answering(body).await;
    let (app, grant) = calling(&upstream).await;
    let addr = app.vault.listen().await;
    let request = app.client().forward("GET", &upstream.url("/"), grant).build();
    let mut head = format!("GET /v1/forward HTTP/1.1\r\nhost: {addr}\r\n");
    for (name, value) in request.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    head.push_str("\r\n");
    let mut caller = TcpStream::connect(addr).await.unwrap();
    caller.write_all(head.as_bytes()).await.unwrap();
    provider.send(Ok(Bytes::from_static(b"ping!"))).unwrap();
    let mut got = Vec::new();
    while !String::from_utf8_lossy(&got).contains("ping!\r\n") {
        let read = timeout(PATIENCE, caller.read_buf(&mut got)).await;
        let came = matches!(read, Ok(Ok(1..)));
        assert!(came, "the event never came: {:?}", String::from_utf8_lossy(&got));
    }
    drop(caller);
    let outcome = app.vault.audit.final_call().await.outcome.unwrap();
    assert_eq!((outcome.kind, outcome.response_bytes), (OutcomeKind::Aborted, Some(5)));
    assert_eq!(app.vault.audit.calls().len(), 1);
}

#[tokio::test]
async fn a_caller_who_leaves_before_the_providers_head_leaves_a_final_row() {
    let (arrived, mut arrivals) = mpsc::unbounded_channel();
    let upstream = Upstream::streaming(move |_| {
        arrived.send(()).unwrap();
        std::future::pending()
    })
    .await;
    let short = Timeouts { forward_first_byte: Duration::from_millis(300), ..Timeouts::default() };
    let app = Setup::default().timeouts(short).build().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    tokio::select! {
        biased;
        answer = app.client().forward("GET", &upstream.url("/"), grant).open() => panic!("answered {}", answer.status()),
        arrival = arrivals.recv() => arrival.unwrap(),
    }
    let outcome = app.vault.audit.final_call().await.outcome.unwrap();
    assert_eq!(
        (outcome.kind, outcome.code.as_deref()),
        (OutcomeKind::NetworkError, Some("upstream_timeout"))
    );
}

#[tokio::test]
async fn a_provider_that_never_begins_is_a_504() {
    let upstream = Upstream::streaming(|_| std::future::pending()).await;
    let short = Timeouts { forward_first_byte: Duration::from_millis(100), ..Timeouts::default() };
    let app = Setup::default().timeouts(short).build().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    let answer = app.client().forward("GET", &upstream.url("/"), grant).send().await;
    assert_eq!(answer.refused(504, "upstream_timeout").header("alter-error"), Some("upstream_timeout"));
}

#[tokio::test]
async fn a_stream_that_has_begun_may_pause_longer_than_the_first_byte() {
    let (provider, body) = channel_body();
    let upstream = answering(body).await;
    let limit = Duration::from_millis(100);
    let short = Timeouts { forward_first_byte: limit, ..Timeouts::default() };
    let app = Setup::default().timeouts(short).build().await.app().await;
    let (_, grant) = app.bearer(TOKEN, upstream.host()).await;
    let answer = app.client().forward("GET", &upstream.url("/"), grant).open().await;
    let mut body = answer.into_body().into_data_stream();
    // Time itself is what is tested here: nothing happens, and that must not end the stream.
    assert!(timeout(limit * 3, body.next()).await.is_err());
    provider.send(Ok(Bytes::from_static(b"late"))).unwrap();
    assert_eq!(next(&mut body).await.unwrap().unwrap(), "late");
}

#[tokio::test]
async fn a_provider_that_breaks_off_breaks_the_answer_too() {
    let upstream = Upstream::raw(|mut stream: TcpStream| async move {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this much";
        stream.write_all(answer.as_bytes()).await.unwrap();
    })
    .await;
    let (app, grant) = calling(&upstream).await;
    let answer = app.client().forward("GET", &upstream.url("/"), grant).open().await;
    let mut body = answer.into_body().into_data_stream();
    let mut got = Vec::new();
    let error = loop {
        match next(&mut body).await.expect("a part must not be taken for the whole") {
            Ok(piece) => got.extend(piece),
            Err(error) => break error,
        }
    };
    assert_eq!(got, b"only this much");
    assert!(!error.to_string().is_empty());
    let outcome = app.vault.audit.final_call().await.outcome.unwrap();
    assert_eq!((outcome.kind, outcome.code.as_deref()), (OutcomeKind::NetworkError, Some("upstream_error")));
}

#[tokio::test]
async fn a_caller_who_reads_slowly_slows_the_provider_down() {
    const PIECE: usize = 64 * 1024;
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let endless = stream::unfold((), move |()| {
        counted.fetch_add(PIECE as u64, Ordering::SeqCst);
        async { Some((Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; PIECE])), ())) }
    });
    let upstream = answering(Body::from_stream(endless)).await;
    let (app, grant) = calling(&upstream).await;
    let answer = app.client().forward("GET", &upstream.url("/"), grant).open().await;
    let mut body = answer.into_body().into_data_stream();
    let mut read = 0;
    while read < 8 << 20 {
        read += next(&mut body).await.unwrap().unwrap().len() as u64;
    }
    // Now the caller stops. What the provider can still send is what fits into the sockets' buffers.
    let mut before = u64::MAX;
    while before != sent.load(Ordering::SeqCst) {
        before = sent.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(before - read < 24 << 20, "{} bytes are held somewhere", before - read);
}
