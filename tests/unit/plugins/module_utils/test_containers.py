# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selection of containers, planning and changes of state. Some cases come from minikube's tests."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils.containers import (
    converge,
    plan,
    selection,
)
from ansible_collections.cruntime.node.plugins.module_utils.containers.base import (
    Container,
    Containers,
    Sandbox,
    Snapshot,
    Verb,
)
from ansible_collections.cruntime.node.plugins.module_utils.errors import (
    CommandError,
    CruntimeError,
)
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

OPTIONS = {name: option.get("default") for name, option in selection.OPTIONS.items()}


def container(container_id, name="api", state="running", **fields):
    known = {
        "namespace": "default",
        "pod": "web",
        "pod_id": "d0",
        "image": "localhost/x:1",
        "image_id": "sha256:0",
        "created": "2026-11-23T10:15:00Z",
        "labels": {},
        "pid": 4711 if state in ("running", "paused") else None,
    }
    return Container(container_id, name, state=state, **{**known, **fields})


def select(**options):
    return selection.parse({**OPTIONS, **options})


def ids(containers):
    return [each.id for each in containers]


CONTAINERS = [
    container("abc0", "api", "running", labels={"tier": 'it\'s "quoted", really=yes'}),
    container("abd1", "api-gateway", "paused", labels={"tier": "back", "new": "true"}),
    container("fff2", "api", "exited", namespace="kube-system", pod="web2", pod_id="e1"),
    container("fff23", "a.i", "created", namespace="kube-system", pod="web2", pod_id="e1"),
    container("0123", "k9s", "unknown", namespace=None, pod=None, pod_id=None),
]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, ["abc0", "abd1", "fff2", "fff23", "0123"]),
        ({"name": "api"}, ["abc0", "fff2"]),
        ({"name": "a.i"}, ["fff23"]),
        ({"name": "API"}, []),
        ({"name": ""}, []),
        ({"name_pattern": "api"}, ["abc0", "abd1", "fff2"]),
        ({"name_pattern": "^a.i$"}, ["abc0", "fff2", "fff23"]),
        ({"namespaces": ["kube-system"]}, ["fff2", "fff23"]),
        ({"namespaces": ["kube-system", "default"]}, ["abc0", "abd1", "fff2", "fff23"]),
        ({"namespaces": ["kube"]}, []),
        ({"namespaces": []}, []),
        ({"labels": {"tier": 'it\'s "quoted", really=yes'}}, ["abc0"]),
        ({"labels": {"tier": "back", "new": True}}, ["abd1"]),
        ({"labels": {"tier": "back", "new": "no"}}, []),
        ({"labels": {}}, ["abc0", "abd1", "fff2", "fff23", "0123"]),
        ({"pod": "web"}, ["abc0", "abd1"]),
        ({"pod": "e1"}, ["fff2", "fff23"]),
        ({"pod": "e"}, []),
        ({"current_state": "paused"}, ["abd1"]),
        ({"current_state": "running", "name": "api"}, ["abc0"]),
        ({"name": "api", "namespaces": ["kube-system"], "pod": "web2"}, ["fff2"]),
        ({"ids": ["abc", "0"]}, ["abc0", "0123"]),
        ({"ids": ["fff2"]}, ["fff2"]),
        ({"ids": ["fff23", "fff23", "fff2"]}, ["fff2", "fff23"]),
        ({"ids": ["abc0"], "name": "other"}, []),
        ({"ids": []}, []),
        ({"ids": [], "namespaces": ["default"]}, []),
    ],
)
def test_selectors(options, found):
    assert ids(selection.select(select(**options), CONTAINERS)) == found


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ids": ["dead"]}, "no container on this node with the ID dead"),
        ({"ids": ["dead", "abc0", "beef"]}, "with the ID dead or beef"),
        ({"ids": ["ab"]}, "ids: ab is ambiguous: it is a prefix of abc0 and abd1"),
        ({"ids": [""]}, "ids must be container IDs or prefixes of IDs"),
        ({"ids": ["-f"]}, "ids must be container IDs .* not '-f'"),
        ({"ids": ["abc0\n"]}, r"not 'abc0\\n'"),
        ({"name_pattern": "api("}, r"name_pattern must be a regular expression, not 'api\('"),
        ({"labels": {"tier": None}}, "labels: tier must not be null"),
    ],
)
def test_invalid_selections_are_rejected(options, message):
    with pytest.raises(CruntimeError, match=message):
        selection.select(select(**options), CONTAINERS)


