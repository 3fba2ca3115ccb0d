// SPDX-License-Identifier: BSL-1.0
//
// Addresses as text. Reading is strict: what inet_aton and its relatives guess at (octal, short
// forms, a port with leading zeros, trailing junk) is refused, so that a text means one address or
// none.
#include <coronet/net/endpoint.hpp>

#include <array>
#include <charconv>
#include <optional>

#include <arpa/inet.h>
#include <net/if.h>

namespace coronet {
namespace {

constexpr std::string_view unix_prefix = "unix:";

// Decimal digits only, in the one way to write the number.
template <class Number>
std::optional<Number> parse_number(std::string_view text) noexcept {
    if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    Number value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// The C functions want terminated strings: a view that does not fit, or that holds a NUL and would
// be cut short by them, has no such form.
template <std::size_t Capacity>
class terminated {
public:
    static std::optional<terminated> make(std::string_view text) noexcept {
        if (text.size() >= Capacity || text.find('\0') != text.npos) return std::nullopt;
        terminated made;
        text.copy(made.chars_.data(), text.size());
        return made;
    }

    [[nodiscard]] const char* c_str() const noexcept { return chars_.data(); }

private:
    std::array<char, Capacity> chars_{};
};

// inet_pton(3) takes no short forms and, in glibc, no leading zeros.
template <int Family, class Address>
std::optional<Address> parse_host(std::string_view text) noexcept {
    const auto copy = terminated<INET6_ADDRSTRLEN>::make(text);
    Address host{};
    if (!copy || ::inet_pton(Family, copy->c_str(), &host) != 1) return std::nullopt;
    return host;
}

// A number, or the name of an interface; 0 means no scope and cannot be asked for.
std::optional<std::uint32_t> parse_scope(std::string_view text) noexcept {
    std::uint32_t scope = 0;
    if (const auto number = parse_number<std::uint32_t>(text)) {
        scope = *number;
    } else if (const auto name = terminated<IF_NAMESIZE>::make(text)) {
        scope = ::if_nametoindex(name->c_str());
    }
    if (scope == 0) return std::nullopt;
    return scope;
}

template <class Address>
std::string print_host(int family, const Address& host) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    ::inet_ntop(family, &host, text.data(), text.size());
    return text.data();
}

} // namespace

result<endpoint> endpoint::parse(std::string_view text) {
    if (text.empty()) return make_error_code(address_errc::malformed);
    if (text.starts_with('[')) return parse_v6(text);
    if (!text.starts_with(unix_prefix)) return parse_v4(text);
    text.remove_prefix(unix_prefix.size());
    return text.starts_with('@') ? unix_abstract(text.substr(1)) : unix_path(text);
}

result<endpoint> endpoint::parse_v4(std::string_view text) {
    const std::size_t colon = text.find(':');
    const std::string_view host_text = text.substr(0, colon);
    if (colon != text.npos && text.find(':', colon + 1) != text.npos) {
        return make_error_code(address_errc::brackets_missing);
    }
    const auto host = parse_host<AF_INET, in_addr>(host_text);
    if (!host) return make_error_code(address_errc::host_not_numeric);
    if (colon == text.npos) return make_error_code(address_errc::port_missing);
    const auto port = parse_number<std::uint16_t>(text.substr(colon + 1));
    if (!port) return make_error_code(address_errc::port_invalid);
    return endpoint{*host, *port};
}

result<endpoint> endpoint::parse_v6(std::string_view text) {
    const std::size_t close = text.find(']');
    if (close == text.npos) return make_error_code(address_errc::malformed);
    std::string_view host_text = text.substr(1, close - 1);
    const std::string_view rest = text.substr(close + 1);

    std::uint32_t scope = 0;
    if (const std::size_t percent = host_text.find('%'); percent != text.npos) {
        const auto parsed = parse_scope(host_text.substr(percent + 1));
        if (!parsed) return make_error_code(address_errc::scope_unknown);
        scope = *parsed;
        host_text = host_text.substr(0, percent);
    }
    const auto host = parse_host<AF_INET6, in6_addr>(host_text);
    if (!host) return make_error_code(address_errc::host_not_numeric);
    if (rest.empty()) return make_error_code(address_errc::port_missing);
    if (rest.front() != ':') return make_error_code(address_errc::malformed);
    const auto port = parse_number<std::uint16_t>(rest.substr(1));
    if (!port) return make_error_code(address_errc::port_invalid);
    return endpoint{*host, scope, *port};
}

std::string endpoint::to_string() const {
    switch (family()) {
    case AF_INET:
        return print_host(AF_INET, storage_.v4.sin_addr) + ':' + std::to_string(port());
    case AF_INET6: {
        const std::uint32_t scope = storage_.v6.sin6_scope_id;
        std::string text = '[' + print_host(AF_INET6, storage_.v6.sin6_addr);
        if (scope != 0) text += '%' + std::to_string(scope);
        return text + "]:" + std::to_string(port());
    }
    case AF_UNIX:
        return unix_to_string();
    default:
        return "unspecified";
    }
}

std::string endpoint::unix_to_string() const {
    const std::string_view name = unix_name();
    std::string text{unix_prefix};
    if (name.starts_with('\0')) return text.append("@").append(name.substr(1));
    if (name.starts_with('@')) text += "./";
    return text.append(path());
}

} // namespace coronet
