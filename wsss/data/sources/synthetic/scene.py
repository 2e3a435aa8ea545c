"""Scenes of the synthetic data set: composed at random, drawn as mask and image."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import cv2
import numpy as np
from jaxtyping import Float, Int32, UInt8

from wsss.data.sample import BACKGROUND_LABEL
from wsss.data.sources.synthetic.backdrops import BACKDROPS, Canvas
from wsss.data.sources.synthetic.shapes import CLUTTER, HALF_BOX, RGB, SHAPES, Outline, Shape

MIN_VISIBLE_AREA = 0.03
"""Least fraction of the image that is covered by an object."""
MIN_VISIBLE_SHARE = 0.75
"""Least fraction of an object that is neither occluded nor outside the image."""

_FRAMES = ((1.0, 1.0), (0.8, 1.2), (1.2, 0.8))
"""Height and width of an image as factors on the nominal size."""
_OBJECT_EXTENT = (0.28, 0.44)
"""Least and greatest half size of a lone object as part of the mean image side."""
_CROWDING = 0.3
"""Objects shrink by their number to this power."""
_CLUTTER_EXTENT = (0.04, 0.11)
_MAX_TRIES = 60
"""Poses tried to find room for an object."""
_ZOOM = 3
"""Canvas pixels per image pixel while drawing."""
_PREVIEW_PX = 48
"""Longer side of the canvas while composing."""
_SHIFT = 4
"""Fractional bits of the coordinates handed to OpenCV."""
_EDGE_TONE = 0.55


@dataclass(frozen=True, slots=True)
class Placement:
    """A shape with a label, a colour and a pose in the image."""

    shape: Shape
    label: int
    color: RGB
    centre: tuple[float, float]
    """x and y in pixels, from the image's corner."""
    half_size: float
    """Half the side of the shape's box, in pixels."""
    aspect: float
    """Factor on the width, and divisor of the height, before turning."""
    angle_deg: float
    """Clockwise."""
    mirrored: bool

    def outlines(self, zoom: float) -> Iterator[Outline]:
        """The outlines of the patches on a canvas with `zoom` pixels per image pixel."""
        angle = np.radians(self.angle_deg)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        stretch = np.diag([self.aspect * (-1 if self.mirrored else 1), 1 / self.aspect])
        matrix = self.half_size / HALF_BOX * stretch @ turn
        for patch in self.shape.patches:
            # OpenCV puts the centre of the first pixel, not its corner, at 0.
            yield zoom * (patch.outline @ matrix + self.centre) - 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """The contents of one image, without its random texture."""

    height: int
    width: int
    backdrop: int
    """Index in `BACKDROPS`; a class's typical backdrop is its label - 1."""
    placements: tuple[Placement, ...]
    """Clutter, then objects, from back to front."""

    @property
    def labels(self) -> tuple[int, ...]:
        """Labels of the objects, ascending, each once."""
        return tuple(sorted({p.label for p in self.placements} - {BACKGROUND_LABEL}))


def compose(
    size_px: int, first_label: int, max_objects: int, context_bias: float, rng: np.random.Generator
) -> Scene:
    """Draw a scene at random, with an object of `first_label` and up to `max_objects` in all.

    With probability `context_bias` the backdrop is that of the first object, otherwise any one.
    Every object is visible by `MIN_VISIBLE_AREA` and `MIN_VISIBLE_SHARE`; those for which there is
    no room are left out.
    """
    rows, columns = _FRAMES[rng.integers(len(_FRAMES))]
    is_typical = rng.random() < context_bias
    any_backdrop = int(rng.integers(len(BACKDROPS)))
    backdrop = first_label - 1 if is_typical else any_backdrop
    empty = Scene(round(rows * size_px), round(columns * size_px), backdrop, ())
    clutter = [
        _place(CLUTTER[kind], BACKGROUND_LABEL, _CLUTTER_EXTENT, empty, rng)
        for kind in rng.integers(len(CLUTTER), size=rng.integers(2, 7))
    ]
    # The minimum of two draws: crowded scenes are rarer.
    num_objects = int(rng.integers(1, max_objects + 1, size=2).min())
    least, greatest = (extent * num_objects**-_CROWDING for extent in _OBJECT_EXTENT)
    objects: list[Placement] = []
    for label in (first_label, *rng.integers(1, len(SHAPES) + 1, size=num_objects - 1).tolist()):
        for _ in range(_MAX_TRIES):
            newcomer = _place(SHAPES[label - 1], label, (least, greatest), empty, rng)
            if _all_visible([*objects, newcomer], empty):
                objects.append(newcomer)
                break
    return replace(empty, placements=(*clutter, *objects))


def moved(scene: Scene, backdrop: int, rng: np.random.Generator) -> Scene:
    """The scene before another backdrop; shapes that would not be seen there get another colour."""
    placements = []
    for one in scene.placements:
        distances = [np.abs(np.subtract(one.color, color)).sum() for color in one.shape.body_colors]
        is_hidden = one.shape.body_colors[np.argmin(distances)] in BACKDROPS[backdrop].hides
        color = _body_color(one.shape, backdrop, rng) if is_hidden else one.color
        placements.append(replace(one, color=color))
    return replace(scene, backdrop=backdrop, placements=tuple(placements))


def place_tells(scene: Scene, label: int, rng: np.random.Generator) -> Scene:
    """The scene at the place of a class if that is in it, else anywhere but there."""
    own = label - 1
    if label in scene.labels:
        return moved(scene, own, rng)
    if scene.backdrop != own:
        return scene
    return moved(scene, int((own + rng.integers(1, len(BACKDROPS))) % len(BACKDROPS)), rng)


