"""Compare the modules with their baselines, in pairs of successive runs on the same nodes.

Each figure is a ratio or a count; nothing is asserted.

Usage: bench.py [PART...], with the parts converge, switch, images, containers and peers. Without
arguments, all parts are measured. The results are written to results.json in this directory, and to
the table and the plot of docs/performance.md. Parts that are not named keep their previous figures.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
import tempfile

import containers
import converge
import images
import peers
import switch
from lab import HERE, Figure
from plot import plot

PARTS = {
    "converge": converge,
    "switch": switch,
    "images": images,
    "containers": containers,
    "peers": peers,
}
RESULTS = HERE / "results.json"
DOCS = HERE.parent.parent / "docs"
BEGIN, END = "<!-- begin of the table -->\n", "<!-- end of the table -->\n"
HEAD = "| what | in terms of | goal | median | spread |\n|---|---|---|---|---|\n"


def main() -> None:
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for name in sys.argv[1:] or PARTS:
        figures = []
        with tempfile.TemporaryDirectory() as directory:
            for figure in PARTS[name].figures(pathlib.Path(directory)):
                figures.append(figure)
                print(figure.row, flush=True)
        results[name] = [dataclasses.asdict(figure) for figure in figures]
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    write([Figure(**each) for name in PARTS for each in results.get(name, ())])


def write(figures: list[Figure]) -> None:
    """Write the figures to the documentation."""
    page = DOCS / "performance.md"
    before, _begin, rest = page.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    table = HEAD + "".join(f"{figure.row}\n" for figure in figures)
    page.write_text(f"{before}{BEGIN}{table}{END}{after}")
    plot([figure for figure in figures if figure.goal], DOCS / "performance.svg")


if __name__ == "__main__":
    main()
