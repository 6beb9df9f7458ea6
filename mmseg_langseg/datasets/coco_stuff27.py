"""COCO-Stuff-27 dataset."""

from __future__ import annotations

from collections.abc import Sequence

from mmseg.datasets import BaseSegDataset, COCOStuffDataset
from mmseg.registry import DATASETS

# COCO-Stuff's own hierarchy, in the order of IIC, which PiCIE and later work keep.
_HIERARCHY = """
electronic-things: tv, laptop, mouse, remote, keyboard, cell phone
appliance-things: microwave, oven, toaster, sink, refrigerator
food-things: banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake
furniture-things: chair, couch, potted plant, bed, dining table, toilet
indoor-things: book, clock, vase, scissors, teddy bear, hair drier, toothbrush
kitchen-things: bottle, wine glass, cup, fork, knife, spoon, bowl
accessory-things: backpack, umbrella, handbag, tie, suitcase
animal-things: bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe
outdoor-things: traffic light, fire hydrant, stop sign, parking meter, bench
person-things: person
sports-things: frisbee, skis, snowboard, sports ball, kite, baseball bat, baseball glove, \
skateboard, surfboard, tennis racket
vehicle-things: bicycle, car, motorcycle, airplane, bus, train, truck, boat
ceiling-stuff: ceiling-tile, ceiling-other
floor-stuff: carpet, floor-tile, floor-wood, floor-marble, floor-stone, floor-other
food-stuff: fruit, salad, vegetable, food-other
furniture-stuff: door-stuff, desk-stuff, table, shelf, cabinet, cupboard, mirror-stuff, counter, \
light, stairs, furniture-other
rawmaterial-stuff: cardboard, paper, plastic, metal
textile-stuff: rug, mat, towel, napkin, clothes, cloth, curtain, blanket, pillow, banner, \
textile-other
wall-stuff: wall-tile, wall-panel, wall-wood, wall-brick, wall-stone, wall-concrete, wall-other
window-stuff: window-blind, window-other
building-stuff: house, skyscraper, bridge, tent, roof, building-other
ground-stuff: sand, snow, dirt, mud, gravel, road, pavement, railroad, platform, playingfield, \
ground-other
plant-stuff: grass, tree, bush, leaves, flower, branch, moss, straw, plant-other
sky-stuff: clouds, sky-other
solid-stuff: wood, rock, stone, mountain, hill, solid-other
structural-stuff: fence, cage, net, railing, structural-other
water-stuff: fog, river, sea, waterdrops, water-other
"""
_FINE_NAMES = {
    coarse: fine.split(', ')
    for coarse, fine in (line.split(': ') for line in _HIERARCHY.strip().splitlines())
}


@DATASETS.register_module()
class COCOStuff27Dataset(BaseSegDataset):
    """COCO-Stuff-27: 12 coarse thing and 15 coarse stuff classes, as in PiCIE and STEGO.

    Labels are mapped on loading (``label_map``) from the same files as ``COCOStuffDataset``; 255
    remains ignored.

    Args:
        img_suffix: Suffix of the images.
        seg_map_suffix: Suffix of the label maps written by MMSegmentation's ``coco_stuff164k.py``.
        **kwargs: See ``BaseSegDataset``.
    """

    METAINFO = dict(classes=tuple(_FINE_NAMES))

    def __init__(
        self, img_suffix: str = '.jpg', seg_map_suffix: str = '_labelTrainIds.png', **kwargs
    ) -> None:
        super().__init__(img_suffix=img_suffix, seg_map_suffix=seg_map_suffix, **kwargs)

    @classmethod
    def get_label_map(cls, new_classes: Sequence[str] | None = None) -> dict[int, int]:
        """Return the new label of each COCO-Stuff label; called by ``BaseSegDataset``.

        Raises:
            ValueError: If ``metainfo`` names other classes.
        """
        if new_classes is not None and tuple(new_classes) != cls.METAINFO['classes']:
            raise ValueError(f'{cls.__name__} has fixed classes, got {list(new_classes)}')
        coarse = {name: new for new, names in enumerate(_FINE_NAMES.values()) for name in names}
        return {old: coarse[name] for old, name in enumerate(COCOStuffDataset.METAINFO['classes'])}
