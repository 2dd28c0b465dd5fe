"""From images on disk to the prepared store: geometry, resampling, margin zone, intensity.

Only ``store``, ``preparation`` and ``grid`` are free of SimpleITK, so training imports no more.
"""
