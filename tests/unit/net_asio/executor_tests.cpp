// SPDX-License-Identifier: BSL-1.0
//
// Coronet's executor wherever Asio takes one: its properties, its type-erased forms, work guards,
// and the memory of handlers.
#include "native_pair.hpp"
#include "which_asio.hpp"

#include <coronet/net/asio/executor.hpp>
#include <coronet/net/asio/io_context.hpp>
#include <coronet/net/asio/tcp.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>

namespace coronet::asiox::executor_tests {
namespace {

using namespace std::chrono_literals;
namespace execution = net::execution;

// ---- properties ----

template <class Executor, class... Properties>
constexpr bool can_require_all = (net::can_require_v<Executor, Properties> && ...);
template <class Executor, class... Properties>
constexpr bool can_query_all = (net::can_query_v<Executor, Properties> && ...);

/// What is asked of Coronet's executor, and of each that is made of it.
template <class Executor>
constexpr bool is_complete =
    execution::is_executor_v<Executor>&& std::is_nothrow_copy_constructible_v<
        Executor>&& std::is_nothrow_move_constructible_v<Executor>&&
        std::equality_comparable<Executor>&& can_require_all<
            Executor, execution::blocking_t::never_t, execution::blocking_t::possibly_t,
            execution::relationship_t::fork_t, execution::relationship_t::continuation_t,
            execution::outstanding_work_t::tracked_t, execution::outstanding_work_t::untracked_t,
            execution::allocator_t<std::allocator<int>>, execution::allocator_t<void>>&&
            can_query_all<
                Executor, execution::context_t, execution::mapping_t, execution::blocking_t,
                execution::relationship_t, execution::outstanding_work_t,
                execution::allocator_t<void>>;

/// Coronet's executor answers `asked` as the io_context's does of which it is made.
template <class Executor, class Property>
bool answers_alike(const Executor& ours, const Property& asked) {
    return net::query(ours, asked) == net::query(ours.inner(), asked);
}
template <class Executor>
bool answers_as_asio_does(const Executor& ours) {
#if CORONET_ASIO_VERSION >= 103700
    if (!answers_alike(ours, execution::inline_exception_handling)) return false;
#endif
    return answers_alike(ours, execution::blocking) && answers_alike(ours, execution::mapping) &&
           answers_alike(ours, execution::relationship) &&
           answers_alike(ours, execution::outstanding_work) &&
           &net::query(ours, execution::context) == &net::query(ours.inner(), execution::context);
}

/// With one property more it is still complete, and has that property.
template <class Executor, class Property>
bool takes(const Executor& plain, const Property& wanted) {
    const auto with = net::require(plain, wanted);
    static_assert(is_complete<std::remove_const_t<decltype(with)>>);
    return net::query(with, wanted) == wanted && answers_as_asio_does(with);
}

template <class Executor>
bool takes_every_property(const Executor& plain) {
    return takes(plain, execution::blocking.never) && takes(plain, execution::blocking.possibly) &&
           takes(plain, execution::relationship.fork) &&
           takes(plain, execution::relationship.continuation) &&
           takes(plain, execution::outstanding_work.tracked) &&
           takes(plain, execution::outstanding_work.untracked);
}

TEST(asio_executor, AE1_takes_and_tells_the_properties_that_the_contexts_own_does) {
    static_assert(is_complete<executor>);
    io_context context;
    const executor plain{context.get_executor()};
    EXPECT_TRUE(answers_as_asio_does(plain));
    EXPECT_TRUE(takes_every_property(plain));
    EXPECT_TRUE(takes_every_property(net::require(plain, execution::blocking.never)));
    EXPECT_TRUE(takes_every_property(net::require(plain, execution::relationship.continuation)));
    const auto tracked = net::require(plain, execution::outstanding_work.tracked);
    EXPECT_TRUE(takes_every_property(tracked));
    const auto allocating = net::require(plain, execution::allocator(std::allocator<int>{}));
    static_assert(is_complete<std::remove_const_t<decltype(allocating)>>);
    EXPECT_TRUE(answers_as_asio_does(allocating));
    EXPECT_TRUE(net::query(allocating, execution::allocator) == std::allocator<int>{});
}

TEST(asio_executor, AE1_runs_as_its_properties_say) {
    io_context context;
    const executor plain{context.get_executor()};
    std::string order;
    plain.execute([&] {
        net::require(plain, execution::blocking.never).execute([&order] { order += 'c'; });
        net::require(plain, execution::blocking.possibly).execute([&order] { order += 'a'; });
        order += 'b';
    });
    EXPECT_EQ(order, ""); // from outside it never runs at once
    context.run();
    EXPECT_EQ(order, "abc");
}

// ---- type-erased ----

TEST(asio_executor, AE2_fits_any_io_executor_and_comes_back_out_of_it) {
    io_context context;
    io_context other;
    const executor plain{context.get_executor()};
    const net::any_io_executor any = plain;
    ASSERT_NE(any.target<executor>(), nullptr);
    EXPECT_EQ(*any.target<executor>(), plain);
    EXPECT_EQ(any, net::any_io_executor{executor{context.get_executor()}});
    EXPECT_NE(any, net::any_io_executor{executor{other.get_executor()}});
    EXPECT_NE(plain, executor{other.get_executor()});
    // To Asio it is another kind of executor than that of which it is made.
    EXPECT_NE(any, net::any_io_executor{context.get_executor()});
    bool ran = false;
    net::post(any, [&ran] { ran = true; });
    context.run();
    EXPECT_TRUE(ran);
}

#if CORONET_ASIO_VERSION >= 102700
TEST(asio_executor, AE2_fits_any_completion_executor) {
    io_context context;
    const executor plain{context.get_executor()};
    const net::any_completion_executor any = plain;
    ASSERT_NE(any.target<executor>(), nullptr);
    EXPECT_EQ(*any.target<executor>(), plain);
}
#endif

TEST(asio_executor, AE2_one_that_was_moved_from_owns_no_work) {
    io_context context;
    const executor plain{context.get_executor()};
    auto tracked = net::require(plain, execution::outstanding_work.tracked);
    EXPECT_EQ(context.run_for(1ms), 0u);
    EXPECT_FALSE(context.stopped()); // there is work
    {
        auto taken = std::move(tracked);
        auto copied = taken;
        EXPECT_EQ(taken, copied);
    }
    EXPECT_EQ(context.run(), 0u); // returns
    EXPECT_TRUE(context.stopped());
}

// ---- work guards ----

/// run() waits for the guard, and returns when another thread lets go of it.
template <class Executor>
void is_kept_running_by(io_context& context, const Executor& guarded) {
    auto guard = net::make_work_guard(guarded);
    context.restart();
    EXPECT_EQ(context.run_for(2ms), 0u);
    EXPECT_FALSE(context.stopped());
    std::jthread releasing{[&guard] { guard.reset(); }};
    EXPECT_EQ(context.run(), 0u);
    EXPECT_TRUE(context.stopped());
}

TEST(asio_executor, AE5_a_work_guard_keeps_run_from_returning) {
    io_context context;
    const executor plain{context.get_executor()};
    is_kept_running_by(context, plain);
    is_kept_running_by(context, net::strand<executor>{plain});
    is_kept_running_by(context, net::any_io_executor{plain});
    is_kept_running_by(context, net::any_io_executor{net::make_strand(plain)});
}

// ---- memory ----

struct memory_facts {
    std::size_t taken = 0;
    std::size_t held = 0;
};

template <class T>
struct counting {
    using value_type = T;
    explicit counting(memory_facts& counted) noexcept : facts(&counted) {}
    template <class Other>
    counting(const counting<Other>& other) noexcept
        : facts(other.facts) {} // NOLINT(*-explicit-*): the same for another type
    T* allocate(std::size_t count) {
        ++facts->taken;
        ++facts->held;
        return std::allocator<T>{}.allocate(count);
    }
    void deallocate(T* memory, std::size_t count) noexcept {
        --facts->held;
        std::allocator<T>{}.deallocate(memory, count);
    }
    template <class Other>
    bool operator==(const counting<Other>& other) const noexcept {
        return facts == other.facts;
    }
    memory_facts* facts;
};

/// A handler of any signature; it wants all its memory to be back when it is called.
class frugal {
public:
    frugal(memory_facts& counted, bool& called) noexcept : counted_(counted), called_(called) {}
    using allocator_type = counting<void>;
    [[nodiscard]] allocator_type get_allocator() const noexcept { return allocator_type{counted_}; }
    template <class... Arguments>
    void operator()(Arguments&&...) const {
        called_ = true;
        EXPECT_GT(counted_.taken, 0u);
        EXPECT_EQ(counted_.held, 0u);
    }

private:
    memory_facts& counted_;
    bool& called_;
};

/// Gives such a handler to `begin` and runs the context.
template <class Begin>
void gives_memory_back(io_context& context, Begin&& begin) {
    memory_facts counted;
    bool called = false;
    begin(frugal{counted, called});
    test::run_to_the_end(context);
    EXPECT_TRUE(called);
}

TEST(asio_executor, AE4_a_functions_memory_is_back_before_it_runs) {
    io_context context;
    const executor plain{context.get_executor()};
    gives_memory_back(context, [&](frugal f) { net::post(plain, f); });
    gives_memory_back(context, [&](frugal f) { net::dispatch(plain, f); });
    gives_memory_back(context, [&](frugal f) { net::defer(plain, f); });
    gives_memory_back(context, [&](frugal f) { net::post(net::make_strand(plain), f); });
    gives_memory_back(context, [&](frugal f) {
        memory_facts& counted = *f.get_allocator().facts;
        net::require(plain, execution::allocator(counting<int>{counted})).execute(f);
    });
}

TEST(asio_executor, AE4_an_operations_memory_is_back_before_its_handler_runs) {
    io_context context;
    test::native_pair sockets{context};
    std::string in(8, '\0');
    gives_memory_back(context, [&](frugal f) { sockets.one.async_send(net::buffer("x", 1), f); });
    gives_memory_back(context, [&](frugal f) {
        sockets.other.async_read_some(net::buffer(in), f);
    });
    gives_memory_back(context, [&](frugal f) { // one that is not begun
        sockets.other.async_read_some(net::buffer(in, 0), f);
    });
    gives_memory_back(context, [&](frugal f) {
        sockets.one.async_wait(net::socket_base::wait_write, f);
    });
    gives_memory_back(context, [&](frugal f) {
        sockets.other.async_read_some(net::buffer(in), f);
        sockets.other.cancel();
    });
}

} // namespace
} // namespace coronet::asiox::executor_tests
