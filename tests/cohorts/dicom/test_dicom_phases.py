import pytest

from mtl_hcc.cohorts.dicom.enhancement import Enhancement
from mtl_hcc.cohorts.dicom.phase_rules import PhaseRules
from mtl_hcc.cohorts.dicom.phases import assign_phases
from mtl_hcc.errors import ImageError
from mtl_hcc.patient import CT_PHASES

NATIVE = Enhancement(aorta=42, liver=55, spleen=48)
ARTERIAL = Enhancement(aorta=290, liver=66, spleen=120)
PORTAL = Enhancement(aorta=160, liver=110, spleen=122)
DELAYED = Enhancement(aorta=125, liver=93, spleen=100)
LUNG = Enhancement(aorta=150, liver=-700)


def assigned(volumes, rules=None, *, measured=None, **settings):
    """Return phase to name; ``measured`` in the order of the volumes."""
    if measured is not None:
        values = dict(zip([v.name for v in volumes], measured, strict=True))
        settings["measure"] = lambda some: {v.name: values[v.name] for v in some}
    found = assign_phases(volumes, rules or PhaseRules(), patient_id="P1", **settings)
    return {phase: volume.name for phase, volume in found.items()}


@pytest.mark.parametrize(
    ("descriptions", "phases"),
    [
        (("LIVER ARTERIAL 2.5", "PORTAL VENOUS", "DELAYED 3 MIN"), CT_PHASES),
        (("abd art.", "abd ven", "abd equilibrium"), CT_PHASES),
        (("Late arterial", "PV phase", "Delay"), CT_PHASES),
        (("HAP", "PVP", "5 min"), CT_PHASES),
        (("LAP", "PV", "Delay 3 minutes"), CT_PHASES),
        (("EAP", "CT_ABD_VEN_1.5", "Spät 3.0"), CT_PHASES),
        (("artérielle", "portale", "tardive"), CT_PHASES),
        (("动脉期", "门脉期", "延迟期"), CT_PHASES),
        (("Art iDose (4)", "PV liver/lung bases", "Delayed 3 min iDose (4)"), CT_PHASES),
    ],
)
def test_descriptions_tell_the_phases(volume, descriptions, phases):
    volumes = [volume(str(k), description=text) for k, text in enumerate(descriptions)]
    assert assigned(volumes) == {phase: str(k) for k, phase in enumerate(phases)}


def test_scouts_native_scans_and_bone_kernels_are_passed_over(volume):
    volumes = [
        volume("1", description="TOPOGRAM"),
        volume("2", description="Liver non contrast"),
        volume("3", description="Arterial"),
        volume("4", description="Arterial bone"),
        volume("5", description="Venous"),
    ]
    assert assigned(volumes) == {"arterial": "3", "portal_venous": "5"}


def test_coronal_reformats_and_bolus_tracking_are_passed_over(volume):
    volumes = [
        volume("1", description="Arterial", orientation=(1.0, 0.0, 0.0, 0.0, 0.0, -1.0)),
        volume("2", description="Arterial", step=0.0),
        volume("3", description="Arterial"),
    ]
    assert assigned(volumes) == {"arterial": "3"}


def test_seconds_after_the_injection_tell_the_phases(volume):
    volumes = [
        volume("4-1", series="4", after_bolus=-60.0, seconds=0.0),
        volume("4-2", series="4", after_bolus=28.0, seconds=88.0),
        volume("4-3", series="4", after_bolus=75.0, seconds=135.0),
        volume("4-4", series="4", after_bolus=240.0, seconds=300.0),
    ]
    assert assigned(volumes) == dict(zip(CT_PHASES, ["4-2", "4-3", "4-4"], strict=True))


@pytest.mark.parametrize(
    ("seconds", "measured"),
    [
        ((200.0, 30.0, 80.0), None),
        ((200.0, 30.0, 80.0), (PORTAL, ARTERIAL, DELAYED)),
        ((30.0, 31.0, 32.0), (ARTERIAL, PORTAL, DELAYED)),
        ((None, None, None), (ARTERIAL, PORTAL, DELAYED)),
    ],
    ids=["nothing measured", "times contradict", "times too close", "no times"],
)
def test_order_alone_decides_nothing(volume, seconds, measured):
    volumes = [volume(name, seconds=s) for name, s in zip("567", seconds, strict=True)]
    with pytest.raises(ImageError, match="nothing tells the phase of series 5, 6, 7"):
        assigned(volumes, measured=measured)


def test_times_and_enhancement_together_tell_the_phases(volume):
    volumes = [volume("7", seconds=210.0), volume("5", seconds=30.0), volume("6", seconds=75.0)]
    measured = (DELAYED, ARTERIAL, PORTAL)
    assert assigned(volumes, measured=measured) == dict(zip(CT_PHASES, "567", strict=True))


