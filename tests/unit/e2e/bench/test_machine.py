"""The machine is told from what the kernel says, and only a release build is measured."""

from __future__ import annotations

import os

import pytest

from sark_e2e.bench.cpu_time import cpu_seconds
from sark_e2e.bench.failure import BenchError
from sark_e2e.bench.machine import cpu_model, describe, memory_gib, require_release


def test_the_processor_is_named():
    assert cpu_model("processor\t: 0\nmodel name\t: Some  CPU @ 3.00GHz\nmodel name\t: other\n") == "Some CPU @ 3.00GHz"


@pytest.mark.parametrize("text", ["", "processor\t: 0\n", "model name\t:\n"])
def test_a_processor_without_a_name_is_unknown(text: str):
    assert cpu_model(text).startswith("unknown (")


def test_memory_is_read_in_gib():
    assert memory_gib("MemFree: 1 kB\nMemTotal:       25165824 kB\n") == 24.0
    assert memory_gib("") == 0.0


@pytest.mark.parametrize("profile", ["release", "pgo"])
def test_a_release_build_is_measured(profile: str):
    require_release(profile)


@pytest.mark.parametrize("profile", ["debug", "", "thin"])
def test_another_build_is_refused(profile: str):
    sentence = f"build_profile is '{profile}'; only 'release' and 'pgo' are measured: run `make setup` or `make pgo`"
    with pytest.raises(BenchError, match=sentence):
        require_release(profile)


def test_this_machine_is_described():
    machine = describe({})

    assert machine.cores >= 1
    assert machine.memory_gib > 0
    assert machine.versions["regorus"]


def test_processor_time_is_that_of_the_process():
    own = cpu_seconds([os.getpid()])

    assert own == pytest.approx(sum(os.times()[:2]), abs=0.05)


def test_processor_time_of_a_process_that_is_not_there_is_told():
    with pytest.raises(BenchError, match="the processor time of process 4194305 cannot be read"):
        cpu_seconds([4_194_305])


def test_processor_time_of_this_process_grows():
    before = cpu_seconds([os.getpid()])
    spent = os.times()
    while sum(os.times()[:2]) - sum(spent[:2]) < 0.05:
        pass

    assert cpu_seconds([os.getpid()]) > before


def test_processor_time_is_that_of_all_processes():
    one = cpu_seconds([os.getpid()])

    assert cpu_seconds([os.getpid(), os.getpid()]) >= 2 * one