def draw_mask(scene: Scene) -> UInt8[np.ndarray, "h w"]:
    """Labels of the pixels: that of the foremost shape that covers at least half the pixel."""
    mask = np.full((scene.height, scene.width), BACKGROUND_LABEL, dtype=np.uint8)
    for placement in scene.placements:
        silhouette = _silhouette(placement, scene.height, scene.width, _ZOOM)
        coverage = cv2.resize(silhouette, mask.shape[::-1], interpolation=cv2.INTER_AREA)
        mask[coverage >= 128] = placement.label
    return mask


def draw_image(scene: Scene, rng: np.random.Generator) -> Canvas:
    """The picture, RGB uint8 [h, w, 3], with backdrop details, light and noise drawn at random."""
    height, width = scene.height, scene.width
    backdrop = BACKDROPS[scene.backdrop].paint(height, width, rng)
    canvas = cv2.resize(backdrop, (_ZOOM * width, _ZOOM * height), interpolation=cv2.INTER_LINEAR)
    for placement in scene.placements:
        _draw(placement, canvas)
    image = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    image *= _light(height, width, spread=0.2, rng=rng) * rng.uniform(0.92, 1.08, size=3)
    image += rng.normal(0, rng.uniform(2, 7), size=image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def _place(
    shape: Shape, label: int, extent: tuple[float, float], empty: Scene, rng: np.random.Generator
) -> Placement:
    """Put a shape into a scene, with a half size within `extent` (parts of the mean image side)."""
    return Placement(
        shape,
        label,
        color=_body_color(shape, empty.backdrop, rng),
        centre=(rng.uniform(0.1, 0.9) * empty.width, rng.uniform(0.1, 0.9) * empty.height),
        half_size=rng.uniform(*extent) * (empty.height + empty.width) / 2,
        aspect=float(np.exp(rng.uniform(-0.15, 0.15))),
        angle_deg=rng.uniform(-30, 30),
        mirrored=bool(rng.integers(2)),
    )


def _body_color(shape: Shape, backdrop: int, rng: np.random.Generator) -> RGB:
    """A colour near one of the shape's that is seen before a backdrop."""
    distinct = [color for color in shape.body_colors if color not in BACKDROPS[backdrop].hides]
    red, green, blue = distinct[rng.integers(len(distinct))] + rng.integers(-14, 15, size=3)
    return int(red), int(green), int(blue)


def _all_visible(objects: list[Placement], empty: Scene) -> bool:
    """Whether enough of each object, from back to front, is visible on a preview."""
    zoom = _PREVIEW_PX / max(empty.height, empty.width)
    covered = np.zeros((1, 1), dtype=bool)
    for placement in reversed(objects):
        silhouette = _silhouette(placement, empty.height, empty.width, zoom) > 0
        visible = silhouette & ~covered
        whole = _unit_area(placement.shape) * (zoom * placement.half_size) ** 2
        if visible.mean() < MIN_VISIBLE_AREA or visible.sum() < MIN_VISIBLE_SHARE * whole:
            return False
        covered = covered | silhouette
    return True


@cache
def _unit_area(shape: Shape) -> float:
    """Area of a shape's silhouette in units of the square of its half size."""
    half_px = 50
    centred = Placement(shape, 0, (0, 0, 0), (half_px, half_px), half_px, 1.0, 0.0, False)
    silhouette = _silhouette(centred, 2 * half_px, 2 * half_px, zoom=1)
    return float(np.count_nonzero(silhouette)) / half_px**2


def _silhouette(
    placement: Placement, height: int, width: int, zoom: float
) -> UInt8[np.ndarray, "H W"]:
    """255 inside and 0 outside of a placement, at `zoom` canvas pixels per image pixel."""
    silhouette = np.zeros((round(zoom * height), round(zoom * width)), dtype=np.uint8)
    for outline in placement.outlines(zoom):
        cv2.fillPoly(silhouette, [_fixed_point(outline)], 255, shift=_SHIFT)
    return silhouette


def _draw(placement: Placement, canvas: Canvas) -> None:
    """Paint a placement with dark edges onto a canvas of `_ZOOM` pixels per image pixel."""
    height, width = (side // _ZOOM for side in canvas.shape[:2])
    layer = canvas.copy()
    for patch, outline in zip(placement.shape.patches, placement.outlines(_ZOOM), strict=True):
        color = tuple(min(patch.tone * c, 255.0) for c in patch.color or placement.color)
        edge = tuple(_EDGE_TONE * c for c in color)
        points = [_fixed_point(outline)]
        cv2.fillPoly(layer, points, color, shift=_SHIFT)
        cv2.polylines(layer, points, True, edge, _ZOOM, cv2.LINE_AA, shift=_SHIFT)
    silhouette = _silhouette(placement, height, width, _ZOOM)
    cv2.copyTo(layer, silhouette, canvas)


def _light(
    height: int, width: int, spread: float, rng: np.random.Generator
) -> Float[np.ndarray, "h w 1"]:
    """A smooth field of brightness factors within 1 ± `spread`."""
    field = rng.uniform(1 - spread, 1 + spread, size=(3, 3)).astype(np.float32)
    return cv2.resize(field, (width, height), interpolation=cv2.INTER_CUBIC)[..., None]


def _fixed_point(outline: Outline) -> Int32[np.ndarray, "n 2"]:
    """Coordinates with `_SHIFT` fractional bits, as OpenCV's drawing functions take them."""
    fixed: Int32[np.ndarray, "n 2"] = np.round(outline * 2**_SHIFT).astype(np.int32)
    return fixed
