"""``proxy_request`` in all its shapes: what reaches the provider, and what comes back."""

from __future__ import annotations

import base64
import json
import uuid

import pytest
from alter_sdk import ApprovalResult, BackendError, BlockedDestinationError, GrantNotFoundError, HttpMethod
from upstream import binary

STATUSES = [200, 201, 202, 203, 206, 226, 300, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 409]
STATUSES += [410, 415, 418, 422, 425, 429, 451, 500, 501, 502, 503, 504, 511, 599]
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.fixture
async def app(tenant):  # type: ignore[no-untyped-def]
    async with tenant.sdk() as app:
        yield app


@pytest.mark.parametrize("method", METHODS)
async def test_each_method_arrives_with_the_credential(app, tenant, upstream, method) -> None:
    mark = uuid.uuid4().hex
    result = await app.proxy_request(method, upstream.url(f"/echo/{mark}"), grant_id=tenant.grant_id)
    assert type(result) is ApprovalResult and result.status_code == 200 and result.approval_id is None
    assert result.body_json()["method"] == method
    seen = upstream.only(mark)
    assert seen.method == method and seen.body == b""
    assert seen.header("authorization") == f"Bearer {tenant.secret}"
    assert seen.header("host") == upstream.host


async def test_the_clients_enum_and_lower_case_work_too(app, tenant, upstream) -> None:
    for method in [HttpMethod.POST, "post"]:
        result = await app.proxy_request(method, upstream.url("/echo"), grant_id=tenant.grant_id)
        assert result.body_json()["method"] == "POST"


async def test_head_has_headers_and_no_body(app, tenant, upstream) -> None:
    result = await app.proxy_request("HEAD", upstream.url("/status/200"), grant_id=tenant.grant_id)
    assert (result.status_code, result.body_b64, result.headers["x-provider"]) == (200, "", "said 200")


@pytest.mark.parametrize("method", ["CONNECT", "TRACE", "G ET", "GET\r\nX: y", "GE\u0422"])
async def test_methods_that_are_not_forwarded(app, tenant, upstream, refused, method) -> None:
    mark = uuid.uuid4().hex
    call = app.proxy_request(method, upstream.url(f"/echo/{mark}"), grant_id=tenant.grant_id)
    await refused(BackendError, "invalid_method", call)
    assert upstream.seen(mark) == []


BODIES = [
    {"a": 1, "nested": {"list": [1, 2.5, None, True, "x"]}},
    {},
    [],
    [1, "two", {"three": 3}],
    "text",
    "",
    "späte Öffnung ✓ \u0000 \U0001f511",
    0,
    -17,
    1.5,
    12345678901234567890123,
    1e300,
    True,
    False,
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: json.dumps(body)[:30])
async def test_any_json_arrives_as_it_was(app, tenant, upstream, body) -> None:
    mark = uuid.uuid4().hex
    await app.proxy_request("POST", upstream.url(f"/echo/{mark}"), grant_id=tenant.grant_id, json=body)
    seen = upstream.only(mark)
    assert json.loads(seen.body) == body and type(json.loads(seen.body)) is type(body)
    assert seen.header("content-type") == "application/json"
    assert seen.header("content-length") == str(len(seen.body))
    assert seen.header("transfer-encoding") is None


async def test_without_a_body_there_is_no_content_type(app, tenant, upstream) -> None:
    mark = uuid.uuid4().hex
    await app.proxy_request("GET", upstream.url(f"/echo/{mark}"), grant_id=tenant.grant_id)
    assert upstream.only(mark).header("content-type") is None


