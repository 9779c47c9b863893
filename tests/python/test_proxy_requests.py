"""``proxy_request``: what reaches the provider, and what must not."""

from __future__ import annotations

import base64
import json
import uuid

import pytest
from alter_sdk import ApprovalResult, BackendError, BlockedDestinationError, GrantNotFoundError, HttpMethod

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


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


async def test_an_aws_credential_stays_with_aws(app, tenant, upstream, refused) -> None:
    fields = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
    created = tenant.add_secret(
        "AWS",
        "",
        {"type": "system"},
        credential_type="aws_sigv4",
        fields=fields,
        allowed_hosts=["*.amazonaws.com"],
    )
    # Loopback is no AWS host: refused before anything is signed. The signature itself is tested in Rust.
    mark = uuid.uuid4().hex
    call = app.proxy_request("GET", upstream.url(f"/{mark}"), grant_id=created["grant"]["grant_id"])
    await refused(BlockedDestinationError, "blocked_destination", call)
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


async def test_a_reason_has_a_limit_and_is_never_cut(app, tenant, upstream, refused) -> None:
    mark = uuid.uuid4().hex
    url = upstream.url(f"/status/200?{mark}")
    call = app.proxy_request("GET", url, grant_id=tenant.grant_id, reason="é" * 1025)
    await refused(BackendError, "invalid_reason", call)
    assert upstream.seen(mark) == []
    await app.proxy_request("GET", url, grant_id=tenant.grant_id, reason="é" * 1024)
    assert tenant.audit("&event=call")[0]["reason"] == "é" * 1024
