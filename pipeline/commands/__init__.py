"""The commands of `aepipe`, one module a group; what is heavy is imported inside a command."""
