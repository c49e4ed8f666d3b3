"""A reproduction study of "Very Deep Convolutional Networks for Large-Scale Image Recognition".

Simonyan and Zisserman, arXiv 1409.1556v6. See DESIGN in the book for how the parts hang together.
"""

from importlib.metadata import version

__version__ = version("verydeep")
