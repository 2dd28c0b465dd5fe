"""Which process this is, of how many: patients are dealt to ranks by the data module alone."""

from pytorch_lightning import Trainer

from mtl_hcc.errors import ConfigError


def rank_of(trainer: Trainer | None) -> tuple[int, int]:
    """Return rank and number of processes; without a trainer there is one.

    Args:
        trainer: That asks for a loader.

    Raises:
        ConfigError: Lightning would deal patients to ranks once more, and leave some out.
    """
    if trainer is None or trainer.world_size == 1:
        return 0, 1
    # The trainer's argument has no public name once it is made:
    # https://lightning.ai/docs/pytorch/stable/common/trainer.html#use-distributed-sampler
    if trainer._accelerator_connector.use_distributed_sampler:
        raise ConfigError(
            f"use_distributed_sampler is on with {trainer.world_size} devices",
            where="trainer.use_distributed_sampler",
            expected="false: the data module gives each device its share of a batch",
            remedy="Set trainer.use_distributed_sampler to false.",
        )
    return trainer.global_rank, trainer.world_size
