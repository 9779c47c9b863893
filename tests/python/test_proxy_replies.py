"""``proxy_request``: what comes back, and what the record says of it."""

from __future__ import annotations

import base64
import uuid

import pytest
from alter_sdk import BackendError
from upstream import binary

STATUSES = [200, 201, 202, 203, 206, 226, 300, 302, 303, 307, 308, 400, 401, 402, 403, 404, 405, 409]
STATUSES += [410, 415, 418, 422, 425, 429, 451, 500, 501, 502, 503, 504, 511, 599]


async def test_head_has_headers_and_no_body(app, tenant, upstream) -> None:
    result = await app.proxy_request("HEAD", upstream.url("/status/200"), grant_id=tenant.grant_id)
    assert (result.status_code, result.body_b64, result.headers["x-provider"]) == (200, "", "said 200")


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
