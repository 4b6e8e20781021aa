"""The corpus: the GNU Collaborative International Dictionary of English, one document an entry.

It is public-domain text (Webster 1913, WordNet, quotations) under the GPL, shipped by Debian as
`dict-gcide`. Nothing of it is in this repository; only checksums are.
"""

import gzip
import hashlib
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.tinylm.model import CONTEXT

PACKAGE = "dict-gcide=0.48.5+nmu2"
MEMBER = "usr/share/dictd/gcide.dict.dz"
# sha256 of the text in the package, and of the texts assembled from it.
DICTIONARY = "802beb667e1fb666203e750f1faea60d5c202ac5430c2083c4180494609f10a7"
TRAINING = "1d4107c83f1511cb9f4bf9254adb6a7b5f69f214cfe75bfd8e64355da810b44b"
VALIDATION = "b76e882766ff8baab8a563a329e5f6b9d0b9bc0669e5faa4165d17347dbce9b8"
HELD_OUT = 50  # one headword in so many is for validation


@dataclass(frozen=True)
class Corpus:
    """Bytes of both parts, as blocks whose last byte is the next one's first.

    Attributes:
        train: (block, CONTEXT + 1).
        valid: (block, CONTEXT + 1).
    """

    train: np.ndarray
    valid: np.ndarray


def blocks(text: bytes) -> np.ndarray:
    """Return the text as (block, CONTEXT + 1) bytes; every byte but the first is a target once."""
    stream = np.frombuffer(text, np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(stream, CONTEXT + 1)
    return np.ascontiguousarray(windows[::CONTEXT])


def load(folder: Path) -> Corpus:
    """Return the corpus that `build` wrote, after checking it."""
    parts = []
    for name, expected in (("train.txt", TRAINING), ("valid.txt", VALIDATION)):
        text = (folder / name).read_bytes()
        _check(text, expected, str(folder / name))
        parts.append(blocks(text))
    return Corpus(*parts)


def build(folder: Path) -> None:
    """Fetch the package with apt and write train.txt and valid.txt."""
    dictionary = fetch()
    _check(dictionary, DICTIONARY, PACKAGE)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip(("train.txt", "valid.txt"), assemble(dictionary), strict=True):
        (folder / name).write_bytes(text)


def fetch() -> bytes:
    """Return the text of the dictionary from the Debian package."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["apt-get", "download", PACKAGE], cwd=folder, check=True)
        (package,) = Path(folder).glob("*.deb")
        subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
        return gzip.decompress((Path(folder) / MEMBER).read_bytes())


def assemble(dictionary: bytes) -> tuple[bytes, bytes]:
    """Return training and validation text: documents once each, split by headword, mixed by hash.

    An entry starts at the margin behind an empty line. All entries of a headword are on one side.
    Left out are the three entries that are not ASCII, the notes on the dictionary itself and the
    fragments that a source tag at the margin cuts off.
    """
    entries = set(re.split(rb"\n\n(?=\S)", dictionary.strip()))
    kept = [e for e in entries if e.isascii() and not e.startswith((b"00-", b"["))]
    parts: tuple[list[bytes], list[bytes]] = ([], [])
    for entry in sorted(kept, key=_digest):
        headword = re.split(rb"[\\\n]", entry)[0].strip()
        parts[int(_digest(headword), 16) % HELD_OUT == 0].append(entry)
    train, valid = (b"\n\n".join(part) for part in parts)
    return train, valid


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()


def _check(text: bytes, expected: str, where: str) -> None:
    if (found := _digest(text)) != expected:
        raise SystemExit(
            f"{where} is not the registered text: its sha256 is {found}, expected {expected}; "
            "build the corpus again with `python -m benchmarks.tinylm corpus FOLDER`"
        )
