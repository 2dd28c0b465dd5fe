"""What each part of a design is worth: variants trained on the same folds."""
