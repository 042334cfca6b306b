"""Run modules as the command `ansible` does, without its start, which takes most of its time.

A server process imports Ansible once, and forks a process for each call.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import pathlib
import tempfile
from multiprocessing import forkserver

#: Environment of the Ansible commands.
SETTINGS = {
    "ANSIBLE_LOAD_CALLBACK_PLUGINS": "true",
    "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
    # The playbooks of the scenarios run without pipelining.
    "ANSIBLE_PIPELINING": "true",
}
IMPORTED = (
    *("ansible.cli.adhoc", "ansible.executor.task_queue_manager", "ansible.plugins.loader"),
    *("ansible.executor.module_common", "ansible.executor.process.worker"),
    *("ansible.plugins.action.normal", "ansible.plugins.strategy.linear"),
)
FORKS = multiprocessing.get_context("forkserver")


def run(arguments: list[str]) -> tuple[dict | None, str, str]:
    """Run `ansible` with these arguments; return its output as JSON if it is JSON, and as text.

    :return: the output as JSON or None, the output, and the errors.
    """
    _start_server()
    with tempfile.TemporaryDirectory() as directory:
        paths = [pathlib.Path(directory, name) for name in ("output", "errors")]
        environment = {**os.environ, **SETTINGS}
        process = FORKS.Process(target=_call, args=(arguments, environment, paths))
        process.start()
        process.join()
        output, errors = (path.read_text() if path.exists() else "" for path in paths)
    try:
        return json.loads(output), output, errors
    except ValueError:
        return None, output, errors


def _start_server() -> None:
    """Start the server with the settings that Ansible reads when it is imported."""
    before = dict(os.environ)
    FORKS.set_forkserver_preload(list(IMPORTED))
    os.environ |= SETTINGS
    try:
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ |= before


def _call(arguments: list[str], environment: dict[str, str], paths: list[pathlib.Path]) -> None:
    """Run `ansible` in this process, with its output and errors in files."""
    # Ansible reads the options of plugins when it runs.
    os.environ.clear()
    os.environ |= environment
    for number, path in enumerate(paths, start=1):
        with path.open("w") as file:
            os.dup2(file.fileno(), number)

    from ansible.cli.adhoc import AdHocCLI

    AdHocCLI.cli_executor(["ansible", *arguments])
