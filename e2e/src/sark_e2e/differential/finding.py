"""A finding or a fixed one as a file: policy, data, input, path and both answers, and nothing else needed to see it again."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Final

import yaml

from .case import Case
from .comparison import Disagreement
from .outcome import Answer, Failed, Inconsistent, Mistyped, Outcome, Panicked, Refused, Undefined, write
from .tokens import tokens

_WORDS: Final = re.compile(r"[a-z]\w*\d+|x\d+")


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def words(outcome: Outcome) -> str:
    """Return an outcome in one line."""
    match outcome:
        case Answer(value):
            return write(value)
        case Undefined():
            return "undefined"
        case Failed(reason) | Panicked(reason) | Inconsistent(reason):
            return f"error: {' '.join(reason.split())}"
        case Refused(reason) | Mistyped(reason):
            return f"refused: {reason}"


def as_text(found: Disagreement) -> str:
    """Return the file's content: YAML that `read_case` reads."""
    case = found.case
    content: dict[str, Any] = {
        "note": f"{found.kind}, from {case.origin}",
        "path": case.paths[0],
        "inputs": list(case.inputs),
        "data": case.data,
        "modules": {name: _plain(source) for name, source in case.modules},
        "opa": words(found.opa),
        "engine": words(found.engine),
    }
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=128)


def read_case(path: Path) -> tuple[Case, str]:
    """Return a finding's question and OPA's answer as it was written down. Raises KeyError, yaml.YAMLError."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    case = Case(path.stem, tuple(content["modules"].items()), content["data"], tuple(content["inputs"]), (content["path"],))
    return case, content["opa"]


def signature(found: Disagreement) -> str:
    """Return a name that equal findings mostly share: the kind, and a hash of the words without names and constants."""
    shape = [_shape(word.kind, word.text) for _, source in found.case.modules for word in tokens(source)]
    digest = hashlib.sha256(" ".join(sorted(set(shape))).encode()).hexdigest()[:8]
    return f"{found.kind.replace('/', '-')}-{digest}"


def _shape(kind: str, text: str) -> str:
    if kind == "name":
        return "v" if _WORDS.fullmatch(text) or len(text) == 1 else text
    return text if kind == "sign" else kind


def _plain(source: str) -> str:
    # YAML writes a block only for lines without trailing blanks.
    return "\n".join(line.rstrip().replace("\t", "  ") for line in source.splitlines()) + "\n"
