// SPDX-License-Identifier: BSL-1.0
#include "log.hpp"

#include <coronet/runtime.hpp>
#include <coronet/worker_cap.hpp>

#include <cerrno>
#include <exception>
#include <memory>
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
