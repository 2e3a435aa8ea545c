"""The classifier that a stage goes on with."""

from pathlib import Path

from wsss.errors import user_error
from wsss.models import SplitClassifier
from wsss.models.export import load_classifier, load_pair_heads
from wsss.stages.context import Context


def trained_classifier(context: Context) -> SplitClassifier:
    """The classifier of the stages before this one, with all that they trained beside it.

    In evaluation mode, without gradients.

    Raises:
        WsssError: there is none, or it is one of other classes than the data set's.
    """
    folder = classifier_folder(context)
    model, names = load_classifier(folder)
    if names != context.source.class_names:
        raise user_error(
            folder,
            f"a classifier of {len(names)} classes ({', '.join(names[:3])}, …)",
            f"the data set's {len(context.source.class_names)} classes",
            "Train it on this data set: `wsss run stages=[classify]`.",
        )
    if "oppose" in context.inputs:
        model.pair_heads = load_pair_heads(context.inputs["oppose"])
    return model


def classifier_folder(context: Context) -> Path:
    """The folder of the last stage that trained a classifier."""
    return context.inputs.get("reactivate", context.inputs["classify"])
