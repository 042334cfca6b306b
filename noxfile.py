"""Every checker by one name: `nox --list`.

A session of the first kind runs in the environment that nox itself is in, which is .venv, made by
`make`; its tag is the stage of tests/run.py that calls and counts it. A session of the second kind
makes an environment of its own for each version that it names, and skips a Python that is not on
the PATH; `make test-matrix` runs these, and so do the workflows, one version in each job.

A session that runs tests leaves their JUnit reports in .cache/junit/NAME.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import sys

import nox

ROOT = pathlib.Path(__file__).parent
CACHE = ROOT / ".cache"
COLLECTIONS = CACHE / "collections"
COLLECTION = COLLECTIONS / "ansible_collections" / "cruntime" / "node"

# Of each ansible-core that is supported, the oldest and the newest Python that it runs on and that
# its own sanity tests know.
CORES = {
    "2.17": ("3.10", "3.12"),
    "2.18": ("3.11", "3.13"),
    "2.19": ("3.11", "3.13"),
    "2.20": ("3.12", "3.13"),
    "2.21": ("3.12", "3.13"),
}
BLOB = "https://github.com/cruntime/cruntime.node/blob/main"
OLDEST_CORE = min(CORES)
# The Pythons of nodes, with an ansible-core for each whose module_utils it can read.
NODE_PYTHONS = {"3.8": "2.13", "3.9": "2.15", "3.10": "2.17", "3.13": "2.21"}
UNIT_TESTS = (
    *("pytest>=8,<9", "pytest-xdist>=3.5,<4", "hypothesis>=6,<7", "semver>=3,<4"),
    *("-r", "requirements.txt"),
)

# nox may be called by its path alone.
os.environ |= {
    "PATH": f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
    "ANSIBLE_HOME": str(CACHE / "ansible"),
}
nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_external_run = True


def in_venv(*tags: str):
    """Make a function a session that runs in the environment nox is in."""
    return nox.session(venv_backend="none", tags=tags)


def junit(session: nox.Session) -> pathlib.Path:
    """An empty folder for the session's JUnit reports."""
    folder = CACHE / "junit" / session.name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


# In .venv


@in_venv("lint")
def ruff(session: nox.Session) -> None:
    """Style of the Python code."""
    session.run("ruff", "check", ".")


@in_venv("lint")
def types(session: nox.Session) -> None:
    """Types of the code that modules and plugins share, strictly."""
    # From where they are named as they are imported.
    folders = ("plugins/module_utils", "plugins/plugin_utils")
    with session.chdir(COLLECTIONS):
        session.run(
            *("mypy", "--config-file", ROOT / "pyproject.toml", "--cache-dir", CACHE / "mypy"),
            *(COLLECTION.relative_to(COLLECTIONS) / folder for folder in folders),
        )


@in_venv("lint")
def yamllint(session: nox.Session) -> None:
    """Style of every YAML file."""
    session.run("yamllint", "--strict", ".")


@in_venv("lint")
def ansible_lint(session: nox.Session) -> None:
    """Roles, playbooks, examples and scenarios, by the profile production."""
    folders = ("examples", "extensions/molecule", "playbooks", "roles")
    session.run("ansible-lint", "--offline", "--strict", "--profile", "production", *folders)


