# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that each option renders for each runtime, and options that a runtime does not support."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from ansible_collections.cruntime.node.plugins.module_utils.known_runtimes import RUNTIMES
from ansible_collections.cruntime.node.plugins.module_utils.runner import Runner
from ansible_collections.cruntime.node.plugins.module_utils.runtimes.catalog import runtimes
from ansible_collections.cruntime.node.plugins.plugin_utils import render
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.tests.unit.plugins.plugin_utils.specs import (
    CRI_V2,
    CRI_V3,
    DOCKER_CONFIG,
    IMAGES_V3,
    PAUSE,
    checked,
    containerd_file,
    crio,
    daemon_json,
    files,
    toml,
)

ADAPTER_CONFIG = "/etc/systemd/system/cri-docker.service.d/50-cruntime.conf"
DEFAULT_DOCKER = {"exec-opts": ["native.cgroupdriver=systemd"]}


def refused(message, **values):
    with pytest.raises(SpecError, match=message):
        render.render(checked(**values))


# kubernetes_version, image_repository


@pytest.mark.parametrize(
    ("version", "tag"),
    [
        ("1.18.0", "3.2"),
        ("1.20.15", "3.2"),
        ("1.21.0", "3.4.1"),
        ("1.22.1", "3.5"),
        ("1.23.0", "3.6"),
        ("1.24.0-alpha.0", "3.7"),
        ("v1.25.3", "3.8"),
        ("1.26.0", "3.9"),
        ("1.30.99", "3.9"),
        ("1.31.0", "3.10"),
        ("v1.33.1", "3.10"),
        ("1.34.2", "3.10.1"),
        ("1.35.0+k3s1", "3.10.1"),
        ("1.36.0", "3.10.2"),
        ("1.37.0-beta.0", "3.10.2"),
        ("1.50.0", "3.10.2"),
    ],
)
def test_kubernetes_version_sets_the_sandbox_image(version, tag):
    image = f"registry.k8s.io/pause:{tag}"
    assert toml(2, kubernetes_version=version)["plugins"][CRI_V2]["sandbox_image"] == image
    pins = toml(3, kubernetes_version=version)["plugins"][IMAGES_V3]["pinned_images"]
    assert pins == {"sandbox": image}
    assert crio(kubernetes_version=version)["image"] == {"pause_image": image}
    assert daemon_json(kubernetes_version=version) == DEFAULT_DOCKER


def test_the_sandbox_image_comes_from_the_image_repository():
    image = crio(kubernetes_version="1.34.0", image_repository="reg.local:5000/k8s")["image"]
    assert image == {"pause_image": "reg.local:5000/k8s/pause:3.10.1"}


def test_an_explicit_sandbox_image_has_precedence():
    values = {"kubernetes_version": "1.17.0", "image_repository": "r.io", "sandbox_image": PAUSE}
    assert crio(**values)["image"] == {"pause_image": PAUSE}


def test_old_kubernetes_versions_have_no_known_sandbox_image():
    refused(
        "kubernetes_version 1.17.9 is not supported without sandbox_image",
        kubernetes_version="v1.17.9",
    )


def test_a_missing_library_is_reported_if_it_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tomlkit", None)
    if sys.version_info >= (3, 11):
        assert "containerd" in render.render(checked(runtime="containerd"))[0]["path"]
    with pytest.raises(SpecError, match="-m pip install tomlkit") as missing:
        render.render(checked(extra_config={"debug": {"level": "info"}}))
    assert missing.value.reason == "library_not_found"


# cni


def test_one_cni_bin_dir():
    cni = {"bin_dirs": ["/usr/lib/cni"], "conf_dir": "/etc/cni/x"}
    one = {"bin_dir": "/usr/lib/cni", "conf_dir": "/etc/cni/x"}
    assert toml(2, cni=cni)["plugins"][CRI_V2]["cni"] == one
    assert toml(3, cni_bin_dirs=False, cni=cni)["plugins"][CRI_V3]["cni"] == one
    assert toml(3, cni_bin_dirs=True, cni=cni)["plugins"][CRI_V3]["cni"] == cni
    assert crio(cni=cni)["network"] == {
        "plugin_dirs": ["/usr/lib/cni"],
        "network_dir": "/etc/cni/x",
    }


def test_several_cni_bin_dirs():
    cni = {"bin_dirs": ["/opt/cni/bin", "/usr/lib/cni"]}
    assert toml(3, cni=cni)["plugins"][CRI_V3]["cni"] == cni
    assert crio(cni=cni)["network"] == {"plugin_dirs": cni["bin_dirs"]}
    for file in (containerd_file(2, cni=cni), containerd_file(3, cni_bin_dirs=False, cni=cni)):
        assert "content" not in file
        (refusal,) = file["refusals"]
        assert refusal.startswith("cni.bin_dirs has 2 directories, but containerd")


def test_the_cni_bin_dir_is_the_directory_with_the_plugins():
    for version in (2, 3):
        values = {"cni_bin_dirs": False, "cni": {"conf_dir": "/etc/cni/x"}}
        found = toml(version, cni_bin_dir="/usr/lib/cni", **values)
        bare = toml(version, cni_bin_dir=None, **values)
        plugin = CRI_V2 if version == 2 else CRI_V3
        table = {"bin_dir": "/usr/lib/cni", "conf_dir": "/etc/cni/x"}
        assert found["plugins"][plugin]["cni"] == table
        assert bare["plugins"][plugin]["cni"] == {"conf_dir": "/etc/cni/x"}
    assert crio(cni_bin_dir="/usr/lib/cni")["network"]["plugin_dirs"] == [
        "/opt/cni/bin",
        "/usr/lib/cni",
    ]


