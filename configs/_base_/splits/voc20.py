# PASCAL VOC, 15 known and 5 unknown of 20 classes: the zero-shot split of MaskCLIP+ with unseen
# classes 15 to 19, counted from 0 (docs/clips4_choices.md). CLIP-S4's own is not published.
known = [
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person',
]  # fmt: skip
unknown = ['pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor']
# Known class names for the text encoder, as in MaskCLIP. The test vocabulary 'voc20_maskclip.json'
# has all classes in this form, by index.
known_words = [
    'airplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'dining table', 'dog', 'horse', 'motorbike', 'person',
]  # fmt: skip
