"""The clinical encoder against scikit-learn's imputer and scaler."""

import numpy as np
import pytest
import torch
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mtl_hcc.nn import ClinicalEncoder


def cells(patients: int, seed: int) -> np.ndarray:
    """Age, a marker over decades, a sparse column; a third of the cells is missing."""
    rng = np.random.default_rng(seed)
    values = np.column_stack(
        [rng.normal(60, 9, patients), rng.lognormal(4, 2, patients), rng.random(patients) < 0.3]
    )
    values[rng.random(values.shape) < 0.3] = np.nan
    return values.astype(np.float32)


def encoded(encoder: ClinicalEncoder, values: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return encoder.eval()(torch.from_numpy(values)).numpy()


@pytest.mark.parametrize("patients", [40, 41])  # the median of an even and an odd number
def test_imputes_and_scales_as_scikit_learn_does_when_fitted_on_train_alone(patients: int):
    train, others = cells(patients, 0), cells(15, 1)
    encoder = ClinicalEncoder(3)
    encoder.fit(torch.from_numpy(train))
    oracle = make_pipeline(SimpleImputer(strategy="median"), StandardScaler()).fit(train)
    for values in (train, others):
        result = encoded(encoder, values)
        np.testing.assert_allclose(result[:, :3], oracle.transform(values), rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(result[:, 3:], np.isnan(values))


def test_other_patients_change_nothing_once_fitted():
    encoder = ClinicalEncoder(3)
    encoder.fit(torch.from_numpy(cells(40, 0)))
    state = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    encoder.train()(torch.from_numpy(cells(15, 1) * 100))
    torch.testing.assert_close(encoder.state_dict(), state, rtol=0, atol=0)
    assert {"median", "mean", "scale"} <= set(state), "the statistics travel with the weights"


@pytest.mark.parametrize("constant", [0.0, 0.1, 12345.678])
def test_a_constant_or_wholly_missing_covariate_gives_only_its_flag(constant: float):
    train = torch.full((97, 2), constant)
    train[:, 1] = torch.nan
    encoder = ClinicalEncoder(2)
    encoder.fit(train)
    assert encoder.scale.tolist() == [1, 1]
    expected = [[0, 0, 0, 1]] * 97
    np.testing.assert_allclose(encoded(encoder, train.numpy()), expected, atol=1e-6)


def test_missing_cells_give_finite_values_and_gradients():
    encoder = ClinicalEncoder(3, hidden=8, dropout=0.5)
    encoder.fit(torch.from_numpy(cells(40, 0)))
    result = encoder.train()(torch.full((4, 3), torch.nan))
    assert result.shape == (4, encoder.out_features) == (4, 8)
    result.sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


def test_without_a_hidden_layer_it_stays_linear_and_has_no_weights():
    encoder = ClinicalEncoder(4)
    assert encoder.out_features == 8
    assert list(encoder.parameters()) == []
