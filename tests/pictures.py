"""Make the pictures and transcripts of the documentation in docs/pictures, from real runs.

Run it as `make pictures`. To make only some of them, name them on the command line: architecture,
demo, fleet. The pages that show a transcript are updated too.
"""

from __future__ import annotations

import ast
import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator

from ansible_collections.cruntime.node.tests.unit.playbooks import chromium

ROOT = pathlib.Path(__file__).resolve().parents[1]
PLUGINS = ROOT / "plugins"
PICTURES = ROOT / "docs" / "pictures"
NODE = ROOT / "tests" / "nodes" / "node.sh"
PREFIX = "ansible_collections.cruntime.node.plugins."
# The pages that show a transcript, after the comment of `embed`.
PAGES = {"demo.txt": ROOT / "README.md", "switch.txt": ROOT / "docs" / "switching.md"}

# Architecture

#: Groups of the drawing: the side that uses them, a directory of plugins/, and names in it. Tools
#: has all other files of module_utils.
GROUPS = {
    "Action plugins": ("controller", "", "action plugin_utils/spec_action"),
    "Variables of a role": ("controller", "plugin_utils", "role_variables provision"),
    "Filters and tests": ("controller", "", "filter test"),
    "Drift and report": ("controller", "plugin_utils", "drift report failures known_variables"),
    "Render": ("controller", "plugin_utils", "render deciding"),
    "Check the spec": ("controller", "plugin_utils", "spec kubernetes"),
    "Files of each runtime": (
        *("controller", "plugin_utils"),
        "containerd crio docker cri registries",
    ),
    "Types and formats": ("controller", "plugin_utils", "rendering extra_config formats grammar"),
    "Modules": ("node", "", "modules"),
    "Compare and change a node": (
        *("node", "module_utils"),
        "inspection converge plan transaction swap takeover removal stored_data node "
        "known_versions at_risk daemons running_containers needless compared "
        "runtime_facts",
    ),
    "Steps of a role": ("node", "module_utils", "provision package_owners"),
    "Kubelet": ("node", "module_utils", "kubelet_settings kubelet_pointing"),
    "Effective configuration": ("both", "module_utils", "effective"),
    "Checks of changed files": ("node", "module_utils", "checks"),
    "Images": ("node", "module_utils", "images"),
    "Containers and logs": ("node", "module_utils", "containers logs"),
    "Queries of each runtime": ("node", "module_utils", "runtimes"),
    "Identity of each runtime": ("both", "module_utils", "known_runtimes versions paths options"),
    "Tools": ("both", "", "module_utils"),
}
SIDES = {"controller": "#e8effc", "node": "#e9f5ee", "both": "#f6efe0"}


def modules() -> dict[str, pathlib.Path]:
    """Return the files of plugins/ by their path without the suffix."""
    paths = (path for path in PLUGINS.rglob("*.py") if path.parent.name != "doc_fragments")
    return {path.relative_to(PLUGINS).with_suffix("").as_posix(): path for path in sorted(paths)}


def paths_of(group: str) -> list[str]:
    """Return the paths of the modules and packages of a group."""
    _side, directory, names = GROUPS[group]
    return [f"{directory}/{name}".lstrip("/") for name in names.split()]


def group_of(module: str) -> str:
    """Return the group whose path is the longest that contains the module."""
    found = [
        (len(path), group)
        for group in GROUPS
        for path in paths_of(group)
        if module == path or module.startswith(f"{path}/")
    ]
    return max(found)[1]


