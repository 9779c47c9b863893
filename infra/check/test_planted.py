"""Breaks the template on purpose: each error has to be noticed, by the rule that is there for it."""

from __future__ import annotations

import copy
import unittest

import planted

# They register themselves.
import planted_access  # noqa: F401
import planted_edge  # noqa: F401
import planted_functions  # noqa: F401
import planted_storage  # noqa: F401
import planted_wallet  # noqa: F401
import rules
import template

SOURCE = template.read()


class Planted(unittest.TestCase):
    maxDiff = None

    def test_the_template_keeps_the_rules(self):
        self.assertEqual(rules.broken(template.translate(SOURCE)), [])

    def test_each_error_is_noticed_by_its_rule(self):
        for rule, name, breaks in planted.PLANTED:
            with self.subTest(name):
                source = copy.deepcopy(SOURCE)
                breaks(source["Resources"])
                noticed = {noticed for noticed, _ in rules.broken(template.translate(source))}
                self.assertIn(rule, noticed)

    def test_every_rule_has_an_error_of_its_own(self):
        rules.broken(template.translate(SOURCE))
        idle = rules.RULES.keys() - {rule for rule, _, _ in planted.PLANTED}
        self.assertEqual(idle, set())
