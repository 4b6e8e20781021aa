"""Fetching source files: checked, cached, and nothing half-written."""

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from jaxlaws.datasets._info import RAW, DataError, File, Info, Table


def fetch(record: Info, table: Table) -> list[Path]:
    """Return local copies of the files a table is made from, downloading those not cached.

    pooch has a file written under a temporary name beside its target and moves it only when the
    checksum fits, so an interrupted or altered download leaves nothing behind. A cached file that
    no longer fits is downloaded again.

    Raises:
        DataError: if a file cannot be reached, is not the registered one, or cannot be written.
    """
    import pooch

    assert record.source is not None  # a set without a source is embedded and never fetched
    base = os.environ.get("JAXLAWS_SOURCE") or RAW
    cache = Path(os.environ.get("JAXLAWS_CACHE") or pooch.os_cache("jaxlaws")).expanduser()
    folder = cache / record.source.repository / record.source.commit
    missing = [file for file in table.sources if not (folder / file.path).exists()]
    paths = []
    with _quiet(pooch.get_logger()), _progress(record.name, missing) as advance:
        for file in table.sources:
            url = record.source.url(file, base)
            try:
                path = pooch.retrieve(
                    url, file.sha256, file.path, folder, downloader=partial(_download, advance)
                )
            except (OSError, ValueError) as error:
                raise DataError(
                    f"{url} could not be fetched ({_reason(error)}); load again, or name in "
                    f"JAXLAWS_DATA a folder that holds {record.name}/{table.file}"
                ) from None
            paths.append(Path(path))
    return paths


def _download(advance: Callable[[int], None], url: str, target: str, _: object) -> None:
    """Write the bytes of an address to a file, as pooch asks its downloaders to.

    pooch's own downloader leaves the connection open on failure and prints a bar per file.
    """
    import requests

    with requests.get(url, stream=True, timeout=30) as answer, Path(target).open("wb") as file:
        answer.raise_for_status()
        for chunk in answer.iter_content(chunk_size=1 << 14):
            file.write(chunk)
            advance(len(chunk))


def _reason(error: OSError | ValueError) -> str:
    """Say in a few words what went wrong: no answer, a refusal, a full disk, a wrong checksum."""
    import requests

    if isinstance(error, requests.RequestException):
        answer = error.response
        return type(error).__name__ if answer is None else f"HTTP status {answer.status_code}"
    if isinstance(error, OSError):
        return f"{error.strerror}: {error.filename}; JAXLAWS_CACHE moves the cache"
    return str(error).partition(". ")[0]  # pooch says expected and got first, then gives advice


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Silence pooch's line per file: the bar says it once."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _progress(name: str, files: Sequence[File]) -> Iterator[Callable[[int], None]]:
    """Show one bar for all files, on a terminal only; yield what advances it by some bytes."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    shown = bool(files) and console.is_terminal
    with Progress(*columns, console=console, disable=not shown) as progress:
        task = progress.add_task(f"downloading {name}", total=sum(file.bytes for file in files))
        yield partial(progress.advance, task)
