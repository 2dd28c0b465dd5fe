"""What a run folder holds, by name, and how it becomes a study."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_hcc.errors import ConfigError, RunError
from mtl_hcc.estimators.fitted_rows import fitted_models
from mtl_hcc.metrics.prediction_columns import TRUTHS
from mtl_hcc.metrics.prediction_remarks import prediction_remarks
from mtl_hcc.metrics.predictions import read_predictions
from mtl_hcc.patient import EVERYBODY
from mtl_hcc.reporting.facts import is_phantom, setting
from mtl_hcc.reporting.reported_study import ReportedStudy, own_model
from mtl_hcc.spreadsheet_cells import restored
from mtl_hcc.tables.cohort_flow_table import KEPT

CONFIG = "config.yaml"
PREDICTIONS = "predictions.csv"
BASELINES = "baselines.csv"
HISTORY = "history.csv"
PATIENTS = "patients.csv"
QUARANTINE = "quarantine.csv"
ABLATION = "ablation.csv"
TEXT_COLUMNS = dict.fromkeys(("patient_id", "center", "split", "step", "reason"), str)


def read_runs(runs: Sequence[Path], *, names: Sequence[str] | None = None) -> ReportedStudy:
    """Read one run, or several that are compared as models.

    Args:
        runs: Run folders; the first is the one that the report is about. Clinical baselines of a
            later run that the first has as well are left out.
        names: Name of each run; default: of its folder.

    Raises:
        RunError: A folder is not a finished run, with the remedy.
    """
    title = " and ".join(run.resolve().name for run in runs)
    ablation = runs[0] / ABLATION
    runs = [full_design(run) for run in runs]
    alone = [own_model(read_config(runs[0] / CONFIG)[0])] if len(runs) == 1 else None
    names = matched(names, len(runs)) or alone or unique_names(runs)
    parts: list[pd.DataFrame] = []
    seen: set[str] = set(names)
    for run, name in zip(runs, names, strict=True):
        check_finished(run)
        parts.append(read_predictions(run / PREDICTIONS, model=name))
        if (run / BASELINES).is_file():
            beside = read_predictions(run / BASELINES)
            parts.append(beside[~beside["model"].isin(seen)])
            seen |= set(beside["model"])
    _same_phantom(runs)
    # The networks first: they are the models that the report is about.
    everything = pd.concat(parts, ignore_index=True)
    of_network = everything["model"].isin(names)
    predictions = pd.concat([everything[of_network], everything[~of_network]], ignore_index=True)
    ours = [name for name in predictions["model"].unique() if name not in TRUTHS]
    config, versions = read_config(runs[0] / CONFIG)
    tables, missing = cohort_tables(runs[0], config)
    history = read_history(runs[0])
    if history is None:
        missing["history"] = f"There is no {HISTORY} in the run: copy the whole folder."
    else:
        tables["history"] = history
    if ablation.is_file():
        tables["ablation"] = read_csv(ablation)
    return ReportedStudy(
        name=title,
        tables={"predictions": predictions, "models": fitted_models(ours), **tables},
        missing=missing,
        config=config,
        versions=versions,
        runs=tuple(runs),
        networks=tuple(names),
        remarks=remarks_of(predictions, tables.get("quarantine")),
    )


def remarks_of(predictions: pd.DataFrame, quarantine: pd.DataFrame | None) -> tuple[str, ...]:
    """Return what looks odd in the predictions, and what was said when the cohort was read."""
    said = [remark.text for remark in prediction_remarks(predictions)]
    if quarantine is not None:
        of_table = quarantine.loc[quarantine["patient_id"] == EVERYBODY, "reason"]
        said += [str(reason).removeprefix(KEPT) for reason in of_table]
    return tuple(said)


def member_folders(run: Path) -> list[Path]:
    """Return the folders of a run's networks: of its folds, its seeds, or the seeds of each fold.

    Args:
        run: The run folder, or that of a fold of several seeds; of one network there are none.
    """
    numbers = {
        path: [int(number) for number in re.findall(r"\d+", str(path.relative_to(run)))]
        for pattern in ("fold_*", "seed_*", "fold_*/seed_*")
        for path in run.glob(pattern)
        if re.fullmatch(r"(fold|seed)_\d+", path.name) and path.is_dir()
    }
    inner = {path.parent for path in numbers}
    return sorted(numbers.keys() - inner, key=lambda path: numbers[path])


def run_of_member(folder: Path) -> Path | None:
    """Return the run folder that the folder of a fold or a seed belongs to, by their names.

    Args:
        folder: Of one of several networks; it need not be there yet.
    """
    if re.fullmatch(r"seed_\d+", folder.name):
        return run_of_member(folder.parent) or folder.parent
    return folder.parent if re.fullmatch(r"fold_\d+", folder.name) else None


def full_design(run: Path) -> Path:
    """Return the run itself; of an ablation study without one, the first run of its full design."""
    if (run / ABLATION).is_file() and not (run / PREDICTIONS).is_file():
        found = sorted(run.glob(f"ablation/full_seed*/{PREDICTIONS}"))
        return found[0].parent if found else run
    return run


def check_finished(run: Path) -> None:
    """Refuse what is not the folder of a finished run, each case with its remedy."""
    where = str(run)
    if not run.is_dir():
        raise RunError(
            "no such folder",
            where=where,
            expected="the run folder that fit wrote (setting run of its config)",
            remedy="For predictions without a run folder: --predictions FILE.csv.",
        )
    if (run / PREDICTIONS).is_file():
        return
    if any(any(one.glob("checkpoints/*.ckpt")) for one in (run, *member_folders(run))):
        raise RunError(
            f"no {PREDICTIONS} yet: the training has not ended",
            where=where,
            remedy=f"Wait for it, or go on with it: python -m mtl_hcc.fit --config "
            f"{run / CONFIG} --ckpt_path last.",
        )
    raise RunError(
        f"no {PREDICTIONS}",
        where=where,
        expected="the run folder that fit wrote",
        remedy="Name the folder that holds config.yaml and predictions.csv.",
    )


def _same_phantom(runs: Sequence[Path]) -> None:
    """Refuse runs on different versions of the phantom: their patients share names only."""
    versions: dict[str, str] = {}
    for run in runs:
        config = read_config(run / CONFIG)[0]
        phantom = setting(config, "data.phantom") if is_phantom(config) else None
        if phantom:
            versions[str(run)] = str(phantom.get("version", "3 or earlier"))
    if len(set(versions.values())) > 1:
        raise RunError(
            "runs on different versions of the phantom: "
            + ", ".join(f"{run} (version {version})" for run, version in versions.items()),
            where="--run",
            expected="runs on the same patients",
            remedy="Train the older run anew: results of one version are not compared with "
            "those of another.",
        )


def unique_names(runs: Sequence[Path]) -> list[str]:
    """Return a name for each run: its folder's, with the folder above where two are alike."""
    names = [run.resolve().name for run in runs]
    if len(set(names)) < len(names):
        names = [f"{run.resolve().parent.name}/{run.resolve().name}" for run in runs]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise RunError(f"the run {twice} twice", where="--run", remedy="Name each run folder once.")
    return names


