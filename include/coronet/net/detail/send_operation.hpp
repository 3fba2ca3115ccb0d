// SPDX-License-Identifier: BSL-1.0
//
// What a send_queue has to say, on its way to the kernel: pieces in order, one send at a time. It
// has a life of its own, as the kernel may still read a piece when the queue is gone; and it exists
// only while there is something to send, so that a silent connection has none.
//
//   (none)    → gathering  the first piece; whatever comes in the same turn goes along
//   gathering → sending    the turn ends: all that is there, in one request
//   sending   → sending    it was done in part, or more came meanwhile
//   sending   → (none)     all is sent: it is kept for the next one who has something to say
//   any       → (none)     an error: the queue is told, and the pieces are dropped
//   any       → abandoned  the queue is destroyed: what is being sent is asked to end
//   abandoned → (none)     the terminal completion, or the turn's end
//
// While it is sending it is in its socket's list of what is in flight. Owner thread only.
#pragma once

#include <coronet/coro/io/descriptor.hpp>
#include <coronet/operation.hpp>
#include <coronet/received_buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <span>
#include <string_view>

#include <sys/socket.h>
#include <sys/uio.h>

namespace coronet {

class send_queue;

namespace detail {

/// Bytes to be sent and who keeps them: a buffer that was received, or memory behind this record.
struct send_piece {
    send_piece* next = nullptr;
    std::byte* begin = nullptr;
    std::size_t size = 0;
    std::size_t room = 0; // behind them
    received_buffer lent{};
};

class send_operation final : public operation, private may_outlive_descriptor {
public:
    /// One for `queue`, which has something to say on `on`. Throws std::bad_alloc.
    [[nodiscard]] static send_operation& make(send_queue& queue, descriptor& on, scheduler& here);

    /// Adds to what is sent.
    void add(received_buffer&& lent);
    void add(std::span<const std::byte> copied);
    void abandon() noexcept;

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::string_view name() const noexcept override { return "send"; }
    [[nodiscard]] std::source_location place() const noexcept override;

private:
    enum class state : std::uint8_t { gathering, sending, abandoned };
    struct parts; // of one sendmsg

    send_operation(send_queue& queue, descriptor& on, scheduler& here) noexcept;
    ~send_operation() = default;

    void run() noexcept override; // the turn ends
    void prepare(io_uring_sqe& sqe) noexcept override;
    void complete(std::int32_t res, std::uint32_t flags) noexcept override;
    [[nodiscard]] subject on() const noexcept override;

    void append(send_piece& piece, std::size_t size) noexcept;
    [[nodiscard]] send_piece& new_piece(std::size_t room);
    void free(send_piece& piece) noexcept;
    void sent(std::size_t bytes) noexcept;
    void drop_all() noexcept;
    void finish(std::int32_t error) noexcept;
    void recycle() noexcept;
    [[nodiscard]] parts* gather() noexcept;

    send_queue* queue_; // null: it is gone
    scheduler* here_;
    int fd_;
    std::uint32_t generation_; // of its socket, when it was made
    state state_ = state::gathering;
    send_piece* first_ = nullptr;
    send_piece* last_ = nullptr;
    std::size_t size_ = 0; // bytes in all
    parts* parts_ = nullptr;
    send_piece own_; // one that needs no memory
    bool own_used_ = false;
};

} // namespace detail

} // namespace coronet
