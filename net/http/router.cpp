// SPDX-License-Identifier: BSL-1.0
//
// Exact paths, a handful of methods each. Filled before run, then any thread.
#include <coronet/net/http/router.hpp>

#include <algorithm>
#include <array>

namespace coronet::http {

namespace {

void answer_not_found(request, response answer) {
    answer.send(status::not_found, "text/plain", "Not Found\n");
}

// RFC 9110, 9.1: for methods that no resource here has ever heard of.
void answer_not_implemented(request, response answer) {
    answer.close_after();
    answer.send(status::not_implemented, "text/plain", "Not Implemented\n");
}

bool is_known(std::string_view method) {
    static constexpr std::array<std::string_view, 9> known{
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
    return std::ranges::find(known, method) != known.end();
}

handler not_allowed_but(const std::string& allowed) {
    return {
        [allowed](request, response answer) {
            answer.begin(status::method_not_allowed);
            answer.field("Allow", allowed);
            answer.field("Content-Type", "text/plain");
            answer.send("Method Not Allowed\n");
        },
        nullptr};
}

} // namespace

router& router::add(std::string_view method, std::string_view path, http::handler added) {
    resource& at = resources_[std::string{path}];
    at.routes.push_back({std::string{method}, std::move(added)});
    std::string allowed;
    for (const route& each : at.routes) {
        allowed += (allowed.empty() ? "" : ", ") + each.method;
        if (each.method == "GET") allowed += ", HEAD";
    }
    at.not_allowed = not_allowed_but(allowed);
    return *this;
}

const handler& router::find(std::string_view method, std::string_view path) const {
    static const handler not_found{answer_not_found, nullptr};
    static const handler not_implemented{answer_not_implemented, nullptr};

    const auto found = resources_.find(path);
    if (found == resources_.end()) return is_known(method) ? not_found : not_implemented;
    const resource& at = found->second;
    for (const route& each : at.routes)
        if (each.method == method) return each.handler;
    if (method == "HEAD")
        for (const route& each : at.routes)
            if (each.method == "GET") return each.handler;
    return is_known(method) ? at.not_allowed : not_implemented;
}

} // namespace coronet::http
