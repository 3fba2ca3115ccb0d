// SPDX-License-Identifier: BSL-1.0
#include "worker_thread.hpp"

#include "engine.hpp"
#include "futex.hpp"
#include "notify_signal.hpp"
#include "worker_account.hpp"

#include <coronet/detail/forked_child.hpp>
#include <coronet/detail/hooks.hpp>
#include <coronet/worker_pool.hpp>

#include <cerrno>
#include <memory>
#include <new>
#include <system_error>
#include <utility>

#include <pthread.h>
#include <unistd.h>

namespace coronet::detail {

namespace {
thread_local worker_thread* current_worker = nullptr;
} // namespace

/// What the thread begins with. The worker itself outlives it.
class worker_thread::body final : public thread_body {
public:
    explicit body(worker_thread& worker) : thread_body(worker.name()), worker_(worker) {}
    void run() override { worker_.live(); }

private:
    worker_thread& worker_;
};

worker_thread* worker_thread::current() noexcept {
    return current_worker;
}

int worker_thread::create(worker_account& account, std::size_t stack_size) noexcept {
    try {
        std::unique_ptr<worker_thread> made{
            new worker_thread{account, account.generation(), ::gettid()}};
        std::unique_ptr<thread_body> begun = std::make_unique<body>(*made);
        creation_attempt attempt = try_start_thread(begun, stack_size);
        if (attempt.error != 0) return attempt.error;
        made.release()->thread_ = std::move(attempt.thread); // recruiter::reap() ends it
        return 0;
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    }
}

std::string worker_thread::name() const {
    const bool bounded = account_.kind == pool_account::bounded;
    const auto whole = std::string{"crn-w"} + (bounded ? "b-" : "u-") + std::to_string(owner_id_);
    return whole.substr(0, 15);
}

// ---- its own thread ----

void worker_thread::live() noexcept {
    current_worker = this;
    id_ = ::gettid();
    CORONET_HOOK(worker_begins, &account_);
    start_error = prepare();
    if (start_error == 0) work();
    CORONET_HOOK(worker_left, &account_);
    const bool taken = account_.owner.post(account_.owner.internal, *this);
    CORONET_ASSERT(taken); // the owner ends after its pool
}

void worker_thread::work() noexcept {
    pool_item* present = account_.next(*this, nullptr);
    while (present) {
        present->execute();
        if (account_.owner.in_forked_child())
            end_forked_child("a forked child went on in a worker of its parent: exec or _exit");
        CORONET_HOOK(item_executed, present);
        present = account_.next(*this, present);
    }
}

int worker_thread::prepare() noexcept {
    const auto& on_start = account_.owner.options.workers.on_start;
    if (!on_start) return 0;
    try {
        on_start();
        return 0;
    } catch (const std::system_error& thrown) {
        return thrown.code().value() != 0 ? thrown.code().value() : EINVAL;
    } catch (const std::bad_alloc&) {
        return ENOMEM;
    } catch (...) {
        return EINVAL;
    }
}

void worker_thread::sleep(time_point deadline) noexcept {
    if (token_.load(std::memory_order_relaxed) == 0) futex::wait(token_, 0, deadline);
}

void worker_thread::forget_notifications() const noexcept {
    notify_signal::consume(account_.signal);
}

// ---- others ----

void worker_thread::wake(std::atomic<std::uint32_t>& token) noexcept {
    futex::wake_all(token);
}

void worker_thread::notify() const noexcept {
    notify_signal::send(account_.signal, id_);
}

/// The owner: it has left.
void worker_thread::run() noexcept {
    account_.reap(*this);
}

} // namespace coronet::detail
