"""Ships a finished phantom run as ``checkpoints/<name>``: weights, config, metrics, card.

Command: ``python checkpoints/make.py runs/ct_mtl checkpoints/ct_mtl_phantom``
"""

import shutil
import sys
from pathlib import Path

import pandas as pd

from mtl_hcc.metrics.results_table import results_markdown

LIMIT_MB = 5
WITNESSES = ["I-001", "I-002", "II-001", "VI-001", "VI-002"]
"""Phantom patients whose predictions are shipped, for the test that recomputes them."""

CARD = """# {name}

A small multi-task network (MVI, OS, RFS from triphasic CT), trained by
`python -m mtl_hcc.fit --config configs/ct_mtl.yaml` on the **phantom** cohort: simulated patients.
It shows that loading and predicting work, and is a start for code, not for care.

- **Do not use it for patients.** It has never seen one.
- Input: arterial, portal venous and delayed CT in HU, liver and tumor drawn, prepared as
  `config.yaml`
  says.
- Output: log hazards of OS and RFS, survival at 1, 2, 3 and 5 years, probability of MVI.
- Files: `model.safetensors` (weights, batch-norm statistics and the training split's baseline
  hazards; no pickled code), `config.yaml`, `training_ranges.json` (what the training patients
  measured, which `predict` compares others with), `metrics.csv`, `expected_predictions.csv` (five
  phantom patients, recomputed by the tests).

```bash
python -m mtl_hcc.predict --checkpoint {folder} --output predictions.csv
```

## Results on the phantom

{table}"""


def main(run: Path, folder: Path) -> None:
    """Copy and describe.

    Args:
        run: A finished run folder.
        folder: The folder to ship.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("model.safetensors", "config.yaml", "training_ranges.json"):
        shutil.copyfile(run / "model" / name, folder / name)
    size = (folder / "model.safetensors").stat().st_size / 1e6
    if size > LIMIT_MB:
        raise SystemExit(f"{size:.1f} MB of weights; at most {LIMIT_MB} MB are shipped.")
    metrics = pd.read_csv(run / "metrics.csv")
    metrics.to_csv(folder / "metrics.csv", index=False)
    predictions = pd.read_csv(run / "predictions.csv", dtype={"patient_id": str})
    witnesses = predictions[predictions["patient_id"].isin(WITNESSES)]
    witnesses.to_csv(folder / "expected_predictions.csv", index=False)
    table = results_markdown(metrics)
    card = CARD.format(name=folder.name, folder=folder.as_posix(), table=table)
    (folder / "README.md").write_text(card)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
