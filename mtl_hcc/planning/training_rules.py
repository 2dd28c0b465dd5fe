"""Batch, memory, epochs and precision: rules on sizes and on the machine."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtl_hcc.planning.image_rules import (
    ON_CPU_MM,
    ON_GPU_MM,
    Field,
    choose_field,
    choose_liver_field,
    choose_spacing,
)
from mtl_hcc.planning.measured import Chosen, Machine, MeasuredImages

ROUNDS = 3
"""Visits of each patient in an epoch."""
VISITS = 7000
"""Of patients in a training: 144 of them, three rounds, 16 epochs, as in ct_mtl.yaml."""
FEWEST_EPOCHS, MOST_EPOCHS = 10, 60
BATCHES = (16, 8, 4, 2)
SMALLEST_BATCH = 4
"""With fewer patients norms are noise, so voxels grow before the batch falls below."""
BANK_BATCHES = 8
FINE_BYTES, LIVER_BYTES = 204.0, 136.0
"""For each voxel and phase: activations kept for the gradient (counted: 102 and 68 bytes in single
precision), and as much again for gradients and workspace."""
STORED_BYTES = 3
"""Of a prepared voxel and phase: float16 image and region bits."""
SECONDS, SECONDS_STORED = 0.3e-6, 0.03e-6
"""Of one core, for each seen and each stored voxel of a visit: measured with ct_mtl.yaml."""
COARSEST_MM = 4.0
GPU_SHARE, MEMORY_SHARE = 0.6, 0.4
"""Of the GPU's memory, and of the free memory, that a training may take."""
TURNS = (1.0, 0.75, 0.5, 0.25, 0.0)
"""Shares of the room for rotation, the largest that memory allows."""


@dataclass(frozen=True)
class Task:
    """How much there is to train.

    Attributes:
        patients: Of all splits.
        train: Training patients of a fold.
        folds: Number of trainings.
        phases: Phases of a patient.
    """

    patients: int
    train: int
    folds: int
    phases: int


@dataclass(frozen=True)
class Sizes:
    """The views and what they cost.

    Attributes:
        fine: View of the tumor.
        liver: Coarse view of the whole liver, if one is needed.
        stored: Share of the room for rotation that is prepared around each field.
        batch: Patients in a batch.
        hours: Estimated for all folds on the CPU; None on a GPU, where it was not measured.
    """

    fine: Chosen[Field]
    liver: Chosen[Field | None]
    stored: Chosen[float]
    batch: Chosen[int]
    spacing_why: str
    hours: float | None

    @property
    def fields(self) -> list[Field]:
        """Return the fields of all views."""
        return [self.fine.value, *([self.liver.value] if self.liver.value else [])]


def choose_epochs(train: int, *, rounds: int = ROUNDS) -> Chosen[int]:
    """Return the epochs that give about as many visits as the shipped config has.

    Args:
        train: Training patients.
        rounds: Visits of each in an epoch.
    """
    wanted = round(VISITS / (rounds * max(train, 1)))
    epochs = min(max(wanted, FEWEST_EPOCHS), MOST_EPOCHS)
    return Chosen(
        epochs,
        f"{train} training patients, {rounds} visits an epoch: about {VISITS} visits in all, "
        f"{FEWEST_EPOCHS} to {MOST_EPOCHS} epochs",
    )


def choose_sizes(images: MeasuredImages, task: Task, machine: Machine, *, hours: float) -> Sizes:
    """Return the finest voxels with which a training fits into memory and hours.

    Args:
        images: Of training patients.
        task: How much there is to train.
        machine: That trains.
        hours: Of all folds together on a CPU.
    """
    finest = choose_spacing(images.spacing, finest=ON_GPU_MM if machine.gpu else ON_CPU_MM)
    epochs = choose_epochs(task.train).value
    step, coarsened = finest.value[0], ""
    while True:
        spacing = (step, step, max(step, finest.value[2]))
        fine = choose_field(images, spacing)
        liver = choose_liver_field(images, fine.value)
        fields = [fine.value, *([liver.value] if liver.value else [])]
        stored = choose_stored(fields, task, machine)
        batch = choose_batch(fields, stored.value, task, machine)
        needed = None if machine.gpu else _hours(fields, stored.value, task, epochs, machine)
        slow = needed is not None and needed > hours
        if (not slow and batch.value >= SMALLEST_BATCH) or step >= COARSEST_MM:
            break
        reason = f"about {needed:.0f} hours" if slow else f"a batch of only {batch.value}"
        coarsened = f"; coarser than {step:g} mm, which would take {reason}"
        step += 0.5
    still = f", and still about {needed:.0f} hours" if slow and needed is not None else ""
    why = f"{finest.why}{coarsened}{still}"
    return Sizes(fine, liver, stored, batch, why, needed)


