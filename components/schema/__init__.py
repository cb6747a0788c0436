"""Curated schemas: what each pipeline's examples must look like."""
