# The dataset's own class names as fixed classes, no online clustering; Table 3(d).
# Training uses the class names of the test.
_base_ = '../resnet_synthetic.py'
names = [
    'ring', 'cross', 'star', 'heart', 'moon', 'arrow',
    'flower', 'fish', 'house', 'ladder', 'cookie', 'ball',
    'bricks', 'waves', 'grass', 'pebbles', 'clouds',
]  # fmt: skip
model = dict(
    decode_head=dict(
        prompts=dict(_delete_=True, type='FixedNames', names=names),
        clusterer=dict(_delete_=True, type='ArgmaxClusterer'),
    )
)
