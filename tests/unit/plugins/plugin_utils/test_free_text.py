# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A parser reads back any value of a valid spec unchanged, and a value cannot add a key."""

from __future__ import annotations

import base64
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.plugin_utils import render
from ansible_collections.cruntime.node.plugins.plugin_utils.grammar import SpecError
from ansible_collections.cruntime.node.tests.unit.plugins.plugin_utils.specs import (
    CRI_V2,
    CRI_V3,
    IMAGES_V3,
    checked,
    crio,
    daemon_json,
    files,
    hosts_toml,
    links,
    registries_conf,
    toml,
)

# Characters that end a string, a line, a table or a key in a format, more often than by chance.
SPECIAL = st.sampled_from(
    ['"', '""', '"""', "'", "'''", "\\", "\\u", "]", "=", "#", "%", "{{", "$"]
)
PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=8)
TEXT = st.lists(SPECIAL | PRINTABLE, max_size=5).map("".join)
PATHS = TEXT.map("/{}".format)
CONTROLLED = st.tuples(TEXT, st.characters(categories=["Cc"]), TEXT).map("".join)
WORDS = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,8}[a-z0-9])?", fullmatch=True)
LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
HOSTS = st.tuples(
    st.from_regex(r"[a-z0-9]{1,5}(\.[a-z0-9]{1,5}){0,2}|\[[0-9a-f:]{2,6}\]", fullmatch=True),
    st.just("") | st.integers(1, 65535).map(":{}".format),
).map("".join)
URL_PATHS = st.just("") | st.from_regex(
    r"/v2/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2}){1,8}", fullmatch=True
)
HEADERS = st.dictionaries(
    st.from_regex(r"X-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,6}", fullmatch=True).map(str.lower),
    TEXT,
    max_size=3,
)
NUMBERS = st.integers(0, 10**15)
OCI_RUNTIMES = st.lists(
    st.fixed_dictionaries({"name": LABELS.filter(lambda name: name != "runc"), "path": PATHS}),
    max_size=3,
    unique_by=lambda runtime: runtime["name"],
)


@st.composite
def specs(draw):
    """Return a strategy for specs with the options that all three runtimes support."""
    oci_runtimes = draw(OCI_RUNTIMES)
    host, port = draw(HOSTS), draw(st.integers(1, 65535))
    return {
        "oci_runtimes": oci_runtimes,
        "oci_runtime": draw(st.sampled_from(["runc", *(r["name"] for r in oci_runtimes)])),
        "storage": {"root": draw(PATHS), "driver": draw(WORDS)},
        "log_level": draw(st.sampled_from(["debug", "info", "warn", "error"])),
        "metrics": f"{re.sub(':[0-9]+$', '', host) if host[-1] != ']' else host}:{port}",
    }


@st.composite
def registries(draw):
    """Return a strategy for registries with mirrors, as containerd supports them."""
    names = draw(st.lists(HOSTS, min_size=1, max_size=3, unique=True))
    entries = []
    for name in names:
        urls = draw(
            st.lists(
                st.tuples(st.sampled_from(["http://", "https://"]), HOSTS, URL_PATHS),
                max_size=3,
                unique=True,
            )
        )
        entries.append({"registry": name, **draw(tls(True)), "mirrors": []})
        for scheme, host, path in urls:
            mirror = {
                "url": f"{scheme}{host}{path}",
                "override_path": bool(path),
                "headers": draw(HEADERS),
                **draw(tls(scheme == "https://")),
            }
            entries[-1]["mirrors"].append(mirror)
    return entries


@st.composite
def tls(draw, encrypted):
    if not encrypted:
        return {}
    values = {}
    if draw(st.booleans()):
        values.update(client_cert_file=draw(PATHS), client_key_file=draw(PATHS))
    return {**values, **draw(st.sampled_from([{}, {"insecure": True}, {"ca_file": draw(PATHS)}]))}


def tls_keys(server):
    keys = {}
    if server.get("ca_file"):
        keys["ca"] = server["ca_file"]
    if server.get("client_cert_file"):
        keys["client"] = [[server["client_cert_file"], server["client_key_file"]]]
    return keys


