"""Training: the module, its loop, checkpoints, and what a trained fold leaves."""
