"""From the prepared store to batches: splits, sampling, augmentation, loading."""
