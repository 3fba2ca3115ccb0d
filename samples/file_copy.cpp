// SPDX-License-Identifier: BSL-1.0
//
// Copies files: file_copy FROM TO, or file_copy FROM... DIRECTORY, many of them at a time. Two that
// would get the same name there are refused. With two names either side may be a pipe or a terminal
// (/dev/stdin, /dev/stdout). The contents are on the device when it ends, and a new file gets the
// permissions of the old one.
#include <coronet/coro/io/copy.hpp>
#include <coronet/coro/io/file.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/coro/scope.hpp>
#include <coronet/coro/semaphore.hpp>
#include <coronet/coro/task.hpp>

#include <CLI/CLI.hpp>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>

namespace {

using namespace coronet;

struct settings {
    std::vector<std::string> names; // the last one is the target
    std::size_t at_once = 64;
};

const std::map<std::string, driver_choice> drivers{
    {"auto", driver_choice::automatic},
    {"io_uring", driver_choice::io_uring},
    {"epoll", driver_choice::epoll}};

// What failed and why, for a user to read; thrown, because nothing is left to do about it here.
[[noreturn]] void fail(const std::string& what, std::error_code why) {
    throw std::system_error{why, what};
}

[[noreturn]] void refuse(const std::string& what) {
    throw std::runtime_error{what};
}

struct side {
    std::string name;
    file content;
    struct ::statx about;

    [[nodiscard]] bool is_regular() const { return S_ISREG(about.stx_mode); }
};

task<side> open_side(std::string name, int flags, mode_t mode) {
    auto opened = co_await file::open(name.c_str(), flags, mode);
    if (!opened) fail(name, opened.error());
    const auto about = co_await opened->stat();
    if (!about) fail(name, about.error());
    if (S_ISDIR(about->stx_mode)) fail(name, std::make_error_code(std::errc::is_a_directory));
    co_return side{std::move(name), std::move(*opened), *about};
}

bool same_file(const side& left, const side& right) {
    return left.about.stx_ino == right.about.stx_ino &&
           left.about.stx_dev_major == right.about.stx_dev_major &&
           left.about.stx_dev_minor == right.about.stx_dev_minor;
}

// From or to a pipe: there are no places, only what comes next.
task<void> stream(side* from, side* to) {
    std::vector<std::byte> buffer(256 * 1024);
    for (;;) {
        auto received = co_await from->content.read_at(buffer, async::current_position);
        if (!received) fail(from->name, received.error());
        if (*received == 0) co_return;
        const auto filled = std::span{buffer}.first(*received);
        auto written = co_await to->content.write_all_at(filled, async::current_position);
        if (!written) fail(to->name, written.error);
    }
}

task<void> copy_one(std::string source, std::string target) {
    side from = co_await open_side(std::move(source), O_RDONLY, 0);
    const mode_t mode = from.about.stx_mode & 0777;
    // Not O_TRUNC: it would empty FROM before anybody saw that both are one file.
    side to = co_await open_side(std::move(target), O_WRONLY | O_CREAT, mode);
    if (!to.is_regular()) {
        co_await stream(&from, &to);
        co_return;
    }
    if (same_file(from, to)) refuse(to.name + " and its source: the same file");
    auto emptied = co_await to.content.truncate(0);
    if (!emptied) fail(to.name, emptied.error());
    if (from.is_regular()) {
        auto copied = co_await copy_content(&from.content, &to.content);
        if (!copied) fail(to.name, copied.error);
    } else {
        co_await stream(&from, &to);
    }
    auto synced = co_await to.content.sync();
    if (!synced) fail(to.name, synced.error());
}

struct job {
    std::string from;
    std::string to;
};

// Nothing has been copied yet. Two copies that write one file would be neither of the two.
std::vector<job> into_directory(std::vector<std::string> sources, const std::string& directory) {
    std::vector<job> jobs;
    std::map<std::string, std::string> taken; // targets, and what is copied there
    for (std::string& each : sources) {
        auto target = directory + '/' + std::filesystem::path{each}.filename().string();
        const auto [first, is_new] = taken.emplace(target, each);
        if (!is_new) refuse(first->second + " and " + each + ": both would be " + target);
        jobs.push_back({std::move(each), std::move(target)});
    }
    return jobs;
}

std::vector<job> jobs_for(std::vector<std::string> names) {
    const std::string target = std::move(names.back());
    names.pop_back();
    std::error_code none;
    if (std::filesystem::is_directory(target, none))
        return into_directory(std::move(names), target);
    if (names.size() > 1) fail(target, std::make_error_code(std::errc::not_a_directory));
    return {job{std::move(names.front()), target}};
}

task<void> copy_and_release(job wanted, semaphore* slots) {
    co_await copy_one(std::move(wanted.from), std::move(wanted.to));
    slots->release();
}

// The first that fails ends the others: with_scope() rethrows what it threw.
task<void> copy_many(scope copies, std::vector<job> jobs, semaphore* slots) {
    for (job& each : jobs) {
        auto slot = co_await slots->acquire();
        if (!slot) co_return;
        copies.spawn(copy_and_release, std::move(each), slots);
    }
}

task<void> copy_all(settings wanted) {
    semaphore slots{wanted.at_once};
    std::vector<job> jobs = jobs_for(std::move(wanted.names));
    co_await with_scope(copy_many, std::move(jobs), &slots);
}

} // namespace

int main(int argc, char** argv) {
    settings wanted;
    run_options plain;
    CLI::App app{"Copies files, many at a time."};
    app.add_option("FILES", wanted.names, "FROM TO, or FROM... DIRECTORY")
        ->required()
        ->expected(2, 1'000'000);
    app.add_option("--at-once", wanted.at_once, "copies in flight")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--driver", plain.scheduler.driver, "auto, io_uring or epoll")
        ->transform(CLI::CheckedTransformer{drivers});
    CLI11_PARSE(app, argc, argv);
    // Standard output is for the copy, perhaps.
    spdlog::set_default_logger(spdlog::stderr_color_mt("file_copy"));
    spdlog::set_level(spdlog::level::warn);

    try {
        run(copy_all(std::move(wanted)), plain);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "file_copy: %s\n", error.what());
        return 1;
    }
}
