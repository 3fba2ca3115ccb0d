// SPDX-License-Identifier: BSL-1.0
#include "log.hpp"

#include <coronet/runtime.hpp>
#include <coronet/worker_cap.hpp>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>

#include <sched.h>

namespace coronet {

namespace {

cpu_set_t usable_cpus() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (::sched_getaffinity(0, sizeof set, &set) < 0)
        throw std::system_error(errno, std::generic_category(), "sched_getaffinity");
    return set;
}

/// Asks a scheduler for its figures. They are there when the last answer is.
class question final : public work {
public:
    /// How many answers are to come.
    class answers {
    public:
        explicit answers(std::size_t count) noexcept : missing_(count) {}
        void note_one() noexcept {
            const std::scoped_lock lock{mutex_};
            if (--missing_ == 0) all_there_.notify_one(); // under the lock: this ends soon
        }
        void wait() {
            std::unique_lock lock{mutex_};
            all_there_.wait(lock, [this] { return missing_ == 0; });
        }

    private:
        std::mutex mutex_;
        std::condition_variable all_there_;
        std::size_t missing_;
    };

    question(scheduler& asked, scheduler_stats& into, answers& all) noexcept
        : asked_(asked), into_(into), all_(all) {}
    void ask() noexcept {
        if (asked_.post_internal(*this)) return;
        static_cast<void>(asked_.join()); // it is about to end, or has: then anybody may read
        run();
    }

private:
    void run() noexcept override {
        into_ = asked_.stats();
        all_.note_one();
    }

    scheduler& asked_;
    scheduler_stats& into_;
    answers& all_;
};

/// The `index`-th usable CPU, counted round and round.
int nth_cpu(const cpu_set_t& usable, std::size_t index) {
    index %= static_cast<std::size_t>(CPU_COUNT(&usable));
    int cpu = 0;
    while (!CPU_ISSET(static_cast<std::size_t>(cpu), &usable) || index-- > 0)
        ++cpu;
    return cpu;
}

} // namespace

runtime::runtime(const runtime_options& options) {
    const cpu_set_t usable = usable_cpus();
    const auto cpu_count = static_cast<std::size_t>(CPU_COUNT(&usable));
    const std::size_t count = options.threads != 0 ? options.threads : cpu_count;
    std::shared_ptr<worker_cap> cap = options.scheduler.workers.cap;
    if (options.workers_max != 0) cap = std::make_shared<worker_cap>(options.workers_max);
    for (std::size_t i = 0; i < count; ++i) {
        scheduler_thread_options wanted;
        wanted.scheduler = options.scheduler;
        wanted.scheduler.workers.cap = cap;
        wanted.name = "crn-s" + std::to_string(i);
        if (options.pin) wanted.cpu = nth_cpu(usable, i);
        threads_.emplace_back(wanted);
    }
    // Those that run already are stopped and joined where one cannot be started.
    for (auto& each : threads_)
        each.start();
}

runtime::~runtime() {
    stop();
    try {
        static_cast<void>(join()
        ); // all of them, before the first is gone: they may know each other
    } catch (const std::exception& error) {
        log::warn(error.what());
    }
}

void runtime::stop() noexcept {
    for (auto& each : threads_)
        each.stop();
}

result<std::vector<scheduler_stats>> runtime::stats() {
    for (auto& each : threads_) {
        const auto ended = each->join_for(duration::zero()); // whether this thread may wait at all
        if (!ended && ended.error() != std::errc::timed_out) return ended.error();
    }
    std::vector<scheduler_stats> found(size());
    question::answers all{size()};
    std::deque<question> questions;
    for (std::size_t i = 0; i < size(); ++i)
        questions.emplace_back(at(i), found[i], all);
    for (question& each : questions)
        each.ask();
    all.wait();
    return found;
}

result<void> runtime::join() {
    result<void> all;
    std::exception_ptr thrown;
    for (auto& each : threads_) {
        try {
            const auto ended = each.join();
            if (!ended && all) all = ended;
        } catch (...) {
            if (!thrown) thrown = std::current_exception();
        }
    }
    if (thrown) std::rethrow_exception(thrown);
    return all;
}

} // namespace coronet
