"""Who the patients are: Table 1 by center (or split) and by MVI, made by the library tableone."""

import warnings

import numpy as np
import pandas as pd

from mtl_hcc.covariates.clinical_columns import (
    SURVIVAL,
    SortedColumns,
    clinical_columns,
    level_cells,
    levels,
    says_mvi,
)
from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.survival.product_limit import median_follow_up

MOST_GROUPS = 8
"""More groups than this do not fit side by side."""
NO_CLINICAL = "The cohort's table has no clinical column"
GROUP = "group"
UNKNOWN = "unknown"
"""The group of those whose center or split is not known: they count in Overall, too."""
OURS = ("Characteristic", "Level", "Missing", "Overall", "P-value", "Largest SMD")


def table_one_by_center(patients: pd.DataFrame) -> pd.DataFrame:
    """Return Table 1 by center; by split where there is one center, or where centers are too many.

    Args:
        patients: The cohort's table.

    Returns:
        ``Characteristic, Level, Missing, Overall``, a column per group, ``P-value`` and ``Largest
        SMD`` (the largest absolute standardized mean difference of any two groups).
    """
    centers = _groups(patients, "center")
    for column in ("center", "split"):
        number = _groups(patients, column)
        if 2 <= number <= MOST_GROUPS:
            said = f"by {column}"
            return _table_one(patients, patients[column].fillna(UNKNOWN).map(str), said)
    many = f"; {centers} centers are too many to stand side by side" if centers > 1 else ""
    return _table_one(patients, None, f"of all patients{many}")


def table_one_by_mvi(patients: pd.DataFrame) -> pd.DataFrame:
    """Return Table 1 by microvascular invasion, of the patients in whom it is known.

    Args: see :func:`table_one_by_center`.
    """
    if _count(patients, "mvi") < 2:
        return _empty("No Table 1 by MVI: it is not known of two groups of patients.")
    known = patients.loc[patients["mvi"].notna(), [not says_mvi(str(name)) for name in patients]]
    group = patients["mvi"].dropna().map({0: "MVI absent", 1: "MVI present"})
    unknown = len(patients) - len(known)
    left = f"; {unknown} patients without a known MVI are left out" if unknown else ""
    return _table_one(known, group, f"by microvascular invasion (MVI){left}", mvi_row=False)


def _table_one(
    patients: pd.DataFrame, group: "pd.Series[str] | None", said: str, *, mvi_row: bool = True
) -> pd.DataFrame:
    columns = clinical_columns(patients)
    if group is not None:  # a center may be called as a column of ours
        group = group.map({name: f"group {name}" for name in OURS}).fillna(group)
    groups = [] if group is None else sorted(group.dropna().unique())
    parts = [_sizes(group, len(patients))]
    if columns.all:
        parts.append(_summaries(patients, columns, group, groups))
    parts += _outcomes(patients, group, groups, mvi_row=mvi_row)
    head = ["Characteristic", "Level", "Missing", "Overall", *groups]
    table = pd.concat(parts, ignore_index=True)
    tests = [name for name in ("P-value", "Largest SMD") if name in table]
    table = table.reindex(columns=[*head, *tests]).fillna("")
    table.attrs["printed"] = list(table)  # groups are called as the user calls them
    table.attrs["caption"] = _caption(columns, said, tested=bool(tests))
    return table


def _caption(columns: SortedColumns, said: str, *, tested: bool) -> str:
    parts = [f"Table 1 {said}."]
    if not columns.all:
        parts.append(f"{NO_CLINICAL}.")
    else:
        parts.append(
            "Numbers: mean (SD), or median [quartiles] where skewed; categories: n (% of the known)"
            "; Missing: number of empty cells."
        )
    if tested:
        parts.append(
            "P-values: t test or analysis of variance, Kruskal-Wallis test where skewed, "
            "chi-squared or Fisher's exact test for categories (* an expected count is below 5), "
            "without correction for the number of tests. SMD: standardized mean difference (of "
            "means, also where skewed), the largest of any two groups."
        )
    parts.append("Follow-up: median by reverse Kaplan-Meier.")
    return " ".join([*parts, columns.said()]).strip()


def _summaries(
    patients: pd.DataFrame,
    columns: SortedColumns,
    group: "pd.Series[str] | None",
    groups: list[str],
) -> pd.DataFrame:
    """Return the rows that tableone makes, in our columns."""
    # A column may be called n or group, as a row and a column of tableone's are.
    code = {column: f"c{place}" for place, column in enumerate(columns.all)}
    column_of = {name: column for column, name in code.items()}
    data = patients[list(columns.all)].rename(columns=code)
    order: dict[str, list[str]] = {}
    for name in map(code.__getitem__, columns.categories):
        order[name] = levels(data[name])
        data[name] = level_cells(data[name])
    coded = {name: f"g{place}" for place, name in enumerate(groups)}
    if group is not None:  # a center may be called Test or Overall, as columns of tableone are
        data[GROUP] = group.map(coded)
    skewed = [code[column] for column in columns.skewed]
    made = _tableone(data, list(order), skewed, order, grouped=group is not None)
    made.columns = made.columns.get_level_values(-1)
    made.index.names = ["column", "Level"]
    table = made.reset_index().query("column != 'n'").copy()
    table["Missing"] = table["column"].map(data.isna().sum().astype(str))
    if group is not None:
        _add_tests(table)
    # A flag's row "no" follows from "yes"; what concerns the whole column stands in its first row.
    flags = [name for name, named in order.items() if named == ["no", "yes"]]
    table = table[~(table["column"].isin(flags) & (table["Level"] == "no"))]
    repeats = table["column"].duplicated()
    table["Characteristic"] = table["column"].map(column_of).map(readable_name)
    once = table.columns.intersection(["Characteristic", "Missing", "P-value", "Largest SMD"])
    table[once] = table[once].mask(repeats, "")
    kept = table[["Level", "Overall", *once, *coded.values()]]
    return kept.rename(columns={code: name for name, code in coded.items()})


