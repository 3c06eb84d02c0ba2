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
class Subtrees:
    """Everything at and below some paths."""

    tops: frozenset[DataPath]

    _above: frozenset[DataPath] = field(init=False, repr=False, compare=False)
    _longest: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Find out once what makes a look-up cheap, however long the path that is looked up."""
        object.__setattr__(self, "_above", frozenset(above for top in self.tops for above in _beginnings(top)))
        object.__setattr__(self, "_longest", max(map(len, self.tops), default=0))

    def hold(self, path: DataPath) -> bool:
        """Return whether `path` is one of them or lies below one."""
        return any(path[:length] in self.tops for length in range(min(len(path), self._longest) + 1))

    def lie_below(self, path: DataPath) -> bool:
        """Return whether one of them lies below `path`."""
        return path in self._above

    def touch(self, path: DataPath) -> bool:
        """Return whether one of them is, lies above or lies below `path`."""
        return self.lie_below(path) or self.hold(path)


@dataclass(frozen=True, slots=True)
class RuleGraph:
    """Rules, what they reach, and whether their answers may be kept."""

    rules: frozenset[DataPath]
    edges: Mapping[DataPath, frozenset[DataPath]]
    """Rule to the constant beginnings of the `data` references in it."""
    volatile: frozenset[DataPath]
    """Rules that call a nondeterministic builtin themselves."""

    _defined: Subtrees = field(init=False, repr=False, compare=False)
    """The rules."""
    _fleeting: Subtrees = field(init=False, repr=False, compare=False)
    """Rules whose answers change by themselves, or with any document there is."""
    _unbounded: Subtrees = field(init=False, repr=False, compare=False)
    """Rules that reach whatever lies beside other rules."""

    def __post_init__(self) -> None:
        """Find the rules that may not be kept, once: who asks about a path is answered without a walk."""
        object.__setattr__(self, "_defined", Subtrees(self.rules))
        fleeting = {rule for rule in self.rules if rule in self.volatile or () in self.edges.get(rule, ())}
        object.__setattr__(self, "_fleeting", Subtrees(self._reaching(fleeting)))
        unbounded = {rule for rule in self.rules if any(map(self._is_mixed, self.edges.get(rule, ())))}
        object.__setattr__(self, "_unbounded", Subtrees(self._reaching(unbounded)))

    def _is_mixed(self, path: DataPath) -> bool:
        """Return whether base data can lie below `path` beside rules, under names that no look asks for."""
        return self.has_rules_below(path) and not self.is_virtual(path)

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

    def is_deterministic(self, path: DataPath) -> bool:
        """Return whether the same question about `path` always has the same answer while policies and data stay.

        Not so by a variable right below `data`: what is reached are documents that no look reads and no revision stands for.
        """
        return not self._fleeting.touch(path)

    def stays_with(self, path: DataPath, compared: Subtrees) -> bool:
        """Return whether the answer about `path` stays for as long as policies and the base data in `compared` do.

        Of a path that has rules below it, as a package, nobody knows what else OPA has there or will be given.
        """
        if not self.is_deterministic(path):
            return False
        # OPA refuses base data at or below a rule: all that such a path is comes from what the rules reach.
        return compared.hold(path) or (self.is_virtual(path) and not self._unbounded.touch(path))

    def is_virtual(self, path: DataPath) -> bool:
        """Return whether a rule defines `path` or something above it."""
        return self._defined.hold(path)

    def has_rules_below(self, path: DataPath) -> bool:
        """Return whether a rule defines something below `path`."""
        return self._defined.lie_below(path)

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
