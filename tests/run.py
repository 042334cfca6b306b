"""Run all test stages, or the named ones. Print "N passed, N failed, N skipped" at the end.

If a stage fails, the next stages still run. The full output of each stage is in .cache/logs.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable
from importlib.metadata import version

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
LOGS = CACHE / "logs"
COLLECTIONS = CACHE / "collections"
JUNIT = CACHE / "junit"
MOLECULE = ROOT / "extensions" / "molecule"
NODES = ROOT / "tests" / "nodes"
# Two runs on the same machine must not share nodes.
RUN = f"cruntime-{os.getpid()}"
SHOWN_LINES = 15
# Nodes of each scenario without its own nodes: for every run, and for the long form only.
NODES_OF = {
    "containerd": (("trixie", "current"), ("bookworm", "trixie-forky", "lts")),
    "crio": (("trixie-crio",), ("trixie-crio-oldest",)),
    "docker": (("trixie", "current"), ("bookworm", "trixie-forky")),
    "switch": (("trixie", "current"), ("bookworm", "trixie-forky")),
}
# Scenarios with their own nodes, which take long. A run of all stages has one of them.
IN_TURN = ("bare", "fleet", "vm")
# Scenarios with the same test files. A run of all stages has each file in about half of them.
HALVES = {"containerd": 0, "docker": 1, "crio": 0}
# Scenarios with their own images, which no other scenario uses.
OWN_IMAGES = ("bare", "vm", "vm-current")
# Time limit of a slice of the long form.
SLICE_SECONDS = 360
DEPRECATED = "[DEPRECATION WARNING]"


#: Number of checks that passed, failed and were skipped.
Tally = Counter
PASSED, FAILED, SKIPPED = Tally(passed=1), Tally(failed=1), Tally(skipped=1)


def format_tally(tally: Tally) -> str:
    """Return the numbers of a tally as text, zeros included."""
    return ", ".join(f"{tally[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped"))


def show(text: str) -> None:
    """Print the last lines of a text, indented."""
    print(*(f"     {line}" for line in text.rstrip().splitlines()[-SHOWN_LINES:]), sep="\n")


class Stage:
    """Log of one stage, and its commands, which run one after the other."""

    def __init__(self, name: str):
        self.name = name
        self.log = LOGS / f"{name}.log"
        self.report = LOGS / f"{name}.xml"
        self.log.write_text("")
        self.report.unlink(missing_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, *command: object, **env: object) -> bool:
        """Run a command with its output in the log; return whether it succeeded."""
        self.begin(*command, **env)
        return self.succeeded()

    def begin(self, *command: object, **env: object) -> None:
        """Start a command with its output in the log."""
        argv = [str(word) for word in command]
        with self.log.open("a+") as log:
            print("$", *argv, file=log, flush=True)
            self._process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**os.environ, **{key: str(value) for key, value in env.items()}},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def succeeded(self, limit: float | None = None) -> bool:
        """Wait for the started command, and return whether it succeeded."""
        return self._process is not None and self._process.wait(limit) == 0

    def end(self) -> None:
        """Stop the processes that are still running after an interrupt."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()

    def show_log(self) -> None:
        """Print the end of the log."""
        show(self.log.read_text(errors="replace"))
        print(f"   full log: {self.log.relative_to(ROOT)}")

    def read(self, *reports: pathlib.Path) -> Tally:
        """Return the tally of JUnit reports, and print the failures."""
        total = Tally()
        for case in (case for report in reports for case in ET.parse(report).iter("testcase")):
            outcome = {element.tag: element for element in case}
            failure = outcome.get("failure", outcome.get("error"))
            if failure is not None:
                total += FAILED
                print(f"   FAILED {case.get('classname')}::{case.get('name')}")
                show(failure.text or failure.get("message", ""))
            elif "skipped" not in outcome:
                total += PASSED
            # ansible-test also lists tests that do not apply to any file.
            elif (
                outcome["skipped"].text != "No tests applicable."
                # This test has the same text if shellcheck is not installed.
                or case.get("name") == "shellcheck"
            ):
                total += SKIPPED
        return total


def nox(*arguments: str) -> Callable[[Stage], Tally]:
    """Return a stage that runs nox sessions and counts their reports, or one check per session."""

    def run(stage: Stage) -> Tally:
        outcome = LOGS / f"{stage.name}.json"
        outcome.unlink(missing_ok=True)
        stage.run("nox", "--report", outcome, *arguments)
        if not outcome.exists():
            return no_report(stage)
        results = json.loads(outcome.read_text())["sessions"]
        return sum((outcome_of(stage, result) for result in results), Tally())

    return run


