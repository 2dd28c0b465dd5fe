"""Runs without a process for each."""

from tiny_study import in_process

__all__ = ["in_process"]
