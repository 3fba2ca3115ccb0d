// SPDX-License-Identifier: BSL-1.0
//
// A file that is gone when the test is.
#pragma once

#include <coronet/unique_fd.hpp>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>

#include <unistd.h>

namespace coronet::test {

class temporary_file {
public:
    explicit temporary_file(std::string_view content = {}) {
        fd_.reset(::mkstemp(path_.data()));
        if (!fd_) throw std::system_error(errno, std::generic_category(), "mkstemp");
        if (::pwrite(fd_.get(), content.data(), content.size(), 0) < 0)
            throw std::system_error(errno, std::generic_category(), "pwrite");
    }
    ~temporary_file() { ::unlink(path_.c_str()); }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;

    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const char* path() const { return path_.c_str(); }
    [[nodiscard]] std::string content() const {
        std::string text(4096, '\0');
        const auto size = ::pread(fd_.get(), text.data(), text.size(), 0);
        text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        return text;
    }

private:
    std::string path_ = "/tmp/coronet-test-XXXXXX";
    unique_fd fd_;
};

} // namespace coronet::test
