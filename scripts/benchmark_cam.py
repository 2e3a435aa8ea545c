"""What every activation-mapping method costs, and what its maps are worth.

Usage:
    python scripts/benchmark_cam.py --output runs/benchmark_cam
    python scripts/benchmark_cam.py --methods cam gradcam --models resnet50 --rounds 20
    python scripts/benchmark_cam.py --skip-speed --work-dir runs --data my_images --images 100

Time is a multiple of one bare forward pass; memory is the peak of a fresh process a method. Methods
that other libraries have (pip install torchcam grad-cam captum) are compared with them. With a
finished run's folder and its data set, faithfulness, localisation and seeds are measured, too, with
95 % intervals over the images, and beside two baselines: a random map and a centred Gaussian.
Writes benchmark_cam.json and benchmark_cam.md into the output folder.
"""

import argparse
import sys
import warnings
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from cam_benchmark.contestants import make_inputs, make_method, make_model, method_names
from cam_benchmark.memory import peak_in_subprocess, peak_of, print_peak
from cam_benchmark.quality import classifier_for, faithfulness_row
from cam_benchmark.tables import markdown
from cam_benchmark.timing import FORWARD, time_methods

from wsss.artifacts import write_json
from wsss.cams.core.method import CamMethod
from wsss.data.pyramids import Scales
from wsss.data.sources.folder.folder import Folder
from wsss.explain.baseline_methods import BASELINES
from wsss.explain.faithfulness_protocol import Protocol, labelled_classes, predicted_class
from wsss.machine.memory import keep_freed_memory
from wsss.metrics.explanation.replacement_images import Blur, black
from wsss.pipeline.versions import commit, versions

LIBRARIES = ("torchcam", "grad-cam", "captum")
CLASS_RULES = {"predicted": predicted_class, "label": labelled_classes}
FILLS = {"mean": None, "black": black, "blur": Blur()}


def parsed() -> argparse.Namespace:
    kind = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=kind)
    add = parser.add_argument
    add("--methods", nargs="+", default=None, help="names in configs/cam (all)")
    add(
        "--models",
        nargs="+",
        default=["resnet50", "tf_efficientnet_lite0"],
        help="names in configs/backbone or of timm, or folders of exported classifiers",
    )
    add("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings of the methods")
    add("--output", type=Path, default=Path("runs/benchmark_cam"))
    add("--device", default="cpu", type=torch.device)
    add("--threads", type=int, default=None, help="of torch (as many as it takes)")
    speed = parser.add_argument_group("time and memory")
    speed.add_argument("--size-px", type=int, default=224)
    speed.add_argument("--batch-size", type=int, default=8)
    speed.add_argument("--present", type=int, default=3, help="classes of each image")
    speed.add_argument("--num-classes", type=int, default=20)
    speed.add_argument("--rounds", type=int, default=15)
    speed.add_argument("--warm-up", type=int, default=2, help="rounds that do not count")
    speed.add_argument("--memory-size-px", type=int, default=512)
    speed.add_argument("--skip-speed", action="store_true")
    speed.add_argument("--skip-memory", action="store_true")
    speed.add_argument("--memory-of", help=argparse.SUPPRESS)
    data = parser.add_argument_group("worth on a data set")
    data.add_argument("--work-dir", type=Path, help="folder of a finished run, for its classifier")
    data.add_argument("--data", type=Path, help="data set as of `data=folder`")
    data.add_argument("--split", default="val", choices=["train", "val"])
    data.add_argument("--images", type=int, default=50, help="spread evenly over the split")
    data.add_argument("--class-rule", default="predicted", choices=sorted(CLASS_RULES))
    data.add_argument("--fill", default="mean", choices=sorted(FILLS))
    data.add_argument("--own-resolution", action="store_true", help="score maps before resizing")
    data.add_argument("--skip-curves", action="store_true", help="no deletion and insertion")
    data.add_argument("--step", type=int, default=None, help="pixels of a curve's step (224)")
    data.add_argument("--scales", type=float, nargs="+", default=[1.0, 1.5], help="of the seeds")
    data.add_argument("--seed-threshold", type=float, default=0.3)
    arguments = parser.parse_args()
    if (arguments.work_dir is None) != (arguments.data is None):
        parser.error("--work-dir and --data belong together")
    return arguments


