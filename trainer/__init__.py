"""The autoencoders: models, input, training, export."""

import ast
from pathlib import Path


def model_names() -> list[str]:
    """Returns the names of `trainer.models.MODELS`, without its imports: Keras takes seconds."""
    module = ast.parse((Path(__file__).parent / "models.py").read_text())
    (models,) = (
        node.value
        for node in module.body
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and node.target.id == "MODELS"
    )
    assert isinstance(models, ast.Dict)
    return [str(key.value) for key in models.keys if isinstance(key, ast.Constant)]
