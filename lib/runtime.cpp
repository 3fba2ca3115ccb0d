// SPDX-License-Identifier: BSL-1.0
#include "thread_creation.hpp"

#include <coronet/runtime.hpp>

#include <cerrno>
#include <future>
#include <string>
#include <system_error>

#include <pthread.h>
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
std::size_t nth_cpu(const cpu_set_t& usable, std::size_t index) {
    index %= static_cast<std::size_t>(CPU_COUNT(&usable));
    std::size_t cpu = 0;
    while (!CPU_ISSET(cpu, &usable) || index-- > 0)
        ++cpu;
    return cpu;
}

void pin_this_thread(std::size_t cpu) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (const int error = ::pthread_setaffinity_np(::pthread_self(), sizeof one, &one))
        throw std::system_error(error, std::generic_category(), "pthread_setaffinity_np");
}

} // namespace

runtime::runtime(const runtime_options& options) {
    const auto count = options.threads != 0 ? options.threads : static_cast<std::size_t>([] {
        const cpu_set_t usable = usable_cpus();
        return CPU_COUNT(&usable);
    }());
    for (std::size_t i = 0; i < count; ++i)
        schedulers_.push_back(std::make_unique<coronet::scheduler>(options.scheduler));
    try {
        start_threads(options);
    } catch (...) {
        stop();
        join();
        throw;
    }
}

runtime::~runtime() {
    stop();
    join();
}

void runtime::start_threads(const runtime_options& options) {
    const cpu_set_t usable = usable_cpus();
    std::vector<std::future<void>> started;
    {
        const all_signals_blocked inherited;
        for (std::size_t i = 0; i < size(); ++i) {
            std::promise<void> ready;
            started.push_back(ready.get_future());
            threads_.emplace_back([this, i, usable, pin = options.pin,
                                   ready = std::move(ready)]() mutable {
                try {
                    const std::string name = "crn-s" + std::to_string(i);
                    ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
                    if (pin) pin_this_thread(nth_cpu(usable, i));
                    at(i).run_once(time_point::min()); // this thread is the owner from here on
                    ready.set_value();
                } catch (...) {
                    ready.set_exception(std::current_exception());
                    return;
                }
                at(i).run();
            });
        }
    }
    for (auto& each : started)
        each.get();
}

void runtime::stop() noexcept {
    for (auto& each : schedulers_)
        each->stop();
}

void runtime::join() {
    for (auto& each : threads_)
        if (each.joinable()) each.join();
}

} // namespace coronet
