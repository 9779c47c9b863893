"""`cargo xtask template check`: translate, lint, our own rules, and whether the rules notice what they are there for."""

from __future__ import annotations

import pathlib
import sys
import time
import unittest

import lint
import rules
import template


def main() -> int:
    begun = time.monotonic()
    translated = template.translate(template.read())
    print(f"template.yaml becomes {len(translated['Resources'])} resources")

    found = lint.problems(translated)
    print(f"cfn-lint: {len(found)} problems")
    breaches = rules.broken(translated)
    print(f"rules: {len(rules.RULES)}, {len(breaches)} breaches")
    for line in found + [f"{rule}: {problem}" for rule, problem in breaches]:
        print(f"    {line}")
    if found or breaches:
        return 1

    here = pathlib.Path(__file__).parent
    tests = unittest.defaultTestLoader.discover(str(here), top_level_dir=str(here))
    result = unittest.TextTestRunner(stream=sys.stdout).run(tests)
    if not result.wasSuccessful():
        return 1
    # As pytest says it, for whoever counts.
    print(f"{result.testsRun} passed in {time.monotonic() - begun:.2f}s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
