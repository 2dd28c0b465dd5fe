import pytest

from mtl_hcc.cohorts.dicom.phases import PhaseRules, assign_phases
from mtl_hcc.errors import ImageError
from mtl_hcc.patient import CT_PHASES


def assigned(volumes, rules=None, **settings):
    found = assign_phases(volumes, rules or PhaseRules(), patient_id="P1", **settings)
    return {phase: volume.name for phase, volume in found.items()}


@pytest.mark.parametrize(
    ("descriptions", "phases"),
    [
        (("LIVER ARTERIAL 2.5", "PORTAL VENOUS", "DELAYED 3 MIN"), CT_PHASES),
        (("abd art.", "abd ven", "abd equilibrium"), CT_PHASES),
        (("Late arterial", "PV phase", "Delay"), CT_PHASES),
        (("HAP", "PVP", "5 min"), CT_PHASES),
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


def test_as_many_volumes_as_phases_are_taken_in_the_order_of_time(volume):
    volumes = [
        volume("7", seconds=200.0),
        volume("5", seconds=30.0),
        volume("6", seconds=80.0),
    ]
    assert assigned(volumes) == {"arterial": "5", "portal_venous": "6", "delayed": "7"}


def test_the_last_unknown_volume_takes_the_last_phase_left(volume):
    volumes = [
        volume("1", description="arterial", seconds=1.0),
        volume("2", description="recon", seconds=2.0),
        volume("3", description="delayed", seconds=3.0),
    ]
    assert assigned(volumes)["portal_venous"] == "2"


def test_two_unknown_volumes_for_three_phases_are_refused_listing_them(volume):
    volumes = [
        volume("4-1", series="4", description="LIVER 3 PHASE", seconds=86400.0 * 700000 + 10),
        volume("4-2", series="4", description="LIVER 3 PHASE", seconds=86400.0 * 700000 + 55),
    ]
    with pytest.raises(ImageError) as error:
        assigned(volumes)
    message = str(error.value)
    assert '"P1/4-1" (LIVER 3 PHASE, 10 slices, +0 s, unknown)' in message
    assert '"P1/4-2" (LIVER 3 PHASE, 10 slices, +45 s, unknown)' in message
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


@pytest.mark.parametrize(("several", "name"), [("thinnest", "5"), ("thickest", "6")])
def test_reconstructions_can_be_chosen_by_their_number_of_slices(volume, several, name):
    volumes = [
        volume("5", description="arterial", count=40, step=1.0),
        volume("6", description="arterial", count=8, step=5.0),
    ]
    assert assigned(volumes, PhaseRules(several=several)) == {"arterial": name}


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