def test_all_known_cni_bin_dirs_are_set_if_the_runtime_supports_several():
    known = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"]
    assert toml(3)["plugins"][CRI_V3]["cni"] == {"bin_dirs": known}


@pytest.mark.parametrize("key", ["bin_dir", "bin_dirs"])
def test_cni_bin_dirs_of_extra_config_replace_the_others(key):
    table = {key: "/x"}
    for version, plugin in ((2, CRI_V2), (3, CRI_V3)):
        extra = {"plugins": {plugin: {"cni": table}}}
        config = toml(version, cni_bin_dir="/usr/lib/cni", extra_config=extra)
        assert config["plugins"][plugin]["cni"] == table
    network = {"plugin_dirs": ["/x"]}
    extra = {"crio": {"network": network}}
    assert crio(cni_bin_dir="/usr/lib/cni", extra_config=extra)["network"] == network


@pytest.mark.parametrize(
    "registry",
    [
        {"config_path": "/x"},
        {"mirrors": {"x.local": {"endpoint": ["https://y.local"]}}},
        {"configs": {"x.local": {"tls": {"insecure_skip_verify": True}}}},
    ],
)
def test_a_registry_table_of_extra_config_that_excludes_hosts_files(registry):
    for version, plugin in ((2, CRI_V2), (3, IMAGES_V3)):
        config = toml(version, extra_config={"plugins": {plugin: {"registry": registry}}})
        assert config["plugins"][plugin]["registry"] == registry


def test_a_registry_table_of_extra_config_that_is_compatible_with_hosts_files():
    registry = {"headers": {"X-Site": ["a"]}}
    for version, plugin in ((2, CRI_V2), (3, IMAGES_V3)):
        config = toml(version, extra_config={"plugins": {plugin: {"registry": registry}}})
        merged = {"config_path": "/etc/containerd/certs.d", **registry}
        assert config["plugins"][plugin]["registry"] == merged


# cri_service, network_plugin


def adapter_argv(**values):
    """Parse the command in the drop-in of cri-dockerd as systemd does, except for specifiers."""
    file = files(runtime="docker", **values)[ADAPTER_CONFIG]
    assert (file["restart"], file["unit"]) == (True, "cri-docker.service")
    lines = [line for line in file["content"].splitlines() if not line.startswith("#")]
    assert lines[:2] == ["[Service]", "ExecStart="]
    return shlex.split("\n".join(lines[2:]).replace("\\\n", ""))


def test_flags_of_cri_dockerd_match_the_spec():
    assert adapter_argv(cri_service=True) == [
        "ExecStart=cri-dockerd",
        "--cni-bin-dir=/opt/cni/bin,/usr/lib/cni,/usr/libexec/cni",
        "--container-runtime-endpoint=fd://",
    ]
    argv = adapter_argv(
        kubernetes_version="1.34.2",
        network_plugin="kubenet",
        cni={"bin_dirs": ["/opt/a b", "/x"], "conf_dir": "/etc/cni/x"},
        log_level="debug",
    )
    assert argv[1:] == [
        "--pod-infra-container-image=registry.k8s.io/pause:3.10.1",
        "--network-plugin=kubenet",
        "--cni-bin-dir=/opt/a b,/x",
        "--cni-conf-dir=/etc/cni/x",
        "--log-level=debug",
        "--container-runtime-endpoint=fd://",
    ]


def test_an_argument_is_quoted_for_systemd():
    text = files(runtime="docker", cri_service=True, cni={"conf_dir": '/a"b\\c%d$e;'})
    assert '"--cni-conf-dir=/a\\"b\\\\c%%d$$e;" \\\n' in text[ADAPTER_CONFIG]["content"]


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, False),
        ({"kubernetes_version": "1.23.9"}, False),
        ({"kubernetes_version": "1.24.0-alpha.0"}, True),
        ({"kubernetes_version": "v1.34.2"}, True),
        ({"kubernetes_version": "1.34.2", "cri_service": False}, False),
        ({"kubernetes_version": "1.23.9", "cri_service": True}, True),
        ({"cri_service": True}, True),
    ],
)
def test_kubernetes_version_enables_cri_dockerd(values, wanted):
    assert (ADAPTER_CONFIG in files(runtime="docker", **values)) is wanted
    docker = runtimes(Runner())["docker"]
    assert docker.configured(checked(runtime="docker", **values)).adapter_enabled is wanted


@pytest.mark.parametrize("values", [{"cri_service": True}, {"network_plugin": "kubenet"}])
@pytest.mark.parametrize("runtime", ["containerd", "crio"])
def test_cri_dockerd_is_supported_only_with_docker(runtime, values):
    refused(f"{next(iter(values))} .* with runtime {runtime}", runtime=runtime, **values)
    same = render.render(checked(runtime=runtime))
    options = {"cri_service": False, "network_plugin": "cni", "kubernetes_version": None}
    assert render.render(checked(runtime=runtime, **options)) == same


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("cni", {"conf_dir": "/x"}),
        ("cni", {"bin_dirs": ["/x"]}),
        ("socket", "/run/x.sock"),
        ("network_plugin", "cni"),
    ],
)
def test_pod_options_need_cri_service_with_docker(option, value):
    message = (
        f"^{option}.* is not supported with runtime docker without cri-dockerd. Set cri_service"
    )
    refused(message, runtime="docker", **{option: value})
    assert render.render(checked(runtime="docker", cri_service=True, **{option: value}))


