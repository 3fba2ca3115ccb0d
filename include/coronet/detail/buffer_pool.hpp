// SPDX-License-Identifier: BSL-1.0
//
// The buffers that a scheduler receives into: blocks of one size, and the ring through which they
// are offered to the driver (io_uring_buf_ring). The driver chooses a block when there is data, so
// that a connection that is silent holds none. Made when it is asked for first.
//
// A block:
//
//   spare     → offered   what stands in the ring runs low
//   offered   → out       a completion names it: a piece of it is handed out
//   out       → spare, offered   its last piece has come home. (An incremental one is filled piece
//                         by piece: it comes home when the driver has done with it, too.)
//
// At most `count` blocks stand in the ring, as long as nobody starves: what is offered in turn is
// what stays in the CPU's cache. Where the kernel has no such rings nothing is offered: a receive
// takes a spare block itself.
//
// Somebody who finds no block (-ENOBUFS) has the pool grow, up to `max`; beyond that he is parked
// until one comes home. Then as many go on as there are blocks: one that goes on and finds nothing
// to receive takes none.
//
// Whoever has the blocks may be waiting for those who are parked (what one connection received is
// sent on another), or for peers that never read. So when none has come home for a few
// milliseconds the pool is stuck: everybody for whom somebody waits gets an extra block, one for
// each piece, from the heap, until a block of the ring comes home.
//
// Threads: all of it is the owner's, but for receive_block::give_back(). Another thread counts what
// it gives back in the block, atomically; the first one to do so sends the block to the owner, who
// takes the count. When the scheduler has ended nobody takes it: pieces are counted down, and the
// last one takes the pool with it. The owner's path has no atomic read-modify-write.
#pragma once

#include <coronet/detail/checkers.hpp>
#include <coronet/detail/intrusive_list.hpp>
#include <coronet/options.hpp>
#include <coronet/scheduler.hpp>
#include <coronet/timer.hpp>
#include <coronet/work.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

struct io_uring_buf_ring;

namespace coronet {

namespace detail {

class buffer_pool;
class engine;

class alignas(64) receive_block : public work {
public:
    receive_block(buffer_pool& home, std::byte* data, std::uint16_t id) noexcept
        : pool_(&home), data_(data), id_(id) {}

    /// A piece is not needed any more. Any thread.
    void give_back(std::byte* data, std::size_t size) noexcept;
    [[nodiscard]] std::byte* data() const noexcept { return data_; }

private:
    friend class buffer_pool;
    static constexpr std::uint16_t no_id = 0xffff; // of one that is in no ring

    /// What other threads have given back has arrived.
    void run() noexcept override;
    void give_back_from_elsewhere() noexcept;

    buffer_pool* pool_;
    std::byte* data_;
    receive_block* next_spare_ = nullptr;
    std::uint16_t id_;
    std::uint16_t place_ = 0;                // in the ring, when it was offered last
    bool filling_ = true;                    // offered: the driver may still write to it
    std::uint32_t used_ = 0;                 // bytes that were handed out; of an incremental one
    std::uint32_t out_ = 0;                  // pieces that were, and not given back to the owner
    std::atomic<std::uint32_t> returned_{0}; // pieces given back elsewhere, not yet counted
};

/// One that is not the ring's, for somebody who would wait for ever: freed when it comes home.
class extra_block final : public receive_block, public list_hook<extra_block> {
public:
    using receive_block::receive_block;
};

/// Somebody who found no block.
class buffer_waiter : public list_hook<buffer_waiter> {
public:
    /// He is in the queue no more. It may end in being parked again.
    virtual void buffers_are_back() noexcept = 0;
    /// Whether somebody waits for what he would receive now.
    [[nodiscard]] virtual bool is_waited_for() const noexcept = 0;
    /// He is in the queue no more, and has a block of his own.
    virtual void receive_into(receive_block& block) noexcept = 0;

protected:
    ~buffer_waiter() = default;
};

/// A part of a block that somebody has, and gives back.
struct received_piece {
    std::byte* data;
    std::uint32_t size;
    receive_block* block;
    void give_back() const noexcept { block->give_back(data, size); }
};

/// One that waits for somebody to take it; a list of them is linked by their numbers.
struct kept_piece : received_piece {
    static constexpr std::uint32_t none = ~0U;
    std::uint32_t next;
};

class buffer_pool final : private timer {
public:
    /// Throws std::system_error if the options make no sense.
    static void check(const receive_buffer_options& wanted);
    /// Throws std::system_error.
    explicit buffer_pool(engine& home);
    buffer_pool(const buffer_pool&) = delete;
    buffer_pool& operator=(const buffer_pool&) = delete;

    // ---- owner ----

    /// Whether receives choose from the ring; else they take_spare().
    [[nodiscard]] bool offers() const noexcept { return offers_; }
    /// The piece that a completion with these flags has brought: `size` bytes.
    [[nodiscard]] received_piece arrived(std::uint32_t flags, std::uint32_t size) noexcept;
    /// The flags that a completion would have for the block behind its own: it has filled that,
    /// too.
    [[nodiscard]] std::uint32_t flags_of_next(std::uint32_t flags) const noexcept;
    [[nodiscard]] bool is_incremental() const noexcept { return incremental_; }
    /// A whole block to receive into, where nothing is offered. Null: there is none left.
    [[nodiscard]] receive_block* take_spare() noexcept;
    /// What it came to.
    [[nodiscard]] received_piece filled(receive_block& block, std::uint32_t size) noexcept;
    void put_back(receive_block& block) noexcept;

