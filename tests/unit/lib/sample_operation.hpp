// SPDX-License-Identifier: BSL-1.0
//
// An operation of any kind that notes what is done to it, for tests of the engine.
#pragma once

#include <coronet/operation.hpp>

#include <liburing.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace coronet::testing {

class sample_operation final : public operation {
public:
    using filler = std::function<void(io_uring_sqe&)>;

    /// An operation that only a script understands.
    explicit sample_operation(std::uint8_t opcode = IORING_OP_NOP, subject on = {})
        : sample_operation([opcode, fd = on.fd](io_uring_sqe& sqe) {
              io_uring_prep_rw(opcode, &sqe, fd, nullptr, 0, 0);
          }) {
        subject_ = on;
    }
    /// An operation that `fill` prepares, for the kernel.
    explicit sample_operation(filler fill, subject on = {})
        : fill_(std::move(fill)), subject_(on) {}

    void prepare(io_uring_sqe& sqe) noexcept override {
        ++prepared_count;
        fill_(sqe);
    }
    void complete(std::int32_t res, std::uint32_t flags) noexcept override {
        results.push_back(res);
        if (flags & IORING_CQE_F_MORE) return;
        ++ended_count;
        if (at_end) at_end();
    }
    [[nodiscard]] subject on() const noexcept override { return subject_; }
    [[nodiscard]] std::string_view name() const noexcept override { return "sample"; }
    void run() noexcept override {}

    [[nodiscard]] bool ended() const noexcept { return ended_count > 0; }
    /// The result of its end.
    [[nodiscard]] std::optional<std::int32_t> end() const {
        return ended() ? std::optional{results.back()} : std::nullopt;
    }

    std::vector<std::int32_t> results; // of each completion
    int prepared_count = 0;
    int ended_count = 0;
    std::function<void()> at_end; // called inside complete()

private:
    filler fill_;
    subject subject_;
};

} // namespace coronet::testing
