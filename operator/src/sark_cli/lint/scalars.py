"""What a word without quotes means: as in kubectl, whose YAML is Go's, and not as in PyYAML.

The two disagree. To PyYAML 22:00 is 1320, a number of base 60, and 1e3 is text; kubectl sends the text, and the number. A unit
test compares them with kubectl, word by word.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar, Final

import yaml

_TAG: Final = "tag:yaml.org,2002:"
_KEPT: Final = (f"{_TAG}null", f"{_TAG}merge")
_BOOL = re.compile(r"^(?:y|Y|n|N|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF)$")
_INT = re.compile(r"^[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)$")
_FLOAT = re.compile(
    r"^(?:[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_EXACT: Final = 2**53
"""From here on not every whole number is a float."""


class GoLoader(yaml.SafeLoader):
    """Takes words for what Go's YAML takes them for; dates stay text, for JSON has none."""


GoLoader.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag in _KEPT]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
# The order counts: what may be a whole number is one.
GoLoader.add_implicit_resolver(f"{_TAG}bool", _BOOL, list("yYnNtTfFoO"))
GoLoader.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
GoLoader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+.0123456789"))


class GoConstructor(yaml.constructor.SafeConstructor):
    """Makes the values kubectl would send: those JSON knows."""

    bool_values: ClassVar[dict[str, bool]] = {**yaml.constructor.SafeConstructor.bool_values, "y": True, "n": False}
    yaml_constructors: ClassVar[dict[Any, Any]] = {
        **yaml.constructor.SafeConstructor.yaml_constructors,
        f"{_TAG}timestamp": yaml.constructor.SafeConstructor.construct_yaml_str,
    }

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """Return the whole number; 0o17 is octal, as 017 is."""
        return super().construct_yaml_int(yaml.ScalarNode(node.tag, re.sub(r"^([-+]?)0o", r"\g<1>0", node.value)))

    def construct_yaml_float(self, node: yaml.ScalarNode) -> int | float | str:  # type: ignore[override]
        """Return the number: 1.0 is 1 in JSON. What no float can hold stays text."""
        found = super().construct_yaml_float(node)
        if found in (float("inf"), float("-inf")) and "inf" not in node.value.lower():
            return str(node.value)
        return int(found) if found.is_integer() and abs(found) < _EXACT else found


GoConstructor.yaml_constructors |= {
    f"{_TAG}int": GoConstructor.construct_yaml_int,
    f"{_TAG}float": GoConstructor.construct_yaml_float,
}
