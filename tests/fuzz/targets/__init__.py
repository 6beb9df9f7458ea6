"""Fuzz targets: each module in this folder defines one ``TARGET`` and is found automatically."""
