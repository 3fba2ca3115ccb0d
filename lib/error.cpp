// SPDX-License-Identifier: BSL-1.0
#include <coronet/error.hpp>
#include <coronet/operation.hpp>

#include <string>

namespace coronet {

namespace {

class category final : public std::error_category {
public:
    [[nodiscard]] const char* name() const noexcept override { return "coronet"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
        case errc::end_of_stream:
            return "the peer finished sending too early";
        case errc::stopped:
            return "the scheduler has been stopped";
        case errc::worker_unavailable:
            return "no worker thread could be created";
        case errc::would_deadlock:
            return "waiting here would never end";
        case errc::already_started:
            return "the scheduler has been started before";
        case errc::closed:
            return "the channel has been closed";
        case errc::sq_thread_dead:
            return "the submission thread has died";
        }
        return "unknown coronet error " + std::to_string(value);
    }
};

} // namespace

const std::error_category& coronet_category() noexcept {
    static const category instance;
    return instance;
}

std::error_code make_error_code(errc error) noexcept {
    return {static_cast<int>(error), coronet_category()};
}

std::error_code error_of_result(int negative_result) noexcept {
    if (negative_result == operation::no_worker) return errc::worker_unavailable;
    if (negative_result == operation::no_submission_thread) return errc::sq_thread_dead;
    return {-negative_result, std::generic_category()};
}

} // namespace coronet
