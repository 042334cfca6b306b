# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The comparison about a runtime, from its three configurations."""

from __future__ import annotations

import os

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.effective import (
    base,
    compare,
    comparison,
    known_files,
)
from ansible_collections.cruntime.node.plugins.module_utils.effective.known_files import KnownFiles
from ansible_collections.cruntime.node.plugins.module_utils.files import Change
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.containerd import Containerd
from ansible_collections.cruntime.node.plugins.module_utils.services import Unit
from ansible_collections.cruntime.node.tests.unit.plugins.failing import fails

PATH = "/etc/containerd/config.toml"
DESIRED = {"debug": {"level": "info"}, "plugins": {"cri": {"auth": {"password": "pw"}}}}
UNASKED = ("debug", "level")


class Told(base.Effective):
    """Effective configuration that a test gives. A real runtime is asked in the tests on nodes."""

    def __init__(self, filed, running, source):
        super().__init__(Runner(), Containerd(Runner()), "2.1.9")
        self.filed, self.running, self.source = filed, running, source
        self.files, self.read = [], 0

    def read_filed(self, start, path):
        self.read += 1
        return compare.flatten(self.filed, self.equivalences)

    def list_read_files(self, start):
        return self.files

    def read_running(self, argv):
        return compare.flatten(self.running, self.equivalences)

    def parse_desired(self, content, filed):
        return DESIRED

    def find_source(self, difference, start):
        return self.source


def told(level="info", password="pw", running="info", source="/etc/x.toml"):
    filed = {"debug": {"level": level}, "plugins": {"cri": {"auth": {"password": password}}}}
    return Told(filed, {"debug": {"level": running}}, base.Source("file", source))


def change(*unasked):
    return Change(PATH, PATH, b"", True, b"", 0, unasked=unasked)


def unit(*argv, pid=1):
    state = "active" if pid else "inactive"
    return Unit("containerd.service", "loaded", state, pid=pid, command=("containerd", *argv))


class Binary(Containerd):
    """containerd with the binary of a test."""

    binary_path = "/bin/true"


def decide(effective, *unasked, of=None, known=None, changes=()):
    known = known or KnownFiles(keep=False)
    return comparison.compare_runtime(
        effective,
        Binary(Runner()),
        change(*unasked),
        of or unit(),
        changes=changes,
        known=known,
    )


def test_a_node_that_matches_its_file():
    assert decide(told()) == comparison.Comparison("containerd")


def test_an_overridden_option_is_an_error():
    with fails("setting_overridden", "/etc/x.toml", "debug.level is 'warn'", "'info'") as caught:
        decide(told(level="warn"))
    entry = {"key": "debug.level", "current": "warn", "desired": "info", "file": "/etc/x.toml"}
    entry["source"] = "file"
    assert caught.value.facts["overridden"] == [entry]


def test_an_overridden_secret_is_not_shown():
    with fails("setting_overridden", "password", "(not shown)") as caught:
        decide(told(password="hunter2"))
    assert "hunter2" not in str(caught.value.result)
    assert "pw" not in str(caught.value.facts)


def test_an_overridden_key_that_no_option_sets_is_a_warning():
    found = decide(told(level="warn", running="warn"), UNASKED)
    assert found.cause == ""
    (warning,) = found.warnings
    assert warning.startswith("/etc/x.toml: setting overridden: debug.level is 'warn', but")
    assert [each.result["key"] for each in found.overridden] == ["debug.level"]


def test_a_value_that_the_process_does_not_use_yet_is_a_pending_restart():
    found = decide(told(running="debug"))
    assert found.cause == "containerd still uses debug.level='debug'"
    assert [comparison.show(each)["key"] for each in found.pending] == ["debug.level"]
    # Nothing is asked if there is no process.
    assert decide(told(running="debug"), of=unit(pid=0)) == comparison.Comparison("containerd")


@pytest.mark.parametrize("flag", [["--config", "/opt/c.toml"], ["-c", "/x"], ["--config=/opt/c"]])
def test_another_configuration_file_is_an_error(flag):
    fix = "ExecStart=containerd --root /x"
    with fails("setting_overridden", "containerd.service", fix):
        decide(told(), of=unit("--root", "/x", *flag))


