use axum::{Router, routing};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::*;

const PAGE: &str = "<!doctype html><title>Wallet</title>";
const MODULE: &str = "wallet-0123456789abcdef.wasm";

/// The site beside an API, as the vault has it.
struct World {
    router: Router,
    _directory: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let outside = directory.path().join("secret.txt");
        let site = directory.path().join("dist");
        std::fs::create_dir(&site).unwrap();
        std::fs::write(outside, "outside").unwrap();
        for (name, content) in [
            ("index.html", PAGE),
            ("index.html.br", "page in brotli"),
            (MODULE, "\0asm"),
            ("wallet-0123456789abcdef.wasm.br", "module in brotli"),
            ("wallet-0123456789abcdef.wasm.gz", "module in gzip"),
            ("wallet-fedcba9876543210.css", "a{}"),
            ("manifest.webmanifest", "{}"),
            ("manifest.json", "{\"files\":[]}"),
            (".hidden", "no"),
        ] {
            std::fs::write(site.join(name), content).unwrap();
        }
        let site = Arc::new(Site::load(Some(&site)).unwrap());
        let known = routing::get(|| async { "known" });
        let router = Router::new()
            .route("/wallet/api/session", known)
            .fallback(move |request: Request| Arc::clone(&site).answer(request));
        Self { router, _directory: directory }
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head.status, head.headers, String::from_utf8_lossy(&body).into_owned())
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
        self.ask("GET", path, headers).await
    }
}

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

