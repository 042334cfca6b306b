# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A merge of daemon.json keeps foreign keys, and removes keys that are no longer in the spec."""

from __future__ import annotations

import copy

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils import daemon_json

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=3)
NAMES = st.sampled_from(["cdi", "max-size", "path", "runtimeType", "crun", "a.b", ""])
TABLES = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=2),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=8,
)
KEYS = {
    **dict.fromkeys(("features", "runtimes", "log-opts", "dns", "debug", ""), TABLES),
    "insecure-registries": st.lists(st.sampled_from("abcd"), min_size=1, unique=True),
    "exec-opts": st.lists(
        st.sampled_from(["isolation=a", "native.cgroupdriver=systemd"]), min_size=1, unique=True
    ),
    "labels": st.lists(st.sampled_from(["a=1", "a=2", "b"]), min_size=1, unique_by=lambda x: x[0]),
    "log-driver": st.sampled_from(["json-file", "local"]),
}
CONFIGS = st.fixed_dictionaries({}, optional=KEYS)


def leaf_paths(data):
    return set(daemon_json.list_paths(data))


def overlaps(one, other):
    length = min(len(one), len(other))
    return one[:length] == other[:length]


@given(CONFIGS, CONFIGS)
def test_a_merge_keeps_what_the_spec_does_not_set(found, rendered):
    before = copy.deepcopy((found, rendered))
    merged = daemon_json.merge(found, rendered)
    assert (found, rendered) == before
    assert not leaf_paths(rendered) - leaf_paths(merged)
    assert not daemon_json.find_dropped(rendered, merged)
    own = leaf_paths(rendered)
    for path in leaf_paths(found) - leaf_paths(merged):
        # dockerd would refuse this key next to a key of the spec.
        of_handler = path[0] == "runtimes" and (path[2:] or ("",))[0] in ("path", "runtimeType")
        of_log_driver = path[0] == "log-opts" and "log-driver" in rendered
        assert of_handler or of_log_driver or any(overlaps(path, ours) for ours in own)


@given(CONFIGS, CONFIGS)
def test_a_second_merge_changes_nothing(found, rendered):
    merged = daemon_json.merge(found, rendered)
    again = daemon_json.merge(merged, rendered, daemon_json.list_paths(rendered))
    assert daemon_json.dump(again) == daemon_json.dump(merged)


@given(CONFIGS, CONFIGS)
def test_keys_removed_from_the_spec_are_removed_and_foreign_keys_kept(found, rendered):
    own = leaf_paths(rendered)
    assume(not any(overlaps(path, ours) for path in leaf_paths(found) for ours in own))
    merged = daemon_json.merge(found, rendered)
    assume(not daemon_json.find_dropped(found, merged))
    assert daemon_json.merge(merged, {}, own) == found


@given(CONFIGS)
def test_written_json_can_be_parsed(data):
    assert daemon_json.parse(daemon_json.dump(data)) == data


def test_tables_merge_at_any_depth():
    found = {
        "features": {"containerd-snapshotter": True},
        "runtimes": {"kata": {"runtimeType": "io.containerd.kata.v2"}},
        "log-opts": {"max-file": "9", "compress": "true"},
        "default-ulimits": {"core": {"Name": "core", "Soft": 0, "Hard": 0}},
        "default-address-pools": [{"base": "10.1.0.0/16", "size": 24}],
    }
    rendered = {
        "features": {"cdi": True},
        "runtimes": {"crun": {"path": "/usr/bin/crun"}},
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m"},
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}},
    }
    assert daemon_json.merge(found, rendered) == {
        "features": {"containerd-snapshotter": True, "cdi": True},
        "runtimes": {**found["runtimes"], **rendered["runtimes"]},
        "log-driver": "json-file",
        "log-opts": {"max-file": "9", "compress": "true", "max-size": "10m"},
        "default-ulimits": {**found["default-ulimits"], **rendered["default-ulimits"]},
        "default-address-pools": found["default-address-pools"],
    }


@pytest.mark.parametrize(
    ("key", "found", "rendered", "merged"),
    [
        (
            "insecure-registries",
            ["10.0.0.0/8", "a:1"],
            ["b:1", "a:1"],
            ["10.0.0.0/8", "b:1", "a:1"],
        ),
        (
            "exec-opts",
            ["isolation=process", "native.cgroupdriver=cgroupfs"],
            ["native.cgroupdriver=systemd"],
            ["isolation=process", "native.cgroupdriver=systemd"],
        ),
        ("labels", ["rack=1", "zone=a"], ["zone=b"], ["rack=1", "zone=b"]),
        # The order of mirrors and name servers matters.
        ("registry-mirrors", ["https://a"], ["https://b"], ["https://b"]),
        ("dns", ["1.1.1.1"], ["9.9.9.9"], ["9.9.9.9"]),
        # dockerd refuses such a list, so its entries have no known meaning.
        ("insecure-registries", [5], ["b:1"], ["b:1"]),
        ("insecure-registries", "a", ["b:1"], ["b:1"]),
    ],
)
def test_lists(key, found, rendered, merged):
    assert daemon_json.merge({key: found}, {key: rendered}) == {key: merged}
    # Foreign entries stay if the spec no longer has the key.
    assert daemon_json.merge({key: found}, {}) == {key: found}


