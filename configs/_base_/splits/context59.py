# PASCAL Context, 49 known and 10 unknown of 59 classes: the zero-shot split of MaskCLIP+. Unseen
# classes are 1, 7, 8, 15, 20, 25, 32, 34, 49 and 55, counted from 1 (0 is the background;
# docs/clips4_choices.md). CLIP-S4's own split is not published.
known = [
    'bag', 'bed', 'bedclothes', 'bench', 'bicycle', 'book', 'bottle', 'building', 'bus', 'cabinet',
    'car', 'ceiling', 'chair', 'cloth', 'computer', 'cup', 'curtain', 'dog', 'door', 'floor',
    'flower', 'food', 'grass', 'ground', 'horse', 'light', 'mountain', 'mouse', 'person', 'plate',
    'platform', 'pottedplant', 'road', 'rock', 'sheep', 'shelves', 'sidewalk', 'sign', 'sky',
    'snow', 'table', 'track', 'train', 'tree', 'truck', 'wall', 'water', 'window', 'wood',
]  # fmt: skip
unknown = [
    'aeroplane', 'bird', 'boat', 'cat', 'cow', 'fence', 'keyboard', 'motorbike', 'sofa',
    'tvmonitor',
]  # fmt: skip
# Known class names for the text encoder, as in MaskCLIP. The test vocabulary
# 'context59_maskclip.json' has all classes in this form, by index.
known_words = [
    'bag', 'bed', 'bedclothes', 'bench', 'bicycle', 'book', 'bottle', 'building', 'bus', 'cabinet',
    'car', 'ceiling', 'chair', 'cloth', 'computer', 'cup', 'curtain', 'dog', 'door', 'floor',
    'flower', 'food', 'grass', 'ground', 'horse', 'light', 'mountain', 'mouse', 'person', 'plate',
    'platform', 'potted plant', 'road', 'rock', 'sheep', 'shelves', 'sidewalk', 'sign', 'sky',
    'snow', 'table', 'track', 'train', 'tree', 'truck', 'wall', 'water', 'window', 'wood',
]  # fmt: skip
