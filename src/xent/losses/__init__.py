"""The losses to train on: options checked and turned into targets and weights, kernels by kind of array."""
