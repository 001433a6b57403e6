"""Hidden states in shared memory: whole or not at all, and nothing is left behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from omni_agent.engines.qwen3_omni.shelf import Rows, Shelf, put, take

ROOT = Path(__file__).parents[3]
ANOTHER = """import sys
from pathlib import Path
sys.path.append(sys.argv[1])
from omni_agent.engines.qwen3_omni.shelf import Shelf
shelf = Shelf(Path(sys.argv[2]))
shelf.make("rows", 1, 2, 4)
print(shelf.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.close()


def rows(count: int, width: int, dtype: str = "f4") -> memoryview:
    numbers = np.arange(count * width, dtype=dtype)
    return memoryview(numbers.tobytes())


@pytest.mark.parametrize(("dtype", "itemsize"), [("f4", 4), ("f2", 2)])
def test_rows_come_back_as_they_were_put(shelf: Shelf, dtype: str, itemsize: int) -> None:
    data = rows(5, 3, dtype)
    path = shelf.make("a", 5, 3, itemsize)
    assert put(shelf.path, "a", 3, itemsize, data)
    assert take(path) == Rows(5, 3, itemsize, data.tobytes())


def test_taking_leaves_nothing(shelf: Shelf) -> None:
    path = shelf.make("a", 1, 2, 4)
    put(shelf.path, "a", 2, 4, rows(1, 2))
    assert shelf.names() == ["a"]
    assert take(path) is not None
    assert shelf.names() == []
    assert take(path) is None


def test_a_file_that_was_never_written_is_no_rows_and_is_removed(shelf: Shelf) -> None:
    path = shelf.make("a", 4, 8, 2)
    assert take(path) is None
    assert not path.exists()


def test_a_file_whose_reader_is_gone_is_not_made_again(shelf: Shelf) -> None:
    shelf.make("a", 1, 2, 4)
    shelf.remove("a")
    assert not put(shelf.path, "a", 2, 4, rows(1, 2))
    assert shelf.names() == []


def test_a_file_belongs_to_one_request(shelf: Shelf) -> None:
    shelf.make("a", 1, 2, 4)
    with pytest.raises(FileExistsError):
        shelf.make("a", 1, 2, 4)


@pytest.mark.parametrize(
    ("count", "width"), [(2, 2), (4, 2), (3, 1), (0, 2)], ids=["fewer", "more", "narrow", "none"]
)
def test_rows_that_do_not_fit_are_refused_and_not_half_written(
    shelf: Shelf, count: int, width: int
) -> None:
    path = shelf.make("a", 3, 2, 4)
    with pytest.raises(ValueError, match="a holds 24 bytes"):
        put(shelf.path, "a", width, 4, rows(count, width))
    assert take(path) is None


def test_so_are_bytes_that_are_no_whole_rows(shelf: Shelf) -> None:
    shelf.make("a", 3, 2, 4)
    with pytest.raises(ValueError, match="no rows of 5 x 4"):
        put(shelf.path, "a", 5, 4, rows(3, 2))


@pytest.mark.parametrize("name", ["../a", "b/a", "/tmp/a", "..", ".", ""])
def test_a_name_that_leaves_the_shelf_is_refused(shelf: Shelf, name: str) -> None:
    with pytest.raises(ValueError, match="not a file name"):
        put(shelf.path, name, 2, 4, rows(1, 2))
    with pytest.raises(ValueError, match="not a file name"):
        shelf.make(name, 1, 2, 4)
    with pytest.raises(ValueError, match="not a file name"):
        shelf.remove(name)


def test_closing_removes_everything(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.make("a", 1, 2, 4)
    shelf.close()
    shelf.close()
    assert list(tmp_path.iterdir()) == []


def test_only_this_user_can_look_into_it(shelf: Shelf) -> None:
    assert shelf.path.stat().st_mode & 0o077 == 0


# -- several processes ----------------------------------------------------------------------


def test_shelves_of_dead_processes_are_cleared_by_the_next_one_living_ones_are_not(
    tmp_path: Path,
) -> None:
    another = subprocess.Popen(
        [sys.executable, "-c", ANOTHER, str(ROOT), str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with another:
        assert another.stdout is not None
        path = Path(another.stdout.readline().strip())
        first = Shelf(tmp_path)
        assert [file.name for file in path.iterdir()] == ["rows"]
        another.kill()
    second = Shelf(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([first.path, second.path])
    first.close()
    second.close()


def test_what_is_no_shelf_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "omni-agent-shelf-file").write_text("not a directory")
    (tmp_path / "omni-agent-notes").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "omni-agent-shelf-link").symlink_to(tmp_path / "elsewhere")
    before = set(tmp_path.iterdir())
    shelf = Shelf(tmp_path)
    assert set(tmp_path.iterdir()) == {*before, shelf.path}
    shelf.close()
