"""The command line: arguments in, exit code out. Standard library alone until a command runs."""

import gc
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from jaxlaws._cli._arguments import parse
from jaxlaws._cli._terminal import show, warnings_as_lines
from jaxlaws._errors import InputError

CACHE_TROUBLE = "Error reading persistent compilation cache"
DONE, DISTRUSTED, MISTAKE, INTERRUPTED, PIPE = 0, 1, 2, 130, 141


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: What stands after the program's name; None takes it from the process.

    Returns:
        0 done; 1 done, but the result is not to be trusted; 2 unusable input, said in one sentence
        on stderr; 130 interrupted.
    """
    try:
        args = parse(sys.argv[1:] if argv is None else argv)
        with _settings(), warnings_as_lines(CACHE_TROUBLE) as trouble:
            from jaxlaws._cli._compute import run
            from jaxlaws.datasets import DataError

            try:
                report = run(args)
            except DataError as error:
                raise InputError(_sentence(error)) from None
            finally:
                if trouble:
                    _forget(_cache())
            show(report, args.json)
        return DONE if report.trusted else DISTRUSTED
    except InputError as error:
        print(f"jaxlaws: {_sentence(error)}", file=sys.stderr)
        return MISTAKE
    except KeyboardInterrupt:
        print("jaxlaws: interrupted; no half-written file is left behind.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader has gone (`jaxlaws list | head`); Python would complain again when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE
    except SystemExit as leave:  # help and version
        return int(leave.code or 0)


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith((".", "?", "!", "`")) else f"{text}."


@contextmanager
def _settings() -> Iterator[None]:
    """JAX in float64, with compiled code kept between runs; put back afterwards."""
    import jax
    from jax.experimental.compilation_cache.compilation_cache import reset_cache

    wanted: dict[str, object] = {"jax_enable_x64": True}
    cache = _cache()
    if cache and not jax.config.jax_compilation_cache_dir:
        wanted |= {
            "jax_compilation_cache_dir": cache,
            "jax_persistent_cache_min_compile_time_secs": 0.0,
            "jax_persistent_cache_min_entry_size_bytes": 0,
        }
    before = {name: getattr(jax.config, name) for name in wanted}
    thresholds = gc.get_threshold()
    try:
        # Tracing makes millions of objects and next to no garbage: looking for it takes a tenth.
        gc.set_threshold(100_000, *thresholds[1:])
        for name, value in wanted.items():
            jax.config.update(name, value)
        reset_cache()  # JAX looks for its folder once
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        gc.set_threshold(*thresholds)
        reset_cache()


def _cache() -> str:
    """A folder for compiled code; empty where none can be had."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(os.environ.get("JAXLAWS_CACHE") or Path(base, "jaxlaws"), "xla").expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""
    return str(folder) if os.access(folder, os.W_OK) else ""


def _forget(folder: str) -> None:
    """Remove compiled code: JAX never mends an entry that a dying process left half written."""
    for entry in Path(folder).glob("*") if folder else ():
        entry.unlink(missing_ok=True)
