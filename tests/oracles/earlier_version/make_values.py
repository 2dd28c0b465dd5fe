"""What commit e5baf8b gives for the two designs under its own settings.

Made by that commit, from the root of a checkout that holds this file, in the environment of
``constraints.txt``, with one thread on an AMD EPYC with AVX-512::

    git worktree add --detach /tmp/old e5baf8b
    OMP_NUM_THREADS=1 PYTHONPATH=/tmp/old:tests \
        python tests/oracles/earlier_version/make_values.py tests/oracles/earlier_version

The YAML files are in today's layout; those that e5baf8b reads are in the history of this folder
(commit 4cc7421). The phantom of that commit is version 3, which ``cases: plain`` gives to the bit.

It runs ``mtl_hcc.fit`` on ``ct_mtl.yaml`` (the phantom, made and prepared anew) and on
``clinical_mtl.yaml`` (``clinical.csv``) and writes, with nine digits:

- ``<design>_predictions.csv``: of the best epoch, for each patient, task and fold;
- ``<design>_losses.csv``: losses of train and validation and weights of the tasks, by epoch;
- ``ct_mtl_prepared.csv``: measurements of each prepared image.

``tests/test_earlier_version.py`` says how closely another processor agrees.
"""

import sys
import tempfile
from pathlib import Path

import pandas as pd

import mtl_hcc
from mtl_hcc.cohorts.phantom.settings import PhantomSettings

try:
    from mtl_hcc.cohorts.phantom.phantom_cohort import draw_tables
except ModuleNotFoundError:  # its name in the earlier version
    from mtl_hcc.cohorts.phantom.write import draw_tables

PATIENTS = {"I": 20, "II": 5, "III": 5, "VI": 8}
EMPTIED = ("age_years", "sex", "tumor_diameter_mm", "afp_ng_ml", "child_pugh", "bclc_stage", "mvi")


def clinical_table() -> pd.DataFrame:
    """Return the phantom's table without its split; every ninth cell of a column is emptied."""
    table, _ = draw_tables(PhantomSettings(patients=PATIENTS))
    table = table.drop(columns=["split", "mvi_grade"]).astype({"mvi": "Int64"})
    for number, column in enumerate(EMPTIED):
        table[column] = table[column].astype(object)
        table.loc[number::9, column] = None
    return table


def main(folder: Path) -> None:
    """Write the tables into a folder."""
    from earlier_version import losses, predictions, prepared, run_design

    print(f"Package: {mtl_hcc.__file__}")
    clinical_table().to_csv(folder / "clinical.csv", index=False)
    for design in ("ct_mtl", "clinical_mtl"):
        with tempfile.TemporaryDirectory() as temporary:
            done = run_design(design, Path(temporary))
            tables = {"predictions": predictions(done), "losses": losses(done)}
            if design == "ct_mtl":
                tables["prepared"] = prepared(done)
        for kind, table in tables.items():
            table.to_csv(folder / f"{design}_{kind}.csv", index=False, float_format="%.9g")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