async def test_a_string_under_another_content_type_is_sent_as_text(app, tenant, upstream) -> None:
    mark = uuid.uuid4().hex
    await app.proxy_request(
        "POST",
        upstream.url(f"/echo/{mark}"),
        grant_id=tenant.grant_id,
        json="amount=5&currency=eur",
        extra_headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    seen = upstream.only(mark)
    assert seen.body == b"amount=5&currency=eur"
    assert seen.header("content-type") == "application/x-www-form-urlencoded"


async def test_a_large_body_goes_up_whole(app, tenant, upstream) -> None:
    mark, text = uuid.uuid4().hex, "x" * 5_000_000
    await app.proxy_request("POST", upstream.url(f"/empty/{mark}"), grant_id=tenant.grant_id, json=text)
    assert upstream.only(mark).body == json.dumps(text).encode()


async def test_a_body_over_the_limit_is_refused_before_the_provider(app, tenant, upstream, refused) -> None:
    mark = uuid.uuid4().hex
    url = upstream.url(f"/empty/{mark}")
    call = app.proxy_request("POST", url, grant_id=tenant.grant_id, json="x" * (6 * 1024 * 1024))
    error = await refused(BackendError, "payload_too_large", call)
    assert error.details["status_code"] == 413
    assert upstream.seen(mark) == []


async def test_query_parameters_are_encoded_repeated_and_merged(app, tenant, upstream) -> None:
    mark = uuid.uuid4().hex
    await app.proxy_request(
        "GET",
        upstream.url(f"/echo/{mark}?kept=%2B1&empty="),
        grant_id=tenant.grant_id,
        query_params={
            "list": ["b", "a", 3],
            "text": "a b&c=d/é+%",
            "yes": True,
            "number": 1.5,
            "nothing": None,
            "none": [],
        },
    )
    query = upstream.only(mark).query
    assert query[:2] == [("kept", "+1"), ("empty", "")]
    assert [value for name, value in query if name == "list"] == ["b", "a", "3"]
    rest = {name: value for name, value in query[2:] if name != "list"}
    assert rest == {"text": "a b&c=d/é+%", "yes": "true", "number": "1.5"}


async def test_path_parameters_stay_one_segment(app, tenant, upstream) -> None:
    mark = uuid.uuid4().hex
    await app.proxy_request(
        "GET",
        upstream.url(f"/echo/{mark}/{{customer}}/x"),
        grant_id=tenant.grant_id,
        path_params={"customer": "a/b ?é#%"},
    )
    assert upstream.only(mark).target == f"/echo/{mark}/a%2Fb%20%3F%C3%A9%23%25/x"


async def test_other_headers_go_through_and_ours_do_not(app, tenant, upstream) -> None:
    mark = uuid.uuid4().hex
    await app.proxy_request(
        "GET",
        upstream.url(f"/echo/{mark}"),
        grant_id=tenant.grant_id,
        extra_headers={"X-Idempotency": "abc 123", "Accept": "text/html", "Stripe-Version": "2026-01-01"},
        context={"tool": "t"},
        caller="svc",
        reason="why",
    )
    seen = upstream.only(mark)
    assert seen.header("x-idempotency") == "abc 123"
    assert seen.header("accept") == "text/html"
    assert seen.header("stripe-version") == "2026-01-01"
    names = {name.lower() for name, _ in seen.headers}
    assert not [name for name in names if "alter" in name or name == "x-api-key"]
    assert tenant.key not in str(seen.headers)


@pytest.mark.parametrize(
    "name", ["Connection", "Transfer-Encoding", "Content-Length", "TE", "X-Alter-Caller", "Proxy-Foo"]
)
async def test_headers_that_the_client_lets_pass_and_the_vault_does_not(
    app, tenant, upstream, refused, name
) -> None:
    mark = uuid.uuid4().hex
    url = upstream.url(f"/echo/{mark}")
    call = app.proxy_request("GET", url, grant_id=tenant.grant_id, extra_headers={name: "x"})
    error = await refused(BackendError, "forbidden_header", call)
    assert error.details["status_code"] == 422
    assert upstream.seen(mark) == []


@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_of_the_provider_is_an_answer(app, tenant, upstream, status) -> None:
    result = await app.proxy_request("GET", upstream.url(f"/status/{status}"), grant_id=tenant.grant_id)
    assert result.status_code == status
    assert result.headers["x-provider"] == f"said {status}"
    assert result.body_json() == {"status": status}
    assert not result.body_truncated
    assert isinstance(result.duration_ms, int) and 0 <= result.duration_ms < 10_000
    assert (result.credential_hint is not None) == (status in (401, 403))


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body(app, tenant, upstream, status) -> None:
    result = await app.proxy_request("GET", upstream.url(f"/status/{status}"), grant_id=tenant.grant_id)
    assert (result.status_code, result.body_b64, result.body_bytes()) == (status, "", b"")


async def test_an_empty_answer(app, tenant, upstream) -> None:
    result = await app.proxy_request("GET", upstream.url("/empty"), grant_id=tenant.grant_id)
    assert (result.status_code, result.body_b64, result.body_truncated) == (200, "", False)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_returned_and_not_followed(app, tenant, upstream, status) -> None:
    mark = uuid.uuid4().hex
    result = await app.proxy_request(
        "GET", upstream.url(f"/redirect/{status}/{mark}"), grant_id=tenant.grant_id
    )
    assert result.status_code == status
    assert result.headers["location"] == upstream.url(f"/landed/{mark}")
    assert len(upstream.seen(mark)) == 1


@pytest.mark.parametrize("length", [1, 2, 3, 255, 65_537, 1_000_000])
async def test_binary_comes_back_byte_for_byte(app, tenant, upstream, length) -> None:
    result = await app.proxy_request("GET", upstream.url(f"/bytes/{length}"), grant_id=tenant.grant_id)
    assert result.body_bytes() == binary(length)
    assert base64.b64encode(binary(length)).decode() == result.body_b64
    assert not result.body_truncated


@pytest.mark.parametrize(
    ("length", "truncated"), [(5 * 1024 * 1024, False), (5 * 1024 * 1024 + 1, True), (6_000_000, True)]
)
async def test_a_reply_over_5_mb_is_cut_and_said_to_be(app, tenant, upstream, length, truncated) -> None:
    result = await app.proxy_request("GET", upstream.url(f"/bytes/{length}"), grant_id=tenant.grant_id)
    assert result.body_truncated is truncated
    assert result.body_bytes() == binary(length)[: 5 * 1024 * 1024]
    (row,) = tenant.audit("&event=call")
    assert row["truncated"] is truncated and row["outcome"] == "success"


async def test_a_compressed_answer_is_plain_and_says_nothing_else(app, tenant, upstream) -> None:
    result = await app.proxy_request("GET", upstream.url("/gzip"), grant_id=tenant.grant_id)
    assert result.body_bytes() == b"plain again " * 1000
    assert "content-encoding" not in result.headers


async def test_repeated_headers_are_joined_and_a_session_is_not_passed_on(app, tenant, upstream) -> None:
    result = await app.proxy_request("GET", upstream.url("/repeated"), grant_id=tenant.grant_id)
    assert result.headers["x-thing"] == "one, two"
    assert result.headers["link"] == '</a>; rel="next", </b>; rel="last"'
    assert result.headers["www-authenticate"] == 'Bearer realm="provider"'
    assert "set-cookie" not in result.headers and "connection" not in result.headers


async def test_a_call_by_provider_finds_the_one_grant(tenant, upstream, refused) -> None:
    bot = tenant.agent()
    bot.grant()
    async with bot.sdk() as agent:
        result = await agent.proxy_request("GET", upstream.url("/status/200"), provider=tenant.provider)
        assert result.status_code == 200
    async with tenant.sdk() as app:
        # A system grant is found by its id and never by provider.
        call = app.proxy_request("GET", upstream.url("/status/200"), provider=tenant.provider)
        error = await refused(GrantNotFoundError, "grant_not_found", call)
        assert error.provider_id == tenant.provider


async def test_a_replaced_value_is_used_by_the_very_next_call(app, tenant, upstream) -> None:
    for value in ["sk_second_value_0123456789", "sk_third_value_0123456789"]:
        mark = uuid.uuid4().hex
        tenant.replace_secret(value)
        await app.proxy_request("GET", upstream.url(f"/empty/{mark}"), grant_id=tenant.grant_id)
        assert upstream.only(mark).header("authorization") == f"Bearer {value}"


async def test_every_injection_arrives_as_configured(app, tenant, upstream) -> None:
    basic = base64.b64encode("Аня@example:p@ss:word/1".encode()).decode()
    cases = [
        (
            {
                "credential_type": "api_key",
                "fields": {"api_key": "key-0123456789"},
                "injection": [{"target": "header", "name": "X-Service-Key"}],
            },
            {"x-service-key": "key-0123456789"},
            [],
        ),
        (
            {
                "credential_type": "basic",
                "fields": {"username": "Аня@example", "password": "p@ss:word/1"},
            },
            {"authorization": f"Basic {basic}"},
            [],
        ),
        (
            {
                "credential_type": "custom",
                "fields": {"key": "custom-key-01", "account": "account_9", "second": "query&secret=1"},
                "injection": [
                    {"target": "header", "name": "X-Key", "format": "Token token={key}"},
                    {"target": "header", "name": "X-Account", "format": "{account}"},
                    {"target": "query", "name": "sig", "format": "{second}"},
                ],
            },
            {"x-key": "Token token=custom-key-01", "x-account": "account_9"},
            [("sig", "query&secret=1")],
        ),
    ]
    for fields, headers, query in cases:
        mark = uuid.uuid4().hex
        created = tenant.add_secret(fields["credential_type"], "", {"type": "system"}, **fields)
        grant_id = created["grant"]["grant_id"]
        result = await app.proxy_request("GET", upstream.url(f"/empty/{mark}?a=b"), grant_id=grant_id)
        assert result.status_code == 200
        seen = upstream.only(mark)
        assert {name: seen.header(name) for name in headers} == headers
        assert seen.query == [("a", "b"), *query]
        assert (seen.header("authorization") is None) == ("authorization" not in headers)


async def test_aws_requests_are_signed(app, tenant, upstream) -> None:
    fields = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
    created = tenant.add_secret(
        "AWS", "", {"type": "system"}, credential_type="aws_sigv4", fields=fields, allowed_hosts=["*.amazonaws.com"]
    )
    # Loopback is no AWS host: refused before anything is signed. That AWS would accept the signature is tested in Rust.
    mark = uuid.uuid4().hex
    call = app.proxy_request("GET", upstream.url(f"/{mark}"), grant_id=created["grant"]["grant_id"])
    with pytest.raises(BlockedDestinationError):
        await call
    assert upstream.seen(mark) == []


BLOCKED = [
    "https://example.com/",
    "http://127.0.0.1:1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://[::1]:{port}/",
    "http://0x7f000002:{port}/",
    "http://127.0.0.1.nip.io:{port}/",
    "http://user:pass@127.0.0.1:{port}/",
    "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "//127.0.0.1:{port}/",
    "not a url",
]


@pytest.mark.parametrize("url", BLOCKED)
async def test_destinations_outside_the_credentials_hosts(app, tenant, upstream, refused, url) -> None:
    before = len(upstream.seen())
    url = url.format(port=upstream.host.split(":")[1]) if "{port}" in url else url
    call = app.proxy_request("GET", url, grant_id=tenant.grant_id)
    error = await refused(BlockedDestinationError, "blocked_destination", call)
    assert error.details["request_id"] and error.details["status_code"] == 422
    assert len(upstream.seen()) == before


async def test_a_url_that_is_too_long(app, tenant, upstream, refused) -> None:
    mark = uuid.uuid4().hex
    url = upstream.url(f"/echo/{mark}")
    call = app.proxy_request("GET", url, grant_id=tenant.grant_id, query_params={"q": "é" * 11_000})
    error = await refused(BackendError, "query_too_long", call)
    assert error.details["status_code"] == 422
    assert upstream.seen(mark) == []


@pytest.mark.parametrize("path", ["short", "silent"])
async def test_a_provider_that_breaks_off(app, tenant, upstream, refused, path) -> None:
    call = app.proxy_request("POST", upstream.url(f"/{path}"), grant_id=tenant.grant_id, json={})
    error = await refused(BackendError, "upstream_error", call)
    assert error.details["status_code"] == 502
    (row,) = tenant.audit("&event=call")
    assert (row["outcome"], row["error_code"]) == ("network_error", "upstream_error")


async def test_a_provider_that_is_not_there(app, tenant, upstream, refused) -> None:
    created = tenant.add_secret("Gone", "sk_0123456789", {"type": "system"}, allowed_hosts=["127.0.0.1:9"])
    call = app.proxy_request("GET", "http://127.0.0.1:9/", grant_id=created["grant"]["grant_id"])
    error = await refused(BackendError, "upstream_unreachable", call)
    assert error.details["status_code"] == 502


async def test_each_call_is_one_row_that_says_what_happened(app, tenant, upstream) -> None:
    await app.proxy_request(
        "POST",
        upstream.url("/status/503?q=not-for-the-record"),
        grant_id=tenant.grant_id,
        json={"a": 1},
        reason="Monthly invoice",
        context={"tool": "billing"},
        caller="invoicer",
    )
    (row,) = tenant.audit("&event=call")
    expected = {
        "event": "call",
        "outcome": "provider_error",
        "status": 503,
        "error_code": None,
        "method": "POST",
        "host": "127.0.0.1",
        "path": "/status/503",
        "reason": "Monthly invoice",
        "context": {"tool": "billing"},
        "caller": "invoicer",
        "grant_id": tenant.grant_id,
        "provider_id": tenant.provider,
        "principal_type": "system",
        "request_bytes": 7,
        "response_bytes": 15,
        "truncated": False,
        "ip": "127.0.0.1",
    }
    assert {name: row[name] for name in expected} == expected
    assert tenant.key.startswith(row["caller_key_prefix"])
    assert "not-for-the-record" not in str(row)