def test_a_path_with_a_comma_is_rejected_with_cri_dockerd():
    cni = {"bin_dirs": ["/x,y"]}
    refused(
        "cni.bin_dirs: .* must not contain a comma", runtime="docker", cri_service=True, cni=cni
    )


# oci_runtimes, oci_runtime

CRUN = {"name": "crun", "path": "/usr/bin/crun"}
GVISOR = {"name": "gvisor", "path": "/opt/shim", "shim": "io.containerd.runsc.v1"}


@pytest.mark.parametrize(("version", "plugin"), [(2, CRI_V2), (3, CRI_V3)])
@pytest.mark.parametrize(("driver", "uses_systemd"), [("systemd", True), ("cgroupfs", False)])
def test_oci_runtimes_of_containerd(version, plugin, driver, uses_systemd):
    config = toml(
        version,
        driver,
        cgroup_driver=driver,
        oci_runtimes=[CRUN, GVISOR],
        oci_runtime="crun",
    )
    assert config["plugins"][plugin]["containerd"] == {
        "default_runtime_name": "crun",
        "runtimes": {
            "runc": {
                "runtime_type": "io.containerd.runc.v2",
                "options": {"SystemdCgroup": uses_systemd},
            },
            "crun": {
                "runtime_type": "io.containerd.runc.v2",
                "options": {"BinaryName": "/usr/bin/crun", "SystemdCgroup": uses_systemd},
            },
            "gvisor": {"runtime_type": "io.containerd.runsc.v1", "runtime_path": "/opt/shim"},
        },
    }


def test_runc_of_containerd_can_have_another_path():
    runc = {"name": "runc", "path": "/opt/runc"}
    runtimes = toml(3, oci_runtimes=[runc])["plugins"][CRI_V3]["containerd"]["runtimes"]
    assert list(runtimes) == ["runc"]
    assert runtimes["runc"]["options"]["BinaryName"] == "/opt/runc"


@pytest.mark.parametrize(
    ("driver", "monitor_cgroup"), [("systemd", "system.slice"), ("cgroupfs", "pod")]
)
def test_oci_runtimes_of_crio(driver, monitor_cgroup):
    runtime = crio(driver, cgroup_driver=driver, oci_runtimes=[CRUN], oci_runtime="crun")["runtime"]
    assert runtime["default_runtime"] == "crun"
    assert runtime["runtimes"] == {
        "crun": {
            "runtime_path": "/usr/bin/crun",
            "runtime_type": "oci",
            "runtime_root": "/run/crun",
            "monitor_cgroup": monitor_cgroup,
        }
    }


def test_an_oci_runtime_of_crio_has_the_monitor_of_its_package():
    shim = {"name": "kata", "path": "/opt/containerd-shim-kata-v2", "shim": "io.containerd.kata.v2"}
    runtimes = crio(own_conmon=True, oci_runtimes=[CRUN, shim])["runtime"]["runtimes"]
    assert runtimes["crun"]["monitor_path"] == "/usr/libexec/crio/conmon"
    assert "monitor_path" not in runtimes["kata"]


def test_oci_runtimes_of_docker():
    assert daemon_json(oci_runtimes=[CRUN], oci_runtime="crun") == {
        **DEFAULT_DOCKER,
        "default-runtime": "crun",
        "runtimes": {"crun": {"path": "/usr/bin/crun"}},
    }


@pytest.mark.parametrize(
    ("runtime", "oci_runtime"), [("crio", "crun"), ("crio", "runc"), ("docker", "runc")]
)
def test_a_built_in_oci_runtime_needs_no_entry(runtime, oci_runtime):
    assert render.render(checked(runtime=runtime, oci_runtime=oci_runtime))


@pytest.mark.parametrize("runtime", ["containerd", "crio", "docker"])
def test_an_unknown_oci_runtime_is_rejected(runtime):
    refused("oci_runtime must be .*, not 'kata'", runtime=runtime, oci_runtime="kata")


def test_a_shim_with_crio():
    refused("containerd-shim-NAME-VERSION, not /opt/shim", runtime="crio", oci_runtimes=[GVISOR])
    kata = dict(GVISOR, path="/opt/kata/bin/containerd-shim-kata-v2")
    handler = crio(oci_runtimes=[kata])["runtime"]["runtimes"]["gvisor"]
    assert (handler["runtime_type"], handler["runtime_path"]) == ("vm", kata["path"])


def test_the_shim_of_runc_is_not_set_for_other_runtimes():
    crun = dict(CRUN, shim="io.containerd.runc.v2")
    assert crio(oci_runtimes=[crun]) == crio(oci_runtimes=[CRUN])
    assert daemon_json(oci_runtimes=[crun]) == daemon_json(oci_runtimes=[CRUN])


def test_a_shim_with_docker():
    old, new = [
        file
        for file in render.render(checked(runtime="docker", oci_runtimes=[GVISOR, CRUN]))
        if file["path"] == "/etc/docker/daemon.json"
    ]
    assert {when["version_range"] for when in old["when"]} == {"20.10.0"}
    assert ["requires Docker 23" in refusal for refusal in old["refusals"]] == [True]
    assert {when["version_range"] for when in new["when"]} == {
        "23.0.0",
        "25.0.0",
        "28.0.0",
        "29.10.0",
    }
    assert json.loads(new["content"])["runtimes"] == {
        "gvisor": {"runtimeType": "/opt/shim"},
        "crun": {"path": "/usr/bin/crun"},
    }


