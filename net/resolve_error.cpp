// SPDX-License-Identifier: BSL-1.0
#include <coronet/net/resolve_error.hpp>

#include <string>

namespace coronet {
namespace {

class resolve_error_category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "coronet.resolve"; }

    [[nodiscard]] std::string message(int code) const override {
        switch (static_cast<resolve_errc>(code)) {
        case resolve_errc::host_not_found:
            return "no such host, or it has no address";
        case resolve_errc::try_again:
            return "no name server answers; try again later";
        case resolve_errc::refused:
            return "the name server cannot tell";
        }
        return "unknown resolver error";
    }
};

} // namespace

const std::error_category& resolve_category() noexcept {
    static const resolve_error_category category;
    return category;
}

std::error_code make_error_code(resolve_errc reason) noexcept {
    return {static_cast<int>(reason), resolve_category()};
}

} // namespace coronet
