// SPDX-License-Identifier: BSL-1.0
//
// Which driver a scheduler gets. Whoever names one gets that or an exception. Without a name it is
// io_uring where the kernel lets us use it, and epoll where it does not; the first choice in a
// process is logged, with its reason and what could be done about it.
#include "driver.hpp"
#include "kernel_probe.hpp"
#include "log.hpp"

#include <coronet/options.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace coronet {

namespace {

[[noreturn]] void refuse(const std::string& why) {
    throw std::system_error(EINVAL, std::generic_category(), why);
}

void require_within_a_second(const char* name, std::chrono::microseconds wanted) {
    if (wanted.count() >= 0 && wanted <= std::chrono::seconds{1}) return;
    refuse(std::string(name) + ": " + std::to_string(wanted.count()) + " us, not 0 to a second");
}

driver_choice chosen_by_environment() {
    const char* const set = std::getenv("CORONET_DRIVER"); // NOLINT(concurrency-mt-unsafe)
    const std::string_view name = set ? set : "";
    if (name.empty() || name == "auto") return driver_choice::automatic;
    if (name == "io_uring") return driver_choice::io_uring;
    if (name == "epoll") return driver_choice::epoll;
    refuse("CORONET_DRIVER is neither auto, io_uring nor epoll: " + std::string(name));
}

void tell_once(bool as_wished, const std::string& what) {
    static std::atomic<bool> told{false};
    if (told.exchange(true)) return;
    as_wished ? log::info(what) : log::warn(what);
}

void tell_of_ring(const driver& made, const char* rest) {
    const std::string losses = made.losses();
    const std::string what = "driver: " + made.description() + rest;
    tell_once(losses.empty(), losses.empty() ? what : what + "; " + losses);
}

/// The kernel's doing. Anything else that stops a ring is the caller's to know.
bool forbids_rings(const std::error_code& why) {
    return why == std::errc::function_not_supported || why == std::errc::operation_not_permitted ||
           why == std::errc::permission_denied || why == std::errc::not_enough_memory;
}
std::error_code code_of(const kernel_probe& found) {
    return {found.error, std::generic_category()};
}

/// What was found when the first scheduler asked; a filter that came later shows in the set-up.
/// What may be otherwise next time, as having no descriptor left, is looked for again.
kernel_probe probed() {
    static std::mutex mutex;
    static std::optional<kernel_probe> kept;
    const std::scoped_lock lock{mutex};
    if (kept) return *kept;
    kernel_probe found = probe_kernel();
    if (found.error == 0 || forbids_rings(code_of(found))) kept = found;
    return found;
}

std::unique_ptr<driver> named_ring(const scheduler_options& options) {
    if (const kernel_probe found = probed(); found.error != 0)
        throw std::system_error(code_of(found), found.problem);
    auto made = make_uring_driver(options);
    tell_of_ring(*made, ", as demanded");
    return made;
}

std::unique_ptr<driver> epoll_instead(const scheduler_options& options, const std::string& why) {
    auto made = make_epoll_driver(options);
    const char* const rest =
        options.sqpoll ? "; there is no submission thread, which the options ask for" : "";
    tell_once(false, "driver: epoll, as io_uring cannot be used: " + why + rest);
    return made;
}

std::unique_ptr<driver> best_driver(const scheduler_options& options) {
    if (const kernel_probe found = probed(); found.error != 0) {
        if (!forbids_rings(code_of(found))) throw std::system_error(code_of(found), found.problem);
        return epoll_instead(options, found.problem);
    }
    try {
        auto made = make_uring_driver(options);
        tell_of_ring(*made, "");
        return made;
    } catch (const std::system_error& error) {
        if (!forbids_rings(error.code())) throw;
        return epoll_instead(options, error.what());
    }
}

} // namespace

std::unique_ptr<driver> make_driver(const scheduler_options& options) {
    require_within_a_second("min_wait", options.min_wait);
    require_within_a_second("napi", options.napi);
    if (options.driver == driver_choice::epoll && options.sqpoll)
        refuse("sqpoll: the epoll driver, which the options name, has no submission thread");
    auto wanted = options.driver;
    if (wanted == driver_choice::automatic) wanted = chosen_by_environment();

    if (wanted == driver_choice::io_uring) return named_ring(options);
    if (wanted == driver_choice::automatic) return best_driver(options);
    auto made = make_epoll_driver(options);
    const char* const rest = options.sqpoll ? "; there is no submission thread" : "";
    tell_once(true, std::string("driver: epoll, as demanded") + rest);
    return made;
}

} // namespace coronet
