# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings of a kubelet are found and changed in the files of each installer."""

from __future__ import annotations

import json
import pathlib

import pytest

from ansible_collections.cruntime.node.plugins.module_utils import kubelet_config
from ansible_collections.cruntime.node.plugins.module_utils.kubelet_settings import (
    CGROUP_DRIVER,
    ENDPOINT,
    IMAGE_ENDPOINT,
    KubeletFiles,
)

KUBELET = pathlib.Path(__file__).parents[3] / "nodes" / "kubelet"
OLD, NEW = "unix:///var/run/cri-dockerd.sock", "unix:///run/containerd/containerd.sock"
FLAG = "--container-runtime-endpoint"
UNIT = "/usr/lib/systemd/system/kubelet.service"
KUBEADM = "/usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf"
ENV, CONFIG = "/var/lib/kubelet/kubeadm-flags.env", "/var/lib/kubelet/config.yaml"
DEFAULT = "/etc/default/kubelet"
VALUES = {ENDPOINT: NEW, IMAGE_ENDPOINT: NEW, CGROUP_DRIVER: "systemd"}


def kubelet_files(texts, *unit_files):
    return KubeletFiles(unit_files, lambda path: texts.get(path, ""))


def kubeadm(**more):
    """Return the files of kubeadm, and more files by path."""
    names = {UNIT: "kubelet.service", KUBEADM: "10-kubeadm.conf"}
    names.update({ENV: "kubeadm-flags.env", CONFIG: "config.yaml"})
    texts = {path: (KUBELET / name).read_text() for path, name in names.items()}
    return {**texts, **more}


def rewrite(texts, *unit_files):
    """Return the new texts. Check that they take effect, and that a second time changes nothing."""
    files = kubelet_files(texts, *unit_files)
    changed = files.rewrite(VALUES)
    after = files.rewritten(changed)
    assert after.find(ENDPOINT).value == NEW
    assert after.rewrite(VALUES) == {}
    return changed


def test_files_of_kubeadm():
    texts = kubeadm()
    changed = rewrite(texts, UNIT, KUBEADM)
    assert changed == {
        ENV: texts[ENV].replace(OLD, NEW),
        CONFIG: texts[CONFIG].replace(OLD, NEW).replace("cgroupfs", "systemd"),
    }
    found = kubelet_files(texts, UNIT, KUBEADM).find(ENDPOINT)
    assert (found.value, str(found.source)) == (OLD, f"{ENV} (variable KUBELET_KUBEADM_ARGS)")


def test_kubeadm_keeps_the_endpoint_of_a_node_in_another_file():
    instance = "/var/lib/kubelet/instance-config.yaml"
    text = "apiVersion: kubelet.config.k8s.io/v1beta1\ncontainerRuntimeEndpoint: {}\n"
    flags = 'KUBELET_KUBEADM_ARGS=""\n'
    texts = kubeadm(**{instance: text.format(OLD), ENV: flags})
    changed = rewrite(texts, UNIT, KUBEADM)
    assert set(changed) == {CONFIG, instance}
    assert changed[instance] == text.format(NEW)
    # kubeadm copies the file, but the kubelet does not read it.
    only = {**texts, CONFIG: 'containerRuntimeEndpoint: ""\n'}
    assert kubelet_files(only, UNIT, KUBEADM).find(ENDPOINT) is None


def test_the_last_flag_is_in_a_drop_in_next_to_the_flags_of_kubeadm():
    drop_in = "/etc/systemd/system/kubelet.service.d/20-cri.conf"
    text = f'[Service]\n# KUBELET_EXTRA_ARGS\nEnvironment="KUBELET_EXTRA_ARGS={FLAG}={OLD} --v=2"\n'
    texts = kubeadm(**{drop_in: text})
    unit_files = (UNIT, KUBEADM, drop_in)
    found = kubelet_files(texts, *unit_files).find(ENDPOINT)
    assert found.source.file == drop_in
    changed = rewrite(texts, *unit_files)
    assert changed[drop_in] == text.replace(OLD, NEW)
    assert set(changed) == {ENV, CONFIG, drop_in}
    # An environment file takes precedence over Environment.
    texts[DEFAULT] = "KUBELET_EXTRA_ARGS='--node-ip=192.0.2.1'\n"
    assert kubelet_files(texts, *unit_files).find(ENDPOINT).source.file == ENV
    assert set(rewrite(texts, *unit_files)) == {ENV, CONFIG}