def test_the_runc_of_docker_is_kept():
    runc = {"name": "runc", "path": "/opt/runc"}
    refused("runc is a built-in name of Docker", runtime="docker", oci_runtimes=[runc])


# gpus, rootless

NVIDIA = {"name": "nvidia", "path": "/usr/bin/nvidia-container-runtime"}


@pytest.mark.parametrize("runtime", ["containerd", "crio", "docker"])
def test_gpus_of_nvidia_are_an_oci_runtime(runtime):
    def rendered(**values):
        return render.render(checked(runtime=runtime, **values))

    asked = rendered(gpus="nvidia")
    assert asked == rendered(oci_runtimes=[NVIDIA], oci_runtime="nvidia")
    # An explicit OCI runtime has precedence.
    other = rendered(gpus="nvidia", oci_runtime="runc", oci_runtimes=[CRUN])
    assert other == rendered(oci_runtimes=[CRUN, NVIDIA], oci_runtime="runc")
    elsewhere = {"oci_runtimes": [{"name": "nvidia", "path": "/opt/nvidia"}]}
    assert rendered(gpus="nvidia", **elsewhere) == rendered(oci_runtime="nvidia", **elsewhere)
    assert rendered(gpus="none") == rendered()


def test_gpus_by_cdi():
    assert toml(2, gpus="cdi")["plugins"][CRI_V2]["enable_cdi"] is True
    assert toml(3, gpus="cdi") == toml(3)
    assert crio(gpus="cdi") == crio()
    assert daemon_json(gpus="cdi") == {**DEFAULT_DOCKER, "features": {"cdi": True}}
    old = containerd_file(2, cdi=False, gpus="cdi")
    assert [refusal[:38] for refusal in old["refusals"]] == [
        "gpus=cdi requires containerd 1.7 or ne"
    ]
    old = files({"version_range": "23.0.0"}, runtime="docker", gpus="cdi")[DOCKER_CONFIG]
    assert [refusal[:34] for refusal in old["refusals"]] == ["gpus=cdi requires Docker 25 or new"]


def test_rootless():
    keys = {"restrict_oom_score_adj": True, "disable_apparmor": True}
    assert toml(2, rootless=True)["plugins"][CRI_V2].items() >= keys.items()
    assert toml(3, rootless=True)["plugins"][CRI_V3].items() >= keys.items()
    assert crio(rootless=True) == crio()
    path = "/etc/systemd/system/crio.service.d/50-cruntime-rootless.conf"
    file = files(runtime="crio", rootless=True)[path]
    assert file["restart"] is True
    assert file["content"].splitlines()[1:] == ["[Service]", "Environment=_CRIO_ROOTLESS=1"]
    assert render.render(checked(runtime="docker", rootless=True)) == render.render(
        checked(runtime="docker")
    )


# proxy


@pytest.mark.parametrize(
    ("runtime", "unit"), [("containerd", "containerd"), ("crio", "crio"), ("docker", "docker")]
)
def test_proxy(runtime, unit):
    proxy = {
        "http": "http://user:p%40ss@proxy.local:3128",
        "https": "http://proxy.local:3128",
        "no_proxy": "10.0.0.0/8, .cluster.local",
    }
    path = f"/etc/systemd/system/{unit}.service.d/50-cruntime-proxy"
    found = files(runtime=runtime, proxy=proxy)
    drop_in, variables = found[f"{path}.conf"], found[f"{path}.env"]
    assert drop_in["content"].splitlines()[2:] == ["[Service]", f"EnvironmentFile={path}.env"]
    assert drop_in["restart"] is True
    assert (variables["restart"], variables["secret"], variables["when"]) == (True, True, [{}])
    assert variables["content"].splitlines()[2:] == [
        'HTTP_PROXY="http://user:p%40ss@proxy.local:3128"',
        'http_proxy="http://user:p%40ss@proxy.local:3128"',
        'HTTPS_PROXY="http://proxy.local:3128"',
        'https_proxy="http://proxy.local:3128"',
        'NO_PROXY="10.0.0.0/8,.cluster.local"',
        'no_proxy="10.0.0.0/8,.cluster.local"',
    ]


def test_a_proxy_value_is_quoted_for_systemd():
    (content,) = [
        file["content"]
        for path, file in files(proxy={"http": "http://$HOME:'%41@h"}).items()
        if path.endswith(".env")
    ]
    assert content.splitlines()[-1] == 'http_proxy="http://\\$HOME:\'%41@h"'


@pytest.mark.parametrize("proxy", [{}, {"no_proxy": []}])
def test_without_proxy_there_is_no_file(proxy):
    assert set(files(proxy=proxy)) == {"/etc/containerd/config.toml", "/etc/crictl.yaml"}


# storage, log_level, metrics, live_restore, ulimits, container_logs


