"""Layers that projects publish from accounts of AWS of their own, and that are distributions for everybody as well.

An installation has no layers but its own. So that a template that names such a layer by its ARN can be deployed as it
is, the distribution is made a layer of the stack, and stands in the template in the ARN's place. Its version is the
newest of the major version that the layer's name says: which release a layer's number means is written nowhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mayfly.cli.keeping import Kept
from mayfly.cli.templates import Say

_FUNCTIONS = frozenset(("AWS::Serverless::Function", "AWS::Lambda::Function"))
_ARN = re.compile(
    r"arn:(?:aws[a-z-]*|\$\{AWS::Partition\}):lambda:(?:[a-z0-9-]+|\$\{AWS::Region\}):"
    r"(\d{12}):layer:([A-Za-z0-9_-]+):\d+"
)


class Known(NamedTuple):
    """A family of layers: whose, and what distribution each of its members is."""

    account: str
    name: re.Pattern[str]  # its first group is the major version
    distribution: str


_KNOWN = (
    # Powertools for AWS Lambda (Python); the first layers had no major version in their name.
    Known(
        "017000801446",
        re.compile(r"AWSLambdaPowertoolsPython(?:V(\d))?(?:-python3\d+-(?:x86_64|arm64)|-Arm64)?"),
        "aws-lambda-powertools[all]",
    ),
)


@dataclass
class PublicLayers:
    """Puts distributions in the place of layers of others, in one template. What layers are made of lies in `kept`."""

    kept: Kept
    say: Say
    _made: dict[str, dict[str, Any]] = field(default_factory=dict)

    def replaced(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The template without ARNs of layers that are known here."""
        shared = body.get("Globals", {}).get("Function", {}) if isinstance(body.get("Globals"), dict) else {}
        resources = {
            name: {**one, "Properties": self._function(name, one["Properties"], shared)} if _is_function(one) else one
            for name, one in body["Resources"].items()
        }
        whole = {**body, "Resources": resources}
        if isinstance(shared, dict) and isinstance(shared.get("Layers"), list):
            function = self._function("Globals", shared, shared)
            whole["Globals"] = {**body["Globals"], "Function": function}
        whole["Resources"] |= self._made
        return whole

    def _function(self, name: str, properties: dict[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
        runtime, layers = properties.get("Runtime", shared.get("Runtime")), properties.get("Layers")
        if not isinstance(layers, list) or not isinstance(runtime, str) or not runtime.startswith("python"):
            return properties
        return {**properties, "Layers": [self._layer(name, layer, runtime) for layer in layers]}

    def _layer(self, name: str, layer: object, runtime: str) -> object:
        text = layer.get("Fn::Sub") if isinstance(layer, dict) and len(layer) == 1 else layer
        match = _ARN.fullmatch(text) if isinstance(text, str) else None
        for known in _KNOWN if match is not None else ():
            if match is not None and match[1] == known.account and (found := known.name.fullmatch(match[2])):
                major = int(found[1] or 1)
                requirement = f"{known.distribution}>={major},<{major + 1}"
                self.say(name, f"the layer {match[2]} of {known.account} is not here: {requirement} is, as one")
                return {"Ref": self._resource(match[2], requirement, runtime)}
        return layer

    def _resource(self, layer: str, requirement: str, runtime: str) -> str:
        """The logical id of the layer, which is made once for each runtime."""
        logical_id = re.sub(r"[^A-Za-z0-9]", "", f"{layer}For{runtime}")
        folder = self.kept.folder("public-layers", logical_id, lambda draft: _asking_for(requirement, draft))
        self._made[logical_id] = {
            "Type": "AWS::Lambda::LayerVersion",
            "Metadata": {"BuildMethod": runtime},
            "Properties": {"LayerName": layer, "Content": str(folder), "CompatibleRuntimes": [runtime]},
        }
        return logical_id


def _asking_for(requirement: str, folder: Path) -> None:
    folder.mkdir()
    (folder / "requirements.txt").write_text(f"{requirement}\n", encoding="utf-8")


def _is_function(resource: object) -> bool:
    return (
        isinstance(resource, dict)
        and resource.get("Type") in _FUNCTIONS
        and isinstance(resource.get("Properties"), dict)
    )
