"""The registry, the tidy tables behind it, and what a reader is told when one cannot be had.

The tidy tables are in the folder named by JAXLAWS_DATA, or in `../shared/data` beside the
repository; without them these tests fail.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jaxlaws import datasets
from jaxlaws.datasets import DataError, simulate
from jaxlaws.datasets.convert import CONVERTERS

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("JAXLAWS_DATA") or ROOT.parent / "shared" / "data").resolve()
RAW = DATA.parent / "raw"

EMBEDDED = [name for name in datasets.names() if datasets.info(name).embedded]
TABLES = [(name, table) for name in datasets.names() for table in datasets.info(name).tables]
ROLES = [(name, table) for name, table in TABLES if datasets.info(name).tables[table].roles]
CONVERTED = [(name, table) for name, table in TABLES if name in CONVERTERS]

# A unit outside this list is a slip or a decision: two spellings of one unit help nobody.
UNITS = {
    *("-", "0/1", "1", "count", "fraction", "percent", "s", "epochs", "steps", "pixels"),
    *("samples", "examples", "sequences", "characters", "tokens", "parameters", "FLOP"),
    *("GFLOP", "GMAC", "1e21 FLOP", "TPU-v4 core hours", "million activations"),
    *("million parameters", "billion parameters", "trillion tokens", "tokens/parameter"),
    *("nats", "nats/token", "bits/byte", "perplexity", "samples/s", "GFLOP/sample", "GMAC/sample"),
    *("tokens or parameters", "loss or accuracy"),
}

# Rows of the published fits, as the papers count them (see the notes of the registry).
PUBLISHED_ROWS = {
    ("bimix_pile", "losses"): 120,
    ("chinchilla_epoch", "chinchilla_svg_points"): 240,
    ("data_constrained_muennighoff2023", "runs"): 182,
    ("gemstones_mcleish2025", "hot_runs"): 220,
    ("gemstones_mcleish2025", "lr_ablation_hot"): 200,
    ("isoflop_llama3_digitised", "isoflops"): 133,
    ("misfitting", "scaling_results_final_checkpoints"): 261,
    ("olmo_ladder", "ladder_runs_190m_to_1b"): 16,
    ("overtraining_gadre2024", "runs"): 5,
    ("regmix", "mixtures_and_losses_1m_60m"): 512,
    ("routed_language_models", "final_losses_dense_sbase_hash"): 58,
    ("scaling_with_vocabulary", "exp_data"): 1054,
}


@pytest.fixture
def tidy(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Read tidy tables from the folder of this machine."""
    monkeypatch.setenv("JAXLAWS_DATA", str(DATA))
    return DATA


def selected(name: str, table: str) -> pd.DataFrame:
    roles = datasets.info(name).roles[table]
    frame = datasets.load(name, table)
    return frame.query(roles.where) if roles.where else frame


def test_names_list_the_embedded_sets_first():
    names = datasets.names()
    assert EMBEDDED == ["simulated_chinchilla", "tinylm"]
    assert names[: len(EMBEDDED)] == tuple(EMBEDDED)
    assert list(names[len(EMBEDDED) :]) == sorted(set(names) - set(EMBEDDED))


@pytest.mark.parametrize("name", datasets.names())
def test_info_is_complete(name: str):
    info = datasets.info(name)
    assert info.name == name
    assert info.kind in {"measured", "digitised", "simulated"}
    assert all([info.title, info.paper, info.licence, info.note, info.tables])
    assert re.fullmatch(r"(\d{4}\.\d{5})?", info.arxiv)
    assert len(re.findall(r"[.;:](?= [A-Z])", info.note)) <= 2, "a note is one or two sentences"
    if info.source is None:
        assert info.embedded
    else:
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", info.source.repository)
        assert re.fullmatch(r"[0-9a-f]{40}", info.source.commit)
    assert info.downloadable == (name in CONVERTERS)
    if info.downloadable:
        for file in info.source.files:
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
            assert file.bytes > 0
        assert {f for t in info.tables.values() for f in t.sources} == set(info.source.files)


@pytest.mark.parametrize(("name", "table"), TABLES)
def test_every_column_has_a_unit_and_a_meaning(name: str, table: str):
    for column, about in datasets.info(name).tables[table].columns.items():
        assert about.unit in UNITS, column
        assert about.meaning, column


