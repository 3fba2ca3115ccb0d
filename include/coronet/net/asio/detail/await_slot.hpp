// SPDX-License-Identifier: BSL-1.0
//
// A cancellation signal of Asio's kind, with room for its handler: what an operation leaves there
// while a coroutine awaits it is in the coroutine's frame. On one thread at a time.
#pragma once

#include <coronet/coro/detail/frame_cache.hpp>
#include <coronet/net/asio/config.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#if defined(CORONET_ASIO_USE_BOOST)
#include <boost/asio/cancellation_type.hpp>
#else
#include <asio/cancellation_type.hpp>
#endif

namespace coronet::asiox::detail {

class await_signal {
public:
    await_signal() noexcept = default;
    await_signal(const await_signal&) = delete;
    await_signal& operator=(const await_signal&) = delete;
    ~await_signal() { clear(); }

    void emit(net::cancellation_type_t asked) {
        if (handler_) call_(handler_, asked);
    }
    [[nodiscard]] bool has_handler() const noexcept { return handler_ != nullptr; }
    void clear() noexcept {
        if (handler_) destroy_(std::exchange(handler_, nullptr));
    }

    template <class Handler, class... Arguments>
    Handler& emplace(Arguments&&... arguments) {
        clear();
        static_assert(alignof(Handler) <= alignof(std::max_align_t));
        constexpr bool fits = sizeof(Handler) <= room_size;
        void* const place = fits ? room_.data() : coronet::detail::allocate_frame(sizeof(Handler));
        std::unique_ptr<void, void (*)(void*)> memory{place, fits ? &keep : &give_back};
        auto* made = ::new (place) Handler(std::forward<Arguments>(arguments)...);
        static_cast<void>(memory.release());
        handler_ = made;
        call_ = [](void* called, net::cancellation_type_t asked) {
            (*static_cast<Handler*>(called))(asked);
        };
        destroy_ = [](void* destroyed) noexcept {
            static_cast<Handler*>(destroyed)->~Handler();
            if (!fits) give_back(destroyed);
        };
        return *made;
    }

private:
    static void keep(void*) noexcept {}
    static void give_back(void* memory) noexcept { coronet::detail::free_frame(memory); }

    static constexpr std::size_t room_size = 64; // those of Asio's sockets and compositions fit
    void* handler_ = nullptr;
    void (*call_)(void*, net::cancellation_type_t) = nullptr;
    void (*destroy_)(void*) noexcept = nullptr;
    alignas(std::max_align_t) std::array<std::byte, room_size> room_;
};

/// What Asio calls a CancellationSlot.
class await_slot {
public:
    await_slot() noexcept = default;
    explicit await_slot(await_signal& signal) noexcept : signal_(&signal) {}

    [[nodiscard]] bool is_connected() const noexcept { return signal_ != nullptr; }
    [[nodiscard]] bool has_handler() const noexcept { return signal_ && signal_->has_handler(); }
    void clear() noexcept {
        if (signal_) signal_->clear();
    }
    template <class Handler, class... Arguments>
    Handler& emplace(Arguments&&... arguments) {
        return signal_->template emplace<Handler>(std::forward<Arguments>(arguments)...);
    }
    template <class Handler>
    std::decay_t<Handler>& assign(Handler&& handler) {
        return emplace<std::decay_t<Handler>>(std::forward<Handler>(handler));
    }

    friend bool operator==(const await_slot& a, const await_slot& b) noexcept {
        return a.signal_ == b.signal_;
    }
    friend bool operator!=(const await_slot& a, const await_slot& b) noexcept {
        return a.signal_ != b.signal_;
    }

private:
    await_signal* signal_ = nullptr;
};

} // namespace coronet::asiox::detail
