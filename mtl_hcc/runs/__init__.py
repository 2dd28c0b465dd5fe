"""A run: its folder, its folds, how it goes on, and what it exports."""
