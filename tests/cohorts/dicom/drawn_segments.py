"""DICOM SEG objects with chosen labels, codes and descriptions."""

import highdicom as hd
import numpy as np

from mtl_hcc.cohorts.dicom.segmentation import open_segmentation

TISSUE = ("85756007", "SCT", "Tissue")
LIVER = ("10200004", "SCT", "Liver")
MASS = ("4147007", "SCT", "Mass")
HEPATIC_VEIN = ("8993003", "SCT", "Hepatic vein")
PORTAL_VEIN = ("32764006", "SCT", "Portal vein")


def describe(number, label, code=TISSUE, **arguments):
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=hd.sr.CodedConcept(*TISSUE),
        segmented_property_type=hd.sr.CodedConcept(*code),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        **arguments,
    )


def write_segmentation(path, slices, masks, labels, kind="BINARY", **arguments):
    """Write and open a SEG; a label may come with its code: ``("Leber", LIVER)``."""
    pairs = [(each, TISSUE) if isinstance(each, str) else each for each in labels]
    path.parent.mkdir(parents=True, exist_ok=True)
    hd.seg.Segmentation(
        source_images=slices,
        pixel_array=masks,
        segmentation_type=kind,
        segment_descriptions=[describe(k, *pair) for k, pair in enumerate(pairs, 1)],
        series_instance_uid=hd.UID(),
        series_number=300,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="test",
        manufacturer_model_name="test",
        software_versions="1",
        device_serial_number="1",
        **arguments,
    ).save_as(path)
    return open_segmentation(path, where="P1")


def boxes(*corners, shape=(6, 36, 40)):
    masks = np.zeros((*shape, len(corners)), dtype=np.uint8)
    for k, (z, y, x) in enumerate(corners):
        masks[slice(*z), slice(*y), slice(*x), k] = 1
    return masks
