"""DICOM intake: a tree of files becomes series, volumes, phases, and the contract's NIfTI files.

Nothing heavy is imported here; ``mtl_hcc.cohorts.dicom.write`` makes DICOM trees for tests.
"""

from mtl_hcc.cohorts.dicom.tree import DicomTree

__all__ = ["DicomTree"]
