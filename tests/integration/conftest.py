"""Fixtures and helpers of the integration tests.

Molecule runs the tests on the nodes of a scenario. To run them by hand, use any inventory whose
hosts have a variable `cruntime_spec`:

    pytest tests/integration --connection=ansible --ansible-inventory=FILE
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import shlex
import subprocess
import tempfile
import time
import uuid
import zipfile
import zlib
from dataclasses import dataclass

import adhoc
import ansible.module_utils
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from returned import surprises

from ansible_collections.cruntime.node.plugins.module_utils.options import ENABLE as ENABLE_OPTIONS
from ansible_collections.cruntime.node.plugins.plugin_utils import render

ROOT = pathlib.Path(__file__).parent.parent.parent
ON_NODE = pathlib.Path(__file__).parent / "on_node"
NODES = pathlib.Path(__file__).parents[1] / "nodes"
ARCHIVES = "/usr/local/share/cruntime-test"
IMAGE = "localhost/cruntime-test/busybox:1"
ENABLE = "cruntime.node.cruntime_enable"
#: Name of the CRI plugin of containerd, by the major version.
CRI = {"1": "io.containerd.grpc.v1.cri", "2": "io.containerd.cri.v1.runtime"}


@dataclass(frozen=True)
class Runtime:
    """Properties of a runtime on a node where it is the only runtime."""

    name: str
    # The file that the runtime reads when it starts.
    config: str
    # The unit that must be active, and the units that must start at boot.
    service: str
    enabled: tuple[str, ...]
    # Units of the other runtimes that must be inactive.
    foreign: tuple[str, ...]
    endpoint: str
    version: str
    load: str
    run: str


RUNTIMES = {
    runtime.name: runtime
    for runtime in (
        Runtime(
            name="containerd",
            config="/etc/containerd/config.toml",
            service="containerd.service",
            enabled=("containerd.service",),
            foreign=("docker.service", "docker.socket", "crio.service"),
            endpoint="unix:///run/containerd/containerd.sock",
            version="ctr version",
            load="ctr --namespace k8s.io images import",
            run="ctr --namespace k8s.io run --rm {image} {name} {command}",
        ),
        Runtime(
            name="crio",
            config="/etc/crio/crio.conf.d/50-cruntime.conf",
            service="crio.service",
            enabled=("crio.service",),
            foreign=("docker.service", "docker.socket", "containerd.service"),
            endpoint="unix:///var/run/crio/crio.sock",
            version="crio status info",
            # CRI-O runs containers only in pods: see test_pods.py.
            load="",
            run="",
        ),
        Runtime(
            name="docker",
            config="/etc/docker/daemon.json",
            service="docker.service",
            enabled=("docker.service", "docker.socket"),
            # containerd.service may be active, because Docker uses it.
            foreign=("crio.service",),
            endpoint="unix:///var/run/cri-dockerd.sock",
            version="docker version",
            load="docker load --input",
            run="docker run --rm --name {name} {image} {command}",
        ),
    )
}

#: Remove all images, containers and volumes, except those of pods that run under CRI-O.
EMPTY = {
    "containerd": "for n in $(ctr namespaces ls -q); do"
    " ctr -n $n containers ls -q | xargs -r ctr -n $n containers rm &&"
    " ctr -n $n images ls -q | xargs -r ctr -n $n images rm --sync; done",
    # Name the driver, because podman stores the first driver that it uses in its database.
    "crio": "podman --storage-driver overlay rm --all --force &&"
    " podman --storage-driver overlay rmi --all --force",
    "docker": "docker ps --all --quiet | xargs -r docker rm --force --volumes &&"
    " docker image ls --all --quiet | sort -u | xargs -r docker rmi --force &&"
    " docker volume ls --quiet | xargs -r docker volume rm",
}

DEPRECATED = "[DEPRECATION WARNING]"
#: Whether this is the long form.
LONG = "CRUNTIME_LONG" in os.environ
#: Start of the slice, in percent of the tests, and the time after which no test starts: see run.py.
SLICE = os.environ.get("CRUNTIME_SLICE", "").split()
#: Half of the test files that the short form has, 0 or 1; empty for all: see run.py.
HALF = os.environ.get("CRUNTIME_HALF", "")
ETC_FILES = (ON_NODE / "etc_files.py").read_text()
UNITS = "containerd.service crio.service docker.service docker.socket"
UNIT_PROPERTIES = "Id,ActiveState,UnitFileState,MainPID,ExecMainStartTimestampMonotonic"


def pytest_configure(config):
    config.addinivalue_line("markers", "runtime(name): only for nodes with this runtime")
    config.addinivalue_line("markers", "scenario(name): only in this Molecule scenario")
    config.addinivalue_line("markers", "long: only if $CRUNTIME_LONG is set")
    config.addinivalue_line(
        "markers",
        "short(name): in this Molecule scenario; in all if $CRUNTIME_LONG is set. Tests with the "
        "mark runtime are not affected",
    )
    config.addinivalue_line("markers", "once: on one node of a scenario, as the test takes long")
    config.addinivalue_line(
        "markers", "each_node: on each node of a scenario, also if $CRUNTIME_LONG is not set"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Deselect tests that do not run here, or run on another node. Keep the order of the others."""
    for item in items:
        mark_item(item)
    fitting = [item for item in items if is_wanted(item)]
    chosen = choose_nodes(fitting)
    kept = [item for item in fitting if chosen.get(item.originalname) in (None, host_of(item))]
    if SLICE:
        kept = sliced(kept)
    known = set(map(id, kept))
    config.hook.pytest_deselected(items=[item for item in items if id(item) not in known])
    items[:] = kept


