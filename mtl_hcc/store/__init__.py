"""The prepared store: how it is made, kept current, locked and read."""