@pytest.mark.parametrize("name", datasets.names())
def test_report_says_what_the_record_holds(name: str):
    info = datasets.info(name)
    report = str(info)
    assert report == repr(info)
    words = " ".join(report.split())
    for fact in (name, info.title, info.kind, info.paper, info.arxiv, info.licence, info.note):
        assert " ".join(fact.split()) in words
    assert info.origin in report
    for table in info.tables.values():
        assert all(column in report for column in table.columns)


def test_every_tidy_file_is_registered(tidy: Path):
    found = {
        f"{path.parent.name}/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest()
        for path in tidy.glob("*/*")
        if path.name != "README.md"
    }
    registered = {
        f"{name}/{table.file}": table.sha256
        for name in datasets.names()
        if name not in EMBEDDED
        for table in datasets.info(name).tables.values()
    }
    assert found == registered


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize(("name", "table"), TABLES)
def test_tidy_table_is_as_registered(name: str, table: str):
    info = datasets.info(name)
    about = info.tables[table]
    frame = datasets.load(name, table)
    assert list(frame.columns) == list(about.columns)
    assert len(frame) == about.rows
    assert frame.attrs == {
        "name": name,
        "table": table,
        "kind": info.kind,
        "source": info.origin,
    }
    for column, one in about.columns.items():
        # 6 N D leaves 64-bit integers, so its factors must not be integers.
        if one.unit in {"parameters", "tokens", "characters", "FLOP"}:
            assert frame[column].dtype == np.float64, column
            assert not (frame[column].abs() > 2**53).any() or one.unit == "FLOP", column
        if one.unit == "0/1":
            assert set(frame[column].unique()) <= {0, 1}, column
        if one.unit == "fraction":
            assert frame[column].dropna().between(0, 1).all(), column


@pytest.mark.usefixtures("tidy")
def test_main_table_is_the_default():
    frame = datasets.load("olmo_ladder")
    assert frame.attrs["table"] == "ladder_runs_190m_to_1b"
    pd.testing.assert_frame_equal(frame, datasets.load("olmo_ladder", "ladder_runs_190m_to_1b"))


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize(("name", "table"), ROLES)
def test_roles_select_numbers(name: str, table: str):
    roles = datasets.info(name).roles[table]
    frame = selected(name, table)
    columns = [c for v in roles.inputs.values() for c in ([v] if isinstance(v, str) else v)]
    assert len(frame) > 0
    assert np.isfinite(frame[[*columns, roles.target]].to_numpy(dtype=float)).all()
    if roles.group:
        assert frame[roles.group].duplicated().any(), "a group joins several rows"


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize(("key", "rows"), PUBLISHED_ROWS.items())
def test_roles_select_the_rows_of_the_published_fit(key: tuple[str, str], rows: int):
    assert len(selected(*key)) == rows


@pytest.mark.usefixtures("tidy")
def test_chinchilla_objective_at_its_certified_minimum():
    roles = datasets.info("chinchilla_epoch").roles["chinchilla_svg_points"]
    frame = selected("chinchilla_epoch", "chinchilla_svg_points")
    N, D = frame[roles.inputs["N"]], frame[roles.inputs["D"]]
    law = 1.817218 + 477.826 * N**-0.3473105 + 2143.417 * D**-0.3671724
    residual = np.abs(np.log(frame[roles.target]) - np.log(law))
    delta = 1e-3
    huber = np.where(residual < delta, residual**2 / 2, delta * (residual - delta / 2))
    assert huber.sum() == pytest.approx(0.0010182740178, rel=1e-8)


@pytest.mark.usefixtures("tidy")
@pytest.mark.parametrize(("name", "table"), CONVERTED)
def test_converter_reproduces_the_tidy_table(name: str, table: str):
    info = datasets.info(name)
    files = [RAW / info.source.repository / file.path for file in info.tables[table].sources]
    converted = CONVERTERS[name](table, files)
    # The tidy Chinchilla points were parsed one unit in the last place beside the source.
    rounding = {"rtol": 1e-15, "atol": 0} if name == "chinchilla_epoch" else {"check_exact": True}
    tidy = pd.read_csv(DATA / name / info.tables[table].file)
    pd.testing.assert_frame_equal(converted, tidy, **rounding)


def test_source_files_are_the_registered_ones():
    for name in CONVERTERS:
        source = datasets.info(name).source
        for file in source.files:
            content = (RAW / source.repository / file.path).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file.sha256
            assert len(content) == file.bytes


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("chinchila_epoch", "chinchilla_epoch"), ("porian", "porian2024"), ("gemstone", "gemstones")],
)
def test_unknown_name_suggests_the_nearest(wrong: str, right: str):
    with pytest.raises(ValueError, match=rf"{wrong!r}; did you mean '{right}.*names\(\)` lists"):
        datasets.load(wrong)