def mark_item(item):
    """Add the worker of a test that runs on a node of the scenario."""
    host = host_of(item)
    if host:
        item.add_marker(pytest.mark.xdist_group(host.backend.get_pytest_id()))


def is_wanted(item):
    """Return whether a test is for the runtime of its node, for this scenario and for this form."""
    scenario = os.environ.get("MOLECULE_SCENARIO_NAME")
    runtime, only, short = map(item.get_closest_marker, ("runtime", "scenario", "short"))
    if runtime and spec_of(host_of(item))["runtime"] not in runtime.args:
        return False
    if only and scenario not in only.args:
        return False
    if LONG:
        return True
    if HALF and zlib.crc32(item.path.name.encode()) % 2 != int(HALF):
        return False
    if short and not runtime and scenario not in short.args:
        return False
    return item.get_closest_marker("long") is None


def sliced(items):
    """Return the items from the start of the slice to the end, and then the items before it."""
    # These tests take the longest.
    items = [item for item in items if item.path.name != "test_killed.py"]
    # A run of one of these scenarios has its short tests.
    if os.environ["MOLECULE_SCENARIO_NAME"] in ("bare", "fleet"):
        items = [item for item in items if item.get_closest_marker("long")]
    first = len(items) * int(SLICE[0]) // 100
    return items[first:] + items[:first]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item):
    """Start no test after the time of the slice."""
    if SLICE and time.time() > float(SLICE[1]):
        items = item.session.items
        del items[items.index(item) + 1 :]
        return True
    return None


def host_of(item):
    return item.callspec.params.get("_testinfra_host") if hasattr(item, "callspec") else None


def choose_nodes(items):
    """Return the node of each test that runs on one node only.

    Tests that take long run on the last node. In the short form, the tests of a file, which can
    share a fixture, run on the same node: the node with the fewest tests so far.
    """
    on_nodes = [item for item in items if host_of(item)]
    numbers = dict.fromkeys(map(host_of, on_nodes), 0)
    chosen, files = {}, {}
    for item in on_nodes:
        if item.get_closest_marker("once"):
            chosen[item.originalname] = [*numbers][-1]
        elif not LONG and not item.get_closest_marker("each_node"):
            files.setdefault(item.module, []).append(item)
    for tests in files.values():
        host = min(numbers, key=numbers.get)
        numbers[host] += len(tests)
        chosen.update((item.originalname, host) for item in tests)
    return chosen


