"""A phantom cohort of triphasic CT whose truth is known: latents, images, outcomes, oracle."""

from mtl_hcc.cohorts.phantom.phantom_cohort import write_phantom
from mtl_hcc.cohorts.phantom.settings import PhantomSettings

__all__ = ["PhantomSettings", "write_phantom"]
