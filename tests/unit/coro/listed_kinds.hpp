// SPDX-License-Identifier: BSL-1.0
//
// Awaits in lists that threads share, each with what lets it go on. The tests of what they have in
// common are the same for all of them:
//   start()   gives the await, which has to wait
//   feed()    lets it go on; on any thread
//   kept()    whether what feed() gave is still there for somebody else
//   shared()  the address that hooks are told
#pragma once

#include <coronet/coro/channel.hpp>
#include <coronet/coro/event.hpp>
#include <coronet/coro/latch.hpp>
#include <coronet/coro/mutex.hpp>
#include <coronet/coro/semaphore.hpp>

#include <optional>

namespace coronet::test {

struct listed_lock {
    mutex what;
    std::optional<mutex::guard> holder = what.try_lock();
    auto start() { return what.lock(); }
    void feed() { holder.reset(); }
    bool kept() { return what.try_lock().has_value(); }
    const void* shared() const { return &what; }
};

struct listed_acquire {
    semaphore what{0};
    auto start() { return what.acquire(); }
    void feed() { what.release(); }
    bool kept() { return what.try_acquire(); }
    const void* shared() const { return &what; }
};

struct listed_event {
    event what;
    auto start() { return what.wait(); }
    void feed() { what.set(); }
    bool kept() { return what.is_set(); }
    const void* shared() const { return &what; }
};

struct listed_latch {
    latch what{1};
    auto start() { return what.wait(); }
    void feed() { what.count_down(); }
    bool kept() { return what.try_wait(); }
    const void* shared() const { return &what; }
};

struct listed_receive {
    channel<int> what{1};
    auto start() { return what.receive(); }
    void feed() { what.try_send(7).value(); }
    bool kept() { return what.try_receive().value_or(0) == 7; }
    const void* shared() const { return &what; }
};

struct listed_send {
    listed_send() { what.try_send(1).value(); }
    channel<int> what{1};
    auto start() { return what.send(2); }
    void feed() { static_cast<void>(what.try_receive().value()); }
    bool kept() { return what.size() == 0; } // and not a 2
    const void* shared() const { return &what; }
};

struct listed_rendezvous {
    channel<int> what{0};
    auto start() { return what.send(2); }
    void feed() { taken = what.try_receive().has_value(); }
    bool kept() const { return !taken; } // there is nothing to be had without a sender
    const void* shared() const { return &what; }
    bool taken = false;
};

} // namespace coronet::test
