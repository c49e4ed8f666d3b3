"""The networks of the paper: Table 1 as data, its arithmetic, and the torch modules built from it.

``configurations`` and ``anatomy`` are plain Python; ``vgg``, ``dense`` and ``initialisation`` need torch.
"""
