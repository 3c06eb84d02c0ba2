"""`python -m sark_e2e.training`: what an instrumented engine runs while it counts, for `make pgo`.

The policies are those of tests/differential/corpus and of the examples, and none that a benchmark measures: the compiler is to
learn what authorization policies do, and not the benchmark.
"""

from __future__ import annotations

import argparse
import http.client
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Final

from sark_engine import Engine, EngineError, Policies, Server

from sark_e2e.differential.__main__ import known_specimens
from sark_e2e.differential.corpus import Specimen

ROUNDS: Final = 30
_SEED: Final = 1
_INPUTS: Final = 60
_PATHS: Final = 6
"""Paths of a policy that are asked over HTTP."""
_AGAIN: Final = 3
"""How often each question comes again, and is answered from the cache."""
_SUBJECT: Final = "x-subject"


def train(specimens: Sequence[Specimen], rounds: int, report: Callable[[str], None]) -> int:
    """Have each policy loaded and asked, in process and over HTTP, and return how many answers came over HTTP."""
    answers = 0
    for specimen in specimens:
        before = answers
        case = specimen.case(random.Random(_SEED), _INPUTS)
        modules, data = list(case.modules), case.data.encode()
        inputs = [text.encode() for text in case.inputs if text is not None and text.strip().startswith("{")]
        served = Policies(modules, data)
        paths = [path for path in case.paths if served.verdict(path).tier]
        with _served(served) as post:
            for number in range(rounds):
                engine = Engine(Policies(modules, data))
                for given in _fresh(inputs, number):
                    answered = [path for path in paths if _evaluated(engine, path, given)]
                    answers += sum(post(path, given) for path in answered[:_PATHS] for _ in range(1 + _AGAIN))
        report(f"{specimen.name}: {answers - before:,} answers")
    return answers


def _fresh(inputs: Sequence[bytes], number: int) -> Iterator[bytes]:
    """Yield the inputs with a member that no policy looks at, so that none of them has been asked before."""
    for index, given in enumerate(inputs):
        members = given.strip()[1:-1].strip()
        yield b"{" + members + (b"," if members else b"") + f'"~": "{number}-{index}"}}'.encode()


def _evaluated(engine: Engine, path: str, given: bytes) -> bool:
    """Evaluate and decide in process, and return whether that has an answer: what is left to OPA finds nobody here."""
    try:
        engine.evaluate(path, given)
        for _ in range(1 + _AGAIN):
            engine.decide(path, given)
    except EngineError:
        return False
    return True


@contextmanager
def _served(policies: Policies) -> Iterator[Callable[[str, bytes], bool]]:
    """Give what asks the data plane with `policies`, over one connection, and returns whether there was a decision."""
    server = Server(Engine(policies), host="127.0.0.1", port=0, subject_header=_SUBJECT)
    server.set_flags(rollout="training/pgo", revision=1, percentage=100, salt="pgo", rust_opa=True, rust_cache=True)
    headers = {"Content-Type": "application/json", _SUBJECT: "anybody"}
    with closing(http.client.HTTPConnection("127.0.0.1", server.start(), timeout=30)) as connection:

        def post(path: str, given: bytes) -> bool:
            connection.request("POST", f"/v1/data/{path}", body=b'{"input": ' + given + b"}", headers=headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status == http.HTTPStatus.OK

        yield post
        server.metrics()
    server.drain(0.1)


def main(arguments: list[str] | None = None) -> int:
    """Train with all policies, and return 1 when hardly anything was answered."""
    parser = argparse.ArgumentParser(prog="python -m sark_e2e.training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often all is asked (default: {ROUNDS})")
    rounds = parser.parse_args(arguments).rounds
    specimens = known_specimens()
    answers = train(specimens, rounds, lambda line: print(line, file=sys.stderr, flush=True))
    print(f"{answers:,} answers")
    return 0 if answers >= rounds * len(specimens) else 1


if __name__ == "__main__":
    sys.exit(main())
