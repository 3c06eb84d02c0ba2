"""Statements of random policies: guards first of all, because a rule index stands or falls by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from . import expression
from .scope import STRINGS, Scope

_COMPARISONS: Final = ("==", "==", "!=", "<", "<=", ">", ">=")
_DEEPEST: Final = 3


def body(scope: Scope, length: int) -> list[str]:
    """Return statements; those without `:=` at times in another order, since OPA puts them right."""
    lines = [statement(scope) for _ in range(length)]
    if scope.likely(0.1) and not any(":=" in line or line.startswith("some ") for line in lines):
        scope.chance.shuffle(lines)
    return lines


def statement(scope: Scope) -> str:
    """Return one statement; variables it binds are bound in `scope`."""
    roll = scope.chance.random()
    makers: tuple[tuple[float, Callable[[Scope], str]], ...] = (
        (0.34, guard),
        (0.44, assignment),
        (0.52, iteration),
        (0.58, unification),
        (0.66, negation),
        (0.73, comparison),
        (0.79, membership),
        (0.84, rule_call),
        (0.89, every),
        (0.95, under_with),
        (1.0, expression.term),
    )
    return next(make(scope) for limit, make in makers if roll < limit)


def guard(scope: Scope) -> str:
    """Return a comparison of an input path with a constant, in one of the many ways to say it."""
    path, constant, string = expression.guard_path(scope), expression.scalar(scope), scope.pick(STRINGS)
    other = expression.scalar(scope)
    forms = (
        *(f"{path} == {constant}", f"{path} == {constant}", f"{constant} == {path}", f"{path} = {constant}"),
        *(f"{constant} = {path}", f"{path} == {other}"),
        *(path, f"not {path}", f"not {path} == {constant}", f"{path} != {constant}", f"{path} in {{{constant}, {other}}}"),
        *(f"[{path}, {constant}] == [{constant}, {constant}]", f"{path} == [{constant}]", f'{path} == {{"k": {constant}}}'),
        *(f"{path} == {expression.guard_path(scope)}", f"startswith({path}, {string})", f"{path} == data.d.s", f"{path} > 1"),
        *(f'glob.match("a*", ["."], {path})', f"is_string({path})", f"[{constant}, {other}][_] == {path}", f"data.d.m[{path}]"),
        *(f'type_name({path}) == "string"', f"{path} == set()", f"[_, {constant}] = input.l", f"count({path}) == 1"),
    )
    return scope.pick(forms)


def assignment(scope: Scope) -> str:
    """Bind a variable, or several at once, with `:=`."""
    value = expression.term(scope.inner())
    name = scope.fresh()
    if scope.likely(0.8):
        scope.bind(name)
        return f"{name} := {value}"
    second = scope.fresh()
    source = scope.pick(["input.l", "input.m", f"[{value}, {value}]"])
    scope.bind(name, second)
    return f"[{name}, {second}] := {source}"


def unification(scope: Scope) -> str:
    """Unify with `=`: both sides may bind."""
    name = scope.fresh()
    forms = [f"{name} = {expression.term(scope.inner())}", f"{expression.term(scope.inner())} = {name}"]
    forms += [f"[{name}, {expression.scalar(scope)}] = input.l", f'{{"k": {name}, "p": _}} = input.o', f"[{name}, _] = input.l"]
    text = scope.pick(forms)
    scope.bind(name)
    return text


def iteration(scope: Scope) -> str:
    """Iterate over a collection: `some .. in`, a variable in brackets, or walk."""
    source = expression.collection(scope)
    name, second = scope.fresh(), scope.fresh()
    match scope.chance.randrange(5):
        case 0:
            scope.bind(name, second)
            return f"some {name}, {second} in {source}"
        case 1 if not source.startswith(("[", "{")):
            scope.bind(name, second)
            return f"{second} := {source}[{name}]"
        case 2 if not source.startswith(("[", "{")):
            scope.bind(name)
            return f"some {name}; {source}[{name}] == {expression.scalar(scope)}"
        case 3 if scope.likely(0.3):
            scope.bind(name, second)
            return f"walk({scope.pick(['input', 'input.o', 'data.d.m'])}, [{name}, {second}])"
        case _:
            scope.bind(name)
            return f"some {name} in {source}"


def negation(scope: Scope) -> str:
    """Return the negation of a statement that binds nothing."""
    return f"not {_plain(scope.inner())}"


def comparison(scope: Scope) -> str:
    """Compare two terms."""
    return f"{expression.term(scope.inner())} {scope.pick(_COMPARISONS)} {expression.term(scope.inner())}"


def membership(scope: Scope) -> str:
    """Ask whether a term is in a collection."""
    if scope.likely(0.2):
        return f"({expression.term(scope.inner())}, {expression.term(scope.inner())} in {expression.collection(scope)})"
    return f"{expression.term(scope.inner())} in {expression.collection(scope)}"


def rule_call(scope: Scope) -> str:
    """Ask a rule that stands before."""
    text = expression.rule_term(scope.inner())
    return text if scope.likely(0.6) else f"{text} == {expression.scalar(scope)}"


def every(scope: Scope) -> str:
    """Demand something of all elements."""
    if scope.depth >= _DEEPEST - 1:
        return guard(scope)
    source = expression.collection(scope)
    inner = scope.inner()
    names = [inner.fresh() for _ in range(scope.chance.randint(1, 2))]
    inner.bind(*names)
    lines = body(inner, scope.chance.randint(0, 2))
    # OPA wants each of the variables used.
    lines += [f"{name} {scope.pick(_COMPARISONS)} {expression.term(inner.inner())}" for name in names]
    return f"every {', '.join(names)} in {source} {{ {'; '.join(lines)} }}"


def under_with(scope: Scope) -> str:
    """Evaluate something with parts of input, data, a rule or a builtin replaced."""
    rules = [rule for rule in scope.rules if rule.kind in {"complete", "set", "object"}]
    targets = ["input.a", "input.b", "input.o.k", "input", "input.l", "data.d.roles", "data.d.s", "data.d.m.a", "data.d.new"]
    targets += [f"data.{rule.package}.{rule.name}" for rule in rules[:2]]
    clauses = [f"with {scope.pick(targets)} as {expression.term(scope.inner())}" for _ in range(scope.chance.randint(1, 2))]
    if scope.likely(0.1):
        clauses.append(scope.pick(["with count as 7", "with is_string as true", "with time.now_ns as 1"]))
    if scope.likely(0.4):
        name = scope.fresh()
        value = expression.rule_term(scope.inner())
        scope.bind(name)
        return f"{name} := {value} {' '.join(clauses)}"
    prefix = "not " if scope.likely(0.2) else ""
    return f"{prefix}{_plain(scope.inner())} {' '.join(clauses)}"


def _plain(scope: Scope) -> str:
    makers: tuple[Callable[[Scope], str], ...] = (guard, comparison, membership, rule_call, rule_call)
    text = scope.chance.choice(makers)(scope)
    return text.removeprefix("not ")
