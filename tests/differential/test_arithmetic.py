"""Operators, their names, roundings and `format_int`, with numbers of every size and spelling, of the input and of a policy."""

from __future__ import annotations

import itertools
import random
from typing import Final

import pytest

from sark_e2e.differential.calls import told
from sark_e2e.differential.case import Case
from sark_e2e.differential.comparison import Comparison

# As they are spelled: small, around 31, 53, 63 and 64 bits, beyond, whole with a point or an exponent, and fractions.
NUMBERS: Final = (
    "0", "-0", "0.0", "-0.0", "0e5", "1", "-1", "1.0", "-1.0", "1.00", "1e0", "2", "2.0", "3", "-3", "7", "7.0", "-7.0",
    "10", "1e1", "1e2", "1.5e1", "0.5", "-0.5", "1.5", "2.5", "-2.5", "-0.25", "0.0625", "0.1", "-0.1", "0.3", "1e-7",
    "2147483647", "2147483648", "-2147483648", "-2147483649", "2147483648.0", "9007199254740991", "9007199254740992",
    "9007199254740993", "9007199254740993.0", "4503599627370496.5", "9223372036854775807", "9223372036854775808",
    "-9223372036854775808", "-9223372036854775809", "9223372036854775807.0", "12345678901234567890",
    "12345678901234567890.0", "-12345678901234567890", "18446744073709551615", "18446744073709551616",
    "-18446744073709551616", "36893488147419103231", "1e19", "1e20", "1e21", "-1e20", "1.5e20",
    "123456789012345678901234567890", "340282366920938463463374607431768211456", "1e30", "1e300", "1099511627775.5",
    "1000000007.5",
)  # fmt: skip
SIGNS: Final = {"plus": "+", "minus": "-", "mul": "*", "div": "/", "rem": "%"}
ROUNDINGS: Final = ("abs", "ceil", "floor", "round")
BASES: Final = ("2", "8", "10", "16", "8.0", "1e1", "0", "-2", "3", "36", "10.5")


def drawn(chance: random.Random) -> str:
    """Return the spelling of a number, mostly of one at which something changes."""
    sign = chance.choice(("", "-"))
    match chance.randrange(6):
        case 0:
            return chance.choice(NUMBERS)
        case 1:
            return f"{sign}{(1 << chance.choice((8, 31, 32, 53, 62, 63, 64, 65, 127))) + chance.randint(-3, 3)}"
        case 2:
            return (
                f"{sign}{chance.randrange(1 << chance.choice((4, 16, 40, 54, 64, 70, 128)))}{chance.choice(('', '.0', '.00'))}"
            )
        case 3:
            fraction = chance.choice((".5", ".25", ".125", ".0625"))
            return f"{sign}{chance.randrange(1 << chance.choice((4, 20, 36, 44, 50)))}{fraction}"
        case 4:
            return f"{sign}{chance.randrange(1000)}.{chance.randrange(1, 1000)}"
        case _:
            exponent = chance.choice((-7, -1, 0, 1, 5, 18, 19, 20, 25))
            return f"{sign}{chance.randint(1, 9)}{chance.choice(('', '.0', '.5'))}e{exponent}"


def rules_of(left: str, right: str) -> dict[str, str]:
    """Return the calculations with `left` and `right`, which are expressions, under their names."""
    return (
        {f"operator_{name}": f"{left} {sign} {right}" for name, sign in SIGNS.items()}
        | {f"called_{name}": f"{name}({left}, {right})" for name in SIGNS}
        | {f"rounded_{name}": f"{name}({left})" for name in ROUNDINGS}
        | {"sum_of_array": f"sum([{left}, {right}])", "product_of_array": f"product([{left}, {right}])"}
        | {"sum_of_set": f"sum({{{left}, {right}}})", "is_equal": f"{left} == {right}", "is_less": f"{left} < {right}"}
    )


def of_input(pairs: list[tuple[str, str]], rules: dict[str, str]) -> Case:
    """Return the case whose inputs are `pairs`."""
    module = "package p\n\n" + "\n".join(f"{name} := {body}" for name, body in rules.items())
    return Case(
        "numbers", (("p.rego", module),), "{}", tuple(f"[{a}, {b}]" for a, b in pairs), tuple(f"p/{name}" for name in rules)
    )


def written(pairs: list[tuple[str, str]]) -> Case:
    """Return the case whose policy has `pairs` written in it."""
    rules = {f"of_{at}_{name}": body for at, (a, b) in enumerate(pairs) for name, body in rules_of(a, b).items()}
    module = "package p\n\n" + "\n".join(f"{name} := {body}" for name, body in rules.items())
    return Case("numbers", (("p.rego", module),), "{}", ("{}",), tuple(f"p/{name}" for name in rules))


def test_each_kind_of_number_meets_each(comparison: Comparison):
    result = comparison.compare(of_input(list(itertools.product(NUMBERS, repeat=2)), rules_of("input[0]", "input[1]")))

    assert (result.refused_by_opa, result.refused_by_engine) == (None, None)
    assert not result.disagreements, told(result.disagreements)
    assert result.equal > 10_000


@pytest.mark.parametrize("seed", range(3))
def test_pairs_of_the_input_are_reckoned_with_as_by_opa(seed: int, comparison: Comparison):
    chance = random.Random(seed)
    pairs = [(drawn(chance), drawn(chance)) for _ in range(1_500)]

    result = comparison.compare(of_input(pairs, rules_of("input[0]", "input[1]")))

    assert not result.disagreements, told(result.disagreements)
    assert result.equal > 3_000


@pytest.mark.parametrize("seed", range(3))
def test_one_operand_is_written_in_the_policy(seed: int, comparison: Comparison):
    chance = random.Random(seed)
    equal = 0
    for _ in range(20):
        literal = drawn(chance)
        pairs = [(drawn(chance), "0") for _ in range(30)]
        for rules in (rules_of("input[0]", literal), rules_of(literal, "input[0]")):
            result = comparison.compare(of_input(pairs, rules))

            assert not result.disagreements, told(result.disagreements)
            equal += result.equal
    assert equal > 2_000


@pytest.mark.parametrize("seed", range(3))
def test_both_operands_are_written_in_the_policy(seed: int, comparison: Comparison):
    chance = random.Random(seed)
    equal = 0
    for _ in range(20):
        result = comparison.compare(written([(drawn(chance), drawn(chance)) for _ in range(10)]))

        assert not result.disagreements, told(result.disagreements)
        equal += result.equal
    assert equal > 500


def test_whole_numbers_are_written_in_every_base_as_by_opa(comparison: Comparison):
    chance = random.Random(0)
    numbers = [*NUMBERS, *(drawn(chance) for _ in range(500))]

    result = comparison.compare(of_input(list(itertools.product(numbers, BASES)), {"text": "format_int(input[0], input[1])"}))

    assert not result.disagreements, told(result.disagreements)
    assert result.equal > 1_000
