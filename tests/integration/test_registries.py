"""Images are pulled through the registries of the spec: mirrors, CA, plain HTTP and passwords."""

from __future__ import annotations

import base64
import json

import pytest
from conftest import ARCHIVES, ENABLE, check_untouched
from conftest import IMAGE as LOADED

CA = "/etc/ssl/registry-test.pem"
# The tests replace ADDRESS. A name would need an entry in the node's hosts file, which a runtime
# may not see at once, because Go rereads that file only after five seconds.
TLS, PLAIN, PASSWORD = (f"ADDRESS:{port}" for port in (5000, 5001, 5002))
IMAGE = "library/mirrored:1"
SECRETS = ("open-sesame", base64.b64encode(b"user:open-sesame").decode())
MIRROR = {"registry": "docker.io", "mirrors": [{"url": f"https://{TLS}", "ca_file": CA}]}


@pytest.fixture
def enable(node, registry, spec, run_module):
    """Yield a function that configures registries. The spec is restored after the test."""
    address, certificate = registry
    node.check_output("echo %s > %s", certificate, CA)

    def run(registries, fails=False):
        entries = json.loads(json.dumps(registries).replace("ADDRESS", address))
        result = run_module(node, ENABLE, diff=True, **{**spec, "registries": entries})
        assert result.get("failed", False) is fails, result
        assert not any(secret in json.dumps(result) for secret in SECRETS)
        return result

    yield run
    run_module(node, ENABLE, **spec)


@pytest.fixture
def pull(node, runtime, registry, enable):
    """Yield a function that pulls an image after it has configured registries."""
    address, _certificate = registry

    def run(image, registries, credentials=None):
        enable(registries)
        image = image.replace("ADDRESS", address)
        if runtime.name == "docker":
            if credentials:
                user, password = credentials.split(":")
                host = image.partition("/")[0]
                node.check_output(
                    f"echo {password} | docker login -u {user} --password-stdin {host}"
                )
            return node.run(f"docker pull {image}")
        creds = f"--creds {credentials}" if credentials else ""
        return node.run(f"crictl --timeout 30s pull {creds} {image}")

    yield run
    node.run("docker logout %s", PASSWORD.replace("ADDRESS", address))


@pytest.mark.parametrize(
    ("image", "registries"),
    [
        # Docker Hub cannot be reached, so the image comes from the mirror.
        (f"docker.io/{IMAGE}", [MIRROR]),
        (f"{TLS}/{IMAGE}", [{"registry": TLS, "ca_file": CA}]),
        (f"{TLS}/{IMAGE}", [{"registry": TLS, "insecure": True}]),
        (f"{PLAIN}/{IMAGE}", [{"registry": PLAIN, "insecure": True}]),
    ],
    ids=["mirror", "ca", "unverified", "plain-http"],
)
def test_pull_uses_the_registry_of_the_spec(pull, image, registries):
    assert pull(image, registries).succeeded


@pytest.mark.runtime("crio")
def test_pull_uses_the_rewritten_name(pull):
    rewrite = {"registry": "quay.io/team", "rewrite": f"{PASSWORD}/library", "ca_file": CA}
    login = {"username": "user", "password": "open-sesame"}
    assert pull("quay.io/team/mirrored:1", [{**rewrite, **login}]).succeeded


def test_pull_with_a_password(pull):
    image, registries = f"{PASSWORD}/{IMAGE}", [{"registry": PASSWORD, "ca_file": CA}]
    assert pull(image, registries).failed
    assert pull(image, registries, credentials="user:open-sesame").succeeded


def test_registry_removed_from_the_spec_is_no_longer_trusted(pull):
    image = f"{TLS}/{IMAGE}"
    assert pull(image, [{"registry": TLS, "ca_file": CA}]).succeeded
    assert "certificate" in pull(image, []).stderr


