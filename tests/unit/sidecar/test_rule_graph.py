"""What is read out of OPA's compiled modules: reach, volatility, and where base data lies."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

from sark_sidecar import exact_json
from sark_sidecar.opa.base_data import MAX_PATHS, DataTooScattered, assemble, base_paths
from sark_sidecar.opa.rule_graph import DataPath, RuleGraph, Subtrees, rule_graph


def related(one: DataPath, other: DataPath) -> bool:
    """Return whether one path is the other or lies below it."""
    shorter = min(len(one), len(other))
    return one[:shorter] == other[:shorter]


def ref(text: str) -> dict[str, Any]:
    """`data.a[x]` as OPA writes it: a part in angle brackets is a variable."""
    first, *rest = text.split(".")
    parts: list[dict[str, Any]] = [{"type": "var", "value": first}]
    parts += [
        {"type": "var", "value": part[1:-1]} if part.startswith("<") else {"type": "string", "value": part} for part in rest
    ]
    return {"type": "ref", "value": parts}


def rule(name: str, *mentions: str) -> dict[str, Any]:
    first, *rest = name.split(".")
    head = [{"type": "var", "value": first}, *({"type": "string", "value": part} for part in rest)]
    return {"head": {"name": first, "ref": head}, "body": [{"terms": [ref(each)]} for each in mentions]}


def module(package: str, *rules: dict[str, Any]) -> dict[str, Any]:
    return {"package": {"path": ref(f"data.{package}")["value"]}, "rules": list(rules)}


@pytest.fixture
def graph() -> RuleGraph:
    return rule_graph(
        [
            module(
                "mcp.gateway",
                rule("decision", "data.mcp.gateway.allow", "sprintf"),
                rule("allow", "data.mcp.tenants.<t>", "data.lib.roles.admin", "input.user"),
                rule("fresh", "data.lib.clock.hour"),
                rule("deep.er", "data.limits.max"),
            ),
            module("lib.roles", rule("admin", "data.roles")),
            module("lib.clock", rule("hour", "time.clock", "time.now_ns")),
            {"package": {"path": ref("data.empty")["value"]}},
        ]
    )


@pytest.mark.parametrize(
    "builtin",
    [
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
        "uuid.rfc4122",
    ],
)
def test_a_path_that_reaches_what_may_be_otherwise_the_next_time_must_not_be_kept(builtin: str):
    graph = rule_graph([module("door", rule("allow", "data.door.known"), rule("known", builtin), rule("name", "input.name"))])
    assert not graph.is_deterministic(("door", "allow"))
    assert graph.is_deterministic(("door", "name"))


def test_a_path_that_reaches_the_clock_must_not_be_kept(graph: RuleGraph):
    assert not graph.is_deterministic(("mcp", "gateway", "fresh"))
    assert not graph.is_deterministic(("lib", "clock", "hour"))
    # A package is all its rules; so is everything above it.
    assert not graph.is_deterministic(("mcp", "gateway"))
    assert not graph.is_deterministic(())


def test_a_path_that_does_not_may(graph: RuleGraph):
    assert graph.is_deterministic(("mcp", "gateway", "decision"))
    assert graph.is_deterministic(("mcp", "gateway", "decision", "allow"))
    assert graph.is_deterministic(("nothing", "here"))


def test_a_rule_that_names_a_package_by_variable_reaches_all_of_it():
    graph = rule_graph([module("a", rule("x", "data.lib.<any>")), module("lib.r", rule("dice", "rand.intn"))])
    assert not graph.is_deterministic(("a", "x"))


def test_data_as_a_whole_reaches_everything():
    whole = {"head": {"name": "x"}, "body": [{"terms": {"type": "var", "value": "data"}}]}
    graph = rule_graph([module("a", whole), module("b", rule("id", "uuid.rfc4122"))])
    assert not graph.is_deterministic(("a", "x"))


def test_what_reaches_data_by_a_variable_right_below_it_must_not_be_kept():
    # Given a rule that reads whatever document the input names, and others that reach it or do not
    graph = rule_graph(
        [
            module(
                "authz", rule("allow", "data.<tenant>.admins"), rule("main", "data.authz.allow"), rule("plain", "data.roles")
            ),
        ]
    )
    # Then no look can know all that decides, whatever the revision says
    assert not graph.is_deterministic(("authz", "allow"))
    assert not graph.is_deterministic(("authz", "main"))
    assert not graph.is_deterministic(("authz",))
    assert graph.is_deterministic(("authz", "plain"))


NOTHING = Subtrees(frozenset())


@pytest.mark.parametrize(
    ("path", "stays"),
    [
        pytest.param("grants", True, id="what is read back"),
        pytest.param("grants.bob.admin", True, id="what lies below it"),
        pytest.param("limits.max", True, id="a part that is read back"),
        pytest.param("limits", False, id="more than that part"),
        pytest.param("limits.min", False, id="what lies beside it"),
        pytest.param("others.bob", False, id="what nobody reads"),
        pytest.param("authz.allow", True, id="a rule"),
        pytest.param("authz.allow.reason", True, id="below a rule"),
        pytest.param("authz.limits", False, id="beside a rule"),
        pytest.param("authz", False, id="a package, beside whose rules anything may lie"),
        pytest.param("", False, id="all there is"),
    ],
)
def test_an_answer_stays_only_when_all_it_can_come_from_is_compared(path: str, stays: bool):
    # Given a rule, and looks that read a document and a part of another one back
    graph = rule_graph([module("authz", rule("allow", "data.limits.max"))])
    compared = Subtrees(frozenset({("grants",), ("limits", "max")}))
    # Then what is put straight to base data stays no longer than what a revision stands for
    assert graph.stays_with(tuple(part for part in path.split(".") if part), compared) is stays


@pytest.mark.parametrize("reference", ["data.mcp.<name>.admin", "data.mcp"])
def test_a_rule_that_reaches_what_lies_beside_rules_does_not_stay(reference: str):
    # Given a rule that reads a document beside a package by a name that is known only when it is evaluated, and who needs it
    graph = rule_graph(
        [
            module("authz", rule("allow", reference), rule("main", "data.authz.allow"), rule("plain", "data.mcp.tenants.<t>")),
            module("mcp.gateway", rule("decision", "data.mcp.gateway.on"), rule("on", "input.on")),
        ]
    )
    # Then no look knows which it reads
    assert not graph.stays_with(("authz", "allow"), NOTHING)
    assert not graph.stays_with(("authz", "main"), NOTHING)
    # But it is the same every time, and one that names its document is compared
    assert graph.is_deterministic(("authz", "main"))
    assert graph.stays_with(("authz", "plain"), NOTHING)
    assert graph.stays_with(("mcp", "gateway", "decision"), NOTHING)


def test_a_rule_with_others_below_it_stays():
    # Given rules that make up one document, where OPA takes no base data
    graph = rule_graph([module("a", rule("b"), rule("b.c"), rule("all", "data.a.b"))])
    for path in (("a", "b"), ("a", "b", "c"), ("a", "b", "other"), ("a", "all")):
        assert graph.stays_with(path, NOTHING)


def test_verdicts_are_those_of_a_plain_walk():
    # Given graphs drawn by chance, with rules above and below each other
    chance = random.Random(7)
    for _ in range(300):
        paths = [tuple(chance.choices("abc", k=chance.randint(1, 3))) for _ in range(chance.randint(1, 8))]
        names = [tuple(chance.choices("abc", k=chance.randint(0 if chance.random() < 0.1 else 1, 3))) for _ in range(6)]
        edges = {path: frozenset(chance.sample(names, chance.randint(0, 2))) for path in paths}
        graph = RuleGraph(frozenset(paths), edges, frozenset(chance.sample(paths, chance.randint(0, 1))))
        # Then each path has the verdict of who goes from rule to rule
        for path in product("abc", repeat=3):
            for length in range(4):
                assert graph.is_deterministic(path[:length]) is walked(graph, path[:length])


def walked(graph: RuleGraph, path: tuple[str, ...]) -> bool:
    seen: set[tuple[str, ...]] = set()
    waiting = [path]
    while waiting:
        wanted = waiting.pop()
        for each in graph.rules:
            if each not in seen and related(each, wanted):
                if each in graph.volatile or () in graph.edges[each]:
                    return False
                seen.add(each)
                waiting.extend(graph.edges[each])
    return True


class Counted(tuple[str, ...]):
    """A path that counts how often it is compared or cut."""

    __slots__ = ()
    cut = 0

    def __getitem__(self, index: Any) -> Any:
        Counted.cut += 1
        return tuple(self)[index] if isinstance(index, int) else tuple.__getitem__(self, index)


@pytest.mark.parametrize("rules", [10, 1000])
def test_a_question_costs_the_same_in_a_graph_of_any_size(rules: int):
    # Given rules each of which names the next
    paths = [("p", f"r{number}") for number in range(rules)]
    edges = {path: frozenset({after}) for path, after in zip(paths, paths[1:] + paths[:1], strict=True)}
    graph = RuleGraph(frozenset(paths), edges, frozenset())
    # When a path is asked about that nobody defines, and has many parts
    Counted.cut = 0
    assert not graph.stays_with(Counted(["p", *("x" * 500)]), Subtrees(frozenset({("q", "r")})))
    # Then no more of it is looked at than a rule is long, or a path that is compared
    assert Counted.cut <= 9


def test_rules_that_name_each_other_end():
    graph = rule_graph([module("a", rule("x", "data.a.y"), rule("y", "data.a.x"))])
    assert graph.is_deterministic(("a", "x"))


def test_references_inside_references_are_seen():
    inner = {"type": "ref", "value": [{"type": "var", "value": "data"}, {"type": "string", "value": "t"}, ref("data.key")]}
    graph = rule_graph([module("a", {"head": {"name": "x"}, "body": [{"terms": inner}]})])
    assert graph.base_references() == {("t",), ("key",)}


@pytest.mark.parametrize("tree", [{}, {"package": {}}, {"package": {"path": []}, "rules": [{}]}, {"package": 3}])
def test_a_tree_of_another_shape_is_refused(tree: dict[str, Any]):
    with pytest.raises(ValueError, match="a shape this version does not know"):
        rule_graph([tree])


def test_base_data_beside_packages_is_found_and_rules_are_left_out(graph: RuleGraph):
    ours = {"roles": {"a": 1}, "mcp": {"tenants": {"x": 1}, "extra": [1], "gateway": {"decision": "shadowed"}}, "plain": 3}
    assert base_paths(ours, graph) == [("limits", "max"), ("mcp", "extra"), ("mcp", "tenants"), ("plain",), ("roles",)]


def test_equal_data_is_assembled_equal_and_different_data_different(graph: RuleGraph):
    ours = {"roles": {"a": 1}, "mcp": {"tenants": {"x": 1}}}
    read = [(("mcp", "tenants"), {"x": 1}), (("roles",), {"a": 1})]
    assert assemble(ours, graph, read) == ours
    assert assemble(ours, graph, [(("mcp", "tenants"), {"x": 2}), read[1]]) != ours
    assert assemble(ours, graph, read[:1]) != ours
    # A document that we lack but a rule names makes the difference too.
    assert assemble(ours, graph, [*read, (("limits", "max"), 5)]) != ours


def test_numbers_read_back_keep_their_digits(graph: RuleGraph):
    value = exact_json.loads(b'{"x": 12345678901234567890123}')
    assert exact_json.dumps(assemble({}, graph, [(("roles",), value)])) == b'{"roles":{"x":12345678901234567890123}}'


def test_data_in_too_many_places_is_not_compared(graph: RuleGraph):
    with pytest.raises(DataTooScattered, match=f"at most {MAX_PATHS}"):
        base_paths({f"d{number}": {} for number in range(MAX_PATHS + 1)}, graph)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("a.b", "a", True), ("a", "a.b", True), ("a.b", "a.c", False), ("", "a", True), ("ab", "a", False)],
)
def test_paths_are_related_when_one_lies_below_the_other(one: str, other: str, expected: bool):
    paths = [tuple(part for part in text.split(".") if part) for text in (one, other)]
    assert related(paths[0], paths[1]) is expected
