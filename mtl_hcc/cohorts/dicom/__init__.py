"""A tree of DICOM files becomes series, volumes, phases, and the contract's NIfTI files.

Nothing heavy is imported here.
"""

from mtl_hcc.cohorts.dicom.tree import DicomTree

__all__ = ["DicomTree"]