@given(specs(), PATHS, PATHS)
def test_containerd(spec, bin_dir, conf_dir):
    cni = {"bin_dirs": [bin_dir], "conf_dir": conf_dir}
    options = {"SystemdCgroup": True}
    containerd = {
        "default_runtime_name": spec["oci_runtime"],
        "runtimes": {
            "runc": {"runtime_type": "io.containerd.runc.v2", "options": options},
            **{
                runtime["name"]: {
                    "runtime_type": "io.containerd.runc.v2",
                    "options": {"BinaryName": runtime["path"], **options},
                }
                for runtime in spec["oci_runtimes"]
            },
        },
    }
    driver = {"snapshotter": spec["storage"]["driver"]}
    common = {
        "imports": ["/etc/containerd/conf.d/*.toml", "/etc/containerd/config.d/*.toml"],
        "required_plugins": ["io.containerd.grpc.v1.cri"],
        "root": spec["storage"]["root"],
        "metrics": {"address": spec["metrics"]},
        "debug": {"level": spec["log_level"]},
    }
    certs = {"registry": {"config_path": "/etc/containerd/certs.d"}}
    assert toml(2, cni=cni, **spec) == {
        "version": 2,
        **common,
        "plugins": {
            CRI_V2: {
                "enable_unprivileged_ports": True,
                "enable_unprivileged_icmp": True,
                "cni": {"bin_dir": bin_dir, "conf_dir": conf_dir},
                "containerd": {**containerd, **driver},
                **certs,
            }
        },
    }
    unpack = {"platform": "linux", **driver, "differ": "walking"}
    assert toml(3, cni=cni, **spec) == {
        "version": 3,
        **common,
        "plugins": {
            CRI_V3: {"cni": cni, "containerd": containerd},
            IMAGES_V3: {**driver, **certs},
            "io.containerd.transfer.v1.local": {"unpack_config": [unpack]},
        },
    }


@given(specs(), st.lists(PATHS, min_size=1, max_size=3), PATHS)
def test_crio(spec, bin_dirs, conf_dir):
    host, _colon, port = spec["metrics"].rpartition(":")
    runtimes = {
        runtime["name"]: {
            "runtime_path": runtime["path"],
            "runtime_type": "oci",
            "runtime_root": f"/run/{runtime['name']}",
            "monitor_cgroup": "system.slice",
        }
        for runtime in spec["oci_runtimes"]
    }
    assert crio(cni={"bin_dirs": bin_dirs, "conf_dir": conf_dir}, **spec) == {
        "root": spec["storage"]["root"],
        "storage_driver": spec["storage"]["driver"],
        "runtime": {
            "cgroup_manager": "systemd",
            "default_runtime": spec["oci_runtime"],
            "log_level": spec["log_level"],
            "default_sysctls": [
                "net.ipv4.ip_unprivileged_port_start=0",
                "net.ipv4.ping_group_range=0 65535",
            ],
            **({"runtimes": runtimes} if runtimes else {}),
        },
        "network": {"plugin_dirs": bin_dirs, "network_dir": conf_dir},
        "metrics": {
            "enable_metrics": True,
            "metrics_host": host.strip("[]"),
            "metrics_port": int(port),
        },
    }


@given(specs(), NUMBERS, NUMBERS)
def test_docker(spec, one, other):
    soft, hard = sorted((one, other))
    runtimes = {runtime["name"]: {"path": runtime["path"]} for runtime in spec["oci_runtimes"]}
    assert daemon_json(ulimits={"nofile": {"soft": soft, "hard": hard}}, **spec) == {
        "exec-opts": ["native.cgroupdriver=systemd"],
        "default-runtime": spec["oci_runtime"],
        **({"runtimes": runtimes} if runtimes else {}),
        "data-root": spec["storage"]["root"],
        "storage-driver": spec["storage"]["driver"],
        "log-level": spec["log_level"],
        "metrics-addr": spec["metrics"],
        "default-ulimits": {"nofile": {"Name": "nofile", "Soft": soft, "Hard": hard}},
    }


