"""Kubeflow Pipelines 2: the specification of a pipeline, what its steps run, and its schedule."""
