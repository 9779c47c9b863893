"""Errors that the linter is there for, because no rule of ours looks at them."""

from __future__ import annotations

import copy
import unittest

import lint
import template

SOURCE = template.read()


class Lint(unittest.TestCase):
    def test_a_misspelt_property_and_a_missing_resource_are_noticed(self):
        source = copy.deepcopy(SOURCE)
        source["Resources"]["Alarms"]["Properties"]["KmsMasterKey"] = "alias/aws/sns"
        source["Resources"]["DeadLettersAlarm"]["Properties"]["OKActions"] = [{"Ref": "Nothing"}]
        found = lint.problems(template.translate(source))
        self.assertTrue(any("KmsMasterKey" in problem for problem in found), found)
        self.assertTrue(any("Nothing" in problem for problem in found), found)
