// SPDX-License-Identifier: BSL-1.0
//
// From input to requests to the next step. Owner thread.
#include <coronet/net/http/connection.hpp>
#include <coronet/net/http/router.hpp>
#include <coronet/net/http/service.hpp>
#include <coronet/net/http/transport.hpp>

#include <algorithm>
#include <string>
#include <utility>

namespace coronet::http {

namespace {

constexpr std::size_t input_room_min = 512;
constexpr std::size_t output_enough =
    3072; // answers that are sent before more requests are looked at
constexpr std::uint64_t skipped_body_max = 64 * 1024;

} // namespace

connection::connection(service& owner, transport& stream)
    : service_{owner},
      transport_{stream},
      input_{owner.buffers()},
      parser_{owner.options().limits},
      body_reader_{owner.options().limits} {
    service_.admit(*this);
}

connection::~connection() {
    unlink();
    give_back(output_);
    give_back(body_);
}

// Whatever is next takes time: meanwhile others may need the buffer that the input came in.
connection::step connection::next() {
    const step wanted = find_next();
    input_.keep();
    date_known_ = false;
    return wanted;
}

connection::step connection::find_next() {
    while (true) {
        std::optional<step> wanted;
        switch (phase_) {
        case phase::head:
            wanted = next_in_head();
            break;
        case phase::called:
            return step::call;
        case phase::skipping:
            wanted = next_in_skipped_body();
            break;
        case phase::finishing:
            input_.consume(input_.size()); // nobody looks at it any more
            return output_.empty() ? step::finish : step::send;
        case phase::broken:
            return step::close;
        }
        if (!wanted) continue; // something was done
        // Nothing more is read while the peer does not take its answers.
        if (*wanted == step::receive && !output_.empty()) return step::send;
        return *wanted;
    }
}

std::optional<connection::step> connection::next_in_head() {
    if (output_.size() >= output_enough) return step::send;
    switch (parser_.parse(input_.data())) {
    case request_parser::outcome::complete:
        begin_request();
        return std::nullopt;
    case request_parser::outcome::failed:
        refuse(parser_.error(), parser_.reason());
        return std::nullopt;
    case request_parser::outcome::incomplete:
        break;
    }
    return step::receive;
}

std::optional<connection::step> connection::next_in_skipped_body() {
    const body_reader::step taken = body_reader_.next(input_.data());
    input_.consume(taken.consumed);
    switch (taken.outcome) {
    case body_reader::outcome::data:
        break;
    case body_reader::outcome::incomplete:
        return step::receive;
    case body_reader::outcome::complete:
        phase_ = phase::head;
        break;
    case body_reader::outcome::failed:
        phase_ = phase::finishing;
        break; // it has its answer
    }
    return std::nullopt;
}

std::span<std::byte> connection::room() {
    return input_.room(input_room_min);
}

void connection::begin_request() {
    const request_head& head = parser_.head();
    const limits& bounds = service_.options().limits;
    body_reader_ = body_reader{head, bounds};
    input_used_ = head.size;
    head_deadline_ = {};
    answer_sent_ = false;
    body_error_ = {};
    content_omitted_ = method() == "HEAD";
    closing_ = !head.keep_alive;
    // A peer that sends its body along does not wait.
    continue_wanted_ = head.expect_continue && head.has_body() && input_.size() == head.size;

    const handler& chosen = service_.routes().find(method(), path());
    if (chosen.answer) return answer_plainly(chosen);
    handler_ = &chosen;
    phase_ = phase::called;
}

void connection::answer_plainly(const handler& chosen) {
    if (body_reader_.known_left() > skipped_body_max) closing_ = true;
    try {
        chosen.answer(request{*this}, response{*this});
    } catch (...) {
        drop_answer();
    }
    end_request();
}

task<void> connection::call_handler() {
    return handler_->converse(request{*this}, response{*this});
}

void connection::handler_ended(bool failed) {
    if (failed && !answer_sent_) drop_answer();
    if (failed && answer_sent_) lost_ = true;
    end_request();
}

void connection::end_request() {
    if (lost_) {
        phase_ = phase::broken;
        return;
    }
    if (answer_ != answer::complete) return end_without_answer();
    log_answer();
    if (body_reader_.known_left() > skipped_body_max) closing_ = true;
    input_.consume(input_used_);
    if (body_.capacity() != 0) {
        input_.append(body_.data());
        give_back(body_);
    }
    parser_.reset();
    answer_ = answer::none;
    handler_ = nullptr;
    phase_ = body_reader_.complete() ? phase::head : phase::skipping;
    if (closing_) phase_ = phase::finishing;
}

void connection::end_without_answer() {
    if (answer_sent_ || answer_ == answer::streaming) {
        phase_ = phase::broken; // the peer must not take a part for the whole
        return;
    }
    drop_answer();
    if (body_error_ == http::status{}) return refuse(status::internal_server_error, "no answer");
    refuse(body_error_, reason_phrase(body_error_));
}

void connection::received(const result<std::size_t>& count) {
    if (!count && count.error() == std::errc::timed_out) return meet_timeout();
    if (!count)
        phase_ = phase::broken;
    else if (*count == 0)
        meet_end_of_input();
    else
        input_.commit(*count);
}

void connection::received_piece(result<received_buffer>&& piece) {
    if (!piece)
        received(result<std::size_t>(piece.error()));
    else if (piece->empty())
        meet_end_of_input();
    else
        input_.take(std::move(*piece));
}

void connection::meet_end_of_input() {
    if (phase_ == phase::head && !parser_.at_start())
        refuse(status::bad_request, "the request ends too early");
    else
        phase_ = phase::broken;
}

void connection::meet_timeout() {
    if (phase_ == phase::head && !parser_.at_start())
        refuse(status::request_timeout, "the request takes too long");
    else
        phase_ = phase::broken;
}

// The last answer, for a request that cannot be or was not understood.
void connection::refuse(http::status error, std::string_view reason) {
    closing_ = true;
    content_omitted_ = method() == "HEAD";
    begin_answer(error);
    add_field("Content-Type", "text/plain");
    send_answer(std::string{reason} + "\n");
    log_answer();
    phase_ = phase::finishing;
}

// The whole head has one deadline, counted from when its first bytes were seen.
duration connection::receive_timeout() noexcept {
    const timeouts& waits = service_.options().timeouts;
    if (phase_ != phase::head) return waits.body;
    if (parser_.at_start()) return waits.idle;
    const time_point now = clock::now();
    if (head_deadline_ == time_point{}) head_deadline_ = coronet::detail::later(now, waits.head);
    return std::max<duration>(head_deadline_ - now, duration{1});
}

duration connection::send_timeout() const noexcept {
    return service_.options().timeouts.write;
}

void connection::sent(const result<std::size_t>& count) noexcept {
    if (!count)
        phase_ = phase::broken;
    else
        note_sent(*count);
}

bool connection::idle() const noexcept {
    return phase_ == phase::head && parser_.at_start() && output_.empty();
}

void connection::end_if_idle() noexcept {
    if (idle()) transport_.stop_receiving();
}

void connection::log_answer() const {
    const auto& log = service_.options().access_log;
    if (!log) return;
    log({method(), parser_.head().target.of(input_.data()), status_, content_size_});
}

std::string_view connection::method() const noexcept {
    return parser_.head().method.of(input_.data());
}

std::string_view connection::path() const noexcept {
    const std::string_view path = parser_.head().path.of(input_.data());
    return path.empty() ? "/" : path;
}

} // namespace coronet::http