def matched(names: Sequence[str] | None, number: int) -> Sequence[str] | None:
    """Return the names if there are as many as needed.

    Raises:
        ConfigError: More, fewer, or two that are alike.
    """
    if names is not None and (len(names) != number or len(set(names)) != number):
        raise ConfigError(
            f"{' '.join(names)}",
            where="--names",
            expected=f"{number} names that differ",
            remedy="Give one name per run or file, in their order.",
        )
    return names


def read_config(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Return a run's config and the versions in its head; empty when there is no file."""
    from mtl_hcc.command_line.plain_yaml import read_plain_yaml

    if not path.is_file():
        return {}, {}
    config = read_plain_yaml(path, error=RunError, remedy="Copy the run folder again.")
    text = path.read_text(encoding="utf-8")
    return config, dict(re.findall(r"^# (\S+) (\S+)$", text, flags=re.M))


def cohort_tables(
    run: Path, config: dict[str, Any]
) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Return the analyzed patients and the quarantine: from the run, else from its store.

    Args:
        run: The run folder.
        config: With ``data.store``.

    Returns:
        Name to table, and name to the reason why it is not there.
    """
    tables: dict[str, pd.DataFrame] = {}
    missing: dict[str, str] = {}
    store = (config.get("data") or {}).get("store")
    places = [run] if store is None else [run, Path(store)]
    for name, file in (("patients", PATIENTS), ("quarantine", QUARANTINE)):
        found = next((place / file for place in places if (place / file).is_file()), None)
        if found is None:
            nor = "" if store is None else f", nor in its store {Path(store).name}"
            missing[name] = (
                f"There is no {file} in the run folder{nor}. A run of fit writes it; for an older "
                f"run copy {file} from the prepared store (data.store) into the run folder."
            )
        else:
            tables[name] = read_csv(found)
            check_names(tables[name], found)
    return tables, missing


def check_names(table: pd.DataFrame, path: Path) -> None:
    """Refuse a table that does not say which patient a row is about."""
    if "patient_id" not in table:
        raise RunError(
            f"no column patient_id among {', '.join(map(str, table.columns[:8]))}",
            where=str(path),
            remedy="Rename the column that holds the patients' names.",
        )


def read_history(run: Path) -> pd.DataFrame | None:
    """Return the history of a run, its networks one after the other (with ``fold``, ``seed``)."""
    if (run / HISTORY).is_file():
        return read_csv(run / HISTORY)
    parts = []
    for folder in member_folders(run):
        if (folder / HISTORY).is_file():
            named = [part.split("_") for part in folder.relative_to(run).parts]
            numbers = {name: int(number) for name, number in named}
            parts.append(read_csv(folder / HISTORY).assign(**numbers))
    return pd.concat(parts, ignore_index=True) if parts else None


def read_csv(path: Path) -> pd.DataFrame:
    """Return a table of a run.

    Raises:
        RunError: The file is damaged.
    """
    try:
        table = pd.read_csv(
            path,
            dtype=TEXT_COLUMNS,
            keep_default_na=False,
            na_values=[""],
            float_precision="round_trip",
        )
        if not isinstance(table.index, pd.RangeIndex):  # pandas would shift every column by one
            raise ValueError("its rows have more cells than its header")
        return restored(table)
    except (ValueError, OSError) as error:
        raise RunError(
            f"cannot be read ({error})",
            where=str(path),
            expected="a CSV table with a header",
            remedy="Copy the file again, or take it away: the report says what is missing.",
        ) from error
