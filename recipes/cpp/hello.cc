#include <iostream>
#include <stdexcept>
#include <string>

int main(int argc, char **argv) try {
    int sum = 0;
    for (int i = 1; i < argc; i++) sum += std::stoi(argv[i]);
    std::cout << "sum: " << sum << std::endl;
} catch (const std::invalid_argument &) {
    std::cerr << "not a number" << std::endl;
    return 1;
}