def test_missing_containers_count_as_absent():
    gone = select(ids=["dead", "abc0"])
    assert ids(selection.select(gone, CONTAINERS, unknown_ids=True)) == ["abc0"]
    with fails("container_ambiguous"):
        selection.select(select(ids=["ab"]), CONTAINERS, unknown_ids=True)


@pytest.mark.parametrize(
    ("options", "narrows"),
    [
        ({}, False),
        ({"current_state": "running"}, False),
        ({"labels": {}}, False),
        ({"ids": []}, True),
        ({"name": "x"}, True),
        ({"pod": "x", "current_state": "running"}, True),
    ],
)
def test_a_state_without_a_selector_is_rejected(options, narrows):
    assert select(**options).is_narrow is narrows


hexadecimal = st.text("0123456789abcdef", min_size=1, max_size=64)


@given(st.sets(hexadecimal, min_size=1), st.data())
def test_an_id_prefix_must_be_unique(known, data):
    whole = data.draw(st.sampled_from(sorted(known)))
    beginning = whole[: data.draw(st.integers(1, len(whole)))]
    containers = [container(each) for each in sorted(known)]
    fitting = [each for each in known if each.startswith(beginning)]
    if beginning in known or len(fitting) == 1:
        found = ids(selection.select(select(ids=[beginning]), containers))
        assert found == [beginning if beginning in known else whole]
    else:
        with fails("container_ambiguous"):
            selection.select(select(ids=[beginning]), containers)


@given(st.lists(st.text()), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_names_and_labels_match_as_plain_text(names, wanted, labels):
    containers = [
        container(f"{number:x}", name, labels=labels if number % 2 else {})
        for number, name in enumerate(names)
    ]
    found = selection.select(select(name=wanted), containers)
    assert [each.name for each in found] == [name for name in names if name == wanted]
    labelled = selection.select(select(labels=labels), containers)
    assert ids(labelled) == [each.id for each in containers if not labels or each.labels == labels]


def steps(planned):
    return [(step.verb, ids(step.items)) for step in planned.steps]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("stopped", [("unpause", ["abd1"]), ("stop", ["abc0", "abd1", "0123"])]),
        ("paused", [("pause", ["abc0"])]),
        ("running", [("unpause", ["abd1"])]),
        ("absent", [("unpause", ["abd1"]), ("remove", ["abc0", "abd1", "fff2", "fff23", "0123"])]),
    ],
)
def test_planned_steps(wanted, expected):
    planned = plan.make_plan(wanted, CONTAINERS, [])
    assert steps(planned) == expected
    assert planned.refused == {}
    after = plan.predict(wanted, Snapshot(CONTAINERS, []), planned.items)
    assert plan.make_plan(wanted, after.containers, []).steps == []


def test_only_running_containers_are_paused_and_named_others_are_reported():
    for wanted, deed in (("paused", "paused"), ("running", "unpaused")):
        refused = plan.make_plan(wanted, CONTAINERS, [], by_id=True).refused
        assert set(refused) == {"fff2", "fff23", "0123"}
        assert refused["fff2"] == f"it is exited, but only a running container can be {deed}"


def test_a_pid_is_removed_when_its_container_ends():
    after = plan.predict("stopped", Snapshot(CONTAINERS, []), ["abc0"])
    assert after.containers[0].pid is None
    assert plan.predict("paused", Snapshot(CONTAINERS, []), ["abc0"]).containers[0].pid == 4711


PODS = [
    Sandbox("d0", "web", "default", "running"),
    Sandbox("e1", "web2", "kube-system", "running"),
    Sandbox("f2", "empty", "kube-system", "exited"),
]


@pytest.mark.parametrize(
    ("wanted", "options", "going"),
    [
        ("stopped", {"name": "api"}, ["e1"]),
        ("absent", {"name": "api"}, []),
        ("stopped", {"pod": "web"}, ["d0"]),
        ("absent", {"pod": "web"}, ["d0"]),
        ("absent", {"pod": "empty"}, ["f2"]),
        ("absent", {"namespaces": ["kube-system"]}, ["e1", "f2"]),
        ("absent", {"namespaces": ["kube-system"], "name": "api"}, []),
        ("absent", {"ids": ["abc0"]}, []),
        ("absent", {"ids": ["abc0", "abd1"]}, ["d0"]),
        ("absent", {"labels": {"tier": "none"}}, []),
        ("absent", {}, ["d0", "e1", "f2"]),
    ],
)
def test_a_sandbox_is_removed_with_its_last_container(wanted, options, going):
    snapshot = Snapshot(CONTAINERS, PODS)
    chosen = selection.select(select(**options), CONTAINERS)
    assert ids(plan.select_sandboxes(wanted, select(**options), snapshot, chosen)) == going