def imports_of(path: pathlib.Path) -> Iterator[str]:
    """Yield the modules of the collection that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PREFIX):
            base = node.module.removeprefix(PREFIX).replace(".", "/")
            yield from (f"{base}/{alias.name}" for alias in node.names)


def import_graph() -> dict[str, set[str]]:
    """Return the modules that each module imports."""
    known = modules()
    return {
        module: {name if name in known else name.rpartition("/")[0] for name in imports_of(path)}
        & known.keys()
        for module, path in known.items()
    }


def arrows() -> dict[str, set[str]]:
    """Return the groups that each group imports, without those that another one implies."""
    graph: dict[str, set[str]] = {group: set() for group in GROUPS}
    for module, names in import_graph().items():
        group = group_of(module)
        graph[group] |= {group_of(name) for name in names} - {group}

    def reached(group: str) -> set[str]:
        return graph[group].union(*(reached(target) for target in graph[group]))

    return {
        group: targets - set().union(*(reached(target) for target in targets))
        for group, targets in graph.items()
    }


def draw_architecture() -> None:
    """Draw the groups and their imports with Graphviz."""
    lines = ["digraph {", 'graph [fontname="sans-serif" bgcolor=white nodesep=0.3 ranksep=0.45]']
    lines += ['node [shape=box style="filled,rounded" color="#57606a" fontname="sans-serif"]']
    lines += ['edge [color="#57606a" arrowsize=0.7]']
    for number, (side, color) in enumerate(SIDES.items()):
        lines += [f'subgraph cluster_{number} {{ label="{side}" style=rounded color="#d0d7de"']
        lines += [
            f"{json.dumps(group)} [fillcolor={json.dumps(color)} label=<{label(group)}>]"
            for group, (where, *_paths) in GROUPS.items()
            if where == side
        ]
        lines += ["}"]
    for group, targets in arrows().items():
        lines += [f"{json.dumps(group)} -> {json.dumps(target)}" for target in sorted(targets)]
    done = subprocess.run(
        ["dot", "-Tsvg"], input="\n".join([*lines, "}"]), check=True, capture_output=True, text=True
    )
    # The version of Graphviz would differ in the drawings of two machines.
    text = re.sub(r"<!-- Generated by .*?-->\n", "", done.stdout, flags=re.DOTALL)
    (PICTURES / "architecture.svg").write_text(text)


def label(group: str) -> str:
    """Return the name of a group, and below it the paths of its modules."""
    _side, directory, names = GROUPS[group]
    words = names.split()
    text = f"{directory}/ {', '.join(words)}" if directory else ", ".join(f"{w}/" for w in words)
    small = "<br/>".join(textwrap.wrap(text, 42))
    return f'<b>{group}</b><br/><font point-size="10">{small}</font>'


# Transcripts


def embed(name: str, text: str) -> None:
    """Write a transcript, and show it in its page."""
    (PICTURES / name).write_text(text)
    page = PAGES[name]
    before, comment, after = page.read_text().partition(marker(name))
    _old, fence, rest = after.partition("\n```\n")
    page.write_text(f"{before}{comment}{text.rstrip()}{fence}{rest}")


def marker(name: str) -> str:
    """Return the text before the transcript in a page."""
    return f"<!-- made by `make pictures`: {name} -->\n\n```console\n"


def record_demo() -> None:
    """Record the output of the demo."""
    command = [sys.executable, ROOT / "examples" / "demo.py"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    embed("demo.txt", f"$ make demo\n{done.stdout}")


# Fleet

SPEC = {
    "runtime": "containerd",
    "cgroup_driver": "systemd",
    "sandbox_image": "registry.k8s.io/pause:3.10",
}
#: Nodes of the fleet, with their images. The third node does not exist.
IMAGES = {"worker-1": "bookworm", "worker-2": "trixie"}
# Documentation address (RFC 5737): no host has it.
MISSING = {"ansible_host": "192.0.2.3", "ansible_timeout": 3}
# The file is valid TOML, but containerd does not start with it.
BROKEN = "/etc/containerd/conf.d/99-broken.toml"
BREAK = f"""mkdir -p $(dirname {BROKEN})
printf 'version = 2\\n[grpc]\\naddress = "/proc/none/containerd.sock"\\n' >{BROKEN}"""
EDIT = """sed -i 's/pause:3.10/pause:3.9/; s/SystemdCgroup = true/SystemdCgroup = false/' \
/etc/containerd/config.toml"""
SUMMARY = "TASK [cruntime.node.switch : Show the summary of the fleet]"


class Fleet:
    """Real nodes, and the directory in which the playbooks run."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory
        self._containers = {name: f"cruntime-pictures-{os.getpid()}-{name}" for name in IMAGES}

    def __enter__(self) -> Fleet:
        nodes = [word for name, image in IMAGES.items() for word in (self._containers[name], image)]
        subprocess.run([NODE, "up", *nodes], check=True)
        return self

    def __exit__(self, *_error: object) -> None:
        subprocess.run([NODE, "down", *self._containers.values()], check=True)

    def sh(self, name: str, script: str) -> None:
        """Run a shell script on a node."""
        subprocess.run(["docker", "exec", self._containers[name], "sh", "-ec", script], check=True)

    def write_inventory(self, **others: dict) -> None:
        """Write the inventory of the nodes, with the spec of the fleet, and of other hosts."""
        hosts = {
            name: {
                "ansible_connection": "community.docker.docker",
                "ansible_host": container,
                "ansible_user": "root",
                "ansible_python_interpreter": "/usr/bin/python3",
            }
            for name, container in self._containers.items()
        }
        variables = {"runtime_spec": SPEC, "switch_spec": SPEC, "switch_install": False}
        inventory = {"all": {"hosts": {**hosts, **others}, "vars": variables}}
        # JSON is valid YAML.
        (self._directory / "inventory.yml").write_text(json.dumps(inventory))

    def play(self, *arguments: str, fails: bool = False) -> tuple[str, str]:
        """Run ansible-playbook; return the command and its output."""
        command = ["ansible-playbook", "-i", "inventory.yml", *arguments]
        done = subprocess.run(
            command,
            check=False, capture_output=True, text=True, cwd=self._directory,
            env={
                **os.environ,
                "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".cache" / "collections"),
                "ANSIBLE_NOCOLOR": "1",
            },
        )  # fmt: skip
        if bool(done.returncode) != fails:
            sys.exit(done.stdout + done.stderr)
        return " ".join(["$", *command]), done.stdout


