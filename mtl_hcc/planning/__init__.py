"""A cohort is measured, rules choose the settings, and both are written down as a config."""
