"""Links at unusual places: no wanted file is removed, no certificate is replaced by itself."""

from __future__ import annotations

import pytest
from conftest import RUNTIMES, check_untouched, scenario_runtime

from ansible_collections.cruntime.node.plugins.module_utils.managed_files import VERSION

pytestmark = [
    pytest.mark.scenario("containerd", "docker", "crio"),
    # The runtime matters little.
    pytest.mark.short("containerd", "crio"),
    pytest.mark.xdist_group("links"),
]
HOST = "registry.test:5443"
#: By runtime: options with which the directory holds a managed file.
DIRECTORIES = {
    "containerd": ["/etc/containerd", "/etc/containerd/certs.d"],
    "crio": ["/etc/crio", "/etc/containers/registries.conf.d"],
    "docker": ["/etc/docker", "/etc/docker/certs.d"],
}
#: Directories in which the runtimes look for certificates.
CERTS_D = {"crio": "/etc/containers/certs.d", "docker": "/etc/docker/certs.d"}


@pytest.fixture
def spec(spare):
    spare.write("/srv/ca.crt", "a certificate\n")
    return {
        "runtime": scenario_runtime(),
        "cgroup_driver": "systemd",
        "registries": [{"registry": HOST, "ca_file": "/srv/ca.crt"}],
        "proxy": {"no_proxy": ["first.test"]},
    }


def is_empty(node, path):
    return node.sh(f"find -L {path} -type f | head -1") == ""


def test_files_in_a_directory_that_became_a_link_are_managed(spare, spec):
    service = RUNTIMES[spec["runtime"]].service
    directories = [*DIRECTORIES[spec["runtime"]], f"/etc/systemd/system/{service}.d"]
    for number, directory in enumerate(reversed(directories)):
        assert "failed" not in spare.enable(**spec)
        assert not is_empty(spare, directory)
        before = spare.sh(f"find -L {directory} -type f -exec sha256sum {{}} + | sort")
        process = spare.process_of(service)
        moved = f"/srv/moved-{number}"
        spare.sh(f"mv {directory} {moved} && ln -s {moved} {directory}")
        try:
            again = spare.enable(**spec)
            assert again["changed"] is False, again["diff"]
            assert spare.sh(f"find -L {directory} -type f -exec sha256sum {{}} + | sort") == before
            assert spare.process_of(service) == process
            # Files that the spec no longer has are removed from the new place, once.
            changed = spare.enable(**{**spec, "registries": [], "proxy": {}})
            assert "failed" not in changed, changed["msg"]
            assert spare.enable(**{**spec, "registries": [], "proxy": {}})["changed"] is False
            assert spare.sh(f"grep -rl -e first.test -e {HOST} {moved}", check=False) == ""
        finally:
            spare.sh(f"rm {directory}; mv {moved} {directory}")
        assert spare.enable(**{**spec, "registries": [], "proxy": {}})["changed"] is False


def test_mounted_file_is_rejected_before_any_change(spare, spec):
    assert "failed" not in spare.enable(**spec)
    service = RUNTIMES[spec["runtime"]].service
    path = spare.sh(f"grep -rl first.test /etc/systemd/system/{service}.d").strip()
    process = spare.process_of(service)
    changed = {**spec, "proxy": {"no_proxy": ["second.test"]}}
    spare.sh(f"cp -p {path} /srv/mounted && mount --bind /srv/mounted {path}")
    try:
        before = spare.sh(f"ls -lR /etc | grep -v total; sha256sum {path}")
        for check in (True, False):
            result = spare.enable(check=check, **changed)
            assert result["reason"] == "file_unwritable"
            assert result["msg"].startswith(f"{path}: could not be written: a file is mounted")
        assert spare.sh(f"ls -lR /etc | grep -v total; sha256sum {path}") == before
        assert spare.process_of(service) == process
        # A mounted file that needs no change is accepted.
        assert spare.enable(**spec)["changed"] is False
        inode = spare.sh("stat -c %i /srv/mounted")
        assert "failed" not in spare.enable(**changed, unsafe_writes=True)
        assert "second.test" in spare.sh("cat /srv/mounted")
        assert spare.sh("stat -c %i /srv/mounted") == inode
        assert spare.enable(**changed, unsafe_writes=True)["changed"] is False
    finally:
        spare.sh(f"umount {path}; rm /srv/mounted")
    assert "failed" not in spare.enable(**changed)
    assert "failed" not in spare.enable(**{**spec, "registries": [], "proxy": {}})


