"""What is written while a run goes on: history.csv and Weights & Biases."""