def test_list_entries_removed_from_the_spec_are_removed():
    managed = daemon_json.list_paths({"insecure-registries": ["a:1", "b:1"]})
    found = {"insecure-registries": ["10.0.0.0/8", "a:1", "b:1"]}
    merged = daemon_json.merge(found, {"insecure-registries": ["b:1"]}, managed)
    assert merged == {"insecure-registries": ["10.0.0.0/8", "b:1"]}
    assert daemon_json.merge({"insecure-registries": ["a:1"]}, {}, managed) == {}


def test_a_record_of_the_top_level_covers_the_whole_key():
    found = {"features": {"cdi": True}, "exec-opts": ["a=b"], "bip": "10.0.0.1/24"}
    managed = [("features",), ("exec-opts",)]
    assert daemon_json.merge(found, {"debug": True}, managed) == {
        "bip": "10.0.0.1/24",
        "debug": True,
    }


def test_a_handler_has_a_path_or_a_type():
    found = {"runtimes": {"x": {"path": "/x", "runtimeArgs": ["-v"]}, "y": {"runtimeType": "y"}}}
    rendered = {"runtimes": {"x": {"runtimeType": "t"}, "y": {"path": "/y"}}}
    assert daemon_json.merge(found, rendered) == rendered
    extra = {"runtimes": {"x": {"runtimeArgs": ["-q"]}}}
    assert daemon_json.merge(found, extra)["runtimes"]["x"] == {"path": "/x", "runtimeArgs": ["-q"]}


def test_options_of_another_log_driver_are_removed():
    found = {"log-driver": "syslog", "log-opts": {"syslog-address": "udp://a"}}
    rendered = {"log-driver": "json-file", "log-opts": {"max-size": "1m"}}
    assert daemon_json.merge(found, rendered) == rendered
    assert daemon_json.merge(found, {"debug": True}) == {**found, "debug": True}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "line 1 column 2"),
        (b'{"debug": true,}', "line 1"),
        (b"[]", "no JSON object"),
        (b'"x"', "no JSON object"),
        (b"\xff{}", "not UTF-8"),
        (b'{"a": 1, "b": {"c": 1, "c": 2}}', '"c" twice'),
        (b'{"b": {"a": 1, "c": 1, "c": 2}}', '"c" twice'),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": ["\\ud800"]}', "half a character"),
        (b'{"\\udfff": 1}', "half a character"),
        (b'{"a": 1e999}', "1e999"),
        (b'{"a": ' * 150 + b"1" + b"}" * 150, "too deeply"),
        (b"[" * 200_000, "too deeply"),
        (b'{"a": ' + b"[" * 200_000, "too deeply"),
    ],
)
def test_values_that_cannot_be_merged_are_rejected(content, reason):
    with pytest.raises(ValueError, match=reason):
        daemon_json.parse(content)


@pytest.mark.parametrize("content", [b"", b" \n", b"\xef\xbb\xbf{}"])
def test_a_file_without_keys(content):
    assert daemon_json.parse(content) == {}


def test_dropped_keys():
    large = {"bip": "1", "log-opts": {"a": "1", "b": "2"}, "insecure-registries": ["a", "b", "c"]}
    small = {"log-opts": {"a": "9"}, "insecure-registries": ["b"]}
    assert daemon_json.find_dropped(large, small) == {
        ("bip",): "1",
        ("log-opts", "b"): "2",
        ("insecure-registries",): ["a", "c"],
    }
    assert daemon_json.find_dropped(small, large) == {}


def nested(depth):
    return b'{"a": ' * depth + b"1" + b"}" * depth


def test_the_depth_of_a_file_is_limited():
    limit = next(depth for depth in range(1, 200) if not is_accepted(nested(depth)))
    # The limit of Python's parser is not much higher.
    assert limit == 100


def is_accepted(content):
    try:
        return bool(daemon_json.parse(content))
    except ValueError:
        return False


def test_a_file_is_indented():
    assert daemon_json.dump({"a": {"b": 1}}) == b'{\n  "a": {\n    "b": 1\n  }\n}\n'


@pytest.mark.parametrize(
    ("found", "path"),
    [({"dns": ["192.0.2.1"]}, ("dns", "192.0.2.1")), ({"labels": [1]}, ("labels", "1"))],
)
def test_a_list_that_is_one_value_keeps_its_entries(found, path):
    assert daemon_json.remove(found, [path]) == found


def test_a_table_in_place_of_a_list_is_dropped_by_its_keys():
    assert daemon_json.find_dropped({"labels": {"a": {"b": 1}}}, {}) == {("labels", "a", "b"): 1}
