"""Can this be a patient's liver? Sure errors set the patient aside, doubtful things are remarked.

======================  ==========================================  =========================
what is looked at       sure error: the patient is set aside        remark in ``quality.csv``
======================  ==========================================  =========================
values of a CT          no fat and no air; overflow
drawn liver, HU         parenchyma outside -30 to 230 HU; more      more than 4% fat or air
                        than 10% fat or air
drawn liver, place      fits if mirrored, or if moved by 16 mm      fits if moved by 8 mm;
                                                                    stands out from nothing
labels                  liver inside the tumor; tumor 10 mm off     tumor hardly touches the
                                                                    liver; volume; left side
phases                  liver and vessels brighten backwards;       liver alone does; nothing
                        one image twice                             enhances
======================  ==========================================  =========================

MR intensities have no unit, so what is stated in HU is not checked for them.
"""

from mtl_hcc.imaging.ct_values import check_hounsfield
from mtl_hcc.imaging.finding import Finding
from mtl_hcc.imaging.label_layout import check_layout, tumor_contact
from mtl_hcc.imaging.liver_checks import air_or_fat_share, check_liver
from mtl_hcc.imaging.mask_fit import MaskFit, mask_fit
from mtl_hcc.imaging.overview import Overview, overview
from mtl_hcc.imaging.phase_order import check_copies, check_enhancement, check_phase_order
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.quality import voxel_mm3
from mtl_hcc.imaging.scan import Scan
from mtl_hcc.regions import Label


def check_plausible(
    scans: list[Scan], reference: Scan, preparation: Preparation
) -> dict[str, float | str]:
    """Return measurements and remarks about a patient's images and drawings.

    Args:
        scans: The phases that are there.
        reference: The phase whose map gives volumes.
        preparation: The recipe; its ``plausibility`` says whether sure errors are raised.

    Returns:
        Columns of the quality report: for each phase ``<phase>_parenchyma`` (median intensity of
        the liver without tumor), ``_parenchyma_low`` and ``_parenchyma_high`` (5th and 99th
        percentile), ``_mask_fit``, and for CT ``_air_or_fat_share``; the rise of
        the parenchyma from the first phase, ``rise_to_<phase>``; ``tumor_contact``; and
        ``implausible``, the remarks.

    Raises:
        ImageError: A sure error, with what was measured, what was expected, and what to do.
    """
    hounsfield = preparation.is_ct
    findings: list[Finding] = []
    if hounsfield:
        for scan in scans:
            findings += check_hounsfield(scan)
        _raise_sure(findings, preparation)
    seen = {scan.place.phase: overview(scan) for scan in scans}
    fits = {
        phase: fit
        for phase, view in seen.items()
        if (fit := mask_fit(view, hounsfield=hounsfield)) is not None
    }
    patient = f"patient {reference.place.patient_id}"
    main = seen[reference.place.phase]
    volume = reference.drawn(Label.LIVER, Label.TUMOR).sum() * voxel_mm3(reference.regions) / 1000
    findings += check_layout(
        main, where=str(reference.place), liver_ml=float(volume), hounsfield=hounsfield
    )
    for scan in scans:
        if scan.place.phase in fits:
            phase = scan.place.phase
            findings += check_liver(scan, seen[phase], fits[phase], hounsfield=hounsfield)
    findings += check_copies(seen, where=patient)
    if hounsfield:
        findings += check_phase_order(fits, where=patient)
        findings += check_enhancement(fits, where=patient)
    _raise_sure(findings, preparation)
    remarks = "; ".join(f"{finding.found}" for finding in findings)
    return {**_measured(seen, fits, main, hounsfield=hounsfield), "implausible": remarks}


def _raise_sure(findings: list[Finding], preparation: Preparation) -> None:
    sure = [finding for finding in findings if finding.sure]
    if sure and preparation.plausibility == "quarantine":
        raise sure[0].as_error()


def _measured(
    seen: dict[str, Overview], fits: dict[str, MaskFit], main: Overview, *, hounsfield: bool
) -> dict[str, float | str]:
    measured: dict[str, float | str] = {"tumor_contact": tumor_contact(main)}
    nothing = float("nan")
    first = next(iter(seen))
    for phase, view in seen.items():
        fit = fits.get(phase)
        measured |= {
            f"{phase}_parenchyma": fit.center if fit else nothing,
            f"{phase}_parenchyma_low": fit.low if fit else nothing,
            f"{phase}_parenchyma_high": fit.high if fit else nothing,
            f"{phase}_mask_fit": fit.score if fit else nothing,
        }
        if hounsfield:
            measured[f"{phase}_air_or_fat_share"] = air_or_fat_share(view) if fit else nothing
        if phase != first:
            both = fit is not None and first in fits
            rise = fits[phase].center - fits[first].center if both else nothing
            measured[f"rise_to_{phase}"] = rise
    return measured
