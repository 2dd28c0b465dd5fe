"""What an enhanced multi-frame image says of each frame, laid flat as the header of one slice.

Enhanced CT and MR keep position, orientation, spacing, rescale, times and contrast in sequences:
shared by all frames, or one item for each frame. Laid flat, a frame reads like a classic slice.
"""

from collections.abc import Iterable, Iterator

from pydicom.dataset import Dataset

FUNCTIONAL_GROUPS = [
    "ContrastBolusAgentSequence",
    "PerFrameFunctionalGroupsSequence",
    "SharedFunctionalGroupsSequence",
]
_GROUPS: dict[str, dict[str, str]] = {
    # functional group: what it holds, and the classic attribute of the same meaning
    "CTImageFrameTypeSequence": {"FrameType": "ImageType"},
    "CTReconstructionSequence": {"ConvolutionKernel": "ConvolutionKernel"},
    "CTAcquisitionDetailsSequence": {"GantryDetectorTilt": "GantryDetectorTilt"},
    "IrradiationEventIdentificationSequence": {"IrradiationEventUID": "IrradiationEventUID"},
    "MRImageFrameTypeSequence": {"FrameType": "ImageType"},
    "MREchoSequence": {"EffectiveEchoTime": "EchoTime"},
    "MRDiffusionSequence": {"DiffusionBValue": "DiffusionBValue"},
    "CardiacSynchronizationSequence": {"NominalCardiacTriggerDelayTime": "TriggerTime"},
    "TemporalPositionSequence": {"TemporalPositionTimeOffset": "TriggerTime"},
    "ContrastBolusUsageSequence": {
        "ContrastBolusAgentPhase": "ContrastBolusAgentPhase",
        "ContrastBolusAgentAdministered": "ContrastBolusAgent",
    },
    "PlanePositionSequence": {"ImagePositionPatient": "ImagePositionPatient"},
    "PlaneOrientationSequence": {"ImageOrientationPatient": "ImageOrientationPatient"},
    "PixelMeasuresSequence": {
        "PixelSpacing": "PixelSpacing",
        "SliceThickness": "SliceThickness",
    },
    "PixelValueTransformationSequence": {
        "RescaleSlope": "RescaleSlope",
        "RescaleIntercept": "RescaleIntercept",
    },
    "FrameContentSequence": {
        "FrameReferenceDateTime": "AcquisitionDateTime",
        "FrameAcquisitionDateTime": "AcquisitionDateTime",  # the later one wins
        "FrameAcquisitionNumber": "AcquisitionNumber",
        "TemporalPositionIndex": "TemporalPositionIdentifier",
        "StackID": "StackID",
    },
}


def flat_frames(data: Dataset) -> Iterator[Dataset]:
    """Yield one flat data set per frame of an enhanced image.

    Args:
        data: Header of the file, with its functional groups; a value of a frame's own group comes
            before a shared one, and that before one at the top.
    """
    top = Dataset()
    for element in data:
        if element.VR != "SQ":
            top.add(element)
    for agent in data.get("ContrastBolusAgentSequence", []):
        top.ContrastBolusAgent = str(agent.get("CodeMeaning", ""))
        for injection in agent.get("ContrastAdministrationProfileSequence", []):
            if injection.get("ContrastBolusStartTime"):
                top.ContrastBolusStartTime = injection.ContrastBolusStartTime
    shared = data.get("SharedFunctionalGroupsSequence") or [Dataset()]
    _lay(shared[0], top)
    for groups in data.PerFrameFunctionalGroupsSequence:
        flat = Dataset()
        flat.update(top)
        _lay(groups, flat)
        yield flat


def _lay(groups: Dataset, flat: Dataset) -> None:
    for name, attributes in _GROUPS.items():
        for item in groups.get(name, []):
            for inside, classic in attributes.items():
                value = item.get(inside)
                if value is None or value == "":
                    continue
                if inside == "ContrastBolusAgentAdministered":
                    if str(value) == "NO":
                        flat.ContrastBolusAgent = "NONE"
                    continue
                setattr(flat, classic, value)


def source_frames(segmentation: Dataset) -> dict[str, set[int]]:
    """Return which frames, from 0, of which instances a segmentation says it was drawn on.

    Instances of which it names no frames are absent: the whole of them counts.
    """
    found: dict[str, set[int]] = {}
    for frame in segmentation.get("PerFrameFunctionalGroupsSequence", []):
        for derivation in frame.get("DerivationImageSequence", []):
            for image in derivation.get("SourceImageSequence", []):
                numbers = image.get("ReferencedFrameNumber")
                if numbers:
                    listed = numbers if isinstance(numbers, Iterable) else [numbers]
                    places = found.setdefault(str(image.ReferencedSOPInstanceUID), set())
                    places.update(int(number) - 1 for number in listed)
    return found
