"""ClinicalEncoder: covariates with missing cells become a vector, fitted on train alone."""

import torch
from torch import Tensor, nn


class ClinicalEncoder(nn.Module):
    """Imputes, scales and encodes clinical covariates.

    Medians, means and standard deviations are buffers filled once from the training split, so they
    travel with the weights. A missing cell becomes the training median and raises its flag:
    ``x -> [(impute(x) - mean) / sd, is_missing(x)]``, then an optional hidden layer.

    Args:
        covariates: How many covariates the table gives.
        hidden: Width of the hidden layer; 0 for none, so that the heads stay linear models.
        dropout: Probability of dropping a covariate's value or a hidden feature.

    Shapes:
        covariates: (patient, covariate), NaN where missing.
        returns: (patient, out_features).
    """

    median: Tensor
    mean: Tensor
    scale: Tensor

    def __init__(self, covariates: int, *, hidden: int = 0, dropout: float = 0.0) -> None:
        super().__init__()
        if hidden < 0:
            raise ValueError(f"clinical.hidden is {hidden}; expected 0 (none) or more")
        self.register_buffer("median", torch.zeros(covariates))
        self.register_buffer("mean", torch.zeros(covariates))
        self.register_buffer("scale", torch.ones(covariates))
        self.layers = nn.Sequential(nn.Dropout(dropout))
        if hidden:
            self.layers.extend([nn.Linear(2 * covariates, hidden), nn.ELU(), nn.Dropout(dropout)])
        self.out_features = hidden or 2 * covariates

    def fit(self, covariates: Tensor) -> None:
        """Take medians, means and standard deviations from the training split.

        Args:
            covariates: (patient, covariate) of the training split, NaN where missing. A covariate
                that is missing everywhere or constant contributes nothing but its flag.
        """
        known = covariates.double()
        # Not nanmedian, which takes the lower of the two middle values.
        median = known.nanquantile(0.5, dim=0).nan_to_num(0.0)
        filled = torch.where(known.isnan(), median, known)
        mean, scale = filled.mean(dim=0), filled.std(dim=0, unbiased=False)
        varies = scale > 1e-9 * (1 + mean.abs())  # rounding is no variation
        self.median.copy_(median)
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(varies, scale, 1.0))

    def forward(self, covariates: Tensor) -> Tensor:
        """Return the encoded covariates."""
        missing = covariates.isnan()
        filled = torch.where(missing, self.median, covariates)
        encoded: Tensor = self.layers(
            torch.cat([(filled - self.mean) / self.scale, missing.to(filled.dtype)], dim=1)
        )
        return encoded
