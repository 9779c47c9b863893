"""cfn-lint on the translated template: on the one before, it does not see what the Serverless types become."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import tempfile

from template import Template

REGION = "us-east-1"


def problems(translated: Template) -> list[str]:
    """What cfn-lint says, errors and warnings alike."""
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "translated.json"
        file.write_text(json.dumps(translated, indent=1))
        linter = pathlib.Path(sys.executable).with_name("cfn-lint")
        command = [linter, "--format", "json", "--regions", REGION, "--template", file]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if not ended.stdout.strip():
        raise SystemExit(f"cfn-lint said nothing\n{ended.stderr}")
    return [_line(match) for match in json.loads(ended.stdout)]


def _line(match: dict) -> str:
    path = ".".join(str(part) for part in match["Location"]["Path"] or [])
    return f"{match['Rule']['Id']} {path}: {match['Message']}"
