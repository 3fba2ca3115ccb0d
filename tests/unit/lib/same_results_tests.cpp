// SPDX-License-Identifier: BSL-1.0
//
// Each entry comes to the same on every driver: the same results in the same order, the same
// errors. What is expected is what the kernel says.
#include "ring_loop.hpp"

#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

namespace same_results_tests {
namespace {

using namespace std::chrono_literals;
using namespace coronet::testing;
using coronet::driver_choice;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::time_point;
using coronet::unique_fd;

using results = std::vector<std::int32_t>;
using filler = sample_operation::filler;

struct sockets {
    explicit sockets(int type = SOCK_STREAM) {
        int fds[2];
        EXPECT_EQ(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
        here.reset(fds[0]);
        there.reset(fds[1]);
    }
    void give(const std::string& text) const {
        EXPECT_EQ(::send(there.get(), text.data(), text.size(), 0), std::ssize(text));
    }
    unique_fd here, there;
};

class on_every_driver : public ::testing::TestWithParam<driver_choice> {
protected:
    static scheduler_options options() {
        scheduler_options wanted;
        wanted.driver = GetParam();
        return wanted;
    }
    /// Runs the entry to its end; `meanwhile` is called when it has been submitted.
    results outcome_of(filler fill, const std::function<void(sample_operation&)>& meanwhile = {}) {
        sample_operation op{std::move(fill)};
        loop.start(op);
        if (meanwhile) {
            for (int turns = 0; turns < 5; ++turns)
                loop.run_once(time_point::min());
            meanwhile(op);
        }
        run_until(loop, [&] { return op.ended(); });
        return op.results;
    }
    static void cancel(sample_operation& op) { op.cancel(); }

