"""What schedulers read."""