def test_a_stopped_sandbox_is_skipped_and_a_paused_one_unpaused():
    frozen = dataclasses.replace(PODS[0], state="paused")
    planned = plan.make_plan("stopped", [], [frozen, *PODS[1:]])
    assert steps(planned) == [("unpause", ["d0"]), ("stop_sandboxes", ["d0", "e1"])]


class InMemory(Containers):
    """Containers in memory. The containers in failing fail, those in vanishing disappear."""

    def __init__(self, containers, sandboxes=(), failing=(), vanishing=()):
        self.now = {each.id: each for each in [*containers, *sandboxes]}
        self.failing, self.vanishing, self.verbs = failing, vanishing, []

    def look(self):
        items = self.now.values()
        return Snapshot(
            [each for each in items if isinstance(each, Container)],
            [each for each in items if isinstance(each, Sandbox)],
        )

    def _do(self, verb, items, state):
        self.verbs.append((verb, ids(items)))
        failed = {}
        for item in items:
            if item.id in self.vanishing:
                self.now.pop(item.id, None)
                failed[item.id] = "no such container"
            elif item.id in self.failing:
                failed[item.id] = "device or resource busy"
            elif state == "absent":
                del self.now[item.id]
            else:
                self.now[item.id] = dataclasses.replace(self.now[item.id], state=state)
        return failed

    def stop(self, containers, timeout):
        return self._do(f"stop {timeout}", containers, "exited")

    def remove(self, containers):
        return self._do("remove", containers, "absent")

    def pause(self, containers):
        return self._do("pause", containers, "paused")

    def unpause(self, items):
        return self._do("unpause", items, "running")

    def stop_sandboxes(self, sandboxes):
        return self._do("stop_sandboxes", sandboxes, "exited")

    def remove_sandboxes(self, sandboxes):
        return self._do("remove_sandboxes", sandboxes, "absent")


def t11():
    return InMemory(
        [container("abc0", "apiserver"), container("fa1", "coredns"), container("fb2", "storage")]
    )


def test_t11_a_container_is_stopped_and_all_are_killed():
    node = t11()

    def running(**options):
        found = converge.list_containers(node, select(current_state="running", **options))
        return {each.id for each in found}

    assert running(name="apiserver") == {"abc0"}
    assert converge.ensure_state(node, select(name="apiserver"), "stopped")["changed"]
    assert running(name="apiserver") == set()
    assert running() == {"fa1", "fb2"}
    assert converge.ensure_state(node, select(), "absent")["changed"]
    assert converge.list_containers(node, select()) == []
    assert node.verbs == [("stop 10", ["abc0"]), ("remove", ["abc0", "fa1", "fb2"])]


@pytest.mark.parametrize("wanted", ["stopped", "paused", "running", "absent"])
def test_a_second_run_changes_nothing(wanted):
    node = InMemory(CONTAINERS, PODS)
    sandboxes = wanted in ("stopped", "absent")
    options = {"with_sandboxes": sandboxes}
    predicted = converge.ensure_state(node, select(), wanted, **options, check_mode=True)
    assert node.verbs == []
    done = converge.ensure_state(node, select(), wanted, **options)
    assert done["changed"]
    for key in ("changed", "changes", "diff", "warnings"):
        assert predicted[key] == done[key]
    verbs = list(node.verbs)
    again = converge.ensure_state(node, select(), wanted, **options)
    assert (again["changed"], again["changes"], again["warnings"]) == (False, [], [])
    assert (again["diff"]["before"], again["diff"]["after"]) == ("", "")
    assert node.verbs == verbs


