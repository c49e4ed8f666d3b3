"""A reproduction study of "Very Deep Convolutional Networks for Large-Scale Image Recognition".

Simonyan and Zisserman, arXiv 1409.1556v6. "How it is built" in the book says how the parts hang together.
"""

import warnings
from importlib.metadata import version

# accelerate imports tqdm's notebook bar, which complains into every executed notebook that widgets are missing;
# this package shows none there (see progress.py).
warnings.filterwarnings("ignore", message="IProgress not found")

__version__ = version("verydeep")