def test_comments_and_overridden_variables_are_not_changed():
    comment = f"# KUBELET_EXTRA_ARGS={FLAG}={OLD}\n; X={FLAG}={OLD}\n"
    unused = f"UNUSED={FLAG}={OLD}\n"
    lines = f"KUBELET_EXTRA_ARGS={FLAG}={OLD}\n{comment}KUBELET_EXTRA_ARGS=--v=2\n"
    texts = kubeadm(**{DEFAULT: comment + unused})
    assert set(rewrite(texts, UNIT, KUBEADM)) == {ENV, CONFIG}
    texts = kubeadm(**{DEFAULT: lines, ENV: comment})
    assert set(rewrite(texts, UNIT, KUBEADM)) == {CONFIG}
    drop_in = "/etc/systemd/system/kubelet.service.d/90-x.conf"
    commented = f"[Service]\n  # Environment=KUBELET_EXTRA_ARGS={FLAG}={OLD}\n"
    assert drop_in not in rewrite({**texts, drop_in: commented}, UNIT, KUBEADM, drop_in)
    for line in (f"#containerRuntimeEndpoint: {OLD}", f"x:\n  containerRuntimeEndpoint: {OLD}"):
        assert kubelet_config.find_field(f"{line}\n", ENDPOINT.field) is None


KUBESPRAY_UNIT = """[Service]
EnvironmentFile=-/etc/kubernetes/kubelet.env
ExecStart=/usr/local/bin/kubelet \\
\t\t$KUBE_LOGTOSTDERR \\
\t\t$KUBELET_API_SERVER \\
\t\t$KUBELET_ARGS \\
\t\t$KUBELET_CLOUDPROVIDER
Restart=always
"""
KUBESPRAY_ENV = """KUBE_LOG_LEVEL="--v=2"
KUBELET_HOSTNAME="--hostname-override=node1"

KUBELET_ARGS="--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \\
--config=/etc/kubernetes/kubelet-config.yaml \\
--kubeconfig=/etc/kubernetes/kubelet.conf \\
{}--runtime-cgroups=/system.slice/docker.service \\
 "
KUBELET_CLOUDPROVIDER=""

PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
"""
KUBESPRAY_CONFIG = """apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
staticPodPath: "/etc/kubernetes/manifests"
cgroupDriver: cgroupfs
containerRuntimeEndpoint: unix:///var/run/cri-dockerd.sock
maxPods: 110
"""


def test_files_of_kubespray():
    unit, env = "/etc/systemd/system/kubelet.service", "/etc/kubernetes/kubelet.env"
    config = "/etc/kubernetes/kubelet-config.yaml"
    texts = {unit: KUBESPRAY_UNIT, env: KUBESPRAY_ENV.format(""), config: KUBESPRAY_CONFIG}
    expected = KUBESPRAY_CONFIG.replace(OLD, NEW).replace("cgroupfs", "systemd")
    assert rewrite(texts, unit) == {config: expected}
    # An older one has flags, and a path in place of a URL.
    flags = f"--container-runtime=remote \\\n{FLAG}=/var/run/crio/crio.sock \\\n"
    texts[env] = KUBESPRAY_ENV.format(flags)
    texts[config] = "cgroupDriver: systemd\n"
    changed = rewrite(texts, unit)
    assert changed == {env: texts[env].replace("/var/run/crio/crio.sock", NEW)}


EKS_UNIT = f"""[Service]
ExecStartPre=/sbin/iptables -P FORWARD ACCEPT -w 5
ExecStart=/usr/bin/kubelet \\
    --config /etc/kubernetes/kubelet/kubelet-config.json \\
    --kubeconfig /var/lib/kubelet/kubeconfig \\
    {FLAG} \\
    {OLD} \\
    --image-service-endpoint={OLD} \\
    $KUBELET_ARGS $KUBELET_EXTRA_ARGS
"""


def test_files_of_eks():
    unit = "/etc/systemd/system/kubelet.service"
    drop_in = f"{unit}.d/30-kubelet-extra-args.conf"
    texts = {
        unit: EKS_UNIT,
        drop_in: "[Service]\nEnvironment='KUBELET_EXTRA_ARGS=--cgroup-driver cgroupfs --v=2'\n",
        "/etc/kubernetes/kubelet/kubelet-config.json": '{\n  "cgroupDriver": "systemd"\n}\n',
    }
    changed = rewrite(texts, unit, drop_in)
    assert changed[unit] == EKS_UNIT.replace(OLD, NEW)
    assert changed[drop_in] == texts[drop_in].replace("cgroupfs", "systemd")
    assert len(changed) == 2


