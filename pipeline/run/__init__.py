"""A run in three operations: begin, one stage, end; its record, and past runs."""
