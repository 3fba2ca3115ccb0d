// SPDX-License-Identifier: BSL-1.0
//
// The buffers that a scheduler receives into: which go where, who has to wait, and that each comes
// home once, from whichever thread and however late.
#include "call.hpp"
#include "run_until.hpp"
#include "scripted_scheduler.hpp"
#include "support/child_process.hpp"
#include "support/script.hpp"

#include <coronet/detail/buffer_pool.hpp>
#include <coronet/received_buffer.hpp>
#include <coronet/scheduler.hpp>

#include <gtest/gtest.h>
#include <liburing.h>

#include <cstring>
#include <memory>
#include <system_error>
#include <thread>
#include <vector>

#include <sys/mman.h>

namespace buffer_pool_tests {
namespace {

using namespace coronet::testing;
using coronet::received_buffer;
using coronet::scheduler;
using coronet::scheduler_options;
using coronet::scripted_driver;
using coronet::time_point;
using coronet::detail::buffer_pool;
using coronet::detail::buffer_waiter;

scheduler_options with_blocks(unsigned count, unsigned max) {
    scheduler_options options;
    options.receive_buffers.count = count;
    options.receive_buffers.max = max;
    options.receive_buffers.size = 128;
    return options;
}

struct pool_of {
    explicit pool_of(unsigned count, unsigned max, bool rings = true)
        : pool_of(std::make_unique<scripted_driver>(), count, max, rings) {}
    pool_of(std::unique_ptr<scripted_driver> driver, unsigned count, unsigned max, bool rings)
        : loop(std::make_unique<scheduler>(with_blocks(count, max), known(driver, rings))) {
        turn();
        pool = &loop->receive_buffers();
    }
    static std::unique_ptr<scripted_driver>
    known(std::unique_ptr<scripted_driver>& driver, bool rings) {
        if (!rings) driver->know_no_buffers();
        return std::move(driver);
    }
    void turn() const { loop->run_once(time_point::min()); }
    /// As a completion that names this block.
    [[nodiscard]] received_buffer arrive(std::uint32_t number, std::uint32_t size = 5) const {
        const auto piece =
            pool->arrived(IORING_CQE_F_BUFFER | number << IORING_CQE_BUFFER_SHIFT, size);
        return {piece.data, piece.size, piece.block};
    }
    /// On the owner's thread, inside the loop.
    void inside(const std::function<void()>& function) const {
        call item{function};
        loop->ready(item);
        turn();
    }

