// SPDX-License-Identifier: BSL-1.0
//
// Copies a file: file_copy FROM TO. Either side may be a pipe or a terminal (/dev/stdin,
// /dev/stdout), the contents are on the device when it ends, and TO gets FROM's permissions when it
// is created.
#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/task.hpp>

#include <CLI/CLI.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

using namespace coronet;

// What failed and why, for a user to read; thrown, because nothing is left to do about it here.
[[noreturn]] void fail(const std::string& what, std::error_code why) {
    throw std::system_error{why, what};
}

struct file {
    std::string name;
    unique_fd fd;
    struct ::statx about;
};

task<file> open_file(std::string name, int flags, mode_t mode) {
    auto opened = co_await async::openat(AT_FDCWD, name.c_str(), flags, mode);
    if (!opened) fail(name, opened.error());
    struct ::statx about {};
    const int fd = opened->get();
    auto seen = co_await async::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, about);
    if (!seen) fail(name, seen.error());
    if (S_ISDIR(about.stx_mode)) fail(name, std::make_error_code(std::errc::is_a_directory));
    co_return file{std::move(name), std::move(*opened), about};
}

bool same_file(const file& left, const file& right) {
    return left.about.stx_ino == right.about.stx_ino &&
           left.about.stx_dev_major == right.about.stx_dev_major &&
           left.about.stx_dev_minor == right.about.stx_dev_minor;
}

// A write may be short: to a pipe, or onto a disk that is nearly full.
task<void> write_all(const file* to, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        auto written = co_await async::write(to->fd.get(), bytes);
        if (!written) fail(to->name, written.error());
        bytes = bytes.subspan(*written);
    }
}

task<void> copy(std::string source, std::string target) {
    const file from = co_await open_file(std::move(source), O_RDONLY, 0);
    const mode_t mode = from.about.stx_mode & 0777;
    // Not O_TRUNC: it would empty FROM before anybody saw that both are one file.
    const file to = co_await open_file(std::move(target), O_WRONLY | O_CREAT, mode);
    const bool regular = S_ISREG(to.about.stx_mode);
    if (regular && same_file(from, to)) {
        throw std::runtime_error{from.name + " and " + to.name + " are the same file"};
    }
    if (regular && ::ftruncate(to.fd.get(), 0) < 0) {
        fail(to.name, std::error_code{errno, std::system_category()});
    }

    std::vector<std::byte> buffer(256 * 1024);
    for (;;) {
        auto received = co_await async::read(from.fd.get(), buffer);
        if (!received) fail(from.name, received.error());
        if (*received == 0) break;
        const std::span<const std::byte> filled{buffer.data(), *received};
        co_await write_all(&to, filled);
    }

    if (regular) {
        auto synced = co_await async::fsync(to.fd.get());
        if (!synced) fail(to.name, synced.error());
    }
}

} // namespace

int main(int argc, char** argv) {
    std::string from;
    std::string to;
    CLI::App app{"Copies a file through io_uring."};
    app.add_option("FROM", from, "file or pipe to read")->required();
    app.add_option("TO", to, "file or pipe to write")->required();
    CLI11_PARSE(app, argc, argv);

    std::signal(SIGPIPE, SIG_IGN); // a reader that goes away is an error of write
    try {
        run(copy(from, to));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "file_copy: %s\n", error.what());
        return 1;
    }
}
