"""Images are pulled through what the spec says of registries: mirrors, CA, plain HTTP."""

from __future__ import annotations

import pytest

ENABLE = "cruntime.node.cruntime_enable"
CA = "/etc/ssl/registry-test.pem"
TLS, PLAIN, PASSWORD = (f"registry.test:{port}" for port in (5000, 5001, 5002))
IMAGE = "library/mirrored:1"
MIRROR = {"registry": "docker.io", "mirrors": [{"url": f"https://{TLS}", "ca_file": CA}]}


@pytest.fixture
def pull(node, runtime, registry, spec, run_module):
    """A function that pulls an image by a runtime that was told of some registries."""
    address, certificate = registry
    hosts = node.file("/etc/hosts").content_string
    node.check_output("echo %s >> /etc/hosts", f"{address} registry.test")
    node.check_output("echo %s > %s", certificate, CA)

    def run(image, registries, credentials=None):
        result = run_module(node, ENABLE, **{**spec, "registries": registries})
        assert not result.get("failed"), result
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
    run_module(node, ENABLE, **spec)
    # The file is one that Docker mounts; it can only be written in place.
    node.check_output("printf %%s %s > /etc/hosts", hosts)
    node.run("docker logout %s", PASSWORD)


@pytest.mark.parametrize(
    ("image", "registries"),
    [
        # Docker Hub itself is nowhere to be found: the image comes from the mirror.
        (f"docker.io/{IMAGE}", [MIRROR]),
        (f"{TLS}/{IMAGE}", [{"registry": TLS, "ca_file": CA}]),
        (f"{TLS}/{IMAGE}", [{"registry": TLS, "insecure": True}]),
        (f"{PLAIN}/{IMAGE}", [{"registry": PLAIN, "insecure": True}]),
    ],
    ids=["mirror", "ca", "unverified", "plain-http"],
)
def test_a_pull_goes_where_the_spec_says(pull, image, registries):
    assert pull(image, registries).succeeded


def test_a_pull_with_a_password(pull):
    image, registries = f"{PASSWORD}/{IMAGE}", [{"registry": PASSWORD, "ca_file": CA}]
    assert pull(image, registries).failed
    assert pull(image, registries, credentials="user:password").succeeded


def test_a_registry_that_left_the_spec_is_trusted_no_more(pull):
    image = f"{TLS}/{IMAGE}"
    assert pull(image, [{"registry": TLS, "ca_file": CA}]).succeeded
    assert "certificate" in pull(image, []).stderr
