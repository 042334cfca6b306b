"""Sessions of all checkers: `nox --list`.

antsibull-nox.toml configures the sessions that all collections share. Each of these sessions, and
each session below with a version in its name, has its own environment. nox skips such a session if
its Python is not on the PATH. The other sessions run in the environment of nox itself, .venv, which
`make` creates. tests/run.py runs the sessions and counts their results; each job of the workflows
runs one version.

A session that runs tests writes their JUnit reports to .cache/junit/NAME.
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

# The oldest and the newest controller Python for each supported ansible-core.
# Upstream still supports 2.20 and newer.
CORES = {
    "2.18": ("3.11", "3.13"),
    "2.19": ("3.11", "3.13"),
    "2.20": ("3.12", "3.13"),
    "2.21": ("3.12", "3.13"),
    "2.22": ("3.13", "3.13"),
}
BLOB = "https://github.com/cruntime/cruntime.node/blob/main"
# Pages of the site that are not in docs/, which is the root of the site.
PAGES = {
    "README.md": "readme.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
    "roles/runtime/README.md": "role-runtime.md",
    "roles/switch/README.md": "role-switch.md",
}
OLDEST_CORE = min(CORES)
# Python versions of nodes, with the newest ansible-core whose module_utils support each version.
NODE_PYTHONS = {"3.8": "2.19", **dict.fromkeys(("3.9", "3.10", "3.11", "3.12", "3.13"), "2.22")}
PYTEST = ("pytest>=8,<9", "pytest-xdist>=3.5,<4", "hypothesis>=6,<7")
# Tests that need neither the collections of the package ansible nor a browser.
UNIT_OF_PLUGINS = ("tests/unit/plugins", "tests/unit/roles")

# Tests of what ansible-core itself calls.
UNIT_OF_CORE = (
    *("tests/unit/plugins/action", "tests/unit/plugins/filter", "tests/unit/roles"),
    *("tests/unit/plugins/test_payload.py",),
)

# nox can be called by its path, without .venv on the PATH.
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
    """Return the function as a session that runs in the environment of nox."""
    return nox.session(venv_backend="none")(function)


def junit(session: nox.Session) -> pathlib.Path:
    """Create an empty directory for the JUnit reports of the session, and return its path."""
    directory = CACHE / "junit" / session.name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def run_tests(session: nox.Session, *paths: str) -> None:
    """Run tests with the arguments after `--` on the command line of nox."""
    report = junit(session) / "report.xml"
    session.run(
        # One process runs all tests of a file, because they share fixtures.
        *("pytest", *paths, "--numprocesses=2", "--dist=loadfile"),
        *(f"--junitxml={report}", *session.posargs),
        env={"PYTHONPATH": str(COLLECTIONS)},
    )


def keep_reports(name: str) -> None:
    """Move the JUnit reports out of the copy of the checkout that ansible-test used."""
    shutil.rmtree(CACHE / "junit" / name, ignore_errors=True)
    shutil.move("tests/output/junit", CACHE / "junit" / name)
    shutil.rmtree("tests/output")


def link_to_site(page: pathlib.Path) -> str:
    """Return the text of a page with links to pages of the site, or to files on GitHub."""

    def link(match: re.Match[str]) -> str:
        target, place = match[1].removeprefix(f"{BLOB}/"), page.parent
        if "://" in target:
            return match[0]
        path = target if target != match[1] else os.path.relpath(place / target, ROOT)
        in_docs = path.removeprefix("docs/")
        return f"]({PAGES.get(path) or (in_docs if in_docs != path else f'{BLOB}/{path}')}"

    return re.sub(r"\]\(([^)#\s]+)", link, page.read_text())


# Sessions in .venv


@in_venv
def workflows(session: nox.Session) -> None:
    """Check the workflows and the issue forms with GitHub's schemas and with actionlint."""
    files = sorted(map(str, ROOT.glob(".github/workflows/*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)
    forms = sorted(map(str, ROOT.glob(".github/ISSUE_TEMPLATE/[!c]*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", *forms)
    if shutil.which("actionlint"):
        session.run("actionlint", *files, external=True)


@in_venv
def docs(session: nox.Session) -> None:
    """Build the documentation site in .cache/site, and test it. Treat warnings as errors."""
    pages, site = CACHE / "docs", CACHE / "site"
    for directory in (pages, site):
        shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(ROOT / "docs", pages)
    for page in (ROOT / "docs").glob("*.md"):
        (pages / page.name).write_text(link_to_site(page))
    for path, name in PAGES.items():
        (pages / name).write_text(link_to_site(ROOT / path))
    (pages / "collections").mkdir()
    session.run(
        *("antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"),
        *("--dest-dir", pages / "collections", "cruntime.node"),
    )
    session.run("sphinx-build", "--quiet", "--fail-on-warning", "--keep-going", pages, site)
    run_tests(session, "tests/site")


@in_venv
def unit(session: nox.Session) -> None:
    """Run the unit tests."""
    run_tests(session, "tests/unit")


@in_venv
def coverage(session: nox.Session) -> None:
    """Measure the lines that unit and integration tests run, on the controller and on nodes.

    One node of each scenario is measured, the node $CRUNTIME_NODE. To run only some stages, name
    them after `--`: unit, molecule-docker ...
    """
    directory = CACHE / "coverage"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    measured = {
        "COVERAGE_FILE": str(directory / "data"),
        "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"),
        "CRUNTIME_COVERAGE": str(directory),
        "CRUNTIME_NODE": os.environ.get("CRUNTIME_NODE", "trixie"),
        # These tests take the longest, and a killed process records no lines.
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


# Sessions with their own environment


def newest(core: str) -> str:
    """Return the requirement for the newest ansible-core of a minor version or its candidate."""
    return f"ansible-core>={core}.0rc1,<{core}.99"


@nox.session
def mutation(session: nox.Session) -> None:
    """Run mutation tests of plans, transactions, managed files and renderers. This takes long.

    To test only some files of tests/mutation/targets.txt, name them after `--`.
    """
    session.install("-r", "tests/mutation/requirements.txt")
    where = {"PYTHONPATH": str(COLLECTIONS)}
    session.run("python", "tests/mutation/run.py", *session.posargs, env=where)


@nox.session
def unit_oldest(session: nox.Session) -> None:
    """Run the unit tests with the oldest supported ansible-core."""
    session.install(newest(OLDEST_CORE), *PYTEST, "-r", "requirements.txt")
    run_tests(session, *(UNIT_OF_PLUGINS if "CRUNTIME_LONG" in os.environ else UNIT_OF_CORE))


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
    """Run the unit tests with an ansible-core, on its oldest or its newest supported Python."""
    session.install(newest(core), *PYTEST, "-r", "requirements.txt")
    run_tests(session, *UNIT_OF_PLUGINS)


@nox.session(venv_backend="venv")
@nox.parametrize(
    "python,core", [nox.param(python, core, id=python) for python, core in NODE_PYTHONS.items()]
)
def unit_node(session: nox.Session, core: str) -> None:
    """Run the unit tests of the node code on the supported Python versions of nodes."""
    # The package requires a newer Python than the module_utils that it sends to a node.
    session.install("--no-deps", "--ignore-requires-python", newest(core))
    session.install(*PYTEST, "jinja2>=3,<4", "-r", "requirements.txt")
    run_tests(session, "tests/unit/plugins/module_utils")


def bring_pip() -> None:
    """Install the pip script into the cache of ansible-test, which would otherwise download it."""
    cache = pathlib.Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in ("24_2", "25_2"):
        shutil.copy(ROOT / "tests" / "get_pip.py", cache / f"get_pip_{version}.py")


# The sanity sessions of antsibull-nox itself need a container image, and ansible-core from its
# repository. This function does not install release candidates.
for core in sorted(CORES.keys() - {"2.22"}):
    antsibull_nox.add_ansible_test_session(
        name=f"sanity-{core}",
        description=f"Run the sanity tests of ansible-core {core} with every Python on the PATH",
        ansible_test_params=["sanity", "--color", "no", "--requirements", "--junit"],
        default=True,
        ansible_core_version=core,
        ansible_core_source="pypi",
        callback_before=bring_pip,
        callback_after=functools.partial(keep_reports, f"sanity-{core}"),
    )


# The build-import-check of antsibull-nox only warns about the errors that Galaxy would report.
@nox.session
def importer(session: nox.Session) -> None:
    """Import the collection as Galaxy does after an upload."""
    session.install("galaxy-importer>=0.4", "ansible-core", "antsibull-changelog>=0.29,<1")
    with session.chdir(
        prepare_collections(
            session, install_in_site_packages=False, install_out_of_tree=True
        ).current_path
    ):
        # The uploaded archive contains the changelog.
        session.run("antsibull-changelog", "release")
        session.run("ansible-galaxy", "collection", "build", "--force", silent=True)
        (archive,) = pathlib.Path().glob("*.tar.gz")
        output = session.run("python", "-m", "galaxy_importer.main", str(archive), silent=True)
    session.log(output)
    if re.search(r"^(WARNING|ERROR)", output, re.MULTILINE):
        session.error("galaxy-importer reported warnings or errors")
