"""How covariates become the terms of a regression, and which terms have no estimate."""

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import NotComputableError


def regression_terms(cells: pd.DataFrame) -> pd.DataFrame:
    """Return a column per term: numbers as they are, levels of texts as 0 and 1.

    A column of text or categories becomes one term per level, named ``<column> <level>``, against
    the first level (in the order of the categories, else of the alphabet).

    Args:
        cells: (patient, covariate) without empty cells.

    Raises:
        NotComputableError: A text has one level only.
    """
    parts = []
    for column in cells:
        values = cells[column]
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
            parts.append(values.astype(float).to_frame())
            continue
        levels = values.astype("category").cat.remove_unused_categories().cat.categories
        if len(levels) == 1:
            raise NotComputableError(f"{column} has one value only")
        named = {f"{column} {level}": (values == level).astype(float) for level in levels[1:]}
        parts.append(pd.DataFrame(named, index=cells.index))
    return pd.concat(parts, axis=1) if parts else pd.DataFrame(index=cells.index)


def refuse_terms(terms: pd.DataFrame) -> None:
    """Refuse terms that do not vary or repeat others, naming the first.

    Args:
        terms: As from :func:`regression_terms`.

    Raises:
        NotComputableError: With the reason.
    """
    if terms.empty:
        raise NotComputableError(
            "no covariate" if len(terms) else "no patient without an empty cell"
        )
    for column in terms:
        if terms[column].nunique() < 2:
            raise NotComputableError(f"{column} has one value only")
    scaled = ((terms - terms.mean()) / terms.std(ddof=0)).to_numpy()
    for number, column in enumerate(terms, start=1):
        rank = np.linalg.matrix_rank(scaled[:, :number], tol=1e-6 * np.sqrt(len(scaled)))
        if rank < number:
            raise NotComputableError(f"{column} is a combination of the other terms (collinear)")
