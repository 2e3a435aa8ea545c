"""Tags and explanations by a classifier, beside the masks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wsss.artifacts import file_digest
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
from wsss.models.saved_classifier import weight_files
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


@dataclass(frozen=True, slots=True)
class Tagger:
    """Notes probabilities of images, and draws their sheets of explanations.

    Each note names the classifier and the methods: what others have left is made anew.
    """

    explainer: Explainer
    """The classifier and its methods; without any, there are no sheets."""
    files: Sequence[str]
    """Digests of the classifier's files."""
    output: OutputFolder

    def has(self, item: Item) -> bool:
        """Whether an image has its tags by this classifier, and its sheet if there is one to be."""
        if not self.output.tags.has(item):
            return False
        note = self.output.tags.read(item)
        if note.get("classifier") != self.files:
            return False
        methods = [*self.explainer.methods]
        is_drawn = sheet_path(self.output.root, item).is_file()
        return not methods or (note["explanations"] == methods and is_drawn)

    def tag(self, items: Sequence[Item], notes: Path) -> Iterator[Item]:
        """Write notes and sheets of images, yielding each when it is done.

        Args:
            items: images.
            notes: where failures are noted.
        """
        for item in items:
            assert item.image is not None
            with failure_noted(notes, item):
                with any_size():
                    explanation = self.explainer.explain(item.image)
                path = sheet_path(self.output.root, item)
                if self.explainer.methods:
                    write_picture(path, sheet(explanation.image, sheet_rows(explanation)))
                else:
                    path.unlink(missing_ok=True)  # Another classifier's.
                note = {
                    "image": str(item.image),
                    "classifier": self.files,
                    "explanations": [*self.explainer.methods],
                    "probabilities": [round(p, 6) for p in explanation.probabilities.tolist()],
                }
                self.output.tags.write(item, note)
            yield item


def classifier_digests(folder: Path) -> list[str]:
    """Digests of the files that a classifier is read from: weights and descriptions."""
    return [
        file_digest(one)
        for path in weight_files(folder)
        for one in (path, path.with_suffix(".json"))
    ]