#[tokio::test]
async fn files_are_served_as_what_they_are() {
    let world = World::new();
    for (path, kind, caching, body) in [
        ("/", "text/html; charset=utf-8", "no-cache", PAGE),
        ("/index.html", "text/html; charset=utf-8", "no-cache", PAGE),
        ("/manifest.webmanifest", "application/manifest+json", "no-cache", "{}"),
        ("/wallet-0123456789abcdef.wasm", "application/wasm", IMMUTABLE, "\0asm"),
        ("/wallet-fedcba9876543210.css", "text/css; charset=utf-8", IMMUTABLE, "a{}"),
    ] {
        let (status, headers, got) = world.get(path, &[]).await;
        assert_eq!((status, got.as_str()), (StatusCode::OK, body), "{path}");
        assert_eq!(headers["content-type"], kind, "{path}");
        assert_eq!(headers["cache-control"], caching, "{path}");
        assert_eq!(headers["content-length"], body.len().to_string(), "{path}");
        assert!(!headers.contains_key("content-encoding"), "{path}");
        for (name, value) in GUARDS {
            assert_eq!(headers[&name], value, "{path}");
        }
        assert!(!headers.contains_key("set-cookie") && !headers.contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn the_policy_lets_nothing_in_from_elsewhere() {
    let (.., headers, _) = World::new().get("/", &[BROWSER]).await;
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(!policy.contains("unsafe-inline") && !policy.contains("'unsafe-eval'") && !policy.contains('*'));
    assert!(!policy.contains("http:") && !policy.contains("https:"));
    for part in [
        "default-src 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "base-uri 'none'",
    ] {
        assert!(policy.split("; ").any(|has| has == part), "{part}");
    }
}

#[tokio::test]
async fn a_client_gets_the_copy_that_it_can_read() {
    let world = World::new();
    for (accepted, coding, body) in [
        ("gzip, deflate, br", Some("br"), "module in brotli"),
        ("gzip, br;q=0", Some("gzip"), "module in gzip"),
        ("identity", None, "\0asm"),
    ] {
        let (_, headers, got) = world.get(&format!("/{MODULE}"), &[("accept-encoding", accepted)]).await;
        assert_eq!(got, body);
        assert_eq!(headers.get("content-encoding").map(|value| value.to_str().unwrap()), coding);
        assert_eq!(headers["content-type"], "application/wasm");
        assert_eq!(headers["vary"], "accept-encoding");
    }
    let (_, headers, got) = world.get("/wallet-fedcba9876543210.css", &[("accept-encoding", "br")]).await;
    assert_eq!((got.as_str(), headers.get("content-encoding"), headers.get("vary")), ("a{}", None, None));
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let world = World::new();
    let br = ("accept-encoding", "br");
    let (_, plain, _) = world.get("/", &[]).await;
    let (_, brotli, _) = world.get("/", &[br]).await;
    let (plain, brotli) = (plain["etag"].to_str().unwrap(), brotli["etag"].to_str().unwrap());
    assert_ne!(plain, brotli);
    for known in [plain.to_owned(), format!("W/{plain}"), format!("\"other\", {plain}"), "*".to_owned()] {
        let (status, headers, body) = world.get("/", &[("if-none-match", &known)]).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known}");
        assert_eq!(headers["etag"], plain);
        assert_eq!(headers["cache-control"], "no-cache");
        assert!(!headers.contains_key("content-type"));
    }
    for (known, accepted) in [(plain, br), (brotli, ("accept-encoding", "identity")), ("\"other\"", br)] {
        assert_eq!(world.get("/", &[("if-none-match", known), accepted]).await.0, StatusCode::OK);
    }
}

#[tokio::test]
async fn head_says_what_get_would() {
    let world = World::new();
    let (status, headers, body) = world.ask("HEAD", "/", &[]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    assert_eq!(headers["content-length"], PAGE.len().to_string());
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(world.ask(method, "/", &[]).await.0, StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(world.ask(method, "/unknown.js", &[]).await.0, StatusCode::NOT_FOUND, "{method}");
    }
}

#[tokio::test]
async fn a_browser_that_goes_to_a_page_gets_the_site() {
    let world = World::new();
    for path in [
        "/connections",
        "/activity?app=1",
        "/grants/0193b3f4-0000-7000-8000-000000000000",
        "/sign-in?app=x",
        "/any/where",
    ] {
        let (status, headers, body) = world.get(path, &[BROWSER]).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, PAGE), "{path}");
        assert_eq!(headers["cache-control"], "no-cache");
    }
}

#[tokio::test]
async fn everything_else_keeps_the_answer_of_an_api() {
    let world = World::new();
    assert_eq!(world.get("/wallet/api/session", &[BROWSER]).await.2, "known");
    let of_apis =
        ["/wallet/api/none", "/wallet", "/api/x", "/sdk/x", "/portal/v1/x", "/v1/x", "/v1", "/webhooks/x"];
    let files = [
        "/unknown.js",
        "/wallet-0000000000000000.wasm",
        "/a/b.css",
        "/manifest.json",
        "/.hidden",
        "/index.html.br",
    ];
    for path in of_apis.into_iter().chain(files) {
        let (status, headers, body) = world.get(path, &[BROWSER]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(headers["content-type"], "application/json", "{path}");
        assert!(body.contains("not_found"), "{path}: {body}");
    }
    for accepted in ["*/*", "application/json", "text/html2", ""] {
        let (status, ..) = world.get("/connections", &[("accept", accepted)]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{accepted}");
    }
    assert_eq!(world.get("/connections", &[]).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_path_leads_out_of_the_folder() {
    let world = World::new();
    for path in [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/./index.html",
        "//index.html",
        "/dist/../../secret.txt",
        "/..\\secret.txt",
        "/index.html%00",
        "/%69ndex.html",
    ] {
        let Ok(uri) = path.parse::<http::Uri>() else { continue };
        let (status, _, body) = world.get(&uri.to_string(), &[BROWSER]).await;
        assert!(!body.contains("outside"), "{path}");
        assert!(status == StatusCode::NOT_FOUND || body == PAGE, "{path}: {status} {body}");
    }
}

#[test]
fn a_folder_that_is_not_the_site_is_an_error_at_the_start() {
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(Site::load(Some(empty.path())), Err(SiteError::NoIndex { .. })));
    assert!(matches!(Site::load(Some(&empty.path().join("none"))), Err(SiteError::Unreadable { .. })));
}

#[tokio::test]
async fn without_a_folder_there_is_always_a_page() {
    let site = Arc::new(Site::load(None).unwrap());
    let answer = site.answer(Request::builder().uri("/").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
}