def shorten(output: str) -> str:
    """Return the summary and the recap of the playbook switch, without the other output."""
    blocks = output[output.rindex(SUMMARY) :].split("\n\n")
    (recap,) = (block for block in blocks if block.startswith("PLAY RECAP"))
    lines = f"...\n{blocks[0]}\n...\n{recap}".splitlines()
    return "".join(f"{line.rstrip()}\n" for line in lines)


def record_fleet() -> None:
    """Record a switch that fails and is repeated, and take a picture of the drift report."""
    # Processes of the browser can still write to its profile.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        path = pathlib.Path(directory)
        with Fleet(path) as fleet:
            fleet.write_inventory()
            playbook = path / "docker.json"
            task = {"cruntime.node.cruntime_enable": {"runtime": "docker"}}
            playbook.write_text(
                json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}])
            )
            fleet.play(str(playbook))
            record_switch(fleet)
            fleet.sh("worker-2", EDIT)
            fleet.write_inventory(**{"worker-3": MISSING})
            fleet.play("cruntime.node.report")
        take_picture(path / "cruntime-report" / "report.html", path / "profile")


def record_switch(fleet: Fleet) -> None:
    """Record the switch of a fleet in which the second node fails first."""
    fleet.sh("worker-2", BREAK)
    command, failed = fleet.play("cruntime.node.switch", fails=True)
    fleet.sh("worker-2", f"rm {BROKEN}")
    _command, done = fleet.play("cruntime.node.switch")
    embed("switch.txt", f"{command}\n{shorten(failed)}\n{command}\n{shorten(done)}")


def take_picture(report: pathlib.Path, profile: pathlib.Path) -> None:
    """Take a picture of the whole report, with the differences of all nodes expanded."""
    profile.mkdir()
    with chromium.page(str(profile)) as page:
        page.show_as(1280, 900)
        page.open(report.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((each) => each.open = true)")
        height = page.evaluate("document.documentElement.scrollHeight")
        page.show_as(1280, height)
        picture = page.send("Page.captureScreenshot")["data"]
    (PICTURES / "report.png").write_bytes(base64.b64decode(picture))


MAKERS = {"architecture": draw_architecture, "demo": record_demo, "fleet": record_fleet}


def main() -> None:
    """Make all pictures, or the named ones."""
    missing = [] if shutil.which("dot") else ["graphviz"]
    missing += [] if chromium.find() else ["chromium-headless-shell"]
    if missing:
        sys.exit(f"Not installed: run tests/install.sh {' '.join(missing)}")
    PICTURES.mkdir(exist_ok=True)
    for name in sys.argv[1:] or MAKERS:
        print(f"-> {name}", flush=True)
        MAKERS[name]()


if __name__ == "__main__":
    main()
