"""Who the patients are: readers of cohorts, and a phantom cohort whose truth is known."""

from mtl_hcc.cohorts.clinical_table import ClinicalTable
from mtl_hcc.cohorts.dicom import DicomTree
from mtl_hcc.cohorts.hcc_tace_seg import HccTaceSeg
from mtl_hcc.cohorts.nifti_folder import NiftiFolder
from mtl_hcc.cohorts.patient_table import check_patient_table, read_patient_table
from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.cohorts.tcga_lihc import TcgaLihc

__all__ = [
    "ClinicalTable",
    "CohortSource",
    "DicomTree",
    "HccTaceSeg",
    "NiftiFolder",
    "TcgaLihc",
    "check_patient_table",
    "read_patient_table",
]