    /// `starving` found no block. True: there are some now. False: it is parked, or has got one of
    /// its own.
    [[nodiscard]] bool find_more(buffer_waiter& starving) noexcept;
    void forget(buffer_waiter& parked) noexcept { parked_.erase(parked); }
    /// Somebody waits now for what `parked` would receive.
    void is_waited_for(buffer_waiter& parked) noexcept;

    /// Makes a record of it; none without memory.
    [[nodiscard]] std::uint32_t keep(const received_piece& piece) noexcept;
    [[nodiscard]] kept_piece& kept(std::uint32_t number) noexcept { return pieces_[number]; }
    [[nodiscard]] received_piece take_kept(std::uint32_t number) noexcept;
    /// What a piece of this size keeps from others.
    [[nodiscard]] std::size_t cost_of(std::size_t size) const noexcept {
        return incremental_ ? size : block_size_;
    }
    [[nodiscard]] std::uint32_t block_size() const noexcept { return block_size_; }
    [[nodiscard]] std::uint32_t size_of(const receive_block& block) const noexcept {
        return block.id_ == receive_block::no_id ? extra_size() : block_size_;
    }
    [[nodiscard]] bool is_owned_by(const scheduler& one) const noexcept {
        return owner_.load(std::memory_order_relaxed) == &one;
    }
    /// The owner's loop has ended, or is the parent's.
    [[nodiscard]] bool is_left() noexcept;

    /// Blocks that nobody holds a piece of, as far as the owner has been told.
    [[nodiscard]] std::size_t available() const noexcept { return available_; }
    [[nodiscard]] std::size_t block_count() const noexcept { return count_; }

    /// The scheduler's loop has ended. It lives on until the last piece is home.
    void owner_leaves() noexcept;

private:
    friend class receive_block;

    ~buffer_pool();
    void map();
    void unmap() noexcept;
    void offer_to_driver() noexcept;
    bool grow(std::size_t more) noexcept;
    [[nodiscard]] bool is_owner_here() const noexcept {
        return owner_.load(std::memory_order_relaxed) == scheduler::current();
    }
    /// No scheduler's address: the loop has ended. (Null is that of a thread in no loop.)
    [[nodiscard]] scheduler* nobody() noexcept { return reinterpret_cast<scheduler*>(this); }
    void come_home(receive_block& block) noexcept;
    [[nodiscard]] received_piece
    hand_out(receive_block& block, std::byte* data, std::uint32_t size) noexcept;
    void offer(receive_block& block) noexcept;
    void restock() noexcept;
    void feed_the_parked() noexcept;
    void expire() noexcept override;
    void be_patient() noexcept;
    void park_again(buffer_waiter& starving) noexcept;
    /// One waits for data without being the only one, so it is small.
    [[nodiscard]] std::uint32_t extra_size() const noexcept;
    [[nodiscard]] bool give_extra(buffer_waiter& starving) noexcept;
    void free_extra(extra_block& block) noexcept;
    void count_down(std::int64_t pieces) noexcept;

    // What each message touches comes first.
    std::atomic<scheduler*> owner_;
    receive_block* blocks_ = nullptr;
    io_uring_buf_ring* ring_ = nullptr;
    std::size_t available_ = 0;
    std::size_t offered_ = 0; // of these, those in the ring
    std::size_t offered_max_;
    std::uint32_t block_size_;
    std::uint16_t tail_ = 0;
    std::uint16_t mask_;
    bool offers_ = false;
    bool incremental_ = false;
    bool feeding_ = false;
    bool stuck_ = false;             // for a while no block has come home to those who are parked
    receive_block* spare_ = nullptr; // the last one that came home is the first one used

    intrusive_list<buffer_waiter> parked_;
    intrusive_list<extra_block> extras_;
    std::vector<kept_piece> pieces_;
    std::uint32_t free_piece_ = kept_piece::none;
    std::size_t count_ = 0;
    std::size_t refused_ = 0; // since it has grown last
    const receive_buffer_options options_;
    std::shared_ptr<engine> engine_;
    std::byte* memory_ = nullptr;
    std::byte* data_ = nullptr;
    std::size_t mapped_ = 0;
    std::atomic<std::int64_t> left_{0}; // pieces out; once the owner has left
};

inline received_piece
buffer_pool::hand_out(receive_block& block, std::byte* data, std::uint32_t size) noexcept {
    ++block.out_;
    allow(data, size);
    take_from_kernel(data, size, static_cast<std::int32_t>(size));
    return {data, size, &block};
}

inline received_piece buffer_pool::arrived(std::uint32_t flags, std::uint32_t size) noexcept {
    constexpr unsigned number_shift = 16;        // IORING_CQE_BUFFER_SHIFT
    constexpr std::uint32_t more_room = 1U << 4; // IORING_CQE_F_BUF_MORE
    receive_block& block = blocks_[flags >> number_shift];
    std::byte* const data = block.data_ + block.used_;
    if (flags & more_room) [[unlikely]] {
        block.used_ += size;
    } else {
        block.filling_ = false;
        --available_;
        --offered_;
    }
    return hand_out(block, data, size);
}

inline void receive_block::give_back(std::byte* data, std::size_t size) noexcept {
    forbid(data, size);
    if (!pool_->is_owner_here()) [[unlikely]] {
        give_back_from_elsewhere();
        return;
    }
    if (--out_ == 0 && !filling_) pool_->come_home(*this);
}

} // namespace detail

} // namespace coronet
