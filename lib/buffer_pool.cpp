// SPDX-License-Identifier: BSL-1.0
#include "engine.hpp"
#include "kernel_abi.hpp"

#include <coronet/detail/buffer_pool.hpp>
#include <coronet/detail/hooks.hpp>

#include <liburing.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <new>
#include <string>
#include <system_error>
#include <utility>

#include <sys/mman.h>

namespace coronet::detail {

namespace {

constexpr std::size_t granule = 64; // blocks share no cache line
constexpr std::size_t page = 4096;
constexpr std::size_t chunk = 64; // blocks that are added at a time
constexpr std::align_val_t block_alignment{alignof(extra_block)};
constexpr std::uint32_t extra_size_max = 2048;
constexpr duration patience = std::chrono::milliseconds{5}; // until it counts as stuck

std::size_t rounded(std::size_t size, std::size_t to) noexcept {
    return (size + to - 1) / to * to;
}

void require(bool holds, const char* what) {
    if (holds) return;
    throw std::system_error(
        EINVAL, std::generic_category(), std::string("receive_buffers: ") + what
    );
}

} // namespace

// ---- birth ----

void buffer_pool::check(const receive_buffer_options& wanted) {
    constexpr std::size_t largest = std::size_t{1} << 20;
    require(wanted.size >= granule && wanted.size <= largest, "size is not within 64 and 1 Mi");
    require(std::has_single_bit(wanted.max), "max is not a power of two");
    require(wanted.max <= 32'768, "max is above 32,768");
    require(wanted.count >= 1 && wanted.count <= wanted.max, "count is not within 1 and max");
}

buffer_pool::buffer_pool(engine& home)
    : owner_(&home.self),
      offered_max_(home.options.receive_buffers.count),
      block_size_(static_cast<std::uint32_t>(home.options.receive_buffers.size)),
      mask_(static_cast<std::uint16_t>(home.options.receive_buffers.max - 1)),
      options_(home.options.receive_buffers),
      engine_(home.shared_from_this()) {
    pieces_.reserve(options_.count);
    map();
    offer_to_driver();
    grow(options_.count);
}

buffer_pool::~buffer_pool() {
    CORONET_ASSERT(parked_.empty());
    while (extra_block* const left = extras_.front())
        free_extra(*left);
    for (std::size_t i = 0; i < count_; ++i)
        allow(blocks_[i].data_, block_size_);
    std::destroy_n(blocks_, count_);
    unmap();
}

/// Addresses for all that there may ever be: memory comes as it is touched, and is not reserved.
void buffer_pool::map() {
    const std::size_t ring_size = rounded(options_.max * sizeof(io_uring_buf), page);
    const std::size_t records_size = rounded(options_.max * sizeof(receive_block), page);
    const std::size_t stride = rounded(block_size_, granule);
    mapped_ = ring_size + records_size + options_.max * stride;
    void* const got = ::mmap(
        nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0
    );
    if (got == MAP_FAILED)
        throw std::system_error(errno, std::generic_category(), "mmap of receive buffers");
    memory_ = static_cast<std::byte*>(got);
    ring_ = static_cast<io_uring_buf_ring*>(got);
    blocks_ = reinterpret_cast<receive_block*>(memory_ + ring_size);
    data_ = memory_ + ring_size + records_size;
}

void buffer_pool::unmap() noexcept {
    ::munmap(memory_, mapped_);
}

/// A driver that will not have it leaves receives to take blocks themselves.
void buffer_pool::offer_to_driver() noexcept {
    driver& to = *engine_->driver_;
    int rc = -EINVAL;
    if (options_.incremental)
        rc = to.offer_buffers(*ring_, options_.max, kernel::buffers_incremental);
    incremental_ = rc == 0;
    if (rc != 0) rc = to.offer_buffers(*ring_, options_.max, 0);
    offers_ = rc == 0;
}

bool buffer_pool::grow(std::size_t more) noexcept {
    more = std::min(more, options_.max - count_);
    if (more == 0) return false;
    try {
        pieces_.reserve(count_ + more); // a piece each can be kept
    } catch (const std::bad_alloc&) {
        return false;
    }
    const std::size_t stride = rounded(block_size_, granule);
    for (; more > 0; --more, ++count_, ++available_) {
        std::byte* const data = data_ + count_ * stride;
        auto* const added = ::new (static_cast<void*>(blocks_ + count_))
            receive_block{*this, data, static_cast<std::uint16_t>(count_)};
        forbid(data, block_size_);
        if (offers_) {
            offer(*added);
        } else {
            added->filling_ = false;
            added->next_spare_ = std::exchange(spare_, added);
        }
    }
    refused_ = 0;
    return true;
}

// ---- to the driver ----

inline void buffer_pool::offer(receive_block& block) noexcept {
    io_uring_buf& entry = ring_->bufs[tail_ & mask_];
    entry.addr = reinterpret_cast<std::uint64_t>(block.data_);
    entry.len = block_size_;
    entry.bid = block.id_;
    block.place_ = tail_;
    block.filling_ = true;
    ++offered_;
    // The kernel reads the entry when it has seen the tail.
    std::atomic_ref{ring_->tail}.store(++tail_, std::memory_order_release);
}

/// The entry is as it was: so many blocks as would be needed to come round to it do not exist.
std::uint32_t buffer_pool::flags_of_next(std::uint32_t flags) const noexcept {
    const receive_block& block = blocks_[flags >> IORING_CQE_BUFFER_SHIFT];
    const unsigned next = ring_->bufs[(block.place_ + 1U) & mask_].bid;
    return IORING_CQE_F_BUFFER | next << IORING_CQE_BUFFER_SHIFT;
}

void buffer_pool::restock() noexcept {
    while (offers_ && spare_ && offered_ < offered_max_) {
        receive_block& next = *spare_;
        spare_ = std::exchange(next.next_spare_, nullptr);
        offer(next);
    }
}

// ---- from it ----

receive_block* buffer_pool::take_spare() noexcept {
    receive_block* const taken = spare_;
    if (!taken) return nullptr;
    spare_ = std::exchange(taken->next_spare_, nullptr);
    --available_;
    return taken;
}

received_piece buffer_pool::filled(receive_block& block, std::uint32_t size) noexcept {
    return hand_out(block, block.data_, size);
}

void buffer_pool::put_back(receive_block& block) noexcept {
    come_home(block);
}

// ---- home ----

void buffer_pool::come_home(receive_block& block) noexcept {
    if (block.id_ == receive_block::no_id) [[unlikely]] {
        free_extra(static_cast<extra_block&>(block));
        return;
    }
    block.used_ = 0;
    ++available_;
    if (offers_ && offered_ < offered_max_) [[likely]]
        offer(block);
    else
        block.next_spare_ = std::exchange(spare_, &block);
    if ((!parked_.empty() || stuck_) && !feeding_) [[unlikely]]
        feed_the_parked();
}

void receive_block::give_back_from_elsewhere() noexcept {
    buffer_pool& home = *pool_;
    if (home.engine_->in_forked_child()) return;                       // it is the parent's
    if (returned_.fetch_add(1, std::memory_order_acq_rel) > 0) return; // somebody is telling
    CORONET_HOOK(buffer_returning, this);
    if (home.engine_->post_internal(*this)) return;
    home.count_down(returned_.exchange(0, std::memory_order_acq_rel));
}

void receive_block::run() noexcept {
    out_ -= returned_.exchange(0, std::memory_order_acq_rel);
    if (out_ == 0 && !filling_) pool_->come_home(*this);
}

// ---- starvation ----

/// Those that were told to try again since it has grown last may need as many blocks as they are.
bool buffer_pool::find_more(buffer_waiter& starving) noexcept {
    if (++refused_ > available_) grow(chunk);
    restock();
    if (available_ > 0) return true;
    if (stuck_ && starving.is_waited_for() && give_extra(starving)) return false;
    parked_.push_back(starving);
    be_patient();
    return false;
}

void buffer_pool::be_patient() noexcept {
    if (!armed()) engine_->timers.arm(*this, patience);
}

std::uint32_t buffer_pool::extra_size() const noexcept {
    return std::min(block_size_, extra_size_max);
}

/// No block has come home to those who were parked last for so long.
void buffer_pool::expire() noexcept {
    stuck_ = available_ == 0;
    intrusive_list<buffer_waiter> waiting;
    waiting.take_all(parked_);
    while (buffer_waiter* const each = waiting.pop_front()) {
        if (!stuck_)
            each->buffers_are_back(); // those who went on before found nothing to receive
        else if (!each->is_waited_for())
            parked_.push_back(*each);
        else if (!give_extra(*each))
            park_again(*each);
    }
}

/// Without memory for an extra block: perhaps later.
void buffer_pool::park_again(buffer_waiter& starving) noexcept {
    parked_.push_back(starving);
    be_patient();
}

void buffer_pool::is_waited_for(buffer_waiter& parked) noexcept {
    if (!stuck_) {
        be_patient();
        return;
    }
    parked_.erase(parked);
    if (!give_extra(parked)) park_again(parked);
}

/// False: there is no memory.
bool buffer_pool::give_extra(buffer_waiter& starving) noexcept {
    void* const memory =
        ::operator new(sizeof(extra_block) + extra_size(), block_alignment, std::nothrow);
    if (!memory) return false;
    auto* const data = static_cast<std::byte*>(memory) + sizeof(extra_block);
    auto& made = *::new (memory) extra_block{*this, data, receive_block::no_id};
    made.filling_ = false;
    forbid(data, extra_size());
    extras_.push_back(made);
    starving.receive_into(made);
    return true;
}

void buffer_pool::free_extra(extra_block& block) noexcept {
    extras_.erase(block);
    allow(block.data_, extra_size());
    block.~extra_block();
    ::operator delete(static_cast<void*>(&block), block_alignment);
}

/// As many as there are blocks, each once.
void buffer_pool::feed_the_parked() noexcept {
    if (engine_->in_forked_child()) return;
    restock();
    stuck_ = false;
    engine_->timers.disarm(*this);
    feeding_ = true; // one that has been cancelled puts its block back at once
    for (std::size_t left = available_; left > 0 && available_ > 0; --left) {
        buffer_waiter* const next = parked_.pop_front();
        if (!next) break;
        next->buffers_are_back();
    }
    feeding_ = false;
    if (!parked_.empty()) be_patient();
}

// ---- kept pieces ----

std::uint32_t buffer_pool::keep(const received_piece& piece) noexcept {
    const kept_piece kept{piece, kept_piece::none};
    const std::uint32_t number = free_piece_;
    if (number != kept_piece::none) {
        free_piece_ = std::exchange(pieces_[number], kept).next;
        return number;
    }
    try {
        pieces_.push_back(kept);
    } catch (const std::bad_alloc&) {
        return kept_piece::none;
    }
    return static_cast<std::uint32_t>(pieces_.size() - 1);
}

received_piece buffer_pool::take_kept(std::uint32_t number) noexcept {
    kept_piece& taken = pieces_[number];
    // Else nobody owns the list of those that are free.
    if (owner_.load(std::memory_order_relaxed) != nobody())
        taken.next = std::exchange(free_piece_, number);
    return taken;
}

// ---- the end ----

bool buffer_pool::is_left() noexcept {
    return owner_.load(std::memory_order_relaxed) == nobody() || engine_->in_forked_child();
}

void buffer_pool::owner_leaves() noexcept {
    engine_->timers.disarm(*this);
    while (buffer_waiter* const left = parked_.pop_front())
        left->buffers_are_back(); // what it begins is refused
    if (offers_) engine_->driver_->take_buffers_back();
    owner_.store(nobody(), std::memory_order_relaxed);
    std::int64_t out = 0;
    for (std::size_t i = 0; i < count_; ++i)
        out += blocks_[i].out_;
    for (const extra_block* each = extras_.front(); each; each = extras_.after(*each))
        out += each->out_;
    count_down(-out);
}

/// Below zero, what was given back elsewhere before the owner has counted what is out. At zero
/// nobody has anything any more.
void buffer_pool::count_down(std::int64_t pieces) noexcept {
    if (left_.fetch_sub(pieces, std::memory_order_acq_rel) == pieces) delete this;
}

} // namespace coronet::detail
