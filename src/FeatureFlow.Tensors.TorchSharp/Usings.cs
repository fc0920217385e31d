global using ScalarType = global::TorchSharp.torch.ScalarType;
global using Torch = global::TorchSharp.torch;
global using TorchTensor = global::TorchSharp.torch.Tensor;
