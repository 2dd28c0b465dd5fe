"""Pooling over patients, against means and counts by hand."""

import numpy as np
import pytest
import torch
from tiny_networks import linear_network, one_patient

from mtl_hcc.explanation.occlusion_tables import occlusion_table, pooled_occlusion
from mtl_hcc.explanation.record import (
    OF_INSTANCES,
    Record,
    folder_name,
    read_record,
    write_record,
)
from mtl_hcc.explanation.region_tables import (
    pooled_regions,
    pooled_sanity,
    region_table,
    sanity_table,
)
from mtl_hcc.metrics.survival.concordance import concordance_harrell

DRAWS = 19


class Module:
    """What the tables ask of a trained module."""

    def __init__(self, network) -> None:
        self.network = network
        self.heads = dict(network.heads.items())


def region_record(name: str, share: float, null: float) -> Record:
    row = {"task": "os", "phase": "arterial", "phase_share": 1.0, "volume_mm3": 100.0, "hit": 1.0}
    record = Record(name, "external", "VI", scores={"os": 0.0}, present=["arterial"])
    record.regions = [
        {**row, "region": "tumor", "share": share, "share_null": null, "p": 0.1},
        {**row, "region": "rest", "share": 1 - share},
    ]
    nulls = np.full((1, 1, 3, DRAWS), null, np.float32)
    record.arrays = {"null_share": nulls, "null_hit": np.zeros_like(nulls)}
    return record


def pooled(records):
    table = region_table(records)
    found = pooled_regions(table, records, ["arterial"], bootstraps=200, seed=0)
    return found.set_index("region")


def test_shares_are_averaged_and_p_compares_with_all_tumors_moved_at_once():
    records = [region_record("P1", 0.5, 0.2), region_record("P2", 0.1, 0.3)]
    records[0].arrays["null_share"][0, 0, 0, :4] = 0.45  # with P2's 0.3 more than 0.5 + 0.1
    row = pooled(records).loc["tumor"]
    assert row["share"] == pytest.approx(0.3)
    assert (row["share_ci_low"], row["share_ci_high"]) == pytest.approx((0.1, 0.5))
    assert row["share_null"] == pytest.approx(((4 * 0.45 + 15 * 0.2) / 19 + 0.3) / 2, rel=1e-5)
    assert row["p"] == pytest.approx((1 + 4) / (1 + DRAWS))
    assert row["hit_p"] == pytest.approx(1 / (1 + DRAWS))
    assert (row["n"], row["n_null"]) == (2, 2)
    rest = pooled(records).loc["rest"]
    assert rest["share"] == pytest.approx(0.7)
    assert np.isnan(rest["p"]), "it does not move with the tumor"


def test_patients_without_a_null_or_with_an_empty_map_do_not_count_there():
    records = [region_record(name, share, 0.2) for name, share in (("P1", 0.5), ("P2", 0.4))]
    records[1].arrays["null_share"][:] = np.nan
    empty = region_record("P3", 0.0, 0.2)
    for row in empty.regions:
        row["share"] = row["hit"] = None
    row = pooled([*records, empty]).loc["tumor"]
    assert (row["n"], row["n_null"]) == (2, 1)
    assert row["share"] == pytest.approx(0.45)
    assert pooled([empty]).loc["tumor", "method"] == "every map is zero everywhere"


def test_random_weights_are_compared_patient_by_patient():
    records = []
    for number, (trained, random) in enumerate([(0.6, 0.5), (0.4, 0.1), (None, 0.3)]):
        record = Record(f"P{number}", "external", "VI")
        row = {"task": "os", "phase": "arterial", "randomized": "stem"}
        record.sanity = [
            row
            | {
                "rank_correlation": 0.1 * number,
                "share_tumor_ring": trained,
                "share_tumor_ring_random": random,
            }
        ]
        records.append(record)
    (row,) = pooled_sanity(sanity_table(records), bootstraps=300, seed=0).itertuples()
    assert row.n == 2, "an empty map has no share"
    assert row.difference == pytest.approx(0.2)
    assert (row.ci_low, row.ci_high) == pytest.approx((0.1, 0.3))
    assert row.share_tumor_ring_random == pytest.approx(0.3)
    assert row.rank_correlation == pytest.approx(0.1)


