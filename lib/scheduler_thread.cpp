// SPDX-License-Identifier: BSL-1.0
#include "engine.hpp"
#include "log.hpp"
#include "thread_creation.hpp"

#include <coronet/scheduler_thread.hpp>

#include <exception>
#include <mutex>
#include <system_error>
#include <utility>

#include <pthread.h>
#include <sched.h>

namespace coronet {

namespace {

void pin_this_thread(int cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(cpu), &one);
    if (const int error = ::pthread_setaffinity_np(::pthread_self(), sizeof one, &one))
        throw std::system_error(
            error, std::generic_category(),
            "pthread_setaffinity_np: cannot run on CPU " + std::to_string(cpu)
        );
}

} // namespace

/// What the handle and the thread hold together.
class scheduler_thread::shared {
public:
    explicit shared(const scheduler_thread_options& wanted)
        : options(wanted), loop(wanted.scheduler) {
        loop.engine_->has_own_thread = true;
    }

    /// The thread. Until its loop runs, an exception means that it did not start.
    void run(detail::engine& machine) noexcept {
        try {
            if (options.cpu >= 0) pin_this_thread(options.cpu);
            loop.run();
        } catch (...) {
            escaped = std::current_exception();
        }
        if (machine.state.current_phase() == run_state::phase::starting) machine.start_failed();
    }
    void reap() noexcept {
        const std::scoped_lock lock{reaping};
        if (thread.joinable()) thread.join();
    }
    void detach() noexcept {
        const std::scoped_lock lock{reaping};
        if (thread.joinable()) thread.detach();
    }
    void rethrow_escaped() {
        std::exception_ptr thrown;
        {
            const std::scoped_lock lock{reaping};
            thrown = std::exchange(escaped, nullptr);
        }
        if (thrown) std::rethrow_exception(thrown);
    }

    const scheduler_thread_options options;
    scheduler loop;
    std::mutex reaping;
    thread_handle thread;
    std::exception_ptr escaped; // written by the thread; read after it was joined
};

scheduler_thread::scheduler_thread(const scheduler_thread_options& options)
    : shared_(std::make_shared<shared>(options)) {}

// Options that a caller makes and inlines the end of are "maybe uninitialized" to g++ 12.
scheduler_thread::scheduler_thread() : scheduler_thread(scheduler_thread_options{}) {}

scheduler_thread& scheduler_thread::operator=(scheduler_thread&& other) noexcept {
    if (this != &other) {
        let_go();
        shared_ = std::move(other.shared_);
    }
    return *this;
}

scheduler_thread::~scheduler_thread() {
    let_go();
}

void scheduler_thread::let_go() noexcept {
    if (!shared_) return;
    if (shared_->loop.engine_->in_forked_child()) {
        static_cast<void>(new std::shared_ptr<shared>(std::move(shared_))); // the parent's
        return;
    }
    stop();
    if (shared_->loop.engine_->join_allowed())
        shared_->reap();
    else
        shared_->detach();
    shared_.reset();
}

scheduler& scheduler_thread::operator*() const noexcept {
    return shared_->loop;
}

void scheduler_thread::start() {
    begin(false);
    shared_->loop.engine_->wait_until_started();
    if (shared_->loop.engine_->state.current_phase() != run_state::phase::failed) return;
    shared_->reap();
    shared_->rethrow_escaped();
}

park_guard scheduler_thread::start_parked() {
    begin(true);
    auto guard = shared_->loop.engine_->take_first_guard();
    if (guard) return std::move(*guard);
    shared_->reap();
    shared_->rethrow_escaped();
    throw std::system_error(guard.error(), "scheduler_thread");
}

void scheduler_thread::begin(bool parked) {
    detail::engine& machine = *shared_->loop.engine_;
    if (const auto begun = machine.begin_start(parked); !begun)
        throw std::system_error(begun.error(), "scheduler_thread");
    try {
        const std::scoped_lock lock{shared_->reaping};
        shared_->thread = create_thread({shared_->options.name}, [own = shared_, &machine] {
            own->run(machine);
        });
    } catch (...) {
        machine.abandon_start(parked);
        throw;
    }
}

void scheduler_thread::stop() noexcept {
    shared_->loop.stop();
}

result<void> scheduler_thread::join() {
    if (!shared_->loop.engine_->was_started()) return {};
    return reaped(shared_->loop.join());
}
result<void> scheduler_thread::join_for(duration limit) {
    if (!shared_->loop.engine_->was_started()) return {};
    return reaped(shared_->loop.join_for(limit));
}

result<void> scheduler_thread::reaped(result<void> ended) {
    if (!ended) return ended;
    shared_->reap();
    shared_->rethrow_escaped();
    return {};
}

} // namespace coronet
