"""The folder of a study: whole files only, checked when they are read, used by one study alone.

    manifest.json           settings, versions, cells, blocks; carries its own checksum
    cells/00012-3fa9...parquet  the rows of block 12; the name holds the checksum of the bytes
    report.md, figures/     written when all blocks are there
    lock                    held by the process that works here

A block's file is written beside its place, brought to the disk, and renamed. The one rename makes
the rows and their checksum appear together, so that a study killed at any instant has each block
whole or not at all.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import platform
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from jaxlaws._archive import sha256, versions
from jaxlaws._errors import InputError
from jaxlaws._study._settings import Settings

FORMAT = "jaxlaws study"
VERSION = 1  # of the folder; raised when an older jaxlaws could not read it any more
DIGITS = 16  # hexadecimal digits of a checksum in a file's name
NAME = re.compile(rf"(\d{{5}})-([0-9a-f]{{{DIGITS}}})\.parquet")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Folder:
    """A study's folder.

    Attributes:
        path: Where it is.
    """

    path: Path

    @property
    def cells(self) -> Path:
        """Where the result files are."""
        return self.path / "cells"

    def done(self) -> dict[int, Path]:
        """Block -> its file, by the names alone."""
        found = sorted(self.cells.glob("*.parquet"))
        return {int(m[1]): p for p in found if (m := NAME.fullmatch(p.name))}

    def damaged(self) -> list[tuple[Path, str]]:
        """Files whose bytes are not those that were written, and what is wrong with each."""
        out, seen = [], set()
        for path in sorted(self.cells.glob("*.parquet")):
            match = NAME.fullmatch(path.name)
            if not match:
                out.append((path, "is no result file of a study"))
            elif match[1] in seen:
                out.append((path, f"doubles block {int(match[1])}"))
            elif not path.stat().st_size:
                out.append((path, "is empty"))
            elif _digest(path) != match[2]:
                out.append((path, "does not have the checksum in its name"))
            else:
                seen.add(match[1])
        return out

    def read(self, question: str | None = None, draws: bool = False) -> pd.DataFrame:
        """The result files as one table.

        Args:
            question: "fit", "parameter", "prediction" or "extrapolation"; None for all.
            draws: Whether to read the draws, too.

        Raises:
            InputError: There are none.
        """
        import pyarrow.dataset as ds

        files = [str(file) for _, file in sorted(self.done().items())]
        if not files:
            raise InputError(f"{self.path} holds no results yet.")
        source = ds.dataset(files)
        columns = [name for name in source.schema.names if draws or name != "draws"]
        chosen = None if question is None else ds.field("question") == question
        frame: pd.DataFrame = source.to_table(columns=columns, filter=chosen).to_pandas()
        return frame

    def put(self, index: int, table: Any) -> None:
        """Write the rows of a block: beside its place, to the disk, then renamed."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        data = sink.getvalue().to_pybytes()
        name = f"{index:05d}-{sha256(data)[:DIGITS]}.parquet"
        self.write(self.cells / name, data)

    def write_manifest(self, settings: Settings) -> dict[str, Any]:
        """Write what the study is; the same settings always make the same one."""
        made = {**versions(), "python": platform.python_version(), "machine": platform.machine()}
        cells = [
            {"block": block.index, "cell": settings.identity(cell)[:16], **settings.names(cell)}
            for block in settings.blocks()
            for cell in settings.cells_of(block)
        ]
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "study": settings.fingerprint,
            "made_with": made,
            "settings": settings.record(),
            "cells": cells,
        }
        text = json.dumps(manifest, default=dict)  # as it will be read again
        manifest = json.loads(text) | {"sha256": sha256(text.encode())}
        self.write(self.path / "manifest.json", json.dumps(manifest, indent=1).encode())
        return manifest

    def manifest(self) -> dict[str, Any] | None:
        """What the study is; None where the file is missing or damaged.

        Raises:
            InputError: It is of a newer jaxlaws.
        """
        try:
            manifest = json.loads((self.path / "manifest.json").read_bytes())
            if manifest["format"] != FORMAT:
                return None
            number = int(manifest["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if number > VERSION:
            made = manifest.get("made_with", {}).get("jaxlaws", "a newer version")
            raise InputError(
                f"{self.path} is a study of folder format {number}, of jaxlaws {made}; this one "
                f"reads format {VERSION}: upgrade jaxlaws."
            )
        seal = manifest.pop("sha256", "")
        if sha256(json.dumps(manifest).encode()) != seal:
            return None
        return dict(manifest)

    def write(self, path: Path, data: bytes) -> None:
        """Write a file whole: beside its place, to the disk, then renamed."""
        part = path.with_name(f".{path.name}.{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(path)
                place = os.open(path.parent, os.O_RDONLY)
                try:
                    os.fsync(place)  # the new name, too
                finally:
                    os.close(place)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: OSError) -> InputError:
        if error.errno in FULL:
            return InputError(
                f"There is no room left for {self.path} ({error.strerror}); what is finished is "
                "safe: make room and give the same command again."
            )
        return InputError(
            f"{self.path} cannot be written ({error.strerror}); choose another folder, or ask for "
            "permission to write to it."
        )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder; the kernel lets go when the process ends, however it ends.

        Raises:
            InputError: Another process holds it, or it cannot be made.
        """
        try:
            self.cells.mkdir(parents=True, exist_ok=True)
            file = (self.path / "lock").open("a+")
        except OSError as error:
            raise self._refusal(error) from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise InputError(
                    f"{self.path} is in use by {file.read().strip() or 'another process'}; wait "
                    "for it, or choose another folder."
                ) from None
            with contextlib.suppress(OSError):  # a full disk is said where it matters
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
                file.flush()
            yield

    def in_use(self) -> bool:
        """Whether a process works here now."""
        try:
            with (self.path / "lock").open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


def prepare(folder: Folder, settings: Settings, force: bool) -> list[str]:
    """Make a locked folder ready for a study, new or begun; say what was found wrong.

    Raises:
        InputError: It is another study's and `force` is not given, or cannot be written.
    """
    said = []
    manifest = folder.manifest()
    files = folder.done()
    if manifest is None and files:
        said.append(f"{folder.path / 'manifest.json'} is missing or damaged: written again.")
    theirs = manifest["study"] if manifest else _study_of(files)
    if theirs not in (None, settings.fingerprint):
        if not force:
            what = _difference(manifest, settings) if manifest else "its settings"
            raise InputError(
                f"{folder.path} holds another study ({what} differ); choose another folder, or "
                "give --force to throw its results away."
            )
        for path in files.values():
            path.unlink()
        manifest = None
    for path, what in folder.damaged():
        said.append(f"{path} {what}: computed again.")
        path.unlink()
    for part in (*folder.cells.glob(".*.part"), *folder.path.glob(".*.part")):
        part.unlink()  # of a process that was killed; nobody else is here
    if manifest is None:
        folder.write_manifest(settings)
    elif (mine := versions()) != {k: manifest["made_with"].get(k) for k in mine}:
        said.append("The study was begun with other versions: last digits may differ.")
    return said


def check_place(path: Path) -> None:
    """Refuse a folder that holds something else than a study.

    Raises:
        InputError: It does, or it is a file.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; name a folder for the study.")
    known = ("manifest.json", "cells", "lock")
    if path.is_dir() and any(path.iterdir()) and not any((path / name).exists() for name in known):
        raise InputError(
            f"{path} holds files and no study, so it is left alone; name an empty or new folder."
        )


def _study_of(files: dict[int, Path]) -> str | None:
    """The study that result files say they belong to."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in files.values():
        with contextlib.suppress(OSError, pa.ArrowException, KeyError, TypeError):
            return str(pq.read_schema(path).metadata[b"study"].decode())
    return None


def _difference(manifest: dict[str, Any], settings: Settings) -> str:
    mine = json.loads(json.dumps(settings.record(), default=dict))
    names = [name for name, value in mine.items() if manifest["settings"].get(name) != value]
    return ", ".join(names) or "its settings"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:DIGITS]
