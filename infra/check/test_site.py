"""What CloudFront asks the bucket for is what is put into it, with what a browser has to know about it."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import template

SPEC = importlib.util.spec_from_file_location("publish", template.ROOT / "infra/publish.py")
publish = importlib.util.module_from_spec(SPEC)
# Data classes look their module up.
sys.modules["publish"] = publish
SPEC.loader.exec_module(publish)

CODE = template.read()["Resources"]["WalletPaths"]["Properties"]["FunctionCode"]
# Runs the function on events, one a line, as CloudFront would.
RUN = CODE + """
const lines = require("fs").readFileSync(0, "utf8").trim().split("\\n");
for (const line of lines) console.log(handler(JSON.parse(line)).uri);
"""
BROWSERS = "gzip, deflate, br, zstd"


def asked_for(*requests: tuple[str, str | None]) -> list[str]:
    """What is asked of the bucket for an address and an `Accept-Encoding`."""
    events = []
    for uri, accepted in requests:
        headers = {} if accepted is None else {"accept-encoding": {"value": accepted}}
        events.append(json.dumps({"request": {"method": "GET", "uri": uri, "headers": headers}}))
    done = subprocess.run(["node", "-e", RUN], input="\n".join(events), capture_output=True, text=True, check=True)
    return done.stdout.split()


class Site(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.site = pathlib.Path(directory.name)
        files = [
            {"name": "index.html", "hashed": False, "bytes": 300, "brotli": 3},
            {"name": "wallet-09a9d83219a9637c.wasm", "hashed": True, "bytes": 300, "brotli": 3},
            {"name": "boot-bd7cf5723587299b.js", "hashed": True, "bytes": 4},
            {"name": "manifest.webmanifest", "hashed": False, "bytes": 4},
        ]
        for file in files:
            (self.site / file["name"]).write_bytes(b"plain")
            if "brotli" in file:
                (self.site / f"{file['name']}.br").write_bytes(b"small")
        self.write(files)

    def write(self, files: list[dict]) -> None:
        (self.site / "manifest.json").write_text(json.dumps({"files": files}))

    def published(self) -> list[dict]:
        account = Account()
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(publish.main(account, [str(self.site), "bucket"]), 0)
        return account.put

    def test_an_address_without_an_extension_is_the_page(self) -> None:
        pages = ["/", "/activity", "/grants/019a0000-0000-7000-8000-000000000001", "/sign-in", "/a.b/c"]
        self.assertEqual(asked_for(*[(page, None) for page in pages]), ["/index.html"] * len(pages))

    def test_a_file_is_itself(self) -> None:
        files = ["/wallet-09a9d83219a9637c.wasm", "/manifest.webmanifest", "/favicon.ico"]
        self.assertEqual(asked_for(*[(file, None) for file in files]), files)

    def test_who_takes_brotli_gets_what_the_build_compressed(self) -> None:
        for accepted in (BROWSERS, "br", "gzip,br;q=0.9", "br;q=1.0, *;q=0.1"):
            self.assertEqual(asked_for(("/activity", accepted), ("/a.wasm", accepted)), ["/index.html.br", "/a.wasm.br"])
        for accepted in ("gzip, deflate", "identity", "brotli", "gzip, br;q=0", "br; q=0.0, gzip", ""):
            self.assertEqual(asked_for(("/activity", accepted), ("/a.wasm", accepted)), ["/index.html", "/a.wasm"])

    def test_whatever_is_asked_for_is_there(self) -> None:
        keys = {f"/{one['Key']}" for one in self.published()}
        names = [f"/{file['name']}" for file in json.loads((self.site / "manifest.json").read_text())["files"]]
        asked = asked_for(*[(name, accepted) for name in ["/", *names] for accepted in (None, BROWSERS)])
        self.assertEqual(set(asked), keys)

    def test_each_file_is_what_it_says(self) -> None:
        found = {one["Key"]: one for one in self.published()}
        wasm = found["wallet-09a9d83219a9637c.wasm.br"]
        self.assertEqual((wasm["Body"], wasm["ContentType"], wasm["ContentEncoding"]), (b"small", "application/wasm", "br"))
        self.assertIn("immutable", wasm["CacheControl"])
        small = found["boot-bd7cf5723587299b.js.br"]
        self.assertEqual((small["Body"], "ContentEncoding" in small), (b"plain", False))
        for name in ("index.html", "index.html.br", "manifest.webmanifest"):
            self.assertEqual(found[name]["CacheControl"], "no-cache")
        self.assertNotIn("manifest.json", found)

    def test_the_page_comes_last(self) -> None:
        keys = [one["Key"] for one in self.published()]
        self.assertEqual(keys[-2:], ["index.html", "index.html.br"])

    def test_half_a_site_is_not_begun(self) -> None:
        (self.site / "boot-bd7cf5723587299b.js").unlink()
        account = Account()
        with self.assertRaises(FileNotFoundError):
            publish.main(account, [str(self.site), "bucket"])
        self.write([])
        with self.assertRaises(SystemExit):
            publish.main(account, [str(self.site), "bucket"])
        self.assertEqual(account.put, [])


class Account:
    """Remembers what was put."""

    def __init__(self) -> None:
        self.put: list[dict] = []

    def put_object(self, **given) -> None:
        self.put.append(given)


if __name__ == "__main__":
    unittest.main()
