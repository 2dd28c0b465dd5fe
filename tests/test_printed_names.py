"""Names of models, centers and files are printed as they are, brackets and colons included."""

import re
from pathlib import Path

import pandas as pd

import mtl_hcc
from mtl_hcc.metrics.results_table import comparisons_table, print_results

ESCAPES = {"quality_report.py"}
"""Files that use markup of their own and escape everything else."""


def test_every_console_takes_texts_as_they_are():
    """rich reads [..] as a style and :..: as a picture unless it is told not to."""
    for path in Path(mtl_hcc.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        made = re.findall(r"(?:\bConsole\(|partial\(Console)[^)]*\)", text)
        odd = [call for call in made if "markup=False" not in call or "emoji=False" not in call]
        assert not odd or path.name in ESCAPES, f"{path}: {odd}"


def test_a_comparison_of_models_with_brackets_is_printed_whole(capsys):
    row = {
        "split": "[red]", "task": "os", "metric": "concordance_harrell", "model_a": "[/] old",
        "model_b": "b :warning: [x]", "difference": 0.1, "p": 0.5, "p_holm": 0.5,
    }  # fmt: skip
    print_results(comparisons_table(pd.DataFrame([row])))
    printed = capsys.readouterr().out
    for part in ("[/] old minus ...", "[red]", ":warning:", "[x]", "+0.100 (0.500)"):
        assert part in printed
