"""One tangled body: its statements, the variables they share, and what binds those that nothing else binds."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Final

_NAMES: Final = ("x", "y", "z", "a", "b")
_PATHS: Final = (
    "input.a",
    "input.b",
    "input.o.k",
    "input.o",
    "input.l",
    "input.l[0]",
    "input.x",
    "data.d.n",
    "data.d.s",
    "data.d.m.a",
)
_CONSTANTS: Final = ('"a"', '"b"', "1", "2", '"1"', "0", "true", "false", "null", "1.0", '""', "[]", "{}", "set()", "-1")
_COLLECTIONS: Final = (
    *(
        "input.l",
        "input.o",
        "data.d.l",
        "data.d.m",
        "data.d.g",
        'data.d["0"]',
        '["a", 1, "b"]',
        '{"a", 1}',
        '{"a": 1, "b": "a"}',
        "data.q.r0",
    ),
    *("input", "data.q.v", "data.d"),
)
_SIGNS: Final = ("==", "==", "=", "=", "!=", "<", ">=")
_DEEPEST: Final = 2
_TARGETS: Final = (
    *(
        "input.a",
        "input.b",
        "input.l",
        "input.o.k",
        "input",
        "data.d.s",
        "data.d.l",
        "data.d.m.a",
        "data.d.z",
        "data.q.allow",
        "data.q.r0",
    ),
    *("count", "data.q.f", "data.d", "is_string"),
)


class Strand:
    """Writes the statements of one body; variables in them are few, so that statements meet."""

    def __init__(
        self,
        chance: random.Random,
        rules: Sequence[str],
        functions: Sequence[tuple[str, int]],
        depth: int = 0,
        known: Sequence[str] = (),
    ) -> None:
        self.chance = chance
        self._rules = rules
        self._functions = functions
        self._depth = depth
        self._known = set(known)
        """Variables that are bound whatever the statements do."""
        self._used: set[str] = set()
        self._names = chance.sample(_NAMES, 2)
        """Few, so that its statements meet."""
        self._nesting = 0

    def another(self) -> Strand:
        """Return the strand of another body of the same policy."""
        return Strand(self.chance, self._rules, self._functions)

    def bind(self, *names: str) -> None:
        """Take `names` for bound: they are arguments, or an outer body binds them."""
        self._known.update(names)

    def head(self) -> str:
        """Return what a head says: mostly a variable of the body."""
        return self.variable() if self.chance.random() < 0.55 else self.term()

    def body(self) -> str:
        """Return a body in braces, or a single statement without."""
        if self.chance.random() < 0.12 and not self._used - self._known:
            return self.chance.choice(["true", "not false", "not true", self._plain(), f"not {self._plain()}"])
        return self.block()

    def block(self) -> str:
        """Return statements in braces; each variable they use is bound by one more, which stands anywhere."""
        return "{ " + "; ".join(self._statements(self.chance.choice([1, 1, 2, 2, 3]))) + " }"

    def _statements(self, count: int) -> list[str]:
        made = [self._statement() for _ in range(count)]
        loose = sorted(self._used - self._known)
        made += [self._binder(name) for name in loose if self.chance.random() < 0.93]
        if self.chance.random() < 0.75:
            self.chance.shuffle(made)
        return made

    def variable(self) -> str:
        """Return a variable, which some statement has to bind."""
        name = self.chance.choice(self._names)
        self._used.add(name)
        return name

    def term(self) -> str:
        """Return any term."""
        roll = self.chance.random()
        if self._nesting >= _DEEPEST:
            roll *= 0.66
        makers: tuple[tuple[float, Callable[[], str]], ...] = (
            (0.34, self.variable),
            (0.52, lambda: self._pick(_PATHS)),
            (0.66, lambda: self._pick(_CONSTANTS)),
            (0.73, self._reference),
            (0.79, self._call),
            (0.85, self._composite),
            (0.89, self._arithmetic),
            (0.93, self._rule),
            (1.0, self._comprehension),
        )
        self._nesting += 1
        text = next(make() for limit, make in makers if roll < limit)
        self._nesting -= 1
        return text

    def _pick(self, options: Sequence[str]) -> str:
        return self.chance.choice(options)

    def _statement(self) -> str:
        roll = self.chance.random()
        makers: tuple[tuple[float, Callable[[], str]], ...] = (
            (0.22, self._comparison),
            (0.34, self._lookup),
            (0.42, self._pattern),
            (0.50, self._output),
            (0.60, lambda: f"not {self._plain()}"),
            (0.67, self._some),
            (0.73, self._every),
            (0.82, self._with),
            (0.87, self._assigned),
            (0.92, lambda: f"{self.term()} in {self._collection()}"),
            (1.0, self._plain),
        )
        return next(make() for limit, make in makers if roll < limit)

    def _plain(self) -> str:
        """Return a statement that may be negated and put under `with`."""
        makers = (self._comparison, self._lookup, self._rule, self._call, self.term, self._output)
        return self.chance.choice(makers)()

    def _binder(self, name: str) -> str:
        """Return a statement that binds `name` if anything does."""
        collection, other = self._pick(_COLLECTIONS), self._pick(["_", "_", "_", *_NAMES[:3]])
        common = [
            f"{name} = {collection}[{other}]",
            f"{collection}[{name}]",
            f"{collection}[{other}] = {name}",
            f"{name} in {collection}",
        ]
        common += [f"{name} = {self._pick(_PATHS)}", f"{self._pick(_CONSTANTS)} = {name}"]
        rare = [f"[{name}, {other}, _] = input.l", f'{{"k": {name}, "a": _}} = input.o', f"walk({collection}, [_, {name}])"]
        rare += [f"count({collection}, {name})", f"{name} = {self._comprehension()}", f"some {name} in {collection}"]
        return self._pick(common if self.chance.random() < 0.75 else rare)

    def _comparison(self) -> str:
        return f"{self.term()} {self._pick(_SIGNS)} {self.term()}"

    def _lookup(self) -> str:
        """Return a reference with variables in it, alone or compared."""
        text = f"{self._collection()}[{self.term() if self.chance.random() < 0.4 else self.variable()}]"
        if self.chance.random() < 0.25:
            text += self._pick([f"[{self.variable()}]", ".k", "[_]"])
        return text if self.chance.random() < 0.5 else f"{text} {self._pick(_SIGNS)} {self.term()}"

    def _pattern(self) -> str:
        """Unify a pattern."""
        forms = [f"[{self.variable()}, {self.term()}] = {self.term()}", f'{{"k": {self.variable()}}} = {self.term()}']
        forms += [
            f"[{self.variable()}, [{self.variable()}]] = [{self.term()}, {self.term()}]",
            f"{self.term()} = [{self.variable()}]",
        ]
        return self._pick([*forms, f"[{self.variable()}, _] = {self._collection()}"])

    def _output(self) -> str:
        """Call with the result as last argument."""
        name = self.variable()
        if self._functions and self.chance.random() < 0.4:
            function, arity = self.chance.choice(self._functions)
            return f"{function}({', '.join([*(self.term() for _ in range(arity)), name])})"
        forms = [
            f'split(input.a, "a", {name})',
            f"plus(input.b, 1, {name})",
            f"count({self.term()}, {name})",
            f"data.q.f({self.term()}, {name})",
        ]
        forms += [
            f"walk({self._collection()}, [{name}, {self.variable()}])",
            f"object.get({self.term()}, {self.term()}, 1, {name})",
        ]
        return self._pick(forms)

    def _some(self) -> str:
        name, other = self.variable(), self.variable()
        declared = name if name == other or self.chance.random() < 0.5 else f"{name}, {other}"
        forms = [f"some {name} in {self._collection()}", f"some {declared} in {self._collection()}"]
        return self._pick([*forms, f"some {declared}; {self._lookup()}", f"some [{name}, _] in {self._collection()}"])

    def _every(self) -> str:
        if self._depth >= _DEEPEST:
            return self._comparison()
        inner = Strand(self.chance, self._rules, self._functions, self._depth + 1, [*self._known, *_NAMES[:2]])
        declared = self._pick(["x", "y", "x, y"])
        text = "; ".join([*inner._statements(1), *(f"{name} != {inner.term()}" for name in declared.split(", "))])
        self._used |= inner._used - set(_NAMES[:2])
        return f"every {declared} in {self._collection()} {{ {text} }}"

    def _with(self) -> str:
        clauses = [f"with {self._pick(_TARGETS)} as {self.term()}" for _ in range(self.chance.choice([1, 1, 2]))]
        negation = self._pick(["", "", "not "])
        if self.chance.random() < 0.2:
            return f"{self.variable()} = {self._rule()} {' '.join(clauses)}"
        makers: tuple[Callable[[], str], ...] = (
            self._plain,
            self._rule,
            lambda: "data.q.allow",
            lambda: f"data.q.r0[{self.variable()}]",
        )
        return f"{negation}{self.chance.choice(makers)()} {' '.join(clauses)}"

    def _assigned(self) -> str:
        forms = [f"{self.variable()} := {self.term()}", f"[{self.variable()}, _] := {self.term()}"]
        return self._pick(forms)

    def _collection(self) -> str:
        roll = self.chance.random()
        if roll < 0.75:
            return self._pick(_COLLECTIONS)
        return self.variable() if roll < 0.9 else self._rule()

    def _reference(self) -> str:
        base = self._pick([*_COLLECTIONS[:6], self.variable(), self.variable()])
        return f"{base}{self._pick(['.k', '.a', '[0]', '[_]', f'[{self.variable()}]', f'[{self.variable()}]'])}"

    def _call(self) -> str:
        if self._functions and self.chance.random() < 0.5:
            function, arity = self.chance.choice(self._functions)
            return f"{function}({', '.join(self.term() for _ in range(arity))})"
        one, other = self.term(), self.term()
        forms = [
            f"count({one})",
            f"startswith({one}, {other})",
            f"sprintf({one}, [{other}])",
            f"concat({one}, {other})",
            f"data.q.f({one})",
        ]
        forms += [
            f"object.get({one}, {other}, {self.term()})",
            f"to_number({one})",
            f"array.concat({one}, {other})",
            f"is_string({one})",
        ]
        return self._pick([*forms, f"max({one})", f"json.marshal({one})", f"abs({one})", f"type_name({one})", f"lower({one})"])

    def _composite(self) -> str:
        one, other = self.term(), self.term()
        return self._pick(
            [f"[{one}, {other}]", f"{{{one}, {other}}}", f'{{"k": {one}, "a": {other}}}', f"{{{one}: {other}}}", f"[{one}]"]
        )

    def _arithmetic(self) -> str:
        one, other = self.term(), self.term()
        return self._pick(
            [
                f"{one} + {other}",
                f"({one} | {other})",
                f"{one} - {other}",
                f"({one} & {other})",
                f"-{self.variable()}",
                f"{one} * 2",
            ]
        )

    def _rule(self) -> str:
        if not self._rules:
            return self._pick(["data.q.allow", "data.q.r0", "data.q.v"])
        rule = self._pick(self._rules)
        return f"{rule}{self._pick(['', '', f'[{self.variable()}]', '.k', f'[{self.term()}]', '[_]'])}"

    def _comprehension(self) -> str:
        """Return a comprehension; it closes over variables of this body at times, and these may be bound after it."""
        if self._depth >= _DEEPEST:
            return self._pick(_PATHS)
        inner = Strand(self.chance, self._rules, self._functions, self._depth + 1, [*self._known, self.variable()])
        value, key = inner.head(), inner.head()
        text = "; ".join(inner._statements(self.chance.choice([1, 1, 2])))
        return self._pick([f"[{value} | {text}]", f"{{{value} | {text}}}", f"{{{key}: {value} | {text}}}"])
