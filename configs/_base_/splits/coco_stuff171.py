# COCO-Stuff, 156 known and 15 unknown of 171 classes: the zero-shot split of MaskCLIP+ with unseen
# classes 19, 23, 28, 29, 36, 51, 76, 88, 94, 112, 133, 136, 137, 157 and 160, counted from 0
# (docs/clips4_choices.md). CLIP-S4's own split is not published.
known = [
    'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat',
    'traffic light', 'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog',
    'horse', 'sheep', 'elephant', 'bear', 'zebra', 'backpack', 'umbrella', 'handbag', 'tie',
    'skis', 'snowboard', 'sports ball', 'kite', 'baseball bat', 'baseball glove', 'surfboard',
    'tennis racket', 'bottle', 'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana',
    'apple', 'sandwich', 'orange', 'broccoli', 'hot dog', 'pizza', 'donut', 'cake', 'chair',
    'couch', 'potted plant', 'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote',
    'keyboard', 'cell phone', 'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book',
    'clock', 'vase', 'teddy bear', 'hair drier', 'toothbrush', 'banner', 'blanket', 'branch',
    'bridge', 'building-other', 'bush', 'cabinet', 'cage', 'carpet', 'ceiling-other',
    'ceiling-tile', 'cloth', 'clothes', 'counter', 'cupboard', 'curtain', 'desk-stuff', 'dirt',
    'door-stuff', 'fence', 'floor-marble', 'floor-other', 'floor-stone', 'floor-tile',
    'floor-wood', 'flower', 'fog', 'food-other', 'fruit', 'furniture-other', 'gravel',
    'ground-other', 'hill', 'house', 'leaves', 'light', 'mat', 'metal', 'mirror-stuff', 'moss',
    'mountain', 'mud', 'napkin', 'net', 'paper', 'pavement', 'pillow', 'plant-other', 'plastic',
    'platform', 'railing', 'railroad', 'rock', 'roof', 'rug', 'salad', 'sand', 'sea', 'shelf',
    'sky-other', 'skyscraper', 'snow', 'solid-other', 'stairs', 'stone', 'straw',
    'structural-other', 'table', 'tent', 'textile-other', 'towel', 'vegetable', 'wall-brick',
    'wall-other', 'wall-panel', 'wall-stone', 'wall-tile', 'wall-wood', 'water-other',
    'waterdrops', 'window-blind', 'window-other', 'wood',
]  # fmt: skip
unknown = [
    'cow', 'giraffe', 'suitcase', 'frisbee', 'skateboard', 'carrot', 'scissors', 'cardboard',
    'clouds', 'grass', 'playingfield', 'river', 'road', 'tree', 'wall-concrete',
]  # fmt: skip
# Known class names for the text encoder: 'x-other' and 'x-stuff' become 'x', 'wall-brick' becomes
# 'brick wall' (like MaskCLIP's 'concrete wall'). The test vocabulary 'coco_stuff171_maskclip.json'
# has all classes in this form, by index.
known_words = [
    'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat',
    'traffic light', 'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog',
    'horse', 'sheep', 'elephant', 'bear', 'zebra', 'backpack', 'umbrella', 'handbag', 'tie',
    'skis', 'snowboard', 'sports ball', 'kite', 'baseball bat', 'baseball glove', 'surfboard',
    'tennis racket', 'bottle', 'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana',
    'apple', 'sandwich', 'orange', 'broccoli', 'hot dog', 'pizza', 'donut', 'cake', 'chair',
    'couch', 'potted plant', 'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote',
    'keyboard', 'cell phone', 'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book',
    'clock', 'vase', 'teddy bear', 'hair drier', 'toothbrush', 'banner', 'blanket', 'branch',
    'bridge', 'building', 'bush', 'cabinet', 'cage', 'carpet', 'ceiling', 'tile ceiling', 'cloth',
    'clothes', 'counter', 'cupboard', 'curtain', 'desk', 'dirt', 'door', 'fence', 'marble floor',
    'floor', 'stone floor', 'tile floor', 'wood floor', 'flower', 'fog', 'food', 'fruit',
    'furniture', 'gravel', 'ground', 'hill', 'house', 'leaves', 'light', 'mat', 'metal', 'mirror',
    'moss', 'mountain', 'mud', 'napkin', 'net', 'paper', 'pavement', 'pillow', 'plant', 'plastic',
    'platform', 'railing', 'railroad', 'rock', 'roof', 'rug', 'salad', 'sand', 'sea', 'shelf',
    'sky', 'skyscraper', 'snow', 'solid', 'stairs', 'stone', 'straw', 'structural', 'table',
    'tent', 'textile', 'towel', 'vegetable', 'brick wall', 'wall', 'panel wall', 'stone wall',
    'tile wall', 'wood wall', 'water', 'waterdrops', 'blind window', 'window', 'wood',
]  # fmt: skip
