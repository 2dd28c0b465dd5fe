"""Contenders that take turns: how long a training step takes, and how much of it waits for data."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader


class Contender:
    """Something that makes training steps, and how long they take.

    Args:
        loader: Gives batches, endlessly.
        step: Trains on one.
        device: Where.
    """

    def __init__(
        self, loader: DataLoader[Any], step: Callable[[Any], None], *, device: str
    ) -> None:
        self.batches: Iterator[Any] = iter(loader)
        self.step, self.device = step, device
        self.seconds: list[float] = []
        self.waiting: list[float] = []

    def turn(self, steps: int) -> None:
        """Make some steps and note the mean time of one, and its share of waiting for data."""
        now = time.process_time if self.device == "cpu" else time.perf_counter
        began, waited = now(), 0.0
        for _ in range(steps):
            before = now()
            batch = next(self.batches)
            waited += now() - before
            self.step(batch)
        if self.device != "cpu":
            torch.cuda.synchronize()
        took = now() - began
        self.seconds.append(took / steps)
        self.waiting.append(waited / took)
