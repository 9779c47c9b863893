"""Requests that are signed by hand: the published client has no door to `/v1/forward` and `/v1/audit` (docs/signing.md)."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
import urllib.parse

# In the order in which they are signed.
ALTER = ("target", "grant", "provider", "account", "label", "user-token", "reason")


def signed(key: str, method: str, path: str, body: bytes = b"", **alter: str) -> dict[str, str]:
    """The headers of a call. ``alter`` are its ``Alter-*`` headers, ``user_token`` for ``Alter-User-Token``."""
    given = {name.replace("_", "-"): value for name, value in alter.items()}
    timestamp, nonce = str(int(time.time())), secrets.token_hex(16)
    digest = hashlib.sha256(body).hexdigest()
    lines = [method, canonical(path), timestamp, nonce, digest, ""]
    lines += [f"alter-{name}:{given[name]}" for name in ALTER if name in given]
    signing_key = hmac.digest(key.encode(), b"alter-signing-v1", "sha256")
    return {
        **{f"Alter-{name.title()}": value for name, value in given.items()},
        "X-Api-Key": key,
        "X-Alter-Timestamp": timestamp,
        "X-Alter-Nonce": nonce,
        "X-Alter-Content-SHA256": digest,
        "X-Alter-Signature": hmac.new(signing_key, "\n".join(lines).encode(), "sha256").hexdigest(),
    }


def canonical(target: str) -> str:
    path, _, query = target.partition("?")
    pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
    return urllib.parse.unquote(path) + (f"?{urllib.parse.urlencode(pairs)}" if pairs else "")
