"""Mutation tests: change one operator or number of a file, and run the unit tests of the file.

usage: python tests/mutation/run.py [FILE]...

FILE is a path in targets.txt, which has the tests of each file. The run fails if all tests pass
with a mutant, unless equivalent.txt lists the mutant. Cosmic Ray makes the mutants. Its own
commands write them to the checkout and start pytest for each one; here, a fork of one process
imports the mutant from memory.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib.abc
import importlib.util
import os
import pathlib
import re
import resource
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import hypothesis
import pytest
from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PACKAGE = "ansible_collections.cruntime.node"
UNIT = "tests/unit/plugins"
# One replacement for each operator, because a test that kills one mostly kills the others too.
OPERATORS = re.compile(
    r"core/(AddNot|NumberReplacer|ZeroIterationForLoop|ExceptionReplacer|RemoveDecorator"
    r"|Replace(And|Or|TrueWith|FalseWith|BreakWith|ContinueWith)\w+"
    r"|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt)"
    r"|ReplaceComparisonOperator_(In_NotIn|NotIn_In|Is_IsNot|IsNot_Is)"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_Div|Div_Mul|Mod_Mul|BitAnd_BitOr|BitOr_BitAnd)"
    r"|ReplaceUnaryOperator_(USub_UAdd|Delete_Not))$"
)
# Limits in seconds: processor time for mutants that loop, and clock time for mutants that sleep.
CPU_TIME, TIMEOUT = 60, 300
PYTEST = (
    *("-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile=mutation"),
    # pytest warns about modules that were imported before it starts.
    *("-p", "no:warnings"),
    # These properties need hundreds of examples, and the other tests find the mutants.
    *("-k", "not test_free_text and not test_any_record_is_corrupt"),
)


class Mutant(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finder and loader of one module with a changed source."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(self, name, path=None, target=None):
        return importlib.util.spec_from_loader(name, self) if name == self.module else None

    def get_source(self, fullname):
        return self.source


def effect(source: str | None) -> str | None:
    """Return a program without the parts that have no effect, or None if the program is not valid.

    These parts are annotations and the kinds of parameters, because the callers are fixed.
    """
    try:
        tree = ast.parse(source or "?")
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        for field in {"annotation", "returns"} & set(node._fields):
            setattr(node, field, None)
        if isinstance(node, ast.arguments):
            node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
            node.posonlyargs = node.kwonlyargs = []
            node.kw_defaults = [value for value in node.kw_defaults if value]
    return ast.dump(tree)


def mutants(source: str) -> dict[str, str]:
    """Return the mutants of a program, by the first line that differs."""
    found, original, lines = {}, effect(source), source.splitlines()
    for name in filter(OPERATORS.match, sorted(plugins.operator_names())):
        operator = plugins.get_operator(name)()
        nodes = ast_nodes(get_ast(source))
        for occurrence in range(sum(len(list(operator.mutation_positions(n))) for n in nodes)):
            mutant = mutate_code(source, operator, occurrence)
            # Cosmic Ray mistakes some stars in calls and displays for multiplications.
            if effect(mutant) in (None, original):
                continue
            pairs = zip(lines, mutant.splitlines())
            old, new = next((pair for pair in pairs if pair[0] != pair[1]), ("", ""))
            change = f"{old.strip()} -> {new.strip()}"
            while change in found:
                change += " (again)"
            found[change] = mutant
    return found


def survives(module: str, tests: list[str], source: str) -> bool:
    """Return whether the tests pass, in a fork of this process, with this source of a module."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    # A mutant must not signal the group of this process.
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_TIME, CPU_TIME))
    signal.alarm(TIMEOUT)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    sys.meta_path.insert(0, Mutant(module, source))
    with contextlib.suppress(BaseException):
        os._exit(int(pytest.main([*PYTEST, *tests])))
    os._exit(1)


def check(name: str, tests: list[str], listed: set[str]) -> bool:
    """Test all mutants of a file, print the result, and return whether it is as expected."""
    started, source = time.monotonic(), (ROOT / name).read_text()
    module = f"{PACKAGE}.{name.removesuffix('.py').replace('/', '.')}"
    test = functools.partial(survives, module, tests)
    assert test(source), f"{name}: failing tests: Run pytest {' '.join(tests)}"
    found = mutants(source)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        survived = {change for change, ok in zip(found, pool.map(test, found.values())) if ok}
    for change in sorted(survived ^ listed):
        problem = "survived" if change in survived else "listed, but killed or missing"
        print(name, change, problem, sep="\t")
    print(
        f"{name}: {len(found)} mutants, {len(found) - len(survived)} killed, "
        f"{len(survived - listed)} survived, {len(survived & listed)} equivalent, "
        f"{time.monotonic() - started:.0f} s",
        flush=True,
    )
    return survived == listed


def main(names: list[str]) -> bool:
    phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
    hypothesis.settings.register_profile(
        "mutation", deadline=None, database=None, derandomize=True, phases=phases
    )
    os.chdir(ROOT)
    rows = [row.split() for row in (HERE / "targets.txt").read_text().splitlines()]
    targets = {row[0]: [f"{UNIT}/{name}" for name in row[1:]] for row in rows if row}
    rows = [row.split("\t") for row in (HERE / "equivalent.txt").read_text().splitlines()]
    listed = {(row[0], row[1]) for row in rows if len(row) == 3}
    results = [
        check(name, targets[name], {change for path, change in listed if path == name})
        for name in names or targets
    ]
    return all(results)


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))
