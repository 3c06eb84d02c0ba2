"""Clusters side by side never share an address."""

from __future__ import annotations

import ipaddress
import random

import pytest

from sark_e2e import loopback
from sark_e2e.loopback import LoopbackNetwork, NoAddressError


def test_addresses_are_loopback_and_given_once():
    with LoopbackNetwork() as network:
        addresses = [network.server, *(network.pod() for _ in range(20))]

    assert len(set(addresses)) == 21
    assert all(ipaddress.ip_address(address).is_loopback for address in addresses)


def test_a_held_network_is_not_given_to_another(monkeypatch: pytest.MonkeyPatch):
    # Given two clusters whose random numbers are the same at first
    drawn = iter([5, 6, 5, 6, 5, 7])
    monkeypatch.setattr(random, "randint", lambda _low, _high: next(drawn))

    # When both are up
    with LoopbackNetwork() as first, LoopbackNetwork() as second:
        # Then the second has drawn again
        assert (first.server, second.server) == ("127.5.6.1", "127.5.7.1")


def test_a_released_network_can_be_held_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(random, "randint", lambda _low, _high: 9)
    LoopbackNetwork().release()
    with LoopbackNetwork() as again:
        assert again.server == "127.9.9.1"


def test_a_full_network_says_so():
    with LoopbackNetwork() as network:
        for _ in range(loopback._LAST_POD - 1):
            network.pod()
        with pytest.raises(NoAddressError, match="room for 249 pods"):
            network.pod()
