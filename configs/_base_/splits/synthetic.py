# The bundled synthetic dataset, 12 known and 5 unknown of 17 classes. Unknown classes, fixed before
# any result: every third of the 12 objects, and the third of the 5 backgrounds.
known = [
    'ring', 'cross', 'heart', 'moon', 'flower', 'fish', 'ladder', 'cookie', 'bricks', 'waves',
    'pebbles', 'clouds',
]  # fmt: skip
unknown = ['star', 'arrow', 'house', 'ball', 'grass']
names = [*known, *unknown]
