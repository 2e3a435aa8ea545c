"""What texts call classes and backgrounds."""

import pytest
from hydra import compose, initialize_config_dir

from wsss.data.source import Source
from wsss.data.sources.class_texts import COCO_TEXTS, VOC_TEXTS
from wsss.data.sources.coco.coco import Coco
from wsss.data.sources.voc import CLASS_NAMES, Voc
from wsss.errors import WsssError
from wsss.settings.config_dir import config_dir
from wsss.stage_tools.class_texts import class_texts, other_backgrounds, prompted

COCO_NAMES = """person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light,
fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear,
zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball,
kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup,
fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut,
cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard,
cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear,
hair drier, toothbrush""".replace("\n", " ").split(", ")
PUBLISHED_COCO = """person with clothes,people,human;bicycle;car;motorbike;aeroplane;bus;train;
truck;boat;traffic light;fire hydrant;stop sign;parking meter;
bench;bird avian;cat;dog;horse;sheep;cow;
elephant;bear;zebra;giraffe;backpack,bag;umbrella,parasol;handbag,purse;necktie;suitcase;frisbee;
skis;sknowboard;sports ball;kite;baseball bat;glove;skateboard;surfboard;tennis racket;bottle;
wine glass;cup;fork;knife;dessertspoon;bowl;banana;apple;sandwich;orange;broccoli;carrot;hot dog;
pizza;donut;cake;chair seat;sofa;pottedplant;bed;diningtable;toilet;tvmonitor screen;laptop;mouse;
remote control;keyboard;cell phone;microwave;oven;toaster;sink;refrigerator;book;clock;vase;
scissors;teddy bear;hairdrier,blowdrier;toothbrush""".replace("\n", "").split(";")
"""`new_class_names_coco` of the authors' code."""
LEFT_OUT_OF_COCO = {"keyboard", "sign"}
"""What `BACKGROUND_CATEGORY_COCO` of the authors' code lacks of `BACKGROUND_CATEGORY`."""


class Named(Source):
    """Nothing but names."""

    def __init__(self, names, texts=None):
        self.class_names = tuple(names)
        self.class_texts = texts or {}

    def _none(self, *_):
        raise NotImplementedError

    items = read_image = read_mask = fingerprint = mask_fingerprint = _none


def of(names, chosen=None, texts=None):
    return class_texts(Named(names, texts), chosen)


def backgrounds():
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return list(compose("run", ["data=synthetic", "cam=clip_text"]).classify.backgrounds)


def test_texts_of_voc_and_coco_are_the_published_ones():
    assert Voc.class_texts is VOC_TEXTS
    assert Coco.class_texts is COCO_TEXTS
    assert {*COCO_TEXTS} < {*COCO_NAMES}
    found = of(COCO_NAMES, texts=COCO_TEXTS)
    assert [*found.values()] == [[one] for one in PUBLISHED_COCO]
    voc = of(CLASS_NAMES, texts=VOC_TEXTS)
    assert voc["person"] == ["person with clothes,people,human"]
    assert {name for name in voc if voc[name] != [name]} == {*VOC_TEXTS}


def test_backgrounds_that_a_class_is_named_after_are_left_out_as_published():
    published = backgrounds()
    assert len(published) == 25
    assert other_backgrounds(published, CLASS_NAMES) == published
    left = other_backgrounds(published, COCO_NAMES)
    assert left == [one for one in published if one not in LEFT_OUT_OF_COCO]
    assert other_backgrounds(["sky", "Tree", "sea"], ["palm-tree", "deep_sea"]) == ["sky"]
    with pytest.raises(WsssError, match="that are no classes"):
        other_backgrounds(["tree"], ["tree"])


def test_what_is_chosen_goes_before_the_table_and_that_before_the_name():
    names, table = ("fire_hydrant", "tv", "cat"), {"tv": "tvmonitor screen", "cat": "kitten"}
    found = of(names, {"cat": ["tabby cat", "persian cat"]}, table)
    assert found == {
        "fire_hydrant": ["fire hydrant"], "tv": ["tvmonitor screen"],
        "cat": ["tabby cat", "persian cat"],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["17", "_", "-3"])
def test_a_class_without_a_name_is_refused(name):
    with pytest.raises(WsssError, match=rf"texts={name}: the class is called.*\{{class: tabby cat"):
        of(["cat", name])
    assert of(["cat", name], {name: "dog"})[name] == ["dog"]


def test_texts_of_what_is_no_class_are_refused():
    with pytest.raises(WsssError, match=r"texts=catt: there is no class of this name.*`?cat"):
        of(["cat"], {"catt": "dog"})
    with pytest.raises(WsssError, match="which no text can tell of"):
        of(["cat"], {"cat": []})


def test_each_text_is_put_into_each_prompt():
    prompts = ["a {}.", "the {} {there}"]
    assert prompted(["cat", "dog"], prompts) == [
        "a cat.", "the cat {there}", "a dog.", "the dog {there}",
    ]  # fmt: skip
    for wrong in ([], ["a cat"], ["{} and {}"]):
        with pytest.raises(WsssError, match="where the name belongs"):
            prompted(["cat"], wrong)
