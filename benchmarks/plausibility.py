"""Question: is a spoilt image or label map set aside, and is a correct one left in peace?

Phantom patients of six scanners, each as it is and spoilt as in the tests: drawings mirrored
or moved, labels and phases exchanged, values that are no HU.

Command: ``python benchmarks/plausibility.py`` (a few minutes).
"""

import os
import platform
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "imaging")]

import joblib  # noqa: E402
from spoiling import SPOILT, checked, images_and_maps  # noqa: E402

from mtl_hcc.cohorts.phantom.phantom_cohort import write_phantom  # noqa: E402
from mtl_hcc.cohorts.phantom.settings import PhantomSettings  # noqa: E402
from mtl_hcc.errors import ImageError  # noqa: E402

CENTERS = ("I", "II", "III", "IV", "V", "VI")
ENDS = ("set aside", "remarked", "nothing said")


def judge(folder: Path) -> dict[str, str]:
    """Return how each way of spoiling one patient ended."""
    patient = images_and_maps(folder)
    ways = {"nothing (as it is)": lambda same: same, **{k: way for k, (way, _) in SPOILT.items()}}
    ends = {}
    for name, spoil in ways.items():
        try:
            ends[name] = ENDS[1] if checked(spoil(patient))["implausible"] else ENDS[2]
        except ImageError:
            ends[name] = ENDS[0]
    return ends


def main(each: int) -> None:
    """Count over patients, and write the table.

    Args:
        each: Patients of each center.
    """
    with tempfile.TemporaryDirectory() as folder:
        cohort = Path(folder) / "cohort"
        settings = PhantomSettings(patients=dict.fromkeys(CENTERS, each), seed=7)
        write_phantom(cohort, settings, workers=-1, progress=False)
        folders = sorted((cohort / "images").iterdir())
        found = joblib.Parallel(n_jobs=-1)(joblib.delayed(judge)(folder) for folder in folders)
    lines = ["| spoilt | " + " | ".join(ENDS) + " |", "| --- |" + " ---: |" * len(ENDS)]
    for name in found[0]:
        counts = [sum(ends[name] == end for ends in found) for end in ENDS]
        lines.append(f"| {name} | " + " | ".join(map(str, counts)) + " |")
    text = [
        "# plausibility: what is said of spoilt images and drawings\n",
        f"Command: `python benchmarks/plausibility.py {each}`\n",
        f"{len(found)} phantom patients of {len(CENTERS)} scanners (seed 7), three phases.\n",
        *lines,
        "",
        f"Machine: {os.cpu_count()} processor cores, Python {platform.python_version()}, SimpleITK "
        f"{version('SimpleITK')}.\n",
    ]
    (ROOT / "benchmarks" / "results" / "plausibility.md").write_text("\n".join(text))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
