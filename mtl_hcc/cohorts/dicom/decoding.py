"""Compressed pixels for which pydicom has no decoder here: GDCM, inside SimpleITK, reads most.

JPEG Lossless (of older Siemens and GE archives) and JPEG-LS need a package of their own in pydicom.
"""

import tempfile
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, get_frame
from pydicom.uid import UID, SecondaryCaptureImageStorage, generate_uid

DECODER_PACKAGES = {
    "1.2.840.10008.1.2.4.50": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.51": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.57": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.70": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.80": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.81": "pylibjpeg pylibjpeg-libjpeg",
    "1.2.840.10008.1.2.4.90": "pylibjpeg pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.4.91": "pylibjpeg pylibjpeg-openjpeg",
    "1.2.840.10008.1.2.5": "pylibjpeg pylibjpeg-rle",
}
"""What to install for a transfer syntax that cannot be decoded."""
_PIXEL_TAGS = (
    "BitsAllocated",
    "BitsStored",
    "Columns",
    "HighBit",
    "PixelRepresentation",
    "Rows",
    "SamplesPerPixel",
)


def lacks_decoder(data: pydicom.Dataset) -> bool:
    """Tell whether the pixels are compressed in a way that pydicom cannot undo here."""
    from pydicom.pixels.decoders.base import get_decoder

    syntax = data.file_meta.get("TransferSyntaxUID") if hasattr(data, "file_meta") else None
    if syntax is None:
        return False
    syntax = UID(syntax)
    if not syntax.is_transfer_syntax or syntax.is_private:
        return True
    if not syntax.is_compressed:
        return False
    try:
        return not get_decoder(syntax).is_available
    except NotImplementedError:
        return True


def decode_with_gdcm(data: pydicom.Dataset, frame: int) -> np.ndarray | None:
    """Decode one frame through SimpleITK.

    The frame goes through a file of its own that holds nothing but pixels: SimpleITK would apply
    rescale values itself, and reads all frames of a file at once.

    Args:
        data: A data set with encapsulated pixels.
        frame: Number of the frame, from 0.

    Returns:
        Stored values (height, width), before rescaling; ``None`` if SimpleITK cannot read them
        either.
    """
    import SimpleITK as sitk  # noqa: N813  # only conversion needs it

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = UID(generate_uid())
    meta.TransferSyntaxUID = data.file_meta.TransferSyntaxUID
    alone = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    alone.SOPClassUID = SecondaryCaptureImageStorage
    alone.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    alone.Modality, alone.PhotometricInterpretation = "OT", "MONOCHROME2"
    for name in _PIXEL_TAGS:
        if name in data:
            setattr(alone, name, data[name].value)
    try:
        frames = int(data.get("NumberOfFrames") or 1)
        alone.PixelData = encapsulate([get_frame(data.PixelData, frame, number_of_frames=frames)])
        alone["PixelData"].VR = "OB"
        alone["PixelData"].is_undefined_length = True
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "frame.dcm"
            alone.save_as(path, enforce_file_format=True)
            reader = sitk.ImageFileReader()
            reader.SetImageIO("GDCMImageIO")
            reader.SetFileName(str(path))
            plane = np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except (RuntimeError, ValueError, AttributeError, IndexError):
        return None
    return plane[0] if plane.ndim == 3 else plane