@pytest.mark.runtime("containerd", "crio")
def test_password_of_the_spec_is_used(node, enable, pull):
    registry = {"registry": PASSWORD, "ca_file": CA}
    login = {"username": "user", "password": "open-sesame"}
    image = f"{PASSWORD}/{IMAGE}"
    assert pull(image, [{**registry, **login}]).succeeded
    holders = f"grep -rlE '{'|'.join(SECRETS)}' /etc /var/lib/cruntime"
    for path in node.check_output(holders).splitlines():
        assert node.file(path).mode == 0o600
    assert enable([{**registry, **login}])["changed"] is False
    assert pull(image, [registry]).failed
    assert node.run(holders).stdout == ""


@pytest.fixture
def in_containerd(node):
    """Return whether Docker keeps its images in containerd."""
    return "io.containerd.snapshotter" in node.check_output("docker info -f '{{.DriverStatus}}'")


@pytest.mark.runtime("docker")
@pytest.mark.parametrize(
    ("image", "entry"),
    [
        (f"quay.io/{IMAGE}", {"registry": "quay.io", "mirrors": MIRROR["mirrors"]}),
        pytest.param(
            f"quay.io/{IMAGE}",
            {"registry": "_default", "mirrors": MIRROR["mirrors"]},
            marks=pytest.mark.long,
        ),
        pytest.param(
            "quay.io/mirrored:1",
            {
                "registry": "quay.io",
                "mirrors": [{"url": f"http://{PLAIN}/v2/library", "override_path": True}],
            },
            marks=pytest.mark.long,
        ),
    ],
    ids=["one", "all", "path"],
)
def test_docker_supports_more_mirrors_with_images_in_containerd(
    enable, pull, in_containerd, image, entry
):
    if in_containerd:
        result = enable([entry])
        # Docker reads the file at each pull.
        assert (result["changed"], result["units"]) == (True, [])
        # quay.io does not have these images.
        assert pull(image, [entry]).succeeded
        assert enable([entry])["changed"] is False
    else:
        result = enable([entry], fails=True)
        check_untouched(result, "option_unsupported", "containerd image store")


@pytest.mark.runtime("docker")
def test_docker_pushes_to_an_insecure_registry(node, registry, enable):
    enable([{"registry": each, "insecure": True} for each in (TLS, PLAIN)])
    node.check_output(f"docker load --input {ARCHIVES}/busybox.tar")
    for host in (TLS, PLAIN):
        name = f"{host}/library/pushed:1".replace("ADDRESS", registry[0])
        node.check_output(f"docker tag {LOADED} {name} && docker push {name} && docker rmi {name}")


@pytest.fixture
def ipv6(node, registry):
    """Yield a registry at ::1, through a proxy on the node: containers may have no other IPv6."""
    node.check_output("sysctl -w net.ipv6.conf.lo.disable_ipv6=0")
    for port in (5001, 5002):
        unit = f"--unit=cruntime-test-{port} --socket-property=ListenStream=[::1]:{port}"
        proxy = f"/lib/systemd/systemd-socket-proxyd {registry[0]}:{port}"
        node.check_output(f"systemd-run --quiet --collect {unit} {proxy}")
    yield
    node.check_output("systemctl stop 'cruntime-test-500*'")


@pytest.mark.runtime("containerd")
@pytest.mark.usefixtures("ipv6")
@pytest.mark.parametrize(
    ("mirrors", "others"),
    [
        # Nothing listens at the first mirror. The pull must continue with the second one.
        (["http://[::1]:5009", "http://[::1]:5001"], []),
        (
            ["https://[::1]:5002"],
            [{"registry": "[::1]:5002", "username": "user", "password": "open-sesame"}],
        ),
    ],
    ids=["plain-http", "password"],
)
def test_pull_uses_a_mirror_with_an_ipv6_address(pull, mirrors, others):
    hub = {
        "registry": "docker.io",
        "mirrors": [
            {"url": url, "headers": {"X-Site": "a]b"}, "insecure": url.startswith("https")}
            for url in mirrors
        ],
    }
    # Without the mirror, the pull would fail, because Docker Hub does not have this image.
    assert pull(f"docker.io/{IMAGE}", [hub, *others]).succeeded
    assert pull(f"docker.io/{IMAGE}", [{**hub, "mirrors": hub["mirrors"][:1]}]).failed
