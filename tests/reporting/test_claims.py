"""What a report says about the fitting of models that it did not fit: that it is not known."""

import re

import pandas as pd
import pytest
from made_runs import write_run
from page_reader import Page

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.key_results import key_results
from mtl_hcc.reporting.given_predictions import read_files
from mtl_hcc.reporting.report_folder import write_report

SETTINGS = {"bootstraps": 0, "seed": 7, "threshold": 0.5}
CLAIMS = [
    *("models were fitted on train", "models are fitted on", "never saw", "was not trained on"),
    *("same training patients", "No model was updated", "trained without the patient"),
    *("tested on patients it never", "learned by heart", "each tested on other patients"),
]
"""What only the one who fitted the models can know."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Predictions of somebody's two models, in folds, with a clinical table."""
    made = write_run(tmp_path_factory.mktemp("others") / "made")
    for name in ("predictions", "baselines"):
        table = pd.read_csv(made / f"{name}.csv")
        folds = table["patient_id"].str[1:].astype(int) % 2
        table.assign(fold=folds).to_csv(made / f"{name}.csv", index=False)
    return made


@pytest.mark.slow
def test_nothing_is_claimed_about_the_fitting_of_others_models(folder, tmp_path):
    files = [folder / "predictions.csv", folder / "baselines.csv"]
    study = read_files(files, folder / "patients.csv")
    report = write_report(study, tmp_path / "out", workers=1, **SETTINGS)
    text = report.page.read_text(encoding="utf-8")
    page = Page(text)
    everywhere = " ".join([re.sub(r"\s+", " ", text), *page.alternatives])
    assert [claim for claim in CLAIMS if claim in everywhere] == []
    for said in (
        "what the models were fitted on is not known",
        "Where the models were fitted is not known: only their predictions were given.",
        "it is not known whether the model was trained on",
        "whether the model was fitted on them is not known",
        "whether each model was fitted without its test rows is not known",
        "Whether each was fitted without the patients of its test rows is not known",
    ):
        assert said in everywhere, said
    items = pd.read_csv(tmp_path / "out" / "tables" / "tripod_ai.csv").set_index("Item")
    assert items.loc[["12f", "24", "12a"], "Answered by"].tolist() == ["authors"] * 3


def test_of_a_run_it_is_known_and_said(made):
    assert "All models were fitted on train." in made.text
    assert "beside simpler models fitted on the same training patients" in made.text
    assert "is not known: only their predictions" not in made.text


def test_a_figure_alone_claims_nothing(made):
    metrics = pd.read_csv(made.folder / "metrics.csv")
    assert "Where the models were fitted is not known" in caption_of(key_results(metrics))
