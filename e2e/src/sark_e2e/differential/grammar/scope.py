"""What an expression may refer to at one place of a random policy."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

RuleKind = Literal["complete", "set", "object", "function", "nested"]

STRINGS: Final = ('"a"', '"b"', '"ab"', '"c"', '""', '"1"', '"x"')
NUMBERS: Final = ("0", "1", "2", "3", "1.0", "1e0", "10", "1.5", "-1", "100000000000000000000", "0.1")
SCALARS: Final = (*STRINGS, *STRINGS, *NUMBERS, "true", "false", "null")
GUARDED: Final = (
    *("input.a", "input.a", "input.b", "input.c", "input.o.k", 'input["a"]', "input.l[0]", "input.l[1]", "input.o.p.q"),
)
INPUT: Final = (*GUARDED, "input.l", "input.o", "input.m", "input", "input.o.p", 'input.o["k"]')
DATA: Final = (
    *("data.d.roles", "data.d.l", "data.d.m", "data.d.n", "data.d.roles.a", "data.d.m.a.b", "data.d.s", "data.d.missing"),
)
COLLECTIONS: Final = (
    *("input.l", "input.o", "input.m", "data.d.l", "data.d.m", "data.d.roles", "[1, 2, 3]", '{"a", "b"}'),
    *('{"a": 1, "b": 2}', "data.d.roles.a", "input.l[0]"),
)


@dataclass(frozen=True, slots=True)
class RuleName:
    """A rule that others may refer to."""

    name: str
    kind: RuleKind
    package: str
    arity: int = 0


@dataclass(slots=True)
class Scope:
    """One body: the source of chance, the variables bound so far, and the rules that stand before this one."""

    chance: random.Random
    package: str
    rules: Sequence[RuleName]
    variables: list[str] = field(default_factory=list)
    depth: int = 0
    counter: list[int] = field(default_factory=lambda: [0])

    def inner(self) -> Scope:
        """Return the scope of a nested body: it sees all variables, and its own do not get out."""
        return Scope(self.chance, self.package, self.rules, list(self.variables), self.depth + 1, self.counter)

    def fresh(self) -> str:
        """Return a variable that is used nowhere else; `bind` it when its statement is written."""
        self.counter[0] += 1
        return f"x{self.counter[0]}"

    def bind(self, *names: str) -> None:
        """Let later statements use `names`."""
        self.variables.extend(names)

    def likely(self, probability: float) -> bool:
        """Throw a coin."""
        return self.chance.random() < probability

    def pick(self, options: Sequence[str]) -> str:
        """Return one of `options`."""
        return self.chance.choice(options)

    def callable(self) -> list[RuleName]:
        """Return the rules that may be named here. OPA takes one module at a time, so functions are not called both ways."""
        return [rule for rule in self.rules if rule.kind != "function" or rule.package <= self.package]

    def reference(self, rule: RuleName) -> str:
        """Return how this module names `rule`."""
        return rule.name if rule.package == self.package and self.likely(0.7) else f"data.{rule.package}.{rule.name}"