def test_storage():
    storage = {"root": "/srv/x", "driver": "native"}
    config = toml(2, storage=storage)
    assert config["root"] == "/srv/x"
    assert config["plugins"][CRI_V2]["containerd"]["snapshotter"] == "native"
    config = toml(3, storage=storage)
    assert config["root"] == "/srv/x"
    assert config["plugins"][IMAGES_V3]["snapshotter"] == "native"
    assert config["plugins"]["io.containerd.transfer.v1.local"] == {
        "unpack_config": [{"platform": "linux", "snapshotter": "native", "differ": "walking"}]
    }
    config = crio(storage=storage)
    assert (config["root"], config["storage_driver"]) == ("/srv/x", "native")
    assert daemon_json(storage=storage) == {
        **DEFAULT_DOCKER,
        "data-root": "/srv/x",
        "storage-driver": "native",
    }


@pytest.mark.parametrize("level", ["debug", "info", "warn", "error"])
def test_log_level(level):
    assert toml(2, log_level=level)["debug"] == {"level": level}
    assert toml(3, log_level=level)["debug"] == {"level": level}
    assert crio(log_level=level)["runtime"]["log_level"] == level
    assert daemon_json(log_level=level)["log-level"] == level


@pytest.mark.parametrize("host", ["127.0.0.1", "node.local", "[::1]"])
def test_metrics(host):
    address = f"{host}:1338"
    assert toml(2, metrics=address)["metrics"] == {"address": address}
    assert toml(3, metrics=address)["metrics"] == {"address": address}
    assert crio(metrics=address)["metrics"] == {
        "enable_metrics": True,
        "metrics_host": host.strip("[]"),
        "metrics_port": 1338,
    }
    assert daemon_json(metrics=address)["metrics-addr"] == address


def test_live_restore():
    assert daemon_json(live_restore=True)["live-restore"] is True
    assert daemon_json(live_restore=False)["live-restore"] is False
    for runtime in ("containerd", "crio"):
        asked = render.render(checked(runtime=runtime, live_restore=True))
        assert asked == render.render(checked(runtime=runtime))
        refused("live_restore=false is not supported", runtime=runtime, live_restore=False)


def test_ulimits():
    ulimits = {"nofile": {"soft": 1024, "hard": "4096"}, "core": {"soft": -1, "hard": -1}}
    assert daemon_json(ulimits=ulimits)["default-ulimits"] == {
        "nofile": {"Name": "nofile", "Soft": 1024, "Hard": 4096},
        "core": {"Name": "core", "Soft": -1, "Hard": -1},
    }
    assert crio(ulimits=ulimits)["runtime"]["default_ulimits"] == ["nofile=1024:4096", "core=-1:-1"]


BASE_SPECS = "/etc/containerd/cruntime-spec-{}.json"
LIMITS = {"core": {"soft": 0, "hard": -1}}
CORE = {"type": "RLIMIT_CORE", "soft": 0, "hard": 2**64 - 1}