def test_unknown_name_without_a_near_one():
    with pytest.raises(DataError, match=r"no data set '%%%'. .*names\(\)` lists them all"):
        datasets.info("%%%")


def test_unknown_table_lists_the_tables():
    with pytest.raises(DataError, match="its tables are: dense_lr_bs_loss, published_bootstrap"):
        datasets.load("step_law_dense", "loss")


def test_a_set_that_is_not_fetched_names_its_source(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("JAXLAWS_DATA", raising=False)
    with pytest.raises(DataError, match=r"not fetched automatically.*formll.*JAXLAWS_DATA") as seen:
        datasets.load("porian2024")
    assert datasets.info("porian2024").source.address in str(seen.value)
    assert "porian2024/isoflop_points.csv" in str(seen.value)


def test_a_missing_tidy_file_names_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JAXLAWS_DATA", str(tmp_path))
    path = tmp_path / "chinchilla_epoch" / "chinchilla_svg_points.csv"
    with pytest.raises(DataError, match=r"cannot be read \(No such file") as seen:
        datasets.load("chinchilla_epoch")  # although this set could be downloaded
    assert str(path) in str(seen.value)


def test_an_altered_tidy_file_names_both_checksums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    about = datasets.info("parscale_pile").tables["losses"]
    content = bytearray((DATA / "parscale_pile" / about.file).read_bytes())
    content[-3] ^= 1
    path = tmp_path / "parscale_pile" / about.file
    path.parent.mkdir()
    path.write_bytes(content)
    monkeypatch.setenv("JAXLAWS_DATA", str(tmp_path))
    with pytest.raises(DataError, match="not the registered table") as seen:
        datasets.load("parscale_pile")
    for part in (str(path), about.sha256, hashlib.sha256(content).hexdigest()):
        assert part in str(seen.value)


def test_parquet_without_pyarrow_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=re.escape('pip install "jaxlaws[parquet]"')):
        CONVERTERS["scalebench"]("vocab_train", [Path("vocab.parquet")])


def test_simulated_table_is_what_the_generator_writes():
    assert "\n".join(simulate.rows()) + "\n" == simulate.TABLE.read_text(encoding="utf-8")
    about = datasets.info("simulated_chinchilla").tables["simulated_chinchilla"]
    assert hashlib.sha256(simulate.TABLE.read_bytes()).hexdigest() == about.sha256


def test_simulated_table_cannot_pass_for_measurements(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("JAXLAWS_DATA", raising=False)
    info = datasets.info("simulated_chinchilla")
    frame = datasets.load("simulated_chinchilla")
    assert info.kind == frame.attrs["kind"] == "simulated"
    assert all("simulated" in text.lower() for text in (info.title, info.note, info.paper))
    assert "simulated" in frame.attrs["source"]
    assert frame["run"].str.startswith("sim-").all()


def test_simulated_table_has_the_stated_design_and_noise():
    frame = datasets.load("simulated_chinchilla")
    law = (
        simulate.E
        + simulate.A * frame["params"] ** -simulate.ALPHA
        + simulate.B * frame["tokens"] ** -simulate.BETA
    )
    noise = np.log(frame["loss"] / law)
    # 81 draws with kurtosis 9: the sd of the sample sd is 16 %, so 50 % is three of them.
    assert noise.std() == pytest.approx(simulate.NOISE, rel=0.5)
    assert np.allclose(6 * frame["params"] * frame["tokens"], frame["flops"], rtol=1e-6)
    assert frame.groupby("flops")["loss"].size().tolist() == [9] * 9
    best = frame.loc[frame.groupby("flops")["loss"].idxmin()]
    ratio = best["params"] / best["flops"].map(simulate.optimal_params)
    assert ratio.between(0.3, 3).all(), "every sweep encloses its optimum"


def test_import_is_light():
    # The parent package is stubbed: what it imports itself is not the business of this test.
    program = """
import json, sys, types
package = types.ModuleType("jaxlaws")
package.__path__ = [sys.argv[1]]
sys.modules["jaxlaws"] = package
import jaxlaws.datasets
jaxlaws.datasets.names()
print(json.dumps(sorted(set(sys.modules) & {"pooch", "rich", "requests"})))
"""
    out = subprocess.run(
        [sys.executable, "-c", program, str(ROOT / "jaxlaws")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert json.loads(out.stdout) == []