@in_venv("lint")
def workflows(session: nox.Session) -> None:
    """The workflows and the forms of issues, by GitHub's schemas; and actionlint where it is."""
    files = sorted(map(str, ROOT.glob(".github/workflows/*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *files)
    forms = sorted(map(str, ROOT.glob(".github/ISSUE_TEMPLATE/[!c]*.yml")))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", *forms)
    if shutil.which("actionlint"):
        session.run("actionlint", *files, external=True)


@in_venv("lint")
def changelog(session: nox.Session) -> None:
    """The fragments of the changelog."""
    session.run("antsibull-changelog", "lint")


@in_venv("lint")
def module_docs(session: nox.Session) -> None:
    """The documentation of modules, plugins and roles, and the links within it."""
    session.run(
        *("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--check-extra-docs-refs"),
        *(
            "--validate-collection-refs",
            "dependent",
            "--disallow-unknown-collection-refs",
            COLLECTION,
        ),
    )


@in_venv("docs")
def docs(session: nox.Session) -> None:
    """The site, in .cache/site; a warning is an error."""
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


@in_venv("unit")
def unit(session: nox.Session) -> None:
    """The unit tests."""
    run_unit(session, "tests/unit")


@in_venv("sanity")
def sanity(session: nox.Session) -> None:
    """Ansible's own sanity tests, for this Python."""
    run_sanity(session, "--python", session.run("python", "-c", VERSION, silent=True).strip())


@in_venv()
def coverage(session: nox.Session) -> None:
    """The lines that unit and integration tests run, on the controller and on the nodes.

    Of each scenario one node is measured, that of $CRUNTIME_NODE. After `--`, the stages, for less
    than all: unit, molecule-docker ...
    """
    folder = CACHE / "coverage"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    measured = {
        "COVERAGE_FILE": str(folder / "data"),
        "COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"),
        "CRUNTIME_COVERAGE": str(folder),
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
    session.run("coverage", "combine", "--quiet", folder, env=where)
    session.run("coverage", "html", "--quiet", "--directory", folder / "html", env=where)
    session.run("coverage", "report", env=where)


# Each in an environment of its own


@nox.session
def mutation(session: nox.Session) -> None:
    """Mutation tests of plans, transactions, managed files and renderers; takes long.

    After `--`, files of tests/mutation/targets.txt, for less than all.
    """
    session.install("-r", "tests/mutation/requirements.txt")
    where = {"PYTHONPATH": str(COLLECTIONS)}
    session.run("python", "tests/mutation/run.py", *session.posargs, env=where)


@nox.session(tags=["oldest"])
def unit_oldest(session: nox.Session) -> None:
    """The unit tests with the oldest ansible-core supported."""
    session.install(f"ansible-core=={OLDEST_CORE}.*", *UNIT_TESTS)
    run_unit(session, *UNIT_OF_PLUGINS)


@nox.session(tags=["matrix"])
@nox.parametrize(
    "python,core",
    [
        nox.param(python, core, id=f"{core}-py{python}")
        for core, pythons in CORES.items()
        for python in pythons
    ],
)
def unit_core(session: nox.Session, core: str) -> None:
    """The unit tests with every ansible-core, on the oldest and the newest Python it runs on."""
    session.install(f"ansible-core=={core}.*", *UNIT_TESTS)
    run_unit(session, *UNIT_OF_PLUGINS)


@nox.session(tags=["matrix"])
@nox.parametrize(
    "python,core", [nox.param(python, core, id=python) for python, core in NODE_PYTHONS.items()]
)
def unit_node(session: nox.Session, core: str) -> None:
    """The unit tests of what runs on nodes, on their Pythons."""
    session.install(f"ansible-core=={core}.*", *UNIT_TESTS)
    run_unit(session, "tests/unit/plugins/module_utils")


@nox.session(tags=["matrix"])
@nox.parametrize(
    "python,core", [nox.param(pythons[1], core, id=core) for core, pythons in CORES.items()]
)
def sanity_core(session: nox.Session, core: str) -> None:
    """Ansible's sanity tests of every ansible-core, for every Python on the PATH."""
    session.install(f"ansible-core=={core}.*")
    run_sanity(session)


@nox.session(tags=["matrix"])
def importer(session: nox.Session) -> None:
    """What Galaxy looks at when a collection is uploaded."""
    session.install("galaxy-importer", "antsibull-changelog")
    with session.chdir(copied(session)):
        # As it is uploaded, with its changelog.
        session.run("antsibull-changelog", "release")
        session.run("ansible-galaxy", "collection", "build", "--force", silent=True)
        (archive,) = pathlib.Path().glob("*.tar.gz")
        said = session.run("python", "-m", "galaxy_importer.main", str(archive), silent=True)
    session.log(said)
    if re.search(r"^(WARNING|ERROR)", said, re.MULTILINE):
        session.error("galaxy-importer is not content")


# How tests are run

NO_SHELLCHECK = (
    '<testsuite><testcase classname="sanity" name="shellcheck"><skipped>not here</skipped>'
    "</testcase></testsuite>"
)
VERSION = "import sys; print('{}.{}'.format(*sys.version_info))"
# What needs neither the collections of the package ansible nor a browser.
UNIT_OF_PLUGINS = ("tests/unit/plugins", "tests/unit/roles")


def run_unit(session: nox.Session, *paths: str) -> None:
    """Run unit tests, with what is asked for on nox's command line after `--`."""
    report = junit(session) / "unit.xml"
    session.run(
        # A file is one process's: what its tests share is made once.
        *("pytest", *paths, "--numprocesses=2", "--dist=loadfile"),
        *(f"--junitxml={report}", *session.posargs),
        env={"PYTHONPATH": str(COLLECTIONS)},
    )


def copied(session: nox.Session) -> pathlib.Path:
    """A copy of the collection in a git repository of its own, where Ansible wants it to be."""
    root = CACHE / re.sub(r"\W+", "-", session.name).strip("-")
    copy = root / "ansible_collections" / "cruntime" / "node"
    shutil.rmtree(root, ignore_errors=True)
    listed = ["git", "ls-files", "-z", "-co", "--exclude-standard"]
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    with session.chdir(copy):
        session.run("git", "init", "--quiet", external=True)
        session.run("git", "add", "--all", external=True)
    return copy


def run_sanity(session: nox.Session, *options: str) -> None:
    """Run Ansible's sanity tests, or those named after `--` on nox's command line."""
    folder = junit(session)
    command = ("ansible-test", "sanity", "--color", "no", "--requirements", *options)
    command += tuple(session.posargs)
    with session.chdir(copied(session)):
        said = session.run(*command, "--prime-venvs", silent=True, success_codes=range(256))
        # Where its site is out of reach, ansible-test names the file that it could not download.
        pip = re.search(r"manually downloaded and saved to: (\S+get_pip\S+)", said)
        if pip:
            shutil.copy(ROOT / "tests" / "get_pip.py", pip[1])
        try:
            session.run(*command, "--junit")
        finally:
            for report in pathlib.Path().glob("tests/output/junit/*.xml"):
                shutil.copy(report, folder)
            if not shutil.which("shellcheck"):
                (folder / "shellcheck.xml").write_text(NO_SHELLCHECK)