def outcome_of(stage: Stage, session: dict) -> Tally:
    """Return the tally of a nox session: of its reports, or of the session itself."""
    name = session["signatures"][0]
    if session["result"] == "skipped":
        return skipped(f"{name}: {session.get('reason') or 'its Python is not installed'}")
    tally = stage.read(*sorted((JUNIT / name).glob("*.xml")))
    if session["result"] == "success":
        return tally if tally["passed"] else tally + PASSED
    if tally["failed"]:
        return tally
    print(f"   FAILED {name}")
    return tally + no_report(stage)


def skipped(reason: str) -> Tally:
    """Print why a check cannot run here, and return its tally."""
    print(f"   SKIPPED {reason}")
    return SKIPPED


def no_report(stage: Stage) -> Tally:
    """Print the log of a command that left no report, and return the tally of one failure."""
    stage.show_log()
    return FAILED


def nodes(stage: Stage) -> Tally:
    """Wait for the Docker Engine and the node images. Count only a failure: no test has run."""
    return Tally() if stage.succeeded() else no_report(stage)


def has_image(node: str) -> bool:
    """Return whether the image of a node exists."""
    inspect = ["docker", "image", "inspect", f"cruntime-node:{node}"]
    return not subprocess.run(inspect, check=False, capture_output=True).returncode


def no_image(stage: Stage, node: str) -> Tally:
    """Return the tally of a node without an image: skipped, or failed if the node is required."""
    if node in os.environ.get("CRUNTIME_TEST_REQUIRE", "").split(","):
        return no_report(stage)
    return skipped(f"the node image {node} can't be built here; see the log")


