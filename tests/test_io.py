"""Result files: what is read is what was written, to the last bit, or nothing at all."""

import dataclasses
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlaws as jl
from jaxlaws import _archive
from jaxlaws._diagnose import diagnose
from jaxlaws._io import load, save, to_json
from jaxlaws._risk import build
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Tokens

BUILT_AGAIN = {"law", "problem", "fit"}  # fields that are not stored but made again


def same(a: Any, b: Any, at: str = "result") -> None:
    """Assert that two values are equal to the last bit, arrays and records leaf by leaf."""
    if isinstance(a, np.ndarray | jax.Array | np.generic):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.dtype, a.shape) == (b.dtype, b.shape), at
        assert a.tobytes() == b.tobytes(), at
    elif dataclasses.is_dataclass(a):
        assert type(a) is type(b), at
        for field in dataclasses.fields(a):
            if field.name not in BUILT_AGAIN:
                same(getattr(a, field.name), getattr(b, field.name), f"{at}.{field.name}")
    elif isinstance(a, dict) or hasattr(a, "items"):
        assert set(a) == set(b), at
        for key in a:
            same(a[key], b[key], f"{at}[{key}]")
    elif isinstance(a, tuple):
        assert type(a) is type(b), at
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{at}[{i}]")
    else:
        assert a == b, at


def draws_of(law: jl.Law, count: int = 7) -> jl.Draws:
    """Draws of a law that nobody fitted: from its typical ranges."""
    rng = np.random.default_rng(0)
    params = {
        k: p.constrain(jnp.asarray(rng.uniform(-1, 1, (count, *p.size))))
        for k, p in law.params.items()
    }
    return jl.Draws(
        law=law,
        params=params,
        point={k: v[0] for k, v in params.items()},
        status=np.zeros(count, int),
        origin="typical ranges",
        space="log",
        noise=rng.normal(size=5),
    )


def mine(fn: Any = None) -> jl.Law:
    """A law that is not in the catalogue."""

    def my_law(N: Params, D: Tokens, *, E: Entropy, A: Amplitude, alpha: Exponent) -> Loss:
        r"""Loss from parameters and tokens with one exponent.

        $$L = E + A (N^{-\alpha} + D^{-\alpha})$$
        """
        return E + A * (N**-alpha + D**-alpha)

    return jl.law(fn or my_law)


