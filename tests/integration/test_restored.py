"""The units of a node are restored to the states before a change of the runtime."""

from __future__ import annotations

import contextlib

import pytest
from conftest import check_failed, check_untouched

pytestmark = [
    pytest.mark.scenario("containerd", "docker", "crio"),
    pytest.mark.xdist_group("restored"),
]
INFO = "cruntime.node.cruntime_info"


@pytest.fixture
def other(spare_spec):
    """Return another runtime of the node."""
    return "containerd" if spare_spec["runtime"] == "docker" else "docker"


@pytest.fixture
def saved(spare, spare_spec, other):
    """Return the states of the units before the node was switched to another runtime."""
    result = spare.enable(**spare_spec)
    assert "failed" not in result, result["msg"]
    states = spare.run(INFO)["units"]
    result = spare.enable(runtime=other, running_containers="stop")
    assert "failed" not in result, result["msg"]
    # The other runtime responded before the first one was stopped.
    assert result["downtime"] == 0.0
    return states


@contextlib.contextmanager
def without_binary(spare, runtime):
    binary = {"docker": "dockerd"}.get(runtime, runtime)
    path = spare.sh(f"readlink --canonicalize $(command -v {binary})").strip()
    spare.sh(f"mv {path} {path}.away")
    try:
        yield
    finally:
        spare.sh(f"mv {path}.away {path}; systemctl reset-failed")


def test_units_are_restored_or_unchanged(spare, spare_spec, saved):
    name = spare_spec["runtime"]
    options = {"runtime": name, "state": "restored", "units": saved}
    before = spare.run(INFO)["units"]
    assert before != saved
    with without_binary(spare, name):
        failed = spare.enable(**options)
    assert failed["failed"]
    assert spare.run(INFO)["units"] == before
    predicted = spare.enable(check=True, **options)
    assert spare.run(INFO)["units"] == before
    restored = spare.enable(**options)
    assert "failed" not in restored, restored["msg"]
    assert predicted["changed"] is restored["changed"] is True
    assert [each["after"] for each in predicted["units"]] == [
        each["after"] for each in restored["units"]
    ]
    assert spare.run(INFO)["units"] == saved
    assert spare.enable(**options)["changed"] is False


def test_wrong_states_are_rejected(spare, other, saved):
    unknown = [*saved, {"name": "x.service", "active": True, "enabled": True, "masked": False}]
    options = {"runtime": other, "state": "restored"}
    check_untouched(spare.enable(**options, units=unknown), "option_invalid", "x.service")
    inactive = [{**each, "active": False} for each in saved]
    check_failed(spare.enable(**options, units=inactive), "option_invalid", other)