@pytest.mark.parametrize(
    ("version", "ulimits", "rlimits"),
    [
        ("1.6.0", LIMITS, [CORE]),
        # This default of containerd 2.x stays.
        ("2.1.0", LIMITS, [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}, CORE]),
        (
            "2.1.0",
            {"nofile": {"soft": 4096, "hard": "8192"}},
            [{"type": "RLIMIT_NOFILE", "soft": 4096, "hard": 8192}],
        ),
    ],
)
def test_ulimits_are_in_the_base_spec_of_each_handler_of_containerd(version, ulimits, rlimits):
    found = files({"version_range": version}, oci_runtimes=[CRUN], ulimits=ulimits)
    config = toml(int(version[0]) // 2 + 2, oci_runtimes=[CRUN], ulimits=ulimits)
    handlers = config["plugins"][CRI_V2 if version[0] == "1" else CRI_V3]["containerd"]["runtimes"]
    assert sorted(handlers) == ["crun", "runc"]
    for name, handler in handlers.items():
        assert handler["base_runtime_spec"] == BASE_SPECS.format(name)
        file = found[BASE_SPECS.format(name)]
        assert json.loads(file["content"]) == {"process": {"rlimits": rlimits}}
        assert (file["restart"], file["onto"]) == (True, "oci_spec")


def test_a_base_spec_of_one_handler():
    base_spec = {"process": {"noNewPrivileges": True}, "hostname": "x"}
    spec = {"oci_runtimes": [dict(CRUN, base_spec=base_spec)]}
    found = files({"version_range": "1.7.0"}, **spec)
    assert [path for path in found if "cruntime-spec" in path] == [BASE_SPECS.format("crun")]
    content = json.loads(found[BASE_SPECS.format("crun")]["content"])
    assert content == {**base_spec, "process": {"rlimits": [], "noNewPrivileges": True}}
    handlers = toml(2, **spec)["plugins"][CRI_V2]["containerd"]["runtimes"]
    assert [name for name in handlers if "base_runtime_spec" in handlers[name]] == ["crun"]
    for runtime in ("crio", "docker"):
        refused("crun: base_spec is not supported with runtime", runtime=runtime, **spec)


def test_a_base_spec_of_extra_config_conflicts_with_ulimits():
    handlers = {"runc": {"base_runtime_spec": "/x"}}
    for plugin in (CRI_V2, CRI_V3):
        extra = {"plugins": {plugin: {"containerd": {"runtimes": handlers}}}}
        refused("conflicts with ulimits", ulimits=LIMITS, extra_config=extra)
        assert files(extra_config=extra)


@pytest.mark.parametrize("ports", [True, False])
@pytest.mark.parametrize("icmp", [True, False])
def test_unprivileged_ports_and_icmp(ports, icmp):
    spec = {"unprivileged_ports": ports, "unprivileged_icmp": icmp}
    expected = {"enable_unprivileged_ports": ports, "enable_unprivileged_icmp": icmp}
    assert toml(2, **spec)["plugins"][CRI_V2].items() >= expected.items()
    found = toml(3, **spec)["plugins"][CRI_V3]
    # The default of containerd 2.x is true.
    assert all(found.get(key, True) is value for key, value in expected.items())
    names = [text.partition("=")[0] for text in crio(**spec)["runtime"].get("default_sysctls", ())]
    assert ("net.ipv4.ip_unprivileged_port_start" in names) is ports
    assert ("net.ipv4.ping_group_range" in names) is icmp
    for option, value in spec.items():
        if not value:
            refused(f"{option}=false is not supported", runtime="docker", **{option: value})


def test_extra_config_can_replace_what_no_option_sets():
    extra = {"plugins": {CRI_V2: {"enable_unprivileged_ports": False}}}
    assert toml(2, extra_config=extra)["plugins"][CRI_V2]["enable_unprivileged_ports"] is False
    extra = {"crio": {"runtime": {"default_sysctls": []}}}
    assert crio(extra_config=extra)["runtime"]["default_sysctls"] == []
    values = {"unprivileged_icmp": False, "runtime": "crio"}
    refused("default_sysctls conflicts with unprivileged_icmp", extra_config=extra, **values)


SERVICE = {
    "limits": {"nofile": {"soft": 1024, "hard": -1}, "core": {"soft": "-1", "hard": "-1"}},
    "slice": "kube-runtimes.slice",
    "oom_score_adjust": -999,
    "environment": {"GODEBUG": 'x"=1'},
}
UNIT_LINES = [
    "[Service]",
    "LimitNOFILE=1024:infinity",
    "LimitCORE=infinity:infinity",
    "Slice=kube-runtimes.slice",
    "OOMScoreAdjust=-999",
]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_service(runtime):
    found = files(runtime=runtime, cri_service=runtime == "docker" or None, service=SERVICE)
    units = {"docker": ("docker", "cri-docker")}.get(runtime, (runtime,))
    paths = [f"/etc/systemd/system/{unit}.service.d/50-cruntime-service" for unit in units]
    assert [path for path in found if "cruntime-service" in path] == [
        f"{path}{suffix}" for path in paths for suffix in (".conf", ".env")
    ]
    for path, unit in zip(paths, units):
        drop_in, variables = found[f"{path}.conf"], found[f"{path}.env"]
        lines = [line for line in drop_in["content"].splitlines() if line[0] != "#"]
        assert lines == [*UNIT_LINES, f"EnvironmentFile={path}.env"]
        assert variables["content"].splitlines()[1:] == ['GODEBUG="x\\"=1"']
        assert variables["secret"] is True
        reader = "cri-docker.service" if unit == "cri-docker" else None
        assert drop_in["restart"] is variables["restart"] is True
        assert drop_in.get("unit") == variables.get("unit") == reader


def test_a_service_without_settings_has_no_files():
    for service in ({}, {"limits": {}, "environment": {}}):
        assert files(service=service) == files()
    found = files(service={"oom_score_adjust": 0})
    (path,) = [path for path in found if "cruntime-service" in path]
    assert found[path]["content"].splitlines()[1:] == ["[Service]", "OOMScoreAdjust=0"]


def test_container_logs():
    logs = {"max_size": "100m", "max_files": 3}
    assert daemon_json(container_logs=logs) == {
        **DEFAULT_DOCKER,
        "log-driver": "json-file",
        "log-opts": {"max-size": "100m", "max-file": "3"},
    }
    assert daemon_json(container_logs={"max_size": "1g"})["log-opts"] == {"max-size": "1g"}
    for runtime in ("containerd", "crio"):
        asked = render.render(checked(runtime=runtime, container_logs=logs))
        assert asked == render.render(checked(runtime=runtime))
        refused(
            "max_files must be at least 2",
            runtime=runtime,
            container_logs={"max_size": "1g", "max_files": 1},
        )


# pinned_images, socket


def test_pinned_images():
    images = ["busybox", "user/img:1", "r.io/x@sha256:" + "0" * 64]
    full = ["docker.io/library/busybox:latest", "docker.io/user/img:1", images[2]]
    pins = toml(3, pinned_images=images, sandbox_image=PAUSE)["plugins"][IMAGES_V3]["pinned_images"]
    assert pins == {"sandbox": PAUSE, **{image: image for image in full}}
    assert crio(pinned_images=images)["image"] == {"pinned_images": full}
    file = containerd_file(2, pinned_images=images)
    (refusal,) = file["refusals"]
    assert refusal.startswith("pinned_images requires containerd 2.0 or newer")
    refused("pinned_images is not supported with", runtime="docker", pinned_images=images)


def test_an_image_named_twice_is_pinned_once():
    images = ["busybox", "docker.io/library/busybox:latest"]
    assert len(toml(3, pinned_images=images)["plugins"][IMAGES_V3]["pinned_images"]) == 1


def test_socket():
    socket = "/run/my/cri.sock"
    assert toml(2, socket=socket)["grpc"] == {"address": socket}
    assert toml(3, socket=socket)["grpc"] == {"address": socket}
    assert crio(socket=socket)["api"] == {"listen": socket}
    for runtime in ("containerd", "crio"):
        text = files(runtime=runtime, socket=socket)["/etc/crictl.yaml"]["content"]
        assert text.count(f"-endpoint: unix://{socket}\n") == 2
    docker = files(runtime="docker", cri_service=True, socket=socket)
    assert docker["/etc/crictl.yaml"]["content"].count(f"-endpoint: unix://{socket}\n") == 2
    file = docker["/etc/systemd/system/cri-docker.socket.d/50-cruntime.conf"]
    assert (file["restart"], file["unit"]) == (True, "cri-docker.socket")
    lines = [line for line in file["content"].splitlines() if not line.startswith("#")]
    assert lines == ["[Socket]", "ListenStream=", f"ListenStream={socket}"]


# extra_config

DEEP = {"registries": [{"registry": "r.local", "insecure": True}]}


@pytest.mark.parametrize(
    ("values", "extra", "option"),
    [
        ({"storage": {"root": "/x"}}, {"root": "/y"}, "storage.root"),
        ({"socket": "/x"}, {"grpc": {"address": "/y"}}, "socket"),
        ({"metrics": "h:1"}, {"metrics": {"address": "h:2"}}, "metrics"),
        ({"log_level": "info"}, {"debug": {"level": "warn"}}, "log_level"),
        (DEEP, {"plugins": {CRI_V2: {"registry": {"mirrors": {"x": {}, "y": 1}}}}}, "registries"),
        (DEEP, {"plugins": {IMAGES_V3: {"registry": {"config_path": "/y"}}}}, "registries"),
        (
            {"oci_runtimes": [CRUN]},
            {"plugins": {CRI_V3: {"containerd": {"runtimes": {"crun": {"runtime_type": "x"}}}}}},
            "oci_runtimes",
        ),
        (
            {"oci_runtime": "runc"},
            {"plugins": {CRI_V2: {"containerd": {"default_runtime_name": "x"}}}},
            "oci_runtime",
        ),
        (
            {"cni": {"bin_dirs": ["/x"]}},
            {"plugins": {CRI_V3: {"cni": {"bin_dirs": ["/y"]}}}},
            "cni.bin_dirs",
        ),
        (
            {"pinned_images": ["a"]},
            {"plugins": {IMAGES_V3: {"pinned_images": {"docker.io/library/a:latest": "b"}}}},
            "pinned_images",
        ),
        (
            {"runtime": "crio", "cni": {"conf_dir": "/x"}},
            {"crio": {"network": {"network_dir": "/y"}}},
            "cni.conf_dir",
        ),
        (
            {"runtime": "crio", "ulimits": {"core": {"soft": 0, "hard": 0}}},
            {"crio": {"runtime": {"default_ulimits": []}}},
            "ulimits",
        ),
        (
            {"runtime": "crio", "metrics": "h:1"},
            {"crio": {"metrics": {"enable_metrics": False}}},
            "metrics",
        ),
        ({"runtime": "crio", "socket": "/x"}, {"crio": {"api": {"listen": "/y"}}}, "socket"),
        (
            {"runtime": "crio", "oci_runtimes": [CRUN]},
            {"crio": {"runtime": {"runtimes": {"crun": {"runtime_path": "/y"}}}}},
            "oci_runtimes",
        ),
        ({"runtime": "docker", **DEEP}, {"insecure-registries": "r.local"}, "registries"),
        ({"runtime": "docker", "gpus": "cdi"}, {"features": {"cdi": False}}, "gpus"),
        ({"gpus": "cdi"}, {"plugins": {CRI_V2: {"enable_cdi": False}}}, "gpus"),
        ({"rootless": True}, {"plugins": {CRI_V2: {"disable_apparmor": False}}}, "rootless"),
        ({"rootless": True}, {"plugins": {CRI_V3: {"disable_apparmor": False}}}, "rootless"),
        ({"runtime": "docker", "live_restore": True}, {"live-restore": False}, "live_restore"),
        (
            {"runtime": "docker", "container_logs": {"max_size": "1m"}},
            {"log-driver": "journald"},
            "container_logs",
        ),
        (
            {"runtime": "docker", "oci_runtimes": [CRUN]},
            {"runtimes": {"crun": {"path": "/y"}}},
            "oci_runtimes",
        ),
        (
            {"runtime": "docker", "ulimits": {"core": {"soft": 0, "hard": 0}}},
            {"default-ulimits": {"core": {"Soft": 1}}},
            "ulimits",
        ),
    ],
)
def test_extra_config_that_conflicts_with_an_option_is_rejected(values, extra, option):
    refused(f"extra_config: .* conflicts with {option},", **values, extra_config=extra)
    # Without the option, the operator can set the keys.
    runtime = values.get("runtime", "containerd")
    assert option == "oci_runtimes" or render.render(checked(runtime=runtime, extra_config=extra))


TRANSFER = "io.containerd.transfer.v1.local"
DOWNLOADS = {"max_concurrent_downloads": 8}


@pytest.mark.parametrize("version", ["2.0", "2.1"])
@pytest.mark.parametrize(
    ("more", "is_moved"),
    [
        ({}, True),
        ({"image_pull_progress_timeout": "9m"}, True),
        # With these keys, the CRI pulls images itself.
        ({"use_local_image_pull": True}, False),
        ({"discard_unpacked_layers": True}, False),
        ({"disable_snapshot_annotations": False}, False),
    ],
)
def test_the_number_of_downloads_is_where_the_version_reads_it(version, more, is_moved):
    extra = {"plugins": {IMAGES_V3: {**DOWNLOADS, **more}}}
    config = toml(3, cni_bin_dirs=version == "2.1", extra_config=extra)["plugins"]
    is_moved = is_moved and version == "2.1"
    assert (config.get(TRANSFER) == DOWNLOADS) is is_moved
    assert ("max_concurrent_downloads" in config[IMAGES_V3]) is not is_moved
    assert {key: config.get(IMAGES_V3, {}).get(key) for key in more} == more


def test_the_number_of_downloads_of_the_transfer_service_has_precedence():
    given = {"max_concurrent_downloads": 5}
    extra = {"plugins": {IMAGES_V3: DOWNLOADS, TRANSFER: given}}
    assert toml(3, extra_config=extra)["plugins"][TRANSFER] == given


def test_with_credentials_the_cri_reads_the_number_of_downloads():
    registries = [{"registry": "r.test", "username": "u", "password": "p"}]
    extra = {"plugins": {IMAGES_V3: DOWNLOADS}}
    config = toml(3, registries=registries, extra_config=extra)["plugins"]
    assert config[IMAGES_V3]["max_concurrent_downloads"] == 8
    assert TRANSFER not in config


def test_extra_config_can_extend_a_table_of_an_option():
    extra = {"runtimes": {"crun": {"runtimeArgs": ["--debug"]}}, "log-opts": {"labels": "x"}}
    config = daemon_json(oci_runtimes=[CRUN], container_logs={"max_size": "1m"}, extra_config=extra)
    assert config["runtimes"]["crun"] == {"path": "/usr/bin/crun", "runtimeArgs": ["--debug"]}
    assert config["log-opts"] == {"max-size": "1m", "labels": "x"}


def test_extra_config_can_extend_a_list_of_an_option():
    extra = {"insecure-registries": ["10.0.0.0/8"], "exec-opts": ["isolation=process"]}
    registries = [{"registry": "r.local", "insecure": True}]
    config = daemon_json(registries=registries, extra_config=extra)
    assert config["insecure-registries"] == ["r.local", "10.0.0.0/8"]
    assert config["exec-opts"] == ["native.cgroupdriver=systemd", "isolation=process"]
    mirrors = [{"registry": "docker.io", "mirrors": [{"url": "https://m.local"}]}]
    for extra in ({"registry-mirrors": ["https://n"]}, {"registry-mirrors": []}):
        values = {"runtime": "docker", "registries": mirrors, "extra_config": extra}
        refused("extra_config: registry-mirrors conflicts with registries", **values)


LOOPBACK = ["127.0.0.0/8", "::1/128"]


@pytest.mark.parametrize(
    ("version", "extra", "listed"),
    [
        ("25.0.0", {}, ["r.local"]),
        # A list replaces the default of this version.
        ("29.10.0", {}, ["r.local", *LOOPBACK]),
        ("29.10.0", {"insecure-registries": []}, ["r.local"]),
        ("29.10.0", {"insecure-registries": ["10.0.0.0/8"]}, ["r.local", "10.0.0.0/8"]),
    ],
)
def test_loopback_stays_insecure_unless_the_spec_has_a_list(version, extra, listed):
    when = {"version_range": version}
    spec = {"registries": [{"registry": "r.local", "insecure": True}], "extra_config": extra}
    file = files(when, runtime="docker", **spec)[DOCKER_CONFIG]
    assert json.loads(file["content"])["insecure-registries"] == listed
    # Without insecure registries, the default stays.
    file = files(when, runtime="docker", extra_config=extra)[DOCKER_CONFIG]
    assert json.loads(file["content"]).get("insecure-registries") == extra.get(
        "insecure-registries"
    )


KILL_MODE = "/etc/systemd/system/crio.service.d/50-cruntime-kill-mode.conf"


CRICTL = "/etc/crictl.yaml"


@pytest.mark.parametrize(
    ("runtime", "more"),
    # Docker has no CRI without cri-dockerd.
    [("containerd", {CRICTL}), ("crio", {CRICTL, KILL_MODE}), ("docker", set())],
)
def test_a_minimal_spec_keeps_the_defaults_of_the_runtime(runtime, more):
    paths = {file["path"] for file in render.render(checked(runtime=runtime))}
    assert paths == {RUNTIMES[runtime].config_path, *more}
    assert daemon_json() == DEFAULT_DOCKER
    sysctls = ["net.ipv4.ip_unprivileged_port_start=0", "net.ipv4.ping_group_range=0 65535"]
    runtime_table = {"cgroup_manager": "systemd", "default_sysctls": sysctls}
    assert crio() == {"runtime": runtime_table, "network": {}}
    assert json.dumps(sorted(toml(3))) == '["imports", "plugins", "required_plugins", "version"]'


@pytest.mark.parametrize("exclusive", [False, True])
def test_foreign_keys_in_daemon_json_are_kept_unless_exclusive(exclusive):
    rendered = render.render(checked(runtime="docker", exclusive=exclusive))
    shared = {file["shared"] for file in rendered if file["path"] == "/etc/docker/daemon.json"}
    assert shared == {not exclusive}


@pytest.mark.parametrize("runtime", ["containerd", "crio", "docker"])
def test_files_of_a_spec_without_secrets_are_not_secret(runtime):
    spec = checked(runtime=runtime, registries=[{"registry": "a.test", "insecure": True}])
    assert {file.get("secret", False) for file in render.render(spec)} == {False}
