// SPDX-License-Identifier: BSL-1.0
#include "lookup.hpp"

#include <coronet/error.hpp>
#include <coronet/net/resolve_error.hpp>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include <netdb.h>
#include <pthread.h>

namespace coronet::detail {

namespace {

using addresses = std::vector<endpoint>;

std::error_code error_of(int code) noexcept {
    switch (code) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return resolve_errc::host_not_found;
    case EAI_AGAIN:
        return resolve_errc::try_again;
    case EAI_FAIL:
        return resolve_errc::refused;
    case EAI_MEMORY:
        return std::make_error_code(std::errc::not_enough_memory);
    case EAI_SYSTEM:
        return {errno, std::generic_category()};
    default: // EAI_FAMILY, EAI_BADFLAGS ...: this machine does not have what was asked for
        return std::make_error_code(std::errc::address_family_not_supported);
    }
}

int as_number(address_family family) noexcept {
    switch (family) {
    case address_family::v4:
        return AF_INET;
    case address_family::v6:
        return AF_INET6;
    default:
        return AF_UNSPEC;
    }
}

struct free_list {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

result<addresses> endpoints_in(const addrinfo* list) {
    addresses found;
    for (const addrinfo* each = list; each; each = each->ai_next) {
        const auto one = endpoint::from(each->ai_addr, each->ai_addrlen);
        if (one && std::ranges::find(found, *one) == found.end()) found.push_back(*one);
    }
    if (found.empty()) return make_error_code(resolve_errc::host_not_found);
    return found;
}

} // namespace

result<addresses> look_up(const question& asked, int flags) noexcept {
    try {
        if (asked.host.find('\0') != std::string::npos) return std::errc::invalid_argument;
        addrinfo hints{};
        hints.ai_family = as_number(asked.family);
        hints.ai_socktype = SOCK_STREAM; // else each comes once for every kind of socket
        hints.ai_flags = flags | AI_NUMERICSERV;
        addrinfo* list = nullptr;
        const auto port = std::to_string(asked.port);
        const int code = ::getaddrinfo(asked.host.c_str(), port.c_str(), &hints, &list);
        if (code != 0) return error_of(code);
        const std::unique_ptr<addrinfo, free_list> owned{list};
        return endpoints_in(list);
    } catch (const std::bad_alloc&) {
        return std::errc::not_enough_memory;
    }
}

lookup::~lookup() {
    if (stage_ == stage::left_behind) limit_->left_behind.fetch_sub(1);
    if (has_place_) limit_->places.release();
}

/// Its own thread.
void lookup::ask() noexcept {
    auto found = look_up(asked_, asked_.family == address_family::any ? AI_ADDRCONFIG : 0);
    const std::scoped_lock lock{mutex_};
    if (stage_ == stage::left_behind) return;
    found_ = std::move(found);
    stage_ = stage::done;
    changed_.notify_one();
}

result<addresses> lookup::await(inplace_stop_token stopped, std::shared_ptr<lookup> what) {
    try {
        // It inherits the worker's blocked signals, its user and its directories.
        std::thread{[what] {
            ::pthread_setname_np(::pthread_self(), "crn-lookup");
            what->ask();
        }}.detach();
    } catch (const std::system_error& refused) {
        return worker_unavailable_for(refused.code().value());
    }
    return what->wait(stopped);
}

result<addresses> lookup::wait(inplace_stop_token stopped) {
    const auto tell = [this]() noexcept { wake(); };
    const inplace_stop_callback<decltype(tell)> on_stop{stopped, tell};
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [&] { return stage_ == stage::done || stopped.stop_requested(); });
    if (stage_ == stage::done) return std::move(found_);
    stage_ = stage::left_behind;
    limit_->left_behind.fetch_add(1);
    return std::errc::operation_canceled;
}

void lookup::wake() noexcept {
    const std::scoped_lock lock{mutex_}; // the waiter has not looked yet, or sleeps
    changed_.notify_one();
}

} // namespace coronet::detail
