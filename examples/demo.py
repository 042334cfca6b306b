"""Provision a real node with containerd from spec.yml, switch it to Docker, and clean up.

Run it as `make demo`. The node is a systemd machine in a container; see tests/nodes.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

EXAMPLES = pathlib.Path(__file__).resolve().parent
ROOT = EXAMPLES.parent
NODES = ROOT / "tests" / "nodes"
NODE = f"cruntime-demo-{os.getpid()}"
ARCHIVE = "/usr/local/share/cruntime-test/busybox.tar"
IMAGE = "localhost/cruntime-test/busybox:1"
START_CONTAINER = {
    "containerd": f"ctr -n k8s.io images import {ARCHIVE} >/dev/null"
    f" && ctr -n k8s.io run --rm {IMAGE} demo echo hello",
    "docker": f"docker load -qi {ARCHIVE} >/dev/null && docker run --rm {IMAGE} echo hello",
}


def step(text: str) -> None:
    """Print the next step."""
    print(f"-> {text}", flush=True)


def run(*command: object, **env: str) -> str:
    """Run a command and return its output. If the command fails, exit with its output."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False, capture_output=True, text=True, env={**os.environ, **env},
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{done.stdout}{done.stderr}\nfailed: {' '.join(map(str, command))}")
    return done.stdout


def apply(spec: pathlib.Path) -> dict:
    """Apply a spec to the node with site.yml and return what cruntime_enable reports."""
    output = run(
        pathlib.Path(sys.executable).parent / "ansible-playbook",
        EXAMPLES / "site.yml",
        f"--inventory={NODE},",
        "--extra-vars=ansible_connection=community.docker.docker ansible_user=root",
        "--extra-vars=ansible_python_interpreter=/usr/bin/python3",
        f"--extra-vars=@{spec}",
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache" / "collections"),
        ANSIBLE_STDOUT_CALLBACK="ansible.posix.json",
    )
    return json.loads(output)["plays"][0]["tasks"][0]["hosts"][NODE]


def changes(report: dict) -> str:
    """Return the files and units that a run changed, as text."""
    names = [file["path"] for file in report["files"] if file["changed"]]
    names += [unit["name"] for unit in report["units"]]
    return ", ".join(names) or "nothing"


def table(rows: list[tuple[str, ...]]) -> None:
    """Print rows in columns of the required width."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def demo(directory: pathlib.Path) -> None:
    """Run the steps of the demo, and print a summary."""
    spec = EXAMPLES / "spec.yml"
    switched = directory / "spec-docker.yml"
    switched.write_text(spec.read_text().replace("runtime: containerd", "runtime: docker"))

    step("Building the node's image (the first time takes minutes)")
    subprocess.run([NODES / "images.sh", "trixie"], check=True)
    step(f"Starting the node {NODE}: Debian 13 with systemd, no runtime running")
    run(NODES / "node.sh", "up", NODE, "trixie")

    rows = [("STEP", "RUNTIME", "VERSION", "CRI SOCKET", "CHANGED")]
    for name, path in (("provision", spec), ("switch", switched), ("run again", switched)):
        step(f"Applying {path.name} ({name})")
        report = apply(path)
        runtime = report["runtime"]
        rows.append((name, runtime, report["version"], report["socket_path"], changes(report)))
        step(f"Running `echo hello` in a container of {runtime}")
        output = run("docker", "exec", NODE, "sh", "-c", START_CONTAINER[runtime])
        print(f"   {output.strip()}")
    print()
    table(rows)


def main() -> None:
    """Run the demo, and always remove the node."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with tempfile.TemporaryDirectory() as directory:
            demo(pathlib.Path(directory))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    except KeyboardInterrupt:
        sys.exit("interrupted")
    finally:
        subprocess.run([NODES / "node.sh", "down", NODE], check=False)


if __name__ == "__main__":
    main()
