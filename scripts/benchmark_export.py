"""Agreement of an exported segmenter in ONNX Runtime with torch on photographs, as JSON.

    python scripts/benchmark_export.py runs/segment/3f0c… export_folder photographs --count 50

`onnx` compares the labels of `segmenter.onnx` with those of the network at the same size, `predict`
with those of `wsss.load(…).predict`, which resizes an image's sides to multiples of the stride, and
`predict_resized` the same where the file gets the resized image, too.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch.nn import functional as F

import wsss
from wsss.data.colours import in_unit_range
from wsss.data.datasets import to_tensor
from wsss.data.images import IMAGE_SUFFIXES, read_rgb
from wsss.data.pyramids import Scales, rescale
from wsss.data.sources.file_source import walk_files


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stage", type=Path, help="folder of the finished stage `segment`")
    parser.add_argument("exported", type=Path, help="folder with its segmenter.onnx")
    parser.add_argument("photographs", type=Path, help="folder of images")
    parser.add_argument("--count", type=int, default=50, help="images, evenly spread over all")
    options = parser.parse_args()

    segmenter = wsss.load(options.stage)
    session = onnxruntime.InferenceSession(
        options.exported / "segmenter.onnx", providers=["CPUExecutionProvider"]
    )
    files = [*walk_files(options.photographs, IMAGE_SUFFIXES)]
    files = [files[index] for index in np.linspace(0, len(files) - 1, options.count).astype(int)]
    equal: dict[str, list[float]] = {"onnx": [], "predict": [], "predict_resized": []}
    difference = foreground = 0.0
    for file in files:
        image = read_rgb(options.photographs / file)
        batch = to_tensor(image)[None]
        logits, labels = session.run(["logits", "labels"], {"images": batch.numpy()})
        with torch.no_grad():
            expected = segmenter.network(in_unit_range(batch)).numpy()
        difference = max(difference, float(np.abs(logits - expected).max()))
        equal["onnx"].append(float((labels == expected.argmax(axis=1)).mean()))
        equal["predict"].append(float((labels[0] == segmenter.predict(image).labels).mean()))
        (size,) = Scales(multiple_px=segmenter.network.output_stride).sizes(image.shape[:2])
        resized = to_tensor(rescale(image, size))[None].numpy()
        (cells,) = session.run(["logits"], {"images": resized})
        full = F.interpolate(torch.from_numpy(cells), image.shape[:2], mode="bilinear")
        same = full[0].argmax(dim=0).numpy() == segmenter.predict(image).labels
        equal["predict_resized"].append(float(same.mean()))
        foreground += float((labels > 0).mean()) / len(files)
    found = {
        "images": len(files),
        "equal_labels": {name: float(np.mean(shares)) for name, shares in equal.items()},
        "least_equal_labels_of_an_image": {name: min(shares) for name, shares in equal.items()},
        "max_logit_difference": difference,
        "foreground_fraction": foreground,
    }
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
