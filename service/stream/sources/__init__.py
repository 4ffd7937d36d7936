"""Sources other than `Tensor` and `ConstantTensor`: each is a pure function of its fields, in any range."""
