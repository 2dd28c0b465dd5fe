import pytest

from mtl_hcc.cohorts.dicom.volumes import find_volumes


def names(volumes):
    return [[header.path.name for header in volume.slices] for volume in volumes]


def test_slices_in_any_order_become_one_volume_in_ascending_order(stack):
    slices = stack(7)
    shuffled = [slices[k] for k in (3, 0, 6, 1, 5, 2, 4)]
    assert names(find_volumes(shuffled)) == [[f"s{k}.dcm" for k in range(7)]]


def test_the_same_instance_in_two_folders_counts_once(stack):
    assert names(find_volumes(stack(5) + stack(5))) == [[f"s{k}.dcm" for k in range(5)]]


@pytest.mark.parametrize(
    "tags",
    [
        {"acquisition_number": (1, 2, 3)},
        {"temporal_position": (1, 2, 3)},
        {"bolus_start": (100.0, 120.0, 140.0)},
        {"trigger_time": (0.0, 25000.0, 60000.0)},
        {"seconds": (1000.0, 1040.0, 1120.0)},
    ],
    ids=lambda tags: next(iter(tags)),
)
def test_three_phases_in_one_series_are_divided(stack, tags):
    tag, values = next(iter(tags.items()))
    slices = [
        s for k, value in enumerate(values) for s in stack(6, tag=f"phase{k}_", **{tag: value})
    ]
    volumes = find_volumes(slices[::-1])
    assert [len(v.slices) for v in volumes] == [6, 6, 6]
    assert {len({n[:6] for n in each}) for each in names(volumes)} == {1}
    assert [v.name for v in volumes] == ["3-1", "3-2", "3-3"]


def test_repeated_positions_alone_are_dealt_out_by_instance_number(stack):
    first, second = stack(6, tag="a"), stack(6, tag="b")
    second = [s.__class__(**{**vars(s), "instance_number": 7 + k}) for k, s in enumerate(second)]
    mixed = [s for pair in zip(second, first, strict=True) for s in pair]
    assert names(find_volumes(mixed)) == [
        [f"a{k}.dcm" for k in range(6)],
        [f"b{k}.dcm" for k in range(6)],
    ]


def test_interleaved_phases_with_other_positions_are_divided_too(stack):
    slices = stack(6, tag="a", acquisition_number=1) + stack(
        6, tag="b", start=1.25, acquisition_number=2
    )
    assert names(find_volumes(slices)) == [
        [f"a{k}.dcm" for k in range(6)],
        [f"b{k}.dcm" for k in range(6)],
    ]


def test_acquisitions_one_above_the_other_stay_one_volume(stack):
    slices = stack(6, tag="a", acquisition_number=1, seconds=10.0) + stack(
        6, tag="b", start=15.0, acquisition_number=2, seconds=50.0
    )
    assert [len(v.slices) for v in find_volumes(slices)] == [12]


def test_an_acquisition_number_per_slice_divides_nothing(stack):
    slices = [s.__class__(**{**vars(s), "acquisition_number": k}) for k, s in enumerate(stack(8))]
    assert [len(v.slices) for v in find_volumes(slices)] == [8]


def test_a_localizer_in_the_series_is_a_volume_of_its_own(stack):
    coronal = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
    volumes = find_volumes(stack(6) + stack(1, tag="scout", orientation=coronal))
    assert sorted(len(v.slices) for v in volumes) == [1, 6]
    assert [v.axial for v in sorted(volumes, key=lambda v: len(v.slices))] == [False, True]


def test_bolus_tracking_at_one_place_is_seen_as_one_place(stack):
    (tracking,) = find_volumes(stack(20, step=0.0))
    assert tracking.places == 1


def test_a_slice_without_position_stays_with_its_series(stack, header):
    lost = header(path=stack(1)[0].path.with_name("lost.dcm"), instance="lost", position=None)
    (volume,) = find_volumes([*stack(5), lost])
    assert "lost.dcm" in names([volume])[0]


def test_series_with_the_same_number_get_different_names(stack):
    volumes = find_volumes(stack(4, series="x", tag="x") + stack(4, series="y", tag="y"))
    assert [v.name for v in volumes] == ["3", "3a"]
