"""Classifiers that have what a method needs, in words that `wsss explain` takes."""

from wsss.cam.needs import Need

CLASSIFIERS = {
    Need.LINEAR_HEAD: (
        "Use a network with a linear head, such as `--model timm:resnet50`; `--method gradcam` "
        "works on any head."
    ),
    Need.INNER_LAYERS: "Use a convolutional network, such as `--model timm:resnet50`.",
    Need.GRAPH: (
        "Use `--model wsss:vig_tiny` or `wsss:pvig_tiny` with `--weights FILE`, the checkpoint "
        "that huawei-noah/Efficient-AI-Backbones releases; `--method gradcam` works on any network."
    ),
    Need.ATTENTION: (
        "Use `--checkpoint` of a classifier of `wsss run backbone=deit_small`, or leave the "
        "method the attention network that it brings along."
    ),
    Need.TOKENS: (
        "Use `--checkpoint` of a classifier of `wsss run backbone=deit_small`; "
        "`--method recipro_cam` masks the features of any network."
    ),
    Need.SECOND_CLASSIFIER: (
        "Train one by `wsss run cam=recam`, and use `--checkpoint runs/reactivate/…`."
    ),
    Need.PAIR_HEADS: "Train some by `wsss run cam=meng`, and use `--checkpoint runs/oppose/…`.",
}
"""What to use instead, by what was missing, as imperative sentences."""