def test_native_arterial_and_portal_without_names_are_not_shifted_by_one(volume):
    volumes = [volume(name, seconds=s) for name, s in (("3", 0.0), ("4", 90.0), ("5", 130.0))]
    found = assigned(volumes, measured=(NATIVE, ARTERIAL, PORTAL))
    assert found == {"arterial": "4", "portal_venous": "5"}
    with pytest.raises(ImageError, match="nothing tells the phase"):
        assigned(volumes)


def test_a_volume_without_a_name_between_two_named_ones_needs_a_fitting_enhancement(volume):
    volumes = [
        volume("1", description="arterial", seconds=30.0),
        volume("2", description="recon", seconds=75.0),
        volume("3", description="delayed", seconds=200.0),
    ]
    found = assigned(volumes, measured=(ARTERIAL, PORTAL, DELAYED))
    assert found == dict(zip(CT_PHASES, "123", strict=True))
    with pytest.raises(ImageError, match="2 volumes show arterial"):
        assigned(volumes, measured=(ARTERIAL, ARTERIAL, DELAYED))
    for middle in (NATIVE, DELAYED):
        with pytest.raises(ImageError, match="nothing tells the phase of series 2"):
            assigned(volumes, measured=(ARTERIAL, middle, DELAYED))


def test_a_thorax_beside_two_named_phases_is_no_delayed_phase(volume):
    volumes = [
        volume("1", description="ART", seconds=30.0),
        volume("2", description="PV", seconds=75.0),
        volume("3", description="Thorax 1.0", seconds=100.0),
    ]
    expected = {"arterial": "1", "portal_venous": "2"}
    assert assigned(volumes, measured=(ARTERIAL, PORTAL, LUNG)) == expected
    beside = Enhancement(covered=0.1)
    assert assigned(volumes, measured=(ARTERIAL, PORTAL, beside)) == expected
    with pytest.raises(ImageError, match="nothing tells the phase of series 3"):
        assigned(volumes)


def test_abdomen_and_pelvis_is_not_arterial(volume):
    volumes = [
        volume("1", description="CT AP", seconds=75.0),
        volume("2", description="PV", seconds=76.0, thickness=1.0, step=1.0),
    ]
    with pytest.raises(ImageError, match="2 volumes show portal_venous"):
        assigned(volumes, measured=(PORTAL, PORTAL))  # the same acquisition
    rules = PhaseRules(several="thinnest")
    assert assigned(volumes, rules, measured=(PORTAL, PORTAL)) == {"portal_venous": "2"}


def test_a_contradiction_names_values_candidates_and_what_was_passed_over(volume):
    volumes = [
        volume("1", description="TOPOGRAM"),
        volume("2", description="Liver native", seconds=0.0),
        volume("3", description="Arterial", seconds=10.0),
        volume("4", description="Venous", seconds=80.0, kernel="B30f"),
    ]
    with pytest.raises(ImageError) as error:
        assigned(volumes, measured=(NATIVE, NATIVE, NATIVE, PORTAL))
    assert str(error.value) == (
        "patient P1: enhancement contradicts arterial in series 3; candidates are "
        '"P1/3" (Arterial, 10 slices every 2.5 mm, +0 s, aorta 42, liver 55, spleen 48 HU, '
        'arterial); "P1/4" (Venous, 10 slices every 2.5 mm, kernel B30f, +70 s, aorta 160, '
        "liver 110, spleen 122 HU, portal_venous). Expected one volume per phase. Say which it is "
        'in the config, series_phases: {"P1/3": portal_venous} (a phase or ignore); for several '
        "reconstructions of one phase set several to thinnest or thickest; or extend phase_rules. "
        "Passed over: series 1 (TOPOGRAM: ignore), 2 (Liver native: ignore)."
    )


def test_the_scanner_s_own_word_counts_and_a_denied_agent_excludes_a_phase(volume):
    volumes = [
        volume("1", contrast_phase="ARTERIAL"),
        volume("2", contrast_phase="PORTAL_VENOUS"),
        volume("3", contrast_phase="PRE_CONTRAST"),
    ]
    assert assigned(volumes) == {"arterial": "1", "portal_venous": "2"}
    seconds = {"seconds": 30.0}, {"seconds": 75.0}
    volumes = [volume(name, **time) for name, time in zip("12", seconds, strict=True)]
    found = assigned(volumes, measured=(ARTERIAL, PORTAL))
    assert found == {"arterial": "1", "portal_venous": "2"}
    denied = [volume("1", agent="NONE", **seconds[0]), volumes[1]]
    with pytest.raises(ImageError, match="nothing tells the phase of series 1, 2"):
        assigned(denied, measured=(ARTERIAL, PORTAL))


