"""`sam build` takes no profile: what cargo-lambda reads from the manifest instead has to be the profile `lambda`."""

from __future__ import annotations

import tomllib
import unittest

import template

MANIFEST = tomllib.loads((template.ROOT / "Cargo.toml").read_text())


class Build(unittest.TestCase):
    def test_sam_builds_what_is_measured(self):
        build = MANIFEST["workspace"]["metadata"]["lambda"]["build"]
        given = tomllib.loads("\n".join(build["config"]))["profile"]["release"]
        profile = dict(MANIFEST["profile"]["lambda"])
        self.assertEqual(profile.pop("inherits"), "release")
        self.assertEqual(given, profile)

    def test_every_function_has_the_feature(self):
        (feature,) = MANIFEST["workspace"]["metadata"]["lambda"]["build"]["features"]
        crates = {
            resource["Properties"]["CodeUri"]
            for resource in template.read()["Resources"].values()
            if resource["Type"] == "AWS::Serverless::Function"
        }
        self.assertEqual(len(crates), 9)
        for crate in sorted(crates):
            with self.subTest(crate):
                manifest = tomllib.loads((template.ROOT / crate / "Cargo.toml").read_text())
                self.assertIn(feature, manifest.get("features", {}))
                for binary in manifest.get("bin", []):
                    self.assertEqual(binary["required-features"], [feature])