    std::unique_ptr<scheduler> loop;
    buffer_pool* pool;
};

bool is_mapped(const void* address) {
    constexpr std::uintptr_t page = 4096;
    const auto begin = reinterpret_cast<std::uintptr_t>(address) & ~(page - 1);
    return ::msync(reinterpret_cast<void*>(begin), page, MS_ASYNC) == 0;
}

struct starving final : buffer_waiter {
    void buffers_are_back() noexcept override { ++told; }
    [[nodiscard]] bool is_waited_for() const noexcept override { return false; }
    void receive_into(coronet::detail::receive_block&) noexcept override {
        ADD_FAILURE() << "nobody waits";
    }
    int told = 0;
};

// ---- options ----

TEST(buffer_pool, refuses_options_that_make_no_sense) {
    const auto refused = [](unsigned count, unsigned max, std::size_t size) {
        scheduler_options options = with_blocks(count, max);
        options.receive_buffers.size = size;
        try {
            const scheduler loop{options};
            return false;
        } catch (const std::system_error& error) {
            return error.code() == std::errc::invalid_argument;
        }
    };
    EXPECT_TRUE(refused(4, 100, 128));    // no power of two
    EXPECT_TRUE(refused(4, 65'536, 128)); // the kernel has none of that size
    EXPECT_TRUE(refused(0, 4, 128));
    EXPECT_TRUE(refused(5, 4, 128));
    EXPECT_TRUE(refused(4, 4, 63));
    EXPECT_TRUE(refused(4, 4, (std::size_t{1} << 20) + 1));
    EXPECT_FALSE(refused(4, 4, 64));
}

TEST(buffer_pool, is_not_there_before_the_loop) {
    scheduler loop{with_blocks(4, 4), std::make_unique<scripted_driver>()};
    EXPECT_THROW(static_cast<void>(loop.receive_buffers()), std::system_error);
}

// ---- there and back ----

TEST(buffer_pool, counts_what_is_out) {
    const pool_of test{4, 8};
    EXPECT_EQ(test.pool->available(), 4u);
    test.inside([&] {
        auto first = test.arrive(0);
        EXPECT_EQ(test.pool->available(), 3u);
        const auto moved = std::move(first);
        EXPECT_EQ(test.pool->available(), 3u);
    });
    EXPECT_EQ(test.pool->available(), 4u);
}

TEST(buffer_pool, takes_a_block_home_when_its_last_piece_is_and_the_kernel_has_done_with_it) {
    constexpr std::uint32_t more_room = 1U << 4; // IORING_CQE_F_BUF_MORE
    const pool_of test{4, 8};
    test.inside([&] {
        const auto piece = [&](std::uint32_t flags, std::uint32_t size) {
            const auto got = test.pool->arrived(IORING_CQE_F_BUFFER | flags, size);
            return received_buffer{got.data, got.size, got.block};
        };
        auto first = piece(more_room, 10);
        auto second = piece(more_room, 20);
        EXPECT_EQ(second.data(), first.data() + 10);
        first = {};
        second = {};
        EXPECT_EQ(test.pool->available(), 4u);
        auto last = piece(0, 98);
        EXPECT_EQ(test.pool->available(), 3u);
        last = {};
        EXPECT_EQ(test.pool->available(), 4u);
    });
}

TEST(buffer_pool, lends_whole_blocks_where_rings_are_unknown) {
    const pool_of test{2, 2, false};
    test.inside([&] {
        EXPECT_FALSE(test.pool->offers());
        auto* const first = test.pool->take_spare();
        auto* const second = test.pool->take_spare();
        ASSERT_TRUE(first && second);
        EXPECT_NE(first->data(), second->data());
        EXPECT_EQ(test.pool->take_spare(), nullptr);
        test.pool->put_back(*second);
        EXPECT_EQ(test.pool->take_spare(), second);
        test.pool->put_back(*first);
        test.pool->put_back(*second);
    });
    EXPECT_EQ(test.pool->available(), 2u);
}

// ---- starvation ----

TEST(buffer_pool, R5_grows_for_those_who_starve_and_parks_them_at_its_maximum) {
    const pool_of test{1, 2};
    test.inside([&] {
        starving first, second;
        auto one = test.arrive(0);
        EXPECT_TRUE(test.pool->find_more(first));
        EXPECT_EQ(test.pool->block_count(), 2u);
        auto two = test.arrive(1);
        EXPECT_FALSE(test.pool->find_more(first));
        EXPECT_FALSE(test.pool->find_more(second));
        two = {}; // one block: one goes on
        EXPECT_EQ(first.told, 1);
        EXPECT_EQ(second.told, 0);
        one = {}; // the other is not left behind
        EXPECT_EQ(second.told, 1);
        EXPECT_EQ(first.told, 1);
    });
}

TEST(buffer_pool, R5_grows_by_as_many_as_starve_in_one_turn) {
    const pool_of test{1, 256};
    test.inside([&] {
        starving many;
        const auto one = test.arrive(0);
        for (int i = 0; i < 150; ++i)
            EXPECT_TRUE(test.pool->find_more(many));
        EXPECT_GE(test.pool->available(), 128u);
    });
}

TEST(buffer_pool, forgets_one_that_is_parked) {
    const pool_of test{1, 1};
    test.inside([&] {
        starving first, second;
        auto one = test.arrive(0);
        EXPECT_FALSE(test.pool->find_more(first));
        EXPECT_FALSE(test.pool->find_more(second));
        test.pool->forget(first);
        one = {};
        EXPECT_EQ(first.told, 0);
        EXPECT_EQ(second.told, 1);
    });
}

// ---- other threads ----

TEST(buffer_pool, R6_takes_pieces_home_from_other_threads) {
    const pool_of test{4, 4};
    std::vector<received_buffer> pieces;
    test.inside([&] {
        for (std::uint32_t i = 0; i < 4; ++i)
            pieces.push_back(test.arrive(i));
    });
    std::jthread{[&] { pieces.clear(); }}.join();
    EXPECT_EQ(test.pool->available(), 0u);
    test.turn();
    EXPECT_EQ(test.pool->available(), 4u);
}

TEST(buffer_pool, feeds_the_parked_with_what_comes_home_from_elsewhere) {
    const pool_of test{1, 1};
    starving parked;
    received_buffer piece;
    test.inside([&] {
        piece = test.arrive(0);
        EXPECT_FALSE(test.pool->find_more(parked));
    });
    std::jthread{[&] { piece = {}; }}.join();
    EXPECT_EQ(parked.told, 0);
    test.turn();
    EXPECT_EQ(parked.told, 1);
}

TEST(buffer_pool, R7_lives_until_the_last_piece_is_home) {
    auto test = std::make_unique<pool_of>(4, 4);
    std::vector<received_buffer> pieces;
    test->inside([&] {
        for (std::uint32_t i = 0; i < 4; ++i)
            pieces.push_back(test->arrive(i));
        for (auto& each : pieces)
            std::memcpy(each.data(), "piece", 5);
    });
    test.reset();
    // Another loop may be where the old one was: it is not theirs.
    const pool_of other{4, 4};
    other.inside([&] { pieces.pop_back(); });
    std::jthread{[&] { pieces.pop_back(); }}.join();
    for (auto& each : pieces)
        EXPECT_EQ(std::memcmp(each.data(), "piece", 5), 0);
    const auto* const last = pieces.front().data();
    pieces.pop_back();
    EXPECT_TRUE(is_mapped(last));
    pieces.pop_back();
    EXPECT_FALSE(is_mapped(last)); // the pool has gone with it
    EXPECT_EQ(other.pool->available(), 4u);
}

TEST(buffer_pool, is_left_alone_by_a_forked_child) {
    const pool_of test{1, 1};
    received_buffer piece;
    test.inside([&] { piece = test.arrive(0); });
    EXPECT_EQ(
        coronet::test::in_a_child([&] {
            piece = {};
            return 0;
        }),
        0
    );
    test.turn();
    EXPECT_EQ(test.pool->available(), 0u);
    test.inside([&] { piece = {}; });
    EXPECT_EQ(test.pool->available(), 1u);
}

#ifdef CORONET_HOOKS

using coronet::test::point;
using coronet::test::script;

/// Two pieces of one block come home from two threads, the second while the first is about to tell.
TEST(buffer_pool, R6_sends_a_block_home_once_for_all_pieces_that_other_threads_give_back) {
    constexpr std::uint32_t more_room = 1U << 4;
    const pool_of test{1, 1};
    received_buffer first, second;
    test.inside([&] {
        const auto a = test.pool->arrived(IORING_CQE_F_BUFFER | more_room, 10);
        const auto b = test.pool->arrived(IORING_CQE_F_BUFFER, 10);
        first = {a.data, a.size, a.block};
        second = {b.data, b.size, b.block};
    });
    script play;
    auto& telling = play.hold(point::buffer_returning);
    std::jthread one{[&] { first = {}; }};
    telling.wait();
    std::jthread{[&] { second = {}; }}.join();
    telling.release();
    one.join();
    test.turn();
    EXPECT_EQ(test.pool->available(), 1u);
}

/// The loop ends while a piece is about to be sent home: whoever comes last frees the pool.
TEST(buffer_pool, R7_is_freed_once_when_its_end_meets_a_piece_on_its_way_home) {
    auto test = std::make_unique<pool_of>(2, 2);
    received_buffer first, second;
    test->inside([&] {
        first = test->arrive(0);
        second = test->arrive(1);
    });
    script play;
    auto& telling = play.hold(point::buffer_returning);
    std::jthread one{[&] { first = {}; }};
    telling.wait();
    test.reset();
    telling.release();
    one.join();
    const auto* const last = second.data();
    EXPECT_TRUE(is_mapped(last));
    second = {};
    EXPECT_FALSE(is_mapped(last));
}

#endif

} // namespace
} // namespace buffer_pool_tests