@pytest.mark.scenario("docker", "crio")
@pytest.mark.parametrize("spelt", ["as it is", "through a link"])
def test_certificate_at_the_path_of_the_runtime_is_kept(spare, spec, spelt):
    certs_d = CERTS_D[spec["runtime"]]
    place = f"{certs_d}/{HOST}/ca.crt"
    spare.write(place, "a certificate\n")
    named = place
    if spelt == "through a link":
        spare.sh(f"ln -sfn {certs_d} /srv/certs")
        named = f"/srv/certs/{HOST}/ca.crt"
    own = {**spec, "registries": [{"registry": HOST, "ca_file": named}]}
    for registries in (own["registries"], own["registries"], []):
        result = spare.enable(**{**own, "registries": registries})
        assert "failed" not in result, result["msg"]
        assert spare.sh(f"cat {place}") == "a certificate\n"
        assert spare.sh(f"test -L {place} || echo a file") == "a file\n"
    assert spare.enable(**{**own, "registries": []})["changed"] is False
    spare.sh(f"rm -r {certs_d}/{HOST}")


def plant(node, kind):
    """Create an invalid file at the path of a certificate, and return the path and the cause."""
    path = f"/srv/{kind}.crt"
    node.sh(
        {
            "missing": f"rm -f {path}",
            "loop": f"ln -sfn {path} {path}",
            "dangling": f"ln -sfn /nowhere {path}",
            "directory": f"mkdir -p {path}",
            "fifo": f"test -p {path} || mkfifo {path}",
        }[kind]
    )
    return path


CAUSES = {
    "missing": "No such file or directory",
    "loop": "Too many levels of symbolic links",
    "dangling": "No such file or directory",
    "directory": "directory",
    "fifo": "FIFO",
}


def test_unreadable_certificate_is_rejected_before_any_change(spare, spec):
    assert "failed" not in spare.enable(**spec)
    listing = "find /etc -type f -printf '%p %T@\\n' | sort"
    before = spare.sh(listing), spare.process_of(RUNTIMES[spec["runtime"]].service)
    for kind, cause in CAUSES.items():
        path = plant(spare, kind)
        key = {"client_cert_file": "/srv/ca.crt", "client_key_file": path}
        for tls in ({"ca_file": path}, key):
            wrong = {**spec, "registries": [{"registry": HOST, **tls}]}
            # Check mode reports it too.
            result = spare.enable(check=kind != "loop", **wrong)
            check_untouched(result, "file_unreadable", path, cause)
    assert (spare.sh(listing), spare.process_of(RUNTIMES[spec["runtime"]].service)) == before


@pytest.mark.scenario("crio")
def test_linked_directory_of_drop_ins_is_rejected(spare, spec):
    """CRI-O does not start if the directory of drop-ins is a link."""
    assert "failed" not in spare.enable(**spec)
    process = spare.process_of("crio.service")
    spare.sh("mv /etc/crio/crio.conf.d /srv/moved && ln -s /srv/moved /etc/crio/crio.conf.d")
    try:
        result = spare.enable(**{**spec, "log_level": "warn"})
    finally:
        spare.sh("rm /etc/crio/crio.conf.d; mv /srv/moved /etc/crio/crio.conf.d")
    check_untouched(result, "file_unreadable", "/etc/crio/crio.conf.d", "link")
    assert spare.process_of("crio.service") == process


DAMAGED = {
    "no JSON": "{",
    "a list": "[]",
    "an entry of the wrong type": '{"version": 2, "files": {"/etc/crictl.yaml": 1}}',
    "lone surrogate": r'{"version": 2, "files": {"/etc/\ud800": {}}}',
    "keys of the wrong type": '{"version": 2, "files": {"/x": {"digests": [], "restart": true,'
    ' "runtime": "docker", "keys": [1]}}}',
    "a newer version": f'{{"version": {VERSION + 1}, "files": {{}}}}',
}


@pytest.mark.parametrize("state", ["restarted", "disabled", "absent"])
def test_unusable_record_is_reported_in_one_sentence(spare, spec, state):
    assert "failed" not in spare.enable(**spec)
    record = "/var/lib/cruntime/files.json"
    text, process = spare.sh(f"cat {record}"), spare.process_of(RUNTIMES[spec["runtime"]].service)
    damaged = DAMAGED if state == "restarted" else {"no JSON": DAMAGED["no JSON"]}
    for each in damaged.values():
        spare.write(record, each)
        result = spare.enable(**{**spec, "state": state})
        check_untouched(result, "record_invalid", record)
        assert spare.sh(f"cat {record}") == each
    assert spare.process_of(RUNTIMES[spec["runtime"]].service) == process
    spare.write(record, text)
    assert spare.enable(**spec)["changed"] is False