def spec_of(host):
    """Return the spec that was applied to this node."""
    return host.ansible.get_variables()["cruntime_spec"]


@pytest.fixture
def node(host):
    """Return each node of the scenario, as a testinfra host."""
    return host


@pytest.fixture
def spec(node):
    return spec_of(node)


@pytest.fixture
def runtime(spec):
    """Return the runtime that the spec requests."""
    return RUNTIMES[spec["runtime"]]


@pytest.fixture
def other(spec):
    """Return a runtime that the spec does not request."""
    return RUNTIMES["docker" if spec["runtime"] == "containerd" else "containerd"]


def call_module(inventory, name, module, /, check=False, diff=False, **args):
    """Run a module on a node as a task does, and return its result.

    The result of a failed run is returned too, with `failed: true`. The documentation of a module
    of this collection must list all of its return values.
    """
    command = [name, "--inventory", inventory, "--module-name", module]
    command += ["--args", json.dumps(args)] if args else []
    command += ["--check"] * check + ["--diff"] * diff
    printed, output, errors = adhoc.run(command)
    try:
        result = printed["plays"][0]["tasks"][0]["hosts"][name]
    except (TypeError, LookupError):
        pytest.fail(f"ansible {command} printed no result:\n{output}\n{errors}")
    assert DEPRECATED not in errors, errors
    if module.startswith("cruntime.node."):
        assert surprises(module, result) == []
    return result


@pytest.fixture
def run_module():
    """Return a function that runs a module on a node as a task does, and returns its result."""

    def run(node, module, check=False, diff=False, **args):
        name = node.ansible.get_variables()["inventory_hostname"]
        return call_module(
            node.backend.ansible_inventory, name, module, check=check, diff=diff, **args
        )

    return run


@pytest.fixture
def enable(node, spec, run_module):
    """Yield a function that applies a changed spec. The spec is restored after the test."""
    yield lambda check=False, **changes: run_module(
        node, ENABLE, check=check, **{**spec, **changes}
    )
    run_module(node, ENABLE, **{**spec, "running_containers": "stop"})


def check_failed(result, reason, *facts):
    """Check that a module failed for this reason, and that its message contains these facts."""
    assert result.get("failed") is True, result
    assert result["reason"] == reason, result
    assert [fact for fact in map(str, facts) if fact not in result["msg"]] == [], result["msg"]


def check_untouched(result, reason, *facts):
    """Check that a module failed before it changed anything."""
    check_failed(result, reason, *facts)
    assert "rolled_back" not in result


def reasons(result):
    """Return the reason of each unit change, by the name of the unit."""
    return {unit["name"]: unit["cause"] for unit in result["units"]}


@pytest.fixture
def snapshot(node):
    """Return a function that reads the files and units that a no-op run must not change."""

    def take():
        files = node.check_output("/usr/bin/python3 -c %s", ETC_FILES)
        units = node.check_output(f"systemctl show --property={UNIT_PROPERTIES} {UNITS}")
        return {
            "files": json.loads(files),
            "units": [
                dict(line.split("=", 1) for line in unit.splitlines())
                for unit in units.split("\n\n")
            ],
        }

    return take


def skip_unless_required(name, reason):
    """Skip a test that lacks a tool or image, or fail it if CRUNTIME_TEST_REQUIRE has this name."""
    if name in os.environ.get("CRUNTIME_TEST_REQUIRE", "").split(","):
        pytest.fail(reason)
    pytest.skip(reason)


def require_crictl(node):
    """Skip a test that needs crictl, or fail it if crictl is required."""
    if not node.exists("crictl"):
        skip_unless_required("crictl", "crictl is not available (see tests/nodes/crictl.sh)")


def require_image(name):
    """Build the image of a node. If that fails, skip the test, or fail it if required."""
    inspect = ["docker", "image", "inspect", f"cruntime-node:{name}"]
    if subprocess.run(inspect, check=False, capture_output=True).returncode:
        subprocess.run([NODES / "images.sh", name], check=True)
        if subprocess.run(inspect, check=False, capture_output=True).returncode:
            reason = f"the image of the node {name} is not available (see tests/nodes/images.sh)"
            skip_unless_required(name, reason)


