// SPDX-License-Identifier: BSL-1.0
//
// Whether to look into Asio's epoll set before the ring waits for it. While handlers run, more may
// have come there; under load it mostly has, and a look is cheaper than a poll of the ring. Where
// looks find nothing they are tried ever more rarely, and the ring has its turn after a few that do
// find something. A loop that waits looks nowhere.
#pragma once

#include <algorithm>

namespace coronet::asiox::detail {

class first_look {
public:
    [[nodiscard]] bool is_due() const noexcept { return left_ > 0; }
    void has_been(bool of_use) noexcept {
        if (of_use) {
            --left_;
            pause_ = 0;
        } else {
            left_ = 0;
            skipped_ = pause_ = std::min(2 * pause_ + 1, pause_max);
        }
    }
    /// The ring has said that something is there, and it was looked at.
    void after_poll() noexcept {
        if (skipped_ == 0)
            left_ = in_a_row;
        else
            --skipped_;
    }

private:
    static constexpr int in_a_row = 8;
    static constexpr int pause_max = 63;

    int left_ = 0;
    int skipped_ = 0; // so many polls more without a look
    int pause_ = 0;
};

} // namespace coronet::asiox::detail
