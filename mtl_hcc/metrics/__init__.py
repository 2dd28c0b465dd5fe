"""From tables of predictions to tables of metrics. Never imports torch; slow imports stay lazy."""
