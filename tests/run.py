"""Run the test stages, all or those named, and end with one line: N passed, N failed, N skipped.

A stage that fails does not stop the ones after it. Each stage's full output is in .cache/logs.
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
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
LOGS = CACHE / "logs"
COLLECTIONS = CACHE / "collections"
JUNIT = CACHE / "junit"
MOLECULE = ROOT / "extensions" / "molecule"
NODES = ROOT / "tests" / "nodes"
# Two runs on one machine must not share nodes.
RUN = f"cruntime-{os.getpid()}"
SHOWN_LINES = 15


@dataclass
class Tally:
    """How many checks passed, failed and were skipped."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def one(passed: bool) -> Tally:
    """The tally of a single check."""
    return Tally(passed=1) if passed else Tally(failed=1)


def show(text: str) -> None:
    """Print the last lines of a text, indented."""
    print(*(f"     {line}" for line in text.rstrip().splitlines()[-SHOWN_LINES:]), sep="\n")


class Stage:
    """One stage: its log, and its commands run one after the other."""

    def __init__(self, name: str):
        self.name = name
        self.log = LOGS / f"{name}.log"
        self.report = LOGS / f"{name}.xml"
        self.log.write_text("")
        self.report.unlink(missing_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, *command: object, **env: object) -> bool:
        """Run a command with its output in the log; say whether it succeeded."""
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

    def succeeded(self) -> bool:
        """Wait for the command that was started, and say whether it succeeded."""
        return self._process is not None and self._process.wait() == 0

    def end(self) -> None:
        """End what an interrupt left running, with all that it started."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()

    def show_log(self) -> None:
        """Print the end of the log."""
        show(self.log.read_text(errors="replace"))
        print(f"   all of it: {self.log.relative_to(ROOT)}")

    def read(self, *reports: pathlib.Path) -> Tally:
        """The tally of JUnit reports, with what failed shown."""
        total = Tally()
        for case in (case for report in reports for case in ET.parse(report).iter("testcase")):
            outcome = {element.tag: element for element in case}
            failure = outcome.get("failure", outcome.get("error"))
            if failure is not None:
                total += Tally(failed=1)
                print(f"   FAILED {case.get('classname')}::{case.get('name')}")
                show(failure.text or failure.get("message", ""))
            elif "skipped" not in outcome:
                total += Tally(passed=1)
            # ansible-test also lists tests that have no file to look at here.
            elif outcome["skipped"].text != "No tests applicable.":
                total += Tally(skipped=1)
        return total


def checkers(stage: Stage) -> Tally:
    """The nox sessions with this stage's name as their tag: their reports, or one check each."""
    outcome = LOGS / f"{stage.name}.json"
    outcome.unlink(missing_ok=True)
    stage.run("nox", "--tags", stage.name, "--report", outcome)
    if not outcome.exists():
        return no_report(stage)
    sessions = json.loads(outcome.read_text())["sessions"]
    return sum((outcome_of(stage, session) for session in sessions), Tally())


def outcome_of(stage: Stage, session: dict) -> Tally:
    """The tally of one nox session, by its reports if it left any."""
    name = session["signatures"][0]
    if session["result"] == "skipped":
        print(f"   SKIPPED {name}: {session.get('reason') or 'it has no Python here'}")
        return Tally(skipped=1)
    tally = stage.read(*sorted((JUNIT / name).glob("*.xml")))
    if session["result"] == "success":
        return tally if tally.passed else tally + one(True)
    if tally.failed:
        return tally
    print(f"   FAILED {name}")
    return tally + no_report(stage)


def no_report(stage: Stage) -> Tally:
    """The tally of a command that ended before it could say what failed."""
    stage.show_log()
    return Tally(failed=1)


def nodes(stage: Stage) -> Tally:
    """A Docker Engine and the nodes' images. Only a failure counts: no test has run yet."""
    return Tally() if stage.succeeded() else no_report(stage)


def molecule(stage: Stage) -> Tally:
    """One scenario: its checks, and one more for its sequence with the idempotence step."""
    scenario = stage.name.removeprefix("molecule-")
    if scenario == "vm" and platform.machine() != "x86_64":
        print(f"   SKIPPED: its machine is an x86_64, and this one is {platform.machine()}")
        return Tally(skipped=1)
    if scenario == "crio" and not has_crio():
        print("   SKIPPED: no CRI-O; name a folder with crio and pinns by CRUNTIME_TEST_BIN, or a")
        print("   repository with the package cri-o, as a line of apt's, by CRUNTIME_TEST_CRIO_APT")
        return Tally(skipped=1)
    # They have recipes of their own, and are in no other scenario.
    if scenario in ("bare", "vm") and not stage.run(NODES / "images.sh", scenario):
        return no_report(stage)
    # One node of those that the scenario has.
    node = os.environ.get("CRUNTIME_NODE")
    succeeded = stage.run(
        "molecule", "test", "--scenario-name", scenario,
        *(("--platform-name", f"{RUN}-{scenario}-{node}") if node else ()),
        CRUNTIME_RUN=RUN, CRUNTIME_REPORT=stage.report, PYTHONPATH=COLLECTIONS,
    )  # fmt: skip
    checks = stage.read(stage.report) if stage.report.exists() else Tally()
    return checks + (one(True) if succeeded or checks.failed else no_report(stage))


def has_crio() -> bool:
    """Whether images.sh could make a node with CRI-O."""
    folder = os.environ.get("CRUNTIME_TEST_BIN", "")
    has_binaries = bool(folder) and (pathlib.Path(folder) / "crio").exists()
    return has_binaries or bool(os.environ.get("CRUNTIME_TEST_CRIO_APT"))


STAGES = {
    **dict.fromkeys(("lint", "docs", "unit", "oldest", "sanity", "matrix"), checkers),
    "nodes": nodes,
    **{
        f"molecule-{path.parent.name}": molecule for path in sorted(MOLECULE.glob("*/molecule.yml"))
    },
}
# It takes hours, and needs more Pythons: it runs when it is named.
BY_NAME = {"matrix"}


def remove_nodes() -> None:
    """Remove what an interrupted scenario left."""
    if shutil.which("docker"):
        names = subprocess.run(
            ["docker", "ps", "--all", "--filter", f"name=^{RUN}-", "--format", "{{.Names}}"],
            check=False, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
        subprocess.run([NODES / "node.sh", "down", *names], check=False)


def run_stages(names: list[str]) -> Tally:
    """Run the stages in order, reporting each as it starts and ends."""
    total = Tally()
    stages = {name: Stage(name) for name in names}
    try:
        if "nodes" in stages:
            # From the beginning: the checkers before it need no node.
            stages["nodes"].begin(NODES / "images.sh")
        for name, stage in stages.items():
            print(f"== {name}", flush=True)
            started = time.monotonic()
            tally = STAGES[name](stage)
            print(f"   {tally} ({time.monotonic() - started:.0f} s)", flush=True)
            total += tally
    finally:
        for stage in stages.values():
            stage.end()
    return total


def main() -> int:
    """Run the stages named on the command line: by a whole name, or by the first word of it."""
    wanted = set(sys.argv[1:] or STAGES.keys() - BY_NAME)
    if sys.argv[1:]:
        # What takes long, of a stage that somebody asked for by its name.
        os.environ["CRUNTIME_LONG"] = "1"
    names = [name for name in STAGES if {name, name.partition("-")[0]} & wanted]
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
    print(total)
    # The nodes alone hold no test.
    return 0 if not total.failed and (total.passed or names == ["nodes"]) else 1


if __name__ == "__main__":
    sys.exit(main())
