// SPDX-License-Identifier: BSL-1.0
//
// Whole transfers to a peer of which the kernel makes no copy: it sends from the user's memory, and
// needs that after it has given the result, until the peer has acknowledged the last byte. The
// await lasts as long, so that whoever goes on owns the memory again.
//
//   sending → held       the result, with F_MORE: the kernel still reads what it took
//   held    → sending    the notification: it has let go. There is a rest
//   sending → sending    the same, if it took nothing (-EAGAIN)
//   held    → (ended)    the notification of the last part
//   sending → sending    refused (a unix socket, no memory for it): once more, with copies
//
// A cancel request finds nobody while it is held: the kernel gives the memory back when it pleases
// the peer, if ever. So that nobody can hold up the end of a server, the connection is reset if a
// second has passed: then the kernel drops what it had to send. So it is when the submission thread
// has died, as no notification comes any more. Owner thread.
#pragma once

#include <coronet/clock.hpp>
#include <coronet/detail/hooks.hpp>
#include <coronet/net/transfers.hpp>
#include <coronet/result.hpp>

#include <cerrno>
#include <cstdint>
#include <optional>

namespace coronet::detail {

/// What a send by reference remembers beside its data.
class lent_to_peer {
public:
    enum class step : std::uint8_t { wait, copy, go_on };

    /// Has the kernel send without a copy, unless it would not.
    void request(io_uring_sqe& sqe) const noexcept;
    /// What comes after this completion.
    [[nodiscard]] step after(int fd, std::int32_t res, std::uint32_t flags) noexcept;
    /// The operation was asked to end, again.
    void asked_again(int fd, time_point now) noexcept;
    [[nodiscard]] bool hung_up() const noexcept { return hung_up_; }
    /// The kernel has taken what it was to send. (In a forked child: the parent's.)
    [[nodiscard]] bool is_held() const noexcept { return held_; }

private:
    void hang_up(int fd) noexcept;

    bool held_ = false;    // by the kernel
    bool refused_ = false; // it has to be copied
    bool hung_up_ = false;
    std::optional<time_point> asked_; // again, for the first time, while it was held
};

template <class Send>
class zero_copy : public Send {
public:
    using Send::Send;
    transfer await_resume() const noexcept {
        transfer told = Send::await_resume();
        if (told && lent_.hung_up()) told.error = error_of_result(-ECANCELED);
        return told;
    }

private:
    void prepare(io_uring_sqe& sqe) noexcept override {
        Send::prepare(sqe);
        lent_.request(sqe);
    }
    void complete(std::int32_t res, std::uint32_t flags) noexcept override {
        switch (lent_.after(this->fd(), res, flags)) {
        case lent_to_peer::step::wait:
            CORONET_HOOK(sent_by_reference, this);
            this->set_res(res);
            break;
        case lent_to_peer::step::copy:
            if (this->cancel_requested())
                Send::complete(-ECANCELED, 0);
            else
                this->where().start(*this);
            break;
        case lent_to_peer::step::go_on:
            Send::complete(res, flags);
        }
    }
    void asked_again(time_point now) noexcept override { lent_.asked_again(this->fd(), now); }

    lent_to_peer lent_;
};

} // namespace coronet::detail
