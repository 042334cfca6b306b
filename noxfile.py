"""Every checker by one name: `nox --list`.

antsibull-nox.toml sets up the sessions that all collections share. Each of them, and each session
below that names a version, has an environment of its own, and is skipped if its Python is not on
the PATH. The other sessions run in the environment of nox itself, .venv, which `make` makes.
tests/run.py calls the sessions and counts their results; the workflows run one version in each job.

A session that runs tests leaves their JUnit reports in .cache/junit/NAME.
"""

from __future__ import annotations

import functools
import os
import pathlib
import re
import shutil
import sys

import antsibull_nox
import nox
from antsibull_nox.sessions.collections import prepare_collections

ROOT = pathlib.Path(__file__).parent
CACHE = ROOT / ".cache"
COLLECTIONS = CACHE / "collections"

# The oldest and the newest Python of the controller for each ansible-core that is supported.
# Upstream still supports 2.20 and newer.
CORES = {
    "2.18": ("3.11", "3.13"),
    "2.19": ("3.11", "3.13"),
    "2.20": ("3.12", "3.13"),
    "2.21": ("3.12", "3.13"),
    "2.22": ("3.13", "3.13"),
}
BLOB = "https://github.com/cruntime/cruntime.node/blob/main"
OLDEST_CORE = min(CORES)
# The Pythons of nodes, with the newest ansible-core whose module_utils each can read.
NODE_PYTHONS = {"3.8": "2.19", **dict.fromkeys(("3.9", "3.10", "3.11", "3.12", "3.13"), "2.22")}
PYTEST = ("pytest>=8,<9", "pytest-xdist>=3.5,<4", "hypothesis>=6,<7")
# What needs neither the collections of the package ansible nor a browser.
UNIT_OF_PLUGINS = ("tests/unit/plugins", "tests/unit/roles")

# nox may be called by its path alone.
os.environ |= {
    "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
    "ANSIBLE_HOME": str(CACHE / "ansible"),
}
nox.options.default_venv_backend = "uv|venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_external_run = True
antsibull_nox.load_antsibull_nox_toml()


def in_venv(function):
    """Make a function a session that runs in the environment nox is in."""
    return nox.session(venv_backend="none")(function)


def junit(session: nox.Session) -> pathlib.Path:
    """An empty directory for the session's JUnit reports."""
    directory = CACHE / "junit" / session.name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def run_unit(session: nox.Session, *paths: str) -> None:
    """Run unit tests, with what is asked for on nox's command line after `--`."""
    report = junit(session) / "unit.xml"
    session.run(
        # A file is one process's: what its tests share is made once.
        *("pytest", *paths, "--numprocesses=2", "--dist=loadfile"),
        *(f"--junitxml={report}", *session.posargs),
        env={"PYTHONPATH": str(COLLECTIONS)},
    )


def keep_reports(name: str) -> None:
    """Move the JUnit reports of ansible-test from the copy that it looked at."""
    shutil.rmtree(CACHE / "junit" / name, ignore_errors=True)
    shutil.move("tests/output/junit", CACHE / "junit" / name)
    shutil.rmtree("tests/output")


# In .venv


