"""Downloading, against a server on this machine that serves the published source files.

The source files are in `raw` beside the folder of tidy tables (see test_datasets.py); without them
these tests fail.
"""

import os
import socket
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pandas as pd
import pooch
import pytest
import requests

from jaxlaws import datasets
from jaxlaws.datasets import DataError

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("JAXLAWS_DATA") or ROOT.parent / "shared" / "data").resolve()
RAW = DATA.parent / "raw"

SETS = [name for name in datasets.names() if datasets.info(name).downloadable]
TABLES = [(name, table) for name in SETS for table in datasets.info(name).tables]


class Mirror(BaseHTTPRequestHandler):
    """Serves OWNER/REPO/COMMIT/PATH from the folder of source files, well or badly."""

    def __init__(self, *args: Any, served: list[str], fault: dict[str, bool]) -> None:
        self.served, self.fault = served, fault
        super().__init__(*args)

    def do_GET(self) -> None:
        self.served.append(self.path)
        owner, repository, _, *path = self.path.removeprefix("/").split("/")
        file = RAW / owner / repository / Path(*path)
        if self.fault.get("absent"):
            self.send_error(404)
            return
        content = file.read_bytes()
        if self.fault.get("altered"):
            content = content[:-1] + bytes([content[-1] ^ 1])
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if self.fault.get("truncated") else content)

    def log_message(self, *args: Any) -> None:
        """Keep the test output to the tests."""


@pytest.fixture
def served() -> list[str]:
    """Paths the server was asked for, in order."""
    return []


@pytest.fixture
def fault() -> dict[str, bool]:
    """What the server does wrong; a test sets it."""
    return {}


@pytest.fixture(autouse=True)
def mirror(
    served: list[str],
    fault: dict[str, bool],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[str]:
    """Point the library to a server on this machine and to an empty cache."""
    assert RAW.is_dir(), f"the source files are expected in {RAW}"
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Mirror, served=served, fault=fault))
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.delenv("JAXLAWS_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("JAXLAWS_SOURCE", address)
    monkeypatch.setenv("JAXLAWS_CACHE", str(tmp_path))
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_download_gives_the_tidy_table(
    name: str, table: str, served: list[str], monkeypatch: pytest.MonkeyPatch
):
    downloaded = datasets.load(name, table)
    source = datasets.info(name).source
    wanted = datasets.info(name).tables[table].sources
    assert served == [source.url(file, "") for file in wanted]
    monkeypatch.setenv("JAXLAWS_DATA", str(DATA))
    tidy = datasets.load(name, table)
    # The tidy Chinchilla points were parsed one unit in the last place beside the source.
    rounding = {"rtol": 1e-15, "atol": 0} if name == "chinchilla_epoch" else {"check_exact": True}
    pd.testing.assert_frame_equal(downloaded, tidy, **rounding)
    assert downloaded.attrs == tidy.attrs


def test_second_load_does_not_reach_the_network(served: list[str]):
    first = datasets.load("multi_power_law")
    assert len(served) == 18
    pd.testing.assert_frame_equal(datasets.load("multi_power_law"), first)
    assert len(served) == 18


def test_one_table_fetches_its_own_files_only(served: list[str]):
    datasets.load("scalebench", "parallel_test")
    assert [path.split("/")[-2:] for path in served] == [
        ["parallel_scaling_law", "test-00000-of-00001.parquet"]
    ]


def test_files_are_cached_by_repository_and_commit(tmp_path: Path):
    datasets.load("chinchilla_epoch")
    source = datasets.info("chinchilla_epoch").source
    cached = tmp_path / source.repository / source.commit / source.files[0].path
    assert files(tmp_path) == [cached]


def test_cache_is_the_users_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("JAXLAWS_CACHE")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "users" / project)
    datasets.load("chinchilla_epoch")
    assert len(files(tmp_path / "users" / "jaxlaws")) == 1


def test_a_spoilt_cached_file_is_fetched_again(tmp_path: Path, served: list[str]):
    first = datasets.load("chinchilla_epoch")
    files(tmp_path)[0].write_text("spoilt")
    pd.testing.assert_frame_equal(datasets.load("chinchilla_epoch"), first)
    assert len(served) == 2


def test_a_terminal_shows_one_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("FORCE_COLOR", "1")  # what rich takes for a terminal
    datasets.load("step_law_dense")
    shown = capsys.readouterr()
    assert "downloading step_law_dense" in shown.err
    assert "344.5/344.5 kB" in shown.err
    assert shown.out == ""
    datasets.load("step_law_dense")
    assert "downloading" not in capsys.readouterr().err, "nothing was left to download"


def test_elsewhere_nothing_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(variable, raising=False)
    datasets.load("step_law_dense")
    shown = capfd.readouterr()
    assert shown.out + shown.err == ""


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ("altered", r"SHA256 hash .* does not match the known hash: expected 193478df\w+ but got"),
        ("truncated", r"\(ChunkedEncodingError\)"),
        ("absent", r"\(HTTP status 404\)"),
    ],
)
def test_a_failed_download_is_one_sentence_and_leaves_no_file(
    wrong: str, reason: str, mirror: str, fault: dict[str, bool], tmp_path: Path
):
    fault[wrong] = True
    with pytest.raises(DataError, match=reason) as seen:
        datasets.load("chinchilla_epoch")
    message = str(seen.value)
    assert message.startswith(f"{mirror}/epoch-research/analyzing-chinchilla/")
    assert message.endswith(
        "load again, or name in JAXLAWS_DATA a folder that holds "
        "chinchilla_epoch/chinchilla_svg_points.csv"
    )
    assert "\n" not in message
    assert seen.value.__cause__ is None
    assert seen.value.__suppress_context__, "the reader sees no chain of tracebacks"
    assert files(tmp_path) == []
    fault.clear()
    assert len(datasets.load("chinchilla_epoch")) == 245, "the next attempt starts afresh"


def test_no_answer_names_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        monkeypatch.setenv("JAXLAWS_SOURCE", address)
        with pytest.raises(DataError, match=rf"^{address}/.* \(ConnectionError\)"):
            datasets.load("chinchilla_epoch")
    assert files(tmp_path) == []


def test_an_interrupted_download_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def interrupted(self: requests.Response, chunk_size: int) -> Iterator[bytes]:
        yield self.raw.read(1000)
        raise KeyboardInterrupt

    monkeypatch.setattr(requests.Response, "iter_content", interrupted)
    with pytest.raises(KeyboardInterrupt):
        datasets.load("chinchilla_epoch")
    assert files(tmp_path) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("JAXLAWS_CACHE", str(blocked))
    with pytest.raises(DataError, match=rf"Not a directory: {blocked}.*JAXLAWS_CACHE moves"):
        datasets.load("chinchilla_epoch")
