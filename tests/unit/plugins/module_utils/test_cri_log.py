# Copyright (c) 2026, the cruntime.node contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last lines of a log are those that the container wrote last, however long they are."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.cruntime.node.plugins.module_utils import cri_log

TIME = "2026-11-30T10:00:00.123456789Z"
# containerd and conmon split longer lines.
PIECE = 16384


def entry(text, stream="stdout", tag="F"):
    return f"{TIME} {stream} {tag} ".encode() + text + b"\n"


def split(text, stream="stdout"):
    """Return a line as a runtime writes it: in pieces."""
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)] or [b""]
    return b"".join(
        entry(piece, stream, "F" if number == len(pieces) else "P")
        for number, piece in enumerate(pieces, 1)
    )


@pytest.fixture
def tail(tmp_path):
    """Return a function that writes a log and reads its end."""

    def read(data, count):
        path = tmp_path / "0.log"
        path.write_bytes(data)
        return cri_log.tail(str(path), count)

    return read


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (entry(b"one") + entry(b"two", "stderr") + entry(b"three"), "two\nthree\n"),
        # The streams can alternate within a line.
        (
            entry(b"o", tag="P") + entry(b"two", "stderr") + entry(b"n", tag="P") + entry(b"e"),
            "two\none\n",
        ),
        # A tag can have more parts.
        (entry(b"o", tag="P:x") + entry(b"ne", tag="F:x"), "one\n"),
        # The container has not ended the line.
        (entry(b"one") + entry(b"> ", tag="P"), "one\n> "),
        (entry(b"e", "stderr", "P") + entry(b"o", tag="P"), "e\no"),
        # The runtime has not ended the entry.
        (entry(b"one") + entry(b"two")[:-1], "one\ntwo\n"),
        (entry(b"one") + entry(b"two")[:20], "one\n"),
        (entry(b"one") + bytes(99) + b"\n" + entry(b""), "one\n\n"),
        (entry(" ü ".encode()[:2], tag="P") + entry(" ü ".encode()[2:]), " ü \n"),
        (entry(b"\xff a  b "), "\ufffd a  b \n"),
    ],
)
def test_the_last_two_lines(tail, data, text):
    assert tail(data, 2) == text


@pytest.mark.parametrize("before", [0, 1, 10_000])
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_line_of_three_megabytes_is_complete(tail, before, stream):
    long = b"0123456789abcde\xc3\xbc" * 180_000
    data = entry(b"before") * before + split(long, stream) + entry(b"after")
    assert tail(data, 2) == f"{long.decode()}\nafter\n"


def test_the_memory_for_a_log_is_limited(tail):
    tracemalloc.start()
    try:
        data = split(b"x" * 40_000_000)
        tracemalloc.reset_peak()
        before, _peak = tracemalloc.get_traced_memory()
        text = tail(data, 1)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert set(text) == {"x", "\n"}
    assert 0.9 * cri_log.LIMIT < len(text) <= cri_log.LIMIT
    assert peak - before < 6 * cri_log.LIMIT


def test_only_the_end_of_a_long_log_is_parsed(tail, monkeypatch):
    sizes, parse = [], cri_log.parse
    monkeypatch.setattr(cri_log, "parse", lambda data: sizes.append(len(data)) or parse(data))
    assert tail(entry(b"line") * 1_000_000, 3) == "line\n" * 3
    assert sum(sizes) < 100_000


def test_another_format_is_an_error(tail):
    with pytest.raises(ValueError, match="no entry"):
        tail(b'{"log": "one"}\n', 2)


words = st.binary(max_size=20).filter(lambda text: b"\n" not in text)


@given(
    st.lists(st.tuples(words, st.sampled_from(["stdout", "stderr"]), st.sampled_from("PF"))),
    st.integers(1, 5),
)
@example([(b"a", "stderr", "P"), *[(b"b", "stdout", "F")] * 3, (b"c", "stdout", "P")], 2)
def test_any_block_has_the_same_end(tmp_path_factory, entries, count):
    path = tmp_path_factory.mktemp("log") / "0.log"
    path.write_bytes(b"".join(entry(*each) for each in entries))
    whole = cri_log.tail(str(path), count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cri_log, "_BLOCK", 1)
        assert cri_log.tail(str(path), count) == whole


def test_a_log_and_its_rotated_files_are_removed(tmp_path):
    for name in ("0.log", "0.log.1", "0.log.2.gz", "1.log", "[0].log", "[0].log.1"):
        (tmp_path / name).write_text("")
    cri_log.remove("")
    cri_log.remove(str(tmp_path / "missing.log"))
    cri_log.remove(str(tmp_path / "[0].log"))
    cri_log.remove(str(tmp_path / "0.log"))
    assert [path.name for path in tmp_path.iterdir()] == ["1.log"]


def test_a_real_log_of_containerd(tail, transcript):
    data = transcript("containerd-2.4.2-container.log").encode()
    assert data.count(b" P ") == 2
    assert tail(data, 9) == f"one\ntwo\n{'x' * 40_000}\n"
    assert tail(data, 1) == f"{'x' * 40_000}\n"
