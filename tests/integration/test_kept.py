"""Foreign settings on a containerd node stay in effect, or are returned as dropped."""

from __future__ import annotations

import json
import shlex

import pytest
from conftest import CRI, ENABLE, check_untouched, reasons

pytestmark = pytest.mark.runtime("containerd")

CONFIG = "/etc/containerd/config.toml"
HOSTS = "/etc/containerd/certs.d/quay.io/hosts.toml"
HANDLERS = "{{range $name, $_ := .config.containerd.runtimes}}{{$name}} {{end}}"


@pytest.fixture
def version(node):
    """Return the configuration version of containerd on the node."""
    major = node.check_output("containerd --version").split()[2].lstrip("v")[0]
    return 2 if major == "1" else 3


@pytest.fixture
def tables(version):
    """Return the tables of the CRI plugin with runtime settings and with image settings."""
    runtime = CRI["1" if version == 2 else "2"]
    return f'plugins."{runtime}"', f'plugins."{runtime.replace(".v1.runtime", ".v1.images")}"'


@pytest.fixture
def write(node):
    """Yield a function that writes a file, which is removed after the test."""
    paths = []

    def run(path, *lines):
        paths.append(path)
        node.check_output("mkdir -p $(dirname %s)", path)
        node.check_output("printf %%s %s > %s", "".join(f"{line}\n" for line in lines), path)

    yield run
    for path in paths:
        node.check_output("rm -f %s", path)


@pytest.fixture
def write_drop_in(write, version):
    """Return a function that writes a drop-in of containerd, which is removed after the test."""
    return lambda path, *lines: write(path, f"version = {version}", *lines)


@pytest.fixture
def install_foreign(node, spec, run_module, version):
    """Yield a function that installs a foreign configuration on the node."""

    def run(*lines):
        node.check_output("rm -f /var/lib/cruntime/files.json")
        node.check_output("printf %%s %s > %s", f"version = {version}\n" + "\n".join(lines), CONFIG)
        node.check_output("systemctl restart containerd")

    yield run
    result = run_module(node, ENABLE, **spec)
    assert not result.get("failed"), result


def dropped(result):
    assert all(entry["file"] == CONFIG for entry in result["dropped"])
    return {entry["key"]: entry["value"] for entry in result["dropped"]}


def test_settings_lost_with_a_replaced_file_are_returned(enable, install_foreign, tables):
    table, images = tables
    install_foreign(
        "oom_score = -555",
        f"[{table}.containerd.runtimes.kata]",
        'runtime_type = "io.containerd.kata.v2"',
        f"[{images}.registry]",
        'config_path = "/etc/cri/certs.d"',
        f"[{images}.registry.headers]",
        'X-Site = ["hunter2"]',
    )
    predicted = enable(check=True)
    real = enable()
    for result in (predicted, real):
        found = dropped(result)
        assert found["oom_score"] == -555
        assert found[f"{table}.containerd.runtimes.kata"] == {
            "runtime_type": "io.containerd.kata.v2"
        }
        assert found[f"{images}.registry.config_path"] == "/etc/cri/certs.d"
        # If containerd prints the table only when it is not empty, the whole table is listed.
        (headers,) = [key for key in found if "headers" in key]
        assert found[headers] == "(not shown)"
        assert len(found) == 4
        (warning,) = [text for text in result["warnings"] if "are lost" in text]
        assert warning.startswith(f"{CONFIG}: ")
        assert all(key in warning for key in found)
        assert "hunter2" not in json.dumps([result["dropped"], result["warnings"]])
    again = enable()
    assert (again["changed"], again["dropped"]) == (False, [])


def test_settings_of_an_option_or_a_drop_in_are_not_dropped(
    enable, install_foreign, write_drop_in, tables
):
    write_drop_in("/etc/containerd/conf.d/99-score.toml", "oom_score = -555")
    _table, images = tables
    install_foreign(
        'imports = ["/etc/containerd/conf.d/*.toml"]',
        "[debug]",
        'level = "debug"',
        f"[{images}.registry]",
        'config_path = "/etc/containerd/certs.d"',
    )
    assert enable(check=True, log_level="info")["dropped"] == []
    assert dropped(enable(check=True)) == {"debug.level": "debug"}


def test_file_that_containerd_cannot_read_is_replaced(node, enable, install_foreign):
    install_foreign()
    node.check_output("echo '[[nonsense' > %s", CONFIG)
    result = enable()
    assert not result.get("failed"), result
    (warning,) = [text for text in result["warnings"] if text.startswith("Could not determine")]
    assert CONFIG in warning


@pytest.mark.usefixtures("crictl")
def test_foreign_mirrors_stay_in_effect(node, enable, install_foreign, write, tables):
    _table, images = tables
    install_foreign(f"[{images}.registry]", 'config_path = "/etc/containerd/certs.d"')
    # Nothing listens at this address, which the error must contain.
    write(HOSTS, 'server = "http://127.0.0.1:9"', '[host."http://127.0.0.1:9"]')
    assert "127.0.0.1:9" in node.run("crictl pull quay.io/a/b:1").stderr
    assert not enable(registries=[]).get("failed")
    assert "127.0.0.1:9" in node.run("crictl pull quay.io/a/b:1").stderr


def test_first_registry_needs_no_restart(enable):
    enable(registries=[])
    result = enable(registries=[{"registry": "dev.test", "insecure": True}])
    assert result["changed"]
    assert reasons(result) == {}


def test_drop_ins_of_gpu_tools_stay_in_effect(enable, write_drop_in, tables, crictl):
    table, _images = tables
    extra = {"imports": ["/etc/containerd/more.d/*.toml"]}
    lines = [
        f"[{table}.containerd.runtimes.runc]",
        'runtime_type = "io.containerd.runc.v2"',
        f"[{table}.containerd.runtimes.runc.options]",
        "SystemdCgroup = true",
    ]
    if "grpc" in table:
        # In containerd 1.x, a drop-in replaces the whole table of a plugin.
        lines = [f"[{table}]", 'sandbox_image = "localhost/cruntime-test/pause:1"', *lines]
    for directory, name in (("config.d", "nvidia"), ("more.d", "kata")):
        handlers = ["nvidia", "kata"] if name == "kata" else ["nvidia"]
        write_drop_in(
            f"/etc/containerd/{directory}/99-{name}.toml",
            *lines,
            *(
                line
                for handler in handlers
                for line in (
                    f"[{table}.containerd.runtimes.{handler}]",
                    'runtime_type = "io.containerd.runc.v2"',
                )
            ),
        )
    assert not enable(state="restarted").get("failed")
    assert set(crictl(f"info --output go-template --template {shlex.quote(HANDLERS)}").split()) >= {
        "nvidia",
        "runc",
    }
    assert not enable(extra_config=extra).get("failed")
    assert set(crictl(f"info --output go-template --template {shlex.quote(HANDLERS)}").split()) >= {
        "nvidia",
        "runc",
        "kata",
    }


def test_mirrors_in_a_drop_in_are_rejected_before_any_change(
    enable, install_foreign, write_drop_in, snapshot, tables
):
    _table, images = tables
    path = "/etc/containerd/config.d/99-mirrors.toml"
    install_foreign()
    write_drop_in(
        path,
        f"[{images}.registry]",
        'config_path = "/etc/containerd/certs.d"',
        f'[{images}.registry.mirrors."quay.io"]',
        'endpoint = ["http://127.0.0.1:9"]',
    )
    before = snapshot()
    for check in (True, False):
        result = enable(check=check)
        check_untouched(result, "configuration_refused", path, "registry.mirrors")
        assert snapshot() == before
