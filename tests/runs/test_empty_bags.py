import pytest
import torch
from one_view import view_batch
from tiny_training import tiny_batch, tiny_module

from mtl_hcc.nn import AxialSlices, DenseNet, EncoderParts, Mean, PlainStem
from mtl_hcc.runs.prediction_table import predict_patients


def bag_of_tumor_slices():
    return EncoderParts(
        instances=AxialSlices(of=["tumor"]),
        stem=lambda channels: PlainStem(channels, out_channels=4, dimensions="2d"),
        backbone=lambda channels: DenseNet(channels, growth_rate=4, layers=(1, 1), dimensions="2d"),
        aggregator=Mean,
    )


@pytest.mark.parametrize("empty", [[], [2, 5]])
def test_who_has_no_slice_to_look_at_is_named_when_patients_are_predicted(empty, capsys):
    batch = tiny_batch(8)
    regions = torch.full((8, 3, 4, 16, 16), 3, dtype=torch.uint8)
    regions[empty] = 1  # liver alone
    batch.views = {"tumor": view_batch(torch.rand(regions.shape), regions)}
    module = tiny_module(encoders={"tumor": bag_of_tumor_slices()})
    outputs, _, who = predict_patients(module, [batch])
    assert outputs["os"].isfinite().all()
    assert len(who) == 8
    remarks = ["nothing to look at in the view 'tumor'" if i in empty else "" for i in range(8)]
    assert who["remark"].tolist() == remarks
    said = capsys.readouterr().out
    if not empty:
        assert said == ""
        return
    names = ", ".join(batch.patient_id[row] for row in empty)
    assert "Nothing to look at in the view 'tumor' for 2 of the patients (no slice meets" in said
    assert f": {names}. Their predictions do not rest on it" in said
