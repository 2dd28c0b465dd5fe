"""What is trained beside networks: models on tables."""
