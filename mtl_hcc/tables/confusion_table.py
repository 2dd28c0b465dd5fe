"""Who is called what: labels in rows, decisions in columns, by model, split and task."""

import pandas as pd

from mtl_hcc.metrics.classification.confusion_counts import class_names, confusion_counts
from mtl_hcc.metrics.predictions import check_predictions

CAPTION = (
    "Confusion matrices: rows are the classes found, columns the classes predicted. Two classes "
    "are cut at the threshold given, of more classes the most probable one is taken. With several "
    "folds a patient counts once per fold."
)


def confusion_matrix(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the confusion matrices of all classification tasks.

    Args:
        predictions: Table of predictions; a column ``threshold`` is the cut-off of two classes
            (as from ``with_threshold``), without it 0.5 is.

    Returns:
        One row per model, split, task and class found: ``Found``, a column ``Predicted <class>``
        per class, ``Total``, ``Recall`` (the share predicted rightly, as text; ``recall`` as a
        number) and ``Decision``. Empty without a classification task.
    """
    counts = confusion_counts(check_predictions(predictions))
    records: list[dict[str, object]] = []
    for (model, split, task), cells in counts.groupby(["model", "split", "task"], sort=False):
        numbers = cells.pivot_table(index="label", columns="predicted", values="n").to_numpy(int)
        names = class_names(str(task), len(numbers))
        for k, (name, row) in enumerate(zip(names, numbers, strict=True)):
            record: dict[str, object] = {"Model": model, "Split": split, "Task": task}
            record["Found"] = name
            record |= {f"Predicted {other}": int(n) for other, n in zip(names, row, strict=True)}
            recall = row[k] / row.sum() if row.sum() else float("nan")
            record |= {"Total": int(row.sum()), "recall": recall}
            record["Recall"] = f"{recall:.0%}" if row.sum() else ""
            records.append({**record, "Decision": cells["decision"].iloc[0]})
    table = pd.DataFrame(records)
    predicted = [name for name in table if str(name).startswith("Predicted ")]
    last = ["Total", "Recall", "Decision", "recall"]
    first = ["Model", "Split", "Task", "Found"]
    table = table.reindex(columns=[*first, *predicted, *last])
    table = table.astype(dict.fromkeys(predicted, "Int64"))  # empty where a task has fewer classes
    table.attrs["caption"] = CAPTION
    return table
