# PASCAL VOC, 15 known and 5 unknown of 20 classes: the zero-shot split of MaskCLIP+, whose unseen
# classes are 15 to 19 counted from 0 (docs/clips4_choices.md). CLIP-S4's own is not published.
known = [
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person',
]  # fmt: skip
unknown = ['pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor']
# The known classes as MaskCLIP writes them, for the text encoder; for the test, the vocabulary
# 'voc20_maskclip.json' holds all classes so, by index.
known_words = [
    'airplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'dining table', 'dog', 'horse', 'motorbike', 'person',
]  # fmt: skip
