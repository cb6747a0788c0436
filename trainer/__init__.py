"""The three autoencoders: models, input, training, export."""
