"""Looking for a secret, in all spellings that it could have, in whatever a caller or an operator can get."""

from __future__ import annotations

import base64
import pathlib
import sqlite3
import traceback
import urllib.parse

from portal import dump


def spellings(secret: str) -> dict[str, bytes]:
    """How the secret could be written down; of base64, what does not depend on neighbours, at each offset."""
    raw = secret.encode()
    found = {
        "raw": raw,
        "percent": "".join(f"%{byte:02x}" for byte in raw).encode(),
        "quoted": urllib.parse.quote_plus(secret).encode(),
        "hex": raw.hex().encode(),
        "json": dump(secret)[1:-1].encode(),
    }
    for offset in range(3):
        for name, encode in [("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)]:
            found[f"{name} at {offset}"] = encode(b"\0" * offset + raw)[4:-4]
    return found


def leaks(secret: str, data: bytes) -> list[str]:
    lower = data.lower()
    either_case = ("percent", "hex")
    return [
        name for name, text in spellings(secret).items() if text in (lower if name in either_case else data)
    ]


def everything(thing: object) -> bytes:
    """All that a caller can get out of a result or an error."""
    parts = [repr(thing), str(thing), dump(getattr(thing, "__dict__", {}))]
    if isinstance(thing, BaseException):
        parts += traceback.format_exception(thing)
        parts += [repr(part) for part in (thing.args, thing.__cause__, thing.__context__)]
        parts.append(dump(getattr(thing, "details", {})))
    if hasattr(thing, "model_dump_json"):
        parts.append(thing.model_dump_json())
    data = "\n".join(parts).encode()
    if hasattr(thing, "body_bytes"):
        data += thing.body_bytes()
    return data


def written(data_dir: pathlib.Path) -> bytes:
    """What the vault's store has on disk: the bytes of its files, and the databases as text."""
    files = [path for path in data_dir.rglob("*") if path.is_file()]
    parts = [path.read_bytes() for path in files]
    databases = [path for path, data in zip(files, parts, strict=True) if data.startswith(b"SQLite format 3")]
    assert databases, f"no database in {data_dir}"
    for path in databases:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            parts.append("\n".join(database.iterdump()).encode())
        database.close()
    return b"\n".join(parts)
