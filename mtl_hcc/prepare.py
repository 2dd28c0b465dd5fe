"""`python -m mtl_hcc.prepare`: a cohort becomes a prepared store; `fit` does it by itself, too."""

from collections.abc import Sequence
from pathlib import Path

from mtl_hcc.command_line.config import instantiate_data, parser_for, read_config
from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.command_line.output_place import check_output_folder

DESCRIPTION = """Prepare a cohort for training, with the settings under `data` of a config.

  python -m mtl_hcc.prepare --config configs/ct_mtl.yaml --data.cohort PATH
A DICOM tree:  add --data.source DicomTree
Only new or changed patients are prepared. Who is left out stands in quarantine.csv, with the
reason; volumes, spacing, liver overlap between phases and HU range stand in quality.csv."""


@report_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_for(arguments, DESCRIPTION, prog="python -m mtl_hcc.prepare")
    config = read_config(parser, arguments)
    check_output_folder(Path(config.data.store), "--data.store")
    instantiate_data(config).prepare_data()
    store = Path(config.data.store)
    for name in ("manifest.csv", "quality.csv", "quarantine.csv", "splits.csv"):
        if (store / name).exists():
            print(f"  {store / name}")
    named = f"--config {config.config[-1]} " if config.config else ""
    cohort = f"--data.cohort {config.data.cohort} " if config.data.cohort else ""
    print(f"Next: python -m mtl_hcc.fit {named}{cohort}--data.store {store}")


if __name__ == "__main__":
    raise SystemExit(main())
