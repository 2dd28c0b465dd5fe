"""How well two readers agree: masks, measurements, categories."""
