"""The search for better settings of the trainer: many short trainings on one Transform's output."""
