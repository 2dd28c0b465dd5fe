"""How well predicted probabilities agree with the classes that were found."""
