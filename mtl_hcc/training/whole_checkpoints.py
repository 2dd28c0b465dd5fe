"""How training checkpoints reach the disk: whole, in their own folder, never by way of TMPDIR."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from mtl_hcc.atomic import write_bytes


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside its target, to the disk, and then in its place.

    Lightning's own writes into the folder for temporary files and moves from there. On another file
    system that move is a copy, which a kill or a full disk ends halfway, in the place of the
    earlier checkpoint; and a kill leaves patients' times in a folder that others may read.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write; until that has succeeded the earlier file stays as it is.

        Args:
            checkpoint: Tensors and plain values.
            path: The target.
            storage_options: There are none.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_bytes(Path(path), content.getvalue())
