"""`python -m mtl_hcc` lists the verbs."""

import sys

from mtl_hcc import __version__

VERBS = {
    "plan": "a cohort -> a config for it, with the measured reason of every choice",
    "prepare": "a cohort (NIfTI, DICOM, table or phantom) -> prepared store, quality, quarantine",
    "fit": "config + cohort -> trained network, predictions, metrics beside clinical baselines",
    "predict": "trained model + any cohort, with or without outcomes -> predictions.csv",
    "evaluate": "one or more predictions.csv -> metrics.csv with intervals, comparisons.csv",
    "agreement": "masks or ratings of several readers -> Dice, surface distances, ICC, kappa",
    "report": "one or more runs -> one page with all figures and tables, each also as a file",
    "explain": "trained model + cohort -> activation maps, overlays, shares by region, occlusion",
    "ablate": "config + study -> variants on the same folds, what each part is worth",
    "dashboard": "a W&B project -> its saved workspace and report page",
}


def main() -> int:
    """Print the verbs; a verb given here is pointed to its own command."""
    print(f"mtl_hcc {__version__}: MVI, OS and RFS of hepatocellular carcinoma from CT and MRI\n")
    for verb, what in VERBS.items():
        print(f"  python -m mtl_hcc.{verb:<9} {what}")
    print("\nBegin with: python -m mtl_hcc.fit --config configs/ct_mtl.yaml")
    print("Each verb explains itself with --help.")
    if len(sys.argv) > 1:
        print(f"\nThere is no 'mtl_hcc {sys.argv[1]}': write python -m mtl_hcc.<verb>.")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
