"""Signing: the documented vectors, made by the client itself, and what the vault does with what it signs."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
import uuid
from collections.abc import Awaitable, Callable

import pytest
from alter_sdk import App, BackendError, InsufficientScopeError
from wire import Catcher, Raw, send

VECTOR_KEY = "alter_rk_" + "a" * 22 + "_l77ykl"
ODD_TARGET = "/sdk/agents/a%20b?q=&name=x%20y/z"


async def _list_one(app: App) -> None:
    await app.list_grants(limit=1)


async def _odd_get(app: App) -> None:
    await app._client._authed_backend_request("GET", ODD_TARGET)


@pytest.mark.parametrize(
    ("options", "call", "text", "signature"),
    [
        (
            {},
            _list_one,
            "POST\n/sdk/grants/list\n1760000000\n{nonce}\n{hash}\n",
            "7c522a4c37e67bc03717b46833f1adce6ee98b73310f6916d01b529ec730adf8",
        ),
        (
            {"caller": "svc"},
            _list_one,
            "POST\n/sdk/grants/list\n1760000000\n{nonce}\n{hash}\n\ncaller:svc\ncaller-type:service",
            "316bf3df42b3edcd55385310b96b7b6b21311bc1f968a94d39a9373137012e72",
        ),
        (
            {},
            _odd_get,
            "GET\n/sdk/agents/a b?name=x+y%2Fz&q=\n1760000000\n{nonce}\n{empty}\n",
            "1e3579a07b505225d6d4ff07032c4e5871a633ede75cf2ffd5a2a2e33a78fbb0",
        ),
    ],
    ids=["plain", "with a caller", "odd target"],
)
async def test_the_documented_vectors_are_what_the_client_sends(
    monkeypatch, options, call, text, signature
) -> None:
    """Wire protocol 2.3, with clock and nonce frozen; signed a second time here, independently."""
    monkeypatch.setattr(time, "time", lambda: 1760000000.9)
    monkeypatch.setattr(secrets, "token_hex", lambda count: "00" * count)
    with Catcher() as catcher:
        monkeypatch.setenv("ALTER_BASE_URL", catcher.base_url)
        async with App(api_key=VECTOR_KEY, **options) as app:
            await call(app)
        request = catcher.only
    body_hash = "e8157a931dcad345dfc1ac26cc76d92d7ecc6396d478da0f08c82717cdcf1abb"
    empty = hashlib.sha256(b"").hexdigest()
    if call is _list_one:
        assert request.body == b'{"limit":1,"offset":0}'
        assert request.header("x-alter-content-sha256") == body_hash
    signing_key = hmac.digest(VECTOR_KEY.encode(), b"alter-signing-v1", "sha256")
    assert signing_key.hex() == "90c342a50af891b5f213740608f7610f0dcb23e1f0f9ae5aad0a8303bf208ef8"
    ours = text.format(nonce="0" * 32, hash=body_hash, empty=empty)
    assert hmac.new(signing_key, ours.encode(), "sha256").hexdigest() == signature
    assert request.header("x-alter-signature") == signature
    assert request.header("x-alter-signature-v2") == (signature if options else None)
    assert request.header("x-api-key") == VECTOR_KEY


Capture = Callable[..., Awaitable[Raw]]


@pytest.fixture
def captured(tenant, monkeypatch, base_url) -> Capture:
    """What the client would have sent for a call, signed with a live key and not yet seen by the vault."""

    async def capture(call=_list_one, *, prefix: str = "", answer: Catcher | None = None, **options) -> Raw:  # type: ignore[no-untyped-def]
        with answer or Catcher() as catcher:
            monkeypatch.setenv("ALTER_BASE_URL", catcher.base_url + prefix)
            async with tenant.sdk(**options) as app:
                await call(app)
            monkeypatch.setenv("ALTER_BASE_URL", base_url)
        return catcher.requests[-1]

    return capture


@pytest.mark.parametrize("options", [{}, {"caller": "svc"}, {"caller": "~ p!nt@ble {}"}], ids=str)
async def test_the_same_calls_with_a_live_key_are_accepted(captured, base_url, options) -> None:
    answer = send(base_url, await captured(**options))
    assert answer.status == 200 and answer.json["total"] == 1


async def test_an_odd_target_is_verified_as_the_client_signs_it(captured, tenant, base_url) -> None:
    """Percent-escapes, plus signs, blanks, empty and repeated names: decoded once, sorted, encoded again."""
    queries = [
        "limit=1&provider_id=x%20y/z",
        "provider_id=a+b&limit=1",
        "limit=1&provider_id=%2B%26%3D%25&&",
        "provider_id=%C3%A9%E2%82%AC&limit=1",
        "provider_id=~.-_*%7E&limit=1",
    ]
    for query in queries:

        async def ask(app: App, target: str = f"/v1/audit?{query}") -> None:
            await app._client._authed_backend_request("GET", target)

        answer = send(base_url, await captured(ask))
        assert answer.status == 200, f"{query}: {answer.body!r}"
        assert answer.json["items"] == []


async def test_a_path_prefix_of_the_base_url_is_not_signed(captured, base_url) -> None:
    request = await captured(prefix="/stage/prod")
    assert request.line == "POST /stage/prod/sdk/grants/list HTTP/1.1"
    assert send(base_url, request.with_line("POST /sdk/grants/list HTTP/1.1")).status == 200


async def test_a_cached_actor_id_is_signed_and_accepted(captured, base_url) -> None:
    actor = str(uuid.uuid4())

    async def twice(app: App) -> None:
        await app.list_grants()
        assert app.actor_id == actor
        await app.list_grants()

    answer = Catcher(headers={"X-Alter-Actor-ID": actor})
    request = await captured(twice, answer=answer, caller="svc")
    assert request.header("x-alter-actor-id") == actor
    assert send(base_url, request.with_header("x-alter-actor-id", None)).code == "invalid_signature"
    assert send(base_url, request).status == 200


_OTHER = "0123456789abcdef" * 4


def _bump(request: Raw, name: str) -> Raw:
    value = request.header(name)
    assert value is not None
    return request.with_header(name, str(int(value) + 1))


TAMPERED: dict[str, tuple[Callable[[Raw], Raw], str]] = {
    "body": (lambda r: r.with_body(b'{"limit":2,"offset":0}'), "content_hash_mismatch"),
    "body and hash": (
        lambda r: r.with_body(b"{}").with_header("X-Alter-Content-SHA256", hashlib.sha256(b"{}").hexdigest()),
        "invalid_signature",
    ),
    "no body": (lambda r: r.with_body(b""), "content_hash_mismatch"),
    "method": (lambda r: r.with_line(r.line.replace("POST", "PUT")), "method_not_allowed"),
    "path": (lambda r: r.with_line(r.line.replace("/sdk/grants/list", "/sdk/token")), "invalid_signature"),
    "query added": (lambda r: r.with_line(r.line.replace("/list", "/list?a=b")), "invalid_signature"),
    "timestamp": (lambda r: _bump(r, "X-Alter-Timestamp"), "invalid_signature"),
    "no timestamp": (lambda r: r.with_header("X-Alter-Timestamp", None), "unauthenticated"),
    "nonce": (lambda r: r.with_header("X-Alter-Nonce", _OTHER[:32]), "invalid_signature"),
    "short nonce": (lambda r: r.with_header("X-Alter-Nonce", "0"), "invalid_signature"),
    "no nonce": (lambda r: r.with_header("X-Alter-Nonce", None), "unauthenticated"),
    "signature": (lambda r: r.with_header("X-Alter-Signature", _OTHER), "invalid_signature"),
    "no signature": (lambda r: r.with_header("X-Alter-Signature", None), "unauthenticated"),
    "second signature": (lambda r: r.with_header("X-Alter-Signature-V2", _OTHER), "invalid_signature"),
    "both signatures": (
        lambda r: r.with_header("X-Alter-Signature", _OTHER).with_header("X-Alter-Signature-V2", _OTHER),
        "invalid_signature",
    ),
    "upper-case signature": (
        lambda r: r.with_header("X-Alter-Signature", r.header("X-Alter-Signature").upper()).with_header(
            "X-Alter-Signature-V2", None
        ),
        "invalid_signature",
    ),
    "no key": (lambda r: r.with_header("x-api-key", None), "unauthenticated"),
    "caller": (lambda r: r.with_header("X-Alter-Caller", "mallory"), "invalid_signature"),
    "no caller": (lambda r: r.with_header("X-Alter-Caller", None), "invalid_signature"),
    "caller type": (lambda r: r.with_header("X-Alter-Caller-Type", "agent"), "invalid_signature"),
    "actor id added": (
        lambda r: r.with_header("X-Alter-Actor-ID", str(uuid.uuid4())),
        "invalid_signature",
    ),
    "context added": (lambda r: r.with_header("X-Alter-Context", '{"tool":"x"}'), "invalid_signature"),
    "scopes added": (
        lambda r: r.with_header("X-Alter-Scope-Constraints", "grants:read"),
        "invalid_signature",
    ),
    "all actor lines stripped": (
        lambda r: (
            r.with_header("X-Alter-Caller", None)
            .with_header("X-Alter-Caller-Type", None)
            .with_header("X-Alter-Signature-V2", None)
        ),
        "invalid_signature",
    ),
    "the caller twice": (
        lambda r: Raw([*r.head, b"X-Alter-Caller: mallory"], r.body),
        "invalid_request",
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
async def test_what_was_signed_cannot_be_changed(captured, base_url, what) -> None:
    request = await captured(caller="svc")
    change, code = TAMPERED[what]
    changed = change(request)
    assert bytes(changed) != bytes(request)
    answer = send(base_url, changed)
    assert (answer.code, answer.status // 100) == (code, 4), answer.body
    # The refused one used nothing up: the client's own request still goes through, once.
    assert send(base_url, request).status == 200


async def test_a_captured_call_cannot_be_replayed(captured, tenant, upstream, base_url) -> None:
    async def call(app: App) -> None:
        with pytest.raises(BackendError):  # The catcher's answer is not a proxy's.
            await app.proxy_request("POST", upstream.url("/echo/replay"), grant_id=tenant.grant_id, json={})

    request = await captured(call)
    first = send(base_url, request)
    assert first.status == 200 and first.json["status_code"] == 200
    for _ in range(3):
        again = send(base_url, request)
        assert (again.status, again.code) == (401, "nonce_replayed")
    upstream.only("/echo/replay")
    rows = [row for row in tenant.audit("&event=call") if row["path"] == "/echo/replay"]
    assert sorted((row["outcome"], row["error_code"]) for row in rows) == [
        *[("denied", "nonce_replayed")] * 3,
        ("success", None),
    ]


async def test_a_nonce_is_spent_on_every_route(captured, base_url) -> None:
    async def revoke(app: App) -> None:
        with pytest.raises(BackendError):
            await app.revoke_grant(str(uuid.uuid4()))

    for call, first in [(_list_one, 200), (revoke, 404)]:
        request = await captured(call)
        assert send(base_url, request).status == first
        again = send(base_url, request)
        assert (again.status, again.code) == (401, "nonce_replayed")


@pytest.mark.parametrize("skew", [-3600, -310, 310, 3600])
async def test_a_clock_that_is_wrong_is_told(tenant, refused, monkeypatch, skew) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + skew)
    async with tenant.sdk() as app:
        await refused(BackendError, "timestamp_out_of_range", app.list_grants())


@pytest.mark.parametrize("skew", [-290, 290])
async def test_a_clock_that_is_a_little_wrong_is_fine(tenant, monkeypatch, skew) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + skew)
    async with tenant.sdk() as app:
        assert (await app.list_grants()).total == 1


async def test_a_narrowed_client_is_narrower_and_says_so_in_its_signature(tenant, upstream, refused) -> None:
    async with tenant.sdk() as app:
        url = upstream.url("/status/200?narrowed")
        async with app.with_constraints(scopes=["grants:read"]) as reader:
            assert (await reader.list_grants()).total == 1
            error = await refused(
                InsufficientScopeError,
                "insufficient_scope",
                reader.proxy_request("GET", url, grant_id=tenant.grant_id),
            )
        assert error.granted == ["grants:read"]
        async with app.with_constraints(scopes=["grants:read", "keys:admin"]) as wider:
            await refused(BackendError, "constraint_not_narrowing", wider.list_grants())
        rule = {"rule_type": "json_match", "rule_body": {"when": {"method": "POST"}, "effect": "deny"}}
        async with app.with_constraints(rule=rule) as ruled:
            await refused(
                BackendError,
                "constraint_not_supported",
                ruled.proxy_request("GET", url, grant_id=tenant.grant_id),
            )
        # The parent is as it was.
        assert (await app.proxy_request("GET", url, grant_id=tenant.grant_id)).status_code == 200
    assert len(upstream.seen("narrowed")) == 1


async def test_context_and_caller_are_signed_and_recorded(tenant, upstream) -> None:
    """Characters that JSON escapes and headers cannot carry arrive as they were meant."""
    context = {"tool": "Überweisung ✓", "run_id": 'r"1\\', "own": "ключ\n"}
    async with tenant.sdk(caller="nightly-job") as app:
        await app.proxy_request(
            "GET",
            upstream.url("/status/200?context"),
            grant_id=tenant.grant_id,
            context=context,
            reason="Miete für März – “ok” <b>",
        )
    (row,) = tenant.audit("&event=call")
    assert row["context"] == context
    assert row["reason"] == "Miete für März – “ok” <b>"
    assert (row["caller"], row["caller_type"], row["actor_type"]) == ("nightly-job", "service", "app")
    assert upstream.only("context").all("x-alter-context") == []
