"""The folder of a report: its page, its files, and that they say the same."""

import re
from dataclasses import replace

import pandas as pd
import pytest
from made_runs import SPLITS, write_explanation, write_run
from matplotlib.figure import Figure
from PIL import Image

from mtl_hcc.errors import RunError
from mtl_hcc.figures import FIGURES
from mtl_hcc.metrics.comparisons import compare_models
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.reporting import report_processes
from mtl_hcc.reporting.blocks import cell
from mtl_hcc.reporting.explanation import explanation_blocks, explanation_tables
from mtl_hcc.reporting.outline import SECTIONS, in_section
from mtl_hcc.reporting.report_folder import write_report
from mtl_hcc.reporting.report_processes import ReportProcesses
from mtl_hcc.reporting.run_folder import read_runs
from mtl_hcc.tables import TABLES

SETTINGS = {"bootstraps": 20, "seed": 7, "threshold": 0.5}


def test_the_page_has_every_section_and_each_can_be_reached(made):
    shown = [section for section in SECTIONS if section.anchor != "more"]
    assert [a for a in made.page.anchors if a in {s.anchor for s in SECTIONS}] == [
        section.anchor for section in shown
    ]
    assert {f"#{section.anchor}" for section in shown} <= set(made.page.links)
    for section in shown:
        assert any(section.title in heading for heading in made.page.headings)


def test_the_page_is_well_formed_and_no_id_occurs_twice(made):
    assert made.page.mistakes == []
    assert len(made.page.anchors) == len(set(made.page.anchors))
    assert made.text.startswith("<!DOCTYPE html>")


def test_the_page_loads_nothing_from_anywhere(made):
    assert [source[:30] for source in made.page.loaded if not source.startswith("data:")] == []
    assert "script" not in made.page.tags
    assert not re.search(r"url\(|@import", made.text)
    assert [link for link in made.page.links if link.startswith(("http", "//"))] == []


def test_every_link_of_the_page_leads_to_a_file_of_the_report(made):
    files = [link for link in made.page.links if not link.startswith("#")]
    assert len(files) > 40
    assert [link for link in files if not (made.folder / link).is_file()] == []


