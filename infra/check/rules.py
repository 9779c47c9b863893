"""The rules that hold for the translated template, and for nothing less than all of it.

A rule is a function that yields what is wrong. `test_planted.py` breaks the template in as many ways as there are rules to
break, and each has to be noticed by the rule that it is meant for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from template import Template

Rule = Callable[[Template], Iterator[str]]

RULES: dict[str, Rule] = {}


def rule(check: Rule) -> Rule:
    """Registers a rule under its name."""
    RULES[check.__name__] = check
    return check


def broken(template: Template) -> list[tuple[str, str]]:
    """Every breach: the rule and what is wrong."""
    # They register themselves.
    import rules_access  # noqa: F401
    import rules_edge  # noqa: F401
    import rules_functions  # noqa: F401
    import rules_storage  # noqa: F401
    import rules_wallet  # noqa: F401

    return [(name, problem) for name, check in RULES.items() for problem in check(template)]