def main() -> None:
    arguments = parsed()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.memory_of:
        print_memory(arguments)
        return
    keep_freed_memory()
    # Other libraries warn of their own affairs.
    warnings.simplefilter("ignore")
    names = arguments.methods or method_names()
    result: dict[str, Any] = {
        "environment": environment(arguments.device),
        "settings": {
            key: str(value) if isinstance(value, (Path, torch.device)) else value
            for key, value in vars(arguments).items()
        },
        "models": {},
    }
    for model in () if arguments.skip_speed else arguments.models:
        result["models"][model] = speed_rows(model, names, arguments)
        save(result, arguments.output)
    if arguments.work_dir is not None:
        result["data"] = quality_rows(names, arguments)
    save(result, arguments.output)
    print(markdown(result))


def speed_rows(model_name: str, names: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """Time and memory of every method on a model, or why there are none."""
    device = arguments.device
    model = make_model(model_name, arguments.num_classes, device)
    methods: dict[str, CamMethod] = {}
    rows: dict[str, Any] = {FORWARD: {}, **{name: {} for name in names}}
    images, classes = make_inputs(
        model, arguments.batch_size, arguments.size_px, arguments.present, device
    )
    for name in names:
        note(f"{model_name}: trying {name}")
        try:
            method = make_method(name, arguments.set, device, trained=False)
            method.check(model)
            with torch.no_grad():
                method(model, images[:1], classes[:1])
        except Exception as error:  # Whatever is wrong with one method, the others are measured.
            rows[name] = {"refused": reason(error)}
            continue
        methods[name] = method
    note(f"{model_name}: timing {', '.join(methods)}")
    timed = time_methods(model, methods, images, classes, arguments.rounds, arguments.warm_up)
    for name, row in timed.items():
        rows[name] |= row
    for name in () if arguments.skip_memory else timed:
        note(f"{model_name}: memory of {name}")
        rows[name]["memory_mb"] = peak_in_subprocess(
            Path(__file__),
            [
                *("--memory-of", name, "--models", model_name, "--device", str(device)),
                *("--memory-size-px", str(arguments.memory_size_px)),
                *("--num-classes", str(arguments.num_classes)),
                *("--present", str(arguments.present)),
                *(("--threads", str(arguments.threads)) if arguments.threads else ()),
                *(("--set", *arguments.set) if arguments.set else ()),
            ],
        )
    return rows


def print_memory(arguments: argparse.Namespace) -> None:
    """The work of one process of the memory measurement."""
    numbers = peak_of(
        arguments.models[0],
        arguments.memory_of,
        arguments.set,
        arguments.num_classes,
        arguments.memory_size_px,
        arguments.present,
        arguments.device,
    )
    print_peak(numbers)


def quality_rows(names: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """Figures of every method and of the baselines on the data set."""
    source = Folder(arguments.data)
    everything = source.items(arguments.split)
    count = min(arguments.images, len(everything))
    items = [everything[index * len(everything) // count] for index in range(count)]
    protocol = Protocol(
        class_rule=CLASS_RULES[arguments.class_rule],
        fill=FILLS[arguments.fill],
        own_resolution=arguments.own_resolution,
        curves=not arguments.skip_curves,
        step=arguments.step,
    )
    rows: dict[str, Any] = {}
    for name in dict.fromkeys((*names, *BASELINES)):
        note(f"{source.name}: {name}")
        try:
            method = make_method(name, arguments.set, arguments.device)
            model, _ = classifier_for(method, arguments.work_dir)
            rows[name] = faithfulness_row(
                model.to(arguments.device, memory_format=torch.channels_last),
                method,
                source,
                items,
                protocol,
                Scales(tuple(arguments.scales)),
                arguments.seed_threshold,
                arguments.size_px,
                arguments.device,
            )
        except Exception as error:  # Whatever is wrong with one method, the others are measured.
            rows[name] = {"refused": reason(error)}
    return {
        "source": source.name,
        "split": arguments.split,
        "images": count,
        "methods": rows,
    }


def environment(device: torch.device) -> dict[str, Any]:
    """What times depend on."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else "CPU",
        "threads": torch.get_num_threads(),
        "commit": commit(),
        "date": datetime.now().astimezone().isoformat(timespec="minutes"),
        "versions": versions() | library_versions(),
    }


def library_versions() -> dict[str, str]:
    """Versions of the libraries that are compared with, as far as they are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def save(result: dict[str, Any], folder: Path) -> None:
    """Write both files; called again whenever more is known."""
    write_json(folder / "benchmark_cam.json", result)
    (folder / "benchmark_cam.md").write_text(markdown(result), encoding="utf-8")


def reason(error: Exception) -> str:
    """Why a method has no figures, in one line."""
    return " ".join(str(error).split()) or type(error).__name__


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
