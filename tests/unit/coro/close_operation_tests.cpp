// SPDX-License-Identifier: BSL-1.0
//
// async::close ends with a closed descriptor, whatever the kernel makes of it, and never closes a
// number twice: by then it may be another file's. The kernel's part is played by a script.
#include "drivers/scripted.hpp"

#include <coronet/coro/operations.hpp>
#include <coronet/coro/run.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <utility>

#include <fcntl.h>

namespace coronet::close_operation_tests {
namespace {

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) != -1;
}

class closing final : public detail::root {
public:
    explicit closing(int fd) : job_(close_it(fd)) {}
    result<void> outcome() { return job_.result().take(); }

private:
    static task<result<void>> close_it(int fd) {
        async::close operation{unique_fd{fd}};
        co_return co_await operation;
    }
    void start_children() noexcept override { job_.start(*this); }
    void ended() noexcept override { home().stop(); }
    detail::child<result<void>> job_;
};

struct closed {
    result<void> outcome;
    std::size_t submissions;
};

closed close_with(int fd, std::initializer_list<int> results) {
    auto driver = std::make_unique<scripted_driver>();
    scripted_driver& script = *driver;
    for (const int res : results)
        script.on(IORING_OP_CLOSE).complete(res);
    scheduler loop{{}, std::move(driver)};
    closing root{fd};
    root.begin(loop);
    loop.run();
    return {root.outcome(), script.count(IORING_OP_CLOSE)};
}

int some_file() {
    return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

TEST(async_close, closes_by_itself_when_the_kernel_never_began) {
    const int fd = some_file();
    const closed done = close_with(fd, {-ECANCELED, -ECANCELED, -ECANCELED, -ECANCELED});
    EXPECT_TRUE(done.outcome) << done.outcome.error().message();
    EXPECT_EQ(done.submissions, 4u);
    EXPECT_FALSE(is_open(fd));
}

TEST(async_close, is_over_when_it_was_interrupted) {
    const int fd = some_file(); // the script does not close it
    const closed done = close_with(fd, {-EINTR, -EBADF});
    EXPECT_TRUE(done.outcome) << done.outcome.error().message();
    EXPECT_EQ(done.submissions, 1u);
    EXPECT_TRUE(is_open(fd)) << "closed a second time";
    ::close(fd);
}

TEST(async_close, that_nobody_awaits_closes_all_the_same) {
    const int fd = some_file();
    { const async::close never{unique_fd{fd}}; }
    EXPECT_FALSE(is_open(fd));
}

} // namespace
} // namespace coronet::close_operation_tests
