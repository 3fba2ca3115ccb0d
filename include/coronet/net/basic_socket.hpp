// SPDX-License-Identifier: BSL-1.0
//
// What all sockets have: a descriptor that knows what is in flight on it (descriptor), options and
// addresses. Owner thread.
#pragma once

#include <coronet/coro/io/descriptor.hpp>
#include <coronet/net/endpoint.hpp>
#include <coronet/net/socket_options.hpp>
#include <coronet/result.hpp>

namespace coronet {

class basic_socket : public descriptor {
public:
    using descriptor::descriptor;

    /// setsockopt(2) and getsockopt(2), by the option's type: `stream.set(no_delay{true})`.
    template <class Option>
    result<void> set(const Option& option) noexcept {
        return set_option(native_handle(), option);
    }
    template <class Option>
    [[nodiscard]] result<Option> get() const noexcept {
        return get_option<Option>(native_handle());
    }

    /// The address that it is bound to. Errors: those of getsockname(2).
    [[nodiscard]] result<endpoint> local_endpoint() const noexcept {
        return coronet::local_endpoint(native_handle());
    }
    /// The address that it is connected to. Errors: those of getpeername(2).
    [[nodiscard]] result<endpoint> remote_endpoint() const noexcept {
        return coronet::remote_endpoint(native_handle());
    }
};

} // namespace coronet
