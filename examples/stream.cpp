// A student that was exported with `pastforward export RUN --to pt2`, in C++.
//
//     stream FOLDER K D 3 1 4 1 5
//
// prints the output parameters after the symbols 3 1 4 1 5, read one at a time: the memory of K
// slots of width D is all that is kept between them. Build it against the libtorch that comes with
// the torch that exported (its CMake package is below `torch.utils.cmake_prefix_path`), or with
// the flags that docs/ship.md has.

#include <cstdlib>
#include <iostream>
#include <string>

#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <torch/torch.h>

int main(int argc, char** argv) {
  if (argc < 5) {
    std::cerr << "usage: stream FOLDER K D SYMBOL ...\n";
    return 2;
  }
  const c10::InferenceMode guard;
  const std::string folder = argv[1];
  const int64_t slots = std::atoll(argv[2]), width = std::atoll(argv[3]);
  torch::inductor::AOTIModelPackageLoader student(folder + "/read.pt2");
  torch::Tensor memory =
      torch::from_file(folder + "/empty_memory.f32", false, slots * width, torch::kFloat)
          .view({1, slots, width});
  torch::Tensor parameters;
  for (int i = 4; i < argc; ++i) {
    const torch::Tensor symbol = torch::full({1, 1}, std::atoll(argv[i]), torch::kLong);
    const std::vector<torch::Tensor> found = student.run({memory, symbol});
    memory = found[0];
    parameters = found[1];
  }
  for (int64_t i = 0; i < parameters.numel(); ++i) {
    std::cout << parameters.flatten()[i].item<float>() << (i + 1 < parameters.numel() ? " " : "\n");
  }
}