@pytest.fixture
def crictl(node):
    """Return a function that runs crictl on the node. Without crictl, skip the test or fail it."""
    require_crictl(node)
    return lambda arguments: node.check_output(f"crictl --timeout 60s {arguments}")


@pytest.fixture
def empty_store(node, runtime):
    """Return a function that empties the store of the runtime, to allow other storage."""
    return lambda: node.check_output(EMPTY[runtime.name])


@pytest.fixture
def image(node, runtime):
    """Load the test image, and return its name."""
    node.check_output(f"{runtime.load} {ARCHIVES}/busybox.tar")
    return IMAGE


@pytest.fixture
def run_container(node, runtime, image):
    """Return a function that runs a command in a test container, and returns its output."""
    return lambda command: node.check_output(
        runtime.run.format(image=image, name="check", command=command)
    )


class Spare:
    """A node in addition to the nodes of the scenario. Tests can break it."""

    def __init__(self, name):
        self.name = name

    def sh(self, script, check=True):
        """Run a shell script on the node, and return its output and errors."""
        command = ["docker", "exec", self.name, "sh", "-c", script]
        done = subprocess.run(
            command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert not check or done.returncode == 0, f"{script}\n{done.stdout}"
        return done.stdout

    def write(self, path, text):
        """Write a file, and create its directory if it is missing."""
        script = f"mkdir -p {shlex.quote(os.path.dirname(path))} && cat >{shlex.quote(path)}"
        command = ["docker", "exec", "--interactive", self.name, "sh", "-c", script]
        subprocess.run(command, check=True, input=text, text=True)

    @contextlib.contextmanager
    def inventory(self):
        """Yield the path of an inventory with this node alone."""
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as inventory:
            variables = {
                "ansible_connection": "community.docker.docker",
                "ansible_python_interpreter": "/usr/bin/python3",
                "ansible_user": "root",
            }
            json.dump({"all": {"hosts": {self.name: variables}}}, inventory)
            inventory.flush()
            yield inventory.name

    def run(self, module, check=False, **args):
        """Run a module as a task does, and return its result."""
        with self.inventory() as inventory:
            return call_module(inventory, self.name, module, check=check, diff=True, **args)

    def play(self, playbook, *flags, **variables):
        """Run a playbook of the collection; return its exit status and output."""
        with self.inventory() as inventory:
            command = ["ansible-playbook", playbook, "--inventory", inventory, *flags]
            command += ["--extra-vars", json.dumps(variables)]
            done = subprocess.run(
                command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
        assert DEPRECATED not in done.stdout, done.stdout
        return done.returncode, done.stdout

    def enable(self, check=False, **options):
        """Run cruntime_enable."""
        return self.run(ENABLE, check=check, **options)

    def process_of(self, unit):
        """Return the main process of a unit."""
        return self.sh(f"systemctl show --property=MainPID --value {unit}").strip()


@pytest.fixture(scope="module")
def start_nodes():
    """Yield a function that starts nodes with the given images, and returns their names.

    If an image can't be built, the test is skipped, or fails if it is required: see require_image.
    """
    names = []

    def start(*images):
        for image in images:
            require_image(image)
        # tests/run.py finds the nodes of an interrupted run by this prefix.
        run = os.environ.get("CRUNTIME_RUN", "cruntime-local")
        started = [f"{run}-{image}-{uuid.uuid4().hex[:8]}" for image in images]
        names.extend(started)
        pairs = itertools.chain(*zip(started, images))
        subprocess.run([NODES / "node.sh", "up", *pairs], check=True, capture_output=True)
        return started

    yield start
    subprocess.run([NODES / "node.sh", "down", *names], check=True, capture_output=True)


@pytest.fixture(scope="module")
def spare(start_nodes):
    """Return a separate node for the tests of one file, with the runtime of the scenario."""
    image = "trixie-crio" if scenario_runtime() == "crio" else "trixie"
    return Spare(*start_nodes(image))


@pytest.fixture
def spare_spec(spare):
    """Apply a spec to the spare node, and return the spec."""
    spec = {"runtime": scenario_runtime(), "cgroup_driver": "systemd"}
    result = spare.enable(**spec)
    assert "failed" not in result, result["msg"]
    return spec


@pytest.fixture(scope="module")
def newest(start_nodes):
    """Return a separate node with the newest containerd and Docker."""
    return Spare(*start_nodes("current"))


def scenario_runtime():
    """Return the runtime of this scenario."""
    return os.environ.get("MOLECULE_SCENARIO_NAME", "containerd")


@pytest.fixture(scope="module")
def registry_node(start_nodes):
    """Return a function that runs a command on a node that serves a registry."""
    (name,) = start_nodes("registry")

    def run(*command):
        command = ["docker", "exec", name, *command]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    return run


@pytest.fixture(scope="module")
def registry(registry_node):
    """Return the address of a registry, and the certificate of its CA."""
    certificate = registry_node("serve-registry")
    return registry_node("hostname", "--ip-address").strip(), certificate


@pytest.fixture(scope="session")
def modules(tmp_path_factory):
    """Return a zip archive with the modules, their imports and on_node/, for the PYTHONPATH."""
    archive = tmp_path_factory.mktemp("modules") / "modules.zip"
    trees = {
        "ansible/module_utils": pathlib.Path(ansible.module_utils.__file__).parent,
        "ansible_collections/cruntime/node/plugins/module_utils": ROOT / "plugins/module_utils",
        "ansible_collections/cruntime/node/plugins/modules": ROOT / "plugins/modules",
    }
    with zipfile.ZipFile(archive, "w") as bundle:
        packages = {"ansible"}
        for name, tree in trees.items():
            packages.update(str(parent) for parent in pathlib.PurePath(name).parents)
            for path in tree.rglob("*.py"):
                bundle.write(path, f"{name}/{path.relative_to(tree)}")
        packages.add("ansible_collections/cruntime/node/plugins/module_utils")
        packages.add("ansible_collections/cruntime/node/plugins/modules")
        for package in packages - {"."}:
            if f"{package}/__init__.py" not in bundle.namelist():
                bundle.writestr(f"{package}/__init__.py", "")
        for path in ON_NODE.glob("*.py"):
            bundle.write(path, path.name)
    return archive


@pytest.fixture
def on_node(node, modules, run_module):
    """Return a function that builds the command line of a script of on_node/."""
    bundle = f"/tmp/modules-{hashlib.sha256(modules.read_bytes()).hexdigest()[:16]}.zip"

    def command(script, data):
        if not node.file(bundle).exists:
            run_module(node, "ansible.builtin.copy", src=str(modules), dest=bundle)
        python = f"PYTHONPATH={bundle} /usr/bin/python3"
        return f"{python} -m {script} {shlex.quote(json.dumps(data))}"

    return command


@pytest.fixture
def run_on_node(node, on_node):
    """Return a function that runs a script of on_node/ on the node, and returns its JSON output."""

    def run(script, data):
        output = node.check_output(on_node(script, data))
        return json.loads(output.splitlines()[-1])

    return run


@pytest.fixture
def call(run_on_node):
    """Return a function that runs several modules on the node through one connection.

    The function takes pairs of a module's short name and its options, and returns the results.
    """

    def run(*calls):
        results = run_on_node("call", calls)
        for (module, _options), result in zip(calls, results):
            own = {key: value for key, value in result.items() if key != "processes"}
            assert surprises(module, own) == []
        return results

    return run


def node_options(spec, **changes):
    """Return the options that the action plugin passes to the module cruntime_enable."""
    validation = ArgumentSpecValidator(ENABLE_OPTIONS).validate({**spec, **changes})
    full = validation.validated_parameters
    given = {option: value for option, value in full.items() if value is not None}
    files = render.render(full)
    secrets = [file["content"] for file in files if file.get("secret")]
    return {**given, "rendered_files": files, "rendered_secrets": secrets}
