"""Which blessed model a candidate is compared with: the latest that is older than an artifact."""

from collections.abc import Sequence

import ml_metadata as mlmd
from tfx.components.evaluator import constants
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.types.artifact import Artifact

BEFORE_KEY = "before"
MODEL_KEY = "model"
MODEL_BLESSING_KEY = "model_blessing"

JUDGED_MODEL_PROPERTY = "judged_model"
"""Custom property of a blessing: URI of the model that was judged, threshold set inside."""


class LatestBlessedModelBefore(ResolverStrategy):
    """Resolves the latest blessed model with a smaller artifact id than `before`.

    TFX's `LatestBlessedModelStrategy` takes the latest blessed model there is. On an unchanged
    second run that is the model which the first run has just blessed: another baseline than the
    first run had, so the evaluator and the pusher run again. Seen from an artifact that comes out
    of the cache, such as the Trainer's model, "the latest before it" is the same in both runs.

    It also differs in which artifact it returns: the model as judged, which carries its
    threshold, rather than the Trainer's model that was handed to the evaluator. The two are
    matched by the blessing's `judged_model` property.

    Example:

    ```python
    baseline = Resolver(
        strategy_class=LatestBlessedModelBefore,
        before=trainer.outputs["model"],
        model=Channel(type=Model),
        model_blessing=Channel(type=ModelBlessing),
    ).with_id("BaselineResolver")
    evaluator = ThresholdEvaluator(..., baseline_model=baseline.outputs["model"])
    ```

    `before` may be any channel of one artifact. If nothing qualifies, as in a first run, the
    outputs are empty, so a component that reads them declares its input `optional=True`.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[Artifact]]
    ) -> dict[str, list[Artifact]]:
        """Picks the baseline out of all models and blessings of the pipeline.

        Args:
            store: Not used: TFX has looked the candidates up already.
            input_dict: `before`, `model` and `model_blessing`.

        Returns:
            The same keys; `model` and `model_blessing` hold one artifact each, or none.

        Raises:
            ValueError: The Resolver's channels have other names.
        """
        del store
        expected = {BEFORE_KEY, MODEL_KEY, MODEL_BLESSING_KEY}
        if set(input_dict) != expected:
            raise ValueError(f"expected the channels {sorted(expected)}, got {sorted(input_dict)}")
        before = min((artifact.id for artifact in input_dict[BEFORE_KEY]), default=0)
        earlier = [model for model in input_dict[MODEL_KEY] if model.id < before]
        match = _latest_blessed(earlier, input_dict[MODEL_BLESSING_KEY])
        return {
            BEFORE_KEY: input_dict[BEFORE_KEY],
            MODEL_KEY: [match[0]] if match else [],
            MODEL_BLESSING_KEY: [match[1]] if match else [],
        }


def _latest_blessed(
    models: Sequence[Artifact], blessings: Sequence[Artifact]
) -> tuple[Artifact, Artifact] | None:
    blessing_by_uri = {
        blessing.get_string_custom_property(JUDGED_MODEL_PROPERTY): blessing
        for blessing in blessings
        if blessing.get_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY)
        == constants.BLESSED_VALUE
    }
    for model in sorted(models, key=lambda model: model.id, reverse=True):
        if model.uri in blessing_by_uri:
            return model, blessing_by_uri[model.uri]
    return None
