"""An Image as one file or directory, in the shapes that other programs read: one module a shape.

Each has a function `write(image, store, *, name)` that turns the store's file into the archive.

To add one: write the module, and offer it in `commands/pack.py`.
"""
