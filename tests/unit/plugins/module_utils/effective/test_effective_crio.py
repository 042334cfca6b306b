# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The drop-in of CRI-O, compared with crio config and with the configuration of the process."""

from __future__ import annotations

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.effective import (
    compare,
    comparison,
    crio,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.equivalences import (
    Equivalences,
)
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.crio import Crio
from ansible_collections.cruntime.node.plugins.module_utils.services import Start, Unit, read_start
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails
from ansible_collections.cruntime.node.tests.unit.plugins.plugin_utils.specs import crio as render

# Keys without a value in crio config, which CRI-O finds out when it starts.
FOUND_AT_START = {"storagedriver", "pinnspath", "runtimepath", "monitorpath"}
# The value of this key depends on the installed criu.
DEPENDS_ON_CRIU = {"containerlevelenabled"}


def test_crio_config_and_the_process_agree(transcript):
    filed = crio.parse_config(transcript("crio-1.37.0-config.toml"))
    rules = Equivalences("crio", "1.37.0")
    running = crio.parse_running(transcript("crio-1.37.0-status-config.toml"), rules)
    common = [path for path in running if path in filed]
    assert len(common) == 120
    different = {path[-1] for path in common if not rules.agree(path, running[path], filed[path])}
    assert different == {*FOUND_AT_START, *DEPENDS_ON_CRIU, "pinnedimages"}


def test_values_of_crio_config(transcript):
    filed = crio.parse_config(transcript("crio-1.37.0-config.toml"))
    # The first key is set, and the others are defaults, which are comments.
    assert filed["crio", "image", "pauseimage"] == "localhost/cruntime-test/pause:1"
    assert filed["crio", "runtime", "cgroupmanager"] == "systemd"
    assert filed["crio", "network", "plugindirs"] == ["/opt/cni/bin/"]
    assert filed["crio", "metrics", "metricsport"] == 9090
    assert filed["crio", "metrics", "enablemetrics"] is False
    assert filed["crio", "runtime", "runtimes", "crun", "runtimeroot"] == "/run/crun"


@pytest.mark.parametrize("flag", ["--config-dir", "-d"])
@pytest.mark.parametrize("path", ["/etc/crio/crio.conf.d", "/etc/crio/crio.conf.d/"])
def test_a_unit_can_name_the_usual_directory(flag, path):
    check_config_path(flag, path)


def test_another_directory_of_drop_ins_is_an_error():
    with fails("setting_overridden", "/opt/crio.d", "50-cruntime.conf", "ExecStart=crio"):
        check_config_path("--config-dir", "/opt/crio.d")


def check_config_path(*flags):
    runner = Runner()
    runtime = Crio(runner)
    start = read_start(Unit("crio.service", command=("crio", *flags)))
    effective = crio.CrioEffective(runner, runtime, "1.37.0")
    comparison._check_config_path(effective, runtime, start, runtime.identity.config_path)


def test_every_key_with_another_value_is_found():
    rules = Equivalences("crio", "1.37.0")
    desired = {
        "crio": render(
            sandbox_image="a/pause:1",
            log_level="info",
            metrics="127.0.0.1:9090",
            storage={"root": "/x", "driver": "overlay"},
            socket="/run/x.sock",
            ulimits={"nofile": {"soft": 1, "hard": 2}},
            oci_runtimes=[{"name": "crun", "path": "/usr/bin/crun"}],
            oci_runtime="crun",
            cni={"bin_dirs": ["/a", "/b"], "conf_dir": "/etc/cni/net.d"},
        )
    }
    filed = compare.flatten(desired, rules)
    assert len(filed) >= 15
    for path, value in compare.find_leaves(desired):
        other = (
            not value
            if isinstance(value, bool)
            else ["other", *value[1:]]
            if isinstance(value, list)
            else f"{value}x"
        )
        changed = {**filed, rules.locate(path): other}
        found = (path, value, other)
        assert compare.find_overridden(desired, changed, rules) == [found]
        assert compare.find_pending(desired, filed, changed, rules) == [found]
    # GET /config has no list that is not set.
    ulimits = ("crio", "runtime", "defaultulimits")
    running = {path: value for path, value in filed.items() if path != ulimits}
    (pending,) = compare.find_pending(desired, filed, running, rules)
    assert pending == (("crio", "runtime", "default_ulimits"), ["nofile=1:2"], None)


@pytest.mark.parametrize("word", ["--log-level", "--log-level=debug"])
def test_the_source_of_a_key_is_a_flag_or_a_variable(word):
    effective = crio.CrioEffective(Runner(), Crio(Runner()), "1.37.0")
    found = compare.Difference(("crio", "runtime", "log_level"), "info", "debug")
    start = Start(Unit("crio.service"), ["crio", word, "debug"], {})
    assert str(effective.find_source(found, start)) == "crio.service (flag --log-level)"
    variables = {"CONTAINER_LOG_LEVEL": "debug", "CONTAINER_LOG": "x"}
    start = Start(Unit("crio.service"), ["crio", "--log", "x"], variables)
    text = "crio.service (variable CONTAINER_LOG_LEVEL)"
    assert str(effective.find_source(found, start)) == text
