"""A phantom cohort of triphasic CT whose truth is known: latents, images, outcomes, oracle."""

from mtl_hcc.cohorts.phantom.latents import visible_log_hazard, visible_mvi_probability
from mtl_hcc.cohorts.phantom.settings import PhantomSettings
from mtl_hcc.cohorts.phantom.write import write_phantom

__all__ = [
    "PhantomSettings",
    "visible_log_hazard",
    "visible_mvi_probability",
    "write_phantom",
]