    scheduler loop{options()};
    std::array<char, 64> room{};
};

// ---- what goes wrong at once ----

TEST_P(on_every_driver, refuses_an_opcode_that_does_not_exist) {
    EXPECT_EQ(
        outcome_of([](io_uring_sqe& sqe) { io_uring_prep_rw(250, &sqe, -1, nullptr, 0, 0); }),
        results{-EINVAL}
    );
}

TEST_P(on_every_driver, reports_a_descriptor_that_is_not_open) {
    const std::vector<filler> entries{
        [&](io_uring_sqe& sqe) { io_uring_prep_read(&sqe, 9999, room.data(), 1, 0); },
        [&](io_uring_sqe& sqe) { io_uring_prep_write(&sqe, 9999, room.data(), 1, 0); },
        [&](io_uring_sqe& sqe) { io_uring_prep_recv(&sqe, 9999, room.data(), 1, 0); },
        [&](io_uring_sqe& sqe) { io_uring_prep_send(&sqe, 9999, room.data(), 1, 0); },
        [&](io_uring_sqe& sqe) { io_uring_prep_accept(&sqe, 9999, nullptr, nullptr, 0); },
        [&](io_uring_sqe& sqe) { io_uring_prep_poll_add(&sqe, 9999, POLLIN); },
        [&](io_uring_sqe& sqe) { io_uring_prep_poll_multishot(&sqe, 9999, POLLIN); },
        [&](io_uring_sqe& sqe) { io_uring_prep_shutdown(&sqe, 9999, SHUT_WR); },
        [&](io_uring_sqe& sqe) { io_uring_prep_fsync(&sqe, 9999, 0); },
        [&](io_uring_sqe& sqe) { io_uring_prep_close(&sqe, 9999); },
    };
    for (std::size_t i = 0; i < entries.size(); ++i)
        EXPECT_EQ(outcome_of(entries[i]), results{-EBADF}) << i;
}

TEST_P(on_every_driver, reports_what_is_no_socket) {
    const empty_pipe pipe;
    const int fd = pipe.out.get();
    sockaddr_in where{};
    msghdr message{};
    const std::vector<filler> entries{
        [&](io_uring_sqe& sqe) { io_uring_prep_recv(&sqe, fd, room.data(), 1, 0); },
        [&](io_uring_sqe& sqe) { io_uring_prep_send(&sqe, fd, room.data(), 1, 0); },
        [&](io_uring_sqe& sqe) { io_uring_prep_recvmsg(&sqe, fd, &message, 0); },
        [&](io_uring_sqe& sqe) { io_uring_prep_sendmsg(&sqe, fd, &message, 0); },
        [&](io_uring_sqe& sqe) { io_uring_prep_accept(&sqe, fd, nullptr, nullptr, 0); },
        [&](io_uring_sqe& sqe) { io_uring_prep_multishot_accept(&sqe, fd, nullptr, nullptr, 0); },
        [&](io_uring_sqe& sqe) {
            io_uring_prep_connect(&sqe, fd, reinterpret_cast<sockaddr*>(&where), sizeof where);
        },
        [&](io_uring_sqe& sqe) { io_uring_prep_shutdown(&sqe, fd, SHUT_WR); },
    };
    for (std::size_t i = 0; i < entries.size(); ++i)
        EXPECT_EQ(outcome_of(entries[i]), results{-ENOTSOCK}) << i;
    EXPECT_FALSE(::fcntl(fd, F_GETFL) & O_NONBLOCK);
}

TEST_P(on_every_driver, reports_sockets_in_the_wrong_state) {
    const unique_fd idle{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const sockets pair;
    EXPECT_EQ(
        outcome_of([&](io_uring_sqe& sqe) {
            io_uring_prep_accept(&sqe, idle.get(), nullptr, nullptr, 0);
        }),
        results{-EINVAL}
    );
    EXPECT_EQ(
        outcome_of([&](io_uring_sqe& sqe) { io_uring_prep_shutdown(&sqe, idle.get(), SHUT_WR); }),
        results{-ENOTCONN}
    );
    EXPECT_EQ(
        outcome_of([&](io_uring_sqe& sqe) {
            io_uring_prep_recv(&sqe, idle.get(), room.data(), 1, 0);
        }),
        results{-ENOTCONN}
    );
    EXPECT_EQ(
        outcome_of([](io_uring_sqe& sqe) { io_uring_prep_socket(&sqe, 12345, SOCK_STREAM, 0, 0); }),
        results{-EAFNOSUPPORT}
    );
    EXPECT_EQ(
        outcome_of([&](io_uring_sqe& sqe) {
            io_uring_prep_recv(&sqe, pair.here.get(), room.data(), 1, MSG_DONTWAIT);
        }),
        results{-EAGAIN}
    );
}

// ---- MSG_WAITALL ----

TEST_P(on_every_driver, receives_all_of_it_as_it_comes) {
    const sockets pair;
    pair.give("ab");
    EXPECT_EQ(
        outcome_of(
            [&](io_uring_sqe& sqe) {
                io_uring_prep_recv(&sqe, pair.here.get(), room.data(), 6, MSG_WAITALL);
            },
            [&](sample_operation& op) {
                EXPECT_FALSE(op.ended());
                pair.give("cdefgh");
            }
        ),
        results{6}
    );
    EXPECT_EQ(std::string(room.data(), 6), "abcdef");
}

TEST_P(on_every_driver, reports_the_part_that_came_before_the_end) {
    sockets pair;
    pair.give("abc");
    EXPECT_EQ(
        outcome_of(
            [&](io_uring_sqe& sqe) {
                io_uring_prep_recv(&sqe, pair.here.get(), room.data(), 8, MSG_WAITALL);
            },
            [&](sample_operation&) { pair.there.reset(); }
        ),
        results{3}
    );
}

TEST_P(on_every_driver, reports_the_part_that_came_before_it_was_cancelled) {
    const sockets pair;
    pair.give("abc");
    EXPECT_EQ(
        outcome_of(
            [&](io_uring_sqe& sqe) {
                io_uring_prep_recv(&sqe, pair.here.get(), room.data(), 8, MSG_WAITALL);
            },
            cancel
        ),
        results{3}
    );
}

TEST_P(on_every_driver, receives_a_datagram_that_is_shorter_than_the_room) {
    const sockets pair{SOCK_DGRAM};
    pair.give("abc");
    EXPECT_EQ(
        outcome_of([&](io_uring_sqe& sqe) {
            io_uring_prep_recv(&sqe, pair.here.get(), room.data(), 8, MSG_WAITALL);
        }),
        results{3}
    );
}

TEST_P(on_every_driver, receives_all_parts_of_a_message) {
    const sockets pair;
    pair.give("ab");
    std::array<iovec, 3> parts{
        iovec{room.data(), 1}, iovec{room.data() + 1, 0}, iovec{room.data() + 1, 4}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    EXPECT_EQ(
        outcome_of(
            [&](io_uring_sqe& sqe) {
                io_uring_prep_recvmsg(&sqe, pair.here.get(), &message, MSG_WAITALL);
            },
            [&](sample_operation&) { pair.give("cde"); }
        ),
        results{5}
    );
    EXPECT_EQ(std::string(room.data(), 5), "abcde");
    EXPECT_EQ(parts[0].iov_len, 1U) << "the caller's buffers are left alone";
}

TEST_P(on_every_driver, sends_all_of_it_as_there_is_room) {
    const sockets pair;
    const std::string much(1'000'000, 'x');
    std::size_t drained = 0;
    EXPECT_EQ(
        outcome_of(
            [&](io_uring_sqe& sqe) {
                io_uring_prep_send(&sqe, pair.here.get(), much.data(), much.size(), MSG_WAITALL);
            },
            [&](sample_operation& op) {
                std::vector<char> block(65'536);
                while (!op.ended()) {
                    const auto n =
                        ::recv(pair.there.get(), block.data(), block.size(), MSG_DONTWAIT);
                    if (n > 0) drained += static_cast<std::size_t>(n);
                    loop.run_once(time_point::min());
                }
            }
        ),
        results{1'000'000}
    );
    EXPECT_GT(drained, 0U);
}

/// They wait for different things.
TEST_P(on_every_driver, receives_beside_somebody_who_waits_for_errors) {
    const unique_fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_in own{};
    own.sin_family = AF_INET;
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof own;
    ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&own), size), 0);
    ASSERT_EQ(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size), 0);
    msghdr message{};
    sample_operation for_errors{[&](io_uring_sqe& sqe) {
        io_uring_prep_recvmsg(&sqe, socket.get(), &message, MSG_ERRQUEUE);
    }};
    loop.start(for_errors);
    loop.run_once(time_point::min());
    ASSERT_EQ(::sendto(socket.get(), "abc", 3, 0, reinterpret_cast<sockaddr*>(&own), size), 3);
    for (int turns = 0; turns < 5; ++turns)
        loop.run_once(time_point::min()); // the report comes, for nobody
    EXPECT_EQ(
        outcome_of([&](io_uring_sqe& sqe) {
            io_uring_prep_recv(&sqe, socket.get(), room.data(), 8, 0);
        }),
        results{3}
    );
    EXPECT_FALSE(for_errors.ended());
    for_errors.cancel();
    run_until(loop, [&] { return for_errors.ended(); });
}

// ---- what cannot be asked not to wait ----

TEST_P(on_every_driver, reads_an_eventfd_that_blocks) {
    const unique_fd counter{::eventfd(0, EFD_CLOEXEC)};
    std::uint64_t count = 0;
    EXPECT_EQ(
        outcome_of(
            [&](io_uring_sqe& sqe) {
                io_uring_prep_read(&sqe, counter.get(), &count, sizeof count, 0);
            },
            [&](sample_operation& op) {
                EXPECT_FALSE(op.ended());
                EXPECT_EQ(::eventfd_write(counter.get(), 5), 0);
            }
        ),
        results{8}
    );
    EXPECT_EQ(count, 5U);
}

TEST_P(on_every_driver, reads_a_timer_that_blocks) {
    const unique_fd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
    itimerspec soon{};
    soon.it_value.tv_nsec = 2'000'000;
    std::uint64_t count = 0;
    ::timerfd_settime(timer.get(), 0, &soon, nullptr);
    EXPECT_EQ(
        outcome_of([&](io_uring_sqe& sqe) {
            io_uring_prep_read(&sqe, timer.get(), &count, sizeof count, ~std::uint64_t{0});
        }),
        results{8}
    );
    EXPECT_EQ(count, 1U);
}

TEST_P(on_every_driver, cancels_a_read_of_a_timer_that_blocks) {
    const unique_fd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
    std::uint64_t count = 0;
    EXPECT_EQ(
        outcome_of(
            [&](io_uring_sqe& sqe) {
                io_uring_prep_read(&sqe, timer.get(), &count, sizeof count, ~std::uint64_t{0});
            },
            cancel
        ),
        results{-ECANCELED}
    );
}

// ---- polls ----

TEST_P(on_every_driver, polls_a_file_that_is_always_ready) {
    const unique_fd file{::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
    EXPECT_EQ(
        outcome_of([&](io_uring_sqe& sqe) {
            io_uring_prep_poll_add(&sqe, file.get(), POLLIN | POLLOUT);
        }),
        results{POLLIN | POLLOUT}
    );
}

TEST_P(on_every_driver, polls_for_what_the_peer_does) {
    sockets pair;
    EXPECT_EQ(
        outcome_of(
            [&](io_uring_sqe& sqe) {
                io_uring_prep_poll_add(&sqe, pair.here.get(), POLLIN | POLLRDHUP);
            },
            [&](sample_operation&) { ::shutdown(pair.there.get(), SHUT_WR); }
        ),
        results{POLLIN | POLLRDHUP}
    );
}

// ---- names and files ----

TEST_P(on_every_driver, works_on_names) {
    std::string folder = "/tmp/coronet-XXXXXX";
    ASSERT_TRUE(::mkdtemp(folder.data()));
    const std::string one = folder + "/one", two = folder + "/two";
    const auto end_of = [&](filler fill) { return outcome_of(std::move(fill)).back(); };
    const auto make = [&](io_uring_sqe& sqe) {
        io_uring_prep_mkdirat(&sqe, AT_FDCWD, one.c_str(), 0700);
    };
    const auto rename = [&](io_uring_sqe& sqe) {
        io_uring_prep_renameat(&sqe, AT_FDCWD, one.c_str(), AT_FDCWD, two.c_str(), 0);
    };
    const auto link = [&](io_uring_sqe& sqe) {
        io_uring_prep_symlinkat(&sqe, "two", AT_FDCWD, one.c_str());
    };
    const auto remove = [&](io_uring_sqe& sqe) {
        io_uring_prep_unlinkat(&sqe, AT_FDCWD, two.c_str(), AT_REMOVEDIR);
    };
    EXPECT_EQ(end_of(make), 0);
    EXPECT_EQ(end_of(make), -EEXIST);
    EXPECT_EQ(end_of(rename), 0);
    EXPECT_EQ(end_of(rename), -ENOENT);
    EXPECT_EQ(end_of(link), 0);
    struct ::statx seen {};
    EXPECT_EQ(
        end_of([&](io_uring_sqe& sqe) {
            io_uring_prep_statx(
                &sqe, AT_FDCWD, one.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &seen
            );
        }),
        0
    );
    EXPECT_TRUE(S_ISLNK(seen.stx_mode));
    EXPECT_EQ(end_of(remove), 0);
    EXPECT_EQ(end_of(remove), -ENOENT);
    EXPECT_EQ(
        end_of([&](io_uring_sqe& sqe) { io_uring_prep_read(&sqe, AT_FDCWD, room.data(), 1, 0); }),
        -EBADF
    );
    ::unlink(one.c_str());
    ::rmdir(folder.c_str());
}

TEST_P(on_every_driver, makes_room_in_a_file_and_reads_it) {
    char name[] = "/tmp/coronet-XXXXXX";
    const unique_fd file{::mkostemp(name, O_CLOEXEC)};
    ::unlink(name);
    EXPECT_EQ(
        outcome_of([&](io_uring_sqe& sqe) { io_uring_prep_fallocate(&sqe, file.get(), 0, 0, 50); }),
        results{0}
    );
    EXPECT_EQ(
        outcome_of([&](io_uring_sqe& sqe) {
            io_uring_prep_read(&sqe, file.get(), room.data(), 64, 10);
        }),
        results{40}
    );
    const unique_fd folder{::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    EXPECT_EQ(
        outcome_of([&](io_uring_sqe& sqe) {
            io_uring_prep_read(&sqe, folder.get(), room.data(), 64, 0);
        }),
        results{-EISDIR}
    );
}

std::string driver_name(const ::testing::TestParamInfo<driver_choice>& which) {
    return which.param == driver_choice::epoll ? "epoll" : "io_uring";
}
INSTANTIATE_TEST_SUITE_P(
    same_results, on_every_driver, ::testing::Values(driver_choice::io_uring, driver_choice::epoll),
    driver_name
);

} // namespace
} // namespace same_results_tests