@pytest.fixture(scope="session")
def saved(boot: jl.Draws, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(boot, tmp_path_factory.mktemp("saved") / "boot.fit")


def test_fit_round_trip(squared_fit: jl.Fit, tmp_path: Path) -> None:
    again = load(save(squared_fit, tmp_path / "a.fit"))
    same(squared_fit, again)
    assert again.law is jl.laws.chinchilla
    assert repr(again) == repr(squared_fit)
    same(squared_fit.problem.shared, again.problem.shared)
    same(squared_fit.problem.target, again.problem.target)


def test_draws_round_trip_with_their_fit(boot: jl.Draws, saved: Path) -> None:
    again = load(saved)
    same(boot, again)
    assert again.fit is not None
    assert boot.fit is not None
    same(boot.fit, again.fit)
    assert again.fit.law is again.law


def test_work_goes_on_after_loading_with_the_same_numbers(boot: jl.Draws, saved: Path) -> None:
    again = load(saved)
    same(jl.predict(boot, N=70e9, D=1.4e12), jl.predict(again, N=70e9, D=1.4e12))
    same(jl.frontier(boot, C=[1e20, 1e24]), jl.frontier(again, C=[1e20, 1e24]))
    assert boot.fit is not None
    key = jax.random.key(5)
    same(
        jl.bootstrap(boot.fit, jl.Wild(), draws=32, key=key),
        jl.bootstrap(again.fit, jl.Wild(), draws=32, key=key),
    )
    assert repr(diagnose(boot.fit)) == repr(diagnose(again.fit))


@pytest.mark.parametrize(
    "law",
    [
        jl.laws.chinchilla.fix(E=1.69),
        jl.laws.chinchilla.fix(E=1 / 3, A=406.4).tie(beta="alpha"),
        jl.laws.chinchilla.per_group("E", "A", groups=3),
        jl.laws.bnsl(0),
        jl.laws.bnsl(2),
        jl.laws.bnsl(2).fix(c=np.array([0.1, 0.2])),
        jl.laws.muennighoff,
        jl.laws.olmo_ladder,
    ],
    ids=lambda law: law.name,
)
def test_variants_and_families_are_made_again(law: jl.Law, tmp_path: Path) -> None:
    draws = draws_of(law)
    again = load(save(draws, tmp_path / "a.fit"))
    same(draws, again)
    assert (again.law.name, again.law.recipe) == (law.name, law.recipe)
    one = {k: jnp.asarray(1e9) for k in law.inputs} | {"group": jnp.asarray(1.0)}
    inputs = {k: one[k] for k in law.inputs}
    same(law(**inputs, **draws.point), again.law(**inputs, **again.point))


@pytest.mark.parametrize(
    "objective", [jl.Huber(3e-3), jl.LogCosh(), jl.StudentT(0.02, 5.0), jl.Quantile(0.3)]
)
def test_every_objective_and_setting(objective: Any, squared_fit: jl.Fit, tmp_path: Path) -> None:
    fit = dataclasses.replace(squared_fit, objective=objective, solver=jl.Newton(8, 77))
    again = load(save(fit, tmp_path / "a.fit"))
    assert (again.objective, again.solver) == (objective, jl.Newton(8, 77))


def test_single_precision(squared_fit: jl.Fit, tmp_path: Path) -> None:
    args = (jl.laws.chinchilla, (squared_fit.runs,), squared_fit.objective, "log", "float32")
    with jax.enable_x64(False):
        params = {k: jnp.asarray(np.float32(v)) for k, v in squared_fit.params.items()}
        single = dataclasses.replace(squared_fit, problem=build(*args), params=params)
    again = load(save(single, tmp_path / "a.fit"))
    same(single, again)
    same(single.problem.shared, again.problem.shared)
    assert again.problem.dtype == "float32"


def test_labels_of_rows_survive(squared_fit: jl.Fit, tmp_path: Path) -> None:
    rows = (np.int64(3), "a", 1.5, None, *range(len(squared_fit.runs) - 4))
    runs = dataclasses.replace(squared_fit.runs, rows=rows, groups=("café",))
    again = load(save(dataclasses.replace(squared_fit, runs=runs), tmp_path / "a.fit"))
    assert again.runs.rows == rows
    assert again.runs.groups == ("café",)


def test_published_constants(tmp_path: Path) -> None:
    known = jl.published(jl.laws.chinchilla, "besiroglu2024")
    same(known, load(save(known, tmp_path / "a.fit")))


class TestOwnLaw:
    def test_is_handed_over(self, tmp_path: Path) -> None:
        law = mine()
        path = save(draws_of(law), tmp_path / "own.fit")
        with pytest.raises(jl.InputError, match=r"my_law.*not in the catalogue.*law=\.\.\."):
            load(path)
        assert load(path, law=law).law is law
        held = law.fix(E=1.5)
        path = save(draws_of(held), path)
        assert load(path, law=held).law is held

    def test_with_other_parameters(self, tmp_path: Path) -> None:
        path = save(draws_of(mine()), tmp_path / "own.fit")
        with pytest.raises(jl.InputError, match="params E, A, alpha, but chinchilla has E, A, B"):
            load(path, law=jl.laws.chinchilla)

    def test_whose_source_was_changed(self, tmp_path: Path) -> None:
        def my_law(N: Params, D: Tokens, *, E: Entropy, A: Amplitude, alpha: Exponent) -> Loss:
            """Loss, written otherwise."""
            return E + A * N**-alpha + A * D**-alpha

        path = save(draws_of(mine()), tmp_path / "own.fit")
        with pytest.warns(jl.InputWarning, match="source of my_law"):
            load(path, law=mine(my_law))

    def test_whose_docstring_was_changed(self, tmp_path: Path) -> None:
        def my_law(N: Params, D: Tokens, *, E: Entropy, A: Amplitude, alpha: Exponent) -> Loss:
            """Another sentence."""
            return E + A * (N**-alpha + D**-alpha)  # and a comment

        path = save(draws_of(mine()), tmp_path / "own.fit")
        load(path, law=mine(my_law))  # no warning

    def test_that_gives_other_numbers(self, squared_fit: jl.Fit, tmp_path: Path) -> None:
        def other(
            N: Params,
            D: Tokens,
            *,
            E: Entropy,
            A: Amplitude,
            B: Amplitude,
            alpha: Exponent,
            beta: Exponent,
        ) -> Loss:
            """Chinchilla's law with a slip."""
            return E + A * N**-alpha + B * D**-alpha

        path = save(squared_fit, tmp_path / "a.fit")
        with pytest.raises(jl.InputError, match=r"holds chinchilla.*off by up to"):
            load(path, law=jl.law(other))

    def test_that_is_called_like_one_of_the_catalogue(self, tmp_path: Path) -> None:
        impostor = dataclasses.replace(mine(), name="chinchilla", recipe=(("law", "chinchilla"),))
        path = save(draws_of(impostor), tmp_path / "own.fit")
        with pytest.raises(jl.InputError, match="not in the catalogue"):
            load(path)


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(path: Path, content: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def sealed(path: Path, content: dict[str, bytes], **change: Any) -> Path:
    """A file whose manifest was changed by someone who knows about the seal."""
    text = json.dumps({**json.loads(content["manifest.json"]), **change}).encode()
    seal = hashlib.sha256(text).hexdigest().encode()
    return pack(path, {**content, "manifest.json": text, "manifest.sha256": seal})


class TestRefused:
    @pytest.mark.parametrize("keep", [0, 1, 30, 1000, 0.5, 0.99, -1])
    def test_cut_short(self, saved: Path, tmp_path: Path, keep: float) -> None:
        whole = saved.read_bytes()
        size = int(keep * len(whole)) if isinstance(keep, float) else keep
        path = tmp_path / "cut.fit"
        path.write_bytes(whole[:size])
        with pytest.raises(jl.InputError, match=r"cut\.fit is (cut short|not a jaxlaws result)"):
            load(path)

    def test_one_bit_anywhere(self, saved: Path, tmp_path: Path) -> None:
        whole, path = saved.read_bytes(), tmp_path / "bit.fit"
        rng = np.random.default_rng(0)
        with zipfile.ZipFile(saved) as archive:
            end = archive.start_dir  # behind it zip repeats names and dates, which nobody reads
        for at in rng.choice(end, 40, replace=False):
            flipped = bytearray(whole)
            flipped[at] ^= 1 << rng.integers(8)
            path.write_bytes(flipped)
            try:
                again = load(path)
            except jl.InputError:
                continue
            same(load(saved), again)  # a header field without meaning, such as the date

    def test_an_array_exchanged(self, saved: Path, tmp_path: Path) -> None:
        content = members(saved)
        content["fit/params/E.npy"] = content["fit/params/A.npy"]
        with pytest.raises(jl.InputError, match=r"altered.*fit/params/E\.npy.*checksum"):
            load(pack(tmp_path / "a.fit", content))

    def test_an_array_missing_or_added(self, saved: Path, tmp_path: Path) -> None:
        content = members(saved)
        more = pack(tmp_path / "more.fit", {**content, "extra.npy": b"x"})
        with pytest.raises(jl.InputError, match=r"altered.*extra\.npy"):
            load(more)
        del content["runs/target.npy"]
        with pytest.raises(jl.InputError, match=r"altered.*runs/target\.npy"):
            load(pack(tmp_path / "less.fit", content))

    def test_the_manifest_changed(self, saved: Path, tmp_path: Path) -> None:
        content = members(saved)
        content["manifest.json"] = content["manifest.json"].replace(b'"converged"', b'"conversed"')
        with pytest.raises(jl.InputError, match=r"altered.*manifest\.json"):
            load(pack(tmp_path / "a.fit", content))

    def test_a_newer_format(self, saved: Path, tmp_path: Path) -> None:
        made = {"jaxlaws": "9.1"}
        path = sealed(tmp_path / "a.fit", members(saved), version=2, made_with=made)
        with pytest.raises(jl.InputError, match=r"format 2, of jaxlaws 9\.1.*upgrade"):
            load(path)

    def test_a_law_nobody_has(self, saved: Path, tmp_path: Path) -> None:
        content = members(saved)
        law = json.loads(content["manifest.json"])["law"] | {"recipe": [["law", "chinchila"]]}
        path = sealed(tmp_path / "a.fit", content, law=law)
        with pytest.raises(jl.InputError, match="did you mean 'chinchilla'"):
            load(path)

    def test_a_manifest_without_its_parts(self, saved: Path, tmp_path: Path) -> None:
        path = sealed(tmp_path / "a.fit", members(saved), law={})
        with pytest.raises(jl.InputError, match="does not hold a whole result"):
            load(path)

    @pytest.mark.parametrize("content", [b"", b"N,D,loss\n1,2,3\n", b"\x89PNG\r\n", b"PK"])
    def test_another_kind_of_file(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "other.fit"
        path.write_bytes(content)
        with pytest.raises(jl.InputError, match=r"other\.fit is (not a jaxlaws|cut short)"):
            load(path)

    def test_another_zip(self, tmp_path: Path) -> None:
        np.savez(tmp_path / "a.npz", x=np.ones(3))
        with pytest.raises(jl.InputError, match=r"a\.npz is not a jaxlaws result"):
            load(tmp_path / "a.npz")

    def test_a_pickle_inside(self, saved: Path, tmp_path: Path) -> None:
        file = io.BytesIO()
        np.save(file, np.array([print], object), allow_pickle=True)
        content = members(saved) | {"fit/residual.npy": file.getvalue()}
        sums = {k: hashlib.sha256(v).hexdigest() for k, v in content.items() if k[-3:] == "npy"}
        with pytest.raises(jl.InputError, match=r"cannot be read.*allow_pickle"):
            load(sealed(tmp_path / "a.fit", content, checksums=sums))

    def test_nothing_there(self, saved: Path) -> None:
        with pytest.raises(jl.InputError, match=r"no result file .*; did you mean .*boot\.fit\?"):
            load(saved.with_name("bot.fit"))


class TestWriting:
    def test_the_same_result_gives_the_same_bytes(self, boot: jl.Draws, tmp_path: Path) -> None:
        first, second = save(boot, tmp_path / "a.fit"), save(boot, tmp_path / "b.fit")
        assert first.read_bytes() == second.read_bytes()

    def test_folders_are_made_and_nothing_else_is_left(
        self, boot: jl.Draws, tmp_path: Path
    ) -> None:
        path = save(boot, tmp_path / "deep" / "er" / "a.fit")
        save(boot, path)
        assert list(path.parent.iterdir()) == [path]
        assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()

    @pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
    def test_interrupted(
        self,
        saved: Path,
        squared_fit: jl.Fit,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        error: Any,
    ) -> None:
        path = tmp_path / "a.fit"
        path.write_bytes(saved.read_bytes())
        real, written = zipfile.ZipFile.writestr, []

        def stop(*args: Any) -> None:
            written.append(real(*args))
            if len(written) == 5:
                raise error

        monkeypatch.setattr(zipfile.ZipFile, "writestr", stop)
        expected = jl.InputError if isinstance(error, OSError) else KeyboardInterrupt
        with pytest.raises(expected):
            save(squared_fit, path)
        assert list(tmp_path.iterdir()) == [path]
        assert path.read_bytes() == saved.read_bytes()

    def test_another_file_is_left_alone(self, boot: jl.Draws, tmp_path: Path) -> None:
        path = tmp_path / "runs.csv"
        path.write_text("N,D,loss\n")
        with pytest.raises(jl.InputError, match="is not a jaxlaws result, so it is left alone"):
            save(boot, path)
        assert path.read_text() == "N,D,loss\n"

    def test_places_that_cannot_be(self, boot: jl.Draws, tmp_path: Path) -> None:
        with pytest.raises(jl.InputError, match="is a folder"):
            save(boot, tmp_path)
        (tmp_path / "file").touch()
        with pytest.raises(jl.InputError, match="file is not a folder"):
            save(boot, tmp_path / "file" / "a.fit")

    def test_an_objective_of_ones_own(self, squared_fit: jl.Fit, tmp_path: Path) -> None:
        class Mine:
            label = "Mine"

        fit = dataclasses.replace(squared_fit, objective=Mine())
        with pytest.raises(jl.InputError, match="Mine is no objective of jaxlaws"):
            save(fit, tmp_path / "a.fit")
        with pytest.raises(jl.InputError, match="takes a Fit or Draws, got int"):
            save(1, tmp_path / "a.fit")  # type: ignore[arg-type]
        assert not list(tmp_path.iterdir())

    def test_the_manifest_can_be_read_without_jaxlaws(self, saved: Path) -> None:
        content = members(saved)
        manifest = json.loads(content["manifest.json"])
        assert manifest["format"] == _archive.FORMAT
        assert manifest["law"]["inputs"] == {"N": "parameters", "D": "tokens"}
        assert "return E + A * N**-alpha" in manifest["law"]["source"]
        assert manifest["draws"]["refits"] == {"converged": 400}
        for name, sum_ in manifest["checksums"].items():
            assert hashlib.sha256(content[name]).hexdigest() == sum_
            np.load(io.BytesIO(content[name]), allow_pickle=False)


def _umask() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("Umask"):
            return int(line.split()[1], 8)
    raise AssertionError


def test_reports_as_json(boot: jl.Draws, squared_fit: jl.Fit) -> None:
    fitted, drawn = to_json(squared_fit), to_json(boot, 0.5)
    json.dumps([fitted, drawn], allow_nan=False)
    assert fitted["runs"] == {"name": "simulated_chinchilla", "count": 81}
    assert fitted["parameters"][0]["estimate"] == float(squared_fit.params["E"])
    assert drawn["refits"] == {"converged": 400}
    frame = boot.frame(0.5)
    assert [row["low"] for row in drawn["parameters"]] == frame["low"].tolist()
    known = jl.published(jl.laws.chinchilla)
    alone = to_json(jl.predict(known, N=1e9, D=1e10))
    json.dumps(alone, allow_nan=False)
    row = alone["rows"][0]
    assert (row["law_low"], row["reach"]) == (None, None)
    best = to_json(jl.frontier(boot, C=[1e20, 1e21]))
    json.dumps(best, allow_nan=False)
    assert [row["C"] for row in best["rows"]] == [1e20, 1e21]
