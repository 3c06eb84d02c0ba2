"""Every builtin that policies use, called on words that it may stumble over: a rule for each call, all on one input."""

from __future__ import annotations

import random
import re
from typing import Final

from sark_e2e.differential.case import Case
from sark_e2e.differential.document import NUMBERS, STRINGS, Document, Fields, Number, anything, mutated, parse, render

_CALLS: Final = (
    *("abs({n})", "array.concat({a}, {a})", "array.reverse({a})", "array.slice({a}, {i}, {i})", "base64.decode({b})"),
    *("base64.encode({s})", "base64.is_valid({b})", "base64url.decode({b})", "base64url.encode({s})", "base64url.encode_no_pad({s})"),
    *("bits.and({i}, {n})", "bits.lsh({n}, {i})", "bits.negate({n})", "bits.or({n}, {i})", "bits.rsh({n}, {i})", "bits.xor({n}, {n})"),
    *("ceil({n})", "concat({s}, {a})", "contains({s}, {s})", "count({e})", "crypto.hmac.sha256({s}, {s})", "crypto.md5({s})"),
    *("crypto.sha1({s})", "crypto.sha256({s})", "endswith({s}, {s})", "floor({n})", "format_int({n}, {k})"),
    *("glob.match({g}, {d}, {s})", "glob.match({g}, null, {s})", "glob.quote_meta({s})", "graph.reachable({o}, {a})"),
    *("graph.reachable_paths({o}, {a})", "hex.decode({x})", "hex.encode({s})", "indexof({s}, {s})", "indexof_n({s}, {s})"),
    *("intersection({{{a}, {a}}})", "intersection({ {x | some x in {a}}, {x | some x in {a}} })", "is_array({e})", "is_boolean({e})"),
    *("is_null({e})", "is_number({e})", "is_object({e})", "is_set({e})", "is_string({e})", "json.filter({o}, {l})", "json.is_valid({j})"),
    *("json.marshal({e})", "json.patch({o}, {h})", "json.remove({o}, {l})", "json.unmarshal({j})", "lower({s})", "max({a})", "min({a})"),
    *("net.cidr_contains({p}, {q})", "net.cidr_contains({p}, {p})", "net.cidr_expand({p})", "net.cidr_intersects({p}, {p})"),
    *("net.cidr_is_valid({p})", "net.cidr_merge({A})", "net.cidr_contains_matches({A}, {A})", "numbers.range({i}, {i})"),
    *("numbers.range_step({i}, {i}, {k})", "object.filter({o}, {a})", "object.get({o}, {s}, {e})", "object.get({o}, {a}, {e})"),
    *("object.keys({o})", "object.remove({o}, {a})", "object.subset({e}, {e})", "object.union({o}, {o})", "object.union_n([{o}, {o}])"),
    *("product({a})", "product([{n}, {n}, {n}])", "regex.find_all_string_submatch_n({r}, {s}, {i})", "regex.find_n({r}, {s}, {i})"),
    *("regex.is_valid({r})", "regex.match({r}, {s})", "regex.replace({s}, {r}, {s})", "regex.split({r}, {s})"),
    *("regex.template_match({s}, {s}, {s}, {s})", "regex.globs_match({g}, {g})", "replace({s}, {s}, {s})", "round({n})"),
    *("semver.compare({v}, {v})", "semver.is_valid({v})", "sort({e})", "sort({a})", "split({s}, {s})", "sprintf({f}, {a})", "sprintf({f}, [{n}])"),
    *("sprintf({f}, [{s}])", "startswith({s}, {s})", "strings.any_prefix_match({s}, {a})", "strings.any_suffix_match({a}, {s})"),
    *("strings.count({s}, {s})", "strings.replace_n({o}, {s})", "strings.reverse({s})", "substring({s}, {i}, {i})", "sum({a})"),
    *("sum([{n}, {n}, {n}])", "time.add_date({t}, {i}, {i}, {i})", "time.clock({t})", "time.clock([{t}, {z}])", "time.date({t})"),
    *("time.date([{t}, {z}])", "time.diff({t}, {t})", "time.diff([{t}, {z}], [{t}, {z}])", "time.format({t})", "time.format([{t}, {z}, {y}])"),
    *("time.format([{t}, {z}])", "time.parse_duration_ns({D})", "time.parse_ns({y}, {w})", "time.parse_rfc3339_ns({w})", "time.weekday({t})"),
    *("to_number({e})", "to_number({m})", "trim({s}, {s})", "trim_left({s}, {s})", "trim_prefix({s}, {s})", "trim_right({s}, {s})"),
    *("trim_space({s})", "trim_suffix({s}, {s})", "type_name({e})", "union({ {x | some x in {a}}, {x | some x in {a}} })"),
    *("units.parse({u})", "units.parse_bytes({u})", "upper({s})", "urlquery.decode({U})", "urlquery.decode_object({U})"),
    *("urlquery.encode({s})", "urlquery.encode_object({o})", "uuid.parse({s})", "[p | walk({e}, p)]", "yaml.is_valid({Y})"),
    *("yaml.marshal({e})", "yaml.unmarshal({Y})", "({n} + {n})", "({n} - {n})", "({n} * {n})", "({n} / {n})", "({n} % {n})", "({e} < {e})"),
    *("({n} == {n})", "({n} < {n})", "({e} == {e})", "{ {e}, {e}, {e} }", "sort([{e}, {e}, {e}])", "max([{e}, {e}])", "({s} in {e})"),
    *("({{x | some x in {a}}} - {{x | some x in {a}}})", "({{x | some x in {a}}} & {{x | some x in {a}}})", "[x | some x in {e}]"),
    *("json.match_schema({o}, {o})", "json.verify_schema({o})", "io.jwt.decode({s})", "uri.is_valid({s})", "strings.split_n({s}, {s}, {i})"),
)
_TEXTS: Final = {
    "b": ("", "YQ==", "YQ", "YWI=", "YW\nI=", "-_8", "+/8=", "a", "====", "ÿ", "4pi6", "/w=="),
    "x": ("", "61", "6", "FF", "zz", "e298ba", "ff"),
    "s": (*STRINGS, "aXbXc", "  pad\t", "Straße", "İ", "日本", "a,b,,c", "%41+b", "\\", "'", "<&>", "\u2028", "e\u0301", "😀x", "AbC", "aaa"),
    "r": ("a", "^a.*b$", "[a-c]+", "(a)(b)?", "(?i)AB", "\\d+", "(?P<n>x)", "a{2,3}", "", "(", "\\pL", "[[:alpha:]]", "a|b|", "(?:x)*", "\\bab\\b"),
    "g": ("*", "a*", "**", "a/**", "*.b", "{a,b}", "{a,b*}.c", "[a-c]", "[!a]", "a?", "\\*", "", "[", "{a", "a.**.b", "?", "*/b"),
    "p": ("10.0.0.0/8", "10.1.0.0/16", "10.0.0.1", "10.0.0.1/32", "0.0.0.0/0", "192.168.1.254/30", "fe80::/10", "::1/128", "::/0", "10.0.0.0/33", "x", "::ffff:10.0.0.0/104"),
    "q": ("10.0.0.1", "10.255.255.255", "::1", "fe80::1", "::ffff:10.0.0.1", "10.0.0.256", "10.1", "", "010.0.0.1"),
    "v": ("1.0.0", "1.0.1", "1.10.0", "1.9.0", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0+b", "v1.0.0", "1.0", "01.0.0", "x", "1.0.0-1", "1.0.0-a"),
    "f": ("%v", "%s", "%d", "%x", "%X", "%q", "%5d|", "%-5d|", "%05d", "%+d", "%.2f", "%8.3f|", "%e", "%g", "%t", "%c", "%U", "%o", "%b", "%T", "%%", "%", "%5s|", "%-5v|", "%.1s", "%v %v", "%[1]v", "%#v", "%s%%", "é%s"),
    "w": ("2026-01-31T00:00:00Z", "2024-02-29T23:59:59.123456789+02:00", "1969-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "x", "2026-01-01", "9999-12-31T23:59:59Z", "Mon Jan _2 2006", "2026-01-31T00:00:00", "2262-04-11T23:47:17Z"),
    "y": ("2006-01-02", "RFC3339", "RFC1123", "2006-01-02T15:04:05Z07:00", "ANSIC", "Mon, 02 Jan 2006", "15:04", "x", "", "RFC3339Nano", "Jan _2 06"),
    "z": ("UTC", "Europe/Berlin", "America/New_York", "Local", "", "Nowhere/None", "Asia/Kolkata"),
    "D": ("1h", "1h30m", "1.5s", "-2m", "100ms", "1us", "1µs", "3ns", "1d", "1", "", "0", "1h-1m", "999999h"),
    "u": ("10", "10k", "10Ki", "1.5M", "1.5Mi", "1e3", "1K", "100m", "1Gi", "1GiB", "1gb", "1 KB", "x", "", "-1k", "0.1G", "1e1000", "1E", "1EB", "1Pi", '"10k"'),
    "j": ("{}", "[1, 2.50, 1e3]", '{"a": 1, "a": 2}', "nul", "", '"\\u00e9"', "1", "01", "[1,]", '{"b": {"c": null}}', "1 2", " true "),
    "m": ("1", "1.0", "1e3", "0x10", " 1", "1_000", "", "Infinity", "NaN", "-0", "+1", ".5", "5.", "1e400", "12345678901234567890", "0b1"),
    "U": ("a=1&b=2", "a=1&a=2", "a%20b", "a+b", "%zz", "", "a", "a=%26&b", "é"),
    "Y": ("a: 1", "- x\n- y", "{a: [1, 2]}", "a: b: c", "", "yes", "1.0", "a: 1\na: 2", "~", "x: 012", "2026-01-01"),
}  # fmt: skip
_ARRAYS: Final = ("[]", "[1, 2, 3]", '["a", "b"]', '["a/b", "b"]', "[[1], [2]]", '[{"a": 1}]', "[1, 1.0, 2.5]", "[3, 1, 2]", '["b", 1, null]', '[""]', "[0.1, 0.2, 0.3]", '["a", "a"]', "[true]", "[1e-7]", "[9007199254740993, 2]")  # fmt: skip
_OBJECTS: Final = ("{}", '{"a": ["b"], "b": ["c", "a"], "c": []}', '{"a": {"b": {"c": 1}}}', '{"a": "b"}', '{"a": null, "ab": "x"}', '{"a": [1, 2, {"b": 3}]}', '{"a": "1", "b": ["x", "y"]}', '{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}', '{"a/b": {"~": 1}}', '{"": 0}')  # fmt: skip
_PATHS: Final = ('["a"]', '["a/b"]', '["a/b/c", "b"]', '[["a", "b"]]', '["/a"]', '["a~1b/~0"]', '["a/0"]', '[["a", 0]]', "[]", '["x"]')
_PATCHES: Final = ('[{"op": "add", "path": "/x", "value": 1}]', '[{"op": "remove", "path": "/a"}]', '[{"op": "replace", "path": "a/b", "value": [1]}]', '[{"op": "test", "path": "/a", "value": "b"}]', '[{"op": "move", "from": "/a", "path": "/z"}]', '[{"op": "copy", "from": "/a", "path": "/b/-"}]', '[{"op": "add", "path": ["a", "-"], "value": {}}]', "[]", '[{"op": "add", "path": "", "value": 1}]')  # fmt: skip
_PLACE: Final = re.compile(r"\{([a-zA-Z])\}")
_RULES: Final = 24


def calls(chance: random.Random, inputs: int) -> Case:
    """Return a module of calls with `inputs` inputs for their arguments."""
    places: list[str] = []

    def place(letter: re.Match[str]) -> str:
        places.append(letter[1])
        return f'input["{letter[1]}{len(places)}"]'

    rules = [f"r{number} := {_PLACE.sub(place, template)}" for number, template in enumerate(chance.sample(_CALLS, _RULES))]
    texts = tuple(render(_arguments(places, chance)) for _ in range(inputs))
    source = "\n\n".join(["package b", *rules]) + "\n"
    return Case("builtins", (("b.rego", source),), "{}", texts, tuple(f"b/r{number}" for number in range(_RULES)))


def _arguments(places: list[str], chance: random.Random) -> Document:
    return Fields(tuple((f"{letter}{number}", _argument(letter, chance)) for number, letter in enumerate(places, 1)))


def _argument(letter: str, chance: random.Random) -> Document:
    value = _fitting(letter, chance)
    return mutated(value, chance, STRINGS, NUMBERS) if chance.random() < 0.1 else value


def _fitting(letter: str, chance: random.Random) -> Document:
    documents = {"a": _ARRAYS, "o": _OBJECTS, "l": _PATHS, "h": _PATCHES}
    if letter in documents:
        return parse(chance.choice(documents[letter]))
    if letter in _TEXTS:
        return chance.choice(_TEXTS[letter])
    match letter:
        case "n":
            return Number(chance.choice(NUMBERS))
        case "i":
            return Number(chance.choice(["0", "1", "2", "3", "-1", "10", "-2", "64", "1.5"]))
        case "k":
            return Number(chance.choice(["2", "8", "10", "16", "0", "1", "-1", "3", "36", "1.0"]))
        case "d":
            return parse(chance.choice(['["/"]', '["."]', "[]", '["/", "."]', '["ab"]']))
        case "t":
            return Number(chance.choice(["0", "1767225600000000000", "1709251199123456789", "-1", "951827696000000000", "1e18", "9223372036854775807", "9223372036854775808", "1.5", "-62135596800000000000"]))  # fmt: skip
        case "A":
            return [chance.choice(_TEXTS["p"]) for _ in range(chance.randint(0, 3))]
        case _:
            roll = chance.random()
            if roll < 0.3:
                return parse(chance.choice(_ARRAYS + _OBJECTS))
            return anything(chance, _TEXTS["s"], NUMBERS)
