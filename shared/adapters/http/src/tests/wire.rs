//! What goes over the connection, and upstreams that break it.

use std::sync::atomic::{AtomicU64, Ordering};

use http_body_util::BodyExt as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::{Notify, mpsc},
};

use super::{upstream::*, *};

#[tokio::test]
async fn the_request_is_sent_as_given_with_host_and_framing_only() {
    let (sent, mut requests) = mpsc::unbounded_channel();
    let upstream = Upstream::new(move |mut stream| {
        let sent = sent.clone();
        async move {
            let mut request = read_head(&mut stream).await;
            while !request.ends_with("body") && !request.starts_with("GET") {
                stream.read_to_string(&mut request).await.unwrap();
            }
            sent.send(request).unwrap();
            let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await;
        }
    })
    .await;
    let post = Request::post(upstream.url("/v1/%7Ex?a=1&b=[2]"))
        .version(http::Version::HTTP_2)
        .header("x-one", "1")
        .extension(hyper::ext::ReasonPhrase::from_static(b"x"))
        .body(Body::from("body"))
        .unwrap();
    assert_eq!(local().send(post).await.unwrap().status(), 204);
    let host = upstream.address;
    let expected = format!(
        "POST /v1/%7Ex?a=1&b=[2] HTTP/1.1\r\nx-one: 1\r\nhost: {host}\r\ncontent-length: 4\r\n\r\nbody"
    );
    assert_eq!(requests.recv().await.unwrap(), expected);
    get(&local(), &upstream.url("")).await.unwrap();
    assert_eq!(requests.recv().await.unwrap(), format!("GET / HTTP/1.1\r\nhost: {host}\r\n\r\n"));
}

#[tokio::test]
async fn a_response_comes_back_as_it_was_without_its_reason_phrase() {
    let upstream = Upstream::answering(
        "HTTP/1.1 418 sk_live_reason\r\nset-cookie: a=1\r\ncontent-encoding: gzip\r\ncontent-length: 3\r\n\r\nraw",
    )
    .await;
    let client = local();
    let response = get(&client, &upstream.url("/")).await.unwrap();
    assert_eq!(response.status(), 418);
    assert!(response.extensions().is_empty());
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(text(response).await.unwrap(), "raw", "nothing is decoded here");
}

#[tokio::test]
async fn chunks_arrive_while_the_upstream_still_writes() {
    let more = Arc::new(Notify::new());
    let signal = more.clone();
    let upstream = Upstream::new(move |mut stream| {
        let more = more.clone();
        async move {
            read_head(&mut stream).await;
            let head =
                b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\n\r\n5\r\nfirst\r\n";
            stream.write_all(head).await.unwrap();
            more.notified().await;
            stream.write_all(b"6\r\nsecond\r\n0\r\nx-end: 1\r\n\r\n").await.unwrap();
        }
    })
    .await;
    let mut body = get(&local(), &upstream.url("/")).await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    signal.notify_one();
    let rest = body.collect().await.unwrap();
    assert_eq!(rest.trailers().unwrap()["x-end"], "1");
    assert_eq!(rest.to_bytes(), "second");
}

#[tokio::test]
async fn an_upstream_that_breaks_before_the_head_is_broken() {
    let long = format!("HTTP/1.1 200 OK\r\nx-long: {}\r\n\r\n", "a".repeat(4 * crate::MAX_RESPONSE_HEAD));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-many: 1\r\n".repeat(200));
    for answer in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 OK\r\nx: 1\r\n",
        "220 smtp.example.com ESMTP\r\n",
        "HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        long.leak(),
        many.leak(),
    ] {
        let upstream = Upstream::answering(answer).await;
        let result = get(&local(), &upstream.url("/")).await;
        assert!(is_broken(&result), "{:?}", &answer[..answer.len().min(60)]);
        assert_eq!(upstream.accepted(), 1, "what may have been acted on is not sent again");
    }
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_an_error() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfir",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a length\r\n",
    ] {
        let upstream = Upstream::answering(answer).await;
        let response = get(&local(), &upstream.url("/")).await.unwrap();
        let error = text(response).await.unwrap_err();
        let mut cause: &(dyn std::error::Error + 'static) = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        assert!(matches!(cause.downcast_ref(), Some(SendError::Broken(_))), "{answer:?}: {cause:?}");
    }
}

