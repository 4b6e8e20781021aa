"""One file of named arrays and a manifest: written whole or not at all, checked when it is read.

The file is a zip archive that other programs can open too:

    manifest.json   what it is: format, versions, settings, the checksum of every array
    manifest.sha256 the checksum of manifest.json
    *.npy           the arrays in numpy's own format; nothing is pickled
"""

import difflib
import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from jaxlaws._errors import InputError

FORMAT = "jaxlaws result"
VERSION = 1  # of the file; raised when an older jaxlaws could not read it any more
AGAIN = "fit again, or copy the file again from where it came"
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)

Arrays = dict[str, np.ndarray]


def write_archive(path: Path, manifest: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    """Write a manifest of plain values and named arrays; the same ones give the same bytes.

    Raises:
        InputError: The place cannot be written, or holds a file that is no result.
    """
    check_place(path)
    content = {f"{name}.npy": _npy(array) for name, array in arrays.items()}
    head = {"format": FORMAT, "version": VERSION, "made_with": versions(), **manifest}
    head["checksums"] = {name: sha256(data) for name, data in content.items()}
    text = json.dumps(head, indent=1, ensure_ascii=False, allow_nan=False).encode()
    content = {"manifest.json": text, "manifest.sha256": sha256(text).encode()} | content

    def write(part: Path) -> None:
        with part.open("xb") as file:
            with zipfile.ZipFile(file, "w") as archive:
                for name, data in content.items():
                    # ZipInfo's own date is fixed.
                    archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
            file.flush()
            os.fsync(file.fileno())

    put(path, write)


def read_archive(path: Path) -> tuple[dict[str, Any], Arrays]:
    """The manifest and the arrays of a file, every byte checked.

    Raises:
        InputError: The file is missing, cut short, altered, of a newer jaxlaws, or no result.
    """
    whole = _bytes(path)
    foreign = InputError(
        f"{path} is not a jaxlaws result; `jaxlaws fit ... --out FILE` and jl.save write one."
    )
    if not whole.startswith(b"PK"):
        raise foreign
    try:
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
    except DAMAGE:
        raise InputError(f"{path} is cut short or damaged ({len(whole)} bytes); {AGAIN}.") from None
    text = content.pop("manifest.json", b"")
    seal = content.pop("manifest.sha256", b"")
    try:
        manifest = json.loads(text)
        kind, number = manifest["format"], manifest["version"]
    except (ValueError, KeyError, TypeError):
        raise foreign from None
    if kind != FORMAT:
        raise foreign
    if number != VERSION:
        made = manifest.get("made_with", {}).get("jaxlaws", "another version")
        raise InputError(
            f"{path} has file format {number}, of jaxlaws {made}, and this is jaxlaws "
            f"{versions()['jaxlaws']}, which reads format {VERSION}; upgrade jaxlaws."
        )
    sums = manifest.get("checksums", {})
    wrong = [] if sha256(text).encode() == seal else ["manifest.json"]
    wrong += [name for name, data in content.items() if sums.get(name) != sha256(data)]
    wrong += [name for name in sums if name not in content]
    if wrong:
        raise InputError(
            f"{path} was altered after it was written: {wrong[0]} does not have the checksum it "
            f"was saved with; {AGAIN}."
        )
    try:
        return manifest, {
            name.removesuffix(".npy"): np.load(io.BytesIO(data), allow_pickle=False)
            for name, data in content.items()
        }
    except (ValueError, EOFError) as error:
        raise InputError(f"{path} holds an array that cannot be read ({error}); {AGAIN}.") from None


def check_place(path: Path) -> None:
    """Refuse a place where no result can be written; asked before the work is done as well.

    Raises:
        InputError: It is a folder, a file that is no result, or in a folder that is closed.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it, e.g. {path / 'result.fit'}.")
    if path.exists() and not is_result(path):
        raise InputError(
            f"{path} exists and is not a jaxlaws result, so it is left alone; choose another "
            "name, or remove it."
        )
    check_folder(path)


def check_folder(path: Path) -> None:
    """Refuse a file whose folder is closed, or cannot be made.

    Raises:
        InputError: It is.
    """
    below = next((p for p in path.absolute().parents if p.exists()), path)
    if not (below.is_dir() and os.access(below, os.W_OK)):
        what = "may not be written to" if below.is_dir() else "is not a folder"
        raise InputError(f"{path} cannot be written: {below} {what}; choose another place.")


def is_result(path: Path) -> bool:
    """Whether a file is one that `write_archive` wrote, as far as a short look tells."""
    try:
        with zipfile.ZipFile(path) as archive:
            return bool(json.loads(archive.read("manifest.json"))["format"] == FORMAT)
    except (OSError, KeyError, TypeError, *DAMAGE):
        return False


def put(path: Path, write: Callable[[Path], object]) -> None:
    """Have a file written beside its place and then renamed; missing folders are made.

    Args:
        path: The place.
        write: Writes the file it is given, which has the same ending.

    Raises:
        InputError: The file cannot be written.
    """
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{path} could not be written ({error.strerror or error}); choose another place, or "
            "make room."
        ) from None


def sha256(data: bytes) -> str:
    """The checksum of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1)
        hint = f"did you mean {path.parent / near[0]}?" if near else "fit with --out writes one."
        raise InputError(f"There is no result file {path}; {hint}")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(array), allow_pickle=False)
    return file.getvalue()


def versions() -> dict[str, str]:
    """The versions that a result may depend on."""
    out = {}
    for name in ("jaxlaws", "jax", "numpy"):
        try:
            out[name] = version(name)
        except PackageNotFoundError:
            out[name] = "unknown"
    return out
