"""Remedies for a library's errors, in the settings of a command."""

from collections.abc import Mapping
from dataclasses import replace

from wsss.cams.core.needs import Need
from wsss.errors import LibraryError, Problem

Remedies = Mapping[str, str]
"""Imperative sentences by the name of the need.

Where several needs are missing, the last of these remedies is shown: it mends the others as well.
"""

FOR_RUN: Remedies = {
    Need.LINEAR_HEAD: "Use a classifier of `wsss run`, such as one of "
    "`backbone=efficientnet_lite0`; `cam=gradcam` works on any head.",
    Need.INNER_LAYERS: "Use a convolutional network, such as `backbone=efficientnet_lite0` or "
    "`backbone=resnet50`.",
    Need.GRAPH: "Use `backbone=vig_tiny` or `backbone=pvig_tiny`; `cam=gradcam` works on any "
    "network.",
    Need.ATTENTION: "Use `backbone=deit_small`, or put an attention network beside this one: "
    "`cam.attention_network=…`, as configs/cam/ad_cam.yaml does.",
    Need.CLASS_TOKEN: "Use a transformer with a class token, such as `backbone=deit_small`, or "
    "`cam=transcam`, which needs none.",
    Need.TOKENS: "Use `backbone=deit_small`; `cam=recipro_cam` masks the features of any network.",
    Need.SECOND_CLASSIFIER: "Run with `cam=recam`, which trains it in the stage `reactivate`.",
    Need.PAIR_HEADS: "Run with `cam=meng`, which trains them in the stage `oppose`.",
    Need.TEXT_HEAD: "Run with `cam=clip_text` and `backbone=clip_vit_b16`, which take the classes' "
    "names in the stage `classify`.",
    "last stage": "Use `backbone=efficientnet_lite0` or `backbone=resnet50`.",
    "dilated encoder": "Use `segmenter=deeplabv3plus_lite0`, or give this one an encoder of "
    "its own: `segmenter.encoder=tf_efficientnet_lite0 segmenter.weights=package`.",
    "pyramid encoder": "Give it an encoder of its own: `segmenter.encoder=tf_efficientnet_lite0 "
    "segmenter.weights=package`, or `segmenter.encoder=pvt_v2_b2 segmenter.weights=hub`.",
    "transformer encoder": "Name a vision transformer, such as "
    "`segmenter.encoder=deit_small_patch16_224 segmenter.weights=hub`.",
    "boundary heads": "Run with `refine=affinity`, or take `propagate=features`, which needs none.",
    "attention of patches": "Put an attention network beside the classifier, as "
    "configs/propagate/attention.yaml does, use `backbone=deit_small`, or take "
    "`propagate=features`, which needs none.",
    "VOCdevkit": "Set data.root=… to the folder that holds VOCdevkit/, or data.download=true to "
    "fetch it.",
    "columns of tags": "Name the columns of the images and of their labels: "
    "`data.columns=[filename,species]`.",
    "separator of labels": "Say what separates labels, `data.separator=comma` (or pipe, semicolon, "
    "space, list, any sign), or that a cell is one class, `data.separator=none`. Or list the "
    "classes in classes.txt, or write `|` between labels.",
    "engine for GPUs": "Take `refine/engine=torch`, or leave the device out.",
    "pydensecrf2": "Install it with `pip install pydensecrf2` (needs a C++ compiler), or take "
    "`refine/engine=numba`, which gives the same labels faster.",
}
"""In settings of `wsss run`."""

FOR_EXPLAIN: Remedies = {
    Need.LINEAR_HEAD: "Use a network with a linear head, such as `model=timm:resnet50`; "
    "`cam=gradcam` works on any head.",
    Need.INNER_LAYERS: "Use a convolutional network, such as `model=timm:resnet50`.",
    Need.GRAPH: "Use `model=wsss:vig_tiny` or `model=wsss:pvig_tiny` with `weights=FILE`, the "
    "checkpoint that huawei-noah/Efficient-AI-Backbones releases; `cam=gradcam` works on any "
    "network.",
    Need.ATTENTION: "Use `checkpoint=…` of a classifier of `wsss run backbone=deit_small`, or "
    "leave the method the attention network that it brings along.",
    Need.CLASS_TOKEN: "Use a transformer with a class token, such as one of `wsss run "
    "backbone=deit_small`, or `cam=transcam`, which needs none.",
    Need.TOKENS: "Use `checkpoint=…` of a classifier of `wsss run backbone=deit_small`; "
    "`cam=recipro_cam` masks the features of any network.",
    Need.SECOND_CLASSIFIER: "Train one by `wsss run cam=recam`, and use "
    "`checkpoint=runs/reactivate/…`.",
    Need.PAIR_HEADS: "Train some by `wsss run cam=meng`, and use `checkpoint=runs/oppose/…`.",
    Need.TEXT_HEAD: "Make one by `wsss run cam=clip_text` with `backbone=clip_vit_b16`, and use "
    "`checkpoint=runs/classify/…`.",
}
"""In settings of `wsss explain`."""

FOR_CAM: Remedies = {
    **FOR_RUN,
    "weights of a hub": "Copy that folder from the cache of a machine with a network, or build the "
    "method with a network of yours: `wsss.cams.ad_cam.ADCAM(attention_network="
    "wsss.models.VitBackbone(NAME, FILE))`.",
}
"""For a method by its name in Python, where there are no settings."""


def told(error: LibraryError, setting: str, remedies: Remedies) -> Problem:
    """The problem of an error, in the settings of a command.

    Args:
        error: of a library.
        setting: the user's name of the argument.
        remedies: of the command.
    """
    problem = error.problem(setting)
    known = [remedy for need, remedy in remedies.items() if need in error.needs]
    return replace(problem, remedy=known[-1]) if known else problem
