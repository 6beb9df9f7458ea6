import io
import json
import zipfile

import numpy as np
from PIL import Image

LABEL_MAP = """# label:color_rgb:parts:actions
background:0,0,0::
cat:250,50,83::
草地:51,221,255::
"""


def coco_file(folder, annotations, categories=((7, 'cat'), (3, '草地')), size=(4, 6), **image):
    """Write a COCO file of the image a.jpg; an annotation is (category, segmentation)."""
    content = dict(
        images=[dict(dict(id=9, file_name='a.jpg', height=size[0], width=size[1]), **image)],
        categories=[dict(id=number, name=name) for number, name in categories],
        annotations=[
            dict(id=i, image_id=9, category_id=category, segmentation=segmentation, iscrowd=i % 2)
            for i, (category, segmentation) in enumerate(annotations)
        ],
    )
    path = folder / 'instances_default.json'
    path.write_text(json.dumps(content), encoding='utf-8')
    return path


def png(values, palette=None, **options):
    picture = Image.fromarray(np.asarray(values, np.uint8))
    if palette is not None:
        picture.putpalette(palette)
    content = io.BytesIO()
    picture.save(content, format='PNG', **options)
    return content.getvalue()


def cvat_file(folder, entries, label_map=LABEL_MAP):
    """Write a zip like CVAT's; an entry is the content of a file by its name."""
    path = folder / 'export.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('labelmap.txt', label_map)
        for name, content in entries.items():
            archive.writestr(name, content)
    return path
