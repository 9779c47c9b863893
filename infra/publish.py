"""Puts the Wallet's site into its bucket (infra/README.md).

    cargo xtask wallet
    python infra/publish.py target/wallet/dist BUCKET

Each file is there twice: under its own name as it is, and under its name and `.br` as the build compressed it, which is what
CloudFront asks for where a browser takes it (`WalletPaths` in template.yaml). The page comes last, so that whatever it names is
there; what earlier pages name stays, for those who have one open. Needs boto3.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

INDEX = "index.html"
# Kept for ever: the name says what is in it.
IMMUTABLE = "public, max-age=31536000, immutable"
# Kept, but asked about each time: it names the files that belong together.
ASK_AGAIN = "no-cache"
KINDS = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "wasm": "application/wasm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff2": "font/woff2",
}


@dataclasses.dataclass(frozen=True)
class Object:
    """What lies in the bucket under one name."""

    key: str
    body: bytes
    kind: str
    caching: str
    coding: str | None = None

    def arguments(self) -> dict[str, Any]:
        """Of `PutObject`."""
        coding = {"ContentEncoding": self.coding} if self.coding else {}
        return {"Key": self.key, "Body": self.body, "ContentType": self.kind, "CacheControl": self.caching, **coding}


def objects(site: pathlib.Path) -> Iterator[Object]:
    """All of the site, the page last."""
    files = json.loads((site / "manifest.json").read_text())["files"]
    if INDEX not in [file["name"] for file in files]:
        raise SystemExit(f"{site} has no {INDEX}: `cargo xtask wallet` makes it")
    for file in sorted(files, key=lambda file: file["name"] == INDEX):
        name = file["name"]
        body = (site / name).read_bytes()
        kind, caching = KINDS[name.rpartition(".")[2]], IMMUTABLE if file["hashed"] else ASK_AGAIN
        yield Object(name, body, kind, caching)
        if "brotli" in file:
            yield Object(f"{name}.br", (site / f"{name}.br").read_bytes(), kind, caching, "br")
        else:
            # Too small to compress. It is asked for under this name all the same.
            yield Object(f"{name}.br", body, kind, caching)


def main(client: Any, arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Puts the Wallet's site into its bucket.")
    parser.add_argument("site", metavar="DIRECTORY", type=pathlib.Path)
    parser.add_argument("bucket", metavar="BUCKET")
    given = parser.parse_args(arguments)
    # Read before anything is written: half a site is not begun.
    found = list(objects(given.site))
    for one in found:
        client.put_object(Bucket=given.bucket, **one.arguments())
    print(f"{given.bucket}: {len(found)} objects")
    return 0


if __name__ == "__main__":
    import boto3

    sys.exit(main(boto3.client("s3"), sys.argv[1:]))