def _add_tests(table: pd.DataFrame) -> None:
    """Add P-value and largest SMD, the same in all rows of a column."""
    pairs = [name for name in table if str(name).startswith("SMD (")]
    numbers = table[pairs].replace("<0.001", 0).apply(pd.to_numeric, errors="coerce").abs()
    largest = numbers.max(axis=1).groupby(table["column"]).transform("max")
    table["Largest SMD"] = largest.map(lambda smd: "" if np.isnan(smd) else f"{smd:.2f}")
    uncertain = table["Test"].astype(str).str.contains("expected count")
    table["P-value"] = table["P-Value"].astype(str).replace("nan", "")
    table["P-value"] += np.where(uncertain, "*", "")
    table["P-value"] = table["P-value"].groupby(table["column"]).transform("max")


def _tableone(
    data: pd.DataFrame,
    categories: list[str],
    skewed: list[str],
    order: dict[str, list[str]],
    *,
    grouped: bool,
) -> pd.DataFrame:
    """Call the library; its import alone costs a second."""
    from tableone import TableOne

    with warnings.catch_warnings():
        # tableone 0.9 divides by zero in the SMD of a level that a group lacks (shown as nan), and
        # sets texts into columns of numbers; neither changes what is shown.
        warnings.simplefilter("ignore")
        made = TableOne(
            data,
            columns=[name for name in data if name != GROUP],
            categorical=categories,
            nonnormal=skewed,
            groupby=GROUP if grouped else None,
            order=order,
            include_null=False,  # percentages of the known; empty cells have their own column
            pval=grouped,
            smd=grouped,
            htest_name=grouped,
            label_suffix=False,
        )
    table: pd.DataFrame = made.tableone.copy()
    return table


def _sizes(group: "pd.Series[str] | None", number: int) -> pd.DataFrame:
    """Return the row of the numbers of patients."""
    counted = {} if group is None else group.value_counts().astype(str).to_dict()
    return pd.DataFrame([{"Characteristic": "Patients", "Overall": str(number), **counted}])


def _outcomes(
    patients: pd.DataFrame,
    group: "pd.Series[str] | None",
    groups: list[str],
    *,
    mvi_row: bool,
) -> list[pd.DataFrame]:
    """Return rows of events and follow-up, without p: follow-up differs between groups."""
    members = {"Overall": patients, **{name: patients[group == name] for name in groups}}
    rows = []
    if mvi_row and _count(patients, "mvi"):
        cells = {name: _share(inside["mvi"]) for name, inside in members.items()}
        missing = str(int(patients["mvi"].isna().sum()))
        rows.append({"Characteristic": "MVI present", "Missing": missing, **cells})
    for endpoint, said in SURVIVAL:
        time, event = f"{endpoint}_days", f"{endpoint}_event"
        if time not in patients or event not in patients:
            continue
        labeled = patients[time].notna() & patients[event].notna()
        known = {name: inside[labeled.loc[inside.index]] for name, inside in members.items()}
        if known["Overall"].empty:
            continue
        missing = str(len(patients) - len(known["Overall"]))
        events = {name: _share(inside[event]) for name, inside in known.items()}
        follow_up = {
            name: _follow_up(inside[time], inside[event]) for name, inside in known.items()
        }
        rows += [
            {"Characteristic": f"{said} events", "Missing": missing, **events},
            {"Characteristic": f"{said} follow-up (days)", "Missing": missing, **follow_up},
        ]
    return [pd.DataFrame(rows)] if rows else []


def _share(cells: "pd.Series[float]") -> str:
    known = cells.dropna()
    return f"{int(known.sum())} ({100 * known.mean():.1f})" if len(known) else ""


def _follow_up(time: "pd.Series[float]", event: "pd.Series[float]") -> str:
    """Return the median follow-up by reverse Kaplan-Meier, empty without a patient."""
    if time.empty:
        return ""
    try:
        return f"{median_follow_up(time, event)[0]:.0f}"
    except NotComputableError:
        return "not reached"


def _count(patients: pd.DataFrame, column: str) -> int:
    return int(patients[column].nunique()) if column in patients else 0


def _groups(patients: pd.DataFrame, column: str) -> int:
    """Return the number of groups; those of whom it is not known are one."""
    return int(patients[column].fillna(UNKNOWN).nunique()) if column in patients else 0


def _empty(reason: str) -> pd.DataFrame:
    table = pd.DataFrame(columns=["Characteristic", "Level", "Missing", "Overall"])
    table.attrs["caption"] = reason
    return table