def molecule(stage: Stage) -> Tally:
    """Run a scenario. Count its checks, and one more for its sequence with the idempotence step."""
    scenario = stage.name.removeprefix("molecule-")
    short, long = NODES_OF.get(scenario, ((), ()))
    if "CRUNTIME_LONG" in os.environ:
        return run_scenario(stage, scenario, short + long)
    if scenario not in HALVES:
        return run_scenario(stage, scenario, short)
    half = (read_commit() // len(IN_TURN) + HALVES[scenario]) % 2
    return run_scenario(stage, scenario, short, CRUNTIME_HALF=half)


def run_scenario(
    stage: Stage, scenario: str, images: tuple[str, ...], limit: float | None = None, **env: object
) -> Tally:
    """Run a scenario on the nodes that can be built, or on its own nodes."""
    if scenario.startswith("vm") and platform.machine() != "x86_64":
        return skipped(f"the machine requires x86_64, but this host is {platform.machine()}")
    if scenario in OWN_IMAGES and not stage.run(NODES / "images.sh", scenario):
        return no_report(stage)
    if scenario in OWN_IMAGES and not has_image(scenario):
        return no_image(stage, scenario)
    total, platforms, chosen = Tally(), [], os.environ.get("CRUNTIME_NODE")
    for image in (chosen,) if chosen in images else images:
        if has_image(image) or (stage.run(NODES / "images.sh", image) and has_image(image)):
            platforms.append({"name": f"{RUN}-{scenario}-{image}", "image": image})
        else:
            total += no_image(stage, image)
    if images and not platforms:
        return total
    # JSON is valid YAML. Without platforms, the platforms of the scenario are used.
    config = stage.log.with_suffix(".json")
    config.write_text(json.dumps({"platforms": platforms} if platforms else {}))
    stage.begin(
        *("molecule", "--base-config", MOLECULE / "config.yml", "--base-config", config),
        *("test", "--scenario-name", scenario),
        **{"CRUNTIME_RUN": RUN, "CRUNTIME_REPORT": stage.report, "PYTHONPATH": COLLECTIONS, **env},
    )
    try:
        succeeded = stage.succeeded(limit)
    except subprocess.TimeoutExpired:
        stage.end()
        return total + skipped("the remaining tests: the time limit is reached")
    total += stage.read(stage.report) if stage.report.exists() else Tally()
    if DEPRECATED in stage.log.read_text(errors="replace"):
        print(f"   FAILED: the log has {DEPRECATED}")
        total += FAILED
    return total + (PASSED if succeeded or total["failed"] else no_report(stage))


def read_commit() -> int:
    """Return the hash of the commit as a number, which selects what a run of all stages samples."""
    command = ["git", "rev-parse", "HEAD"]
    return int(subprocess.check_output(command, cwd=ROOT, text=True), 16)


def part(stage: Stage) -> Tally:
    """Run a slice of the long form. The commit selects the slice; SLICE selects another one.

    SCENARIO-NODE/PERCENT is the scenario on a node of the long form, or the long tests of a
    scenario with its own nodes. The slice starts after PERCENT of the tests.
    """
    units = {name: (name, ()) for name in ("bare", "fleet")}
    for scenario, (_short, long) in NODES_OF.items():
        units |= {f"{scenario}-{node}": (scenario, (node,)) for node in long}
    commit = read_commit()
    chosen = f"{[*units][commit % len(units)]}/{commit // len(units) % 100}"
    name, _slash, percent = os.environ.get("SLICE", chosen).partition("/")
    print(f"   repeat with: make slice SLICE={name}/{percent}", flush=True)
    # No test starts in the last third of the time.
    env = {"CRUNTIME_SLICE": f"{percent} {time.time() + SLICE_SECONDS * 2 / 3:.0f}"}
    env |= {"CRUNTIME_LONG": "1", "CRUNTIME_PROCESSES": "0"}
    return run_scenario(stage, *units[name], SLICE_SECONDS, **env)


PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CORE = ".".join(version("ansible-core").split(".")[:2])
LINT = (
    *("codeqa", "yamllint", "typing", "antsibull-nox-config", "docs-check", "extra-checks"),
    *("ansible-lint", "workflows"),
)
STAGES = {
    "lint": nox("--session", *LINT),
    "docs": nox("--session", "docs"),
    "unit": nox("--session", "unit"),
    "oldest": nox("--session", "unit_oldest"),
    "sanity": nox("--session", f"sanity-{CORE}", "--", "--python", PYTHON),
    "matrix": nox("--keywords", "unit_core or unit_node or sanity or importer"),
    "nodes": nodes,
    **{
        f"molecule-{path.parent.name}": molecule for path in sorted(MOLECULE.glob("*/molecule.yml"))
    },
    "slice": part,
}
# These stages take hours, so they run only if their full name is given. The matrix also needs
# several Python versions, and the machines with the newest runtimes need KVM to be fast.
BY_NAME = {"matrix", "molecule-vm-current"}


def remove_nodes() -> None:
    """Remove the nodes of an interrupted scenario."""
    if shutil.which("docker"):
        names = subprocess.run(
            ["docker", "ps", "--all", "--filter", f"name=^{RUN}-", "--format", "{{.Names}}"],
            check=False, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
        subprocess.run([NODES / "node.sh", "down", *names], check=False)


def run_stages(names: list[str]) -> Tally:
    """Run the stages in order, and print the start and the result of each."""
    total = Tally()
    stages = {name: Stage(name) for name in names}
    try:
        if "nodes" in stages:
            # Start the build of the images now, because the first stages need no node.
            stages["nodes"].begin(NODES / "images.sh")
        for name, stage in stages.items():
            print(f"== {name}", flush=True)
            started = time.monotonic()
            tally = STAGES[name](stage)
            print(f"   {format_tally(tally)} ({time.monotonic() - started:.0f} s)", flush=True)
            total += tally
    finally:
        for stage in stages.values():
            stage.end()
    return total


def main() -> int:
    """Run the stages on the command line, each named in full or by its first word."""
    chosen = IN_TURN[read_commit() % len(IN_TURN)]
    left_out = {f"molecule-{name}" for name in IN_TURN if name != chosen}
    wanted = set(sys.argv[1:] or STAGES.keys() - BY_NAME - left_out)
    if sys.argv[1:]:
        # A stage that is named on the command line runs with its long tests.
        os.environ["CRUNTIME_LONG"] = "1"
    names = [
        name
        for name in STAGES
        if name in wanted or (name not in BY_NAME and name.partition("-")[0] in wanted)
    ]
    LOGS.mkdir(parents=True, exist_ok=True)
    os.environ |= {
        "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_HOME": str(CACHE / "ansible"),
        "MOLECULE_COMMAND_BORDERS": "false",
        "NO_COLOR": "1",
    }
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        total = run_stages(names)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    finally:
        remove_nodes()
    print(format_tally(total))
    # The stage nodes contains no test.
    return 0 if not total["failed"] and (total["passed"] or names == ["nodes"]) else 1


if __name__ == "__main__":
    sys.exit(main())
