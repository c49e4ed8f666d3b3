"""What a study may choose of its networks, by name: how they are built, drawn and reckoned with."""

#: Rounding of pooled sizes: Caffe's, in which the paper trained, and torch's default.
POOLINGS = ("ceil", "floor")
#: Sides of pooled squares, at stride 2: Table 1's and AlexNet's.
POOLING_WINDOWS = (2, 3)
#: What makes class scores of the last map: FC6 to FC8, or its averages and FC8 alone.
HEADS = ("fc", "average")
#: How A-LRN's alpha is meant; see :func:`verydeep.networks.vgg.response_norm`.
LRN_ALPHAS = ("caffe", "krizhevsky", "unit-variance")
# Sect. 3.1 prints a *variance* of 1e-2, that is a standard deviation of 0.1. Many codes read it as a standard
# deviation of 1e-2. The study notes give yet another pair for the FC layers: std 0.005 and bias 0.1.
#: How random weights are drawn, and what that means.
SCHEMES = {
    "paper": "normal, variance 1e-2 (standard deviation 0.1), biases 0, as printed",
    "paper-std": "normal, standard deviation 1e-2, biases 0: the other reading",
    "notes": "as paper-std, and the study notes' FC layers: standard deviation 0.005, biases 0.1",
    "glorot": "Glorot and Bengio (2010), uniform, biases 0: what the authors found after submission",
    "he": "He et al. (2015), normal with variance 2 / fan-in, biases 0",
}
#: The arithmetic of training and of testing.
PRECISIONS = ("float32", "bfloat16", "float16")