def test_files_of_nodeadm_of_eks(tmp_path):
    unit, env = "/etc/systemd/system/kubelet.service", "/etc/eks/kubelet/environment"
    config, drop_in = tmp_path / "config.json", tmp_path / "config.json.d" / "40-nodeadm.conf"
    drop_in.parent.mkdir()
    main = {"featureGates": {"x": True}, "cgroupDriver": "cgroupfs", ENDPOINT.field: OLD}
    other = {"imageServiceEndpoint": OLD, ENDPOINT.field: "unix:///run/mine.sock"}
    config.write_text(json.dumps(main))
    drop_in.write_text(json.dumps(other, indent=4))
    (drop_in.parent / "README").write_text(json.dumps(main))
    texts = {str(path): path.read_text() for path in (config, drop_in)}
    texts[unit] = (
        f"[Service]\nEnvironmentFile={env}\nExecStart=/usr/bin/kubelet $NODEADM_KUBELET_ARGS\n"
    )
    texts[env] = f'NODEADM_KUBELET_ARGS="--config={config} --config-dir={drop_in.parent}"'
    found = kubelet_files(texts, unit).find(ENDPOINT)
    assert (found.value, found.source.file) == ("unix:///run/mine.sock", str(drop_in))
    changed = rewrite(texts, unit)
    assert json.loads(changed[str(config)]) == {
        **main,
        "cgroupDriver": "systemd",
        ENDPOINT.field: NEW,
    }
    assert json.loads(changed[str(drop_in)]) == {"imageServiceEndpoint": NEW, ENDPOINT.field: NEW}
    assert changed[str(drop_in)].startswith('{\n    "imageServiceEndpoint": "')
    # A flag takes precedence over the configuration files.
    texts[env] = texts[env][:-1] + f' {FLAG}={OLD}"'
    assert kubelet_files(texts, unit).find(ENDPOINT).source.file == env
    assert set(rewrite(texts, unit)) == {str(config), str(drop_in), env}


def test_the_command_of_the_last_drop_in_counts():
    unit, drop_in = UNIT, "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf"
    command = f"ExecStart=-/var/lib/minikube/binaries/v1.34.0/kubelet {FLAG}={OLD} --node-ip=::1\n"
    texts = {unit: f"ExecStart=/usr/bin/kubelet {FLAG}=unix:///x\n"}
    texts[drop_in] = f"[Service]\nExecStart=\n{command}"
    files = kubelet_files(texts, unit, drop_in)
    assert files.program == "/var/lib/minikube/binaries/v1.34.0/kubelet"
    assert rewrite(texts, unit, drop_in) == {drop_in: texts[drop_in].replace(OLD, NEW)}


@pytest.mark.parametrize(
    "text",
    [
        f"A='{FLAG}=\"{OLD}\" --v=2'",
        f'A="--v=2 {FLAG}=\\"{OLD}\\""',
        f"A=--v=2\\\n  {FLAG} {OLD}",
        f"B={FLAG}=unix:///b\n\tA = {FLAG}={OLD}  \nC=1",
        f"A={FLAG}={OLD}\r\nB=1\r\n",
    ],
)
def test_quotation_marks_and_continuations_are_kept(text):
    texts = {"/u": "EnvironmentFile=-/e\nExecStart=/usr/bin/kubelet $A\n", "/e": text}
    assert rewrite(texts, "/u") == {"/e": text.replace(OLD, NEW)}


@pytest.mark.parametrize("value", ["$CRI", "${CRI}"])
@pytest.mark.parametrize("between", ["=", " "])
def test_a_variable_in_place_of_the_value_is_not_replaced(value, between):
    text = f"Environment=CRI={OLD}\nExecStart=/usr/bin/kubelet {FLAG}{between}{value}\n"
    files = kubelet_files({"/u": text}, "/u")
    assert files.find(ENDPOINT).value == OLD
    assert str(files.find(ENDPOINT).source) == "/u (variable CRI)"
    assert files.rewrite(VALUES) == {}


@pytest.mark.parametrize(
    "text",
    ["", "ExecStart=\n", "ExecStart=/usr/bin/kubelet\n", f"ExecStart=/usr/bin/kubelet {FLAG}\n"],
)
def test_a_unit_without_an_endpoint(text):
    files = kubelet_files({"/u": text}, "/u")
    assert files.find(ENDPOINT) is None
    assert files.list_settings_files() == []
    assert files.rewrite(VALUES) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("cgroupDriver: systemd # cgroupfs\n", "systemd"),
        ('"cgroupDriver": "systemd"\n', "systemd"),
        ("cgroupDriver: 'systemd'\r\n", "systemd"),
        ('{"cgroupDriver":"systemd"}', "systemd"),
        ('cgroupDriver: ""\n', None),
        ('{"cgroupDriver": ""}', None),
        ("cgroupDriverX: systemd\n", None),
    ],
)
def test_a_field_in_yaml_and_json(text, value):
    assert kubelet_config.find_field(text, "cgroupDriver") == value
    replaced = kubelet_config.replace_field(text, "cgroupDriver", "other")
    assert replaced == (text.replace("systemd", "other") if value else text)


def test_drop_ins_are_sorted_as_the_kubelet_does(tmp_path):
    for name in ("b.conf", "b/z.conf", "a/c.conf", "d.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    files = kubelet_config.list_files(["kubelet", "--config", "/c", f"--config-dir={tmp_path}"])
    assert files == ["/c", *(f"{tmp_path}/{name}" for name in ("a/c.conf", "b/z.conf", "b.conf"))]
    assert kubelet_config.list_files(["kubelet"]) == []