@pytest.mark.parametrize(
    "text", ["Liver w/o and w", "with and without", "ABD W/WO", "without/with"]
)
def test_a_description_of_several_phases_is_not_passed_over_as_native(volume, text):
    volumes = [
        volume(f"4-{k}", series="4", description=text, seconds=s)
        for k, s in ((1, 0.0), (2, 90.0), (3, 130.0), (4, 240.0))
    ]
    found = assigned(volumes, measured=(NATIVE, ARTERIAL, PORTAL, DELAYED))
    assert found == dict(zip(CT_PHASES, ("4-2", "4-3", "4-4"), strict=True))


@pytest.mark.parametrize(
    "text", ["Dose Report", "Patient Dose Info", "MinIP 10", "Thorax LUNG", "3 min MIP", "w/o"]
)
def test_what_shows_no_phase_is_passed_over(volume, text):
    volumes = [volume("1", description="Arterial"), volume("2", description=text)]
    assert assigned(volumes) == {"arterial": "1"}


def test_two_unknown_volumes_for_three_phases_are_refused_listing_them(volume):
    volumes = [
        volume("4-1", series="4", description="LIVER 3 PHASE", seconds=86400.0 * 700000 + 10),
        volume("4-2", series="4", description="LIVER 3 PHASE", seconds=86400.0 * 700000 + 55),
    ]
    with pytest.raises(ImageError) as error:
        assigned(volumes)
    message = str(error.value)
    slices = "10 slices every 2.5 mm"
    assert f'"P1/4-1" (LIVER 3 PHASE, {slices}, +0 s, not measured, unknown)' in message
    assert f'"P1/4-2" (LIVER 3 PHASE, {slices}, +45 s, not measured, unknown)' in message
    assert 'series_phases: {"P1/4-1": portal_venous}' in message


def test_a_choice_in_the_config_overrules_everything(volume):
    volumes = [
        volume("4-1", series="4", description="arterial"),
        volume("4-2", series="4", description="arterial"),
    ]
    chosen = {"P1/4-1": "portal_venous", "P1/4-2": "ignore"}
    assert assigned(volumes, PhaseRules(chosen=chosen)) == {"portal_venous": "4-1"}


def test_a_single_volume_without_a_hint_is_not_guessed(volume):
    with pytest.raises(ImageError, match="nothing tells the phase"):
        assigned([volume("2", description="abdomen")])
    only = PhaseRules(phases=("portal_venous",))
    assert assigned([volume("2", description="abdomen")], only) == {"portal_venous": "2"}


def test_the_volume_that_was_drawn_on_is_preferred_among_reconstructions(volume):
    thin, thick = volume("5", description="arterial"), volume("6", description="arterial 5 mm")
    with pytest.raises(ImageError, match="2 volumes show arterial"):
        assigned([thin, thick])
    assert assigned([thin, thick], drawn_on=thick) == {"arterial": "6"}


@pytest.mark.parametrize(("several", "name"), [("thinnest", "6"), ("thickest", "5")])
def test_reconstructions_are_chosen_by_the_distance_of_their_slices(volume, several, name):
    volumes = [
        volume("5", description="arterial", count=100, step=5.0),
        volume("6", description="arterial", count=53, step=2.5),
    ]
    assert assigned(volumes, PhaseRules(several=several)) == {"arterial": name}


def test_reconstructions_of_one_acquisition_show_one_phase(volume):
    volumes = [
        volume("3", description="Arterial 5.0", seconds=30.0, step=5.0, event="1.2.3"),
        volume("4", description="1.0 B30f", seconds=31.0, step=1.0, event="1.2.3"),
        volume("5", description="PV", seconds=75.0, step=5.0, event="1.2.4"),
    ]
    with pytest.raises(ImageError, match=r"2 volumes show arterial: series 3, 4.*set several"):
        assigned(volumes)
    found = assigned(volumes, PhaseRules(several="thinnest"))
    assert found == {"arterial": "4", "portal_venous": "5"}


def test_kernels_of_equal_slices_are_not_chosen_by_chance(volume):
    volumes = [
        volume("3", description="Arterial", seconds=30.0, kernel="B30f"),
        volume("4", description="Arterial", seconds=30.0, kernel="B70f"),
    ]
    with pytest.raises(ImageError, match=r"kernel B30f.*kernel B70f"):
        assigned(volumes, PhaseRules(several="thinnest"))


def test_the_segmented_volume_can_be_given_a_phase(volume):
    volumes = [volume("4-1", series="4"), volume("4-2", series="4")]
    rules = PhaseRules(segmented="portal_venous")
    assert assigned(volumes, rules, drawn_on=volumes[1]) == {"portal_venous": "4-2"}


def test_names_that_contradict_the_times_are_refused(volume):
    volumes = [
        volume("1", description="portal venous", seconds=30.0),
        volume("2", description="arterial", seconds=70.0),
    ]
    with pytest.raises(ImageError, match="do not follow each other in time"):
        assigned(volumes)


def test_no_phase_at_all_says_what_there_was(volume):
    with pytest.raises(ImageError, match=r"no volume shows .*topogram"):
        assigned([volume("1", description="topogram")])