@given(registries(), st.sampled_from([2, 3]))
def test_hosts_toml(entries, version):
    for entry in entries:
        name, insecure = entry["registry"], entry.get("insecure", False)
        hosts = {}
        for mirror in entry["mirrors"]:
            hosts[mirror["url"]] = {"capabilities": ["pull", "resolve"], **tls_keys(mirror)}
            if mirror.get("insecure"):
                hosts[mirror["url"]]["skip_verify"] = True
            if mirror["override_path"]:
                hosts[mirror["url"]]["override_path"] = True
            if mirror["headers"]:
                hosts[mirror["url"]]["header"] = mirror["headers"]
        itself = {"capabilities": ["pull", "resolve", "push"], **tls_keys(entry)}
        if insecure:
            itself["skip_verify"] = True
        config = hosts_toml(name, version, registries=entries)
        # An insecure registry that is its own mirror is first accessed as configured.
        if insecure or not hosts:
            hosts.setdefault(f"https://{name}", itself)
        assert list(config["host"].items()) == list(hosts.items())
        assert {key: config[key] for key in config if key != "host"} == {
            "server": f"{'http' if insecure else 'https'}://{name}",
            **({} if insecure else tls_keys(entry)),
        }


@given(registries())
def test_registries_conf(entries):
    for entry in entries:
        # A host can have only one entry.
        for server in (entry, *entry["mirrors"]):
            for option in ("ca_file", "client_cert_file", "client_key_file"):
                server.pop(option, None)
        for mirror in entry["mirrors"]:
            mirror["headers"] = {}
    expected = []
    for entry in entries:
        insecure = entry.get("insecure", False)
        expected.append(
            {"prefix": entry["registry"], "location": entry["registry"], "insecure": insecure}
        )
        mirrors = [
            {
                "location": mirror["url"].partition("://")[2].replace("/v2/", "/", 1),
                "insecure": mirror.get("insecure", False) or mirror["url"].startswith("http:"),
            }
            for mirror in entry["mirrors"]
        ]
        if mirrors:
            expected[-1]["mirror"] = mirrors
    assert registries_conf(registries=entries) == expected


@given(HOSTS, TEXT.map(lambda text: text.replace(":", "") + "x"), TEXT.map("x{}".format))
def test_credentials(host, username, password):
    login = {"username": username, "password": password}
    values = {"registries": [{"registry": host, **login}]}
    registry = {"config_path": "/etc/containerd/certs.d", "configs": {host: {"auth": login}}}
    assert toml(2, **values)["plugins"][CRI_V2]["registry"] == registry
    assert toml(3, **values)["plugins"][IMAGES_V3]["registry"] == registry
    (text,) = [
        file["content"] for file in files(runtime="crio", **values).values() if file.get("secret")
    ]
    (entry,) = json.loads(text)["auths"].items()
    assert entry == (host, {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()})


@given(HOSTS, PATHS)
def test_links(host, path):
    entries = [{"registry": host, "ca_file": path}]
    assert links(runtime="crio", registries=entries) == {
        f"/etc/containers/certs.d/{host}/ca.crt": path
    }


def variables(text):
    """Parse an environment file as systemd does, and check that each value is one quoted word."""
    for line in text.splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r'(\w+)="((?:[^"\\$`]|\\["\\$`])*)"', line)
            assert match, line
            yield match[1], re.sub(r"\\(.)", r"\1", match[2])


@given(
    st.from_regex(r"([A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-F]{2}){1,12}", fullmatch=True),
    st.lists(st.from_regex(r"[A-Za-z0-9.*:/\[\]_-]{1,8}", fullmatch=True), min_size=1, max_size=3),
)
def test_proxy(user, no_proxy):
    url = f"http://{user}@proxy.local:3128"
    (text,) = [
        file["content"]
        for path, file in files(proxy={"http": url, "no_proxy": no_proxy}).items()
        if path.endswith(".env")
    ]
    assert list(variables(text)) == [
        ("HTTP_PROXY", url),
        ("http_proxy", url),
        ("NO_PROXY", ",".join(no_proxy)),
        ("no_proxy", ",".join(no_proxy)),
    ]


