"""Rules of random policies: definitions of one name that overlap, conflict, default and chain."""

from __future__ import annotations

from typing import Final

from . import expression, statement
from .scope import STRINGS, RuleName, Scope

_FEW: Final = (1, 1, 2, 2, 3, 4, 6)
_MANY: Final = (12, 25, 40)


def definitions(scope: Scope, rule: RuleName) -> list[str]:
    """Return all definitions of `rule`."""
    if rule.kind == "complete" and scope.likely(0.2):
        return _guarded(scope, rule)
    count = scope.chance.choice(_FEW)
    found = [_definition(_clean(scope), rule, number) for number in range(count)]
    if rule.kind == "complete" and scope.likely(0.35):
        found.insert(0, f"default {rule.name} := {expression.scalar(scope)}")
    if rule.kind == "function" and scope.likely(0.2):
        found.insert(0, f"default {rule.name}({', '.join('_' * rule.arity)}) := {expression.scalar(scope)}")
    return found


def _guarded(scope: Scope, rule: RuleName) -> list[str]:
    """Return many definitions with one or two equality guards each: what a rule index is for."""
    path, second = expression.guard_path(scope), expression.guard_path(scope)
    value = expression.scalar(scope)
    found = []
    for _ in range(scope.chance.choice(_MANY)):
        constant, other = expression.scalar(scope), expression.scalar(scope)
        lines = [f"{path} == {constant}" if scope.likely(0.7) else f"{constant} == {path}"]
        if scope.likely(0.5):
            lines.append(f"{second} == {other}")
        if scope.likely(0.2):
            lines.append(statement.guard(scope))
        scope.chance.shuffle(lines)
        # One value mostly, so that not every overlap is a conflict.
        head = value if scope.likely(0.8) else scope.pick([constant, other, path])
        found.append(f"{rule.name} := {head} if {_block(lines)}")
    if scope.likely(0.5):
        found.insert(0, f"default {rule.name} := {expression.scalar(scope)}")
    return found


def _definition(scope: Scope, rule: RuleName, number: int) -> str:
    match rule.kind:
        case "complete":
            return _complete(scope, rule)
        case "set":
            lines = statement.body(scope, scope.chance.randint(0, 3))
            return f"{rule.name} contains {expression.term(scope)}{_tail(lines)}"
        case "object":
            lines = statement.body(scope, scope.chance.randint(0, 3))
            return f"{rule.name}[{_key(scope)}] := {expression.term(scope)}{_tail(lines)}"
        case "function":
            return _function(scope, rule)
        case _:
            return _nested(scope, rule, number)


def _complete(scope: Scope, rule: RuleName) -> str:
    lines = statement.body(scope, scope.chance.randint(1, 3))
    if scope.likely(0.35):
        return f"{rule.name} if {_block(lines)}{_otherwise(scope)}"
    value = expression.term(scope) if scope.likely(0.5) else expression.scalar(scope)
    return f"{rule.name} := {value} if {_block(lines)}{_otherwise(scope)}"


def _function(scope: Scope, rule: RuleName) -> str:
    arguments = []
    for _ in range(rule.arity):
        name = scope.fresh()
        pattern = scope.pick([name, name, name, expression.scalar(scope), f"[{name}, _]", f'{{"k": {name}}}', "_"])
        if name in pattern:
            scope.bind(name)
        arguments.append(pattern)
    lines = statement.body(scope, scope.chance.randint(0, 2))
    if scope.variables and scope.likely(0.5):
        lines.append(f"{scope.pick(scope.variables)} {scope.pick(['==', '!=', '<', '='])} {expression.scalar(scope)}")
    value = "" if lines and scope.likely(0.3) else f" := {expression.term(scope)}"
    rest = _otherwise(scope) if lines else ""
    return f"{rule.name}({', '.join(arguments)}){value}{_tail(lines)}{rest}"


def _nested(scope: Scope, rule: RuleName, number: int) -> str:
    """Return a definition whose head is a reference of several parts."""
    lines = statement.body(scope, scope.chance.randint(0, 2))
    head = (f"{rule.name}.k", f"{rule.name}.p[{_key(scope)}]", f"{rule.name}.q", f"{rule.name}.t[{_key(scope)}].u")[number % 4]
    if head.endswith(".q"):
        return f"{head} contains {expression.term(scope)}{_tail(lines)}"
    return f"{head} := {expression.term(scope)}{_tail(lines)}"


def _otherwise(scope: Scope) -> str:
    if not scope.likely(0.3):
        return ""
    text = ""
    for _ in range(scope.chance.randint(1, 3)):
        branch = _clean(scope)
        lines = statement.body(branch, scope.chance.randint(1, 2))
        text += f" else := {expression.term(branch)} if {_block(lines)}"
    return text + (f" else := {expression.scalar(scope)}" if scope.likely(0.4) else "")


def _clean(scope: Scope) -> Scope:
    """Return the scope of another body: nothing is bound there yet."""
    return Scope(scope.chance, scope.package, scope.rules, [], 0, scope.counter)


def _key(scope: Scope) -> str:
    return scope.pick([*scope.variables, *scope.variables, *STRINGS[:3], "input.a"])


def _tail(lines: list[str]) -> str:
    return f" if {_block(lines)}" if lines else ""


def _block(lines: list[str]) -> str:
    return "{\n" + "".join(f"\t{line}\n" for line in lines) + "}"