def test_every_figure_is_there_in_the_page_as_svg_and_as_png_of_300_dpi(made):
    assert made.report.failed == {}
    for name in FIGURES:
        svg = (made.folder / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        assert svg.rstrip().endswith("</svg>"), name
        with Image.open(made.folder / "figures" / f"{name}.png") as picture:
            assert round(picture.info["dpi"][0]) == 300, name
    assert len(made.page.alternatives) == len(FIGURES) + 1, "and one activation map"
    assert all(len(text) > 20 for text in made.page.alternatives), "captions serve as text"


def test_figures_and_tables_draw_as_many_resamples_as_were_asked_for(made):
    number = SETTINGS["bootstraps"]
    captions = [text for text in made.page.alternatives if "resamples of patients" in text]
    assert len(captions) == 2, "calibration and decision curves"
    assert all(f"({number} resamples of patients)" in text for text in captions)
    assert f"95% interval ({number} resamples of patients)" in made.text


def test_ids_of_two_svg_files_do_not_meet(made):
    seen = {}
    for path in sorted((made.folder / "figures").glob("*.svg")):
        for name in re.findall(r'<(?:clipPath|path|marker) id="(\w+)"', path.read_text("utf-8")):
            if len(name) > 8:  # hashed; the short ones (patch_1) are names of groups
                assert seen.setdefault(name, path) == path, name
    assert len(seen) > 20


def test_the_tables_of_the_page_say_what_their_files_say(made):
    shown = {tuple(rows[0]): rows[1:] for rows in made.page.tables}
    compared = 0
    for name in ("key_results", *TABLES):
        path = made.folder / "tables" / f"{name}.csv"
        assert path.is_file(), name
        table = pd.read_csv(path)
        printed = [c for c in table if c[:1].isupper()] if name != "key_results" else list(table)
        rows = shown.get(tuple(printed or table))
        if rows is None or len(rows) != len(table):
            continue
        texts = pd.read_csv(path, dtype=str, keep_default_na=False)[printed or list(table)]
        for row, of_file in zip(rows, texts.to_numpy(), strict=True):
            for text, value in zip(row, of_file, strict=True):
                same = text in (value, "-") or float(text) == pytest.approx(float(value), rel=5e-3)
                assert same, (name, text, value)
        compared += 1
    assert compared >= 6


def test_the_statistics_are_those_of_the_package_however_they_are_dealt(made):
    predictions = read_runs([made.run]).predictions
    metrics = pd.read_csv(made.folder / "metrics.csv")
    expected = evaluate_predictions(predictions, **SETTINGS)
    pd.testing.assert_frame_equal(metrics, expected, check_dtype=False)
    comparisons = pd.read_csv(made.folder / "comparisons.csv")
    expected = compare_models(predictions, **SETTINGS).infer_objects()
    pd.testing.assert_frame_equal(comparisons, expected, check_dtype=False)


def test_a_task_that_the_network_does_not_predict_has_no_model_under_study(made, tmp_path):
    predictions = read_runs([made.run]).predictions
    known = predictions[(predictions["model"] != "network") | (predictions["task"] == "os")]
    known = known[known["task"].isin(["os", "mvi"])]
    settings = {**SETTINGS, "bootstraps": 5}
    processes = ReportProcesses(tmp_path, workers=1, progress=False)
    _, comparisons = processes.statistics(known, judged=["network"], **settings)
    tested = comparisons.dropna(subset=["p"])
    with_holm = tested[tested["p_holm"].notna()]
    assert set(with_holm["task"]) == {"os"}
    assert set(with_holm["model_a"] + with_holm["model_b"]) == {"networkAFP"}
    assert "mvi" in set(tested["task"])


def test_confusion_matrices_are_cut_where_the_metrics_are(made, tmp_path, monkeypatch):
    monkeypatch.setattr(report_processes, "FIGURES", {})
    monkeypatch.setattr(
        report_processes, "TABLES", {"confusion_matrix": TABLES["confusion_matrix"]}
    )
    study = read_runs([made.run])
    rows = study.predictions[study.predictions["task"] == "mvi"]
    study = replace(study, tables={**study.tables, "predictions": rows.reset_index(drop=True)})
    settings = {"bootstraps": 0, "seed": 0, "threshold": 0.2}
    report = write_report(study, tmp_path / "report", workers=1, **settings)
    table = pd.read_csv(tmp_path / "report" / "tables" / "confusion_matrix.csv")
    found = table[table["Found"].str.contains("present") & (table["Model"] == "network")]
    metrics = report.metrics.query("model == 'network' and center == 'all'")
    expected = metrics[metrics["metric"] == "sensitivity"].set_index("split")["value"]
    assert found.set_index("Split")["recall"].to_dict() == pytest.approx(expected.to_dict())
    assert table["Decision"].str.contains("0.2").all()


def test_two_processes_compute_what_one_does(made, tmp_path):
    predictions = read_runs([made.run]).predictions
    rows = predictions[predictions["task"].isin(["os", "mvi"])]
    settings = {**SETTINGS, "bootstraps": 5}
    dealt = ReportProcesses(tmp_path, workers=2, progress=False).statistics(rows, **settings)
    alone = ReportProcesses(tmp_path, workers=1, progress=False).statistics(rows, **settings)
    for one, other in zip(dealt, alone, strict=True):
        pd.testing.assert_frame_equal(one, other)


def test_the_flow_adds_up(made):
    flow = pd.read_csv(made.folder / "tables" / "cohort_flow.csv")
    steps = flow[flow["Group"] == "all"].set_index("Step")["Patients"]
    assert steps["Screened"] == 123
    assert steps["Analyzed"] == sum(SPLITS.values()) == 120
    assert flow.loc[flow["Step"] == "Left out", "Patients"].sum() == 3
    splits = flow[(flow["Step"] == "Analyzed") & flow["Group"].isin(list(SPLITS))]
    assert splits.set_index("Group")["Patients"].to_dict() == SPLITS


def test_no_patient_is_named_in_the_page_but_under_an_activation_map(made):
    plain = re.sub(r'src="data:[^"]+"', "", made.text)
    assert re.findall(r"\b[PQ]\d{3}\b|\bQ\d\b", plain) == []
    for path in (made.folder / "tables").glob("*.csv"):
        assert not re.search(r"\bP\d{3}\b|\bQ\d\b", path.read_text("utf-8")), path
    assert "/home/" not in made.text, "a path may name a person"


def test_explanation_and_ablation_of_the_run_are_shown(made):
    for text in ("0.31 (0.25 to 0.37)", "portal venous", "0.005", "no rotation", "0.650"):
        assert text in made.text, text
    assert (made.folder / "tables" / "regions.csv").is_file()


def test_an_explanation_of_several_views_has_tables_and_pictures_of_each(tmp_path):
    for view in ("liver", "tumor"):
        write_explanation(tmp_path / view)
        (tmp_path / view / "explanation").rename(tmp_path / f"{view}_explanation")
    folder = tmp_path / "explanation"
    folder.mkdir()
    for view in ("liver", "tumor"):
        (tmp_path / f"{view}_explanation").rename(folder / view)
    tables = explanation_tables(folder)
    assert sorted(tables) == ["regions_liver", "regions_tumor", "sanity_liver", "sanity_tumor"]
    assert tables["regions_liver"].caption.startswith("View liver. ")
    assert all(name == table.name for name, table in tables.items())
    assert set(in_section("explanation", tables)) == set(tables)
    assert len(explanation_blocks(folder)) == 2
    assert "not explained" in explanation_blocks(tmp_path / "none")[0].text


def test_maps_are_shown_beside_those_of_a_network_that_learned_nothing(made):
    sanity = pd.read_csv(made.folder / "tables" / "sanity.csv", dtype=str)
    assert len(sanity) == 1, "only with all weights random"
    assert sanity["Difference (95% CI)"].item() == "-0.35 (-0.41 to -0.29)"
    assert sanity["Random weights"].item() == "0.81"
    assert "-0.35 (-0.41 to -0.29)" in made.text


def test_a_figure_that_fails_leaves_its_reason_and_all_others(made, tmp_path, monkeypatch, caplog):
    def broken(predictions: pd.DataFrame) -> Figure:
        raise ZeroDivisionError("no patient left")

    few = {"cohort_flow": FIGURES["cohort_flow"], "broken": broken}
    monkeypatch.setattr(report_processes, "FIGURES", few)
    monkeypatch.setattr(report_processes, "TABLES", {})
    settings = {**SETTINGS, "bootstraps": 0}
    report = write_report(read_runs([made.run]), tmp_path / "report", workers=1, **settings)
    assert report.failed == {"broken": "ZeroDivisionError: no patient left"}
    text = report.page.read_text(encoding="utf-8")
    assert "Broken: not drawn, because ZeroDivisionError: no patient left" in text
    assert "broken: ZeroDivisionError: no patient left" in caplog.text
    assert (tmp_path / "report" / "figures" / "cohort_flow.svg").is_file()
    assert not (tmp_path / "report" / "figures" / "broken.svg").exists()


def test_a_report_that_is_stopped_leaves_the_earlier_one(made, tmp_path, monkeypatch):
    monkeypatch.setattr(report_processes, "FIGURES", {})
    monkeypatch.setattr(report_processes, "TABLES", {})
    settings = {**SETTINGS, "bootstraps": 0}
    study = read_runs([made.run])
    first = write_report(study, tmp_path / "report", workers=1, **settings)
    before = first.page.read_text(encoding="utf-8")

    def stop(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mtl_hcc.reporting.report_folder.render_page", stop)
    with pytest.raises(KeyboardInterrupt):
        write_report(study, tmp_path / "report", workers=1, **settings)
    assert first.page.read_text(encoding="utf-8") == before
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_a_folder_of_other_files_is_not_replaced(made, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="the folder holds other files"):
        write_report(read_runs([made.run]), tmp_path, workers=1, **SETTINGS)
    assert (tmp_path / "thesis.txt").is_file()


def test_several_runs_are_compared_as_models_with_the_baselines_once(tmp_path):
    runs = [write_run(tmp_path / name, seed=seed) for seed, name in enumerate(("one", "two"))]
    study = read_runs(runs)
    assert study.networks == ("one", "two")
    assert list(study.predictions["model"].unique()) == ["one", "two", "AFP", "oracle"]
    assert study.name == "one and two"


def test_a_cell_of_the_page_has_three_digits():
    values = [0.71234, 12.0, 1234.5, 0.00012, None, pd.NA, float("nan"), "a", 3]
    assert [cell(value) for value in values] == [
        *("0.712", "12", "1234", "0.00012", "-", "-", "-", "a", "3"),
    ]
