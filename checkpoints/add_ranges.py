"""Adds the ranges of the training patients to a model that was exported without them.

Command: ``python checkpoints/add_ranges.py checkpoints/ct_mtl_phantom --store prepared/ranges``

The cohort of the model's config is prepared again by its recipe, in a store of its own, and the
patients of its training split are measured. Weights and config stay as they are. Models trained
from now on carry their ranges.
"""

import argparse
from pathlib import Path

from mtl_hcc.data.training_ranges import RANGES, training_ranges, write_ranges
from mtl_hcc.runs.checkpoint import load_model
from mtl_hcc.runs.model_config import build_data


def main() -> None:
    """Prepare, measure, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("folder", type=Path, help="The exported model.")
    arguments.add_argument("--store", required=True, help="Folder for the prepared images.")
    arguments.add_argument("--cohort", help="Where the training cohort lies now.")
    given = arguments.parse_args()
    _, values = load_model(given.folder)
    cohort = given.cohort or values["data"].get("cohort")
    datamodule = build_data(values, store=given.store, cohort=cohort)
    datamodule.prepare_data()
    datamodule.setup("predict")
    trained = int((datamodule.splits == "train").sum())
    write_ranges(training_ranges(datamodule), given.folder)
    print(f"Ranges of {trained} training patients: {given.folder / RANGES}")


if __name__ == "__main__":
    main()
