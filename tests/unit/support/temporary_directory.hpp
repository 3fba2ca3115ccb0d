// SPDX-License-Identifier: BSL-1.0
//
// A directory that is gone when the test is, with all that is in it.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>

namespace coronet::test {

class temporary_directory {
public:
    explicit temporary_directory(const std::string& below = "/tmp")
        : path_(below + "/coronet-test-XXXXXX") {
        if (!::mkdtemp(path_.data()))
            throw std::system_error(errno, std::generic_category(), "mkdtemp");
    }
    ~temporary_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string path(std::string_view name) const {
        return path_ + '/' + std::string{name};
    }
    /// A file with that content; its path.
    std::string put(std::string_view name, std::string_view content = {}) const {
        std::ofstream{path(name), std::ios::binary} << content;
        return path(name);
    }
    [[nodiscard]] bool has(std::string_view name) const {
        return std::filesystem::exists(path(name));
    }
    [[nodiscard]] std::string content(std::string_view name) const {
        std::ifstream file{path(name), std::ios::binary};
        return {std::istreambuf_iterator<char>{file}, {}};
    }

private:
    std::string path_;
};

} // namespace coronet::test
