"""Tables of what each phase and region is worth, and of the attention that phases get."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mtl_hcc.explanation.activation_map import task_score
from mtl_hcc.explanation.occlusion import (
    VIEW_METHOD,
    phase_method,
    region_method,
    without_phase,
    without_view,
)
from mtl_hcc.explanation.record import OF_INSTANCES, Record, who
from mtl_hcc.metrics.bootstrap import (
    Statistic,
    percentile_interval,
    point_value,
    resample_counts,
    two_sided_p,
)
from mtl_hcc.metrics.classification.auc import auc_statistic
from mtl_hcc.metrics.classification.class_metrics import WHY_NOT
from mtl_hcc.metrics.survival.concordance import concordance_statistic, why_not_concordance
from mtl_hcc.nn import Bag
from mtl_hcc.training.module import MultiTaskModule


def occlusion_table(
    module: MultiTaskModule, view: str, records: Sequence[Record], phases: Sequence[str]
) -> pd.DataFrame:
    """Return ``occlusion.csv``: score with and without each region, each phase, and the view.

    The view is taken away where something else is left: another view, or covariates.

    Args:
        module: Trained, on the processor.
        view: Whose encoder is explained.
        records: Of all patients.
        phases: Names along the phase axis.
    """
    if not records:
        return pd.DataFrame()
    network = module.network
    encoder = network.encoder(view)
    bags, covariates = _stacked(records, list(network.encoders))
    rows = []
    how = region_method(encoder.stem)
    for record in records:
        for region, scores in record.occluded.items():
            rows += _changes(record, "region", region, scores, how)

    def without(part: str, name: str, outputs: dict[str, Tensor], how: str) -> None:
        scores_of = {task: task_score(head, outputs[task]) for task, head in module.heads.items()}
        for place, record in enumerate(records):
            if name in record.present if part == "phase" else record.present:
                scores = {task: float(values[place]) for task, values in scores_of.items()}
                rows.extend(_changes(record, part, name, scores, how))

    for number, phase in enumerate(phases):
        outputs = without_phase(network, view, bags, covariates, number)
        without("phase", phase, outputs, phase_method(encoder))
    if len(bags) > 1 or covariates is not None:
        without("view", view, without_view(network, view, bags, covariates), VIEW_METHOD)
    return pd.DataFrame(rows)


def pooled_occlusion(
    table: pd.DataFrame,
    records: Sequence[Record],
    module: MultiTaskModule,
    *,
    bootstraps: int,
    seed: int,
) -> pd.DataFrame:
    """Return ``occlusion_pooled.csv``: how much worse the patients are told apart.

    Metric: Harrell's C-index (survival) or AUC of any class above 0; the interval of the drop is a
    paired percentile bootstrap over patients.

    Args:
        table: From :func:`occlusion_table`.
        records: Of the same patients.
        module: Whose heads say which columns hold the outcome.
        bootstraps: Resamples.
        seed: Of the resamples.
    """
    outcomes = pd.DataFrame(
        [{"patient_id": record.patient_id, **record.outcomes} for record in records]
    )
    rows = []
    for (split, task, part, name), members in table.groupby(
        ["split", "task", "part", "name"], sort=False
    ):
        head = module.heads[str(task)]
        known = members.merge(outcomes, on="patient_id").dropna(subset=list(head.columns))
        row: dict[str, object] = {
            "split": split,
            "task": task,
            "part": part,
            "name": name,
            "n": len(known),
            "mean_change": members["change"].mean(),
            "mean_absolute_change": members["change"].abs().mean(),
        }
        rows.append(row | _drop(known, head.columns, head.kind, bootstraps, seed))
    columns = [
        *("split", "task", "part", "name", "metric", "n", "events", "value", "value_without"),
        *("drop", "ci_low", "ci_high", "p", "mean_change", "mean_absolute_change", "method"),
    ]
    return pd.DataFrame(rows, columns=columns)


def _drop(
    known: pd.DataFrame, columns: Sequence[str], kind: str, bootstraps: int, seed: int
) -> dict[str, object]:
    """Return metric, metric without the part, and their difference with its interval."""
    happened = known[columns[-1]] > 0

    def statistic(score: str) -> Statistic:
        if kind == "survival":
            return concordance_statistic(known[score], known[columns[0]], happened)
        return auc_statistic(happened, known[score])

    row: dict[str, object] = {
        "metric": "concordance_harrell" if kind == "survival" else "auc",
        "events": int(happened.sum()),
    }
    before, after = statistic("score"), statistic("score_without")
    value = point_value(before, len(known)) if len(known) else np.nan
    if np.isnan(value):
        reason = why_not_concordance(happened) if kind == "survival" else WHY_NOT["auc"]
        return row | {"method": reason}
    counts = resample_counts(known["patient_id"], bootstraps=bootstraps, seed=seed)
    drops = before(counts) - after(counts)
    low, high = percentile_interval(drops)
    without = point_value(after, len(known))
    how = str(known["method"].iloc[0])
    return row | {
        "value": value,
        "value_without": without,
        "drop": value - without,
        "ci_low": low,
        "ci_high": high,
        "p": two_sided_p(drops),
        "method": f"paired_bootstrap; {how}",
    }


def attention_table(
    module: MultiTaskModule, view: str, records: Sequence[Record], phases: Sequence[str]
) -> pd.DataFrame | None:
    """Return ``attention.csv``, the weight of each instance; ``None`` if there are no weights."""
    if not records:
        return None
    bags, _ = _stacked(records, [view])
    bag = bags[view]
    with torch.no_grad():
        weights = module.network.encoder(view).attention(bag)
    if weights is None:
        return None
    rows = [
        who(record)
        | {
            "phase": phases[int(bag.phase[place, number])],
            "place_mm": float(bag.place_mm[place, number]),
            "attention": float(weights[place, number]),
        }
        for place, record in enumerate(records)
        for number in bag.present[place].nonzero()[:, 0].tolist()
    ]
    return pd.DataFrame(rows)


def _stacked(
    records: Sequence[Record], views: Sequence[str]
) -> tuple[dict[str, Bag], Tensor | None]:
    """Return the instances of all patients by view, shorter bags padded, and the covariates."""

    def padded(name: str) -> Tensor:
        arrays = [torch.from_numpy(record.arrays[name]) for record in records]
        return torch.nn.utils.rnn.pad_sequence(arrays, batch_first=True)

    bags = {
        view: Bag(
            **{name: padded(f"{view}.{name}") for name in OF_INSTANCES},
            phases=int(records[0].arrays[f"{view}.phases"]),
        )
        for view in views
    }
    return bags, padded("covariates") if "covariates" in records[0].arrays else None


def _changes(
    record: Record, part: str, name: str, scores: dict[str, float], method: str
) -> list[dict[str, object]]:
    return [
        who(record)
        | {
            "task": task,
            "part": part,
            "name": name,
            "score": score,
            "score_without": scores[task],
            "change": scores[task] - score,
            "method": method,
        }
        for task, score in record.scores.items()
    ]
