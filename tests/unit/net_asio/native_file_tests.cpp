// SPDX-License-Identifier: BSL-1.0
//
// Files on the ring, with the members of Asio's own, which are not compiled in here.
#include "native_pair.hpp"
#include "tokens.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/random_access_file.hpp>
#include <coronet/net/asio/stream_file.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

namespace coronet::asiox::native_file_tests {
namespace {

using net::buffer;

/// Gone at the end of the scope.
class scratch {
public:
    explicit scratch(const std::string& text = {}) {
        const int made = ::mkstemp(path_.data());
        if (made < 0) throw std::runtime_error("mkstemp");
        const auto written = ::write(made, text.data(), text.size());
        ::close(made);
        if (written != static_cast<ssize_t>(text.size())) throw std::runtime_error("write");
    }
    ~scratch() { ::unlink(path_.c_str()); }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_ = "/tmp/coronet_file_XXXXXX";
};

net::awaitable<std::string> copy_there_and_back(stream_file* file) {
    co_await net::async_write(*file, buffer("hello world", 11), net::use_awaitable);
    file->seek(0, stream_file::seek_set);
    std::string text(11, '\0');
    error_code error = net::error::would_block;
    auto redirected = net::redirect_error(net::use_awaitable, error);
    co_await file->async_read_some(buffer(text.data(), 5), redirected);
    auto as_tuple = test::as_tuple(net::use_awaitable);
    auto second = co_await file->async_read_some(buffer(text.data() + 5, 1), as_tuple);
    auto deferred = file->async_read_some(buffer(text.data() + 6, 5), test::deferred);
    co_await std::move(deferred)(net::use_awaitable);
    co_return error || std::get<0>(second) ? "" : text;
}

TEST(asio_file, AN1_a_coroutine_writes_seeks_and_reads_by_every_token) {
    const scratch where;
    io_context context;
    stream_file file{context, where.path(), stream_file::read_write};
    auto text = net::co_spawn(context.get_executor(), copy_there_and_back(&file), net::use_future);
    test::run_to_the_end(context);
    EXPECT_EQ(text.get(), "hello world");
    EXPECT_EQ(file.size(), 11u);
}

TEST(asio_file, AN5_the_end_is_told_again_and_nothing_ends_at_once) {
    const scratch where;
    io_context context;
    stream_file file{context, where.path(), stream_file::read_only};
    std::array<char, 8> bytes{};
    std::vector<error_code> told;
    const auto note = [&told](error_code error, std::size_t) { told.push_back(error); };
    file.async_read_some(net::mutable_buffer(), note);
    test::run_to_the_end(context);
    file.async_read_some(buffer(bytes), note);
    test::run_to_the_end(context);
    file.async_read_some(buffer(bytes), note);
    test::run_to_the_end(context);
    EXPECT_EQ(told, (std::vector<error_code>{{}, net::error::eof, net::error::eof}));
}

TEST(asio_file, a_position_that_no_file_has_is_refused) {
    const scratch where;
    io_context context;
    random_access_file file{context, where.path(), random_access_file::read_write};
    std::vector<error_code> told;
    for (const std::uint64_t at : {UINT64_MAX, UINT64_MAX / 2 + 1})
        file.async_write_some_at(at, buffer("x", 1), [&told](error_code error, std::size_t) {
            told.push_back(error);
        });
    test::run_to_the_end(context);
    EXPECT_EQ(told, (std::vector<error_code>(2, net::error::invalid_argument)));
    EXPECT_EQ(file.size(), 0u);
}

TEST(asio_file, AN6_asio_reads_and_writes_where_it_is_told) {
    const scratch where;
    io_context context;
    random_access_file file{context, where.path(), random_access_file::read_write};
    std::vector<std::string> pieces;
    for (std::uint64_t i = 0; i < 50; ++i)
        pieces.emplace_back(100, static_cast<char>('A' + i));
    for (std::uint64_t i = 50; i-- > 0;) // all at once, backwards
        net::async_write_at(file, i * 100, buffer(pieces[i]), net::detached);
    test::run_to_the_end(context);
    EXPECT_EQ(file.size(), 5000u);
    std::vector<std::string> came(50, std::string(100, ' '));
    for (std::uint64_t i = 0; i < 50; ++i)
        net::async_read_at(file, i * 100, buffer(came[i]), net::detached);
    std::array<std::array<char, 2>, 2> parts{};
    const std::array<net::mutable_buffer, 2> into{buffer(parts[0]), buffer(parts[1])};
    auto across = file.async_read_some_at(98, into, net::use_future);
    auto past = file.async_read_some_at(5000, into, net::use_future);
    test::run_to_the_end(context);
    EXPECT_EQ(came, pieces);
    EXPECT_EQ(across.get(), 4u);
    EXPECT_EQ(parts[1], (std::array{'B', 'B'}));
    EXPECT_THROW(past.get(), system_error);
}

using by_default = net::use_awaitable_t<asiox::executor>;

net::awaitable<std::size_t, asiox::executor> read_by_default(random_access_file* file) {
    by_default::as_default_on_t<random_access_file> again{file->get_executor(), file->release()};
    std::array<char, 4> bytes{};
    auto reading = again.async_read_some_at(1, buffer(bytes));
    co_return co_await std::move(reading);
}

TEST(asio_file, AN1_a_file_may_have_a_default_token) {
    const scratch where{"abc"};
    io_context context;
    random_access_file file{context, where.path(), random_access_file::read_only};
    const asiox::executor executor{context.get_executor()};
    auto read = net::co_spawn(executor, read_by_default(&file), net::use_future);
    test::run_to_the_end(context);
    EXPECT_EQ(read.get(), 2u);
}

TEST(asio_file, opens_sizes_moves_and_closes_as_asio_does) {
    const scratch where{"0123456789"};
    io_context context;
    const asiox::executor executor{context.get_executor()};
    stream_file file{executor};
    EXPECT_FALSE(file.is_open());
    error_code error;
    file.open(where.path() + "/no", stream_file::read_only, error);
    EXPECT_EQ(error.value(), ENOTDIR);
    EXPECT_THROW(file.open(where.path() + "/no", stream_file::read_only), system_error);
    const auto wanted = stream_file::write_only | stream_file::create | stream_file::exclusive;
    file.open(where.path(), wanted, error);
    EXPECT_EQ(error.value(), EEXIST);
    file.open(where.path(), stream_file::read_write);
    EXPECT_EQ(::fcntl(file.native_handle(), F_GETFD), FD_CLOEXEC);
    file.open(where.path(), stream_file::read_only, error);
    EXPECT_EQ(error, net::error::already_open);

    EXPECT_EQ(file.size(), 10u);
    EXPECT_EQ(file.seek(-2, stream_file::seek_end), 8u);
    file.seek(-1, stream_file::seek_set, error);
    EXPECT_EQ(error.value(), EINVAL);
    file.resize(9);
    std::array<char, 4> bytes{};
    EXPECT_EQ(file.read_some(buffer(bytes)), 1u);
    EXPECT_EQ(file.read_some(buffer(bytes), error), 0u);
    EXPECT_EQ(error, net::error::eof);
    EXPECT_EQ(file.write_some(buffer("xy", 2)), 2u);
    file.sync_data();
    file.sync_all();

    stream_file moved{std::move(file)};
    EXPECT_FALSE(file.is_open());
    random_access_file again{executor, moved.release()};
    EXPECT_FALSE(moved.is_open());
    EXPECT_EQ(again.read_some_at(8, buffer(bytes)), 3u);
    EXPECT_EQ(std::string(bytes.data(), 3), "8xy");
    EXPECT_EQ(again.write_some_at(0, buffer("z", 1)), 1u);
    EXPECT_EQ(again.read_some_at(11, buffer(bytes), error), 0u);
    EXPECT_EQ(error, net::error::eof);
    again.close();
    EXPECT_THROW(static_cast<void>(again.size()), system_error);
    std::optional<error_code> told;
    again.async_read_some_at(0, buffer(bytes), [&](error_code each, std::size_t) { told = each; });
    test::run_to_the_end(context);
    EXPECT_EQ(told, net::error::bad_descriptor);
}

/// Of something that lets itself be opened as one, and has nothing to say.
TEST(asio_file, AN3_a_cancel_ends_what_is_pending) {
    io_context context;
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    stream_file file{context, ends[0]};
    std::array<char, 4> bytes{};
    std::vector<error_code> told;
    const auto note = [&told](error_code error, std::size_t) { told.push_back(error); };
    net::cancellation_signal signal;
    file.async_read_some(buffer(bytes), net::bind_cancellation_slot(signal.slot(), note));
    context.poll();
    signal.emit(net::cancellation_type::terminal);
    context.run_one_for(std::chrono::seconds{10});
    file.async_read_some(buffer(bytes), note);
    context.poll();
    file.cancel();
    test::run_to_the_end(context);
    const error_code aborted = net::error::operation_aborted;
    EXPECT_EQ(told, (std::vector{aborted, aborted}));
    ::close(ends[1]);
}

} // namespace
} // namespace coronet::asiox::native_file_tests