def test_changes_are_returned():
    result = converge.ensure_state(InMemory(CONTAINERS), select(pod="web"), "stopped", timeout=3)
    assert result["changes"] == [
        {"id": "abc0", "before": "running", "after": "exited"},
        {"id": "abd1", "before": "paused", "after": "exited"},
    ]
    assert result["diff"]["before"] == (
        "abc0 (default/web/api): running\nabd1 (default/web/api-gateway): paused\n"
    )
    assert result["diff"]["after"] == (
        "abc0 (default/web/api): exited\nabd1 (default/web/api-gateway): exited\n"
    )
    assert result["warnings"] == [
        "Unpausing abd1 (default/web/api-gateway) first, "
        "because a paused container cannot be stopped or removed"
    ]


@pytest.mark.parametrize("wanted", ["stopped", "absent"])
def test_a_container_that_disappears_counts_as_stopped(wanted):
    node = InMemory(CONTAINERS, vanishing=("abc0",))
    result = converge.ensure_state(node, select(pod="web"), wanted)
    assert {"id": "abc0", "before": "running", "after": "absent"} in result["changes"]


@pytest.mark.parametrize(
    ("wanted", "failing", "vanishing", "reason"),
    [
        ("stopped", ("abc0",), (), "device or resource busy"),
        ("paused", ("abc0",), (), "device or resource busy"),
        ("paused", (), ("abc0",), "no such container"),
        ("absent", ("abc0",), (), "device or resource busy"),
    ],
)
def test_a_failed_container_is_reported_and_the_others_change(wanted, failing, vanishing, reason):
    others = [container("abe2"), container("abf3")]
    node = InMemory([CONTAINERS[0], *others], failing=failing, vanishing=vanishing)
    with fails("state_not_reached", "abc0", "default/web/api", reason) as error:
        converge.ensure_state(node, select(name="api"), wanted)
    facts = error.value.facts
    assert facts["failed_containers"] == [{"id": "abc0", "name": "api", "cause": reason}]
    assert facts["changed"] is True
    assert {change["id"] for change in facts["changes"]} >= {"abe2", "abf3"}
    assert all(plan.is_reached(wanted, node.now.get(each.id)) for each in others)


class Late(InMemory):
    """The first list after a step still has the states from before the step."""

    late = False

    def look(self):
        seen = super().look()
        if not self.late:
            return seen
        self.late = False
        return Snapshot(
            [dataclasses.replace(each, state="running") for each in seen.containers], []
        )

    def _do(self, verb, items, state):
        self.late = True
        return super()._do(verb, items, state)


@pytest.mark.parametrize(("wanted", "after"), [("paused", "paused"), ("stopped", "exited")])
def test_a_state_that_is_reported_late_is_awaited(wanted, after):
    result = converge.ensure_state(Late([container("abc0")]), select(name="api"), wanted)
    assert result["changes"] == [{"id": "abc0", "before": "running", "after": after}]


def test_a_tool_that_hangs_fails_the_remaining_containers():
    class Hanging(InMemory):
        def stop(self, containers, timeout):
            super().stop(containers[:1], timeout)
            raise CommandError("it did not finish within 70 s", reason="command_timeout")

    node = Hanging(CONTAINERS[:2])
    with fails("state_not_reached", "abd1") as error:
        converge.ensure_state(node, select(pod="web"), "stopped")
    assert ids_of(error.value.facts["failed_containers"]) == ["abd1"]


def ids_of(results):
    return [result["id"] for result in results]


def test_a_sandbox_keeps_running_if_its_container_could_not_be_stopped():
    node = InMemory(CONTAINERS, PODS, failing=("abc0",))
    with pytest.raises(CruntimeError) as error:
        converge.ensure_state(node, select(), "stopped", with_sandboxes=True)
    assert error.value.facts["failed_sandboxes"] == [
        {"id": "d0", "pod": "web", "cause": "a container of its pod failed"}
    ]
    assert node.now["d0"].state == "running"
    assert node.now["e1"].state == "exited"


def test_a_named_container_that_cannot_be_paused_does_not_stop_the_others():
    node = InMemory(CONTAINERS)
    with fails("state_not_reached", "fff2", "exited") as error:
        converge.ensure_state(node, select(ids=["abc0", "fff2"]), "paused")
    assert node.now["abc0"].state == "paused"
    assert ids_of(error.value.facts["failed_containers"]) == ["fff2"]


@pytest.mark.parametrize("verb", get_args(Verb))
def test_each_verb_of_a_plan_is_a_method(verb):
    node = InMemory(CONTAINERS, PODS)
    assert node.apply(verb, [], 3) == {}
    assert node.verbs == [("stop 3" if verb == "stop" else verb, [])]
