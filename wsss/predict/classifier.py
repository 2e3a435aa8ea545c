"""Tags and explanations by a classifier, beside the masks."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from wsss.data.sample import Item
from wsss.errors import WsssError, user_error
from wsss.explain.class_choice import ClassChoice
from wsss.explain.contact_sheet import sheet
from wsss.explain.explain_images import sheet_rows
from wsss.explain.explained_classifier import Classifier, load_classifier
from wsss.explain.explainer import Explainer
from wsss.explain.method_catalogue import GROUP, catalogue
from wsss.explain.options import configure_methods
from wsss.explain.output_folder import write_picture
from wsss.explain.request import configure, request_of
from wsss.explain.supported_methods import build_methods
from wsss.predict.output_folder import OutputFolder
from wsss.predict.pixel_limit import any_size
from wsss.settings.config_dir import config_dir
from wsss.stage_tools.worker_pool import failure_noted


def explainer_of(
    folder: Path, methods: Sequence[str], class_names: Sequence[str], device: str
) -> Explainer:
    """A classifier of the segmenter's classes, and methods that explain it.

    Args:
        folder: of a finished stage.
        methods: names, as for `wsss explain`.
        class_names: of the segmenter.
        device: where it computes.

    Raises:
        WsssError: there is no classifier, it has other classes, or does not support a method.
    """
    cfg, _ = configure(["image"])
    cfg.checkpoint = str(folder)
    classifier = load_classifier(request_of(cfg))
    check_same_classes(classifier, class_names)
    try:
        configs = configure_methods(methods, []) if methods else {}
        built, refused = build_methods(configs, catalogue(config_dir()), classifier, device)
        if refused:
            raise WsssError(*refused)
    except WsssError as error:
        told = [
            replace(one, where=one.where.replace(f"{GROUP}=", "explanations=", 1))
            for one in error.problems
        ]
        raise WsssError(*told) from None
    return Explainer(classifier, built, ClassChoice(), device=device)


def check_same_classes(classifier: Classifier, class_names: Sequence[str]) -> None:
    """Refuse a classifier of other classes than the segmenter's.

    Raises:
        WsssError: names the difference.
    """
    if classifier.class_names == tuple(class_names):
        return
    raise user_error(
        f"classifier={classifier.title}",
        f"a classifier of {', '.join(classifier.class_names)}",
        f"the segmenter's classes in their order: {', '.join(class_names)}",
        "Use the classifier of the same run, or leave it out.",
    )


def sheet_path(root: Path, item: Item) -> Path:
    """The sheet of explanations of an image."""
    return root / "explanations" / f"{item.file_stem}.png"


def classify(
    explainer: Explainer, items: Sequence[Item], output: OutputFolder, notes: Path
) -> Iterator[Item]:
    """Note the probabilities of images, and draw the sheets of explanations.

    Args:
        explainer: the classifier and its methods; without any, there are no sheets.
        items: images.
        output: the folder of results.
        notes: where failures are noted.
    """
    for item in items:
        assert item.image is not None
        with failure_noted(notes, item):
            with any_size():
                explanation = explainer.explain(item.image)
            if explainer.methods:
                picture = sheet(explanation.image, sheet_rows(explanation))
                write_picture(sheet_path(output.root, item), picture)
            probabilities = [round(p, 6) for p in explanation.probabilities.tolist()]
            output.tags.write(item, {"image": str(item.image), "probabilities": probabilities})
        yield item


def is_classified(explainer: Explainer, output: OutputFolder, item: Item) -> bool:
    """Whether an image has its tags, and its sheet if there is one to be."""
    return output.tags.has(item) and (
        not explainer.methods or sheet_path(output.root, item).is_file()
    )