def occlusion_records(network, number: int):
    """Return records of patients without the delayed phase in the last one."""
    records = []
    for seed in range(number):
        last = seed == number - 1
        batch = one_patient(seed=seed, present=[True, not last])
        bag = network.bags(batch)["tumor"]
        scores = {name: float(out[0, -1]) for name, out in network(batch).items()}
        record = Record(f"P{seed}", "external", "VI", scores=scores)
        record.present = ["arterial", "delayed"][: 1 if last else 2]
        record.outcomes = {"os_days": 100.0 + 37 * (seed % 5), "os_event": 1.0, "mvi": None}
        record.arrays = {
            f"tumor.{name}": getattr(bag, name)[0].contiguous().numpy() for name in OF_INSTANCES
        } | {"tumor.phases": np.array(2)}
        record.occluded = {"tumor": {"os": scores["os"] + 1, "mvi": 0.0}}
        records.append(record)
    return records


def test_occlusion_rows_say_the_change_and_the_pool_the_drop_of_the_metric():
    network = linear_network([1.0], os=[3.0, -5.0], mvi=[[0.0, 0.0], [1.0, 2.0]])
    module, records = Module(network), occlusion_records(network, 8)
    with torch.no_grad():
        table = occlusion_table(module, "tumor", records, ["arterial", "delayed"])
    rows = table.query("task == 'os'").set_index(["name", "patient_id"])
    assert (rows.loc["tumor", "change"].round(6) == 1).all()
    assert len(rows.loc["arterial"]) == 8
    assert len(rows.loc["delayed"]) == 7, "the last patient never had it"
    first = np.array([record.arrays["tumor.features"][0, 0] for record in records])
    np.testing.assert_allclose(
        rows.loc["arterial", "change"], 3.0 * (first.mean() - first), atol=1e-6
    )
    drop = pooled_occlusion(table, records, module, bootstraps=100, seed=0)
    found = drop.set_index(["task", "name"]).loc[("os", "arterial")]
    days = [record.outcomes["os_days"] for record in records]
    values = rows.loc["arterial"]
    before = concordance_harrell(values["score"], days, np.ones(8))
    after = concordance_harrell(values["score_without"], days, np.ones(8))
    assert found["drop"] == pytest.approx(before - after)
    assert found["ci_low"] <= found["drop"] <= found["ci_high"]
    without = drop.set_index(["task", "name"]).loc[("os", "tumor")]
    assert without["drop"] == 0, "everybody's score rose by one"
    assert drop.query("task == 'mvi'")["value"].isna().all()
    assert set(drop.query("task == 'mvi'")["method"]) == {"only one class among the labels"}


def test_a_record_is_read_as_it_was_written_and_only_with_its_fingerprint(tmp_path):
    record = region_record("P1", 0.5, 0.2)
    maps = {("os", "arterial"): np.ones((2, 2, 2), np.float32)}
    write_record(tmp_path, record, maps, geometry={"size": [2, 2, 2]}, fingerprint="abc")
    again = read_record(tmp_path, fingerprint="abc")
    assert vars(again).keys() == vars(record).keys()
    assert again.regions == record.regions
    np.testing.assert_array_equal(again.arrays["null_share"], record.arrays["null_share"])
    assert read_record(tmp_path, fingerprint="other") is None
    path = tmp_path / "prepared.safetensors"
    path.write_bytes(path.read_bytes()[:-20])
    assert read_record(tmp_path, fingerprint="abc") is None


def test_a_patients_folder_cannot_leave_the_output():
    assert folder_name("I-001") == "I-001"
    assert folder_name("../x/y") == "%2E.%2Fx%2Fy"
    assert folder_name("Müller") == "M%C3%BCller"
    long = [folder_name("a" * 300 + end) for end in "bc"]
    assert len(long[0]) <= 100
    assert long[0] != long[1]
