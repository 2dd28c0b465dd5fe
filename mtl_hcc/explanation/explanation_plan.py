"""What is explained, with what and where to: the command's settings become one plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jsonargparse import Namespace

from mtl_hcc.batch import PatientBatch
from mtl_hcc.cohorts.nifti_folder import NiftiFolder
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.data.dataset import PatientDataset, collate
from mtl_hcc.data.field_of_view import as_seen, seen_grid
from mtl_hcc.data.splits import SingleSplit
from mtl_hcc.data.splits.splits_csv import splits_file_of
from mtl_hcc.errors import ConfigError, MtlHccError
from mtl_hcc.explanation.explain_patient import Explained, ExplainSettings
from mtl_hcc.explanation.layers import MapLayer, choose_layer, map_layers
from mtl_hcc.explanation.randomization import randomized
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.view import View
from mtl_hcc.patient import Patient
from mtl_hcc.runs.model_config import build_data, prepare_data
from mtl_hcc.store.prepared_store import PreparedStore
from mtl_hcc.training.module import MultiTaskModule


@dataclass(frozen=True, kw_only=True)
class ExplanationPlan:
    """What is explained, with what, and where it goes.

    Attributes:
        module: Trained, in evaluation mode, on its device.
        trained: Its network and the layer whose maps are taken.
        random: The same with random weights, for the sanity test.
        layers: All that could be chosen.
        grid: Size and spacing of all prepared patients' grids.
        settings: How.
        dataset: The patients.
        store: Their prepared images.
        preparation: How they were prepared.
        sources: The patients' own images, where they are still there.
        output: The folder.
        overlays: Whether figures are drawn.
        device: Of the module.
    """

    module: MultiTaskModule
    trained: Explained
    random: tuple[Explained, ...]
    layers: Sequence[MapLayer]
    grid: Grid
    settings: ExplainSettings
    dataset: PatientDataset
    store: PreparedStore
    preparation: Preparation
    sources: Mapping[str, Patient]
    output: Path
    overlays: bool
    device: str

    @property
    def layer(self) -> MapLayer:
        """The layer whose maps are taken."""
        return self.trained.layer

    @property
    def phases(self) -> tuple[str, ...]:
        """Names along the image axis."""
        return tuple(self.preparation.views[self.view].phases)

    @property
    def view(self) -> str:
        """Whose encoder is explained."""
        return self.trained.view

    def seen(self, place: int) -> tuple[PatientBatch, Grid]:
        """Return one patient as the network sees it, and the grid of the explained view.

        Args:
            place: Of the patient in the dataset.
        """
        batch = collate([self.dataset[place]], region_bits=self.preparation.region_bits)
        for view in batch.views.values():
            view.images = view.images.float()
        views = self.preparation.views
        grid = _seen_grid(self.store, self.dataset.patient_ids[place], self.view, views[self.view])
        return as_seen(batch, views), grid


def make_plan(
    settings: Namespace, module: MultiTaskModule, values: dict[str, Any], view: str
) -> ExplanationPlan:
    """Prepare the cohort if need be, choose patients and layer.

    Args:
        settings: Of the command.
        module: Trained.
        values: The config that it carries.
        view: Whose encoder is explained; of a model with several, in a folder of its own.

    Raises:
        ConfigError: A setting makes no sense.
    """
    output = Path(settings.output or default_output(Path(settings.checkpoint)))
    datamodule = _datamodule(settings, values, output)
    prepare_data(datamodule, own_reader=settings.source is not None)
    datamodule.setup("predict")
    store = PreparedStore(datamodule.store_root)
    if datamodule.preparation is None or not len(store):
        raise ConfigError("there is nobody with images", where=str(datamodule.store_root))
    dataset = _dataset(datamodule, store, settings)
    recipe = datamodule.preparation
    grid = _seen_grid(store, dataset.patient_ids[0], view, recipe.views[view])
    layers = map_layers(module.network.encoder(view), grid.shape, recipe.region_bits)
    layer = choose_layer(layers, grid, settings.layer)
    device = settings.device or ("cuda" if torch.cuda.is_available() else "cpu")
    module.requires_grad_(False).eval().to(device)
    for name in module.network.encoders:  # hooks see all instances of a patient in one call
        module.network.encoder(name).instances_per_chunk = None
    return ExplanationPlan(
        module=module,
        trained=Explained(network=module.network, view=view, layer=layer),
        random=_random(module, view, layer, grid, recipe.region_bits, settings.seed)
        if settings.sanity
        else (),
        layers=layers,
        grid=grid,
        settings=ExplainSettings(
            method=settings.method,
            ring_mm=settings.ring_mm,
            draws=settings.draws,
            seed=settings.seed,
            sanity=settings.sanity,
        ),
        dataset=dataset,
        store=store,
        preparation=recipe,
        sources=_sources(datamodule),
        output=output / view if len(module.network.encoders) > 1 else output,
        overlays=not settings.no_overlays,
        device=device,
    )


def _seen_grid(store: PreparedStore, patient_id: str, name: str, view: View) -> Grid:
    """Return the grid of what the network sees of a patient."""
    return seen_grid(store.load(patient_id).views[name].geometry, view)


def default_output(checkpoint: Path) -> Path:
    """Return ``explanation/`` in the run folder of a checkpoint."""
    if checkpoint.is_file():
        folder = checkpoint.parent
        return (folder.parent if folder.name == "checkpoints" else folder) / "explanation"
    return (checkpoint.parent if checkpoint.name == "model" else checkpoint) / "explanation"


def _random(
    module: MultiTaskModule,
    view: str,
    layer: MapLayer,
    grid: Grid,
    region_bits: Mapping[str, int],
    seed: int,
) -> tuple[Explained, ...]:
    """Return copies with more and more random weights, each with the same layer of its own."""
    copies = []
    for stage, network in randomized(module.network, view, seed=seed):
        found = map_layers(network.encoder(view), grid.shape, region_bits)
        (same,) = (one for one in found if one.name == layer.name)
        copies.append(Explained(network=network, view=view, layer=same, stage=stage))
    return tuple(copies)


def chosen_views(settings: Namespace, module: MultiTaskModule) -> list[str]:
    """Return the views whose encoders are explained: the one that is named, or all.

    Raises:
        ConfigError: The model has no images, or not this view, or a setting makes no sense.
    """
    _check(settings, module)
    views = list(module.network.encoders)
    if settings.view is None:
        return views
    if settings.view not in views:
        raise ConfigError(
            f"the model has no encoder of the view '{settings.view}'",
            where="--view",
            expected=f"one of {', '.join(views)}",
            remedy="Name one of them, or leave the flag out for all.",
        )
    return [settings.view]


def _check(settings: Namespace, module: MultiTaskModule) -> None:
    if not module.network.encoders:
        raise ConfigError(
            "the model takes no images: it has nothing that could be mapped or occluded",
            where=settings.checkpoint,
            expected="a model with encoders of images; occlusion of clinical "
            "covariates is not offered",
            remedy="For a clinical model read the hazard and odds ratios of the report.",
        )
    least = {"draws": 1, "ring_mm": 0, "seed": 0, "bootstraps": 1}
    given = [(name, settings[name], low) for name, low in least.items()]
    if settings.limit is not None:
        given.append(("limit", settings.limit, 1))
    for name, value, low in given:
        if value < low:
            raise ConfigError(
                f"{name} is {value}",
                where=f"--{name}",
                expected=f"{low} or more",
                remedy="Mend it.",
            )


def _datamodule(settings: Namespace, values: dict[str, Any], output: Path) -> CohortDataModule:
    """Return the data of the run itself, or of another cohort prepared in the same way.

    A model's config does not say where we write: the store that it names is used as it is, and
    where it is not current another is made in the output folder.
    """
    data = values["data"]
    shared = {"source": settings.source, "trusted": settings.trust}
    prepared, named = str(output / "prepared"), data.get("store")

    def of_run(store: str, cohort: str | None) -> CohortDataModule:
        own = build_data(values, store=store, cohort=cohort, fold=data.get("fold", 0), **shared)
        own.run_splits = splits_file_of(Path(settings.checkpoint))
        return own

    own = of_run(settings.store or str(named or prepared), data.get("cohort"))
    another = settings.cohort is not None and (
        Path(settings.cohort).resolve() != own.cohort_root.resolve()
    )
    if another:
        own = build_data(values, store=settings.store or prepared, cohort=settings.cohort, **shared)
        # Whatever the table says of splits, the model has seen nobody of them.
        own.split = SingleSplit(name=settings.split or "external")
        return own
    if settings.cohort is not None:  # its own one, also where the store is another folder
        own = of_run(str(own.store_root), str(own.cohort_root))
    if settings.store is None and not _is_ready(own):
        own = of_run(prepared, own.cohort)
    return own


def _is_ready(data: CohortDataModule) -> bool:
    """Return whether the store can be used without writing anything."""
    try:
        return data.prepared.is_ready()
    except MtlHccError:
        return False


def _dataset(
    datamodule: CohortDataModule, store: PreparedStore, settings: Namespace
) -> PatientDataset:
    """Return the chosen patients: by name, or of a split, or all that were not trained on."""
    splits = datamodule.splits
    if settings.patients:
        for patient_id in settings.patients:
            store.path(patient_id)  # says why not
        chosen = [name for name in splits.index if name in set(settings.patients)]
    elif settings.split is not None:
        chosen = splits.index[splits == settings.split].tolist()
    else:
        chosen = splits.index[splits != "train"].tolist()
    if not chosen:
        known = ", ".join(f"{name} ({number})" for name, number in splits.value_counts().items())
        raise ConfigError(
            f"nobody is in the split '{settings.split or 'other than train'}'",
            where="--split",
            expected=f"one of {known}",
            remedy="Name a split that has patients.",
        )
    return PatientDataset(
        table=datamodule.table,
        patient_ids=chosen[: settings.limit],
        splits=splits,
        target_names=datamodule.target_names,
        covariates=datamodule.covariate_values,
        store=store,
    )


def _sources(datamodule: CohortDataModule) -> Mapping[str, Patient]:
    """Return where the patients' own images lie; nothing when the cohort is on another machine."""
    if not datamodule.cohort_root.exists():
        return {}
    return (datamodule.source or NiftiFolder()).read(datamodule.cohort_root).patients
