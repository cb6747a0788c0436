"""Transform's part of the pipelines: raw examples to scaled tensors."""