@in_venv
def workflows(session: nox.Session) -> None:
    """Check the workflows and the forms of issues by GitHub's schemas, and with actionlint."""
    files = sorted(map(str, ROOT.glob(".github/workflows/*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)
    forms = sorted(map(str, ROOT.glob(".github/ISSUE_TEMPLATE/[!c]*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", *forms)
    if shutil.which("actionlint"):
        session.run("actionlint", *files, external=True)


@in_venv
def docs(session: nox.Session) -> None:
    """Build the site in .cache/site; a warning is an error."""
    pages, site = CACHE / "docs", CACHE / "site"
    shutil.rmtree(pages, ignore_errors=True)
    shutil.copytree(ROOT / "docs", pages)
    for name in ("README", "CONTRIBUTING"):
        # In the site, docs/ is the root.
        text = (ROOT / f"{name}.md").read_text().replace("](docs/", "](")
        text = text.replace("](CONTRIBUTING.md)", "](contributing.md)")
        text = re.sub(r"\]\((roles/\S+|examples/\S*|[A-Z_]+\.md|LICENSE)\)", rf"]({BLOB}/\1)", text)
        (pages / f"{name.lower()}.md").write_text(text)
    (pages / "collections").mkdir()
    session.run(
        *("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"),
        *("--dest-dir", pages / "collections", "cruntime.node"),
    )
    session.run("sphinx-build", "--quiet", "--fail-on-warning", "--keep-going", pages, site)


@in_venv
def unit(session: nox.Session) -> None:
    """Run the unit tests."""
    run_unit(session, "tests/unit")


@in_venv
def coverage(session: nox.Session) -> None:
    """Measure the lines that unit and integration tests run, on controller and nodes.

    Of each scenario one node is measured, that of $CRUNTIME_NODE. After `--`, the stages, for less
    than all: unit, molecule-docker ...
    """
    directory = CACHE / "coverage"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    measured = {
        "COVERAGE_FILE": str(directory / "data"),
        "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"),
        "CRUNTIME_COVERAGE": str(directory),
        "CRUNTIME_NODE": os.environ.get("CRUNTIME_NODE", "trixie"),
        # It takes longest of all, and a process that is killed notes nothing.
        "PYTEST_ADDOPTS": "--deselect=tests/integration/test_killed.py",
        "PYTHONPATH": str(COLLECTIONS),
    }
    stages = session.posargs or ("unit", "molecule-containerd", "molecule-crio", "molecule-docker")
    if "unit" in stages:
        session.run("pytest", "tests/unit", "--quiet", env=measured)
    scenarios = [stage for stage in stages if stage != "unit"]
    if scenarios:
        session.run("python", "tests/run.py", "nodes", *scenarios, env=measured)
    where = {"COVERAGE_FILE": measured["COVERAGE_FILE"]}
    session.run("coverage", "combine", "--quiet", directory, env=where)
    session.run("coverage", "html", "--quiet", "--directory", directory / "html", env=where)
    session.run("coverage", "report", env=where)


# Each in an environment of its own


def newest(core: str) -> str:
    """Return the requirement of an ansible-core's newest version, be it a release candidate."""
    return f"ansible-core>={core}.0rc1,<{core}.99"


@nox.session
def mutation(session: nox.Session) -> None:
    """Mutation tests of plans, transactions, managed files and renderers; takes long.

    After `--`, files of tests/mutation/targets.txt, for less than all.
    """
    session.install("-r", "tests/mutation/requirements.txt")
    where = {"PYTHONPATH": str(COLLECTIONS)}
    session.run("python", "tests/mutation/run.py", *session.posargs, env=where)


@nox.session
def unit_oldest(session: nox.Session) -> None:
    """Run the unit tests with the oldest ansible-core that is supported."""
    session.install(newest(OLDEST_CORE), *PYTEST, "-r", "requirements.txt")
    run_unit(session, *UNIT_OF_PLUGINS)


# antsibull-nox runs unit tests with ansible-test in a container image, which has no hypothesis.
@nox.session
@nox.parametrize(
    "python,core",
    [
        nox.param(python, core, id=f"{core}-py{python}")
        for core, pythons in CORES.items()
        for python in sorted(set(pythons))
    ],
)
def unit_core(session: nox.Session, core: str) -> None:
    """Run the unit tests with an ansible-core, on the oldest or the newest Python it runs on."""
    session.install(newest(core), *PYTEST, "-r", "requirements.txt")
    run_unit(session, *UNIT_OF_PLUGINS)


@nox.session(venv_backend="venv")
@nox.parametrize(
    "python,core", [nox.param(python, core, id=python) for python, core in NODE_PYTHONS.items()]
)
def unit_node(session: nox.Session, core: str) -> None:
    """Run the unit tests of what runs on nodes, on their Pythons."""
    # ansible-core as a whole needs a newer Python than the module_utils that it sends to a node.
    session.install("--no-deps", "--ignore-requires-python", newest(core))
    session.install(*PYTEST, "jinja2>=3,<4", "-r", "requirements.txt")
    run_unit(session, "tests/unit/plugins/module_utils")


def bring_pip() -> None:
    """Put the script that ansible-test downloads for its environments where it looks for it."""
    cache = pathlib.Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in ("24_2", "25_2"):
        shutil.copy(ROOT / "tests" / "get_pip.py", cache / f"get_pip_{version}.py")


# antsibull-nox's own sanity sessions need a container image, and ansible-core from its repository;
# this function installs no release candidate.
for core in sorted(CORES.keys() - {"2.22"}):
    antsibull_nox.add_ansible_test_session(
        name=f"sanity-{core}",
        description=f"Run the sanity tests of ansible-core {core}, for every Python on the PATH",
        ansible_test_params=["sanity", "--color", "no", "--requirements", "--junit"],
        default=True,
        ansible_core_version=core,
        ansible_core_source="pypi",
        callback_before=bring_pip,
        callback_after=functools.partial(keep_reports, f"sanity-{core}"),
    )


# antsibull-nox's build-import-check only warns of what Galaxy finds.
@nox.session
def importer(session: nox.Session) -> None:
    """Import the collection as Galaxy does when it is uploaded."""
    session.install("galaxy-importer>=0.4", "ansible-core", "antsibull-changelog>=0.29,<1")
    with session.chdir(
        prepare_collections(
            session, install_in_site_packages=False, install_out_of_tree=True
        ).current_path
    ):
        # As it is uploaded, with its changelog.
        session.run("antsibull-changelog", "release")
        session.run("ansible-galaxy", "collection", "build", "--force", silent=True)
        (archive,) = pathlib.Path().glob("*.tar.gz")
        said = session.run("python", "-m", "galaxy_importer.main", str(archive), silent=True)
    session.log(said)
    if re.search(r"^(WARNING|ERROR)", said, re.MULTILINE):
        session.error("galaxy-importer is not content")