#[tokio::test]
async fn what_follows_a_stated_length_is_not_part_of_the_answer() {
    let upstream =
        Upstream::answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\nsmuggled")
            .await;
    let client = local();
    assert_eq!(text(get(&client, &upstream.url("/")).await.unwrap()).await.unwrap(), "ok");
    // The connection with the unasked answer is not used again.
    assert_eq!(text(get(&client, &upstream.url("/")).await.unwrap()).await.unwrap(), "ok");
    assert_eq!(upstream.accepted(), 2);
}

#[tokio::test]
async fn a_connection_that_is_reset_is_broken() {
    let upstream = Upstream::new(|mut stream| async move {
        read_head(&mut stream).await;
        // Closing with a linger of nought sends RST instead of FIN.
        stream.set_zero_linger().unwrap();
    })
    .await;
    let result = get(&local(), &upstream.url("/")).await;
    assert!(is_broken(&result), "{result:?}");
}

#[tokio::test]
async fn giving_up_on_an_upstream_that_hangs_closes_the_connection() {
    let closed = Arc::new(Notify::new());
    let signal = closed.clone();
    let upstream = Upstream::new(move |mut stream| {
        let closed = closed.clone();
        async move {
            read_head(&mut stream).await;
            // Never answers; returns when the client hangs up.
            let _ = stream.read(&mut [0]).await;
            closed.notify_one();
        }
    })
    .await;
    let client = local();
    let sending = client.send(request(&upstream.url("/")));
    assert!(tokio::time::timeout(Duration::from_millis(50), sending).await.is_err());
    tokio::time::timeout(Duration::from_secs(10), signal.notified()).await.unwrap();
}

#[tokio::test]
async fn an_endless_body_is_not_gathered() {
    const TEN_GB: u64 = 10 << 30;
    let written = Arc::new(AtomicU64::new(0));
    let count = written.clone();
    let (done, mut ended) = mpsc::unbounded_channel();
    let upstream = Upstream::new(move |mut stream| {
        let (count, done) = (count.clone(), done.clone());
        async move {
            read_head(&mut stream).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {TEN_GB}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let block = vec![b'x'; 64 << 10];
            while stream.write_all(&block).await.is_ok() {
                count.fetch_add(block.len() as u64, Ordering::SeqCst);
            }
            done.send(()).unwrap();
        }
    })
    .await;
    let mut body = get(&local(), &upstream.url("/")).await.unwrap().into_body();
    let mut read = 0;
    while read < 4 << 20 {
        let chunk = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert!(chunk.len() <= 2 * crate::MAX_RESPONSE_HEAD, "a chunk of {}", chunk.len());
        read += chunk.len() as u64;
    }
    drop(body);
    tokio::time::timeout(Duration::from_secs(10), ended.recv()).await.unwrap().unwrap();
    // What was not read lay in the buffers of the sockets.
    let written = written.load(Ordering::SeqCst);
    assert!(written < 64 << 20, "{written} bytes were taken");
}

#[tokio::test]
async fn a_connection_the_upstream_closed_while_idle_is_replaced() {
    let (closed, mut closings) = mpsc::unbounded_channel();
    let upstream = Upstream::new(move |mut stream| {
        let closed = closed.clone();
        async move {
            serve_ok(&mut stream, 1).await;
            drop(stream);
            closed.send(()).unwrap();
        }
    })
    .await;
    let client = local();
    for round in 1..=20 {
        let response = get(&client, &upstream.url("/")).await.unwrap();
        assert_eq!(text(response).await.unwrap(), "ok");
        closings.recv().await.unwrap();
        assert_eq!(upstream.accepted(), round);
    }
}

#[test]
fn each_runtime_has_a_pool_of_its_own() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let upstream = server.block_on(Upstream::friendly());
    let first = local();
    let second = first.for_runtime();
    for (client, runtime) in [(&first, runtime()), (&second, runtime())] {
        runtime.block_on(async {
            for _ in 0..3 {
                let response = get(client, &upstream.url("/")).await.unwrap();
                assert_eq!(text(response).await.unwrap(), "ok");
            }
        });
    }
    assert_eq!(upstream.accepted(), 2);
}
