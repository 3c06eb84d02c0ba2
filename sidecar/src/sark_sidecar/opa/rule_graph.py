"""What OPA's compiled modules say about themselves: which rules there are, what each reaches, and which base data they name.

`GET /v1/policies` returns, beside each module's source, its syntax tree after compilation: imports are resolved, and every
reference to a rule or to base data starts with `data`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

DataPath = tuple[str, ...]
"""A path below `data`; `("authz", "allow")` is `data.authz.allow`."""

NONDETERMINISTIC = frozenset(
    {
        "crypto.x509.parse_and_verify_certificates",
        "crypto.x509.parse_and_verify_certificates_with_options",
        "http.send",
        "io.jwt.decode_verify",
        "io.jwt.encode_sign",
        "io.jwt.encode_sign_raw",
        "json.match_schema",
        "json.verify_schema",
        "net.lookup_ip_addr",
        "opa.runtime",
        "rand.intn",
        "time.now_ns",
        "uuid.rfc4122",
    }
)
"""Builtins whose answer can change while the input does not: OPA's own list (a JSON schema may have parts that lie elsewhere),
and those that hold certificates against the clock."""


@dataclass(frozen=True, slots=True)
class RuleGraph:
    """Rules, what they reach, and whether their answers may be kept."""

    rules: frozenset[DataPath]
    edges: Mapping[DataPath, frozenset[DataPath]]
    """Rule to the constant beginnings of the `data` references in it."""
    volatile: frozenset[DataPath]
    """Rules that call a nondeterministic builtin themselves."""

    _above: frozenset[DataPath] = field(init=False, repr=False, compare=False)
    """All that lies above a rule."""
    _fleeting: frozenset[DataPath] = field(init=False, repr=False, compare=False)
    """Rules whose answers may not be kept."""
    _above_fleeting: frozenset[DataPath] = field(init=False, repr=False, compare=False)
    """These, and all that lies above them."""
    _longest: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find the rules that may not be kept, once: who asks about a path is answered without a walk."""
        fleeting = self._reaching({rule for rule in self.rules if rule in self.volatile or () in self.edges.get(rule, ())})
        object.__setattr__(self, "_above", frozenset(above for rule in self.rules for above in _beginnings(rule)))
        object.__setattr__(self, "_fleeting", fleeting)
        above = frozenset(above for rule in fleeting for above in _beginnings(rule))
        object.__setattr__(self, "_above_fleeting", above | fleeting)
        object.__setattr__(self, "_longest", max(map(len, self.rules), default=0))

    def _reaching(self, rules: set[DataPath]) -> frozenset[DataPath]:
        """Return `rules` and all that reach one of them; every reference is gone along once, against its direction."""
        at: dict[DataPath, set[DataPath]] = defaultdict(set)
        below: dict[DataPath, set[DataPath]] = defaultdict(set)
        for rule, references in self.edges.items():
            for reference in references:
                at[reference].add(rule)
                for above in _beginnings(reference):
                    below[above].add(rule)
        found, waiting = set(rules), list(rules)
        while waiting:
            reached = waiting.pop()
            # Who names it, something above it, or something below it.
            naming = [below.pop(reached, ()), at.pop(reached, ()), *(at.pop(above, ()) for above in _beginnings(reached))]
            new = {rule for some in naming for rule in some} - found
            found |= new
            waiting.extend(new)
        return frozenset(found)

    def may_be_kept(self, path: DataPath) -> bool:
        """Return whether the same question about `path` always has the same answer while policies and data stay.

        Not so by a variable right below `data`: what is reached are documents that no look reads and no revision stands for.
        """
        return path not in self._above_fleeting and not self._lies_at_or_below(path, self._fleeting)

    def is_virtual(self, path: DataPath) -> bool:
        """Return whether a rule defines `path` or something above it."""
        return self._lies_at_or_below(path, self.rules)

    def has_rules_below(self, path: DataPath) -> bool:
        """Return whether a rule defines something below `path`."""
        return path in self._above

    def _lies_at_or_below(self, path: DataPath, rules: frozenset[DataPath]) -> bool:
        return any(path[:length] in rules for length in range(min(len(path), self._longest) + 1))

    def base_references(self) -> set[DataPath]:
        """Return the constant paths of base data the rules name."""
        return {path for paths in self.edges.values() for path in paths if path and not self.is_virtual(path)}


def _beginnings(path: DataPath) -> Iterator[DataPath]:
    return (path[:length] for length in range(len(path)))


def rule_graph(trees: Iterable[Mapping[str, Any]]) -> RuleGraph:
    """Return the graph of compiled modules.

    Raises:
        ValueError: a tree is not shaped as OPA's.
    """
    edges: dict[DataPath, set[DataPath]] = defaultdict(set)
    volatile: set[DataPath] = set()
    for tree in trees:
        try:
            package = _constant(tree["package"]["path"])[1:]
            for rule in tree.get("rules") or []:
                path = package + _constant(rule["head"].get("ref") or [{"type": "var", "value": rule["head"]["name"]}])
                edges[path] |= {reference[1:] for reference in _references(rule) if reference[0] == "data"}
                if any(".".join(reference) in NONDETERMINISTIC for reference in _references(rule)):
                    volatile.add(path)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise ValueError("OPA's syntax tree has a shape this version does not know") from error
    return RuleGraph(frozenset(edges), {path: frozenset(to) for path, to in edges.items()}, frozenset(volatile))


def _constant(ref: list[dict[str, Any]]) -> DataPath:
    """The beginning of a reference up to its first part that is not known before evaluation."""
    path: list[str] = []
    for index, part in enumerate(ref):
        if index > 0 and part["type"] != "string":
            break
        path.append(str(part["value"]))
    return tuple(path)


def _references(tree: Any) -> Iterator[DataPath]:
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            if node.get("type") == "ref" and isinstance(node.get("value"), list) and node["value"]:
                yield _constant(node["value"])
                # Its first part is the name just read; the rest can hold references of their own.
                waiting.extend(node["value"][1:])
            elif node.get("type") == "var" and node.get("value") == "data":
                yield ("data",)
            else:
                waiting.extend(node.values())
