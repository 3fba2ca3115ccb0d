// SPDX-License-Identifier: BSL-1.0
//
// The words for address_errc. Each message names what is accepted, because it ends up in front of
// somebody who has just typed something else.
#include <coronet/net/address_error.hpp>

#include <string>

namespace coronet {
namespace {

class address_error_category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "coronet.address"; }

    [[nodiscard]] std::string message(int code) const override {
        switch (static_cast<address_errc>(code)) {
        case address_errc::malformed:
            return "expected HOST:PORT, [HOST]:PORT or unix:PATH";
        case address_errc::host_not_numeric:
            return "host must be numeric, such as 127.0.0.1 or [::1]; names are not resolved here";
        case address_errc::brackets_missing:
            return "an IPv6 host must be in brackets: [::1]:8080";
        case address_errc::scope_unknown:
            return "the scope after '%' must be an interface name or its number";
        case address_errc::port_missing:
            return "a port must follow the host: HOST:PORT";
        case address_errc::port_invalid:
            return "port must be a number from 0 to 65535, without leading zeros";
        case address_errc::path_has_nul:
            return "a socket path cannot hold a NUL byte";
        }
        return "unknown address error";
    }

    [[nodiscard]] std::error_condition default_error_condition(int) const noexcept override {
        return std::errc::invalid_argument;
    }
};

} // namespace

const std::error_category& address_category() noexcept {
    static const address_error_category category;
    return category;
}

std::error_code make_error_code(address_errc reason) noexcept {
    return {static_cast<int>(reason), address_category()};
}

} // namespace coronet
