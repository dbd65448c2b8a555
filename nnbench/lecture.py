"""The lecture's statements, in its order: what `bench/` measures.

Each has a number, under which scenarios and claims name it: A foundations, B convolutional networks,
C optimization, D practice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PARTS: Mapping[str, str] = {
    "A": "Foundations",
    "B": "Convolutional networks",
    "C": "Optimization",
    "D": "Practice",
}


@dataclass(frozen=True)
class Slide:
    """One statement of the lecture.

    Attributes:
        title: of the slide, in a few words.
        says: what it says.
    """

    title: str
    says: str


SLIDES: Mapping[str, Slide] = {
    "A1": Slide("XOR", "A perceptron cannot learn XOR ('pizza or pineapple'); one hidden layer can."),
    "A2": Slide(
        "Activations", "Without an activation depth adds nothing; sigmoids stop the gradient, ReLU does not."
    ),
    "A3": Slide(
        "Universal approximation", "A network with enough neurons approximates any function from R^N to R^M."
    ),
    "A4": Slide(
        "Wide or deep", "The size of information asks for width, the number of iterations for depth."
    ),
    "B1": Slide(
        "Shared weights",
        "Detectors of one thing at two places should share their parameters; flattening loses geometry.",
    ),
    "B2": Slide("Kernel size", "A 5x5 kernel sees more than a 3x3, and costs more."),
    "B3": Slide("Encoding", "Layer by layer the channels grow from 3 to 64 and more, while X and Y shrink."),
    "B4": Slide("Pooling", "Max pooling makes features independent of scale and of where they are."),
    "B5": Slide(
        "Order of pool and activation",
        "Convolution, pooling, activation; or convolution, activation, pooling.",
    ),
    "B6": Slide("Stride", "Not every point need be sampled; risky for small lesions."),
    "B7": Slide("Padding", "Padding keeps the size, and what lies at the border."),
    "B8": Slide("Dilation", "A dilated kernel sees further with the same parameters."),
    "B9": Slide("Receptive field", "5, 10, 20, 40 layers of 3x3 see 11, 21, 41, 81 pixels."),
    "B10": Slide(
        "Effective receptive field", "What a network really uses is smaller than that, and Gaussian."
    ),
    "B11": Slide("To see afar", "Depth, dilation and stride are ways to see afar."),
    "B12": Slide("Grad-CAM", "Grad-CAM shows where in the image the network found its class: cat or dog."),
    "B13": Slide("Several scales at once", "Medical images need fine detail and far context at once."),
    "C1": Slide(
        "Gradient descent", "w1 = w0 - rate x gradient: too small a rate is slow, too large a one diverges."
    ),
    "C2": Slide("Local minima", "The learning rate, and noise, get one out of a local minimum."),
    "C3": Slide(
        "Full batch, online, minibatch",
        "Full batch is deterministic, online tends to be crazy, minibatches lie between.",
    ),
    "C4": Slide(
        "Shaking up the loss",
        "The noise of minibatches shakes up the loss: an area of confusion, sometimes a good thing.",
    ),
    "C5": Slide("Batch size", "Larger batches make more of the hardware."),
    "C6": Slide("How large a batch", "There is a batch beyond which more samples bring nothing."),
    "C7": Slide(
        "Large batches", "With LARS, warm-up and 1,024 chips ImageNet trains in 2.2 minutes at equal quality."
    ),
    "C8": Slide("SGD", "Fast progress in the beginning, fussy and stuck in the end; good for big data."),
    "C9": Slide("Sampling", "Samples are drawn shuffled, with or without replacement."),
    "C10": Slide("Momentum", "Momentum remembers the last steps and is faster."),
    "C11": Slide("Adagrad", "Adagrad gives each weight its own rate, which shrinks."),
    "C12": Slide("Adam", "Adam ('Adams') is momentum and Adagrad together: less to tune."),
    "C13": Slide("Decay of the rate", "A rate that decays mends the end of the training."),
    "C14": Slide("Cyclic rates", "A rate that rises and falls in cycles is faster."),
    "C15": Slide(
        "The rate to start with", "Raise the rate until the loss blows up: that finds the one to start with."
    ),
    "C16": Slide(
        "How to end", "There is research on how to mend the end; in practice it does not always matter."
    ),
    "D1": Slide("Control flow", "For each epoch a train loop, then a validation loop."),
    "D2": Slide("Medical MNIST", "42,000 images to train and 16,954 to validate, in batches of 16."),
    "D3": Slide("Logistic regression", "nn.Linear(784, 10) and cross-entropy, by SGD at a rate of 0.001."),
    "D4": Slide("Multilayer perceptron", "Two hidden layers of 512 beat logistic regression."),
    "D5": Slide(
        "Cross-entropy",
        "The loss of [5, 1, -2] is small where label 0 is right, and large where it is wrong.",
    ),
    "D6": Slide("Tensors", "A batch of images has the shape (8, 3, 224, 224); view and flatten change it."),
    "D7": Slide("Loader", "60,000 samples in batches of 16 are 3,750 steps; only training is shuffled."),
    "D8": Slide("t-SNE", "t-SNE before and after training: the classes come apart."),
}
