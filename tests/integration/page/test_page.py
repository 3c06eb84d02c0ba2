"""The page in a real browser, before a real operator: signing in, following a rollout that goes bad, phone, dark, keyboard."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from sark_client import Client
from sark_e2e import binaries
from sark_e2e.cluster import LocalCluster
from sark_e2e.deadline import eventually
from sark_e2e.example import quick
from sark_e2e.faults.link import Link, Weather
from sark_e2e.opa import OpaServer
from sark_e2e.page import ServedPage
from sark_e2e.scenario import Scenario

pytestmark = pytest.mark.timeout(600)
expect.set_options(timeout=30_000)
PATIENCE = 30_000
"""Milliseconds the page may take to show something, on a machine that runs a whole cluster."""
SHOTS = os.environ.get("SHOTS", "")
"""A folder for pictures, for those who want to look."""

LISTS = 'package lists\n\nclosed := {"open": false, "reason": "closed"}\n'
DOOR = """
package door

default decision := {"allow": false, "reason": "unknown list"}

decision := {"allow": data.lists[input.list].open, "reason": data.lists[input.list].reason}
"""
"""Policies in which OPA can know of a list that a sidecar has not loaded."""


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1280, "height": 900})
    made.set_default_timeout(PATIENCE)
    yield made
    made.close()


def watched(page: Page) -> list[str]:
    """Return a list that whatever the browser complains of is added to: a broken policy, a script that fails."""
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return complaints


def accessible(page: Page, axe: str) -> list[str]:
    """Return what axe-core finds wrong."""
    page.evaluate(axe)
    found: Any = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {node['html'][:200]} {node['failureSummary']}" for each in found["violations"] for node in each["nodes"]
    ]


def picture(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def link(url: str, *, listen: str) -> Link:
    """Return a way to the server at `url` that can be frozen."""
    address = urlsplit(url)
    return Link(str(address.hostname), int(address.port or 0), listen=listen, slow_seconds=1.0)


def test_an_sre_signs_in_and_sees_a_rollout_go_bad(  # noqa: PLR0915 - one story; a cluster for each part would take minutes
    context: BrowserContext, cluster: LocalCluster, scenario: Scenario, axe: str
):
    # Given a rollout that bakes at 50%, and an operator that serves the page
    served = ServedPage.at(cluster.network, cluster.folder / scenario.namespace)
    fleet = scenario.fleet(replicas=2)
    scenario.operator(arguments=served.arguments)
    scenario.traffic(fleet)
    rollout = scenario.apply("gateway", fleet, quick(25, 50, 100, bake="6s"))
    rollout.edit({"steps": [{"percent": 25, "bake": "6s"}, {"percent": 50, "bake": "10m"}, {"percent": 100, "bake": "10m"}]})
    rollout.bakes(50, milliseconds=4000, seconds=120)

    # When somebody comes without a token, then they are asked for it, and a wrong one does not let them in
    page = context.new_page()
    complaints = watched(page)
    page.goto(f"{served.url}/rollouts/{scenario.namespace}/gateway")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert accessible(page, axe) == []
    page.get_by_label("Token").fill("not the token at all")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("That is not the token.")
    complaints.clear()  # the browser notes the status 401

    # When they give the token, then they are where they wanted to be, and it is live
    page.get_by_label("Token").fill(served.token)
    page.get_by_label("Token").press("Enter")
    expect(page.get_by_role("heading", name="gateway", level=1)).to_be_visible()
    expect(page.locator("#live")).to_have_text("live")
    expect(page.locator(".stages .now .percent")).to_have_text("50%")
    expect(page.locator("#plot-errorRate canvas")).to_be_visible()
    expect(page.locator("#plot-share canvas")).to_be_visible()
    expect(page.get_by_role("img", name="Chart of Latency, p95")).to_be_visible()
    assert accessible(page, axe) == []
    picture(page, "baking")

    # And the numbers of a chart can be opened and read with the keyboard alone
    summary = page.locator("#criterion-errorRate details.numbers summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("group", name="Numbers of the chart errorRate").locator("tbody tr").first).to_be_visible()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.dataset.table") == "errorRate"

    # And it follows: another evaluation is seen, and what was opened stays open
    page.evaluate("window.same = true")
    evaluated = page.locator(".tiles time").first
    before = evaluated.get_attribute("datetime")
    expect(evaluated).not_to_have_attribute("datetime", str(before), timeout=PATIENCE)
    assert page.locator("#criterion-errorRate details.numbers").get_attribute("open") is not None

    # And it is as good in the dark, and on a phone
    page.emulate_media(color_scheme="dark")
    assert accessible(page, axe) == []
    expect(page.locator("#plot-errorRate canvas")).to_be_visible()
    picture(page, "dark")
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 360, "height": 740})
    expect(page.locator("#plot-errorRate canvas")).to_be_visible()
    assert fits(page)
    assert accessible(page, axe) == []
    picture(page, "phone")
    page.set_viewport_size({"width": 1280, "height": 900})

    # When a sidecar dies whose pod is still taken for ready, then the page names it, until it is back
    fleet.pods[1].sidecar.kill()
    lagging = page.locator(".note.warn", has_text="Not confirmed yet")
    expect(lagging).to_contain_text(fleet.pods[1].name, timeout=60_000)
    assert accessible(page, axe) == []
    picture(page, "laggard")
    fleet.pods[1].restart()
    expect(lagging).to_have_count(0, timeout=60_000)

    # When the new arm goes bad, then the page says so by itself, without being loaded anew
    fleet.inject(error_percent=60)
    expect(page.locator(".head .badge").first).to_contain_text("Reverted", timeout=60_000)
    expect(page.get_by_role("heading", name="Went back from 50%")).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".stages .back .percent")).to_have_text("50%")
    assert page.evaluate("window.same") is True
    assert accessible(page, axe) == []
    picture(page, "reverted")

    # And every decision has its numbers
    page.locator(".history .down a").click()
    expect(page.get_by_role("heading", name="50% → 0%")).to_be_visible()
    expect(page.get_by_text("SHA-256 of this record")).to_be_visible()
    assert page.locator(".card").count() >= 3
    assert accessible(page, axe) == []
    picture(page, "decision")

    # And the list has it, and is searched, and leads back to it
    page.get_by_role("link", name="Sark Rollout").click()
    page.get_by_role("searchbox").fill("reverted gateway")
    page.keyboard.press("Enter")
    expect(page.locator(".rollouts tbody tr")).to_have_count(1)
    expect(page.locator(".rollouts tbody tr")).to_contain_text("Reverted")
    assert accessible(page, axe) == []
    picture(page, "list")
    page.set_viewport_size({"width": 360, "height": 740})
    assert fits(page)
    picture(page, "phone-list")

    # And the browser had nothing to complain of, and the token is nowhere in what was shown
    assert complaints == []
    assert served.token not in page.content()

    # And who signs out is out
    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{served.url}/rollouts")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_decisions_that_differ_are_shown(
    context: BrowserContext, cluster: LocalCluster, scenario: Scenario, axe: str, tmp_path: Path
):
    # Given a fleet in whose shadow every request is decided by both arms
    policies = tmp_path / "policies"
    shutil.copytree(cluster.policies, policies)
    (policies / "lists.rego").write_text(LISTS, encoding="utf-8")
    (policies / "door.rego").write_text(DOOR, encoding="utf-8")
    served = ServedPage.at(cluster.network, cluster.folder / scenario.namespace)
    with OpaServer(binaries.program("opa"), network=cluster.network, folder=tmp_path, policies=policies) as opa:
        own = {"opa": {"url": opa.url, "poll_interval": "1s"}, "policies": {"directory": str(policies)}}
        fleet = scenario.fleet(replicas=1, overrides=own)
        scenario.operator(arguments=served.arguments)
        # Few, so that comparisons do not wait in line on a machine that has much else to do.
        scenario.traffic(fleet, rate=20)
        compared = {"percent": 50, "bake": "10m", "shadow": {"samplePercent": 100}}
        warned = quick(50, 100, bake="10m", decisionMismatch={"action": "Warn", "minComparisons": 20})
        rollout = scenario.apply("gateway", fleet, {**warned, "steps": [compared, {"percent": 100, "bake": "10m"}]})
        rollout.bakes(50, milliseconds=1000, seconds=120)
        page = context.new_page()
        complaints = watched(page)
        page.goto(f"{served.url}/rollouts/{scenario.namespace}/gateway")
        page.get_by_label("Token").fill(served.token)
        page.get_by_label("Token").press("Enter")
        expect(page.locator("#criterion-decisionMismatch .badge")).to_contain_text("Pass", timeout=60_000)

        # When OPA knows of a list that the sidecar does not, and it is asked for
        context.request.put(f"{opa.url}/v1/data/lists/guests", data={"open": True, "reason": "welcome"})
        found = page.get_by_role("group", name="Table of different decisions").locator("tbody tr")
        with Client(fleet.data_urls[0], path="door/decision") as client:

            def is_found() -> bool:
                client.decide({"list": "guests", "user": {"id": "alice"}})
                return "door/decision" in "".join(found.all_text_contents())

            # A difference counts after the next look at OPA's policies, and looks take a twentieth of the time: if the first
            # one took seconds, because everything was starting, the next comes minutes later.
            eventually(is_found, what="a difference on the page", seconds=300)

        # Then the page says by itself which path it is, and how grave, and that it only warns
        expect(found.filter(has_text="door/decision")).to_contain_text("allow")
        expect(page.locator("#criterion-decisionMismatch .badge")).to_contain_text("Breach")
        expect(page.locator(".head .badge").first).to_contain_text("Progressing")
        assert accessible(page, axe) == []
        picture(page, "mismatch")
        assert complaints == []


def test_the_page_is_called_live_only_while_it_is(context: BrowserContext, cluster: LocalCluster, scenario: Scenario):
    # Given a rollout that bakes, whose Prometheus, and whose page, can fall silent
    here = cluster.network.server
    served = ServedPage.at(cluster.network, cluster.folder / scenario.namespace)
    fleet = scenario.fleet(replicas=1)
    with link(cluster.prometheus.url, listen=here) as metrics, link(served.url, listen=here) as door:
        scenario.operator(arguments=served.arguments)
        scenario.traffic(fleet)
        place = {"address": f"http://{here}:{metrics.port}", "timeout": "10s"}
        rollout = scenario.apply("gateway", fleet, {**quick(50, 100, bake="10m"), "prometheus": place})
        rollout.bakes(50, milliseconds=1000, seconds=120)
        page = context.new_page()
        page.goto(f"http://{here}:{door.port}/rollouts/{scenario.namespace}/gateway")
        page.get_by_label("Token").fill(served.token)
        page.get_by_label("Token").press("Enter")
        live, problem = page.locator("#live"), page.locator("#curves-problem")
        expect(live).to_have_text("live")
        expect(page.locator("#plot-errorRate canvas")).to_be_visible()
        expect(problem).to_be_hidden()

        # When Prometheus hangs, then the curves are said to be old before its time is up, and the state is followed
        metrics.become(Weather.FROZEN)
        expect(problem).to_contain_text("the curves are older than the rest of this page")
        expect(page.locator("#criterion-errorRate .badge")).to_contain_text("Unknown", timeout=60_000)
        expect(problem).to_be_visible()
        expect(live).to_have_text("live")
        metrics.become(Weather.FAIR)
        expect(problem).to_be_hidden(timeout=60_000)

        # When nothing passes between browser and page, and a minute has gone by, then that is said, and ends by itself
        door.become(Weather.FROZEN)
        page.evaluate("(() => { const now = Date.now.bind(Date); Date.now = () => now() + 60000; })()")
        expect(live).to_have_text("connection lost, trying again")
        door.become(Weather.FAIR)
        expect(live).to_have_text("live")

        # When the rollout is gone, then what is still shown is not called live
        rollout.delete()
        rollout.vanishes(seconds=60)
        expect(page.locator("#trouble")).to_contain_text("There is no SarkRollout")
        expect(live).to_have_text("not live: it cannot be read now")
