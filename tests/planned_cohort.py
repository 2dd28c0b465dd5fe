"""Small cohorts to plan for: images and tables whose sizes, intensities and events are known."""

import numpy as np
import pandas as pd
import SimpleITK as sitk  # noqa: N813
from drawing import make_scan, to_image

from mtl_hcc.patient import Cohort
from mtl_hcc.planning.cohort_plan import PlanSettings, plan_cohort
from mtl_hcc.planning.measure_images import drawn_patients
from mtl_hcc.planning.measured import Machine, MeasuredImages

SPLITS = {"train": 22, "validation": 6, "external": 4}
MEASURED = 6
UNREADABLE = drawn_patients([f"P{number:03d}" for number in range(22)], MEASURED, seed=0)[1]
WITHOUT_ARTERIAL = "P031"


def write_cohort(root):
    """Write a folder of 32 patients: a tumor of 30 mm; few have a delayed phase.

    One of the six training patients who are drawn to be measured has a file of nothing; those
    outside of train are brighter by 1000 HU, which must show nowhere.
    """
    split = [name for name, count in SPLITS.items() for _ in range(count)]
    names = [f"P{number:03d}" for number in range(len(split))]
    number = np.arange(len(split))
    pd.DataFrame(
        {
            "patient_id": names,
            "center": "A",
            "split": split,
            "os_days": 100 + number,
            "os_event": number % 2,
            "mvi": number // 2 % 2,
            "mvi_grade": number // 2 % 2,
            "rfs_days": 50 + number,
            "rfs_event": (number % 8 == 0).astype(int),
            "afp_ng_ml": 2.0 ** (number % 9),
            "bclc_stage": ["A", "B"] * (len(split) // 2),
        }
    ).to_csv(_made(root) / "patients.csv", index=False)
    for place, name in enumerate(names):
        folder = _made(root / "images" / name)
        for seed, phase in enumerate(("arterial", "portal_venous", "delayed")):
            if (phase == "delayed" and place % 4) or (phase, name) == (
                "arterial",
                WITHOUT_ARTERIAL,
            ):
                continue
            hu, labels = make_scan(seed=3 * place + seed)
            hu = hu + (0 if split[place] == "train" else 1000)
            sitk.WriteImage(to_image(hu, (1.5, 1.5, 3.0)), str(folder / f"{phase}.nii.gz"))
        sitk.WriteImage(to_image(labels, (1.5, 1.5, 3.0)), str(folder / "regions.nii.gz"))
    (root / "images" / UNREADABLE / "arterial.nii.gz").write_bytes(b"nothing")


def _made(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def images(tumor=50.0, *, largest=None, lesions=1.0, liver=200.0, spacing=(0.8, 2.5), **changes):
    """Return measurements of twenty patients, all alike."""
    given = {
        "is_ct": True,
        "spacing": {"portal_venous": np.tile(spacing, (20, 1))},
        "tumor_mm": np.full((20, 3), tumor),
        "largest_mm": np.full((20, 3), tumor if largest is None else largest),
        "diameter_mm": np.full(20, tumor),
        "lesions": np.full(20, lesions),
        "apart_mm": np.full(20, tumor if lesions > 1 else 0.0),
        "liver_mm": np.full((20, 3), liver),
        "foreground": (-41.0, 181.0),
        "tumor": (-12.0, 203.5),
    }
    return MeasuredImages(**(given | changes))


def table_of(patients=120, *, split=None, every=2, center="A"):
    """Return a table in which every so many patients die, in turn."""
    names = pd.Index([f"P{number:03d}" for number in range(patients)], name="patient_id")
    event = [float(number % every == 0) for number in range(patients)]
    table = pd.DataFrame(
        {
            "center": center,
            "os_days": range(1, patients + 1),
            "os_event": event,
            "age_years": [40.5 + number % 37 for number in range(patients)],
        },
        index=names,
    )
    return table if split is None else table.assign(split=split)


def plan_of(table, **settings):
    """Return the plan of a table without images."""
    return plan_cohort(Cohort("table", table), Machine(2), PlanSettings(**settings))
