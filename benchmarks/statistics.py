"""Question: how long do the statistics take, for one cohort, for large ones, beside TorchSurv?

Three parts, each also alone:

- ``ratio``: 1,000 resamples of the C-index of 388 patients against TorchSurv's own bootstrap
  interval (999 resamples), side by side. About a minute.
- ``evaluate``: everything that ``python -m mtl_hcc.evaluate`` does for 388 patients, 4 models,
  3 tasks, 3 splits and 6 centers with 1,000 resamples. Half a minute.
- ``scaling``: single metrics for 1,000, 10,000 and 100,000 patients, with the largest memory. Some
  minutes.

Command: ``python benchmarks/statistics.py [--parts ratio evaluate scaling]``. Result:
``benchmarks/results/statistics.md``; a part that is not asked for keeps its section there.
"""

if __name__ == "__main__":
    from statistics_parts import main

    main()
else:
    # A script's folder comes before the standard library on the path, so that every "import
    # statistics" of the benchmarks and of their libraries ends here: hand over what they mean.
    import sys
    import sysconfig
    from importlib.util import module_from_spec, spec_from_file_location
    from pathlib import Path

    path = Path(sysconfig.get_path("stdlib")) / "statistics.py"
    spec = spec_from_file_location("statistics", path)
    assert spec is not None
    assert spec.loader is not None
    sys.modules[__name__] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules[__name__])