@given(st.lists(PATHS.map(lambda path: path.replace(",", "")), min_size=1, max_size=3), PATHS)
def test_cri_dockerd(bin_dirs, conf_dir):
    cni = {"bin_dirs": bin_dirs, "conf_dir": conf_dir}
    path = "/etc/systemd/system/cri-docker.service.d/50-cruntime.conf"
    text = files(runtime="docker", cri_service=True, cni=cni)[path]["content"]
    command = text.partition("ExecStart=cri-dockerd \\\n")[2]
    arguments = []
    for line in command.split("\n")[:-2]:
        # systemd processes escapes, then % specifiers and $ variables.
        match = re.fullmatch(r' {4}"((?:[^"\\%$]|\\["\\]|%%|\$\$)*)" \\', line)
        assert match, line
        arguments.append(re.sub(r"\\(.)|%(%)|\$(\$)", r"\1\2\3", match[1]))
    assert arguments == [f"--cni-bin-dir={','.join(bin_dirs)}", f"--cni-conf-dir={conf_dir}"]


@pytest.mark.parametrize(
    "values",
    [
        lambda text: {"cni": {"conf_dir": f"/{text}"}},
        lambda text: {"cni": {"bin_dirs": ["/x", f"/{text}"]}},
        lambda text: {"storage": {"root": f"/{text}"}},
        lambda text: {"storage": {"driver": f"x{text}"}},
        lambda text: {"socket": f"/{text}"},
        lambda text: {"metrics": f"{text}:1"},
        lambda text: {"proxy": {"http": f"http://{text}@h"}},
        lambda text: {"proxy": {"no_proxy": [text]}},
        lambda text: {"oci_runtimes": [{"name": "x", "path": f"/{text}"}]},
        lambda text: {"oci_runtimes": [{"name": f"x{text}", "path": "/x"}]},
        lambda text: {"oci_runtimes": [{"name": "x", "path": "/x", "shim": f"x{text}"}]},
        lambda text: {"oci_runtime": f"x{text}"},
        lambda text: {"sandbox_image": f"x{text}"},
        lambda text: {"image_repository": f"x{text}", "kubernetes_version": "1.34.0"},
        lambda text: {"kubernetes_version": f"1.34.0{text}"},
        lambda text: {"pinned_images": [f"x{text}"]},
        lambda text: {"container_logs": {"max_size": f"1m{text}"}},
        lambda text: {"ulimits": {f"core{text}": {"soft": 1, "hard": 1}}},
        lambda text: {"service": {"slice": f"x{text}.slice"}},
        lambda text: {"service": {"environment": {f"X{text}": "x"}}},
        lambda text: {"service": {"environment": {"X": f"x{text}"}}},
        lambda text: {"service": {"limits": {"core": {"soft": 1, "hard": f"1{text}"}}}},
        lambda text: {"ulimits": {"core": {"soft": 1, "hard": f"1{text}"}}},
        lambda text: {"registries": [{"registry": f"h{text}"}]},
        lambda text: {"registries": [{"registry": "h", "ca_file": f"/{text}"}]},
        lambda text: {"registries": [{"registry": "h", "rewrite": f"x{text}"}]},
        lambda text: {"registries": [{"registry": f"x/x{text}", "rewrite": "x"}]},
        lambda text: {"registries": [{"registry": "h", "username": f"x{text}", "password": "x"}]},
        lambda text: {"registries": [{"registry": "h", "username": "x", "password": f"x{text}"}]},
        lambda text: {"registries": [{"registry": "h", "mirrors": [{"url": f"http://h/{text}"}]}]},
        lambda text: {
            "registries": [
                {"registry": "h", "mirrors": [{"url": "http://h", "headers": {"x": text}}]}
            ]
        },
        lambda text: {
            "registries": [
                {"registry": "h", "mirrors": [{"url": "http://h", "headers": {f"x{text}": "y"}}]}
            ]
        },
    ],
)
@pytest.mark.parametrize("runtime", ["containerd", "crio", "docker"])
@settings(max_examples=20)
@given(text=CONTROLLED)
def test_a_control_character_is_rejected_everywhere(runtime, values, text):
    with pytest.raises(SpecError):
        render.render(checked(runtime=runtime, **values(text)))
