"""A small cohort of images whose sizes and intensities are known."""

import numpy as np
import pandas as pd
import SimpleITK as sitk  # noqa: N813
from drawing import make_scan, to_image

from mtl_hcc.planning.measure_images import drawn_patients

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
