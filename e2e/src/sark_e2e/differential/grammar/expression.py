"""Terms of random policies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from . import statement
from .scope import COLLECTIONS, DATA, GUARDED, INPUT, NUMBERS, SCALARS, STRINGS, RuleName, Scope

_DEEPEST: Final = 3
_CALLS: Final = (
    *("count({c})", "sum({c})", "max({c})", "min({c})", "sort({c})", "product({c})", "array.concat({a}, {a})"),
    *("array.slice({a}, {n}, {n})", "array.reverse({a})", "concat({s}, {c})", "contains({s}, {s})", "endswith({s}, {s})"),
    *("startswith({s}, {s})", "indexof({s}, {s})", "lower({s})", "upper({s})", "replace({s}, {s}, {s})", "split({s}, {s})"),
    *("sprintf({f}, {a})", "substring({s}, {n}, {n})", "trim({s}, {s})", "trim_prefix({s}, {s})", "strings.reverse({s})"),
    *("object.get({o}, {k}, {e})", "object.keys({o})", "object.remove({o}, {a})", "object.union({o}, {o})"),
    *("object.filter({o}, {a})", "object.subset({o}, {o})", "json.filter({o}, {p})", "json.remove({o}, {p})"),
    *("union({z})", "intersection({z})", "type_name({e})", "is_string({e})", "is_number({e})", "is_set({e})", "is_array({e})"),
    *("to_number({e})", "abs({n})", "round({n})", "ceil({n})", "floor({n})", "numbers.range({n}, {n})", "format_int({n}, 10)"),
    *("json.marshal({e})", "json.unmarshal({s})", "base64.encode({s})", "base64.decode({s})", "hex.encode({s})"),
    *("regex.match({r}, {s})", "regex.split({r}, {s})", "regex.replace({s}, {r}, {s})", "regex.find_n({r}, {s}, -1)"),
    *("glob.match({g}, [], {s})", 'glob.match({g}, ["."], {s})', "net.cidr_contains({i}, {i})", "time.parse_duration_ns({s})"),
    *("semver.compare({v}, {v})", "bits.and({n}, {n})", "bits.lsh({n}, {n})", "units.parse({s})", "walk_count({e})"),
    *("urlquery.encode({s})", "graph.reachable({o}, {c})", "strings.any_prefix_match({s}, {c})", "cidr({i})"),
)
_REGEXES: Final = ('"^a"', '"b$"', '"[ab]+"', '"a|b"', '"^(a)(b)?$"', '"("', "`\\d`")
_GLOBS: Final = ('"a*"', '"*"', '"a?"', '"{a,b}"', '"**"', '"[ab]"', '"a.*"')
_ADDRESSES: Final = ('"10.0.0.0/8"', '"10.0.0.1"', '"10.1.0.0/16"', '"::1"', '"fe80::/10"', '"x"')
_VERSIONS: Final = ('"1.0.0"', '"1.0.1"', '"1.0.0-a"', '"x"')
_FORMATS: Final = ('"%v"', '"%s-%v"', '"%d"', '"%05.2f"', '"%x"', '"%v %v"', '"%%"', '"%q"', '"%10s|"')
_PATHS: Final = ('["a"]', '["a/b", "k"]', '[["a", "b"]]', '["l/0"]')


def term(scope: Scope) -> str:
    """Return any term over what `scope` binds."""
    roll = scope.chance.random()
    if scope.variables and roll < 0.3:
        return scope.pick(scope.variables)
    if scope.depth >= _DEEPEST or roll < 0.45:
        return scope.pick(SCALARS)
    makers: tuple[tuple[float, Callable[[Scope], str]], ...] = (
        (0.62, lambda inner: inner.pick(INPUT)),
        (0.68, lambda inner: inner.pick(DATA)),
        (0.78, rule_term),
        (0.85, builtin_call),
        (0.89, arithmetic),
        (0.94, composite),
        (1.0, comprehension),
    )
    return next(make(scope.inner()) for limit, make in makers if roll < limit)


def scalar(scope: Scope) -> str:
    """Return a constant."""
    return scope.pick(SCALARS)


def guard_path(scope: Scope) -> str:
    """Return a path that a rule index may look at."""
    return scope.pick(GUARDED)


def collection(scope: Scope) -> str:
    """Return something to iterate over, most of the time."""
    rules = [rule for rule in scope.rules if rule.kind in {"set", "object"}]
    if rules and scope.likely(0.3):
        return scope.reference(scope.chance.choice(rules))
    if scope.depth < _DEEPEST and scope.likely(0.15):
        return comprehension(scope.inner())
    if scope.variables and scope.likely(0.15):
        return scope.pick(scope.variables)
    return scope.pick(COLLECTIONS)


def rule_term(scope: Scope) -> str:
    """Return a reference to a rule that stands before, into its value at times."""
    rules = scope.callable()
    if not rules:
        return scope.pick(INPUT)
    rule = scope.chance.choice(rules)
    if rule.kind == "function":
        return call(scope, rule)
    reference = scope.reference(rule)
    if rule.kind == "complete" and scope.likely(0.8):
        return reference
    if rule.kind == "nested" or scope.likely(0.25):
        return reference + scope.pick(["", ".k", ".k.p", '["a"]', ".p"])
    return f"{reference}[{_key(scope)}]" if scope.likely(0.7) else reference


def call(scope: Scope, rule: RuleName) -> str:
    """Return a call of a function of the policy."""
    return f"{scope.reference(rule)}({', '.join(term(scope.inner()) for _ in range(rule.arity))})"


def builtin_call(scope: Scope) -> str:
    """Return a call of a builtin; the arguments fit it most of the time."""
    template = scope.pick(_CALLS)
    if "walk_count" in template:
        return f"count([p | [p, _] := walk({term(scope.inner())})])"
    if "cidr(" in template:
        return f"net.cidr_is_valid({scope.pick(_ADDRESSES)})"
    letters: dict[str, Callable[[], str]] = {
        "e": lambda: term(scope.inner()),
        "k": lambda: _key(scope),
        "c": lambda: collection(scope),
        "s": lambda: _fitting(scope, STRINGS, "input.a"),
        "n": lambda: _fitting(scope, NUMBERS, "input.b"),
        "a": lambda: _fitting(scope, ("[1, 2]", '["a", "b"]', '["a"]', "[]"), "input.l"),
        "o": lambda: _fitting(scope, ('{"a": 1}', '{"a": {"b": 2}, "k": "a"}', "{}"), "input.o"),
        "z": lambda: _fitting(scope, ('{{"a"}, {"a", "b"}}', "{{1}}"), "input.l"),
        "f": lambda: scope.pick(_FORMATS),
        "p": lambda: scope.pick(_PATHS),
        "r": lambda: scope.pick(_REGEXES),
        "g": lambda: scope.pick(_GLOBS),
        "i": lambda: _fitting(scope, _ADDRESSES, "input.a"),
        "v": lambda: _fitting(scope, _VERSIONS, "input.a"),
    }
    text = template
    while (place := text.find("{")) >= 0 and text[place + 2 : place + 3] == "}" and text[place + 1] in letters:
        # Arguments are put in behind a mark, so that braces of theirs are not taken for places.
        text = text[:place] + letters[text[place + 1]]().replace("{", "\x01") + text[place + 3 :]
    return text.replace("\x01", "{")


def arithmetic(scope: Scope) -> str:
    """Return an operation on numbers or sets."""
    if scope.likely(0.3):
        left, right = (scope.pick(['{"a", "b"}', "{1, 2}", "set()", "{input.a}", "{x | some x in input.l}"]) for _ in range(2))
        return f"({left} {scope.pick(['|', '&', '-'])} {right})"
    left, right = (_fitting(scope, NUMBERS, scope.pick(["input.b", "input.c", "input.l[0]"])) for _ in range(2))
    return f"({left} {scope.pick(['+', '-', '*', '/', '%'])} {right})"


def composite(scope: Scope) -> str:
    """Return an array, object or set of terms."""
    parts = [term(scope.inner()) for _ in range(scope.chance.randint(0, 3))]
    match scope.chance.randrange(3):
        case 0:
            return f"[{', '.join(parts)}]"
        case 1:
            return "{" + ", ".join(f"{_key(scope)}: {part}" for part in parts) + "}"
        case _:
            return "{" + ", ".join(parts) + "}" if parts else "set()"


def comprehension(scope: Scope) -> str:
    """Return a comprehension with a body of its own."""
    inner = scope.inner()
    body = "; ".join(statement.body(inner, scope.chance.randint(1, 2)))
    match scope.chance.randrange(3):
        case 0:
            return f"[{term(inner)} | {body}]"
        case 1:
            return f"{{{term(inner)} | {body}}}"
        case _:
            return f"{{{_key(inner)}: {term(inner)} | {body}}}"


def _key(scope: Scope) -> str:
    if scope.variables and scope.likely(0.5):
        return scope.pick(scope.variables)
    return scope.pick([*STRINGS, "input.a", "input.c", "0", "1"])


def _fitting(scope: Scope, constants: tuple[str, ...], path: str) -> str:
    roll = scope.chance.random()
    if roll < 0.5:
        return scope.pick(constants)
    if scope.variables and roll < 0.65:
        return scope.pick(scope.variables)
    return path if roll < 0.9 or scope.depth >= _DEEPEST else term(scope.inner())