def choose_stored(fields: Sequence[Field], task: Task, machine: Machine) -> Chosen[float]:
    """Return how much of the room that a rotation needs is prepared.

    The prepared cohort shall fit into half of the free memory, where it is kept once read.

    Args:
        fields: Of all views.
        task: Its patients and phases.
        machine: Whose memory counts.
    """
    diagonal = max(max(field.turned().edges) for field in fields)
    edge = max(max(field.edges) for field in fields)
    where = f"a turned field reaches {diagonal:.0f} mm (its edge of {edge:.0f} mm times"
    where += " the square root of 2)" if fields[0].flat else " up to the square root of 3)"
    if machine.free_bytes is None:
        return Chosen(1.0, f"{where}; free memory is not known")
    for share in TURNS:
        taken = stored_bytes(fields, share, task)
        if taken <= machine.free_bytes / 2:
            break
    size = f"{taken / 1e9:.1f} GB for {task.patients} patients"
    limit = f"half of {machine.free_bytes / 1e9:.0f} GB of free memory"
    if share == 1.0:
        return Chosen(1.0, f"{where}: stored in full, {size} ({limit} are not exceeded)")
    cut = max(max(field.turned(share).edges) for field in fields)
    return Chosen(
        share,
        f"{where}, but {limit} hold {cut:.0f} mm only ({size}): corners of a turned field "
        "that reach beyond are empty",
    )


def choose_batch(
    fields: Sequence[Field], stored: float, task: Task, machine: Machine
) -> Chosen[int]:
    """Return the largest batch that fits into memory, and leaves several batches in a round.

    Args:
        fields: Of all views.
        stored: Share of the room for rotation.
        task: Its training patients and phases.
        machine: Whose memory counts.
    """
    each = training_bytes(fields, stored, task.phases)
    share = GPU_SHARE if machine.gpu else MEMORY_SHARE
    limit = machine.gpu_bytes if machine.gpu else machine.free_bytes
    found = f"a patient takes about {each / 1e6:.0f} MB of memory in training"
    sizes = [size for size in BATCHES if size <= largest_batch(task.train, machine)]
    why = (
        f"at most {sizes[0]} for {task.train} training patients, so that a round has several "
        "batches; the risk bank makes the risk sets large"
    )
    if limit is None:
        return Chosen(sizes[0], f"{found}; how much is free is not known; {why}")
    size = next((size for size in sizes if size * each <= share * limit), 1)
    place = machine.gpu or "the machine"
    return Chosen(
        size,
        f"{found}; {share:.0%} of {limit / 1e9:.0f} GB of {place} hold {share * limit / each:.0f} "
        f"patients; {why}",
    )


def largest_batch(train: int, machine: Machine) -> int:
    """Return the largest batch that leaves eight in a round, but not so small as to be noise.

    Args:
        train: Training patients.
        machine: On a GPU a batch of 8 leaves it idle.
    """
    most = max(SMALLEST_BATCH, train // BANK_BATCHES)
    return max(size for size in BATCHES if size <= most and (machine.gpu or size < BATCHES[0]))


def choose_bank(batch: int, train: int) -> Chosen[int]:
    """Return how many patients the risk bank remembers.

    Args:
        batch: Patients in a batch.
        train: Training patients.
    """
    size = min(BANK_BATCHES * batch, train)
    return Chosen(
        size, f"patients of the last {BANK_BATCHES} batches, at most the {train} in training"
    )


def choose_precision(machine: Machine) -> Chosen[str]:
    """Return the precision of the network.

    Args:
        machine: That trains.
    """
    if machine.gpu_bf16:
        return Chosen("bf16-mixed", f"{machine.gpu} computes in bfloat16")
    found = f"{machine.gpu} has no bfloat16" if machine.gpu else "no GPU"
    return Chosen("32-true", f"{found}; bf16-mixed on a GPU that has it")


def choose_loading(
    fields: Iterable[Field], stored: float, task: Task, machine: Machine
) -> Chosen[int]:
    """Return how many processes load patients.

    Args:
        fields: Of all views.
        stored: Share of the room for rotation.
        task: Its patients and phases.
        machine: Cores and memory.
    """
    taken = stored_bytes(fields, stored, task)
    if machine.free_bytes is not None and taken <= machine.free_bytes / 2:
        return Chosen(
            0,
            f"the prepared cohort ({taken / 1e9:.1f} GB) stays in memory once read, so the "
            "training process loads it",
        )
    workers = min(machine.cores - 1, 8)
    return Chosen(
        workers,
        f"the prepared cohort ({taken / 1e9:.1f} GB) does not stay in memory: {machine.cores} "
        "cores less one, at most 8",
    )


def training_bytes(fields: Sequence[Field], stored: float, phases: int) -> float:
    """Return the memory that one patient takes in training.

    Args:
        fields: The fine view, then the coarse one.
        stored: Share of the room for rotation.
        phases: Of a patient.
    """
    seen = sum(
        each * field.voxels for each, field in zip((FINE_BYTES, LIVER_BYTES), fields, strict=False)
    )
    turned = sum(field.turned(stored).voxels for field in fields)
    return phases * (seen + 2 * (4 + 1) * turned)  # float32 and bits, before and after the turn


def stored_bytes(fields: Iterable[Field], stored: float, task: Task) -> float:
    """Return the size of the prepared cohort.

    Args:
        fields: Of all views.
        stored: Share of the room for rotation.
        task: Its patients and phases.
    """
    voxels = sum(field.turned(stored).voxels for field in fields)
    return task.patients * task.phases * voxels * STORED_BYTES


def _hours(
    fields: Sequence[Field], stored: float, task: Task, epochs: int, machine: Machine
) -> float:
    """Return about how long all folds train on the CPU."""
    visits = epochs * ROUNDS * task.train * task.folds
    seen = sum(field.voxels for field in fields) * SECONDS
    turned = sum(field.turned(stored).voxels for field in fields) * SECONDS_STORED
    return visits * task.phases * (seen + turned) / machine.cores / 3600
