"""Reads template.yaml and translates it as CloudFormation's Serverless transform would."""

from __future__ import annotations

import copy
import logging
import os
import pathlib
from typing import Any

from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = ROOT / "template.yaml"

Template = dict[str, Any]

# The translator counts what it does and complains that nobody asks for it.
logging.getLogger("samtranslator").setLevel(logging.ERROR)


class NoManagedPolicies(ManagedPolicyLoader):
    """AWS's managed policies are not asked for: no role of ours has one."""

    def __init__(self) -> None:
        super().__init__(iam_client=None)

    def load(self) -> dict[str, str]:
        return {}


def read(path: pathlib.Path = SOURCE) -> Template:
    return yaml_parse(path.read_text())


def translate(source: Template) -> Template:
    """The template as CloudFormation gets it. Code is somewhere in a bucket: it has been built elsewhere."""
    # The translator asks for a region, and for nothing else of the environment.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    source = copy.deepcopy(source)
    for resource in source["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            # Kept where the translator leaves it alone, for the rules to look at.
            resource.setdefault("Metadata", {})["CodeUri"] = resource["Properties"]["CodeUri"]
            resource["Properties"]["CodeUri"] = {"Bucket": "code", "Key": "function.zip"}
    return transform(source, {}, NoManagedPolicies())


def of_type(template: Template, kind: str) -> dict[str, Any]:
    """Resources of one type, by logical id."""
    return {name: resource for name, resource in template["Resources"].items() if resource["Type"] == kind}