def test_the_same_configuration_file_in_a_flag(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(PATH)
    assert decide(told(), of=unit("--config", str(link))) == comparison.Comparison("containerd")


def test_a_started_process_must_use_the_values_of_the_spec():
    effective, runtime = told(running="debug"), Containerd(Runner())
    with fails("setting_overridden", "debug.level is 'debug'", "'info'", runtime.overrides):
        comparison.check_running(effective, runtime, change(), unit())
    comparison.check_running(effective, runtime, change(UNASKED), unit())
    comparison.check_running(told(), runtime, change(), unit())


def test_the_file_of_a_flag(tmp_path):
    main, drop_in, settings = (tmp_path / name for name in ("x.service", "x.conf", "default"))
    main.write_text("ExecStart=/usr/bin/dockerd --log-level debug --data-root=/x\n")
    drop_in.write_text("ExecStart=/usr/bin/dockerd --log-level-format=x $OPTS\n")
    settings.write_text("OPTS=-s overlay2\n")
    about = unit()._replace(
        path=str(main), drop_ins=(str(drop_in),), environment_files=(str(settings), "/missing")
    )
    found = [
        str(base.find_flag_file(about, names))
        for names in (("log-level", "l"), ("storage-driver", "s"), ("x",))
    ]
    assert found == [
        f"{main} (flag --log-level)",
        f"{settings} (flag --storage-driver)",
        "containerd.service (flag --x)",
    ]


@pytest.fixture
def compare_again(tmp_path, monkeypatch):
    """Yield files, and a function that compares them as one run of the module does."""
    monkeypatch.setattr(known_files, "_UNSAFE_NS", 0)
    files = [tmp_path / name for name in ("config.toml", "conf.d", "conf.d/a.toml", "unit.conf")]
    for path in files:
        path.mkdir() if path.suffix == ".d" else path.write_text("a = 1\n")

    def run(effective=None, *unasked, of=None, keep=True):
        effective = effective or told()
        effective.files = list(map(str, files[:3]))
        known = KnownFiles(keep, str(tmp_path / "state"))
        of = of or unit()._replace(drop_ins=(str(files[3]),))
        effective.found = decide(effective, *unasked, of=of, known=known)
        return effective.read

    return files, run


def test_files_that_did_not_change_are_not_read_again(compare_again):
    _files, run = compare_again
    assert [run(), run(), run()] == [1, 0, 0]


def test_check_mode_does_not_save_which_files_were_compared(compare_again):
    _files, run = compare_again
    assert [run(keep=False), run(keep=False), run(), run(keep=False)] == [1, 1, 1, 0]


@pytest.mark.parametrize("index", [0, 2, 3])
def test_a_changed_file_is_read_again(compare_again, index):
    files, run = compare_again
    run()
    # The same size and the same mtime, as cp --preserve and rsync leave them.
    before = files[index].stat()
    files[index].write_text("a = 2\n")
    os.utime(files[index], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [run(), run()] == [1, 0]


def test_a_new_file_in_a_directory_is_read(compare_again):
    files, run = compare_again
    run()
    (files[1] / "b.toml").write_text("")
    assert [run(), run()] == [1, 0]


def test_a_missing_file_is_an_identity_too(compare_again):
    files, run = compare_again
    files[2].unlink()
    assert [run(), run()] == [1, 0]
    files[2].write_text("a = 1\n")
    assert run() == 1


def test_another_process_is_still_asked(compare_again):
    _files, run = compare_again
    run()
    effective = told(running="debug")
    assert run(effective) == 0
    assert effective.found.cause == "containerd still uses debug.level='debug'"


def test_an_overridden_key_is_reported_on_each_run(compare_again):
    _files, run = compare_again
    assert [run(told(level="warn"), UNASKED), run(told(level="warn"), UNASKED)] == [1, 1]


def test_a_unit_that_must_be_reloaded_is_read_each_time(compare_again):
    _files, run = compare_again
    stale = unit()._replace(reload_needed=True)
    assert [run(of=stale), run(of=stale)] == [1, 1]


def test_a_file_that_has_just_changed_is_read_again(compare_again, monkeypatch):
    monkeypatch.setattr(known_files, "_UNSAFE_NS", 10**12)
    _files, run = compare_again
    assert [run(), run()] == [1, 1]
