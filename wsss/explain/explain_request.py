"""From a request to explanations: the classifier, the methods that can explain it, the images."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from wsss.artifacts import file_digest, fingerprint
from wsss.errors import WsssError
from wsss.explain.baseline_methods import BASELINES
from wsss.explain.class_choice import parse_classes
from wsss.explain.explain_images import Explained, explain_images
from wsss.explain.explained_classifier import load_classifier
from wsss.explain.explainer import Explainer, Scorer
from wsss.explain.method_catalogue import catalogue
from wsss.explain.output_folder import DEFAULT_OUTPUT
from wsss.explain.request import Request
from wsss.explain.supported_methods import build_methods
from wsss.machine.devices import usable_device
from wsss.models.saved_classifier import weight_files
from wsss.settings.config_dir import config_dir


def run(
    request: Request, configs: Mapping[str, DictConfig], visible: bool = True
) -> tuple[Path, Explained]:
    """Explain the images of a request; returns the folder of the results, and a summary.

    Methods that the classifier does not support are skipped, with a remedy.

    Args:
        request: the checked settings.
        configs: settings of each method, by its name.
        visible: whether to show a progress bar.

    Raises:
        WsssError: the request cannot be met, or nothing could be explained.
    """
    device = usable_device(request.device)
    classifier = load_classifier(request)
    choice = parse_classes(request.classes, classifier.class_names)
    methods, refused = build_methods(configs, catalogue(config_dir()), classifier, device)
    if not methods:
        raise WsssError(*refused)
    described = {
        "classifier": {"name": classifier.title, "weights": request.weights},
        "scales": list(request.scales),
        "flip": request.flip,
        "methods": {
            name: {
                "settings": OmegaConf.to_container(configs[name], resolve=True),
                "paper": method.provenance.paper,
                "reconstructed": method.provenance.reconstructed or None,
            }
            for name, method in methods.items()
        },
        "refused": [str(problem) for problem in refused],
    }
    scorer: Scorer | None = None
    if request.scores:
        from wsss.explain import faithfulness_scores as faithfulness

        described["protocol"] = faithfulness.described_protocol()
        described["baselines"] = [*BASELINES]
        scorer = Scorer(faithfulness.faithfulness_scores, faithfulness.faithfulness_passes)
    folder = request.output or DEFAULT_OUTPUT / _fingerprint(request, described)
    explainer = Explainer(
        *(classifier, methods, choice, request.scales, request.flip, device, scorer, BASELINES)
    )
    found = explain_images(folder, explainer, request.images, described, visible)
    found.problems[:0] = refused
    if not found.sheets:
        raise WsssError(*found.problems)
    return folder, found


def _fingerprint(request: Request, described: Mapping[str, Any]) -> str:
    """Fingerprint of a request: the same call writes to the same folder."""
    return fingerprint(
        {
            **described,
            "weight_files": weights_of(request),
            "images": [str(image.absolute()) for image in request.images],
            "classes": ",".join(map(str, request.classes)),
            "side_px": request.size,
            "scores": request.scores,
        }
    )


def weights_of(request: Request) -> list[str]:
    """Hashes of the files with the weights of a request's classifier."""
    weights = () if request.checkpoint is None else weight_files(request.checkpoint)
    if request.weights is not None and Path(request.weights).is_file():
        weights = (Path(request.weights),)
    return [file_digest(file) for file in weights]
